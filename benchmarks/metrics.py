"""How many pictures a second each metric scores: `python -m benchmarks.metrics`, one thread, CPU time."""

import time
from collections.abc import Callable

import cv2
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from evaluation.layers import Answer
from evaluation.sample import Item
from evaluation.scoring import Pair, metrics, pair

SIDES = (64, 512)
LEAST = 0.5  # seconds of each measurement


def smooth(seed: int, side: int) -> np.ndarray:
    """uint8 (side, side, 3) that changes slowly."""
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 9, 3), np.uint8)
    return cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)


def scene(side: int) -> Pair:
    """A disc with a soft edge, its right part hidden, and an answer that is a little off."""
    y, x = np.ogrid[:side, :side]
    distance = np.hypot(y - side / 2, x - side / 2)
    alpha, other = (np.clip((side / part - distance) / 4 + 0.5, 0, 1).astype(np.float32) for part in (4, 4.2))
    visible = alpha * (x < side * 0.55)
    clean, colour = smooth(0, side), smooth(1, side)
    whole, made = (np.dstack([colour, (a * 255).astype(np.uint8)]) for a in (alpha, other))
    picture = np.rint(clean + visible[..., None] * (colour.astype(np.float32) - clean)).astype(np.uint8)
    item = Item("a", picture, visible > 0.5, clean, alpha > 0.5, alpha, whole, visible)
    return pair(item, Answer(smooth(2, side), made), ring=16)


def rate(score: Callable[[], object]) -> float:
    """Calls a second of CPU time, after one to warm up."""
    score()
    calls, started = 0, time.process_time()
    while (spent := time.process_time() - started) < LEAST:
        score()
        calls += 1
    return calls / spent


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    scenes = [scene(side) for side in SIDES]
    table = Table(title="pictures/s, one thread, CPU time")
    table.add_column("metric")
    for side in SIDES:
        table.add_column(f"{side} px", justify="right")
    for name, metric in metrics().items():
        table.add_row(name, *(f"{rate(lambda g=given, m=metric: m.score(g)):,.3g}" for given in scenes))
    Console().print(table)


if __name__ == "__main__":
    main()
