"""How well the quality rules do: `python -m benchmarks.quality STAMPS [--model isnet.onnx] [--alphas DIR]`.

STAMPS is usr/share/tuxpaint/stamps of the Debian package tuxpaint-stamps-default; 200 of them are labelled by eye
in tests/data/stamp_labels.csv. Thresholds were chosen on every other label; both halves are printed.
"""

import argparse
import csv
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.alpha import over_rgb, over_rgba
from stages.decode import decode_image
from stages.geometry import warp_object
from stages.quality import Quality, clipped, measure, sharpness, trim
from stages.rng import generator
from stages.types import U8, Patch
from stages.whole import wholeness

LABELS = Path(__file__).resolve().parent.parent / "tests" / "data" / "stamp_labels.csv"
FRAME, CASES = 512, 100
TUNE, REPORT = 0, 1  # seeds of the cut pictures

Bools = NDArray[np.bool_]
Rule = Callable[[Quality], bool]

RULES: dict[str, tuple[Rule, tuple[str, ...]]] = {
    "flatness > 0.5 (before)": (lambda q: q.flatness > 0.5, ("drawing", "text")),
    "flatness > 0.2": (lambda q: q.flatness > 0.2, ("drawing", "text")),
    "palette > 0.15": (lambda q: q.palette > 0.15, ("drawing", "text")),
    "flatness > 0.2 and palette > 0.15": (lambda q: q.flatness > 0.2 and q.palette > 0.15, ("drawing", "text")),
    "text_like > 0.5": (lambda q: q.text_like > 0.5, ("text",)),
    "text_like > 0.6": (lambda q: q.text_like > 0.6, ("text",)),
    "text_like > 0.7": (lambda q: q.text_like > 0.7, ("text",)),
}


class Case(NamedTuple):
    """One generated-looking picture: an object on a plain ground, whole or cut by the frame."""

    rgba: U8  # the exact layer, (512, 512, 4)
    rgb: U8  # what a matte network sees
    cut: float  # 0 for a whole object, else how much of its extent lies beyond the frame, 0.05 to 0.5
    side: str  # "l", "t", "r" or "b"; "" for a whole one


def case(objects: list[U8], seed: int, index: int) -> Case:
    """Case `index`: even ones are whole, with margins of 2 % or more, odd ones are cut at a random side."""
    rng = generator(seed, "whole", index)
    chosen = objects[generator(seed, "whole-stamp", 0).permutation(len(objects))[index % len(objects)]]
    scale = rng.uniform(0.45, 0.8) * FRAME / max(chosen.shape[:2])
    thing = warp_object(chosen, scale, 0.0, bool(rng.integers(2)))[0]
    h, w = thing.shape[:2]
    y, x = (int(rng.integers(round(0.02 * FRAME), FRAME - n - round(0.02 * FRAME))) for n in (h, w))
    cut, side = (float(rng.uniform(0.05, 0.5)), "ltrb"[rng.integers(4)]) if index % 2 else (0.0, "")
    x = {"l": -round(cut * w), "r": FRAME - w + round(cut * w)}.get(side, x)
    y = {"t": -round(cut * h), "b": FRAME - h + round(cut * h)}.get(side, y)
    layer, ground = np.zeros((FRAME, FRAME, 4), np.uint8), _ground(rng)
    over_rgba(layer, Patch(thing, x, y))
    over_rgb(ground, Patch(thing, x, y))
    return Case(layer, ground, cut, side)


def _ground(rng: np.random.Generator) -> U8:
    """Plain light grey, a little darker towards the bottom, with grain."""
    tone = rng.uniform(205, 240) - np.linspace(0, rng.uniform(0, 12), FRAME)[:, None, None]
    grain = rng.normal(0, 1.5, (FRAME, FRAME, 1))
    return np.rint(np.clip(tone + grain + rng.normal(0, 2, 3), 0, 255)).astype(np.uint8)


def stopped_short(alpha: U8, side: str, pixels: int) -> U8:
    """What a matte gives that ends that many pixels before the frame at the side where the object is cut."""
    out = alpha.copy()
    turned = np.rot90(out, {"": 0, "t": 0, "r": 1, "b": 2, "l": 3}[side])
    if side:
        turned[:pixels] = 0
    return out


def isnet(model: Path, pictures: Iterable[U8]) -> Iterator[U8]:
    """Alpha (h, w) uint8 that an IS-Net ONNX file gives back on each picture, one thread."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    for rgb in pictures:
        big = cv2.resize(rgb, (1024, 1024), interpolation=cv2.INTER_LINEAR).astype(np.float32)
        out = session.run(None, {name: ((big - 128) / 256).transpose(2, 0, 1)[None]})[0][0, 0]
        small = cv2.resize(out, rgb.shape[1::-1], interpolation=cv2.INTER_AREA)
        yield np.rint(np.clip(small, 0, 1) * 255).astype(np.uint8)


def read(path: Path) -> U8:
    """A stamp, straight RGBA, trimmed."""
    return trim(decode_image(path.read_bytes(), name=path.name, max_pixels=10**8, want="rgba", min_side=1))[0]


def blurred(rgba: U8, sigma: float) -> U8:
    """The cut-out out of focus: colour blurred (premultiplied) by `sigma` px at a long side of 256, alpha kept."""
    if not sigma:
        return rgba
    alpha = rgba[..., 3:].astype(np.float32) / 255
    pm = cv2.GaussianBlur(np.dstack([rgba[..., :3] * alpha, alpha]), (0, 0), sigma * max(rgba.shape[:2]) / 256)
    colour = np.rint(np.clip(pm[..., :3] / np.maximum(pm[..., 3:], 1e-3), 0, 255))
    return np.dstack([colour, rgba[..., 3]]).astype(np.uint8)


def exposed(rgba: U8, stops: float) -> U8:
    """The cut-out exposed by that many stops more: linear light (IEC 61966-2-1) times 2^stops, clipped."""
    v = rgba[..., :3] / 255
    linear = np.minimum(1, np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4) * 2.0**stops)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.dstack([np.rint(255 * encoded), rgba[..., 3]]).astype(np.uint8)


def rate(said: Bools, true: Bools) -> str:
    """`precision | recall`; a dash where nothing was said."""
    hits = np.count_nonzero(said & true)
    precision = f"{hits / np.count_nonzero(said):.3f}" if said.any() else "-"
    return f"{precision} | {hits / np.count_nonzero(true):.3f}"


def rules_table(labels: list[str], found: list[Quality]) -> None:
    """Precision and recall of every rule on both halves, and what it costs."""
    kinds, tune = np.array(labels), np.arange(len(labels)) % 2 == 0
    print("| rule | P tune | R tune | P report | R report | of photographs | of drawings | of text |")
    print("|---|---|---|---|---|---|---|---|")
    for name, (rule, wanted) in RULES.items():
        said, true = np.array([rule(q) for q in found]), np.isin(kinds, wanted)
        halves = " | ".join(rate(said[half], true[half]) for half in (tune, ~tune))
        costs = (f"{(said & (kinds == k)).sum()} of {(kinds == k).sum()}" for k in ("photo", "drawing", "text"))
        print(f"| {name} | {halves} | {' | '.join(costs)} |")


def shares_table(title: str, rows: dict[str, list[float]], limits: tuple[float, ...], above: bool) -> None:
    """How many of each row's values are beyond each limit."""
    print(f"| {title} | median | " + " | ".join(f"{'>' if above else '<'} {t:g}" for t in limits) + " |")
    print("|---" * (len(limits) + 2) + "|")
    for name, values in rows.items():
        v = np.array(values)
        counts = (np.count_nonzero(v > t if above else v < t) for t in limits)
        print(f"| {name} | {np.median(v):.3g} | {' | '.join(map(str, counts))} |")


def whole_table(name: str, cases: list[Case], alphas: list[U8]) -> None:
    """Precision and recall of "not whole", and of the same mattes stopped short of the frame."""
    true = np.array([c.cut > 0 for c in cases])
    for short in (0, 3, 6, 10, 16):
        mattes = [stopped_short(a, c.side, short) for a, c in zip(alphas, cases, strict=True)]
        found = [wholeness(np.dstack([c.rgb, a])) for c, a in zip(cases, mattes, strict=True)]
        reasons = Counter(f.reason for f in found if not f.ok)
        listed = ", ".join(f"{n} {reason}" for reason, n in sorted(reasons.items()))
        print(f"| {name} | {short} px | {rate(np.array([not f.ok for f in found]), true)} | {listed} |")


def main() -> None:
    """Print all tables."""
    cv2.setNumThreads(1)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stamps", type=Path)
    parser.add_argument("--model", type=Path, help="an IS-Net ONNX file; without, only exact mattes are judged")
    parser.add_argument("--alphas", type=Path, help="a folder that keeps the network's mattes between runs")
    asked = parser.parse_args()
    with LABELS.open(newline="") as file:
        rows = [(row["path"], row["label"]) for row in csv.DictReader(file)]
    pictures, labels = [read(asked.stamps / path) for path, _ in rows], [label for _, label in rows]
    found = [measure(p) for p in pictures]
    photos = [p for p, label in zip(pictures, labels, strict=True) if label == "photo"]
    print(f"{len(rows)} stamps: {dict(Counter(labels))}\n")
    rules_table(labels, found)
    print()
    blurs = {f"blur {s} px at 256": [sharpness(blurred(p, s)) for p in photos] for s in (0, 1, 2, 4)}
    shares_table("sharpness", blurs, (5, 10, 15, 20, 30, 50, 100), above=False)
    print()
    stops = {f"{s:+d} stops": [clipped(exposed(p, s)) for p in photos] for s in (-2, 0, 1, 2)}
    shares_table("clipped", stops, (0.02, 0.05, 0.1, 0.15, 0.2, 0.3), above=True)
    print("\n| mattes | stopped short by | P | R | reasons |\n|---|---|---|---|---|")
    sound = [p for p in photos if max(p.shape[:2]) >= 100 and measure(p).main_component > 0.98]
    for name, seed in (("tune", TUNE), ("report", REPORT)):
        cases = [case(sound, seed, index) for index in range(CASES)]
        whole_table(f"exact, {name}", cases, [c.rgba[..., 3] for c in cases])
        if asked.model:
            whole_table(f"IS-Net, {name}", cases, list(_kept(asked, seed, cases)))


def _kept(asked: argparse.Namespace, seed: int, cases: list[Case]) -> Iterator[U8]:
    """The network's mattes, from the folder `--alphas` where they are there."""
    files = [asked.alphas / f"{seed}_{index:03d}.npy" for index in range(len(cases))] if asked.alphas else []
    if files and all(f.exists() for f in files):
        yield from (np.load(f) for f in files)
        return
    for index, alpha in enumerate(isnet(asked.model, (c.rgb for c in cases))):
        if files:
            files[index].parent.mkdir(parents=True, exist_ok=True)
            np.save(files[index], alpha)
        yield alpha


if __name__ == "__main__":
    main()
