"""How well matting does: `python -m benchmarks.matting MODEL [--stamps DIR] [--photos DIR] [--alphas DIR]`.

MODEL is IS-Net or another ONNX file. DIRs: `--stamps` usr/share/tuxpaint/stamps of the Debian package
tuxpaint-stamps-default, `--photos` photographs to put them on, `--alphas` photographs with measured alpha
(X.image.png and X.alpha.png, as from alphamatting.com). A part whose folders are not given is left out and named.
One thread; errors: SAD in thousands of pixels, MSE times 1000, colour in 8-bit levels.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

import cv2
import numpy as np

from stages.colour import Foreground, estimate_foreground
from stages.decode import DecodeError, decode_image
from stages.geometry import on_canvas, warp_object
from stages.matte import OnnxMatter
from stages.quality import defringe, measure, trim
from stages.refine import refine, refine_mask, trimap
from stages.types import F32, U8, Mask, Patch

CANVAS, STAMPS, PHOTOS = 768, 40, 20
METHODS: tuple[Foreground, ...] = ("none", "nearest", "ml")
FOUND = 0.9  # IoU with the truth from which on the network took the stamp, and not something else, for the object


T = TypeVar("T")


class Case(NamedTuple):
    """A picture, its true alpha, and the object's true colour where that is known."""

    name: str
    rgb: U8
    alpha: F32
    colour: U8 | None = None


class Table:
    """Means of named errors, one row a method."""

    def __init__(self) -> None:
        self.rows: dict[str, list[tuple[float, ...]]] = defaultdict(list)

    def add(self, row: str, *values: float) -> None:
        """One more case."""
        self.rows[row].append(values)

    def show(self, title: str, *columns: str) -> None:
        """Print the means."""
        print(f"\n{title}\n| | cases | {' | '.join(columns)} |\n|---|---|{'---|' * len(columns)}")
        for row, values in self.rows.items():
            print(f"| {row} | {len(values)} | {' | '.join(f'{v:.3g}' for v in np.mean(values, axis=0))} |")


def timed(call: Callable[[], T]) -> tuple[T, float]:
    """What a call returns, and its CPU seconds."""
    start = time.process_time()
    return call(), time.process_time() - start


def main() -> None:
    """Print every table whose data are given."""
    cv2.setNumThreads(1)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    for name in ("stamps", "photos", "alphas"):
        parser.add_argument(f"--{name}", type=Path)
    given = parser.parse_args()
    for path in (given.model, given.stamps, given.photos, given.alphas):
        if path is not None and not path.exists():
            parser.error(f"{path} does not exist")
    matter = OnnxMatter(str(given.model))
    if given.stamps and given.photos:
        on_stamps(list(composites(given.stamps, given.photos)), matter)
    else:
        print("left out: stamps over photographs (needs --stamps and --photos)")
    if given.alphas:
        on_alphas(list(photographs(given.alphas)), matter)
    else:
        print("left out: photographs with measured alpha (needs --alphas)")


def composites(stamps: Path, photos: Path) -> Iterator[Case]:
    """Stamps, at most 476 px long, in the middle of square photographs."""
    cutouts = [c for p in pictures(stamps, "*.png") if (c := usable(p)) is not None]
    grounds = pictures(photos, "*.jpg")
    if not cutouts or not grounds:
        raise SystemExit(f"{stamps} holds {len(cutouts)} usable stamps, {photos} {len(grounds)} .jpg photographs")
    cutouts, grounds = thinned(cutouts, STAMPS), thinned(grounds, PHOTOS)
    for k, (name, rgba) in enumerate(cutouts):
        size = max(rgba.shape[:2])
        small = warp_object(rgba, min(1.0, 0.62 * CANVAS / size), 0.0, False)[0]
        at = ((CANVAS - small.shape[1]) // 2, (CANVAS - small.shape[0]) // 2)
        layer = on_canvas(Patch(small, *at), CANVAS)
        alpha = np.asarray(layer[..., 3] / 255, np.float32)
        ground = square(decode_image(grounds[k % len(grounds)].read_bytes(), name=str(k), want="rgb"))
        mixed = alpha[..., None] * layer[..., :3] + (1 - alpha[..., None]) * ground
        yield Case(name, np.rint(mixed).astype(np.uint8), alpha, np.ascontiguousarray(layer[..., :3]))


def usable(path: Path) -> tuple[str, U8] | None:
    """A stamp that is a large, whole, sharp-edged photograph."""
    if {"cartoon", "symbols"} & set(path.parts):
        return None
    try:
        rgba = decode_image(path.read_bytes(), name=path.name, want="rgba")
    except DecodeError:
        return None
    q = measure(rgba) if rgba[..., 3].any() else None
    if q is None or q.long_side < 360 or q.flatness > 0.2 or q.main_component < 0.9 or q.soft_share > 0.4:
        return None
    cut = max(q.cut_left, q.cut_top, q.cut_right, q.cut_bottom) > 0.1
    return None if cut or q.alpha_coverage < 0.15 else (path.stem, defringe(trim(rgba)[0]))


def pictures(folder: Path, pattern: str) -> list[Path]:
    """Files below a folder, in order."""
    return sorted(p for p in folder.rglob(pattern) if p.is_file())


def thinned(items: list[T], most: int) -> list[T]:
    """About evenly spread items."""
    return items[:: max(1, len(items) // most)][:most]


def square(rgb: U8) -> U8:
    """The middle of a photograph."""
    side = min(rgb.shape[:2])
    y, x = (rgb.shape[0] - side) // 2, (rgb.shape[1] - side) // 2
    return np.asarray(cv2.resize(rgb[y : y + side, x : x + side], (CANVAS, CANVAS), interpolation=cv2.INTER_AREA))


def photographs(folder: Path) -> Iterator[Case]:
    """Photographs with measured alpha."""
    for path in pictures(folder, "*.image.png"):
        alpha = cv2.imread(str(path).replace(".image.", ".alpha."), cv2.IMREAD_GRAYSCALE)
        if alpha is None:
            raise SystemExit(f"{path} has no {path.name.replace('.image.', '.alpha.')} beside it")
        rgb = decode_image(path.read_bytes(), name=path.name, want="rgb")
        yield Case(path.name.split(".")[0], rgb, np.asarray(alpha / np.float32(255), np.float32))


def errors(found: F32, true: F32) -> tuple[float, float]:
    """SAD in thousands of pixels, MSE times 1000."""
    off = found.astype(np.float64) - true
    return float(np.abs(off).sum()) / 1e3, float((off * off).mean()) * 1e3


def colour_error(colour: U8, alpha: F32, case: Case) -> float:
    """Alpha-weighted mean absolute error over truly soft pixels that the matte `alpha` shows."""
    assert case.colour is not None
    soft = (case.alpha > 0.02) & (case.alpha < 0.98) & (alpha > 0.02)
    weight = case.alpha[soft].astype(np.float64)
    off = np.abs(colour[soft].astype(np.float64) - case.colour[soft]).mean(axis=1)
    return float((off * weight).sum() / max(weight.sum(), 1e-9))


def polygon(mask: Mask, share: float) -> Mask:
    """The mask as an annotator would draw it: `share` of its size off."""
    outlines, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    off = share * float(np.sqrt(np.count_nonzero(mask)))
    drawn = [cv2.approxPolyDP(o, off, True) for o in outlines]
    return np.asarray(cv2.fillPoly(np.zeros(mask.shape, np.uint8), drawn, 1)) > 0


def on_stamps(cases: list[Case], matter: OnnxMatter) -> None:
    """Colour at the edge, alpha, and time, with the truth known."""
    colours, alphas, rough, seconds = Table(), Table(), Table(), Table()
    estimate_foreground(cases[0].rgb, cases[0].alpha, "ml")  # compiles
    missed = 0
    for case in cases:
        for method in METHODS:
            made, took = timed(lambda c=case, m=method: estimate_foreground(c.rgb, c.alpha, m))  # type: ignore[misc]
            colours.add(f"true alpha, {method}", colour_error(made, case.alpha, case))
            seconds.add(f"colour: {method}", took * 1e3)
        rough_masks(case, rough)
        raw, took = timed(lambda c=case: matter.alpha(c.rgb))  # type: ignore[misc]
        seconds.add("network", took * 1e3)
        solid, true = raw > 0.5, case.alpha > 0.5
        if np.count_nonzero(solid & true) < FOUND * np.count_nonzero(solid | true):
            missed += 1
            continue
        refined, took = timed(lambda c=case, r=raw: refine(c.rgb, r))  # type: ignore[misc]
        seconds.add("refine", took * 1e3)
        for name, alpha in (("network", raw), ("refined", refined)):
            alphas.add(name, *errors(alpha, case.alpha))
            for method in METHODS:
                made = estimate_foreground(case.rgb, alpha, method)
                colours.add(f"{name} alpha, {method}", colour_error(made, alpha, case))
    print(f"{len(cases)} stamps over photographs, {CANVAS} px; in {missed} the network took something else")
    colours.show("Colour error at the edge", "levels")
    alphas.show("Alpha", "SAD", "MSE")
    rough.show("Alpha from polygons", "SAD", "MSE")
    seconds.show(f"CPU time at {CANVAS} px, one thread", "ms")


def rough_masks(case: Case, table: Table) -> None:
    """Polygons around the truth, as drawn and refined."""
    for share in (0.005, 0.015):
        drawn = polygon(case.alpha > 0.5, share)
        table.add(f"{share:.1%} off, as drawn", *errors(drawn.astype(np.float32), case.alpha))
        table.add(f"{share:.1%} off, refined", *errors(refine_mask(case.rgb, drawn), case.alpha))


def on_alphas(cases: list[Case], matter: OnnxMatter) -> None:
    """Alpha of real pictures: the network's, ours, and plain closed-form matting with the same trimap."""
    from pymatting import estimate_alpha_cf

    print("\nPhotographs with measured alpha: SAD / MSE / CPU seconds\n| | network | refined | closed form, not held |")
    print("|---|---|---|---|")
    for case in cases:
        raw = matter.alpha(case.rgb)
        refined, took = timed(lambda c=case, r=raw: refine(c.rgb, r))  # type: ignore[misc]
        cells = ["{:.2f} / {:.2f}".format(*errors(raw, case.alpha))]
        cells.append("{:.2f} / {:.2f} / {:.2f}".format(*errors(refined, case.alpha), took))
        try:
            known = np.select([trimap(raw, 1.0) == v for v in (0, 255)], [0.0, 1.0], 0.5)
            plain, took = timed(lambda c=case, k=known: estimate_alpha_cf(c.rgb / 255.0, k))  # type: ignore[misc]
            cells.append("{:.2f} / {:.2f} / {:.2f}".format(*errors(plain, case.alpha), took))
        except ValueError as error:
            cells.append(str(error))
        print(f"| {case.name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
