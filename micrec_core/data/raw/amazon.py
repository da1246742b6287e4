"""Amazon Reviews of 2014, 2018 and 2023: a review or a product on each line.

Sources: the pages of the data, of McAuley et al. (2015), "Image-based recommendations on styles and
substitutes"; Ni et al. (2019), "Justifying recommendations using distantly-labeled reviews and
fine-grained aspects"; Hou et al. (2024), "Bridging language and items for retrieval and
recommendation".

    2023 reviews   user_id, parent_asin (asin is one variant of it), rating, timestamp (ms)
         products  parent_asin, title, description [texts], features [texts], images [...],
                   store, price (a number or words), categories [levels]
    2018 reviews   reviewerID, asin, overall, unixReviewTime (s)
         products  asin, title, description [texts], feature [texts], imageURLHighRes [...],
                   brand, price (text), category [levels]
    2014 reviews   reviewerID, asin, overall, unixReviewTime (s)
         products  asin, title, description (text), imUrl, brand, price (a number),
                   categories [[levels]]; lines are Python literals, not JSON

The edition with ratings alone is csv: with a header in 2023, and without one before, the item first
in 2018 and the user first in 2014.

Where the pictures are to be had is left out: nothing is downloaded.
"""

from dataclasses import replace

from micrec_core.data.raw.records import Keys

AMAZON_2023 = Keys(
    "Amazon Reviews 2023",
    user="user_id",
    reviewed=("parent_asin", "asin"),
    rating="rating",
    time="timestamp",
    product="parent_asin",
    descriptions=("description", "features"),
    columns={
        "store": ("store",),
        "price": ("price",),
        "category": ("categories",),
        "features": ("features",),
    },
    ratings=("user_id", "item_id", "rating", "timestamp"),
)
AMAZON_2018 = Keys(
    "Amazon Reviews 2018",
    user="reviewerID",
    reviewed=("asin",),
    rating="overall",
    time="unixReviewTime",
    product="asin",
    descriptions=("description", "feature"),
    columns={
        "brand": ("brand",),
        "price": ("price",),
        "category": ("category", "categories"),
        "features": ("feature",),
    },
    ratings=("item_id", "user_id", "rating", "timestamp"),
)
AMAZON_2014 = replace(
    AMAZON_2018,
    label="Amazon Reviews 2014",
    descriptions=("description",),
    literals=True,
    ratings=("user_id", "item_id", "rating", "timestamp"),
)
