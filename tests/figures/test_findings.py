"""The findings of the Overview page: worded by the numbers, and no further."""

import numpy as np
import pandas as pd
import pytest

from micrec_core.figures import findings
from micrec_core.figures.picking import of_pair, pick
from tests import ui_run

RNG = np.random.default_rng(0)
LABELS = ui_run.LABELS


def test_findings_are_worded_by_the_numbers():
    variants = pick(ui_run._variants(RNG), seed=0)
    good = findings.known_users(variants, LABELS, 0)
    assert good.title == "For known users, MICRec beats INMO (NDCG@20)."
    assert good.page == "ablations"
    assert "n\u00a0=\u00a0150 users" in good.lines[0]
    turned = variants.assign(
        diff=-variants["diff"], diff_low=-variants["diff_high"], diff_high=-variants["diff_low"]
    )
    assert "falls short of" in findings.known_users(turned, LABELS, 0).title
    wide = variants.assign(diff_low=-1.0, diff_high=1.0)
    assert "not clearly different" in findings.known_users(wide, LABELS, 0).title
    mixed = variants.copy()
    kitchen = mixed["domain"] == "kitchen"
    mixed.loc[kitchen, ["diff_low", "diff_high"]] = [-1.0, 1.0]
    assert "in some domains but not in all" in findings.known_users(mixed, LABELS, 0).title


def test_findings_of_empty_tables_are_none():
    names = ("variants", "summary", "degree", "alignment")
    frames = {
        "variants": ui_run._variants(RNG),
        "summary": ui_run._summary(RNG),
        "degree": ui_run._degree(RNG),
        "alignment": ui_run._alignment(),
    }
    assert len(findings.all_findings(frames, LABELS, 0)) == 6
    del frames["variants"]
    alone = findings.all_findings(frames, LABELS, 0)
    assert alone[0].title == "For known users, MICRec beats popularity (NDCG@20)."
    assert findings.all_findings({n: f[:0] for n, f in frames.items()}, LABELS, 0) == []
    assert findings.all_findings(dict.fromkeys(names), LABELS, 0) == []


def test_alignment_is_told_of_one_pair_of_domains():
    frame = ui_run._alignment()
    other = frame.assign(b="garden", value=9.0, low=9.0, high=9.0)
    both = pd.concat([frame, other], ignore_index=True)
    assert of_pair(both, "kitchen", "food").equals(frame)
    assert findings.aligned_users(both) == findings.aligned_users(frame)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["above", "above"], "MICRec beats INMO (NDCG@20)."),
        (["above", "below"], "beats INMO in some domains but not in all"),
        (["below", findings.NO_DIFFERENCE], "falls short of INMO in some domains"),
        ([findings.NO_DIFFERENCE], "not clearly different"),
    ],
)
def test_a_claim_says_no_more_than_its_verdicts(words, said):
    assert said in findings._claim("For known users", words, "INMO")


def test_content_that_makes_no_clear_difference_is_not_said_to_help():
    variants = pick(ui_run._variants(RNG), seed=0)
    unclear = variants.assign(diff_low=-1.0, diff_high=1.0)
    assert "do not clearly help" in findings.content_matters(unclear, LABELS, 0).title


def test_a_finding_links_to_its_question():
    summary = ui_run._summary(RNG)
    assert findings.cold_domain(summary, LABELS, 0).query == {"abl_protocol": "New in this domain"}
    assert findings.new_items(summary, LABELS, 0).query == {"abl_protocol": "New items"}
