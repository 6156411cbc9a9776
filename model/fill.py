"""A smooth guess of what a hole hides, from the colours around it. Legend: B batch, C channels, H W sides.

Push-pull interpolation (Gortler et al., "The Lumigraph", SIGGRAPH 1996, section 3.4): averages of what is known go
down a pyramid, and what is missing on a level comes back up from the next coarser one.
"""

from torch import Tensor
from torch.nn import functional

_TINY = 1e-12


def smooth_fill(picture_BCHW: Tensor, known_B1HW: Tensor) -> Tensor:
    """The picture where `known` is 1, a smooth continuation where it is 0, a blend in between.

    `known` is float in [0, 1]. A picture of which nothing is known becomes 0, the middle of [-1, 1].
    """
    levels = [(picture_BCHW * known_B1HW, known_B1HW)]
    while max(levels[-1][0].shape[-2:]) > 1:
        levels.append(tuple(functional.avg_pool2d(t, 2, ceil_mode=True) for t in levels[-1]))  # type: ignore[arg-type]
    colour, weight = levels[-1]
    out = colour / weight.clamp_min(_TINY)
    for colour, weight in reversed(levels[:-1]):
        out = functional.interpolate(out, size=colour.shape[-2:], mode="bilinear", align_corners=False)
        out = colour + (1 - weight) * out
    return out
