"""Annotated data sets and data sets of the Hub, from a manifest to the asset table."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.assets import Asset, Store
from pipeline.collect import gather
from pipeline.load import load_manifest
from pipeline.prepare import Dropped
from pipeline.run import Machine
from pipeline.sources import AssetError
from stages.codec import encode_png
from tests.assets import cutout
from tests.layouts import put_json
from tests.makers import Silent
from tests.tiny_networks import red_thing

HEAD = 'name = "m"\nseed = 1\nsize = 96\nsamples = 4\nlicenses = ["CC0-1.0", "CC-BY-2.0"]\n'
HEAD += "quality = { min_long_side = 40, min_sharpness = 0.0 }\n"
BY = {"id": 4, "name": "BY", "url": "http://creativecommons.org/licenses/by/2.0/"}
NC = {"id": 3, "name": "NC", "url": "http://creativecommons.org/licenses/by-nc-nd/2.0/"}


def gathered(text: str, base: Path) -> tuple[dict[str, Asset], list[Dropped]]:
    (base / "m.toml").write_text(HEAD + text)
    kept, dropped = gather(load_manifest(base / "m.toml"), base, base / "cache", Machine(), Silent())
    return {a.id: a for a in kept}, dropped


def source(role: str, **more: str) -> str:
    lines = [f'{key} = "{value}"' for key, value in more.items()]
    return "\n".join(["[[sources]]", f'role = "{role}"', 'license = "CC0-1.0"', 'attribution = "us"', *lines, ""])


def put_coco(folder: Path) -> None:
    """Two photographs with a red ellipse each, drawn around by a rough polygon; the second may not be used."""
    images, rows = [], []
    for k, (top, left) in enumerate(((30, 40), (20, 60))):
        rgb = red_thing(150, 200, (top, left, top + 90, left + 100), k)
        (folder / "train2017").mkdir(parents=True, exist_ok=True)
        Image.fromarray(rgb).save(folder / "train2017" / f"00{k}.png")
        images.append({"id": k, "file_name": f"00{k}.png", "height": 150, "width": 200, "license": (4, 3)[k]})
        angle = np.linspace(0, 2 * np.pi, 14, endpoint=False)
        corners = np.stack([left + 49.5 + 50 * np.cos(angle), top + 44.5 + 45 * np.sin(angle)], axis=1)
        row = {"id": 7 + k, "image_id": k, "category_id": 1, "iscrowd": 0, "bbox": [left, top, 100, 90]}
        rows.append(row | {"segmentation": [corners.ravel().tolist()]})
    table = {"images": images, "annotations": rows, "categories": [{"id": 1, "name": "ball"}], "licenses": [BY, NC]}
    put_json(folder / "annotations" / "instances_train2017.json", table)


def test_instances_of_coco_become_refined_cutouts(tmp_path: Path) -> None:
    put_coco(tmp_path / "coco")
    where = {"kind": "local", "path": "coco", "layout": "coco"}
    text = source("foreground", name="things", **where) + source("background", name="places", **where)
    kept, dropped = gathered(text, tmp_path)
    assert [(d.reason, d.detail) for d in dropped if d.id.startswith("things")] == [
        ("license_not_allowed", "CC-BY-NC-ND-2.0")
    ]
    (thing,) = (a for a in kept.values() if a.role == "foreground")
    (place,) = (a for a in kept.values() if a.role == "background")
    assert (thing.alpha_from, thing.origin, thing.caption, thing.license) == ("annotation", "real", "ball", "CC-BY-2.0")
    assert (thing.cut, place.license) == ("", "CC-BY-2.0")
    assert thing.photo == place.photo != ""
    rgba = Store(tmp_path / "cache" / "objects").pixels(thing.sha256)
    # The polygon cuts the ellipse's rim; refined, alpha follows the red thing.
    solid = rgba[..., 3] > 127
    solid = solid[np.ix_(solid.any(axis=1), solid.any(axis=0))]
    h, w = solid.shape
    assert w / h == pytest.approx(100 / 90, rel=0.05)
    y, x = np.mgrid[0:h, 0:w] + 0.5
    true = ((y - h / 2) / (h / 2)) ** 2 + ((x - w / 2) / (w / 2)) ** 2 <= 1
    assert (solid != true).mean() < 0.025
    soft = (rgba[..., 3] > 12) & (rgba[..., 3] < 243)
    assert (rgba[soft][:, 0].astype(int) - rgba[soft][:, 1]).mean() > 90


def test_rows_of_a_hub_data_set_become_assets_if_their_licence_is_allowed(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    rows = {
        "image": [{"bytes": encode_png(cutout(k)), "path": None} for k in range(4)],
        "what": ["a kite", "a pebble", "a pot", "another kite"],
        "terms": ["CC0-1.0", "by2", "all rights reserved", None],
        "who": ["Ann", "Bob", "Cy", None],
    }
    features = datasets.Features(
        {"image": datasets.Image()} | {name: datasets.Value("string") for name in ("what", "terms", "who")}
    )
    (tmp_path / "pets" / "data").mkdir(parents=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library's own, while it writes
        whole = datasets.Dataset.from_dict(rows, features=features)
        whole.to_parquet(tmp_path / "pets" / "data" / "train-00000-of-00001.parquet")
    columns = 'rows = { caption = "what", license = "terms", attribution = "who", licenses = { by2 = "CC-BY-2.0" } }\n'
    kept, dropped = gathered(source("foreground", name="pets", kind="hf", path="pets") + columns, tmp_path)
    found = {(a.caption, a.license, a.attribution, a.uri) for a in kept.values()}
    assert found == {
        ("a kite", "CC0-1.0", "Ann", "hf:pets/train/0"),
        ("a pebble", "CC-BY-2.0", "Bob", "hf:pets/train/1"),
    }
    assert {d.reason for d in dropped} == {"license_not_allowed"}
    assert sorted(d.detail for d in dropped) == [
        "LicenseRef-unlisted-all-rights-reserved",
        "LicenseRef-unlisted-none",
    ]


def test_a_layout_whose_files_are_not_there_names_the_source(tmp_path: Path) -> None:
    (tmp_path / "coco").mkdir()
    (tmp_path / "coco" / "readme.txt").write_text("no annotations")
    text = source("foreground", name="things", kind="local", path="coco", layout="coco")
    with pytest.raises(AssetError, match=r"^source 'things': layout = 'coco' needs a .json file with images"):
        gathered(text, tmp_path)
