"""What each modality and each encoder adds: trainings over seeds, and tables with paired tests.

One training keeps NDCG@20 of every user of every question, and hits of every item of known users:

    python -m tests.benchmarks.modalities train DATA OUT SEED NAME text=minilm image=none ...

and one table a dataset says how each of them does beside another one, all seeds of both present:

    python -m tests.benchmarks.modalities table OUT NAME=BESIDE ...

A user's value is the mean over seeds; p is of the sign-flip test of users (of items, for those of
low degree), Holm-corrected over the table.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from micrec_core.evaluation.cohorts import degree_bins, item_recall
from micrec_core.evaluation.significance import holm, sign_flip_p_values
from micrec_core.names import FEWEST, LOW_BINS

SHOWN = 20
ALPHA = 0.05
Values = dict[str, np.ndarray]


def train(data: Path, out: Path, seed: int, name: str, said: Sequence[str]) -> None:
    """Train once on the ``inductive`` split and keep what was found; nothing where it is there."""
    from micrec_core.config import RunSettings, make_settings
    from micrec_core.running.fit import fit
    from micrec_core.training.prepare import encode_material, load_dataset, prepare

    begin, kept = time.process_time(), out / f"{name}-{seed}.npz"
    if kept.exists():
        return
    out.mkdir(parents=True, exist_ok=True)
    asked: dict[str, Any] = dict(word.split("=", 1) for word in said)
    settings = make_settings(
        RunSettings, {"split": "inductive", "text": "none", "image": "none", "seed": seed} | asked
    )
    dataset, split = load_dataset(data, settings)
    settings = settings.suited(split.per_user)
    material = encode_material(dataset, split, settings, "cpu", out / "cache")
    prepared = prepare(material, settings, "cpu")
    answerer = fit(prepared).answerer
    found = values(prepared, [a for q in material.questions if (a := answerer.answer(q))])
    np.savez_compressed(kept, **found)
    means = {key: float(v.mean()) for key, v in found.items() if key.count("/") == 2}
    about = {"said": list(said), "seconds": round(time.process_time() - begin), "means": means}
    (out / f"{name}-{seed}.json").write_text(json.dumps(about))


def values(prepared: Any, answers: Sequence[Any]) -> Values:
    """NDCG@20 of users by question and domain; of known users also items' positives and hits."""
    from micrec_core.evaluation.metrics import ranking_metrics

    out = {}
    for answer in answers:
        question = answer.question
        key = f"{question.protocol}/{question.scope}/{question.domain}"
        found = ranking_metrics(answer.ranked, question.positives, (SHOWN,))[f"ndcg@{SHOWN}"]
        out[key] = found.astype(np.float32)
        if question.protocol == "known":
            degree = prepared.knowledge.domains[question.place].item_degree.astype(np.int64)
            items = item_recall(answer.ranked, question.positives, degree, SHOWN)
            columns = ["item_row", "degree", "n_positives", "hits"]
            out[f"{key}/items"] = items[columns].to_numpy(np.int64)
    return out


def seeds_of(out: Path, name: str) -> list[Values]:
    """What its trainings kept, by seed."""
    return [dict(np.load(path)) for path in sorted(out.glob(f"{name}-[0-9].npz"))]


def questions(found: Values) -> list[str]:
    """Its questions by domain, those of low degree after the known users they are of."""
    out = []
    for key in found:
        if key.count("/") == 2 and len(found[key]) >= FEWEST:
            out.append(key)
            out += [f"low degree/{key}"] if key.startswith("known") else []
    return out


def measured(seeds: Sequence[Values], question: str) -> tuple[float, np.ndarray]:
    """The mean, and what is paired: of each user, or of each item of low degree its hits."""
    if not question.startswith("low degree/"):
        each = np.mean([found[question] for found in seeds], axis=0, dtype=np.float64)
        return float(each.mean()), each
    tables = [found[question.removeprefix("low degree/") + "/items"] for found in seeds]
    low = np.isin(degree_bins(tables[0][:, 1]), LOW_BINS)
    hits = np.mean([items[low, 3] for items in tables], axis=0)
    return float(hits.sum() / max(tables[0][low, 2].sum(), 1)), hits


def table(out: Path, pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Markdown: of each pair's first its means, and how much they are above the second's.

    In bold what a test tells apart.
    """
    everyone = {name: seeds_of(out, name) for pair in pairs for name in pair if name}
    asked = questions(next(iter(everyone.values()))[0])
    cells = {(name, q): measured(seeds, q) for name, seeds in everyone.items() for q in asked}
    tests = [(name, q) for name, beside in pairs if beside for q in asked]
    beside = dict(pairs)
    p = holm([
        float(sign_flip_p_values((cells[n, q][1] - cells[beside[n], q][1])[:, None], seed=1)[0])
        for n, q in tests
    ])  # fmt: skip
    apart = {test: value < ALPHA for test, value in zip(tests, p, strict=True)}
    heads = [f"{name} beside {other}" if other else name for name, other in pairs]
    lines = [f"| asked | n | {' | '.join(heads)} |", "|---" * (2 + len(pairs)) + "|"]
    for q in asked:
        row = [q.replace("/all", "").replace("/", ", "), f"{len(cells[pairs[0][0], q][1]):,}"]
        for name, other in pairs:
            mean, base = cells[name, q][0], cells[other, q][0] if other else 0.0
            gain = f" ({100 * (mean / base - 1):+.1f} %)" if base else ""
            row.append(f"**{mean:.4f}{gain}**" if apart.get((name, q)) else f"{mean:.4f}{gain}")
        lines.append("| " + " | ".join(row) + " |")
    seeds = ", ".join(f"{name} {len(found)}" for name, found in everyone.items())
    return [*lines, "", f"Seeds: {seeds}."]


def main(words: Sequence[str]) -> None:
    if words[0] == "train":
        data, out, seed, name, *said = words[1:]
        train(Path(data), Path(out), int(seed), name, said)
    else:
        pairs = [(n, b) for n, _, b in (word.partition("=") for word in words[2:])]
        sys.stdout.write("\n".join(table(Path(words[1]), pairs)) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
