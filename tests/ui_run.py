"""A small made-up run for tests of the pages. Nothing here is measured.

It has the files and columns of a real one; its numbers are drawn at random.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from micrec_core.names import DEGREE_BINS
from micrec_core.runs import RunWriter

DOMAINS = ("food", "kitchen")
LABELS = {"food": "Food", "kitchen": "Kitchen"}
MODALITIES = ("text", "image")
N_USERS, N_ITEMS, DIM = 120, 60, 8
EPOCHS = (0, 5, 12)
METRICS = ("ndcg@10", "ndcg@20", "recall@10", "recall@20")
NO_MODEL = ("snapshots/", "weights", "history.jsonl", "serving.json", "metrics/alignment",
            "metrics/degree_items")  # fmt: skip
VARIANTS = ("full", "text", "image", "modality", "contrast", "self-enhanced", "memory", "templates")


def write_run(
    folder: Path,
    name: str = "tiny",
    *,
    pictures: bool = True,
    modalities: Sequence[str] = ("text", "image"),
    leave_out: Sequence[str] = (),
    domains: Sequence[str] = DOMAINS,
    n_users: int = N_USERS,
    seed: int = 0,
    kind: str | None = None,
    model: str = "micrec",
    columns: bool = False,
) -> Path:
    """Write a made-up run and return its directory.

    Parameters
    ----------
    pictures : whether the catalogue has thumbnails
    modalities : which of text and image any item has
    leave_out : beginnings of relative paths that are not written
    domains : of ``DOMAINS``; with one there are no overlapping users to keep snapshots of
    n_users : in each domain, all of them in both and in the snapshots
    model : that the run says it is of
    columns : whether the item table had further columns
    kind : ``comparison`` for the tables of several trainings, without a model
    """
    if kind == "comparison":
        leave_out = (*leave_out, *NO_MODEL)
    rng = np.random.default_rng(seed)
    if len(domains) < 2:
        leave_out = (*leave_out, "snapshots/", "metrics/alignment")
    frames = {
        "metrics/summary.parquet": _summary(rng),
        "metrics/variants.parquet": _variants(rng),
        "metrics/degree.parquet": _degree(rng),
        "metrics/degree_items.parquet": _degree_items(rng),
        "metrics/low_degree.parquet": _low_degree(),
        "metrics/cutoff.parquet": _cutoff(rng),
        "metrics/alignment.parquet": _alignment(),
        "metrics/beyond.parquet": _beyond(rng),
        "metrics/sparsity.parquet": _stress(rng, (1.0, 0.5, 0.25)),
        "metrics/missing.parquet": _stress(rng, (0.0, 0.3, 0.6), MODALITIES),
        "metrics/overlap.parquet": _stress(rng, (0.0, 0.5, 1.0)),
        "snapshots/users.parquet": _snapshot_users(rng, n_users),
        "snapshots/layouts.parquet": _layouts(rng, n_users),
        "snapshots/film.parquet": _film(n_users),
        "weights.parquet": _weights(rng, modalities, n_users),
        "catalogue.parquet": catalogue(rng, pictures, modalities),
    }
    if columns:
        frames["catalogue.parquet"]["further_columns"] = [
            f"shelf:path=Shop > {'Tea' if i % 2 else 'Coffee'}\nin_stock:category="
            f"{'yes' if i % 3 else 'no'}\nprice:number={i % 7}"
            for i in frames["catalogue.parquet"]["row"]
        ]
    info = _info(modalities, domains, n_users) | ({"kind": kind} if kind else {})
    info["model"] = model
    writer = RunWriter(folder / name, info)
    wanted = {k: v for k, v in frames.items() if not k.startswith(tuple(leave_out))}
    for relative, frame in wanted.items():
        if "domain" in frame:
            frame = frame[frame["domain"].isin([*domains, "a", "b"])].reset_index(drop=True)
        writer.write_parquet(relative, frame)
    if not "snapshots/".startswith(tuple(leave_out) or ("-",)):
        for epoch in EPOCHS:
            writer.write_tensors(
                f"snapshots/epoch_{epoch:04d}.safetensors", _vectors(rng, n_users, epoch)
            )
    if "serving.json" not in leave_out:
        writer.write_json("serving.json", _serving(domains, modalities, n_users))
    if "history.jsonl" not in leave_out:
        for epoch in range(1, EPOCHS[-1] + 1):
            writer.append_history(_epoch(epoch))
    writer.finish(best_epoch=10, n_parameters=12_345, timings={"train": 12.5})
    return writer.path


def _film(n_users: int) -> pd.DataFrame:
    """As drawn at random, by a generator of its own: the other tables stay as they were."""
    layouts = _layouts(np.random.default_rng(1), n_users).rename(columns={"epoch": "moment"})
    return layouts.assign(moment=layouts["moment"].astype(float))


def _serving(domains: Sequence[str], modalities: Sequence[str], n_users: int) -> dict[str, Any]:
    people = [
        p | {"likes": {d: i for d, i in p["likes"].items() if d in domains}} for p in PERSONAS
    ]
    return {
        "version": 6,
        "domains": [{"name": d, "n_users": n_users, "n_items": N_ITEMS} for d in domains],
        "modalities": list(modalities),
        "layers": 2,
        "templates": True,
        "neighbours": {"k": 10, "temperature": 0.2},
        "cross_profile": True,
        "n_parameters": 12_345,
        "personas": people,
    }


PERSONAS = [
    {
        "name": "Vegan baker",
        "sentence": "Bakes without eggs and likes pastel colours.",
        "likes": {"food": ["f3", "f4", "f5"]},
    },
    {
        "name": "Tea lover",
        "sentence": "Reads labels.",
        "likes": {"kitchen": ["k7"], "food": ["f9"]},
    },
]


def _info(
    modalities: Sequence[str], domains: Sequence[str] = DOMAINS, n_users: int = N_USERS
) -> dict[str, Any]:
    counts = {"n_users": n_users, "n_items": N_ITEMS, "n_train": 900, "n_valid": 100, "n_test": 120}
    return {
        "model": "micrec",
        "variant": "full",
        "seed": 0,
        "split": "inductive",
        "dataset": {
            "name": "made-up",
            "fingerprint": "0" * 64,
            "synthetic": True,
            "source": "drawn at random for a test",
            "licence": "none",
            "domains": [{"name": d, "label": LABELS[d], **counts} for d in domains],
            "n_overlap": n_users if len(domains) > 1 else 0,
            "notes": ["split at random per user"],
        },
        "encoders": {m: f"classic {m}" for m in modalities},
        "config": {"dim": DIM, "layers": 2},
        "device": "cpu",
        "versions": {"micrec": "0"},
    }


def picture(row: int) -> bytes:
    """A small WebP of a coloured shape."""
    image = Image.new("RGB", (64, 64), ((row * 37) % 255, (row * 91) % 255, (row * 53) % 255))
    ImageDraw.Draw(image).ellipse((14, 14, 50, 50), fill=(250, 240, 220))
    out = io.BytesIO()
    image.save(out, "WEBP")
    return out.getvalue()


def catalogue(
    rng: np.random.Generator, pictures: bool = True, modalities: Sequence[str] = ("text", "image")
) -> pd.DataFrame:
    """Items of both domains; one title holds markup that must be shown as it is written."""
    rows = []
    for domain in DOMAINS:
        for i in range(N_ITEMS):
            thumb = picture(i) if pictures and i % 5 else None
            title = f"{LABELS[domain]} item {i} with a rather long name to see how it is cut"
            rows.append(
                {
                    "domain": domain,
                    "row": i,
                    "item_id": f"{domain[0]}{i}",
                    "title": "<b>bold</b> *star* $x$ [a](b)" if i == 3 else title,
                    "description": f"A sentence about item {i}." if "text" in modalities else "",
                    "degree": int(rng.pareto(1.2) * 4),
                    "thumbnail": thumb,
                    "has_text": "text" in modalities,
                    "has_image": thumb is not None and "image" in modalities,
                }
            )
    return pd.DataFrame(rows)


def _interval(mean: float, half: float = 0.01) -> dict[str, float]:
    return {"mean": mean, "low": mean - half, "high": mean + half}


def _summary(rng: np.random.Generator) -> pd.DataFrame:
    base = {"known": 0.1, "new-users": 0.09, "new-items": 0.2, "cold-domain": 0.08}
    factor = {"micrec": 1.0, "popularity": 0.6, "ridge": 0.8}
    rows = [
        {"model": m, "variant": "full", "seed": 0, "protocol": p, "domain": d, "cohort": "all",
         "metric": k, "n": 200, **_interval(b * f * (1 + 0.05 * rng.random()))}
        for p, b in base.items() for m, f in factor.items() for d in DOMAINS for k in METRICS
    ]  # fmt: skip
    return pd.DataFrame(rows)


def _variants(rng: np.random.Generator) -> pd.DataFrame:
    models = [("micrec", v) for v in VARIANTS]
    models += [("inmo", "full"), ("lightgcn", "full"), ("popularity", "full")]
    rows = []
    for place, (model, variant) in enumerate(models):
        for seed in (0, 1):
            for domain in DOMAINS:
                for metric in METRICS:
                    full = model == "micrec" and variant == "full"
                    mean = 0.11 - 0.005 * place + 0.003 * rng.random()
                    diff = np.nan if full else -0.005 * place + 0.002
                    rows.append(
                        {"model": model, "variant": variant, "seed": seed, "protocol": "known",
                         "domain": domain, "cohort": "all", "metric": metric, "n": 150,
                         **_interval(mean), "diff": diff, "diff_low": diff - 0.004,
                         "diff_high": diff + 0.004, "p_holm": 0.01 if place > 2 else 0.4,
                         "seconds": 20.0 + place, "n_parameters": 10_000 + place}
                    )  # fmt: skip
    return pd.DataFrame(rows)


def _degree(rng: np.random.Generator) -> pd.DataFrame:
    rows = []
    for model, base in (("micrec", 0.1), ("inmo", 0.06), ("lightgcn", 0.05), ("popularity", 0.02)):
        for domain in DOMAINS:
            for place, name in enumerate(DEGREE_BINS):
                recall = base * (place + 1) / 3 + 0.01 * rng.random()
                diff = np.nan if model == "micrec" else -0.03 * rng.random()
                rows.append(
                    {"model": model, "variant": "full", "domain": domain, "bin": name,
                     "n_items": 12 if place == 5 else 60 - 5 * place, "n_positives": 40 + place,
                     "recall": recall, "low": max(recall - 0.02, 0), "high": recall + 0.02,
                     "diff": diff, "diff_low": diff - 0.01, "diff_high": diff + 0.01}
                )  # fmt: skip
    return pd.DataFrame(rows)


def _low_degree() -> pd.DataFrame:
    rows = []
    for model, recall in (("micrec", 0.2), ("inmo", 0.12), ("lightgcn", 0.1), ("popularity", 0.0)):
        for domain in DOMAINS:
            diff = np.nan if model == "micrec" else recall - 0.2
            rows.append(
                {"model": model, "variant": "full", "seed": 0, "domain": domain, "n_items": 90,
                 "n_positives": 120, "recall": recall, "low": recall - 0.02, "high": recall + 0.02,
                 "diff": diff, "diff_low": diff - 0.03, "diff_high": diff + 0.03,
                 "p_holm": np.nan if model == "micrec" else 0.003 if domain == "food" else 0.2}
            )  # fmt: skip
    return pd.DataFrame(rows)


def _degree_items(rng: np.random.Generator) -> pd.DataFrame:
    rows = [
        {"domain": d, "item_id": f"{d[0]}{i}", "degree": i % 23, "bin": DEGREE_BINS[min(i % 7, 5)],
         "n_positives": int(rng.integers(0, 5)), "hits": int(rng.integers(0, 2))}
        for d in DOMAINS for i in range(N_ITEMS)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def _cutoff(rng: np.random.Generator) -> pd.DataFrame:
    rows = [
        {"model": m, "variant": "full", "domain": d, "k": k, "metric": metric,
         **_interval(b * np.log2(k + 1) + 0.002 * rng.random())}
        for m, b in (("micrec", 0.03), ("inmo", 0.02), ("lightgcn", 0.018))
        for d in DOMAINS for k in range(1, 51) for metric in ("ndcg", "recall")
    ]  # fmt: skip
    return pd.DataFrame(rows)


def _alignment() -> pd.DataFrame:
    random = {"paired_cosine": 0.0, "mrr": 0.05, "recall@10": 0.1, "uniformity": -2.0, "cka": 0.02}
    rows = [
        {"epoch": e, "a": "food", "b": "kitchen", "metric": m, "random": r,
         "value": r + 0.04 * e, "low": r + 0.04 * e - 0.02, "high": r + 0.04 * e + 0.02}
        for e in EPOCHS for m, r in random.items()
    ]  # fmt: skip
    return pd.DataFrame(rows)


def _beyond(rng: np.random.Generator) -> pd.DataFrame:
    rows = [
        {"model": m, "variant": "full", "domain": d, "coverage": rng.random(),
         "mean_popularity": 10 * rng.random(), "intra_list_similarity": rng.random()}
        for m in ("micrec", "inmo", "lightgcn", "popularity") for d in DOMAINS
    ]  # fmt: skip
    return pd.DataFrame(rows)


def _snapshot_users(rng: np.random.Generator, n: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "row": np.arange(n),
            "user_id": [f"u{i}" for i in range(n)],
            "degree_a": rng.integers(1, 40, n),
            "degree_b": rng.integers(1, 12, n),
        }
    )


def _vectors(rng: np.random.Generator, n: int, epoch: int) -> dict[str, np.ndarray]:
    a = rng.normal(size=(n, DIM))
    b = a * epoch / 12 + rng.normal(size=(n, DIM))
    return {"a": a.astype(np.float16), "b": b.astype(np.float16)}


def _layouts(rng: np.random.Generator, n: int) -> pd.DataFrame:
    parts = []
    for epoch in EPOCHS:
        base = rng.normal(size=(n, 2)) * 3
        for method in ("umap", "pca") if n < 10_000 else ("pca",):
            for place, domain in enumerate(DOMAINS):
                shift = (1 - epoch / 12) * 4 * place
                xy = base + shift + rng.normal(size=(n, 2)) * 0.4
                parts.append(
                    pd.DataFrame({"epoch": epoch, "method": method, "domain": domain,
                                  "row": np.arange(n), "x": xy[:, 0], "y": xy[:, 1]})
                )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def _weights(
    rng: np.random.Generator, modalities: Sequence[str], n_users: int = N_USERS
) -> pd.DataFrame:
    parts = []
    for entity, n in (("user", n_users), ("item", N_ITEMS)):
        for domain in DOMAINS:
            chance = rng.random((n, 2)) > 0.15
            has = chance & np.array([m in modalities for m in MODALITIES])
            raw = (rng.random((n, 2)) + [0.2, 0.0]) * has
            w = raw / np.maximum(raw.sum(axis=1, keepdims=True), 1e-9)
            share = np.column_stack([np.full(n, 0.5), 0.5 * w])
            share /= share.sum(axis=1, keepdims=True)
            first = "u" if entity == "user" else domain[0]
            columns = {"entity": entity, "domain": domain, "id": [f"{first}{i}" for i in range(n)],
                       "degree": (rng.pareto(1.0, n) * 3).astype(int)}  # fmt: skip
            for m, name in enumerate(MODALITIES):
                columns[f"w_{name}"], columns[f"share_{name}"] = w[:, m], share[:, m + 1]
                columns[f"coherence_{name}"], columns[f"has_{name}"] = rng.random(n), has[:, m]
            parts.append(pd.DataFrame({**columns, "share_id": share[:, 0]}))
    return pd.concat(parts, ignore_index=True)


def _stress(
    rng: np.random.Generator, shares: Sequence[float], modalities: Sequence[str] = ()
) -> pd.DataFrame:
    rows = [
        {"model": m, "variant": v, "seed": 0, "protocol": p, "domain": d, "cohort": "all",
         "metric": "ndcg@20", "n": 150, "share": s, **({"modality": what} if what else {}),
         **_interval(b * (1 + s) + 0.002 * rng.random())}
        for what in modalities or ("",) for p in ("known", "new-users")
        for m, v, b in (("micrec", "full", 0.1), ("micrec", "text", 0.09), ("inmo", "full", 0.08))
        for d in DOMAINS for s in shares
    ]  # fmt: skip
    return pd.DataFrame(rows)


def _epoch(epoch: int) -> dict[str, Any]:
    score = 0.1 * (1 - 0.7**epoch)
    return {
        "epoch": epoch,
        "seconds": 1.5,
        "loss": {"bpr": 0.7 / epoch, "contrast": 0.2 / epoch, "total": 0.9 / epoch},
        "valid": {d: {"ndcg@20": score, "recall@20": 2 * score} for d in DOMAINS},
        "alignment": {"paired_cosine": score * 4, "mrr": score},
    }
