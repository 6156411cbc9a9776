"""Triplets, read as T2ITrainer reads them: every picture below a folder, grouped by what follows the stem."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image


def triplets(root: Path) -> dict[str, dict[str, Path]]:
    """Stem -> suffix -> file."""
    found: dict[str, dict[str, Path]] = {}
    for path in root.rglob("*"):
        if path.suffix.lower() in {".jpg", ".jpeg", ".png", ".webp"}:
            stem, suffix = path.stem[:-2], path.stem[-2:]
            found.setdefault(f"{path.parent}_{stem}", {})[suffix] = path
    return found


def test_every_stem_is_a_triplet_of_the_stored_pictures(exported: Callable, stored: list) -> None:
    root = exported("flux-fill")
    found = triplets(root)
    assert len(found) == 10
    for sample in stored:
        group = found[f"{root}_{sample.row['key']}"]
        assert set(group) == {"_G", "_F", "_M"}
        for suffix, name in (("_G", "background"), ("_F", "composite"), ("_M", "mask")):
            assert np.array_equal(np.asarray(Image.open(group[suffix])), sample.pixels(name))
        assert group["_F"].with_suffix(".txt").read_text("utf-8") == sample.row["caption"] != ""


def test_no_suffix_is_found_inside_a_key(exported: Callable) -> None:
    for path in exported("flux-fill").glob("*.png"):
        assert sum(path.stem.count(mark) for mark in ("_G", "_F", "_M")) == 1  # the trainer looks anywhere in the name


def test_mask_is_white_on_the_object_and_the_rest_is_the_same_picture(exported: Callable, stored: list) -> None:
    found = triplets(exported("flux-fill"))
    for sample, group in zip(stored, (found[k] for k in sorted(found)), strict=True):
        repaint = np.asarray(Image.open(group["_M"]).convert("L")) / 255 >= 0.5
        seen = sample.pixels("foreground")[..., 3] / 255 * (1 - sample.pixels("occluder")[..., 3] / 255) > 0.5
        assert (repaint & seen).sum() / (repaint | seen).sum() == sample.row["mask_iou"]
        untouched = (sample.pixels("foreground")[..., 3] == 0) & (sample.pixels("shadow") == 0)
        truth, factual = (np.asarray(Image.open(group[suffix])) for suffix in ("_G", "_F"))
        assert np.array_equal(truth[untouched], factual[untouched])
        assert (truth[seen] != factual[seen]).any()
