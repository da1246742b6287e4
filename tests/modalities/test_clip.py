from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from micrec_core.data.types import Dataset
from micrec_core.errors import ConfigError, DataError
from micrec_core.modalities import clip as module
from micrec_core.modalities.clip import ClipEncoder
from micrec_core.modalities.dataset import encode_dataset
from micrec_core.modalities.encoders import load_encoder, make_encoder

open_clip = pytest.importorskip("open_clip", reason="open_clip_torch is not installed")

CONFIG = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP of one layer with random weights, in the two formats weights come in."""
    import torch
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("clip")
    (folder / "tiny.json").write_text(json.dumps(CONFIG))
    torch.manual_seed(0)
    weights = {k: v.contiguous() for k, v in open_clip.CLIP(**CONFIG).state_dict().items()}
    save_file(weights, folder / "w.safetensors")
    torch.save({"state_dict": weights}, folder / "w.pt")
    return folder


def spec_of(files: Path, weights: str = "w.safetensors") -> str:
    return f"clip:{files / 'tiny.json'}:{files / weights}"


@pytest.mark.parametrize("weights", ["w.safetensors", "w.pt"])
def test_equals_open_clip_itself(files: Path, weights: str) -> None:
    import torch
    from safetensors.torch import load_file

    model = open_clip.CLIP(**CONFIG).eval()
    model.load_state_dict(load_file(files / "w.safetensors"))
    text = make_encoder(spec_of(files, weights), "text")
    image = make_encoder(spec_of(files, weights), "image")
    picture = Image.new("RGB", (50, 40), "red")
    pixels = open_clip.image_transform(
        32, is_train=False, mean=open_clip.OPENAI_DATASET_MEAN, std=open_clip.OPENAI_DATASET_STD
    )(picture)
    with torch.no_grad():
        tokens = open_clip.SimpleTokenizer(context_length=16)(["green tea"])
        expected_text = model.encode_text(tokens, normalize=True).numpy()
        expected_image = model.encode_image(pixels[None], normalize=True).numpy()
    np.testing.assert_allclose(text.encode(["green tea"]).dense, expected_text, atol=1e-5)
    np.testing.assert_allclose(image.encode([picture]).dense, expected_image, atol=1e-5)
    assert text.dim == image.dim == 16


def test_missing_and_batches(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BATCH", 2)
    text = make_encoder(spec_of(files), "text")
    out = text.encode(["tea", None, "", "coffee", "rice", "tea"])
    assert out.present.tolist() == [True, False, False, True, True, True]
    np.testing.assert_allclose(out.dense[0], out.dense[5], atol=1e-5)
    assert not out.dense[1:3].any()
    image = make_encoder(spec_of(files), "image")
    colours = [None, "red", "blue", None, "lime", "red"]
    pictures = [c and Image.new("RGB", (40, 40), c) for c in colours]
    seen = image.encode(pictures)
    assert seen.present.tolist() == [c is not None for c in colours]
    np.testing.assert_allclose(seen.dense[1], seen.dense[5], atol=1e-5)
    assert image.encode([None]).dense.shape == (1, 16)
    with pytest.raises(DataError):
        image.encode([b"no picture"])


def test_text_and_image_share_one_model(files: Path) -> None:
    text = make_encoder(spec_of(files), "text")
    image = make_encoder(spec_of(files), "image")
    assert isinstance(text, ClipEncoder) and isinstance(image, ClipEncoder)
    assert text._loaded() is image._loaded()


def test_whole_dataset_and_saved_encoder(files: Path, dataset: Dataset, tmp_path: Path) -> None:
    spec = spec_of(files)
    out = encode_dataset(dataset, {"text": spec, "image": spec}, cache=tmp_path / "cache")
    again = encode_dataset(dataset, {"text": spec, "image": spec}, cache=tmp_path / "cache")
    assert out.fingerprint == again.fingerprint and out.modalities == ("text", "image")
    for modality, query in (("text", "tea"), ("image", dataset.root / "images/food0.png")):
        meta, arrays = again.encoders[modality].state()
        loaded = load_encoder(json.loads(json.dumps(meta)), arrays)
        np.testing.assert_allclose(
            loaded.encode([query]).dense, out.encoders[modality].encode([query]).dense, atol=1e-5
        )


def test_saved_encoder_without_its_weights(files: Path) -> None:
    meta, _ = make_encoder(spec_of(files), "text").state()
    gone = load_encoder({**meta, "name": str(files / "tiny.json") + ":" + "/no/w.pt"}, {})
    assert gone.dim == 16 and not gone.encode([None]).present.any()
    with pytest.raises(ConfigError, match="put them back"):
        gone.encode(["tea"])


def test_changed_weights_change_the_key(files: Path, tmp_path: Path) -> None:
    copy = tmp_path / "w.safetensors"
    data = bytearray((files / "w.safetensors").read_bytes())
    copy.write_bytes(data)
    before = make_encoder(f"clip:{files / 'tiny.json'}:{copy}", "text").content_key()
    data[-1] ^= 1
    copy.write_bytes(data)
    assert make_encoder(f"clip:{files / 'tiny.json'}:{copy}", "text").content_key() != before


def test_half_precision_is_close(files: Path) -> None:
    full = ClipEncoder(spec_of(files).removeprefix("clip:"), "text", precision="fp32")
    half = ClipEncoder(spec_of(files).removeprefix("clip:"), "text", precision="bf16")
    assert full.content_key() != half.content_key()
    a, b = full.encode(["green tea"]).dense, half.encode(["green tea"]).dense
    assert b.dtype == np.float32 and (a * b).sum() > 0.99
    with pytest.raises(ConfigError, match="no precision 'fp8'"):
        ClipEncoder("ViT-B-32:openai", "text", precision="fp8")


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("suffix", [".pt", ".bin", ".npz"])
@pytest.mark.parametrize("writer", ["torch", "pickle"])
def test_nothing_is_unpickled(files: Path, tmp_path: Path, suffix: str, writer: str) -> None:
    import torch

    sprung, path = tmp_path / "sprung", tmp_path / f"w{suffix}"
    if writer == "torch":
        torch.save({"state_dict": Trap(sprung)}, path)
    else:
        path.write_bytes(pickle.dumps({"state_dict": Trap(sprung)}))
    with pytest.raises(ConfigError, match="cannot be loaded"):
        make_encoder(f"clip:{files / 'tiny.json'}:{path}", "text").encode(["tea"])
    assert not sprung.exists()


def test_config_that_is_called_like_a_built_in_model(files: Path, tmp_path: Path) -> None:
    before = open_clip.get_model_config("ViT-B-32")
    config = tmp_path / "ViT-B-32.json"
    config.write_text(json.dumps({"model_cfg": CONFIG, "preprocess_cfg": {"mean": [0, 0, 0]}}))
    encoder = make_encoder(f"clip:{config}:{files / 'w.safetensors'}", "text")
    assert encoder.encode(["tea"]).dense.shape == (1, 16)
    assert open_clip.get_model_config("ViT-B-32") == before


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("ViT-B-32:nope", "is no weights for the CLIP model 'ViT-B-32'"),
        ("Nope:openai", "open_clip knows no model 'Nope'"),
        ("absent.json:w.pt", "not a readable JSON file"),
        ("{files}/empty.json:w.pt", "must have embed_dim"),
        ("{files}/tiny.json:absent.pt", "an existing local file"),
        ("{files}/tiny.json:{files}/tiny.json", "must be a file that ends in"),
        ("ViT-B-32:{files}/w.pt", "belongs to the model"),
        ("ViT-B-32:laion2b_s34b_b79k", "cannot be downloaded"),
        ("hf-hub:nobody/nothing", "cannot be downloaded"),
        ("local-dir:{files}/absent", "cannot be loaded"),
    ],
)
def test_what_cannot_be_loaded_is_one_sentence(
    files: Path, name: str, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_to_be_had", lambda repository, of: False)
    (files / "empty.json").write_text("{}")
    with pytest.raises(ConfigError) as error:
        make_encoder(f"clip:{name.format(files=files)}", "text").encode(["tea"])
    assert part in str(error.value) and "\n" not in str(error.value)


def test_package_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "open_clip", None)
    module._load.cache_clear()
    with pytest.raises(ConfigError, match="needs the package open_clip_torch"):
        make_encoder("clip:ViT-B-32:openai", "text").encode(["tea"])
