"""The findings of the Overview page: each claims what its corrected test carries, no more."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from micrec_core.figures import ablations, findings, verdicts
from micrec_core.figures.picking import of_pair, pick
from micrec_core.names import ALIGNMENT, COLD, LOW_DEGREE, POOLED, SUMMARY, VARIANTS
from micrec_core.runs import open_run
from tests import claims, ui_run

LABELS = ui_run.LABELS
BUNDLED = Path(__file__).resolve().parents[2] / "assets" / "runs" / "sample"


def tables(**changed) -> dict[str, pd.DataFrame | None]:
    """Those of the made-up run; ``changed`` by the name of the table."""
    rng = np.random.default_rng(0)
    made = {
        VARIANTS: ui_run._variants(rng),
        SUMMARY: ui_run._summary(rng),
        LOW_DEGREE: ui_run._low_degree(),
        ALIGNMENT: ui_run._alignment(),
    }
    return made | {f"metrics/{name}.parquet": frame for name, frame in changed.items()}


def told(made, variant="full") -> list[findings.Finding]:
    found = findings.Findings(made, LABELS, 0, variant)
    every = [*found.every(), found.mechanisms()]
    return [finding for finding in every if finding is not None]


def walked(made) -> list[str]:
    cards = [(finding.title, list(finding.lines)) for finding in told(made)]
    return claims.walk(cards, made.get, LABELS, 0)


def claim_of(made, setting: str) -> str:
    return next(f.title for f in told(made) if f.title.startswith(setting))


def rated(**by_model) -> pd.DataFrame:
    """A question of three models; ``by_model`` gives what differs of a model's rows."""
    own = {"micrec": (0.30, np.nan, np.nan), "inmo": (0.25, -0.05, 0.01),
           "bm25": (0.20, -0.10, 0.01)} | by_model  # fmt: skip
    return pd.DataFrame(
        [
            {"model": m, "variant": "full", "seed": 0, "protocol": "known", "domain": d,
             "cohort": "all", "metric": "ndcg@20", "mean": v, "low": v - 0.1, "high": v + 0.1,
             "n": 90, "diff": diff, "diff_low": diff - 0.01, "diff_high": diff + 0.01, "p_holm": p,
             "seconds": 1.0, "n_parameters": 1.0}
            for m, (v, diff, p) in own.items() for d in LABELS
        ]
    )  # fmt: skip


def test_every_claim_of_a_made_up_run_is_carried_by_its_test():
    checked = walked(tables())
    assert {c.split()[0] for c in checked} >= {"known", "low", "alignment", "without"}
    assert len(checked) > 20


def test_every_claim_of_the_bundled_run_is_carried_by_its_test():
    run = open_run(BUNDLED)
    made = {name: run.frame(name) if run.has(name) else None for name in findings.TABLES}
    checked = walked(made)
    assert {"known all food", "new-users all kitchen", "cold-domain all food"} <= set(checked)


def test_the_walk_fails_on_a_claim_that_the_test_does_not_carry():
    made = tables()
    cards = [(finding.title, list(finding.lines)) for finding in told(made)]
    doubted = made | {VARIANTS: made[VARIANTS].assign(p_holm=0.2)}
    with pytest.raises(AssertionError):
        claims.walk(cards, doubted.get, LABELS, 0)


def test_an_interval_that_excludes_zero_is_no_claim_where_the_corrected_test_shows_nothing():
    """As the bundled run once had it: 95 % intervals without zero, p 0.256 after correction."""
    title = claim_of(tables(variants=rated(inmo=(0.25, -0.05, 0.256))), "For known users")
    assert title == "For known users, MICRec is not clearly different from INMO (NDCG@20)."


@pytest.mark.parametrize(
    ("inmo", "said"),
    [
        ((0.25, -0.05, 0.01), "MICRec beats INMO (NDCG@20)."),
        ((0.35, 0.05, 0.01), "MICRec falls short of INMO (NDCG@20)."),
        ((0.35, 0.05, 0.3), "MICRec is not clearly different from INMO (NDCG@20)."),
        ((0.19, -0.11, 0.01), "MICRec beats BM25 (NDCG@20)."),
    ],
)
def test_a_claim_names_the_strongest_and_says_what_the_test_carries(inmo, said):
    assert claim_of(tables(variants=rated(inmo=inmo)), "For known users").endswith(said)


def test_domains_that_differ_are_told_apart():
    rows = rated()
    there = rows["domain"] == "kitchen"
    rows.loc[there & (rows["model"] == "inmo"), "p_holm"] = 0.5
    said = claim_of(tables(variants=rows), "For known users")
    assert said == (
        "For known users, MICRec beats INMO in Food and is not clearly different from INMO in "
        "Kitchen (NDCG@20)."
    )
    assert walked(tables(variants=rows))


def test_popularity_alone_is_no_claim():
    alone = rated()[lambda f: f["model"] != "bm25"].replace("inmo", "popularity")
    assert claim_of(tables(variants=alone), "For known users").endswith("no claim.")
    summary = pick(ui_run._summary(np.random.default_rng(0)), model=["micrec", "popularity"])
    untested = tables(variants=None, summary=summary)
    assert claim_of(untested, "For known users").endswith("no claim.")


def test_what_was_not_tested_is_not_claimed():
    said = claim_of(tables(), "For users it never saw in a domain")
    assert "was not tested against Ridge map" in said


def test_new_items_are_set_beside_what_ranks_them():
    """INMO and popularity give every new item one score: they are nothing to be compared with."""
    rows = rated(popularity=(0.1, -0.2, 0.001), inmo=(0.1, -0.2, 0.001))
    rows = rows[rows["model"] != "bm25"].assign(protocol="new-items")
    among_all = rows.assign(cohort="full list", mean=rows["mean"] / 2, diff=rows["diff"] / 2)
    both = tables(variants=pd.concat([rows, among_all]))
    found = next(f for f in told(both) if f.title.startswith("For items without"))
    assert found.title.endswith("no other model that ranks them was measured: no claim.")
    assert any("among all items: 0.150" in line for line in found.lines)
    profile = rows[rows["model"] == "inmo"].assign(
        model="content-profile", mean=0.28, diff=-0.02, p_holm=0.4
    )
    against = profile.assign(cohort="full list", mean=0.2, diff=0.05, p_holm=0.001)
    both = tables(variants=pd.concat([rows, among_all, profile, against]))
    said = claim_of(both, "For items without")
    assert said == (
        "For items without any interaction, ranked among new items, MICRec is not clearly "
        "different from Content profile (NDCG@20). Ranked among all items, MICRec falls short of "
        "Content profile (NDCG@20)."
    )
    assert "new-items full list food" in walked(both)


def test_who_cannot_rank_new_items_of_one_domain_may_rank_those_of_another():
    """Where a domain has no texts, a content profile gives its items one score, as popularity."""
    rows = rated(popularity=(0.1, -0.2, 0.001)).replace("bm25", "content-profile")
    rows = rows[rows["model"] != "inmo"].assign(protocol="new-items")
    profile = rows["model"] == "content-profile"
    silent = profile & (rows["domain"] == "kitchen")
    rows.loc[silent, ["mean", "diff"]] = 0.1, -0.2
    rows.loc[profile & ~silent, ["mean", "diff", "diff_low", "diff_high"]] = 0.35, 0.05, 0.02, 0.08
    said = claim_of(tables(variants=rows), "For items without")
    assert said.endswith("among new items, MICRec falls short of Content profile (NDCG@20).")


def test_too_few_users_are_no_figure():
    rows = rated()
    few = rows.assign(protocol="new-users", n=np.where(rows["domain"] == "food", 90, 12))
    found = next(f for f in told(tables(variants=few)) if f.title.startswith("For new users"))
    assert "Kitchen: 12 users, fewer than 20: no figure" in found.lines
    assert len(found.lines) == 3 and "Kitchen" not in found.title
    none = next(
        f for f in told(tables(variants=few.assign(n=2))) if f.title.startswith("For new users")
    )
    assert none.title == "For new users, fewer than 20 were asked: no claim."


def test_a_baseline_that_was_asked_of_some_users_says_of_how_many():
    rows = rated()
    rows.loc[rows["model"] == "micrec", "n"] = 12_345
    found = told(tables(variants=rows))[0]
    assert "n\u00a0=\u00a090 of 12,345 users" in found.lines[0]
    assert "asked of 90 drawn at random" in ablations.seeds_said(rows)
    assert "drawn" not in ablations.seeds_said(rated())


def test_a_mean_over_seeds_is_said_to_be_one():
    one = told(tables(variants=rated()))[0]
    assert one.lines[-1] == "One training (seed 0)." and len(one.lines) == 3
    seeds = pd.concat([rated().assign(seed=s) for s in (0, 1, POOLED)])
    several = told(tables(variants=seeds))[0]
    assert several.lines[-1] == "Mean over 2 seeds."


def test_a_model_with_one_training_stands_beside_means_and_says_so():
    seeds = pd.concat([rated().assign(seed=s, protocol="cold-domain") for s in (0, 1, POOLED)])
    ridge = rated(inmo=(0.29, -0.02, 0.6))[lambda f: f["model"] == "inmo"]
    ridge = ridge.assign(model="ridge", protocol="cold-domain")
    found = next(f for f in told(tables(variants=seeds, cold_domain=ridge))
                 if f.title.startswith("For users it never"))  # fmt: skip
    assert "Ridge map" in found.title
    assert "0.310 against 0.290 of Ridge map" in found.lines[0]
    assert found.lines[-1] == "One training (seed 0)."
    # Where the domains' strongest are of other trainings, each line says its own.
    ridge = ridge[ridge["domain"] == "food"]
    found = next(f for f in told(tables(variants=seeds, cold_domain=ridge))
                 if f.title.startswith("For users it never"))  # fmt: skip
    assert found.lines[0].endswith("users, one training (seed 0)")
    assert found.lines[1].endswith("users, mean over 2 seeds")


def test_losing_one_modality_for_more_than_all_is_explained():
    rows = rated(inmo=(0.29, -0.01, 0.4))
    without = rows[rows["model"] == "inmo"].assign(model="micrec")
    both = pd.concat(
        [rows, without.assign(variant="modality"),
         without.assign(variant="text", mean=0.26, diff=-0.04, p_holm=0.01)]
    )  # fmt: skip
    found = next(f for f in told(tables(variants=both)) if f.link.endswith("without them"))
    assert found.title == (
        "Of known users, MICRec loses accuracy without text; there is no clear difference without "
        "text and image."
    )
    assert "losses do not add up" in found.lines[-1]


def test_findings_of_empty_tables_are_none():
    assert told({name: frame[:0] for name, frame in tables().items()}) == []
    assert told(dict.fromkeys([VARIANTS, COLD, SUMMARY, LOW_DEGREE, ALIGNMENT])) == []


def test_a_run_of_a_variant_claims_by_its_own_name_only():
    rows = rated()
    rows.loc[rows["model"] == "micrec", "variant"] = "text"
    assert told(tables(variants=rows, summary=None, low_degree=None, alignment=None)) == []
    found = told(tables(variants=rows, summary=None), variant="text")
    assert found[0].title.startswith("For known users, MICRec without text beats INMO")


def test_alignment_is_told_of_one_pair_of_domains():
    frame = ui_run._alignment()
    other = frame.assign(b="garden", value=9.0, low=9.0, high=9.0)
    both = pd.concat([frame, other], ignore_index=True)
    assert of_pair(both, "kitchen", "food").equals(frame)
    said = [[f for f in told(tables(alignment=a)) if f.page == "alignment"] for a in (both, frame)]
    assert said[0] == said[1] != []
    three = findings.Findings(tables(alignment=both), LABELS | {"garden": "Garden"}, 0)
    found = three.aligned_users()
    assert found is not None and found.lines[0].startswith("Food and Kitchen: Cosine")


def test_a_finding_links_to_its_question():
    found = {f.title.split(",")[0]: f.query for f in told(tables())}
    assert found["For users it never saw in a domain"] == {"abl_protocol": "New in this domain"}
    assert found["For new users"] == {"abl_protocol": "New users"}


@pytest.mark.parametrize(
    ("gain", "p", "said"),
    [(0.1, 0.04, "better"), (-0.1, 0.04, "worse"), (0.1, 0.05, "open"), (0.0, 0.001, "open"),
     (np.nan, 0.01, "untested"), (0.1, np.nan, "untested")],
)  # fmt: skip
def test_verdicts(gain, p, said):
    assert verdicts.verdict(gain, p) == said
