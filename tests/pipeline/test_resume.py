"""Builds that are killed at any moment: nothing half made is ever visible, and going on gives the same bytes."""

import hashlib
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.build import build
from pipeline.load import load_manifest
from pipeline.run import Machine
from tests.makers import Silent, hashes, write_small

ROOT = Path(__file__).resolve().parents[2]
SHARDS = 12
PATIENCE = 120.0  # seconds after which something hangs; no test waits so long unless it fails


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a manifest of 48 samples at 96 px in 12 shards, and its pictures."""
    path = write_small(tmp_path_factory.mktemp("resume"))
    path.write_text(path.read_text().replace("size = 64", "size = 96").replace("samples = 24", "samples = 48"))
    return path.parent


@pytest.fixture(scope="module")
def reference(base: Path) -> dict[str, str]:
    """SHA-256 of every file of an undisturbed build."""
    out = base / "reference"
    assert not build(load_manifest(base / "small.toml"), base, out, base / "cache", Machine(), Silent()).failed
    found = hashes(out)
    assert sum(name.startswith("data/") for name in found) == SHARDS
    return found


@pytest.fixture
def start(base: Path, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen]]:
    """Start `layerloom build` in a process of its own."""
    running: list[subprocess.Popen] = []

    def of(workers: int = 0, **options) -> subprocess.Popen:
        command = [sys.executable, "-m", "pipeline", "build", str(base / "small.toml"), "--workers", str(workers)]
        command += ["--out", str(tmp_path / "out"), "--cache", str(base / "cache")]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": ROOT}
        running.append(subprocess.Popen(command, **pipes, **options))
        return running[-1]

    yield of
    for process in running:
        process.kill()
        process.communicate()


class Watch:
    """Looks at a build from outside: a shard under its final name is whole, and a finished one is never touched."""

    def __init__(self, out: Path, reference: dict[str, str]) -> None:
        self._data, self._markers, self._reference = out / "data", out / ".build", reference
        self._seen: dict[str, tuple[int, int, int]] = {}
        self._finished: set[str] = set()

    def look(self) -> int:
        """Check all files; returns how many shards are finished."""
        names = [p.name for p in self._data.iterdir()] if self._data.is_dir() else []
        for name in names:
            if name.startswith("."):
                assert name.endswith(".tmp")
            else:
                self._check(name)
        return len(self._finished)

    def _check(self, name: str) -> None:
        path = self._data / name
        stat = path.stat()
        now = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
        if self._seen.get(name) != now:
            assert name not in self._finished, f"{name} was touched again"
            assert hashlib.sha256(path.read_bytes()).hexdigest() == self._reference[f"data/{name}"]
        self._seen[name] = now
        # A build that is killed between the two makes the shard again.
        if (self._markers / name).with_suffix(".parquet").exists():
            self._finished.add(name)

    def until(self, process: subprocess.Popen, enough: Callable[[], bool]) -> bool:
        """Look again and again until `enough`; False if the process ended before."""
        limit = time.monotonic() + PATIENCE
        while process.poll() is None:
            self.look()
            if enough():
                return True
            assert time.monotonic() < limit, "the build hangs"
            time.sleep(0.001)
        assert process.returncode == 0, process.communicate()
        return False

    def being_written(self) -> list[int]:
        """Processes that write a shard now. What killed ones left does not count."""
        pids = [int(p.name.split(".")[-2]) for p in self._data.glob(".*.tmp")] if self._data.is_dir() else []
        return [pid for pid in pids if command_of(pid)]


def kept(out: Path, reference: dict[str, str]) -> dict[str, str]:
    """The hashes of a folder, all of which must be in the reference but for what describes the data set."""
    return {name: found for name, found in hashes(out).items() if name in reference or name.startswith("data/")}


def test_the_driver_is_killed_at_random_moments(start, reference: dict[str, str], tmp_path: Path) -> None:
    draw = random.Random(2)
    out = tmp_path / "out"
    watch = Watch(out, reference)
    kills = 0
    for _ in range(4):
        goal = watch.look() + draw.randint(0, 2)
        process = start()
        busy = watch.until(process, lambda goal=goal: watch.look() >= goal and bool(watch.being_written()))
        moment = time.monotonic() + draw.uniform(0.0, 0.05)
        watch.until(process, lambda moment=moment: time.monotonic() >= moment)
        process.kill()
        process.communicate()
        kills += busy and watch.look() < SHARDS
    assert kills >= 3
    finished = watch.look()
    last = start()
    output, errors = last.communicate(timeout=PATIENCE)
    assert (last.returncode, errors) == (0, "")
    assert f"{finished} finished shards are kept\n" in output
    assert f"48 samples of 'small' ({48 - 4 * finished} made now) in {out}\n" in output
    assert watch.look() == SHARDS
    assert kept(out, reference) == reference
    assert list(out.rglob("*.tmp")) == []


def command_of(pid: int) -> str:
    """What a process is; empty once it has gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def test_a_ray_worker_is_killed(start, reference: dict[str, str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    watch = Watch(out, reference)
    process = start(workers=2)
    victims: list[int] = []
    assert watch.until(process, lambda: victims.extend(watch.being_written()) or bool(victims))
    victim = victims[0]
    assert command_of(victim).startswith("ray::")
    os.kill(victim, signal.SIGKILL)
    assert not watch.until(process, lambda: False)
    output, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, errors) == (0, ""), output
    assert watch.look() == SHARDS
    assert kept(out, reference) == reference
    assert list(out.rglob("*.tmp")) == []


def test_the_driver_of_ray_workers_is_killed(start, reference: dict[str, str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    watch = Watch(out, reference)
    process = start(workers=2)
    assert watch.until(process, lambda: watch.look() >= 2 and bool(watch.being_written()))
    workers = watch.being_written()
    process.kill()
    process.communicate()
    assert watch.look() < SHARDS
    limit = time.monotonic() + PATIENCE
    while any(command_of(pid).startswith("ray::") for pid in workers):  # they follow their driver within seconds
        assert time.monotonic() < limit, "workers outlive their driver"
        watch.look()
        time.sleep(0.05)
    last = start()
    output, errors = last.communicate(timeout=PATIENCE)
    assert (last.returncode, errors) == (0, ""), output
    assert watch.look() == SHARDS
    assert kept(out, reference) == reference


@pytest.mark.parametrize(
    ("limit", "first"),
    [
        (30_000, "error: 12 shards failed; run again to retry them:"),
        (1_000, "error: {out}: cannot be written: File too large"),
    ],
)
def test_a_full_disk(limit: int, first: str, start, reference: dict[str, str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    full = start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY)))
    output, errors = full.communicate(timeout=PATIENCE)
    assert full.returncode == 1, output
    lines = errors.splitlines()
    assert lines[0] == first.format(out=out)
    shards = sorted(name for name in reference if name.startswith("data/"))
    told = [f"{Path(name).name}: {out / name}: cannot be written: File too large" for name in shards]
    assert lines[1:] == (told if len(lines) > 1 else [])
    assert list((out / "data").iterdir()) == []
    assert list(out.rglob("*.tmp")) == []
    watch = Watch(out, reference)
    again = start()
    assert watch.until(again, lambda: watch.look() > 0)  # with room on the disk it goes on


def test_an_error_ends_the_command_with_one_message(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pipeline", "build", str(tmp_path / "no.toml"), "--out", str(tmp_path / "out")]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == f"error: {tmp_path / 'no.toml'}: no such manifest\n"
    assert not (tmp_path / "out").exists()
