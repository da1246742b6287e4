"""What others call our columns: guessed from names and values, offered and never assumed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence

from micrec_core.data.schema import Schema, nearest

# Ours -> words of public data, the likeliest first; small letters and digits alone count.
_SYNONYMS = {
    "user_id": "userid user uid userno customerid customer memberid reviewerid sessionid session "
    "visitorid steamid profileid buyerid clientid personid account accountid",
    "item_id": "itemid item iid parentasin asin productid product movieid bookid businessid "
    "articleid gmapid sku isbn appid newsid trackid songid artistid gameid recipeid venueid poiid "
    "goodsid videoid contentid",
    "domain": "category shop store market department maincategory producttype",
    "title": "name itemname itemtitle producttitle productname prodname movietitle booktitle "
    "appname gamename newstitle originaltitle tracktitle songtitle businessname headline",
    "timestamp": "time date unixreviewtime reviewtime eventtime datetime createdat tdat dateadded "
    "ts when day purchasedate reviewdate",
    "rating": "stars overall score rate ratings reviewscore playhours preference",
    "description": "desc detaildesc text summary abstract about plot body content",
    "image": "img picture photo imagepath imagefile thumbnail cover",
    "split": "fold part subset",
    "head": "headid subject source from",
    "relation": "relationid predicate relationtype rel edge edgetype",
    "tail": "tailid object target to",
}
# How RecBole's settings call the fields that a dataset may name.
RECBOLE_FIELDS = {
    "USER_ID_FIELD": "user_id",
    "ITEM_ID_FIELD": "item_id",
    "RATING_FIELD": "rating",
    "TIME_FIELD": "timestamp",
}
# What a required column holds, by ``_kind``; the surest first.
_CONTENT = {"title": "text", "domain": "few", "item_id": "id", "user_id": "id"}
# Likeness is dear to find out, and nobody looks for a column beyond these.
_LOOKED_AT = 200
# So many columns of numbers, beside no column of items, are one of each item.
_ITEMS_ACROSS = 5
Sample = Callable[[], Mapping[str, Sequence[str]]]
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?([eE][+-]?\d+)?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d.*")


def _bare(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def synonym(column: str, names: Sequence[str]) -> str | None:
    """The one of the names that others use for a column of ours."""
    bare = {_bare(name): name for name in reversed(names)}
    known = (_bare(column), *_SYNONYMS.get(column, "").split())
    return next((bare[word] for word in known if word in bare), None)


def guesses(schema: Schema, names: Sequence[str], sample: Sample | None = None) -> dict[str, str]:
    """Ours -> theirs, for the required columns that a table lacks and may have by another name.

    Parameters
    ----------
    names : of the table's columns
    sample : gives some values a column; asked only where names say nothing
    """
    free = list(schema.unused(names)[:_LOOKED_AT])
    missing = [column for column in schema.required if column not in names]
    found: dict[str, str] = {}
    for by in (synonym, lambda column, left: next((n for n in left if nearest(n, [column])), None)):
        for column in missing:
            name = None if column in found else by(column, free)
            if name is not None:
                found[column] = name
                free.remove(name)
    if len(found) < len(missing) and sample is not None:
        found |= _by_content([c for c in missing if c not in found], free, sample())
    return found


def are_values(names: Sequence[str], schema: Schema, sample: Sample | None = None) -> bool:
    """Whether names of columns are the first row of a table without a header: none is known, and
    one is a number, a date or, by the ``sample``, a value that its column has again.
    """
    if any(name in schema.columns or synonym(c, [name]) for name in names for c in schema.columns):
        return False
    if any(_NUMBER.fullmatch(name) or _DATE.fullmatch(name) for name in names):
        return True
    return sample is not None and any(n and n in v for n, v in sample().items())


def is_matrix(names: Sequence[str], schema: Schema, sample: Sample | None = None) -> bool:
    """Whether a table without items has a column for each: many unknown ones of numbers alone."""
    if sample is None or "item_id" not in schema.required or "title" in schema.columns:
        return False
    others = {n for n in names if not any(synonym(c, [n]) for c in schema.columns)}
    values = sample() if len(others) >= _ITEMS_ACROSS else {}
    found = [v for name in others for v in values.get(name, ()) if v]
    return bool(found) and all(_NUMBER.fullmatch(v) for v in found)


def options(found: Mapping[str, str]) -> str:
    """Guesses as they are typed, in quotes where a shell would part them."""
    return " ".join(f"--map {shlex.quote(f'{o}={theirs}')}" for o, theirs in found.items())


def _by_content(
    missing: Sequence[str], free: Sequence[str], values: Mapping[str, Sequence[str]]
) -> dict[str, str]:
    kinds = {name: _kind([v for v in values.get(name, ()) if v]) for name in free}
    found: dict[str, str] = {}
    for column, kind in _CONTENT.items():
        fits = [name for name in free if kinds[name] == kind and name not in found.values()]
        # Of two columns of ids none says which is whose.
        if column in missing and len(fits) == 1:
            found[column] = fits[0]
    return found


def _kind(values: Sequence[str]) -> str:
    """``text``, ``few`` (words that repeat), ``id``, or ``number`` (ratings, times, dates)."""
    if not values or all(_DATE.fullmatch(v) for v in values):
        return "number"
    numeric = all(_NUMBER.fullmatch(v) for v in values)
    if numeric and (len(set(values)) <= 20 or all(len(v.split(".")[0]) >= 9 for v in values)):
        return "number"
    if sum(" " in v.strip() for v in values) > len(values) / 2:
        return "text"
    return "few" if not numeric and len(set(values)) * 10 <= len(values) else "id"
