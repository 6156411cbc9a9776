"""What lies beside the page, read back with PIL: layers, thumbnails, the same bytes, and what can go wrong."""

import base64
import io
import json
import shutil
import tarfile
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.explore import explore
from pipeline.explore.html import html
from pipeline.explore.layers import SMALL, small_layers
from pipeline.explore.write import ACROSS, PACK, THUMB
from pipeline.shards import ShardError
from tests.pipeline.conftest import Quiet

Rows = list[dict[str, Any]]


def member(out: Path, row: dict[str, Any], name: str) -> np.ndarray:
    with tarfile.open(out / "data" / row["shard"]) as tar:
        return np.asarray(Image.open(io.BytesIO(tar.extractfile(f"{row['key']}.{name}.png").read())))


def called(path: Path) -> tuple[str, Any]:
    """The name and the value that a file hands to the page."""
    text = path.read_text(encoding="utf-8")
    assert text.startswith("layerloom(")
    assert text.endswith(");\n")
    name, value = json.loads(f"[{text[len('layerloom(') : -3]}]")
    return name, value


def plane(layers: dict[str, Any], name: str) -> np.ndarray:
    """A stored picture in its place, (h, w, 3)."""
    stored = layers["planes"][name]
    x, y, width, height = stored["box"]
    out = np.zeros((layers["size"], layers["size"], 3), np.uint8)
    if stored["data"]:
        picture = Image.open(io.BytesIO(base64.b64decode(stored["data"])))
        assert (picture.format, picture.mode) == ("WEBP", "RGB")  # opaque: a canvas keeps its colours
        out[y : y + height, x : x + width] = np.asarray(picture)
    return out


def tables(out: Path) -> dict[str, Any]:
    text = (out / "explore.html").read_text(encoding="utf-8")
    return json.loads(text.split('id="content">')[1].split("</script>")[0])


def whole(rows: Rows) -> Rows:
    """The samples whose layers are stored whole: floor((k + 0.5) * 64 / 5)."""
    return [rows[k] for k in (6, 19, 32, 44, 57)]


def test_whole_layers_are_those_of_the_shard(explored: Path, rows: Rows) -> None:
    wanted = sorted(f"{row['key']}.js" for row in whole(rows))
    assert sorted(p.name for p in (explored / "explore" / "full").iterdir()) == wanted
    for row in whole(rows):
        name, layers = called(explored / "explore" / "full" / f"{row['key']}.js")
        assert (name, layers["size"]) == (f"full/{row['key']}", 128)
        assert layers["crc"] == zlib.crc32(member(explored, row, "composite").tobytes())
        assert np.array_equal(plane(layers, "background"), member(explored, row, "background"))
        for layer in ("foreground", "occluder"):
            pixels = member(explored, row, layer)
            assert np.array_equal(plane(layers, layer), pixels[..., :3])
            assert np.array_equal(plane(layers, f"{layer}_alpha")[..., 0], pixels[..., 3])
        for layer in ("shadow", "mask"):
            assert np.array_equal(plane(layers, layer)[..., 0], member(explored, row, layer))


def test_every_other_sample_has_layers_that_come_near(explored: Path, rows: Rows) -> None:
    full = {row["key"] for row in whole(rows)}
    scenes = [s for k in range(3) for s in called(explored / "explore" / "scenes" / f"{k:04d}.js")[1]]
    assert [scene["key"] for scene in scenes] == [row["key"] for row in rows]
    for scene, row in zip(scenes, rows, strict=True):
        assert scene["recipe"] == json.loads(row["recipe"])
        assert [p["affine"] for p in scene["placed"]] == [layer["affine"] for layer in row["layers"]]
        assert (scene["layers"] is None) == (row["key"] in full)
        if scene["layers"] is None:
            continue
        layers = scene["layers"]
        assert (layers["size"], layers["crc"]) == (128, None)
        assert np.array_equal(plane(layers, "mask")[..., 0], member(explored, row, "mask"))
        error = np.abs(recomposed(layers) - member(explored, row, "composite"))
        assert error.mean() < 8, row["key"]


def recomposed(layers: dict[str, Any]) -> np.ndarray:
    names = ("background", "foreground", "occluder", "foreground_alpha", "occluder_alpha", "shadow")
    bg, fg, oc, fa, oa, sh = (plane(layers, name).astype(np.float64) for name in names)
    fa, oa, sh = fa / 255, oa / 255, sh / 255
    shaded = bg - sh * (bg - oa * oc)
    return (1 - fa) * shaded + fa * (oa * oc + (1 - oa) * fg)


def test_large_layers_are_shrunk_and_keep_their_edges() -> None:
    layers = {"composite": np.zeros((512, 512, 3), np.uint8), "background": np.full((512, 512, 3), 90, np.uint8)}
    layers |= {name: np.zeros((512, 512, 4), np.uint8) for name in ("foreground", "occluder")}
    layers |= {name: np.zeros((512, 512), np.uint8) for name in ("shadow", "mask")}
    layers["foreground"][101:301, 51:251] = (240, 30, 20, 255)
    layers["mask"][100:300, 50:250] = 255
    small = small_layers(layers)
    assert small["size"] == SMALL == 256
    assert small["planes"]["foreground"]["box"] == [25, 50, 101, 101]  # pixels half covered stay
    assert small["planes"]["mask"]["box"] == [25, 50, 100, 100]
    assert small["planes"]["occluder"] == small["planes"]["shadow"] == {"box": [0, 0, 0, 0], "data": ""}
    colour = plane(small, "foreground")[50:151, 25:126].reshape(-1, 3).astype(int)
    assert np.abs(colour - (240, 30, 20)).max() <= 12  # no black of the surroundings in it
    assert plane(small, "foreground_alpha")[60:140, 35:116].min() >= 250


def test_thumbnails_stand_in_their_cells(explored: Path, rows: Rows) -> None:
    sheets = sorted((explored / "explore" / "thumbs").iterdir())
    assert [p.name for p in sheets] == ["0000.webp", "0001.webp", "0002.webp"]
    pictures = [np.asarray(Image.open(p)) for p in sheets]
    assert [p.shape for p in pictures] == [(5 * THUMB, 5 * THUMB, 3)] * 2 + [(3 * THUMB, 5 * THUMB, 3)]
    composites = [Image.fromarray(member(explored, row, "composite")).resize((THUMB, THUMB)) for row in rows]
    wanted = np.array([np.asarray(c, float) for c in composites])
    for k in (0, 1, 7, 24, 25, 49, 50, 63):
        y, x = divmod(k % PACK, ACROSS)
        cell = pictures[k // PACK][y * THUMB : (y + 1) * THUMB, x * THUMB : (x + 1) * THUMB]
        errors = np.abs(wanted - cell).mean(axis=(1, 2, 3))
        assert errors.argmin() == k
        assert errors[k] < 10


def test_the_tables_are_the_index(explored: Path, rows: Rows) -> None:
    found = tables(explored)
    columns = found["columns"]
    assert found["total"] == len(rows) == 64
    for name, field in (("key", "key"), ("split", "split"), ("mask", "mask_kind"), ("occluded", "occluded")):
        assert columns[name] == [row[field] for row in rows]
    assert columns["visible"] == pytest.approx([row["visible_fraction"] for row in rows], abs=1e-6)
    for places, row in zip(columns["assets"], rows, strict=True):
        for place, layer in zip(places, row["layers"], strict=True):
            asset = found["assets"][place]
            assert asset["id"] == layer["asset"]
            assert all(asset[name] == layer[name] for name in ("license", "attribution", "uri", "caption", "whole"))


def test_the_same_build_gives_the_same_bytes_and_nothing_old_stays(explored: Path, copy_of: Callable) -> None:
    out = copy_of(explored)
    (out / "explore" / "old.js").write_text("old")
    (out / ".explore.tmp" / "thumbs").mkdir(parents=True)  # of a run that was killed
    explore(out, full=5)
    files = sorted(p.relative_to(explored) for p in explored.rglob("*") if p.is_file())
    assert sorted(p.relative_to(out) for p in out.rglob("*") if p.is_file()) == files
    assert [f for f in files if (out / f).read_bytes() != (explored / f).read_bytes()] == []


def test_fewer_samples_are_spread_over_the_build(explored: Path, copy_of: Callable, rows: Rows, quiet: Quiet) -> None:
    out = copy_of(explored)
    explore(out, count=4, full=0, listener=quiet)
    assert tables(out)["columns"]["key"] == [rows[k]["key"] for k in (8, 24, 40, 56)]
    assert tables(out)["total"] == 64
    assert list((out / "explore" / "full").iterdir()) == []
    assert len(called(out / "explore" / "scenes" / "0000.js")[1]) == 4


def test_a_listener_hears_of_every_sample(explored: Path, copy_of: Callable) -> None:
    heard: list[tuple[object, ...]] = []

    class Ear(Quiet):
        def stage(self, name: str, total: int) -> None:
            heard.append((name, total))

        def advance(self, units: int, rejects: Counter[str]) -> None:
            heard.append((units,))

    explore(copy_of(explored), full=1, listener=Ear())
    assert heard == [("explore", 64), (25,), (25,), (14,)]


def test_a_damaged_sample_is_named_and_the_old_page_stays(explored: Path, copy_of: Callable, rows: Rows) -> None:
    out = copy_of(explored)
    before = (out / "explore.html").read_bytes()
    shard = out / "data" / rows[3]["shard"]
    data = bytearray(shard.read_bytes())
    at = rows[3]["offset"] + 512
    assert data[at + 1 : at + 4] == b"PNG"
    data[at + 40 : at + 60] = b"x" * 20
    shard.write_bytes(data)
    with pytest.raises(ShardError, match=rf"{rows[3]['shard']}: {rows[3]['key']}: ") as error:
        explore(out, full=5)
    assert "\n" not in str(error.value)
    assert (out / "explore.html").read_bytes() == before
    assert len(list((out / "explore" / "full").iterdir())) == 5
    assert [p.name for p in out.iterdir() if p.name.startswith(".explore")] == []


def test_no_finished_build(explored: Path, copy_of: Callable, tmp_path: Path) -> None:
    with pytest.raises(ShardError, match="no build here"):
        explore(tmp_path)
    out = copy_of(explored)
    shutil.move(out / "index.json", out / "away.json")
    with pytest.raises(ShardError, match="not finished"):
        explore(out)


@pytest.mark.parametrize(("count", "full"), [(0, 1), (5, -1)])
def test_counts_out_of_bounds(explored: Path, count: int, full: int) -> None:
    with pytest.raises(ValueError, match=f"got {count} and {full}"):
        explore(explored, count, full)


def test_strings_of_the_build_end_no_element() -> None:
    text = html("<b>$x & y</b>", {"columns": {"caption": ["</script><!--&\u2028"]}})
    assert "<title>&lt;b&gt;$x &amp; y&lt;/b&gt;: explorer</title>" in text
    inside = text.split('id="content">')[1].split("</script>")[0]
    assert json.loads(inside)["columns"]["caption"] == ["</script><!--&\u2028"]
    assert not set("<>&\u2028") & set(inside)
