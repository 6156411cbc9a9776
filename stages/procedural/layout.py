"""Columns of the arrays the kernels read: a program row is one part, a material row one surface, a light row one scene."""

from numba import njit

# No kernel allocates, so reference counting is off: its atomic operations cost more than the arithmetic of a part.
kernel = njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
inlined = njit(cache=True, nogil=True, error_model="numpy", _nrt=False, forceinline=True)

# part kinds
BALL, BOX, CYLINDER, CONE, TORUS, PILL, LATHE, SLAB = range(8)
SUPER, COIL, NGON, TUBE, KNOT = range(8, 13)

# how a part joins what came before it
UNION, CARVE, KEEP = range(3)

# displacement kinds
D_NOISE, D_FLUTES, D_RIDGES, D_BUMPS = range(4)

# part row
KIND, OP, BLEND, MAT, SCALE, MIRROR, REPEAT, TWIST, AMP, FREQ, DISP = range(11)
ROT, POS, CENTRE, RADIUS, SIZE, GRID, PART_WIDTH = 11, 20, 23, 26, 27, 38, 39

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
