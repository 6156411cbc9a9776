"""The whole shape of an object from a picture and a rough mask, by a small network. Legend: B batch, H W sides.

The first guess of the object's alpha for models that work on pixels, and a view that their fusion reads: what the
paper takes from large segmentation networks, small enough for a CPU.
"""

from pathlib import Path

import orjson
import torch
from torch import Tensor
from torch.nn import functional

from model.hub import locate
from model.transformer import ModelError
from model.unet import STRIDE, UNet
from model.weights import read_weights, write_weights

FORMAT = 1
_ABOUT, _WEIGHTS = "amodal.json", "amodal.safetensors"


class AmodalNet(UNet):
    """Picture and mask to the object's alpha, hidden parts included."""

    def __init__(self, width: int) -> None:
        super().__init__(4, 1, width)
        self.width = width

    def alpha(self, picture_B3HW: Tensor, mask_B1HW: Tensor) -> Tensor:
        """(B, 1, H, W) in (0, 1). Pictures are in [-1, 1], sRGB-encoded, of any size; masks are 0 and 1."""
        height, width = picture_B3HW.shape[2:]
        short = (0, -width % STRIDE, 0, -height % STRIDE)
        given = functional.pad(torch.cat([picture_B3HW, 2 * mask_B1HW - 1], dim=1), short, mode="replicate")
        return torch.sigmoid(self(given)[:, :, :height, :width])


def save_amodal(folder: Path, net: AmodalNet, dtype: torch.dtype = torch.bfloat16) -> None:
    """Write `amodal.json` and `amodal.safetensors` into `folder`, which is made if missing."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _ABOUT).write_bytes(orjson.dumps({"format": FORMAT, "width": net.width}))
    write_weights(folder / _WEIGHTS, net.state_dict(), dtype)


def load_amodal(folder: str) -> AmodalNet:
    """What `save_amodal` wrote, in float32, of a folder or a Hub id. Raises ModelError naming the file."""
    path = Path(locate(folder).folder) / _ABOUT
    try:
        about = orjson.loads(path.read_bytes())
        if about["format"] != FORMAT:
            raise ModelError(f"{path}: format must be {FORMAT}, is {about['format']}")
        net = AmodalNet(int(about["width"]))
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise ModelError(f"{path}: cannot be read: {error}") from None
    path = path.with_name(_WEIGHTS)
    weights = read_weights(path)
    try:
        net.load_state_dict(weights)
    except RuntimeError as error:  # other names or shapes
        raise ModelError(f"{path}: cannot be read: {error}") from None
    return net
