"""Triplets for FLUX.1-Fill trainers: the convention of T2ITrainer's object removal.

Its guide (`doc/flux_fill.md`) names three pictures of one stem: `_G` the ground truth, `_F` the factual picture, `_M`
the mask, white where it is to be repainted; the caption is the text file beside `_F`.
"""

from pipeline.exports.common import BACKGROUND, COMPOSITE, MASK, Format, Sample


def files(key: str) -> tuple[str, ...]:
    """Ground truth (background.png), factual (composite.png), mask (mask.png), and the factual picture's caption."""
    return (f"{key}_G.png", f"{key}_F.png", f"{key}_M.png", f"{key}_F.txt")


def contents(sample: Sample) -> tuple[bytes, ...]:
    """The members as they are stored, and the caption in UTF-8."""
    pictures = (sample.members[name] for name in (BACKGROUND, COMPOSITE, MASK))
    return (*pictures, sample.row["caption"].encode())


FORMAT = Format("triplets _G (without the object), _F (with it), _M (mask) for FLUX.1-Fill removal", files, contents)
