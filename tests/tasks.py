"""Tasks for the runner's tests. They live in a file that worker processes can import."""

import os
import signal
import sys
from pathlib import Path


class UnpicklableError(Exception):
    """An error that cannot be rebuilt from its arguments in another process."""

    def __init__(self, a: int, b: int) -> None:
        super().__init__(f"{a} and {b}")


def work(task: tuple[str, str]) -> object:
    """Do what the task's first word says. The second is a folder, in which a task leaves one line a try."""
    action, folder = task
    _count(action, folder)
    word = action.split("-")[0]
    return {"square": _square, "fail": _fail, "leave": _leave, "kill": _kill, "crash": _crash}[word](action, folder)


def _count(action: str, folder: str) -> None:
    with (Path(folder) / action).open("a") as file:
        file.write(f"{os.getpid()}\n")


def tries(action: str, folder: Path) -> int:
    """How often a task was started."""
    return len((folder / action).read_text().splitlines())


def _square(action: str, folder: str) -> int:
    return int(action.split("-")[1]) ** 2


def _fail(action: str, folder: str) -> None:
    kind = action.split("-")[1]
    raise {
        "value": ValueError("bad value"),
        "os": OSError(28, "No space left on device", "shard.tar"),
        "key": KeyError("horizon"),
        "empty": ValueError(),
        "pickle": UnpicklableError(1, 2),
        "assert": AssertionError("our bug"),
        "memory": MemoryError(),
    }[kind]


def _leave(action: str, folder: str) -> None:
    os._exit(3)


def _kill(action: str, folder: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _crash(action: str, folder: str) -> str:
    """Kill the worker the first two times, then end well."""
    if tries(action, Path(folder)) < 3:
        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    return "survived"


class Counting:
    """A function that knows how often its maker made it: `made` in a folder gets a line each time."""

    def __init__(self, folder: str) -> None:
        _count("made", folder)
        self.calls = 0

    def __call__(self, action: str) -> object:
        """(process, place among the calls of this worker); `die` kills it, `fail` raises."""
        self.calls += 1
        if action == "die":
            os._exit(3)
        if action == "fail":
            raise ValueError("bad value")
        return os.getpid(), self.calls


def no_maker(folder: str) -> Counting:
    """A maker that cannot load its model."""
    raise ValueError(f"no model in {folder}")
