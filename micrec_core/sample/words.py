"""The words of the sample catalogue: titles and descriptions of its items, and what they draw on.

They tell of category, culture and ethics only: colour and pattern, which only pictures show, are
named in the sentences on personas. Brands are invented.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from micrec_core.sample.world import WORDS, World, stream


@dataclass(frozen=True)
class Category:
    """What is said of a category.

    ``noun`` and ``sizes`` stand in titles, ``phrases`` and whole ``details`` in descriptions. A
    ``mass`` noun (or a plural) takes no article.
    """

    noun: str
    phrases: tuple[str, ...]
    details: tuple[str, ...]
    sizes: tuple[str, ...]
    mass: bool = False


@dataclass(frozen=True)
class Value:
    """One value of a text attribute.

    ``word`` stands in titles and in the sentences on personas. ``phrases`` has a tuple per domain:
    what something is for (culture), or whole sentences (ethics).
    """

    word: str
    phrases: tuple[tuple[str, ...], tuple[str, ...]]


BRANDS = (
    "Fennolo", "Quillory", "Oddenby", "Tilverna", "Brindlow", "Wexamoor", "Pomarelle", "Luniva",
    "Saltquay", "Hobberly", "Marvosti", "Ninepenny Lane", "Ostrivel", "Cobblewick", "Yarrowen",
    "Dappelin", "Ferrowick", "Mistlefold", "Juniver", "Tambrook", "Orlisse", "Kettlesby",
    "Vandrel", "Plumstow",
)  # fmt: skip

ADJECTIVES = (
    (
        "well-balanced", "mild", "generous", "everyday", "much-loved", "honest", "full-flavoured",
        "carefully made", "unfussy", "hearty", "dependable", "lively",
    ),
    (
        "well-balanced", "dependable", "handsome", "generous", "everyday", "carefully finished",
        "quietly clever", "sturdy", "much-loved", "simple", "honest", "compact",
    ),
)  # fmt: skip

CLOSINGS = (
    "A good gift.", "Keeps well in any cupboard.", "Comes boxed.", "Easy to store.",
    "One of our steady sellers.", "Ships within two days.", "", "", "", "",
)  # fmt: skip

# How a description begins: what the text tells of a culture, or nothing of it.
OPENINGS = (
    "{A} {adjective} companion to {occasion}, the {culture} way.",
    "{Adjective} and {culture} at heart: think of {occasion}.",
    "Inspired by {occasion}, as {culture} cooks like it.",
    "{A} {adjective} {phrase}, inspired by {occasion}.",
    "{Phrase} in the spirit of {occasion}.",
)
PLAIN_OPENINGS = (
    "{A} {adjective} {phrase}.",
    "{A} {adjective} choice.",
    "{Adjective}, and at home in any kitchen.",
)

# The two domains match by index: who likes green tea tends to like tea pots.
CATEGORIES: tuple[tuple[Category, ...], tuple[Category, ...]] = (
    (
        Category("Green Tea", ("loose-leaf green tea", "fine green tea"),
                 ("Steep for two minutes in water off the boil.",
                 "Fine leaves, three infusions a pot."), ("75 g", "100 g", "150 g"), mass=True),
        Category("Coffee Beans", ("whole coffee beans", "freshly roasted coffee beans"),
                 ("Roasted in drums and rested for a week.",
                 "Grind just before you brew the coffee."), ("250 g", "500 g", "1 kg"), mass=True),
        Category("Rice", ("long-grain rice", "polished rice"),
                 ("Rinse the rice twice and let it rest.", "Grains stay separate and tender."),
                 ("1 kg", "2 kg", "5 kg"), mass=True),
        Category("Olive Oil", ("cold-pressed olive oil", "fruity olive oil"),
                 ("Pressed within a day of the olive harvest.",
                 "Keep the oil away from the stove."), ("250 ml", "500 ml", "750 ml"), mass=True),
        Category("Honey", ("thick set honey", "honey from wild flowers"),
                 ("Warm the jar gently should the honey set.",
                 "Spun from the comb and strained once."), ("250 g", "350 g", "500 g"), mass=True),
        Category("Chocolate Bar", ("chocolate bar", "bar of chocolate with a clean snap"),
                 ("Cocoa ground for sixty hours.", "Snaps into eight squares of chocolate."),
                 ("70 g", "85 g", "100 g")),
        Category("Pasta", ("long pasta", "slowly dried pasta"),
                 ("Bronze-cut, so the sauce clings to the pasta.",
                 "Boils al dente in nine minutes."), ("400 g", "500 g", "1 kg"), mass=True),
        Category("Noodle Soup", ("instant noodle soup", "quick noodle soup"),
                 ("Add boiling water and wait for four minutes.",
                 "Springy noodles in a clear broth."), ("65 g", "80 g", "6 cups"), mass=True),
        Category("Spice Blend", ("ground spice blend", "warming spice blend"),
                 ("Toast the spices for a minute to wake them.", "Nine spices, ground cool."),
                 ("40 g", "55 g", "90 g")),
        Category("Cheese", ("aged cheese", "mountain cheese"),
                 ("Take the cheese out an hour before serving.", "Matured on wooden shelves."),
                 ("180 g", "250 g", "400 g"), mass=True),
        Category("Sourdough Bread", ("sourdough loaf", "slowly raised loaf of bread"),
                 ("Proved overnight, with a crackling crust.",
                 "Toast the bread from the second day."), ("500 g", "750 g", "1 kg")),
        Category("Fruit Juice", ("pressed fruit juice", "cloudy fruit juice"),
                 ("Shake the juice well and serve it cold.",
                 "Pressed fruit, nothing from concentrate."), ("500 ml", "1 l", "1.5 l"),
                 mass=True),
    ),
    (
        Category("Tea Pot", ("stoneware tea pot", "tea pot with a fitted strainer"),
                 ("Pours tea without a drip.", "The lid stays on when you tilt the pot."),
                 ("0.6 l", "0.9 l", "1.2 l")),
        Category("Coffee Mug", ("coffee mug", "mug with a roomy handle"),
                 ("Keeps coffee hot and the handle cool.", "Fits under every coffee machine."),
                 ("250 ml", "330 ml", "set of 2")),
        Category("Rice Cooker", ("rice cooker", "rice cooker with a keep-warm setting"),
                 ("Cooks rice and turns itself down.", "The inner bowl lifts out for washing."),
                 ("1 l", "1.5 l", "2 l")),
        Category("Oil Cruet", ("oil cruet", "cruet with a slender spout"),
                 ("Stops at the last drop of oil.", "Wide foot, so that the cruet stands firm."),
                 ("200 ml", "300 ml", "450 ml")),
        Category("Honey Pot", ("honey pot with its dipper", "ribbed honey pot"),
                 ("The dipper rests in a notch of the lid.", "Wide enough for a spoon of honey."),
                 ("250 ml", "350 ml", "500 ml")),
        Category("Fondue Set", ("chocolate fondue set", "fondue set with two forks"),
                 ("A candle keeps the chocolate flowing.",
                 "The fondue bowl goes into the oven too."), ("for 2", "for 4", "for 6")),
        Category("Pasta Colander", ("pasta colander", "footed colander"),
                 ("Drains pasta in seconds.",
                 "Two handles and a colander foot that does not slip."),
                 ("20 cm", "24 cm", "28 cm")),
        Category("Soup Bowl", ("noodle soup bowl", "deep bowl with chopsticks"),
                 ("Room for noodles, broth and toppings.", "The bowl's rim is made for sipping."),
                 ("0.8 l", "1 l", "set of 2")),
        Category("Spice Mill", ("turned spice mill", "mill for pepper and spices"),
                 ("A ceramic grinder, set from coarse to fine.", "Fill the mill from the top."),
                 ("16 cm", "22 cm", "30 cm")),
        Category("Cheese Board", ("cheese board", "serving board with a hanging hole"),
                 ("One side for cheese, one for cutting.", "Oil the board twice a year."),
                 ("30 cm", "36 cm", "42 cm")),
        Category("Toaster", ("two-slice toaster", "toaster with wide slots"),
                 ("Wide slots for hand-cut bread.", "Lift the lever to look at the toast."),
                 ("2 slices", "2 slices, wide", "900 W")),
        Category("Juice Pitcher", ("juice pitcher", "pitcher with a pinched lip"),
                 ("Holds a litre of juice and some ice.", "The lip keeps fruit back as you pour."),
                 ("1 l", "1.5 l", "2 l")),
    ),
)  # fmt: skip


def _culture(word: str, *phrases: str) -> Value:
    return Value(word, (phrases, phrases))


CULTURES = (
    _culture("Korean", "a long banchan spread", "kimchi and bulgogi", "the markets of Seoul",
             "bibimbap with gochujang"),
    _culture("Japanese", "a quiet bento", "miso and ramen", "the tea houses of Kyoto",
             "onigiri with umeboshi"),
    _culture("Italian", "a loud trattoria", "risotto and antipasti", "the alleys of Naples",
             "focaccia with rosemary"),
    _culture("Mexican", "a bright cantina", "tacos and mole", "the stalls of Oaxaca",
             "tortillas with salsa"),
    _culture("Indian", "a generous thali", "masala and dal", "the bazaars of Jaipur",
             "chapati with chutney"),
    _culture("Moroccan", "a slow tagine", "couscous and harissa", "the souks of Fez",
             "mint and preserved lemon"),
    _culture("French", "a long bistro evening", "cassoulet and quiche", "the arcades of Lyon",
             "baguette with tapenade"),
    _culture("Thai", "a lively street kitchen", "satay and green papaya", "the canals of Bangkok",
             "lemongrass with galangal"),
)  # fmt: skip

ETHICS = (
    Value("Organic", (
        ("Certified organic, grown without pesticides.", "Organic, from untreated fields."),
        ("Organic and untreated, without pesticides.",
         "Certified organic, from untreated materials."),
    )),
    Value("Climate Neutral", (
        ("Climate neutral from field to shelf.", "Climate neutral, shipped without fossil fuel."),
        ("Climate neutral from workshop to shelf.",
         "Climate neutral, shipped without fossil fuel."),
    )),
    Value("Fair Trade", (
        ("Fair trade, with growers paid in advance.", "Fair trade, from a well-paid cooperative."),
        ("Fair trade, with makers paid in advance.", "Fair trade, from a well-paid cooperative."),
    )),
    Value("Zero Waste", (
        ("Zero waste: refillable and plastic-free.", "Zero waste, in a compostable wrap."),
        ("Zero waste: repairable and plastic-free.", "Zero waste, in a compostable box."),
    )),
    Value("Small Batch", (
        ("Small batch, made by one family.", "Small batch, numbered by hand."),
        ("Small batch, from a family workshop.", "Small batch, numbered by hand."),
    )),
)  # fmt: skip

# For the sentences on personas; the order is that of the pictures' palettes and patterns.
PALETTES = (
    "sage greens", "deep sea blues", "warm terracotta", "berry reds", "sunny yellows",
    "charcoal and cream", "candy pinks", "dusky violets",
)  # fmt: skip
PATTERNS = ("stripes", "polka dots", "checks", "waves", "zigzags", "leaves")

_DRAWS = 13


def write_texts(world: World, domain: int) -> tuple[list[str], list[str]]:
    """Titles and descriptions of one domain's items; both are empty where the text is missing."""
    part = world.domains[domain]
    draws = stream(world.seed, WORDS, domain).integers(0, 1 << 30, (part.n_items, _DRAWS))
    titles, descriptions = [], []
    for row in range(part.n_items):
        if not part.has_text[row]:
            titles.append("")
            descriptions.append("")
            continue
        title, description = _describe(
            domain,
            int(part.attributes["category"][row]),
            int(part.told["culture"][row]),
            int(part.told["ethics"][row]),
            draws[row],
        )
        titles.append(title)
        descriptions.append(description)
    return titles, descriptions


def _describe(
    domain: int, category: int, culture: int, ethics: int, draw: NDArray[np.int64]
) -> tuple[str, str]:
    """One title and description; ``culture`` or ``ethics`` is -1 where the text is silent."""
    kind = CATEGORIES[domain][category]
    draws = iter(draw.tolist())

    def one(options: Sequence[str]) -> str:
        return options[next(draws) % len(options)]

    # All drawn in this order whatever is told: one item's words do not hang on its silence.
    brand, adjective, phrase = one(BRANDS), one(ADJECTIVES[domain]), one(kind.phrases)
    detail, size, closing = one(kind.details), one(kind.sizes), one(CLOSINGS)
    with_culture, with_ethics, with_detail, with_size = (next(draws) % 4 for _ in range(4))
    occasion_draw, opening_draw = next(draws), next(draws)

    words = [brand]
    if ethics >= 0 and with_ethics:
        words.append(ETHICS[ethics].word)
    if culture >= 0 and with_culture:
        words.append(CULTURES[culture].word)
    title = " ".join([*words, kind.noun]) + (f", {size}" if with_size == 0 else "")

    article = _article(adjective) + " "
    parts = {"adjective": adjective, "Adjective": _capital(adjective), "phrase": phrase}
    parts["Phrase"] = _capital(phrase if kind.mass else f"{_article(phrase)} {phrase}")
    parts |= {"culture": "", "occasion": ""}
    openings: tuple[str, ...] = PLAIN_OPENINGS
    if culture >= 0:
        # Where the title is silent, an opening that has the word.
        openings = OPENINGS if with_culture else OPENINGS[:-2]
        occasions = CULTURES[culture].phrases[domain]
        parts["culture"] = CULTURES[culture].word
        parts["occasion"] = occasions[occasion_draw % len(occasions)]
    opening = openings[opening_draw % len(openings)]
    if kind.mass and "{phrase}" in opening:
        article = ""  # "A mild rice" is no English
    sentences = [_capital(opening.replace("{A} ", article).format(**parts))]
    if ethics >= 0 and (not with_ethics or with_size % 2):
        sentences.append(one(ETHICS[ethics].phrases[domain]))
    if with_detail == 0:
        sentences.append(detail)
    return title, " ".join(filter(None, [*sentences, closing]))


def _article(word: str) -> str:
    """``An`` before a vowel and the silent h of "honest"."""
    return "An" if word.startswith(("a", "e", "i", "o", "u", "honest")) else "A"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
