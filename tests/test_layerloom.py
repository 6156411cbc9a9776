"""The one command: both halves under one name, light to start, and one message for what a user can mend."""

import ast
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

import layerloom
from evaluation import __main__ as evaluation
from model import __main__ as model
from pipeline import __main__ as pipeline
from pipeline.run import ClusterError
from pipeline.shards import ShardError
from pipeline.sources import AssetError
from publish import __main__ as publish
from stages.settings import ManifestError

ROOT = Path(__file__).resolve().parent.parent
CONFIG = """
name = "tiny"
steps = 1
batch_size = 1
base = { model = "nowhere" }
data = { location = ["configured"], task = "decompose", buckets = [[64, 64]], source_size = 64 }
"""


def names(app: Any) -> set[str]:
    return set(get_command(app).commands)


def run(*args: str, module: str = "layerloom") -> tuple[int, str]:
    """Exit status and stderr of the command in a process of its own."""
    done = subprocess.run([sys.executable, "-m", module, *args], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch, capsys):
    """Run the command in this process; its exit status and stderr."""

    def of(*args: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["layerloom", *args])
        with pytest.raises(SystemExit) as stop:
            layerloom.main()
        return stop.value.code, capsys.readouterr().err.strip()

    return of


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What `model.train.train`, which here only notes it, is called with."""
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setitem(sys.modules, "model.train", SimpleNamespace(train=lambda *given: calls.append(given)))
    return calls


def test_all_parts_are_there_and_hide_nothing_of_each_other() -> None:
    parts = [names(part.app) for part in (pipeline, model, evaluation, publish)]
    assert {"build", "validate", "assets", "export", "explore", "train", "evaluate", "publish"} <= names(layerloom.app)
    assert names(layerloom.app) == set().union(*parts)
    assert len(names(layerloom.app)) == sum(len(part) for part in parts)


@pytest.mark.parametrize("args", [(), ("build",), ("assets", "report"), ("train",), ("evaluate",), ("publish",)])
def test_every_level_has_help(args: tuple[str, ...]) -> None:
    result = CliRunner().invoke(layerloom.app, [*args, "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.output


@pytest.mark.parametrize("args", [("bild",), ("train",), ("train", "x.toml", "--device", "tpu"), ("status",)])
def test_wrong_usage_ends_with_status_2(args: tuple[str, ...], main) -> None:
    assert main(*args)[0] == 2


def test_errors_of_the_evaluation_are_one_message(main, tmp_path: Path) -> None:
    status, text = main("evaluate", "removal-car", "--out", str(tmp_path))
    assert (status, text) == (1, "error: removal-car: no such protocol; did you mean 'removal-cars'?")


def test_errors_of_the_data_engine_are_one_message(main, tmp_path: Path) -> None:
    assert main("status", str(tmp_path)) == (
        1,
        f"error: {tmp_path}: no build here: {tmp_path / '.build' / 'build.json'} is missing",
    )


def test_errors_of_the_model_are_one_message(main, config: Path) -> None:
    near = config.with_name("tinny.toml")
    assert main("train", str(near)) == (1, f"error: {near}: no such file; did you mean 'tiny.toml'?")
    config.write_text(CONFIG.replace("steps", "stepz"))
    code, text = main("train", str(config))
    assert code == 1
    assert f"{config}: stepz: unknown key; did you mean 'steps'?" in text


@pytest.mark.parametrize("kind", [ManifestError, AssetError, ShardError, ClusterError, model.MissingError])
def test_each_known_error_is_told_with_status_1(kind: type[ValueError], capsys) -> None:
    def fail() -> None:
        raise kind("[red]x[/red] is\nwrong")

    with pytest.raises(SystemExit) as stop:
        pipeline.run(fail, layerloom.errors)
    assert stop.value.code == 1
    assert capsys.readouterr().err == "error: [red]x[/red] is\nwrong\n"


@pytest.mark.parametrize("kind", [AssertionError, ValueError, TypeError])
def test_a_bug_keeps_its_traceback(kind: type[Exception], capsys) -> None:
    def fail() -> None:
        raise kind("ours")

    with pytest.raises(kind, match="ours"):
        pipeline.run(fail, layerloom.errors)
    assert capsys.readouterr().err == ""


def test_every_error_of_the_model_for_users_is_known() -> None:
    found = set()
    for path in (ROOT / "model").rglob("*.py"):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and "ValueError" in map(ast.unparse, node.bases):
                found.add((module, node.name))
    assert found == {*model._ERRORS.items(), ("model.__main__", "MissingError")}


def test_errors_of_a_module_count_once_it_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    class ModelError(ValueError):
        """Stands for the one of `model.transformer`, which needs torch."""

    monkeypatch.delitem(sys.modules, "model.transformer", raising=False)
    assert ModelError not in layerloom.errors()
    monkeypatch.setitem(sys.modules, "model.transformer", SimpleNamespace(ModelError=ModelError))
    assert ModelError in layerloom.errors()


def test_train_takes_its_folder_from_the_name(config: Path, trained: list[Any]) -> None:
    assert CliRunner().invoke(layerloom.app, ["train", str(config)]).exception is None
    [(loaded, out, device, resume)] = trained
    assert (loaded.name, loaded.data.location) == ("tiny", ("configured",))
    assert (out, device, resume) == (Path("out/tiny"), "cpu", True)


def test_train_obeys_its_options(config: Path, trained: list[Any]) -> None:
    options = ["--out", "elsewhere", "--data", "a", "--data", "b", "--device", "cuda", "--no-resume"]
    assert CliRunner().invoke(layerloom.app, ["train", str(config), *options]).exception is None
    [(loaded, out, device, resume)] = trained
    assert loaded.data.location == ("a", "b")
    assert loaded.model_dump(exclude={"data"}) == model_of(config).model_dump(exclude={"data"})
    assert loaded.data.model_dump(exclude={"location"}) == model_of(config).data.model_dump(exclude={"location"})
    assert (out, device, resume) == (Path("elsewhere"), "cuda", False)


def model_of(path: Path) -> Any:
    from model.config import load_config

    return load_config(path)


def test_without_torch_training_says_what_to_install(config: Path, main, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "model.train", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    code, text = main("train", str(config))
    assert (code, text) == (1, "error: torch is not installed; pip install 'layerloom[train]'")


def test_a_module_of_ours_that_is_missing_is_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "model.train", None)
    with pytest.raises(ModuleNotFoundError, match=r"model\.train"):
        model._trainer()


def test_the_command_starts_without_heavy_libraries() -> None:
    heavy = {"torch", "ray", "diffusers", "transformers", "matplotlib"}
    code = "import sys, layerloom, model.config; sys.stdout.write(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "model.config" in done.stdout.split()
    assert heavy.isdisjoint(done.stdout.split())


def test_it_runs_as_a_module_and_so_does_the_data_engine_alone(tmp_path: Path) -> None:
    said = f"error: {tmp_path}: no build here: {tmp_path / '.build' / 'build.json'} is missing\n"
    assert run("status", str(tmp_path)) == (1, said)
    assert run("status", str(tmp_path), module="pipeline") == (1, said)
    assert run("train", "x.toml", module="pipeline")[0] == 2  # the model's command is not among them
    assert run("--help", module="model") == (0, "")
