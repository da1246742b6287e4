from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from micrec_core.data.types import Dataset
from micrec_core.errors import ConfigError, DataError
from micrec_core.features import FeatureMatrix, centre, l2_normalise
from micrec_core.modalities import dataset as module
from micrec_core.modalities.base import Encoder, OnUnreadable, State
from micrec_core.modalities.classic_text import ClassicText
from micrec_core.modalities.dataset import DatasetFeatures, encode_dataset
from micrec_core.modalities.encoders import load_encoder, make_encoder
from micrec_core.modalities.image import item_images
from micrec_core.modalities.text import item_texts

from .conftest import FOOD, strings


def with_domain(dataset: Dataset, number: int, **changes: Any) -> Dataset:
    domains = list(dataset.domains)
    domains[number] = replace(domains[number], **changes)
    return replace(dataset, domains=tuple(domains))


def same(a: DatasetFeatures, b: DatasetFeatures) -> bool:
    return a.fingerprint == b.fingerprint and a.unreadable == b.unreadable


def test_shapes_and_what_is_missing(dataset: Dataset) -> None:
    out = encode_dataset(dataset)
    assert out.modalities == ("text", "image")
    assert out.unreadable == ()
    for modality, matrices in out.matrices.items():
        assert [len(m) for m in matrices] == [6, 4]
        assert len({m.dim for m in matrices}) == 1
        assert out.means[modality].shape == (2, matrices[0].dim)
        assert out.means[modality].dtype == np.float32
        for matrix in matrices:
            assert matrix.dense.dtype == np.float32
            lengths = np.linalg.norm(matrix.dense, axis=1)
            np.testing.assert_allclose(lengths[matrix.present], 1, atol=1e-5)
            assert not matrix.dense[~matrix.present].any()
    assert out.matrices["image"][0].present.tolist() == [True] * 5 + [False]
    assert out.matrices["text"][0].sparse is not None and out.matrices["image"][0].sparse is None


def test_text_is_title_and_description(dataset: Dataset) -> None:
    texts = item_texts(dataset)
    assert texts[0] == "green tea leaves\nLoose leaves for a green tea."
    assert texts[4] == "rice noodles"
    bare = with_domain(dataset, 0, titles=strings([""] * 6))
    assert item_texts(bare)[4] is None
    assert item_images(dataset)[5] is None


def test_what_centring_leaves_of_equal_rows_is_nothing() -> None:
    rows = l2_normalise(np.random.default_rng(0).normal(size=(1, 30)).astype(np.float32))
    equal = FeatureMatrix.of_rows(7, 30, np.arange(7), np.repeat(rows, 7, axis=0))
    assert not centre(equal, equal.dense.mean(axis=0)).dense.any()


def test_dense_is_centred_on_the_domain(dataset: Dataset) -> None:
    out = encode_dataset(dataset)
    for modality, inputs in (("text", item_texts(dataset)), ("image", item_images(dataset))):
        raw = out.encoders[modality].encode(inputs)
        for d, rows in enumerate((slice(0, 6), slice(6, 10))):
            dense, present = raw.dense[rows], raw.present[rows]
            mean = dense[present].mean(axis=0)
            np.testing.assert_allclose(out.means[modality][d], mean, atol=1e-6)
            expected = l2_normalise(np.where(present[:, None], dense - mean, 0))
            np.testing.assert_allclose(out.matrices[modality][d].dense, expected, atol=1e-5)


def test_query_of_an_items_own_text_is_the_item(dataset: Dataset) -> None:
    out = encode_dataset(dataset)
    meta, arrays = out.encoders["text"].state()
    encoder = load_encoder(meta, arrays)
    query = centre(encoder.encode([item_texts(dataset)[7]]), out.means["text"][1])
    np.testing.assert_allclose(query.dense[0], out.matrices["text"][1].dense[1], atol=1e-6)


def test_withheld_items_leave_no_trace(dataset: Dataset) -> None:
    fit = [np.array([1, 1, 1, 1, 1, 0], bool), np.array([1, 1, 0, 1], bool)]
    before = encode_dataset(dataset, fit_items=fit)
    titles = dataset.domains[0].titles.copy()
    titles[5] = "quite other words entirely"
    changed = with_domain(dataset, 0, titles=titles)
    after = encode_dataset(changed, fit_items=fit)
    assert before.encoders["text"].state()[0] == after.encoders["text"].state()[0]
    np.testing.assert_array_equal(before.means["text"], after.means["text"])
    for a, b in zip(before.matrices["text"], after.matrices["text"], strict=True):
        np.testing.assert_array_equal(a.dense[:-1], b.dense[:-1])
    np.testing.assert_array_equal(
        before.matrices["image"][0].dense, after.matrices["image"][0].dense
    )
    assert not same(before, encode_dataset(dataset))


def test_mean_ignores_withheld_and_missing_items(dataset: Dataset) -> None:
    fit = [np.array([1, 1, 0, 0, 1, 1], bool), np.ones(4, bool)]
    out = encode_dataset(dataset, fit_items=fit)
    raw = out.encoders["image"].encode(item_images(dataset)[:6])
    np.testing.assert_allclose(out.means["image"][0], raw.dense[[0, 1, 4]].mean(axis=0), atol=1e-6)


def test_item_without_a_known_word_counts_as_missing(make_dataset: Callable[..., Dataset]) -> None:
    out = encode_dataset(make_dataset(food=[*FOOD[:5], ("...", "")]))
    assert out.matrices["text"][0].present.tolist() == [True] * 5 + [False]


def test_modalities_that_nobody_has_are_left_out(dataset: Dataset) -> None:
    bare = dataset
    for d, n in enumerate((6, 4)):
        bare = with_domain(bare, d, images=strings([""] * n))
    out = encode_dataset(bare)
    assert out.modalities == ("text",) == tuple(out.matrices) == tuple(out.encoders)
    assert encode_dataset(dataset, {"text": "none"}).modalities == ("image",)
    nothing = encode_dataset(bare, {"text": "none"})
    assert nothing.modalities == () and nothing.fingerprint
    only_withheld = [np.zeros(6, bool), np.zeros(4, bool)]
    assert encode_dataset(dataset, fit_items=only_withheld).modalities == ()


def test_domain_without_a_modality(dataset: Dataset) -> None:
    out = encode_dataset(with_domain(dataset, 1, images=strings([""] * 4)))
    matrix = out.matrices["image"][1]
    assert not matrix.present.any() and not matrix.dense.any()
    assert not out.means["image"][1].any()


def test_unreadable_pictures_are_named_and_missing(
    make_dataset: Callable[..., Dataset], caplog: pytest.LogCaptureFixture
) -> None:
    dataset = make_dataset("images/broken.png")
    (dataset.root / "images/broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    (dataset.root / "images/kitchen0.png").unlink()
    with caplog.at_level(logging.WARNING):
        out = encode_dataset(dataset)
    assert out.unreadable == ("images/broken.png", "images/kitchen0.png")
    assert "broken.png" in caplog.text
    assert not out.matrices["image"][0].present[5] and not out.matrices["image"][1].present[0]


@pytest.mark.parametrize("way", ["up", "link", "absolute"])
def test_pictures_outside_the_folder_are_never_opened(
    make_dataset: Callable[..., Dataset], tmp_path: Path, way: str
) -> None:
    secret = tmp_path / "secret.png"
    dataset = make_dataset({"up": "../secret.png", "link": "in.png", "absolute": str(secret)}[way])
    secret.write_bytes((dataset.root / "images/food0.png").read_bytes())
    if way == "link":
        (dataset.root / "in.png").symlink_to(secret)
    out = encode_dataset(dataset)
    assert len(out.unreadable) == 1 and not out.matrices["image"][0].present[5]


def test_all_pictures_unreadable(dataset: Dataset) -> None:
    for path in (dataset.root / "images").iterdir():
        path.write_bytes(b"x")
    out = encode_dataset(dataset)
    assert out.modalities == ("text",) and len(out.unreadable) == 8


def test_same_content_same_fingerprint(dataset: Dataset) -> None:
    first = encode_dataset(dataset)
    assert same(first, encode_dataset(dataset)) and len(first.fingerprint) == 64
    titles = dataset.domains[1].titles.copy()
    titles[0] = "another tea pot"
    assert not same(first, encode_dataset(with_domain(dataset, 1, titles=titles)))


@pytest.mark.parametrize(
    "masks",
    [
        [np.ones(6, bool)],
        [np.ones(5, bool), np.ones(4, bool)],
        [np.arange(6), np.arange(4)],
    ],
)
def test_masks_that_do_not_fit(dataset: Dataset, masks: list[np.ndarray]) -> None:
    with pytest.raises(ConfigError, match="fit_items"):
        encode_dataset(dataset, fit_items=masks)


class Broken(ClassicText):
    """Gives NaN for one item."""

    def encode(
        self, inputs: Sequence[str | None], *, on_unreadable: OnUnreadable | None = None
    ) -> FeatureMatrix:
        out = super().encode(inputs, on_unreadable=on_unreadable)
        out.dense[7, 0] = np.nan
        return out


def test_features_that_are_not_finite_are_refused(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "make_encoder", lambda spec, modality, device: Broken())
    with pytest.raises(DataError, match="text features of item 'k1' of domain 'kitchen'"):
        encode_dataset(dataset, {"image": "none"})


# --- cache -------------------------------------------------------------------------------------


class Counting(Encoder):
    """A pretrained stand-in that counts how often it encodes."""

    kind = "counting"
    calls = 0
    content = "weights 1"

    def __init__(self, modality: str) -> None:
        self.modality = modality
        self.spec = "counting"

    @property
    def label(self) -> str:
        return "counting"

    @property
    def dim(self) -> int:
        return 3

    def encode(
        self, inputs: Sequence[Any], *, on_unreadable: OnUnreadable | None = None
    ) -> FeatureMatrix:
        type(self).calls += 1
        present = np.array([x is not None for x in inputs])
        size = np.array([len(str(x)) for x in inputs], dtype=np.float32)
        dense = np.stack([size, size % 7 + 1, np.ones_like(size)], axis=1) * present[:, None]
        return FeatureMatrix(l2_normalise(dense), None, present)

    def content_key(self) -> str:
        return self.content

    def state(self) -> State:
        return {"kind": self.kind, "modality": self.modality}, {}

    @classmethod
    def from_state(
        cls, meta: Mapping[str, Any], arrays: Mapping[str, Any], *, device: str = "cpu"
    ) -> Counting:
        return cls(str(meta["modality"]))


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> type[Counting]:
    monkeypatch.setattr(Counting, "calls", 0)
    monkeypatch.setattr(Counting, "content", "weights 1")
    monkeypatch.setattr(Counting, "version", 1)
    monkeypatch.setattr(module, "make_encoder", lambda spec, modality, device: Counting(modality))
    load = Counting.from_state
    monkeypatch.setattr(module, "load_encoder", lambda meta, arrays, device: load(meta, arrays))
    return Counting


def test_cached_features_are_the_same(dataset: Dataset, tmp_path: Path) -> None:
    plain = encode_dataset(dataset)
    folder = tmp_path / "cache"
    for _ in range(2):
        assert same(plain, encode_dataset(dataset, cache=folder))
    assert len(list(folder.iterdir())) == 2
    again = encode_dataset(dataset, cache=folder)
    assert isinstance(again.encoders["text"], ClassicText)
    np.testing.assert_array_equal(
        again.encoders["text"].encode(["green tea"]).dense,
        plain.encoders["text"].encode(["green tea"]).dense,
    )


def test_cache_is_used_and_follows_content(
    dataset: Dataset, tmp_path: Path, counting: type[Counting]
) -> None:
    def encode(what: Dataset = dataset, **options: Any) -> int:
        before = counting.calls
        encode_dataset(what, cache=tmp_path / "cache", **options)
        return counting.calls - before

    assert encode() == 2  # text and image
    assert encode() == 0
    # A pretrained encoder does not depend on what is withheld; the means are made afresh.
    assert encode(fit_items=[np.arange(6) < 4, np.ones(4, bool)]) == 0
    titles = dataset.domains[0].titles.copy()
    titles[0] = "matcha"
    assert encode(with_domain(dataset, 0, titles=titles)) == 1
    # Text that moves from one item to the next is other text.
    moved = dataset.domains[0].titles.copy()
    moved[2], moved[3] = moved[2] + moved[3], ""
    assert encode(with_domain(dataset, 0, titles=moved)) == 1
    picture = dataset.root / "images/food0.png"
    old = picture.read_bytes()
    picture.write_bytes((dataset.root / "images/food1.png").read_bytes())
    assert encode() == 1  # same name, other bytes
    picture.write_bytes(old)
    assert encode() == 0
    counting.version = 2
    assert encode() == 2
    counting.content = "weights 2"
    assert encode() == 2


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty", "text", "other"])
def test_damaged_entry_is_made_again(dataset: Dataset, tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "cache"
    plain = encode_dataset(dataset, cache=folder)
    first, second = sorted(folder.iterdir())
    for path in (first, second):
        data = bytearray(path.read_bytes())
        if damage == "truncate":
            data = data[: len(data) // 2]
        elif damage == "flip":
            data[len(data) // 2] ^= 0xFF
        elif damage == "empty":
            data.clear()
        elif damage == "text":
            data[:] = b"not a cache entry"
        path.write_bytes(data)
    if damage == "other":  # an entry under the key of another one
        first.write_bytes(second.read_bytes())
    assert same(plain, encode_dataset(dataset, cache=folder))
    with np.load(first, allow_pickle=False) as entry:
        assert "dense" in entry.files


def test_pickled_entry_is_not_opened(dataset: Dataset, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    plain = encode_dataset(dataset, cache=folder)
    for path in folder.iterdir():
        with path.open("wb") as file:
            np.savez(file, dense=np.array([{"an": "object"}], dtype=object))
    assert same(plain, encode_dataset(dataset, cache=folder))


def test_unreadable_pictures_are_remembered(
    make_dataset: Callable[..., Dataset], tmp_path: Path
) -> None:
    dataset = make_dataset("images/broken.png")
    (dataset.root / "images/broken.png").write_bytes(b"broken")
    for _ in range(2):
        out = encode_dataset(dataset, cache=tmp_path / "cache")
        assert out.unreadable == ("images/broken.png",)
    assert not any(path.suffix == ".tmp" for path in (tmp_path / "cache").iterdir())


# --- specs -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "modality", "part"),
    [
        ("clasic", "text", "there are: classic, sentence:NAME_OR_DIR"),
        ("sentence:x", "image", "there is no image encoder"),
        ("classic", "sound", "no modality 'sound'"),
        ("classic:x", "text", "must be written classic"),
        ("sentence", "text", "must be written sentence:NAME_OR_DIR"),
        ("precomputed:", "image", "must be written precomputed:PATH"),
        ("clip:ViT-B-32", "image", "must name its weights"),
        ("", "text", "there is no text encoder ''"),
    ],
)
def test_unknown_specs(spec: str, modality: str, part: str) -> None:
    with pytest.raises(ConfigError) as error:
        make_encoder(spec, modality)
    assert part in str(error.value)


def test_specs_and_labels() -> None:
    for spec in ("classic", "sentence:some/model", "clip:ViT-B-32:openai", "precomputed:x.npy"):
        encoder = make_encoder(spec, "text")
        assert encoder.spec == spec and encoder.modality == "text" and encoder.label
    assert make_encoder("clip:ViT-B-32:/a/b/w.pt", "image").label == "CLIP ViT-B-32 w.pt"


@pytest.mark.parametrize("fault", ["write", "folder"])
def test_a_cache_that_cannot_be_written_costs_the_cache_alone(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog, fault: str
) -> None:
    plain = encode_dataset(dataset)
    folder = tmp_path / "cache"
    if fault == "folder":
        folder.write_text("a file, and no folder")
    else:

        def full(*_: object, **__: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(np, "savez", full)
    assert same(plain, encode_dataset(dataset, cache=folder))
    said = [record.getMessage() for record in caplog.records if "cannot be kept" in record.message]
    assert said and all(str(folder) in sentence for sentence in said)
    assert fault == "folder" or not list(folder.iterdir())


def test_what_a_killed_writer_left_in_the_cache_goes(dataset: Dataset, tmp_path: Path) -> None:
    old, young = tmp_path / ".old.tmp", tmp_path / ".young.tmp"
    for file in (old, young):
        file.write_bytes(b"half")
    os.utime(old, (0, 0))
    encode_dataset(dataset, cache=tmp_path)
    assert young.exists() and not old.exists()
