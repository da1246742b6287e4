"""The library gives the numbers that it gave when they were recorded, to 1e-6 of their scale.

Held are: trainings of every model on a small stored dataset (history, metrics of every user, lists,
for some also what is served), variants and a comparison, a run that came with the app, and a run of
the last release with the serving bundles of the releases before it. All but what touches the
library's modules by name (``adapter.py``) goes through the command line and the files of runs.

A training repeats to the last bit only with the same libraries on a processor of the same kind:
elsewhere its mean metrics are compared, roughly. What a stored run is served with is no training,
and is compared with each number everywhere.

Where numbers were meant to change, ``python -m tests.golden.record NAME`` records them anew.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.golden import comparing, plan
from tests.golden.adapter import command
from tests.golden.record import bundled, comparison, validation_curve, variants
from tests.golden.recording import (
    BUNDLED,
    DATA,
    LENGTH,
    REAL_DATA,
    digest,
    environment,
    one_thread,
    read,
    served,
    train,
    trained,
    unpack,
)
from tests.golden.releases import LACKING, as_version, told

# On another machine: of a number's scale where a run is served (the classic encoder of pictures
# counts in bins, so a last bit can move a picture by 3e-4), of mean NDCG@20 where it is trained.
SERVED_ELSEWHERE, TRAINED_ELSEWHERE = 2e-3, 0.05
REAL = "MICREC_GOLDEN_REAL"
Made = Callable[[str], Path]


@pytest.fixture(scope="module", autouse=True)
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One thread, and features of tests out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch, one_thread():
        patch.setenv("MICREC_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def cache(quiet: None) -> Path:
    return Path(os.environ["MICREC_CACHE"])


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack("shop", tmp_path_factory.mktemp("golden") / "shop")


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of the last release and the tables it was trained on."""
    return unpack("last_release", tmp_path_factory.mktemp("last_release"))


@pytest.fixture(scope="module")
def at_home(quiet: None) -> bool:
    """Whether this is the kind of machine, with the libraries, that the numbers are of."""
    return json.loads((DATA / "environment.json").read_text()) == environment()


def agree(differences: list[str], what: str) -> None:
    shown = "\n  ".join(differences[:12])
    more = f"\n  and {len(differences) - 12} more" if len(differences) > 12 else ""
    assert not differences, f"{what} is not what was recorded:\n  {shown}{more}"


@pytest.fixture(scope="module")
def made(
    shop: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """One of ``TRAININGS``, trained at its first use."""
    folder = tmp_path_factory.mktemp("trained")

    def run(name: str) -> Path:
        out = folder / name
        return out if out.exists() else train(name, shop, out, cache)

    return run


@pytest.mark.parametrize("name", plan.TRAININGS)
def test_a_training_repeats(name: str, shop: Path, made: Made, at_home: bool) -> None:
    recorded, run = read(name), made(name)
    found = trained(name, run, shop)
    assert found["fingerprint"] == recorded["fingerprint"], "the stored dataset is read otherwise"
    if not at_home:
        agree(comparing.means(found, recorded, TRAINED_ELSEWHERE), f"{name}, roughly")
        return
    agree(comparing.trained(found, recorded), name)
    if name in plan.SERVED:
        given = served(run, plan.ASKED_SHOP, shop / "images")
        agree(comparing.served(given, recorded["served"]), f"{name}, served")


def test_variants_repeat(shop: Path, tmp_path: Path, cache: Path, at_home: bool) -> None:
    if not at_home:
        pytest.skip("recorded on another kind of machine, or with other libraries")
    found, recorded = (
        variants(train("micrec", shop, tmp_path / "run", cache), shop),
        read("variants"),
    )
    agree(comparing.table("variants", found["variants"], recorded["variants"]), "variants")


def test_a_comparison_repeats(shop: Path, tmp_path: Path) -> None:
    """Of models that are solved and not trained, so it does so everywhere."""
    found, recorded = comparison(shop, tmp_path / "compared"), read("comparison")
    for name, table in recorded.items():
        agree(comparing.table(name, found[name], table), f"comparison, {name}")


def test_the_generator_makes_the_same_tables(shop: Path, tmp_path: Path) -> None:
    command("sample", "--out", tmp_path / "made", *plan.SHOP, "--no-pictures")
    made = (tmp_path / "made" / "interactions.csv").read_bytes()
    assert made == (shop / "interactions.csv").read_bytes(), (
        "the sample generator gives other interactions for the same seed; the trainings of these "
        "tests are not affected, since they use stored ones"
    )


def test_the_bundled_run_says_what_it_said(shop: Path, at_home: bool) -> None:
    recorded = read("bundled")
    assert digest(BUNDLED / "serving.safetensors") == recorded["serving"], (
        "the stored run is another than the one that was recorded"
    )
    found = bundled(shop)
    allowed = comparing.EXACT if at_home else SERVED_ELSEWHERE
    agree(comparing.served(found["served"], recorded["served"], allowed), "the bundled run")
    agree(comparing.history(found["history"], recorded["history"]), "the bundled run, history")
    assert found["metrics"] == recorded["metrics"]


def test_reasons_are_worded_as_before(shop: Path) -> None:
    """Apart from the numbers: a change of words alone fails here and nowhere else."""
    recorded = read("bundled")["served"]
    found = served(BUNDLED, plan.ASKED_BUNDLED, shop / "images")
    assert _words(found) == _words(recorded)


def _words(told: dict[str, Any]) -> set[str]:
    lists = [of for domains in told["people"].values() for of in domains.values()]
    reasons = [e for of in [*lists, *told["items"].values()] for e in of["explained"].values()]
    return {row.split("|", 4)[4] for reason in reasons for row in reason["rows"]}


@pytest.mark.parametrize("name", ["known in both", "likes in food", "a text", "a picture"])
def test_the_command_line_recommends_as_before(name: str, shop: Path, at_home: bool) -> None:
    person = next(p for p in plan.ASKED_BUNDLED["people"] if p["name"] == name)
    words: list[object] = ["--user", person["id"]] if "id" in person else []
    likes = person.get("likes", {})
    words += [w for d, items in likes.items() for i in items for w in ("--like", f"{d}:{i}")]
    words += ["--text", person["text"]] if "text" in person else []
    words += ["--image", shop / "images" / person["image"]] if "image" in person else []
    recorded = read("bundled")["served"]["people"][name]["kitchen"]
    found = command(
        "recommend", BUNDLED, "--domain", "kitchen", *words, "--k", LENGTH, "--explain", "--json"
    )
    listed = {
        "items": [item["item_id"] for item in found["items"]],
        "scores": [item["score"] for item in found["items"]],
    }
    allowed = comparing.EXACT if at_home else SERVED_ELSEWHERE
    agree(comparing.ranked(name, listed, recorded, allowed), "recommend")
    assert found["kind"] == recorded["kind"]
    first = found["items"][0]
    told = recorded["explained"][first["item_id"]]
    reasons = [reason["contribution"] for reason in first["reasons"]]
    heaviest = told["contributions"][: len(reasons)]
    agree(comparing.numbers("reasons", reasons, heaviest, allowed), "recommend --explain")


@pytest.mark.parametrize("version", LACKING)
def test_runs_of_earlier_releases_open(
    version: int, release: Path, shop: Path, tmp_path: Path, at_home: bool
) -> None:
    """Served, evaluated and exported; from version 2 on also measured anew on their data."""
    recorded = read("releases")[str(version)]
    run = as_version(release / "run", version, tmp_path / f"version-{version}")
    found = told(run, release / "tables", shop / "images", "measured" in recorded, tmp_path)
    allowed = comparing.EXACT if at_home else SERVED_ELSEWHERE
    what = f"a run with a bundle of version {version}"
    agree(comparing.served(found["served"], recorded["served"], allowed), what)
    for item, vector in recorded["vectors"].items():
        # Exported with six digits.
        new = found["vectors"][item]
        agree(comparing.numbers(item, new, vector, max(allowed, 1e-5)), f"{what}, exported")
    assert found["metrics"] == recorded["metrics"]
    for protocol, domains in recorded.get("measured", {}).items():
        for domain, metrics in domains.items():
            new = found["measured"][protocol][domain]
            for metric, old in metrics.items():
                at = f"{protocol} {domain} {metric}"
                pair = ([v[k] for k in ("mean", "low", "high", "n")] for v in (new[metric], old))
                near = comparing.EXACT if at_home else TRAINED_ELSEWHERE
                agree(comparing.numbers(at, *pair, near, scale=1.0), f"{what}, measured anew")


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_validation_curve_on_real_data(tmp_path: Path, cache: Path) -> None:
    if os.environ.get(REAL) != "1":
        pytest.skip(f"takes minutes: set {REAL}=1")
    if not REAL_DATA.is_dir():
        pytest.skip(f"there is no {REAL_DATA.name} at ../shared/data; it is no part of the project")
    recorded = json.loads((DATA / "real.json").read_text())
    found = validation_curve(tmp_path / "run", cache)
    assert len(found) == len(recorded)
    for epoch, (new, old) in enumerate(zip(found, recorded, strict=True), start=1):
        assert new == pytest.approx(old, abs=5e-5), f"epoch {epoch}"
