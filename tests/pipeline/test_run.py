"""Running tasks: every task gives one result, and no task can take the others down."""

from pathlib import Path

import pytest

from pipeline.run import ClusterError, Failure, Machine, Needs, run_actors, run_tasks, session
from tests.tasks import Counting, no_maker, tries, work

FAILURES = {
    "fail-value": "bad value",
    "fail-os": "[Errno 28] No space left on device: 'shard.tar'",
    "fail-key": "KeyError: 'horizon'",
    "fail-empty": "ValueError",
    "fail-pickle": "UnpicklableError: 1 and 2",
    "fail-assert": "AssertionError: our bug",
    "fail-memory": "MemoryError: MemoryError",
}
DEADLY = ("kill", "leave")
DIED = "its worker died 3 times (killed, or out of memory)"


def outcomes(actions: list[str], folder: Path, workers: int) -> dict[str, object]:
    """Result by action; every task must give exactly one."""
    tasks = [(action, str(folder)) for action in actions]
    results = list(run_tasks(work, tasks, workers))
    assert sorted(place for place, _ in results) == list(range(len(tasks)))
    return {actions[place]: result for place, result in results}


def test_serial_keeps_order_and_goes_on_after_failures(tmp_path: Path) -> None:
    actions = ["square-3", *FAILURES, "square-4"]
    results = outcomes(actions, tmp_path, 0)
    assert list(results) == actions
    assert results == {"square-3": 9, "square-4": 16} | {a: Failure(text) for a, text in FAILURES.items()}


def test_serial_is_lazy(tmp_path: Path) -> None:
    results = run_tasks(work, [(f"square-{k}", str(tmp_path)) for k in range(3)], 0)
    assert next(results) == (0, 0)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["square-0"]


@pytest.mark.parametrize("workers", [0, 2])
def test_no_tasks(workers: int) -> None:
    assert list(run_tasks(work, [], workers)) == []


def test_keyboard_interrupt_is_no_failure_of_a_task() -> None:
    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(run_tasks(interrupted, [1], 0))


def test_ray_survives_failures_crashes_and_exits(tmp_path: Path) -> None:
    import ray

    squares = [f"square-{k}" for k in range(12)]
    actions = [*squares[:4], "kill", *FAILURES, "crash", *squares[4:], "leave"]
    results = outcomes(actions, tmp_path, 2)
    assert not ray.is_initialized()
    assert {a: results[a] for a in squares} == {f"square-{k}": k * k for k in range(12)}
    assert {a: results[a] for a in FAILURES} == {a: Failure(text) for a, text in FAILURES.items()}
    assert {a: results[a] for a in DEADLY} == dict.fromkeys(DEADLY, Failure(DIED))
    assert results["crash"] == "survived"
    assert {a: tries(a, tmp_path) for a in (*DEADLY, "crash")} == {"kill": 3, "leave": 3, "crash": 3}
    assert {tries(a, tmp_path) for a in (*squares, *FAILURES)} == {1}


@pytest.mark.parametrize("error", [ConnectionError("Failed to connect\nmore"), RuntimeError("Failed to connect")])
def test_no_cluster_where_one_was_asked_for(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    # Ray itself takes over a minute to give up on an address, so its answer is given here.
    import ray

    def refuse(**options: object) -> None:
        assert options["address"] == "head:6379"
        raise error

    monkeypatch.setattr(ray, "init", refuse)
    with pytest.raises(ClusterError, match=r"^no Ray cluster at address 'head:6379' .*: Failed to connect; a cluster"):
        list(run_tasks(work, [("square-1", "")], 1, "head:6379"))


def acted(actions: list[str], folder: Path, workers: int, **needs: float) -> list[object]:
    """Results of counting workers, in the order of the tasks."""
    found = list(run_actors(Counting, str(folder), actions, workers, needs=Needs(**needs)))
    assert sorted(place for place, _ in found) == list(range(len(actions)))
    return [result for _, result in sorted(found)]


def test_serially_the_function_is_made_once_and_only_for_tasks(tmp_path: Path) -> None:
    assert acted([], tmp_path, 0) == []
    assert not (tmp_path / "made").exists()
    results = acted(["go", "fail", "go"], tmp_path, 0)
    assert [r if isinstance(r, Failure) else r[1] for r in results] == [1, Failure("bad value"), 3]
    assert tries("made", tmp_path) == 1


def test_each_worker_makes_its_function_once_and_a_dead_one_is_replaced(tmp_path: Path) -> None:
    import ray

    with session():
        results = acted(["go", "fail", *["go"] * 8], tmp_path, 2)
        assert results[1] == Failure("bad value")
        good = [r for k, r in enumerate(results) if k != 1]
        assert len(set(good)) == 9  # had a worker made its function anew, its count would begin again
        assert len({process for process, _ in good}) <= tries("made", tmp_path) <= 2

        (tmp_path / "deaths").mkdir()
        results = acted(["go", "die", "go"], tmp_path / "deaths", 1)
        assert results[1] == Failure(DIED)
        assert all(isinstance(r, tuple) for r in (results[0], results[2]))
        assert tries("made", tmp_path / "deaths") >= 3  # each death takes one

        # Their cores are free again.
        assert outcomes(["square-2", "square-3"], tmp_path, 2) == {"square-2": 4, "square-3": 9}
        assert list(run_actors(no_maker, "here", ["go"], 2)) == [(0, Failure("no model in here"))]
        with pytest.raises(ClusterError, match=r"^a worker that holds a model needs 1 GPU, and there is 0$"):
            acted(["go"], tmp_path, 2, gpus=1.0)
        with pytest.raises(ClusterError, match=r"1e\+06 GB of memory, and there is \d+.*; --workers 0 asks for none$"):
            acted(["go"], tmp_path, 2, memory_gb=1e6)
        assert ray.is_initialized()
    assert not ray.is_initialized()


def test_needs_of_a_model() -> None:
    assert Machine(2).needs == Needs(1.0, 0.0, 3.0)
    assert Machine(2, device="cuda", gpu_share=0.5).needs == Needs(1.0, 0.5, 3.0)
