"""A line of each raw format, as the real files write it."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime

Review = tuple[str, str, float, int]
Product = tuple[str, str, str]
# Formats whose interactions have no rating.
UNRATED = {"hm", "steam", "mind"}
HEADERS = {
    "recbole": (
        "user_id:token\titem_id:token\trating:float\ttimestamp:float",
        "item_id:token\ttitle:token\tprice:float\tdescription:token_seq",
    ),
    "mmrec": ("userID\titemID\trating\ttimestamp", "itemID\ttitle\tdescription"),
    "movielens": ("userId,movieId,rating,timestamp", "movieId,title,genres"),
    "hm": (
        "t_dat,customer_id,article_id,price,sales_channel_id",
        "article_id,product_code,prod_name,product_type_name,detail_desc",
    ),
    "csv": ("uid,product_id,stars,when", "product_id,product_title,desc"),
}


def _row(*cells: object) -> str:
    out = io.StringIO()
    # Not without a terminator, nor half of one: it is quoted only where it is the writer's own.
    csv.writer(out, lineterminator="\r\n").writerow(cells)
    return out.getvalue()[:-2]


def review_line(form: str, review: Review) -> str:
    user, item, rating, time = review
    day = datetime.fromtimestamp(time, UTC)
    lines = {
        "recbole": f"{user}\t{item}\t{rating}\t{float(time)}",
        "mmrec": f"{user}\t{item}\t{rating}\t{time}",
        "movielens": _row(user, item, rating, time),
        "movielens1m": f"{user}::{item}::{rating}::{time}",
        "hm": _row(day.isoformat(" ")[:19], user, item, 0.05, 2),
        "mind": f"1\t{user}\t{day:%m/%d/%Y %I:%M:%S %p}\t\t{item}-1 N9-0",
        "csv": _row(user, item, rating, time),
    }
    records: dict[str, dict[str, object]] = {
        "amazon2023": {"asin": "a variant", "title": "Fine", "images": [], "user_id": user,
                       "parent_asin": item, "rating": rating, "timestamp": time},
        "goodreads": {"user_id": user, "book_id": item, "rating": rating, "is_read": True,
                      "date_added": f"{day:%a %b %d %H:%M:%S +0000 %Y}"},
        "yelp": {"review_id": "r", "user_id": user, "business_id": item, "stars": rating,
                 "date": f"{day:%Y-%m-%d %H:%M:%S}", "text": "Good {it is}"},
    }  # fmt: skip
    if form in lines:
        return lines[form]
    if form == "steam":
        return repr({"username": user, "product_id": item, "hours": 1.5, "date": f"{day}"[:19]})
    named = {"reviewerID": user, "asin": item, "overall": rating, "unixReviewTime": time}
    return json.dumps(records.get(form, {"reviewText": "Good {it is}"} | named))


def product_line(form: str, product: Product) -> str:
    item, title, description = product
    listed = [description] if description else []
    lines = {
        "recbole": f"{item}\t{title}\t12.5\t{description}",
        "mmrec": f"{item}\t{title}\t{description}",
        "movielens": _row(item, title, description),
        "movielens1m": f"{item}::{title}::{description}",
        "hm": _row(item, "108775", title, "Vest top", description),
        "mind": f"{item}\tnews\tworld\t{title}\t{description}\thttp://x\t[]\t[]",
        "csv": _row(item, title, description),
    }
    records: dict[str, dict[str, object]] = {
        "amazon2018": {"asin": item, "imageURLHighRes": ["http://x/a.jpg"], "title": title,
                       "description": listed},
        "amazon2023": {"parent_asin": item, "images": [{"large": "http://x"}], "price": None,
                       "title": title, "description": listed},
        "goodreads": {"book_id": item, "title": title, "description": description, "isbn": ""},
        "yelp": {"business_id": item, "name": title, "categories": description, "city": "X"},
    }  # fmt: skip
    if form in lines:
        return lines[form]
    if form == "amazon2014":
        one = {"asin": item, "imUrl": "http://x/a.jpg", "related": {"also_bought": ["é"]}}
        return repr(one | {"title": title, "description": description})
    if form == "steam":
        return repr({"id": item, "app_name": title, "genres": listed, "price": 4.99})
    return json.dumps(records[form])
