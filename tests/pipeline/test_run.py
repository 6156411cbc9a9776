"""Running tasks: every task gives one result, and no task can take the others down."""

from pathlib import Path

import pytest

from pipeline.run import ClusterError, Failure, run_tasks
from tests.tasks import tries, work

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
