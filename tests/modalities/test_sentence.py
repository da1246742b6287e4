from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from micrec_core.data.types import Dataset
from micrec_core.errors import ConfigError
from micrec_core.modalities import sentence as module
from micrec_core.modalities.dataset import encode_dataset
from micrec_core.modalities.encoders import load_encoder, make_encoder
from micrec_core.modalities.sentence import SentenceEncoder

pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = [*SPECIAL, "green", "black", "tea", "coffee", "rice", "noodles", "bowl", "pot", "a", "for"]


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of one layer with random weights, saved as any sentence model is."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("sentence")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
    )
    BertModel(config).save_pretrained(folder / "bert")
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder / "bert")
    bert = Transformer(str(folder / "bert"), max_seq_length=24)
    SentenceTransformer(modules=[bert, Pooling(16)]).save(str(folder / "model"))
    return folder / "model"


def test_encodes_and_masks(model_dir: Path) -> None:
    encoder = make_encoder(f"sentence:{model_dir}", "text")
    out = encoder.encode(["green tea", None, " ", "coffee", "green tea"])
    assert out.dense.shape == (5, 16) == (5, encoder.dim) and out.sparse is None
    assert out.present.tolist() == [True, False, False, True, True]
    assert not out.dense[1:3].any()
    np.testing.assert_allclose(np.linalg.norm(out.dense[out.present], axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(out.dense[0], out.dense[4], atol=1e-6)
    assert not np.allclose(out.dense[0], out.dense[3])
    assert encoder.label == "sentence encoder model"


def test_whole_dataset_and_saved_encoder(model_dir: Path, dataset: Dataset, tmp_path: Path) -> None:
    out = encode_dataset(dataset, {"text": f"sentence:{model_dir}"}, cache=tmp_path / "cache")
    assert out.matrices["text"][0].dim == 16
    meta, arrays = out.encoders["text"].state()
    assert arrays == {}
    again = load_encoder(json.loads(json.dumps(meta)), arrays)
    texts = ["a pot for tea"]
    np.testing.assert_allclose(
        again.encode(texts).dense, out.encoders["text"].encode(texts).dense, atol=1e-6
    )


def test_cached_features_need_no_model(
    model_dir: Path, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, cache = f"sentence:{model_dir}", tmp_path / "cache"
    first = encode_dataset(dataset, {"text": spec, "image": "none"}, cache=cache)

    def refuse(name: str, device: str) -> None:
        raise AssertionError("the model was loaded")

    monkeypatch.setattr(module, "_open_model", refuse)
    assert encode_dataset(dataset, {"text": spec, "image": "none"}, cache=cache).fingerprint == (
        first.fingerprint
    )


def test_saved_encoder_without_its_model(model_dir: Path, tmp_path: Path) -> None:
    meta, _ = make_encoder(f"sentence:{model_dir}", "text").state()
    gone = load_encoder({**meta, "name": str(tmp_path / "gone")}, {})
    # What the catalogue needs still works; only a query does not.
    assert gone.dim == 16 and gone.state()[0]["dim"] == 16
    assert not gone.encode([None]).present.any()
    with pytest.raises(ConfigError, match="there is no directory"):
        gone.encode(["tea"])


def test_other_weights_under_the_same_name(model_dir: Path) -> None:
    meta, _ = make_encoder(f"sentence:{model_dir}", "text").state()
    with pytest.raises(ConfigError, match="not the one that the features were made with"):
        load_encoder({**meta, "content": "sentence 0123"}, {}).encode(["tea"])


def test_a_folder_that_holds_no_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ConfigError, match="cannot be loaded"):
        SentenceEncoder(str(tmp_path)).encode(["tea"])


def test_no_such_name_and_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "hub_has", lambda name: False)
    with pytest.raises(ConfigError, match="cannot be loaded"):
        SentenceEncoder("nobody/has-such-a-model").encode(["tea"])


def test_package_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(ConfigError, match="needs the package sentence-transformers"):
        SentenceEncoder("any/model").encode(["tea"])
