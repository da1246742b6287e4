"""What is recorded: trainings, people who are asked for, and items that are new."""

from __future__ import annotations

from typing import Any

# Of every training on the small dataset; what differs by model follows.
TRAINING = (
    *("--split", "inductive", "--seed", "0", "--epochs", "2", "--set", "steps=8"),
    "--no-baselines",
)
# What was recorded knew of no memory and of one rate: so everything is as it was.
_BEFORE = ("--set", "memory=false", "--set", "rate_by_batch=false")
TRAININGS: dict[str, tuple[str, ...]] = {
    "micrec": _BEFORE,
    "micrec-without-image-contrast": (*_BEFORE, "--without", "image,contrast"),
    "micrec-without-cross-domain-templates": (*_BEFORE, "--without", "cross-domain,templates"),
    "micrec-without-modality-self-enhanced": (*_BEFORE, "--without", "modality,self-enhanced"),
    "inmo": ("--model", "inmo"),
    "inmo-mf": ("--model", "inmo-mf", "--set", "loss=bpr"),
    "lightgcn": ("--model", "lightgcn"),
    "popularity": ("--model", "popularity"),
    "itemknn": ("--model", "itemknn"),
    "ease": ("--model", "ease"),
    "bpr-mf": ("--model", "bpr-mf"),
    "imc-gae": ("--model", "imc-gae"),
    "vbpr": ("--model", "vbpr"),
    "lattice": ("--model", "lattice"),
    "bm3": ("--model", "bm3"),
    "freedom": ("--model", "freedom"),
    "mgcn": ("--model", "mgcn"),
    "cmf": ("--model", "cmf"),
    "emcdr": ("--model", "emcdr", "--set", "options.steps=20"),
    "bitgcf": ("--model", "bitgcf"),
    "ptupcdr": ("--model", "ptupcdr", "--set", "options.steps=20"),
}
# Runs that can be served; their lists and explanations are recorded too.
SERVED = ("micrec", "micrec-without-cross-domain-templates", "inmo", "lightgcn")
# Variants that are added to the run of ``micrec``, and a comparison of its own.
VARIANTS = ("--names", "itemknn,image", "--seeds", "0", "--no-baselines")
COMPARISON = (*_BEFORE, "--models", "itemknn,ease", "--seeds", "0", "--budget", "2")
# Of the real data, which is no part of the project.
REAL = (*_BEFORE, "--text", "classic", "--image", "none", "--seed", "0")

# How the datasets were made, pictures made smaller after that; they are stored, not made again.
SHOP = ("--users", "200", "--items", "70,60", "--seed", "5")
TINY = ("--users", "40", "--items", "24,24", "--seed", "6")
# The run of the last release, trained on the second.
RELEASE = (
    *("--split", "inductive", "--seed", "0", "--epochs", "2"),
    *("--set", "dim=8", "--set", "neighbours=4", "--set", "steps=10"),
)

_TEXT = "A fair trade Italian pasta with a loud trattoria in mind, and a red enamel pot."
_PICTURE = "food-0030.webp"

Asked = dict[str, list[dict[str, Any]]]
# Images are of the small dataset.
ASKED_SHOP: Asked = {
    "people": [
        {"name": "known in both", "id": "u0000"},
        {
            "name": "known, one like more",
            "id": "u0000",
            "likes": {"kitchen": ["kitchen-0022"]},
        },
        {"name": "likes in food", "likes": {"food": ["food-0030", "food-0044", "food-0059"]}},
        {"name": "a text", "text": _TEXT},
        {"name": "a picture", "image": _PICTURE},
    ],
    "items": [
        {"name": "a text", "domain": "food", "text": _TEXT},
        {"name": "all", "domain": "food", "text": _TEXT, "image": _PICTURE, "users": ["u0000"]},
    ],
}
ASKED_TINY: Asked = {
    "people": [
        {"name": "known in both", "id": "u0002"},
        {"name": "likes in food", "likes": {"food": ["food-0003", "food-0008"]}},
        {"name": "a text", "text": _TEXT},
        {"name": "a picture", "image": _PICTURE},
    ],
    "items": [
        {"name": "all", "domain": "food", "text": _TEXT, "image": _PICTURE, "users": ["u0002"]},
    ],
}
ASKED_BUNDLED: Asked = {
    "people": [
        {"name": "known in both", "id": "u0006"},
        {"name": "known, one like more", "id": "u0006", "likes": {"food": ["food-0309"]}},
        {"name": "known in food alone", "id": "u0003"},
        {"name": "likes in food", "likes": {"food": ["food-0309", "food-0455", "food-0031"]}},
        {"name": "likes in kitchen", "likes": {"kitchen": ["kitchen-0321", "kitchen-0207"]}},
        {"name": "a text", "text": _TEXT},
        {"name": "a picture", "image": _PICTURE},
        {"name": "a text and likes", "text": _TEXT, "likes": {"kitchen": ["kitchen-0005"]}},
        {"name": "nothing known", "text": "qqqq"},
    ],
    "items": [
        {"name": "a text", "domain": "food", "text": _TEXT},
        {"name": "a picture", "domain": "kitchen", "image": _PICTURE},
        {"name": "all", "domain": "food", "text": _TEXT, "image": _PICTURE, "users": ["u0006"]},
    ],
}
