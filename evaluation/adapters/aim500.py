"""AIM-500 (Li, Zhang, Tao, "Deep Automatic Natural Image Matting", IJCAI 2021).

`original/<id>.jpg`, `mask/<id>.png` (alpha), `trimap/<id>.png`, at the top or in `validation/` or `AIM-500/`: the
paths of https://github.com/JizhiziLi/AIM, core/config.py and core/test.py.
"""

from pathlib import Path

from evaluation.adapters.masks import MaskFrom
from evaluation.adapters.matting import Folders, open_matting
from evaluation.adapters.options import adapter
from evaluation.sample import Dataset


@adapter
def open_aim500(root: Path, *, mask: MaskFrom = "dilate", grow: int = 10) -> Dataset:
    """Natural pictures with alpha and trimap; `mask` and `grow` make the mask (see `mask_from_alpha`).

    Raises EvalError for a folder of another layout.
    """
    folders = Folders("original", "mask", "trimap")
    return open_matting(root, "AIM-500", (".", "validation", "AIM-500"), [folders], mask, grow)
