"""A Hub on loopback, a small build, and commands in processes of their own: the Hub's address is read on import."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hub_server import hub
from tests.pipeline.conftest import (  # noqa: F401
    copy_of,
    small_build,
    tiny_base,
    tiny_build,
    tiny_cache,
    tiny_manifest,
)

ROOT = Path(__file__).resolve().parents[2]


class Client:
    """Runs programs in `folder` that take `hub` for the Hub."""

    def __init__(self, hub, folder):
        self.hub, self.folder = hub, folder

    def environment(self, **more):
        known = {"no_proxy": "127.0.0.1,localhost", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        return os.environ | known | self.hub.env(self.folder / "home") | more

    def start(self, *words, **more):
        """`layerloom` with these words, running."""
        command = [sys.executable, "-m", "layerloom", *map(str, words)]
        return subprocess.Popen(command, cwd=self.folder, env=self.environment(**more), stderr=subprocess.PIPE)

    def layerloom(self, *words, **more):
        """The finished command, with its output as text."""
        return self.run(["-m", "layerloom", *map(str, words)], more)

    def python(self, code, *words, **more):
        """What a program prints."""
        done = self.run(["-c", code, *map(str, words)], more)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def run(self, command, more=None):
        """Python with these arguments."""
        env = self.environment(**(more or {}))
        return subprocess.run(
            [sys.executable, *command], cwd=self.folder, env=env, capture_output=True, text=True, timeout=300
        )


@pytest.fixture
def client(tmp_path):
    with hub(tmp_path / "hub") as server:
        yield Client(server, tmp_path)


@pytest.fixture(scope="session")
def published(tiny_build, tmp_path_factory):  # noqa: F811
    """A client for whose Hub tiny_build was published as org/tiny, and what the command said. Only to be read."""
    folder = tmp_path_factory.mktemp("published")
    with hub(folder / "hub") as server:
        client = Client(server, folder)
        done = client.layerloom("publish", tiny_build, "org/tiny")
        assert done.returncode == 0, done.stderr
        client.told = done.stdout
        yield client
