from __future__ import annotations

import json
import time

import numpy as np
import pytest

from micrec_core.errors import DataError
from micrec_core.features import l2_normalise
from micrec_core.modalities.classic_text import STOP_WORDS, ClassicText, _weigh, terms, tokens
from micrec_core.modalities.encoders import load_encoder

TEXTS = [
    "green tea leaves",
    "black tea bags",
    "coffee beans, dark roast",
    "ground coffee",
    "green tea with mint",
    "mint leaves",
]


def reload(encoder: ClassicText) -> ClassicText:
    meta, arrays = encoder.state()
    again = load_encoder(json.loads(json.dumps(meta)), arrays)
    assert isinstance(again, ClassicText)
    return again


def big_corpus(n: int = 3000) -> list[str]:
    rng = np.random.default_rng(3)
    words = [f"word{k}" for k in range(900)]
    share = 1.0 / np.arange(1, 901)
    return [" ".join(rng.choice(words, 8, p=share / share.sum())) for _ in range(n)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Cup of Tea", ["cup", "tea"]),
        ("Crème Brûlée", ["creme", "brulee"]),
        ("K-Cup, 12.8 Ounce (Pack of 6)", ["k", "cup", "12.8", "ounce", "pack", "6"]),
        ("Sugar without &quot;sugar&quot;", ["sugar", "without", "sugar"]),
        ("L'eau and Newman’s", ["l'eau", "newman's"]),
        ("緑茶", ["緑", "茶"]),
        ("snake_case 50%", ["snake", "case", "50"]),
        ("...", []),
        ("", []),
    ],
)
def test_tokens(text: str, expected: list[str]) -> None:
    assert tokens(text) == expected


def test_stop_words_spare_what_names_products() -> None:
    assert not STOP_WORDS & {"no", "not", "without", "top", "thin", "fire", "computer", "back"}


def test_terms_are_words_and_pairs() -> None:
    assert terms("green tea pot") == ["green", "tea", "pot", "green tea", "tea pot"]


def test_rows_equal_the_formula() -> None:
    encoder = ClassicText()
    encoder.fit(TEXTS)
    row = encoder.encode(["tea tea nothing mint"]).sparse
    assert row is not None
    n, found = len(TEXTS), {}
    for term, count in (("tea", 2), ("mint", 1)):
        n_with = sum(term in terms(text) for text in TEXTS)
        found[term] = (1 + np.log(count)) * (1 + np.log((1 + n) / (1 + n_with)))
    length = np.sqrt(sum(v**2 for v in found.values()))
    got = {encoder.vocabulary[c]: v for c, v in zip(row.indices, row.data, strict=True)}
    assert got == pytest.approx({t: v / length for t, v in found.items()}, rel=1e-6)


def test_pair_counts_half() -> None:
    encoder = ClassicText()
    encoder.fit(["green tea", "black coffee"])
    row = encoder.encode(["green tea"]).sparse
    assert row is not None
    got = {encoder.vocabulary[c]: v for c, v in zip(row.indices, row.data, strict=True)}
    assert got["green tea"] == pytest.approx(got["green"] / 2)


def test_similar_texts_are_near_and_unknown_ones_missing() -> None:
    encoder = ClassicText()
    encoder.fit(TEXTS)
    out = encoder.encode(["green tea", None, "", "zzz qqq", "coffee"])
    assert out.present.tolist() == [True, False, False, False, True]
    assert not out.dense[~out.present].any()
    np.testing.assert_allclose(np.linalg.norm(out.dense[out.present], axis=1), 1, atol=1e-6)
    catalogue = encoder.encode(TEXTS)
    for space in ("sparse", "dense"):
        similar = getattr(out, space)[[0, 4]] @ getattr(catalogue, space).T
        similar = similar.toarray() if space == "sparse" else similar
        assert set(np.argsort(-similar[0])[:2]) == {0, 4}
        assert set(np.argsort(-similar[1])[:2]) == {2, 3}


@pytest.mark.parametrize("texts", [TEXTS, big_corpus()])
def test_reloaded_encoder_agrees_bit_for_bit(texts: list[str]) -> None:
    encoder = ClassicText(max_dim=32)
    encoder.fit(texts)
    queries = [*texts[:20], None, "green tea word7"]
    first, second = encoder.encode(queries), reload(encoder).encode(queries)
    assert first.dense.tobytes() == second.dense.tobytes()
    assert first.sparse is not None and second.sparse is not None
    assert (first.sparse != second.sparse).nnz == 0
    assert encoder.state()[1]["components"].dtype.kind == "f"


def test_refit_agrees_and_dim_is_bounded() -> None:
    texts = big_corpus()
    first, second = ClassicText(max_dim=32), ClassicText(max_dim=32)
    first.fit(texts)
    second.fit(texts)
    assert first.dim == 32
    np.testing.assert_array_equal(first.encode(texts).dense, second.encode(texts).dense)
    assert min(np.diff(first.encode(texts).sparse.indptr)) > 0  # type: ignore[union-attr]
    assert "word0" in first.vocabulary


def test_rare_words_are_dropped_in_a_large_catalogue_only() -> None:
    large = ClassicText()
    large.fit([*big_corpus(300), "solo"])
    assert "solo" not in large.vocabulary
    small = ClassicText()
    small.fit(["solo", "duet"])
    assert "solo" in small.vocabulary


@pytest.mark.parametrize("texts", [[], ["..."], ["the of and"], [None, ""]])
def test_nothing_to_learn_from_is_no_crash(texts: list[str | None]) -> None:
    encoder = ClassicText()
    encoder.fit(texts)
    out = reload(encoder).encode(["tea", None])
    assert out.dense.shape == (2, 1) and not out.present.any()
    assert out.sparse is not None and out.sparse.shape == (2, 0)


def test_one_text() -> None:
    encoder = ClassicText()
    encoder.fit(["tea"])
    out = encoder.encode(["tea"])
    assert out.present.all() and abs(out.dense[0, 0]) == 1


def test_query_takes_less_than_two_milliseconds() -> None:
    encoder = ClassicText()
    encoder.fit(big_corpus(6000))
    encoder.encode(["word1"])
    seconds = []
    for _ in range(30):
        start = time.thread_time()
        encoder.encode(["word1 word5 word700 organic green tea"])
        seconds.append(time.thread_time() - start)
    assert np.median(seconds) < 2e-3


def test_damaged_state_is_refused() -> None:
    encoder = ClassicText()
    encoder.fit(TEXTS)
    meta, arrays = encoder.state()
    with pytest.raises(DataError, match="encode the dataset again"):
        ClassicText.from_state({**meta, "vocabulary": ["tea"]}, arrays)


def test_normalising_extremes() -> None:
    rows = np.array([[3e30, 4e30], [0, 0], [3e-8, 4e-8]], dtype=np.float32)
    np.testing.assert_allclose(l2_normalise(rows), [[0.6, 0.8], [0, 0], [0.6, 0.8]], rtol=1e-5)


def test_sparse_normalising_keeps_empty_rows() -> None:
    from scipy import sparse

    counts = sparse.csr_matrix(np.array([[0, 0], [1, 1], [0, 0], [0, 1], [0, 0]], np.float32))
    out = _weigh(counts, np.array([3, 4], np.float32)).toarray()
    np.testing.assert_allclose(out, [[0, 0], [0.6, 0.8], [0, 0], [0, 1], [0, 0]], rtol=1e-6)
    nothing = sparse.csr_matrix((0, 3), dtype=np.float32)
    assert _weigh(nothing, np.ones(3, np.float32)).shape == (0, 3)
