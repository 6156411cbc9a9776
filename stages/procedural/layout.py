"""Columns of the arrays the kernels read: a part row is one solid, a material row a surface, a light row a scene."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]

# part kinds
BALL, BOX, CYLINDER, CONE, TORUS, PILL, LATHE, SLAB = range(8)
SUPER, COIL, NGON, TUBE, KNOT = range(8, 13)

# how a part joins what came before it
UNION, CARVE, KEEP = range(3)

# displacement kinds; plus 4 in an object with blended parts
D_NOISE, D_FLUTES, D_RIDGES, D_BUMPS = range(4)

# part row
KIND, OP, BLEND, MAT, SCALE, MIRROR, REPEAT, TWIST, AMP, FREQ, DISP = range(11)
ROT, POS, CENTRE, RADIUS, RHO, SIZE, GRID, PART_WIDTH = 11, 20, 23, 26, 27, 28, 41, 42

# surface patterns
PLAIN, STRIPES, CHECKS, SPOTS, MARBLE, WOOD, SPECKLE, GRADIENT = range(8)
PATINA, PANELS, DRIP, TERRAZZO, CLOUDS, CRACKLE, CHEVRON, FIBRES = range(8, 16)

# material row
PATTERN, FREQUENCY, P0, P1, OFFSET, COLOUR_A, COLOUR_B, COLOUR_C = 0, 1, 2, 3, 4, 7, 10, 13
ROUGH, METAL, SPECULAR, BUMP, BUMP_FREQ, LOCAL, WEAR, GLOW, MATERIAL_WIDTH = 16, 17, 18, 19, 20, 21, 22, 23, 24

# light row: directions are unit vectors in object space, colours linear RGB
KEY, KEY_RGB, FILL, FILL_RGB, UP, ZENITH, HORIZON, GROUND = 0, 3, 6, 9, 12, 15, 18, 21
GROUND_Y, Y_LOW, Y_HIGH, SKYLINE, LAMPS, LAMP_WIDTH, LIGHT_WIDTH = 24, 25, 26, 27, 28, 12, 52

# camera row: eye, right, up, forward, then the window (left, top, cell) on the plane at distance 1
EYE, RIGHT, CAM_UP, FORWARD, WINDOW, BOUND, CAMERA_WIDTH = 0, 3, 6, 9, 12, 15, 19

GRID_SIDE = 112

F = TypeVar("F", bound=Callable[..., Any])
# No kernel allocates, so reference counting (_nrt) is off: its atomic operations cost more than a part's arithmetic.
_OPTIONS: dict[str, Any] = {
    "cache": True,
    "nogil": True,
    "error_model": "numpy",
    "_nrt": False,
    "no_cfunc_wrapper": True,
}
_INLINED = {**_OPTIONS, "forceinline": True, "no_cpython_wrapper": True}


def kernel(function: F) -> F:
    """Compile with numba."""
    return cast(F, njit(**_OPTIONS)(function))


def inlined(function: F) -> F:
    """As `kernel`, and always copied into its callers."""
    return cast(F, njit(**_INLINED)(function))
