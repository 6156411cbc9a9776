"""Small synthetic asset folders for tests and first contact: `python -m tests.assets DIR`. The same every time.

DIR/cutouts: 24 RGBA PNGs with soft edges, some cut by the picture's edge, some with a caption beside them.
DIR/photos: 12 RGB pictures, JPEG and PNG: sky over ground, and walls.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

NUM_CUTOUTS, NUM_PHOTOS = 24, 12
_CUT = {5: "b", 11: "l", 17: "b"}  # pebbles that their picture's edge cuts
_KINDS = ("pebble", "pot", "kite")


def write_assets(folder: Path) -> None:
    """Write `folder`/cutouts and `folder`/photos."""
    for name in ("cutouts", "photos"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for k in range(NUM_CUTOUTS):
        kind = _kind(k)
        path = folder / "cutouts" / f"{kind}-{k:02d}.png"
        Image.fromarray(cutout(k)).save(path)
        if k % 2 == 0:
            path.with_suffix(".txt").write_text(f"A patterned {kind}, number {k}.\n")
    for k in range(NUM_PHOTOS):
        name = f"{'wall' if k % 4 == 3 else 'meadow'}-{k:02d}"
        picture = Image.fromarray(photo(k))
        if k % 2:
            picture.save(folder / "photos" / f"{name}.png")
        else:
            picture.save(folder / "photos" / f"{name}.jpg", quality=92)


def cutout(k: int) -> np.ndarray:
    """Cut-out number `k`: uint8 (h, w, 4) straight RGBA, 96 to 200 px a side."""
    rng = np.random.default_rng([1984, k])
    w, h = (int(v) for v in rng.integers(110, 201, 2))
    depth = _depth(_kind(k), rng, h, w)
    if k in _CUT:
        depth = depth[: int(0.72 * h)] if _CUT[k] == "b" else depth[:, int(0.3 * w) :]
    alpha = np.clip(depth + 0.5, 0, 1)
    rgb = _texture(rng, *alpha.shape)
    rgb *= 0.55 + 0.45 * np.clip(depth / depth.max(), 0, 1)[..., None] ** 0.5  # darker towards the rim
    rgba = np.dstack([np.rint(np.clip(rgb, 0, 255)), np.rint(255 * alpha)]).astype(np.uint8)
    rgba[rgba[..., 3] == 0] = 0
    return rgba


def photo(k: int) -> np.ndarray:
    """Background number `k`: uint8 (h, w, 3) RGB, about 260 x 200 px. Its horizon is at 0.4 of the height."""
    rng = np.random.default_rng([1839, k])
    w, h = (int(v) for v in rng.integers((250, 196), (276, 216)))
    tones = rng.uniform(60, 230, (4, 3))
    t = np.linspace(0, 1, h)[:, None, None]
    sky, ground = tones[0] + t * (tones[1] - tones[0]), tones[2] + t * (tones[3] - tones[2])
    edge = 0.4 + 0.06 * _smooth(rng, 1, w, 40.0)[0] if k % 4 != 3 else np.full(w, 0.4)
    below = (t[..., 0] > edge)[..., None]
    clouds = 45 * _smooth(rng, h, w, 24.0) + 12 * _smooth(rng, h, w, 2.0)
    rgb = np.where(below, ground, sky) + clouds[..., None] + rng.normal(0, 3, (h, w, 3))
    return np.rint(np.clip(rgb, 0, 255)).astype(np.uint8)


def ground_and_cutout() -> tuple[np.ndarray, np.ndarray]:
    """A photograph of 250 x 190, RGB, and a cut-out on a canvas of its size, RGBA."""
    ground = np.ascontiguousarray(photo(0)[:190, :250])
    rgba = cutout(3)[:150, :150]
    canvas = np.zeros((190, 250, 4), np.uint8)
    canvas[20 : 20 + rgba.shape[0], 60 : 60 + rgba.shape[1]] = rgba
    return ground, canvas


def _kind(k: int) -> str:
    return "pebble" if k in _CUT else _KINDS[k % 3]


def _depth(kind: str, rng: np.random.Generator, h: int, w: int) -> np.ndarray:
    """How many pixels a point lies inside the outline (negative outside), about 3 px of margin all round."""
    y, x = np.mgrid[0:h, 0:w] + 0.5
    u, v = (x - w / 2) / (w / 2 - 4), (y - h / 2) / (h / 2 - 4)
    unit = min(h, w) / 2 - 4
    if kind == "pot":
        waves = rng.uniform(-0.12, 0.12, 3)
        radius = 0.75 + sum(a * np.cos((j + 1) * np.pi * v) for j, a in enumerate(waves))
        return np.minimum((radius - np.abs(u)) * (w / 2 - 4), (1 - np.abs(v)) * (h / 2 - 4))
    angle = np.arctan2(v, u)
    if kind == "kite":
        return (1 - np.abs(u) - np.abs(v)) * unit / np.sqrt(2) * rng.uniform(0.8, 1.0)
    waves, turns = rng.uniform(0, 0.07, 4), rng.uniform(0, 2 * np.pi, 4)
    radius = 0.75 + sum(a * np.cos((j + 2) * angle + turns[j]) for j, a in enumerate(waves))
    return (radius - np.hypot(u, v)) * unit


def _texture(rng: np.random.Generator, h: int, w: int) -> np.ndarray:
    """Two colours mixed by smooth noise and stripes, with grain: float64 (h, w, 3) in about 0..255."""
    y, x = np.mgrid[0:h, 0:w]
    turn, pitch = rng.uniform(0, np.pi), rng.uniform(18, 45)
    stripes = np.sin(2 * np.pi * (x * np.cos(turn) + y * np.sin(turn)) / pitch)
    mix = 0.5 + 0.3 * stripes + 0.35 * _smooth(rng, h, w, 14.0)
    dark, light = rng.uniform(10, 110, 3), rng.uniform(140, 250, 3)
    return dark + np.clip(mix, 0, 1)[..., None] * (light - dark) + rng.normal(0, 5, (h, w, 3))


def _smooth(rng: np.random.Generator, h: int, w: int, sigma: float) -> np.ndarray:
    """Noise blurred by a Gaussian of `sigma` pixels, scaled to standard deviation 1."""
    noise = cv2.GaussianBlur(rng.standard_normal((h, w)), (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
    return (noise - noise.mean()) / noise.std()


if __name__ == "__main__":
    write_assets(Path(sys.argv[1]))
