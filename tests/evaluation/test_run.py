"""Whole evaluations of a small folder: numbers, resuming, what is counted, and the command."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import layerloom
from evaluation.commands import evaluate_all, present, write_reports
from evaluation.errors import EvalError
from evaluation.metrics.bootstrap import interval, paired
from evaluation.metrics.psnr import psnr
from evaluation.protocol import Protocol
from evaluation.results import ProtocolResult, Report
from evaluation.run import evaluate
from evaluation.scoring import metrics
from stages.codec import decode_png, encode_png
from stages.settings import ManifestError

IDS = ["a", "b/c", "d"]


def scenes(folder: Path) -> Path:
    """Three pictures of 48 x 40 px: a square over a slope, which is hidden by nothing."""
    for number, id in enumerate(IDS):
        g = np.random.default_rng(number)
        slope = np.linspace(40, 200, 48, dtype=np.float32)[None, :, None] + np.arange(3, dtype=np.float32) * 10
        clean = np.broadcast_to(slope, (40, 48, 3)).astype(np.uint8).copy()
        mask = np.zeros((40, 48), np.uint8)
        mask[10 + number : 24, 12:30] = 255
        picture = np.where(mask[..., None] > 0, g.integers(0, 256, (40, 48, 3), np.uint8), clean)
        path = folder / "set" / id
        path.parent.mkdir(parents=True, exist_ok=True)
        for kind, pixels in {"input": picture, "clean": clean, "mask": mask}.items():
            path.with_name(f"{path.name}.{kind}.png").write_bytes(encode_png(pixels))
    return folder


def protocol(**changes: Any) -> Protocol:
    plain = {
        "name": "small", "revision": 3, "task": "removal", "description": "d", "size": 0, "ring": 4,
        "metrics": ["psnr.mask", "psnr.outside", "sad"], "methods": ["copy-input", "mean-fill", "telea"],
        "reference": "mean-fill", "data": {"kind": "plain", "path": "set"},
    }  # fmt: skip
    return Protocol.model_validate(plain | changes)


def run(root: Path, out: Path, asked: Protocol | None = None) -> ProtocolResult:
    told: list[tuple[str, int, int]] = []
    report = evaluate([asked or protocol()], [root], out, lambda *what: told.append(what))
    assert told
    assert all(0 <= done <= total for _, done, total in told)
    return report.protocols[0]


def files(out: Path) -> dict[str, tuple[int, bytes]]:
    return {str(p): (p.stat().st_mtime_ns, p.read_bytes()) for p in out.rglob("*.*") if p.is_file()}


def test_numbers_are_those_of_the_answers_on_disk(tmp_path: Path) -> None:
    found = run(scenes(tmp_path), tmp_path / "out")
    assert [item.id for item in found.items] == IDS
    assert found.left == []
    by_method = {m.name: m for m in found.methods}
    values: dict[str, list[float]] = {}
    for item in found.items:
        clean, mask = (decode_png((tmp_path / "set" / f"{item.id}.{k}.png").read_bytes()) for k in ("clean", "mask"))
        for name in by_method:
            made = decode_png((tmp_path / "out" / item.pictures[f"{name}/background"]).read_bytes())
            expected = psnr(made, clean, mask > 0)
            assert item.scores[name]["psnr.mask"] == expected
            assert item.scores[name]["sad"] is None  # no alpha is known
            values.setdefault(name, []).append(expected)
    for name, method in by_method.items():
        mean = interval(values[name], 0)
        score = method.scores["psnr.mask"]
        assert (score.mean, score.low, score.high, score.count) == (mean.mean, mean.low, mean.high, 3)
        assert method.scores["sad"].mean is None
    difference = by_method["telea"].differences["psnr.mask"]
    assert difference.mean == paired(values["telea"], values["mean-fill"], 0).mean
    assert by_method["mean-fill"].differences == {}
    assert by_method["telea"].scores["psnr.mask"].mean > by_method["copy-input"].scores["psnr.mask"].mean  # type: ignore[operator]


def test_a_second_run_does_nothing_again(tmp_path: Path) -> None:
    root, out = scenes(tmp_path / "in"), tmp_path / "out"
    first = run(root, out)
    before = files(out)
    assert run(root, out) == first
    assert files(out) == before


def test_one_more_metric_or_method_keeps_the_answers(tmp_path: Path) -> None:
    root, out = scenes(tmp_path / "in"), tmp_path / "out"
    run(root, out)
    before = {name: time for name, (time, _) in files(out).items() if name.endswith(".png")}
    more = protocol(metrics=["psnr.mask", "psnr.ring"], methods=["telea", "mean-fill", "mask-as-alpha"])
    found = run(root, out, more)
    after = {name: time for name, (time, _) in files(out).items() if name.endswith(".png")}
    assert {name: after[name] for name in before} == before
    assert [m.name for m in found.methods] == ["telea", "mean-fill", "mask-as-alpha"]
    assert found.items[0].scores["telea"].keys() == {"psnr.mask", "psnr.ring"}


def test_another_picture_under_the_same_name_is_answered_anew(tmp_path: Path) -> None:
    root, out = scenes(tmp_path / "in"), tmp_path / "out"
    first = run(root, out)
    path = root / "set" / "a.input.png"
    path.write_bytes(encode_png(255 - decode_png(path.read_bytes())))
    second = run(root, out)
    assert second.items[0].scores["copy-input"] != first.items[0].scores["copy-input"]
    assert second.items[1:] == first.items[1:]


def test_what_cannot_be_read_is_counted_and_the_rest_goes_on(tmp_path: Path) -> None:
    root = scenes(tmp_path / "in")
    (root / "set" / "a.mask.png").write_bytes(b"no picture")
    found = run(root, tmp_path / "out")
    assert [item.id for item in found.items] == IDS[1:]
    assert [(one.id, one.method) for one in found.left] == [("a", "")]
    assert "a.mask.png" in found.left[0].reason


def test_what_a_method_cannot_answer_is_counted(tmp_path: Path) -> None:
    root, answers = scenes(tmp_path / "in"), tmp_path / "answers"
    answers.mkdir()
    (answers / "a.background.png").write_bytes((root / "set" / "a.clean.png").read_bytes())
    asked = protocol(methods=[f"folder:{answers}", "mean-fill"])
    found = run(root, tmp_path / "out", asked)
    theirs = found.methods[0]
    assert theirs.failed == 2
    assert theirs.scores["psnr.mask"].mean == 100
    assert theirs.scores["psnr.mask"].count == 1
    assert [(one.id, one.method) for one in found.left] == [(id, f"folder:{answers}") for id in IDS[1:]]
    assert all("background.png" in one.reason for one in found.left)
    assert theirs.differences["psnr.mask"].count == 1


def test_a_count_takes_the_first_pictures(tmp_path: Path) -> None:
    found = run(scenes(tmp_path / "in"), tmp_path / "out", protocol(data={"kind": "plain", "path": "set", "count": 2}))
    assert [item.id for item in found.items] == IDS[:2]


def test_every_metric_can_be_kept(tmp_path: Path) -> None:
    root, out = scenes(tmp_path / "in"), tmp_path / "out"
    for id in IDS:
        path = root / "set" / id
        picture, mask = (decode_png(path.with_name(f"{path.name}.{k}.png").read_bytes()) for k in ("input", "mask"))
        visible = mask.copy()
        visible[:, 24:] = 0
        for kind, pixels in {"foreground": np.dstack([picture, mask]), "visible": visible}.items():
            path.with_name(f"{path.name}.{kind}.png").write_bytes(encode_png(pixels))
    asked = protocol(metrics=sorted(metrics()))
    first = run(root, out, asked)
    assert run(root, out, asked) == first
    assert all(None not in item.scores["telea"].values() for item in first.items)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    root = scenes(tmp_path)
    with pytest.raises(ManifestError, match=r"^small@3: data\.kind: unknown kind 'plein'; did you mean 'plain'\?$"):
        run(root, tmp_path / "out", protocol(data={"kind": "plein", "path": "set"}))
    with pytest.raises(EvalError, match=r"^small@3: data\.path: no such folder; looked for .*/sat$"):
        run(root, tmp_path / "out", protocol(data={"kind": "plain", "path": "sat"}))
    with pytest.raises(EvalError, match="teleo"):
        run(root, tmp_path / "out", protocol(methods=["teleo", "mean-fill"]))
    with pytest.raises(EvalError, match=r"^no test set in .*; `make data` builds one"):
        present([tmp_path / "nowhere"])


PROTOCOL = """
name = "small"
revision = 1
task = "removal"
description = "d"
size = 0
metrics = ["psnr.mask"]
methods = ["mean-fill"]
reference = "mean-fill"
data = { kind = "plain", path = "set" }
"""


def test_the_command_writes_three_reports(tmp_path: Path) -> None:
    root, path, out = scenes(tmp_path), tmp_path / "small.toml", tmp_path / "out"
    path.write_text(PROTOCOL)
    asked = ["evaluate", str(path), "--data", str(root), "--out", str(out), "--also", "telea"]
    result = CliRunner().invoke(layerloom.app, asked)
    assert result.exit_code == 0, result.output
    report = Report.model_validate(json.loads((out / "report.json").read_bytes()))
    assert [m.name for m in report.protocols[0].methods] == ["mean-fill", "telea"]
    assert "small@1" in (out / "report.md").read_text()
    page = (out / "report.html").read_text()
    assert "small@1" in page
    assert report.protocols[0].items[0].pictures["telea/background"] in page
    assert write_reports(report, out, True)[-1].read_text().count("data:image/png;base64,") >= 3


def test_methods_of_the_command_stand_in_place_of_the_protocols(tmp_path: Path) -> None:
    root, path = scenes(tmp_path), tmp_path / "small.toml"
    path.write_text(PROTOCOL)
    evaluate_all([str(path)], ["copy-input"], [], [root], tmp_path / "out", False, lambda *_: None)
    report = Report.model_validate(json.loads((tmp_path / "out" / "report.json").read_bytes()))
    assert [m.name for m in report.protocols[0].methods] == ["copy-input"]
    assert report.protocols[0].methods[0].differences == {}
