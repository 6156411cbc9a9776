"""P3M-500-P and P3M-500-NP (Li, Ma, Zhang, Tao, "Privacy-Preserving Portrait Matting", ACM MM 2021).

`validation/P3M-500-P/blurred_image/<id>.jpg` (faces blurred) or `validation/P3M-500-NP/original_image/<id>.jpg`, with
`mask/<id>.png` (alpha) and `trimap/<id>.png` beside: the paths of https://github.com/ViTAE-Transformer/P3M-Net.
https://github.com/JizhiziLi/P3M, core/config.py, calls the two folders `validation1` and `validation2`.
"""

from pathlib import Path
from typing import Literal

from evaluation.adapters.masks import MaskFrom
from evaluation.adapters.matting import Folders, open_matting
from evaluation.adapters.options import adapter
from evaluation.sample import Dataset

_BASES = {
    "P": (".", "P3M-500-P", "validation/P3M-500-P", "validation1"),
    "NP": (".", "P3M-500-NP", "validation/P3M-500-NP", "validation2"),
}
_PICTURES = {"P": "blurred_image", "NP": "original_image"}


@adapter
def open_p3m500(root: Path, *, part: Literal["P", "NP"] = "NP", mask: MaskFrom = "dilate", grow: int = 10) -> Dataset:
    """Portraits of one part with alpha and trimap; `mask` and `grow` make the mask (see `mask_from_alpha`).

    Raises EvalError for a folder of another layout.
    """
    folders = Folders(_PICTURES[part], "mask", "trimap")
    return open_matting(root, f"P3M-500-{part}", _BASES[part], [folders], mask, grow)
