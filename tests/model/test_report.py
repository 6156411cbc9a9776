"""What a run says, read back from its files and its console."""

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
import torch
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor

from model.folder import load_model
from model.held_out import Checked, check_layers, held_out, small
from model.journal import Journal
from model.modalities import make_modalities
from model.parallel import World
from model.report import Reporter, Step, means, progress_line
from model.train import train
from stages.codec import decode_png
from tests.model.runs import last_state, tiny_config, train_interrupted
from tests.model.splits import HELD_OUT, write_splits

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_splits(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def finished(data: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    train(tiny_config(data, validate_every=2, validate_samples=4, log_every=2), out)
    return out


def rows(out: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in (out / "metrics.jsonl").read_bytes().splitlines()]


def board(out: Path) -> EventAccumulator:
    return EventAccumulator(str(out / "tensorboard"), size_guidance={"images": 0}).Reload()


def steps(*losses: tuple[float, float], seconds: float = 0.5, first: int = 1) -> list[Step]:
    return [
        Step(first + k, torch.tensor(pair), torch.tensor(1.5), 1e-3, seconds, 0.1, 8, 3_000_000)
        for k, pair in enumerate(losses)
    ]


def test_a_row_is_the_mean_of_its_steps() -> None:
    row = means(steps((1.0, 3.0), (2.0, 6.0), first=9))
    assert (row["step"], row["loss"], row["losses"]) == (10, 3.0, [1.5, 4.5])
    assert (row["samples_per_second"], row["seconds_per_step"]) == (16.0, 0.5)
    assert row["wait"] == pytest.approx(0.2)
    assert row["wait_ms"] == pytest.approx(100)


def test_the_line_says_all_of_it() -> None:
    row = means(steps((1.0, 3.0)))
    names = ("background", "foreground")
    plain = (
        "step 1/7201  loss 2.0000 (background 1.0000, foreground 3.0000)  norm 1.50  16.0 samples/s  "
        "data wait 100.0 ms (20.0%)"
    )
    assert progress_line(row, names, 7201) == plain + "  1:00:00 left"
    full = row | {"tflops": 0.125, "peak": 0.5, "memory_gib": 27.25}
    assert progress_line(full, names, 7201) == plain + "  0.125 TFLOP/s (50% of peak)  27.2 GiB  1:00:00 left"


def test_every_log_every_steps_make_a_row(finished: Path) -> None:
    told = [row for row in rows(finished) if "validation" not in row]
    assert [row["step"] for row in told] == [2, 4, 6]
    for row in told:
        assert row["loss"] == pytest.approx(sum(row["losses"]) / 2)
        assert row["tflops"] > 0
        assert row["peak"] > 0
        assert 0 <= row["wait"] <= 1
    curve = board(finished).Scalars("loss/background")
    assert [(point.step, point.value) for point in curve] == [
        (row["step"], pytest.approx(row["losses"][0])) for row in told
    ]


def test_validation_comes_when_asked_and_once_at_the_end(finished: Path) -> None:
    told = [row for row in rows(finished) if "validation" in row]
    assert [row["step"] for row in told] == [2, 4, 6]
    assert sorted(p.name for p in finished.glob("sheet-*.png")) == [f"sheet-00000{k}.png" for k in (2, 4, 6)]
    assert np.shape(told[-1]["levels"]) == (8, 2)
    points = board(finished).Scalars("validation/sampled/alpha_mae")
    assert [(p.step, pytest.approx(p.value)) for p in points] == [
        (row["step"], row["validation"]["sampled/alpha_mae"]) for row in told
    ]
    assert [image.step for image in board(finished).Images("validation/sheet")] == [2, 4, 6]


def test_the_last_validation_is_of_the_finished_model(data: str, finished: Path) -> None:
    """That holds the averaged weights."""
    config = tiny_config(data, validate_samples=4)
    loaded = load_model(str(finished / "model"))
    modalities = make_modalities(loaded.model.spec.fusion)
    checked = check_layers(loaded.model, loaded.codec, modalities, held_out(config), config.sample_steps, CPU)
    told = rows(finished)[-1]
    assert checked.losses.tolist() == pytest.approx(np.array(told["levels"]), rel=1e-6)
    stored = {name: float("nan") if value is None else value for name, value in told["validation"].items()}
    assert checked.scores == pytest.approx(stored, nan_ok=True)
    assert checked.scores["sampled/hole_psnr"] > 0
    pixels = np.rint(checked.picture.permute(1, 2, 0).numpy() * 255).astype(np.uint8)
    assert np.array_equal(decode_png((finished / "sheet-000006.png").read_bytes()), pixels)
    assert pixels.shape == (4 * 16, 8 * 16, 3)


def test_validation_leaves_the_run_alone(data: str, finished: Path, tmp_path: Path) -> None:
    train(tiny_config(data, log_every=2, validate_every=0), tmp_path)
    mine, other = last_state(tmp_path), last_state(finished)
    assert mine.keys() == other.keys()
    assert all(torch.equal(mine[k], other[k]) for k in mine)


def test_held_out_pictures_are_the_same_for_every_seed_and_not_augmented(data: str) -> None:
    config = tiny_config(data, validate_samples=100, batch_size=2)
    first, second = held_out(config), held_out(config.model_copy(update={"seed": 9}))
    assert [len(part.keys) for part in first] == [2, 2, 1]
    keys = [key for part in first for key in part.keys]
    assert len(set(keys)) == HELD_OUT
    assert set(keys) == {f"{k:06d}" for k in range(12, 17)}
    assert [part.keys for part in second] == [part.keys for part in first]
    flipped = config.model_copy(update={"data": config.data.model_copy(update={"flip": 1.0, "noise": 1.0})})
    assert all(torch.equal(a.composite, b.composite) for a, b in zip(first, held_out(flipped), strict=True))
    assert [len(part.keys) for part in held_out(config.model_copy(update={"validate_samples": 3}))] == [2, 1]


def test_batches_do_not_change_the_losses_of_what_they_hold(data: str, finished: Path) -> None:
    """A part's noise depends on its place, so one picture a part is compared with itself alone."""
    loaded = load_model(str(finished / "model"))
    views = make_modalities(loaded.model.spec.fusion)
    parts = held_out(tiny_config(data, validate_samples=3, batch_size=2))
    assert [len(part.keys) for part in parts] == [2, 1]
    both = check_layers(loaded.model, loaded.codec, views, parts, 1, CPU).losses
    first = check_layers(loaded.model, loaded.codec, views, parts[:1], 1, CPU).losses
    last = check_layers(loaded.model, loaded.codec, views, [parts[0]._replace(keys=()), parts[1]], 1, CPU).losses
    torch.testing.assert_close(both, (2 * first + last) / 3)


def test_without_held_out_pictures_a_run_says_so_and_ends_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_splits(tmp_path / "data", held_out=0)
    made = train(tiny_config(data, steps=1), tmp_path / "run")
    assert (made / "layers.json").is_file()
    assert f"step 1: no validation: {data}: no split 'val'; choose from train\n" in capsys.readouterr().out
    assert not list((tmp_path / "run").glob("sheet-*"))


def test_a_run_that_goes_on_replaces_what_it_does_anew(data: str, finished: Path, tmp_path: Path) -> None:
    config = tiny_config(data, validate_every=2, validate_samples=4, log_every=2)
    train_interrupted(config, tmp_path, 5)
    assert [row["step"] for row in rows(tmp_path)] == [2, 2, 4, 4]
    with (tmp_path / "metrics.jsonl").open("ab") as file:
        file.write(b'{"step": 5, "lo')  # as a process that was killed may leave it
    train(config, tmp_path)
    told = [(row["step"], "validation" in row) for row in rows(tmp_path)]
    assert told == [(2, False), (2, True), (4, False), (4, True), (6, False), (6, True)]
    assert [p.step for p in board(tmp_path).Scalars("loss/background")] == [2, 4, 6]
    assert rows(tmp_path)[-1]["levels"] == rows(finished)[-1]["levels"]
    before = rows(tmp_path)[:-1]
    train(config, tmp_path)
    assert rows(tmp_path)[:-1] == before


def test_the_other_processes_are_silent(data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Reporter(tmp_path, World(1, 2, CPU), tiny_config(data)) as reporter:
        for step in steps((1.0, 2.0), (1.0, 2.0)):
            reporter.step(step)
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().out == ""


def test_numbers_without_tensorboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    journal = Journal(tmp_path, 1, validation=False)
    journal.write({"step": 1})
    journal.scalars({"loss": 1.0}, 1)
    journal.picture("sheet", torch.zeros(3, 2, 2), 1)
    journal.close()
    assert not journal.complete
    assert [p.name for p in tmp_path.iterdir()] == ["metrics.jsonl"]
    reporter = Reporter(tmp_path, World(0, 1, CPU), tiny_config("x"))
    heard = io.StringIO()
    reporter._console = Console(file=heard)
    with reporter:
        reporter.step(steps((1.0, 2.0))[0])
    assert heard.getvalue().startswith("no TensorBoard files, for it is not installed (pip install tensorboard)")


def _picture(height: int, rows: int) -> Tensor:
    return torch.rand((3, height * rows, 2 * height), generator=torch.Generator().manual_seed(0))


def test_a_sheet_of_large_pictures_is_shrunk() -> None:
    assert torch.equal(small(_picture(256, 3), 3), _picture(256, 3))
    shrunk = small(_picture(512, 8), 20)
    assert shrunk.shape == (3, 8 * 256, 512)
    torch.testing.assert_close(shrunk, torch.nn.functional.avg_pool2d(_picture(512, 8), 2))


def test_scores_that_are_not_defined_are_null(tmp_path: Path) -> None:
    with Reporter(tmp_path, World(0, 1, CPU), tiny_config("x")) as reporter:
        reporter._validated(3, Checked(torch.ones(8, 2), {"a": float("nan")}, torch.zeros(3, 4, 4)), 0.5)
    assert rows(tmp_path)[0]["validation"] == {"a": None}
