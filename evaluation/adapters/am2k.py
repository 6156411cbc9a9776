"""AM-2k (Li et al., "Bridging Composite and Real: Towards End-to-end Deep Image Matting", IJCV 2022).

The test set lies in `validation/`: `original/<id>.jpg`, `mask/<id>.png` (alpha), `trimap/<id>.png`: the paths of
https://github.com/JizhiziLi/GFM, core/config.py and core/test.py.
"""

from pathlib import Path

from evaluation.adapters.masks import MaskFrom
from evaluation.adapters.matting import Folders, open_matting
from evaluation.adapters.options import adapter
from evaluation.sample import Dataset


@adapter
def open_am2k(root: Path, *, mask: MaskFrom = "dilate", grow: int = 10) -> Dataset:
    """The 200 animals of the test set with alpha and trimap; `mask` and `grow` make the mask (see `mask_from_alpha`).

    Raises EvalError for a folder of another layout.
    """
    folders = Folders("original", "mask", "trimap")
    return open_matting(root, "AM-2k", ("validation", "."), [folders], mask, grow)
