"""LaMa (Suvorov et al., "Resolution-robust large mask inpainting with Fourier convolutions", WACV 2022).

The network comes as a TorchScript file, as `big-lama.pt` is passed around: it takes a picture (1, 3, h, w) in [0, 1],
sRGB-encoded, and a mask (1, 1, h, w) of 0 and 1, and returns the filled picture, (1, 3, h, w) in [0, 1].
"""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from evaluation.errors import EvalError
from evaluation.methods.holes import filler, fitted, unfitted
from evaluation.methods.made import Made, file_hash, key_of, needed
from stages.lazy import one_line, require_device
from stages.types import F32, U8, Frozen, Mask

MULTIPLE = 8  # of the sides that the network takes


class Lama(Frozen):
    """`path`: the TorchScript file. Such a file is a program; use one whose source you trust."""

    path: str = Field(min_length=1)
    device: str = "cpu"


def make_lama(options: Lama) -> Made:
    """Background: the network's, inside the mask only. The picture is padded to multiples of 8, mirrored with its mask.

    Raises EvalError where the file is missing or no TorchScript; so does the method for an answer that is no picture.
    """
    torch = needed("lama", "torch", "train")
    path = Path(options.path)
    if not path.is_file():
        raise EvalError(f"method 'lama': {path}: no such file; it must be LaMa as TorchScript, such as big-lama.pt")
    network = _loaded(torch, path, options.device)

    def fill(picture: U8, mask: Mask) -> F32:
        seen = fitted(picture, mask, None, MULTIPLE)
        planes = np.ascontiguousarray(seen.picture.transpose(2, 0, 1)[None], np.float32) / 255
        given = [torch.from_numpy(a).to(options.device) for a in (planes, seen.mask[None, None].astype(np.float32))]
        made = _answer(torch, network, given, path)
        return unfitted(np.asarray(made[0].permute(1, 2, 0).float().cpu().numpy() * 255, np.float32), mask, None)

    return Made(filler("lama", fill), key_of("lama", options, (torch,), file_hash(path)))


def _answer(torch: Any, network: Any, given: list[Any], path: Path) -> Any:
    """A tensor of the picture's shape. Raises EvalError where the network fails or makes something else."""
    try:
        with torch.inference_mode():
            made = network(*given)
    except (RuntimeError, torch.jit.Error) as error:
        last = str(error).strip().rpartition("\n")[2]  # after TorchScript's own traceback
        raise EvalError(f"{path}: {last[:300]}") from error
    wanted, found = tuple(given[0].shape), tuple(getattr(made, "shape", ()))
    if found != wanted or not torch.isfinite(made).all():
        raise EvalError(f"{path}: made {found or type(made).__name__}, must be {wanted} and finite")
    return made


def _loaded(torch: Any, path: Path, device: str) -> Any:
    try:
        require_device(device)
        with warnings.catch_warnings():
            # There is no other way to read the files that exist.
            warnings.filterwarnings("ignore", message="`torch.jit.load` is deprecated", category=DeprecationWarning)
            return torch.jit.load(str(path), map_location=device).eval()
    except (RuntimeError, ValueError) as error:
        raise EvalError(f"method 'lama': {path}: cannot be loaded: {one_line(error)}") from error
