"""Layered data sets, read as musubi-tuner and DiffSynth-Studio read them."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.exports import export
from pipeline.exports.musubi import lists


def musubi(config: Path) -> dict[str, tuple[str, np.ndarray]]:
    """Key -> caption and (layers, h, w, 4), by the rules of `multiple_target` and of the layered latent cache."""
    settings = tomllib.loads(config.read_text())
    (dataset,) = settings["datasets"]
    assert dataset["multiple_target"] is True
    folder = Path(dataset["image_directory"])
    captioned = {p.stem for p in folder.glob("*" + settings["general"]["caption_extension"])}
    candidates = {p for p in folder.glob("*.png") if p.stem not in captioned}
    found = {}
    for stem in sorted(captioned, key=len, reverse=True):
        own = [p for p in candidates if p.stem.startswith(stem + "_")]
        candidates -= set(own)
        own.sort(key=lambda p: int(p.stem.rsplit("_", 1)[-1]))
        opened = [Image.open(p) for p in (folder / f"{stem}.png", *own)]
        pictures = [np.asarray(p if p.mode in ("RGB", "RGBA") else p.convert("RGB")) for p in opened]
        if pictures[0].shape[2] == 3:  # the picture alone is given the alpha that it lacks
            pictures[0] = np.dstack([pictures[0], np.full(pictures[0].shape[:2], 255, np.uint8)])
        found[stem] = (folder / f"{stem}.txt").read_text("utf-8").strip(), np.stack(pictures)
    assert candidates == set()
    assert len({layers.shape for _, layers in found.values()}) == 1
    return found


def diffsynth(base: Path) -> dict[str, tuple[str, np.ndarray]]:
    """The same from the metadata, whose paths are relative to the data set; every picture is made RGBA."""
    found = {}
    for line in (base / "metadata.jsonl").read_text().splitlines():
        data = json.loads(line)
        assert isinstance(data["image"], list)  # a string would be one RGB picture
        assert len(data["image"]) == data["layer_num"] + 1
        assert data["image"][0] == data["layer_input_image"]
        layers = np.stack([np.asarray(Image.open(base / p).convert("RGBA")) for p in data["image"]])
        assert layers.shape[1] % 16 == layers.shape[2] % 16 == 0  # else the trainer cuts
        found[Path(data["layer_input_image"]).stem] = data["prompt"], layers
    return found


READERS = {"musubi": lambda to: musubi(to / "dataset.toml"), "diffsynth": diffsynth}


@pytest.mark.parametrize("name", READERS)
def test_picture_and_layers_are_the_stored_ones(name: str, exported: Callable, stored: list) -> None:
    found = READERS[name](exported(name))
    assert sorted(found) == [s.row["key"] for s in stored]
    for sample in stored:
        caption, (picture, background, shadow, target, occluder) = found[sample.row["key"]]
        assert caption == sample.row["caption"]
        assert np.array_equal(picture[..., :3], sample.pixels("composite"))
        assert np.array_equal(background[..., :3], sample.pixels("background"))
        assert picture[..., 3].min() == background[..., 3].min() == 255
        assert np.array_equal(shadow[..., 3], sample.pixels("shadow"))
        assert not shadow[..., :3].any()
        assert np.array_equal(target, sample.pixels("foreground"))
        assert np.array_equal(occluder, sample.pixels("occluder"))


@pytest.mark.parametrize("name", READERS)
def test_layers_make_the_picture_but_for_the_front_s_soft_edge(
    name: str, exported: Callable, stored: list, over: Callable
) -> None:
    found = READERS[name](exported(name))
    for sample in stored:
        picture, *layers = found[sample.row["key"]][1]
        error = np.abs(over(layers) - picture[..., :3]).max(axis=2)
        assert error[~sample.front_edge].max() <= 1
        if not sample.row["occluded"]:
            assert error.max() <= 1


def test_lists_hold_what_the_limit_asks_for(small_build: Path, tmp_path: Path, count: object) -> None:
    for asked in (3, 5, 2):
        export(small_build, tmp_path, "diffsynth", "train", asked, count)
        assert len(diffsynth(tmp_path)) == asked


def test_paths_with_odd_characters_are_quoted() -> None:
    to = Path('/data/a "b" \\ c\u00e9')
    settings = tomllib.loads(lists(to, [{"size": 128}, {"size": 64}])["dataset.toml"].decode())
    assert settings["datasets"][0]["image_directory"] == f"{to}/images"
    assert settings["general"]["resolution"] == [128, 128]
