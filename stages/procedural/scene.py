"""Random camera, light and pose; the window that the object fills; one call from object to picture."""

from math import cos, radians, sin
from typing import NamedTuple

import numpy as np

from stages.procedural import layout as lay
from stages.procedural.layout import Array, Bytes, Ints
from stages.procedural.march import tiles
from stages.procedural.palette import colour
from stages.procedural.program import Program, Thing, compile_thing, rotation
from stages.procedural.render import paint
from stages.procedural.trace import trace_pixels
from stages.procedural.visibility import visibility

_FILL = 0.965
_COARSE = 48


class View(NamedTuple):
    """Camera and light rows (see `layout`), and the key light's direction in camera space (right, up, towards)."""

    camera: Array
    light: Array
    elevation: float
    key: tuple[float, float, float]


def _unit(v: Array) -> Array:
    out: Array = v / np.linalg.norm(v)
    return out


def _direction(azimuth: float, height: float) -> Array:
    """Unit vector at degrees round and above the horizon; azimuth 0 is +z."""
    a, h = radians(azimuth), radians(height)
    return np.array([cos(h) * sin(a), sin(h), cos(h) * cos(a)])


def _camera(bound: Array, pose: Array, azimuth: float, elevation: float, distance: float) -> Array:
    camera = np.zeros(lay.CAMERA_WIDTH)
    back, up = _direction(azimuth, elevation), np.array([0.0, 1.0, 0.0])
    right = _unit(np.cross(up, back))
    axes = {lay.RIGHT: right, lay.CAM_UP: np.cross(back, right), lay.FORWARD: -back}
    for place, axis in axes.items():
        camera[place : place + 3] = axis @ pose
    camera[lay.EYE : lay.RIGHT] = bound[:3] + distance * bound[3] * (back @ pose)
    camera[lay.BOUND :] = bound
    half = 1.0 / np.sqrt(distance**2 - 1.0) * 1.05
    camera[lay.WINDOW : lay.BOUND] = -half, half, 2 * half / _COARSE
    return camera


def _lamp(r: np.random.Generator, azimuth: float, pose: Array) -> Array:
    axis = _direction(azimuth + r.uniform(-40, 40), r.uniform(15, 60))
    side = _unit(np.cross(np.array([0.0, 1.0, 0.0]), axis))
    row = np.zeros(lay.LAMP_WIDTH)
    row[:9] = np.concatenate([axis @ pose, side @ pose, np.cross(axis, side) @ pose])
    row[9:] = r.uniform(0.12, 0.4), r.uniform(0.15, 0.6), r.uniform(0.9, 2.2)
    return row


def _light(
    r: np.random.Generator, azimuth: float, pose: Array, low: float, high: float, floor: float
) -> tuple[Array, Array]:
    """The light row and the key light's world direction."""
    light = np.zeros(lay.LIGHT_WIDTH)
    side = float(r.choice([-1.0, 1.0]))
    key = _direction(azimuth + side * r.uniform(15, 95), r.uniform(28, 68))
    fill = _direction(azimuth - side * r.uniform(40, 110), r.uniform(5, 40))
    light[lay.KEY : lay.KEY_RGB], light[lay.FILL : lay.FILL_RGB] = key @ pose, fill @ pose
    warmth = r.uniform(-0.06, 0.12)
    tone = np.array([1.0 + warmth, 1.0, 1.0 - 1.3 * warmth])
    light[lay.KEY_RGB : lay.FILL] = r.uniform(0.75, 1.25) * tone
    light[lay.FILL_RGB : lay.UP] = r.uniform(0.05, 0.16) / tone
    light[lay.UP : lay.ZENITH] = np.array([0.0, 1.0, 0.0]) @ pose
    sky, ground = r.uniform(0.32, 0.55), np.array(colour(r, "stone", "sand", "brown", "grey"))
    light[lay.ZENITH : lay.HORIZON] = sky / tone * np.array([0.86, 0.95, 1.08])
    light[lay.HORIZON : lay.GROUND] = sky * 0.95
    light[lay.GROUND : lay.GROUND_Y] = 0.55 * ground + 0.03
    light[lay.GROUND_Y], light[lay.Y_LOW], light[lay.Y_HIGH], light[lay.SKYLINE] = (
        floor,
        low,
        high,
        r.uniform(0.05, 0.3),
    )
    light[lay.LAMPS :] = np.concatenate([_lamp(r, azimuth + side * 50, pose), _lamp(r, azimuth - side * 80, pose)])
    return light, key


def view_of(r: np.random.Generator, thing: Thing, program: Program) -> View:
    """A camera a little above the object, daylight from a random side; objects that tumble may lie any way up."""
    tumbled = thing.tumbles and r.random() < 0.5
    pose = rotation(tuple(r.uniform(-180, 180, 3))) if tumbled else np.eye(3)
    azimuth, elevation = float(r.uniform(-180, 180)), float(r.uniform(5, 30))
    camera = _camera(program.bound, pose, azimuth, elevation, float(r.uniform(4.5, 8.0)))
    centre, radius = program.bound[1], program.bound[3]
    low, high = max(centre - radius, 0.0), centre + radius
    floor = float((program.bound[:3] @ pose.T)[1] - radius) if tumbled else 0.0
    light, key = _light(r, azimuth, pose, low, high, floor)
    axes = [camera[i : i + 3] @ (key @ pose) for i in (lay.RIGHT, lay.CAM_UP, lay.FORWARD)]
    return View(camera, light, elevation, (float(axes[0]), float(axes[1]), -float(axes[2])))


class _Tiles(NamedTuple):
    starts: Array
    ids: Ints
    counts: Ints


def _tiled(camera: Array, side: int, cell: float, program: Program) -> _Tiles:
    out = _Tiles(
        np.full((side, side), -1.0),
        np.zeros((side, side, len(program.parts)), np.int64),
        np.zeros((side, side), np.int64),
    )
    tiles(camera, side, cell, program.parts, program.grids, program.spheres, *out)
    return out


def fit(camera: Array, program: Program, size: int) -> Array:
    """The camera with its window moved and scaled so that the object's box fills it, a margin left on every side.

    Two coarse cone-traced silhouettes, each a superset of the true one, so nothing can be cut.
    """
    camera = camera.copy()
    for last in (False, True):
        found = _tiled(camera, _COARSE, 1.0, program).starts > 0.0
        rows, cols = np.flatnonzero(found.any(1)), np.flatnonzero(found.any(0))
        left, top, cell = camera[lay.WINDOW : lay.BOUND]
        x0, x1 = left + cols[0] * cell, left + (cols[-1] + 1) * cell
        y0, y1 = top - rows[0] * cell, top - (rows[-1] + 1) * cell
        side = max(x1 - x0, y0 - y1) / (min(_FILL, 1.0 - 3.0 / size) if last else 1.0)
        cells = size if last else _COARSE
        camera[lay.WINDOW : lay.BOUND] = (x0 + x1 - side) / 2, (y0 + y1 + side) / 2, side / cells
    return camera


def render_square(program: Program, view: View, size: int) -> Bytes:
    """uint8 (size, size, 4) straight sRGB picture of the object, alpha 0 on the border."""
    camera, tile = fit(view.camera, program, size), 8
    side = -(-size // tile)
    t = _tiled(camera, side, float(tile), program)
    depth, part = np.full((size, size), -1.0), np.full((size, size), -1)
    normals, seen = np.zeros((size, size, 3)), np.empty(((size + 1) // 2, (size + 1) // 2, 3))
    trace_pixels(camera, size, tile, *t, program.parts, program.grids, depth, part, normals)
    visibility(camera, view.light, program.parts, program.grids, np.arange(len(program.parts)), depth, normals, seen)
    rgba = np.zeros((size, size, 4), np.uint8)
    paint(
        camera,
        view.light,
        tile,
        *t,
        program.parts,
        program.grids,
        program.materials,
        depth,
        part,
        normals,
        seen,
        np.zeros((4, 9)),
        np.zeros(6),
        np.zeros((size, size), np.uint8),
        rgba,
    )
    return rgba


def picture(r: np.random.Generator, thing: Thing, size: int) -> tuple[Bytes, View]:
    """Compile, pose, light and render an object."""
    program = compile_thing(thing)
    view = view_of(r, thing, program)
    return render_square(program, view, size), view
