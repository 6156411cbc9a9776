"""PPM-100 (Ke et al., "MODNet: Real-Time Trimap-Free Portrait Matting via Objective Decomposition", AAAI 2022).

`image/<id>.jpg` and `matte/<id>.jpg` of https://github.com/ZHKKKe/PPM; an older archive has `train/fg` and
`train/alpha` instead, and copies in use call them `image_train` and `matte_train`. There are no trimaps.
"""

from pathlib import Path
from typing import Literal

from evaluation.adapters.matting import Folders, open_matting
from evaluation.adapters.options import adapter
from evaluation.sample import Dataset

_CHOICES = (Folders("image", "matte"), Folders("image_train", "matte_train"), Folders("train/fg", "train/alpha"))


@adapter
def open_ppm100(root: Path, *, mask: Literal["dilate", "box"] = "dilate", grow: int = 10) -> Dataset:
    """100 portraits with alpha; `mask` and `grow` make the mask (see `mask_from_alpha`).

    Raises EvalError for a folder of another layout.
    """
    return open_matting(root, "PPM-100", (".", "PPM-100"), _CHOICES, mask, grow)
