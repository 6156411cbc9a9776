"""Runs on Ray Train, with workers on the CPU."""

import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from model.data.options import DataOptions
from model.launch import LOG, LaunchError, launch, run_worker
from model.report import Reporter, Step
from model.train import train
from tests.model.runs import metrics, model_weights, tiny_config, write_data

# Ray warns of its own use of what it has deprecated itself.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray", "ignore::DeprecationWarning:<string>")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_data(tmp_path_factory.mktemp("data"))


def dies_once(job: dict[str, Any]) -> None:
    """The real worker, but that of rank 1 is killed after step 5 when that happens for the first time."""
    told, died = Reporter.step, Path(job["out"]) / "died"

    def tell(self: Reporter, done: Step) -> None:
        told(self, done)
        if done.step == 5 and os.environ["RANK"] == "1" and not died.exists():
            died.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    Reporter.step = tell
    run_worker(job)


def test_a_run_whose_worker_was_killed_ends_as_one_on_its_own(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = launch(tiny_config(data), tmp_path / "ray", num_workers=2, work=dies_once)
    assert made == tmp_path / "ray" / "model"
    assert (tmp_path / "ray" / "died").exists()
    told = capsys.readouterr().out
    assert (tmp_path / "ray" / LOG).read_text().splitlines()[-1] in told
    assert re.findall(r"(?m)^(2 workers begin|step \d)(?:/6|$)", told) == [
        *("2 workers begin", "step 1", "step 2", "step 3", "step 4", "step 5"),
        *("2 workers begin", "step 4", "step 5", "step 6"),
    ]
    train(tiny_config(data, batch_size=4), tmp_path / "one")
    found, expected = metrics(tmp_path / "ray"), metrics(tmp_path / "one")
    assert list(found) == list(expected)
    assert torch.allclose(torch.tensor([*found.values()]), torch.tensor([*expected.values()]), rtol=0, atol=1e-6)
    ray, one = model_weights(tmp_path / "ray"), model_weights(tmp_path / "one")
    assert max(float((ray[k] - one[k]).abs().max()) for k in one if one[k].numel()) < 1e-5


def test_the_error_of_a_worker_is_the_error_of_the_run(data: str, tmp_path: Path) -> None:
    config = tiny_config(data, name="lost").model_copy(update={"data": DataOptions(location=("nowhere",))})
    with pytest.raises(LaunchError, match=r"^nowhere: no data set: it has no index.json"):
        launch(config, tmp_path, num_workers=1, max_failures=0)


def test_a_cluster_that_does_not_answer_is_named(data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def refuse(**options: Any) -> None:
        asked.append(options)
        raise ConnectionError("Failed to connect\nmuch more")

    monkeypatch.setattr("ray.init", refuse)  # Ray itself tries for minutes
    text = r"^no Ray cluster at address 'head:6379' \(--address or RAY_ADDRESS\): Failed to connect; a cluster"
    with pytest.raises(LaunchError, match=text):
        launch(tiny_config(data), tmp_path, num_workers=1, address="head:6379")
    assert [Path(p).name for p in asked[0]["runtime_env"]["py_modules"]] == ["stages", "model"]
    assert all((Path(p) / "__init__.py").is_file() for p in asked[0]["runtime_env"]["py_modules"])
    assert set(asked[0]["runtime_env"]) == {"py_modules"}  # no environment, so no token
