"""The asset report: every asset is in one of two tables, and on the sheet of its source or its reason."""

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.asset_report import counts, sheet, write_report
from pipeline.assets import Store
from pipeline.collect import gather
from pipeline.load import load_manifest
from pipeline.run import Machine
from stages.codec import encode_png
from tests.assets import cutout
from tests.makers import Silent, write_small


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small manifest, with a twin, a cut-out that is too small, and a text file that calls itself a picture."""
    base = write_small(tmp_path_factory.mktemp("report")).parent
    pot = base / "cutouts" / "pot-01.png"
    (base / "cutouts" / "twin.png").write_bytes(pot.read_bytes())
    (base / "cutouts" / "tiny.png").write_bytes(encode_png(np.ascontiguousarray(cutout(1)[::4, ::4])))
    (base / "cutouts" / "text.png").write_text("no picture")
    return base


def test_report(folder: Path) -> None:
    manifest, out, cache = load_manifest(folder / "small.toml"), folder / "report", folder / "cache"
    kept, dropped = gather(manifest, folder, cache, Machine(), Silent())
    path = write_report(manifest, kept, dropped, cache, out, Silent())
    table = counts(kept, dropped)
    assert table["cutouts"] == {"kept": 24, "near_duplicate": 1, "too_small": 1, "unsupported_format": 1}
    assert table["photos"]["kept"] == len(kept) - 24
    assert sum(map(Counter.total, table.values())) == len(kept) + len(dropped)

    rows = read(out / "kept.csv")
    assert [r["id"] for r in rows] == [a.id for a in kept]
    assert [float(r["sharpness"]) for r in rows] == [a.sharpness for a in kept]
    refused = {
        r["id"]: (r["reason"], r["detail"]) for r in csv.DictReader((out / "rejected.csv").read_text().splitlines())
    }
    assert refused["cutouts:twin.png"] == ("near_duplicate", "of cutouts:pot-01.png")
    assert refused["cutouts:text.png"][0] == "unsupported_format"
    assert len(refused) == len(dropped)

    text = path.read_text()
    assert "| cutouts | CC0-1.0 | 27 | 24 |" in text
    sheets = {p.stem for p in out.glob("*.png")}
    assert sheets == {"kept-cutouts", "kept-photos", "rejected-near_duplicate", "rejected-too_small"}
    assert all(f"({name}.png)" in text for name in sheets)
    with Image.open(out / "kept-cutouts.png") as image:
        assert image.size == (12 * 128, 2 * 128)


def read(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def test_a_sheet_shows_the_pixels_on_grey(tmp_path: Path) -> None:
    store = Store(tmp_path)
    rgba = np.zeros((100, 50, 4), np.uint8)
    rgba[:50] = (200, 10, 30, 255)
    opaque = np.full((20, 20, 3), 7, np.uint8)
    shown = sheet([store.put(encode_png(rgba)), store.put(encode_png(opaque))], store)
    assert shown.shape == (128, 256, 3)
    np.testing.assert_array_equal(shown[10, 10], (200, 10, 30))
    np.testing.assert_array_equal(shown[90, 10], (128, 128, 128))
    np.testing.assert_array_equal(shown[:20, 128:148], opaque)
    assert (shown[20:, 128:] == 128).all()
