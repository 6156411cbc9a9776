"""The report against figures worked out by hand, and the plots against the numbers they show."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from scipy import stats
from typer.testing import CliRunner

from pipeline.__main__ import app
from pipeline.assets import Asset, write_table
from pipeline.facts import read_facts, require_finished
from pipeline.index import schema
from pipeline.manifest import Manifest
from pipeline.plots import _asked_area, figure, write_plots
from pipeline.report import report
from pipeline.schema import LayerMeta, SampleMeta
from pipeline.shards import ShardError

ZERO = {str: "", int: 0, float: 0.0, bool: False}
AFFINES = {
    "middle": (1.0, 0.0, 50.0, 0.0, 1.0, 100.0),  # box 50..150 x 100..150
    "left": (1.0, 0.0, -20.0, 0.0, 1.0, 0.0),  # 20 of 100 pixels outside
    "turned": (0.0, -1.0, 50.0, 1.0, 0.0, 0.0),  # a quarter turn: box 0..50 x 0..100
    "mirrored": (-2.0, 0.0, 208.0, 0.0, 2.0, 0.0),  # box 8..208: 8 of 200 pixels outside, a rim
}


def asset(name: str, role: str = "foreground", origin: str = "real", license: str = "CC0-1.0", cut: str = "") -> Asset:
    blank = {n: ZERO.get(f.annotation, "") for n, f in Asset.model_fields.items()}
    blank |= {"alpha_from": "file", "caption_from": "name"}
    known = {"id": name, "role": role, "origin": origin, "license": license, "cut": cut, "support": "ground"}
    return Asset.model_validate(blank | known | {"width": 100, "height": 50, "horizon": None})


ASSETS = [
    *(asset("dog"), asset("cat", license="MIT", cut="l"), asset("idle"), asset("ball", origin="generated")),
    *(asset("hill", "background"), asset("wall", "background", license="MIT")),
]


def sample(number: int, at: str, target: str, *others: str, **facts: object) -> dict:
    """One row of the index: `target` at one of `AFFINES`, `others` with it (the plate first)."""
    blank = {n: ZERO.get(f.annotation) for n, f in LayerMeta.model_fields.items()}
    layers = [blank | {"asset": o, "role": "other", "affine": AFFINES["middle"]} for o in others]
    layers.append(blank | {"asset": target, "role": "target", "affine": AFFINES[at]})
    objects = [{"role": "target", "scale": facts.pop("scale", 1.0), "harmonize": facts.pop("harmonize", 0.2)}]
    row = {n: ZERO.get(f.annotation) for n, f in SampleMeta.model_fields.items()}
    row |= {"key": f"train_{number:09d}", "index": number, "split": "train", "size": 200, "target": target}
    row |= {"num_objects": len(others), "origin": "real", "license": "CC0-1.0", "area_fraction": 0.1}
    row |= {"visible_fraction": 1.0, "asked_visible_fraction": 1.0, "mask_kind": "exact", "mask_iou": 1.0}
    return row | {"layers": layers, "recipe": orjson.dumps({"objects": objects}).decode()} | facts


def hidden(asked: float, got: float) -> dict:
    return {"occluded": True, "asked_visible_fraction": asked, "visible_fraction": got}


ROWS = [
    sample(0, "middle", "dog", "hill", scale=1.5, shadow=True, harmonize=0.0, area_fraction=0.05),
    sample(1, "left", "dog", "hill", "cat", attempt=4, license="CC0-1.0 AND MIT", **hidden(0.5, 0.52)),
    sample(2, "turned", "cat", "wall", "dog", "ball", license="CC0-1.0 AND MIT", **hidden(0.3, 0.36)),
    sample(3, "mirrored", "ball", "hill", origin="generated", mask_kind="box", mask_iou=0.5, mask_strength=1.0),
    sample(4, "middle", "dog", "hill", split="val", mask_kind="box", mask_iou=0.7, mask_strength=0.5),
]


def plant(out: Path, rows: list[dict], **knobs: object) -> Path:
    """A folder with what the report reads of a finished build of these rows."""
    source = {"name": "pets", "kind": "local", "role": "foreground", "license": "MIT", "attribution": "me", "path": "x"}
    plain = {"name": "hand", "seed": 1, "size": 200, "samples": len(rows), "licenses": ["MIT"], "sources": [source]}
    plain |= {"splits": {"train": 0.8, "val": 0.2, "test": 0.0}, "mask": {"weights": {"exact": 3, "box": 1}}} | knobs
    manifest = Manifest.model_validate(plain).model_dump(mode="json")
    (out / ".build").mkdir(parents=True)
    (out / "meta").mkdir()
    stored = {"fingerprint": "f" * 64, "identity": {}, "manifest": manifest}
    (out / ".build" / "build.json").write_bytes(orjson.dumps(stored))
    shards = [{"name": "a", "rejects": {"odd": 2, "even": 1}}, {"name": "b", "rejects": {"even": 4}}]
    (out / "index.json").write_bytes(orjson.dumps({"name": "hand", "shards": shards}))
    write_table(out / "meta" / "assets.parquet", ASSETS)
    pq.write_table(pa.Table.from_pylist(rows, schema=schema()), out / "meta" / "index.parquet", row_group_size=2)
    return out


def test_table_by_hand(tmp_path: Path) -> None:
    lines = {row.name: (row.asked, row.achieved) for row in report(plant(tmp_path / "out", ROWS))}
    area = np.log([0.05, 0.1, 0.1, 0.1, 0.1]).std()
    wanted = {
        "samples": ("5 at 200 px", "5"),
        "samples, train": ("4", "4"),
        "samples, val": ("1", "1"),
        "scenes of 1 object": ("30 %", "60 % (3 of 5)"),
        "scenes of 2 objects": ("45 %", "20 % (1 of 5)"),
        "scenes of 3 objects": ("25 %", "20 % (1 of 5)"),
        "real targets": ("50 %", "80 % (4 of 5)"),
        "occluded targets": ("60 %", "40 % (2 of 5)"),
        "visible fraction where occluded": (
            "uniform, 0.30 to 0.95, mean 0.62",
            "0.36 to 0.52, mean 0.44, quartiles 0.40 0.44 0.48",
        ),
        "visible fraction as drawn": ("within 0.03", "50 % (1 of 2), largest error 0.060"),
        "target's share of the canvas": (
            "log-normal, median 0.1, sigma 0.5, in 0.02 to 0.45",
            f"median 0.100, sigma {area:.2f}, 90 % in 0.060 to 0.100",
        ),
        "targets held small by their pixels": ("enlarged 1.25x at most", "20 % (1 of 5)"),
        "targets with a shadow": ("70 %", "20 % (1 of 5)"),
        "whole targets cropped by the frame": ("10 %", "25 % (1 of 4)"),
        "harmonisation of the target": (
            "uniform, 0.00 to 0.60, mean 0.30",
            "0.00 to 0.20, mean 0.16, quartiles 0.20 0.20 0.20",
        ),
        "mask exact": ("75 %", "60 % (3 of 5), mean IoU 1.00"),
        "mask box": ("25 %", "40 % (2 of 5), mean IoU 0.60"),
        "mask strength": ("uniform, 0.00 to 1.00, mean 0.50", "0.00 to 1.00, mean 0.30, quartiles 0.00 0.00 0.50"),
        "mask IoU with the visible object": ("", "0.50 to 1.00, mean 0.84, quartiles 0.70 1.00 1.00"),
        "layouts drawn a scene": ("at most 100", "mean 1.80, most 5"),
        "layouts redrawn": ("", "5 even, 2 odd"),
        "real backgrounds used": ("2 at hand", "2, most often in 4 scenes, median 2.5"),
        "generated foregrounds used": ("1 at hand", "1, most often in 2 scenes, median 2"),
        "real foregrounds used": ("3 at hand", "2, most often in 4 scenes, median 3"),
        "samples that hold a licence": ("", "5 CC0-1.0, 2 MIT"),
    }
    assert lines == wanted


def test_places_and_overhang_by_hand(tmp_path: Path) -> None:
    columns = read_facts(plant(tmp_path / "out", ROWS)).columns
    assert columns["x"] == pytest.approx([0.5, 0.15, 0.125, 0.54, 0.5])
    assert columns["y"] == pytest.approx([0.625, 0.125, 0.25, 0.25, 0.625])
    assert columns["overhang"] == pytest.approx([0, 0.2, 0, 0.04, 0])


def test_twins_do_not_count_as_drawn(tmp_path: Path) -> None:
    first = sample(0, "middle", "dog", "hill", "cat", pair="train_000000001", **hidden(0.4, 0.41))
    twin = sample(1, "middle", "dog", "hill", pair="train_000000000")
    out = plant(tmp_path / "out", [first, twin, *ROWS[2:4]], paired=True)
    lines = {row.name: row.achieved for row in report(out)}
    assert lines["samples"] == "4"
    assert lines["un-occluded twins"] == "1, left out of what follows"
    assert lines["occluded targets"] == "66.7 % (2 of 3)"
    assert lines["real backgrounds used"] == "2, most often in 3 scenes, median 2"


def test_nothing_occluded(tmp_path: Path) -> None:
    out = plant(tmp_path / "out", [ROWS[0], ROWS[3]], occlusion={"fraction": 0.0})
    lines = {row.name: row.achieved for row in report(out)}
    assert lines["visible fraction where occluded"] == "none"
    assert lines["visible fraction as drawn"] == "none occluded"
    assert len(figure(require_finished(out).manifest, read_facts(out)).axes) == 7


def test_plots_show_the_numbers(tmp_path: Path) -> None:
    out = plant(tmp_path / "out", ROWS)
    facts = read_facts(out)
    visible, area, shares, iou, places, use, _bar = figure(require_finished(out).manifest, facts).axes
    heights = np.array([p.get_height() for p in visible.patches])
    assert {k: h for k, h in enumerate(heights) if h} == {7: 1, 10: 1}  # 0.36 and 0.52 in bins of 0.05
    line = visible.lines[0].get_xydata()
    assert line[:, 0].tolist() == [0.3, 0.3, 0.95, 0.95]
    assert line[1, 1] * 0.65 / 0.05 == pytest.approx(2)  # as many asked as achieved
    assert sum(p.get_height() for p in area.patches) == 5
    assert [p.get_width() for p in shares.patches] == pytest.approx([0.6, 0.2, 0.2, 0.8, 0.4, 0.2, 0.25])
    asked = [segment[0][0] for segment in shares.collections[0].get_segments()]
    assert asked == pytest.approx([0.3, 0.45, 0.25, 0.5, 0.6, 0.7, 0.1])
    assert [t.get_text() for t in iou.get_yticklabels()] == ["exact", "box"]
    counts = places.images[0].get_array()
    assert counts.sum() == 5
    assert counts[7, 6] == 2  # both in the middle, 0.625 down
    assert [line.get_label() for line in use.lines] == [
        "2 real backgrounds",
        "1 generated foregrounds",
        "3 real foregrounds",
    ]
    assert use.lines[2].get_ydata().tolist() == [4, 2, 0]


@pytest.mark.parametrize(("median", "sigma", "bounds"), [(0.1, 0.5, (0.02, 0.45)), (0.3, 1.2, (0.05, 0.9))])
def test_asked_area_is_the_truncated_log_normal(median: float, sigma: float, bounds: tuple[float, float]) -> None:
    objects = Manifest.model_fields["objects"].annotation(area_median=median, area_sigma=sigma, area_bounds=bounds)
    edges = np.geomspace(bounds[0] / 2, bounds[1], 21)
    cumulative = stats.lognorm(sigma, scale=median).cdf(np.clip(edges, *bounds))
    assert _asked_area(objects, edges) == pytest.approx(np.diff(cumulative) / (cumulative[-1] - cumulative[0]))


def test_picture_is_written_the_same_twice(tmp_path: Path) -> None:
    out = plant(tmp_path / "out", ROWS)
    first = write_plots(out).read_bytes()
    assert write_plots(out).read_bytes() == first
    with Image.open(out / "distributions.png") as picture:
        assert picture.size == (1650, 924)
        assert "Software" not in picture.info


def test_inspect_prints_and_writes(small_build: Path, copy_of: Callable[[Path], Path]) -> None:
    out = copy_of(small_build)
    result = CliRunner().invoke(app, ["inspect", str(out), "--count", "3"], env={"COLUMNS": "160"})
    assert result.exit_code == 0, result.output
    text = " ".join(result.output.split())
    assert "asked achieved samples 12 at 128 px 12 " in text
    assert "visible fraction as drawn within 0.03 100 % (" in text
    assert text.endswith(f"look at {out / 'preview.png'} look at {out / 'distributions.png'}")
    assert (out / "preview.png").is_file()
    assert (out / "distributions.png").is_file()


def test_unfinished_build_is_refused(tmp_path: Path) -> None:
    out = plant(tmp_path / "out", ROWS)
    (out / "index.json").unlink()
    with pytest.raises(ShardError) as caught:
        report(out)
    text = f"{out}: this build is not finished: {out / 'index.json'} is missing; run layerloom build again"
    assert str(caught.value) == text
