"""Other public data, by what their files call things; docs/recipes.md has a line to type for each.

MovieLens   25M, 32M: ratings.csv, movies.csv; 1M, 10M: ratings.dat, movies.dat (Harper and
            Konstan, 2015, "The MovieLens datasets: history and context")
H&M         transactions_train.csv, articles.csv (the competition's files)
Goodreads   goodreads_interactions_*.json, goodreads_books_*.json (Wan and McAuley, 2018, "Item
            recommendation on monotonic behavior chains")
Yelp        yelp_academic_dataset_review.json, ..._business.json (the open dataset)
Steam       steam_reviews.json, steam_games.json, lines of Python literals (Kang and McAuley,
            2018, "Self-attentive sequential recommendation")
"""

from micrec_core.data.raw.records import Keys
from micrec_core.data.raw.separated import Separated

TABLES = Separated("tables")
MOVIELENS = Separated("MovieLens", named={"description": "genres"}, also=("genres",))
MOVIELENS_1M = Separated(
    "MovieLens 1M",
    "::",
    reviews=("user_id", "item_id", "rating", "timestamp"),
    products=("item_id", "title", "genres"),
    named={"description": "genres"},
    quoted=False,
    also=("genres",),
)
HM = Separated(
    "H&M",
    named={
        "user_id": "customer_id",
        "item_id": "article_id",
        "timestamp": "t_dat",
        "title": "prod_name",
        "description": "detail_desc",
    },
)
GOODREADS = Keys(
    "Goodreads",
    user="user_id",
    reviewed=("book_id",),
    rating="rating",
    time="date_added",
    product="book_id",
    descriptions=("description",),
)
YELP = Keys(
    "Yelp",
    user="user_id",
    reviewed=("business_id",),
    rating="stars",
    time="date",
    product="business_id",
    titles=("name",),
    descriptions=("categories",),
    columns={"categories": ("categories",)},
)
STEAM = Keys(
    "Steam",
    user="username",
    reviewed=("product_id",),
    rating="",
    time="date",
    product="id",
    titles=("app_name", "title"),
    descriptions=("genres", "tags"),
    columns={"genres": ("genres",), "tags": ("tags",), "price": ("price",)},
    literals=True,
)
