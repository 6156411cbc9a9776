"""A data set that the real pipeline built, and a server that offers it on loopback, with faults to order."""

import shutil
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import pytest
import torch

from model.data import download
from pipeline.build import build
from pipeline.load import load_manifest
from pipeline.manifest import Manifest
from pipeline.run import Machine
from tests.assets import write_assets

torch.set_num_threads(1)
cv2.setNumThreads(0)

_TINY = Path(__file__).resolve().parents[3] / "manifests" / "data" / "tiny.toml"
_CHANGES = {
    "name": "small",
    "size": 96,
    "samples": 26,
    "shard_size": 5,
    "splits": {"train": 0.85, "val": 0.15, "test": 0.0},
}


class _Silent:
    def stage(self, name: str, total: int) -> None:
        pass

    def advance(self, units: int, rejects: Counter[str]) -> None:
        pass

    def note(self, text: str) -> None:
        pass


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small data set: 22 samples of train in 5 shards of 4 and 5, 4 of val in one. Not to be written to."""
    root = tmp_path_factory.mktemp("built")
    write_assets(root / "build" / "tiny-assets")
    base = root / "manifests" / "data"
    base.mkdir(parents=True)
    manifest = Manifest.model_validate(load_manifest(_TINY).model_dump() | _CHANGES)
    assert not build(manifest, base, root / "out", root / "cache", Machine(), _Silent()).failed
    return root / "out"


@pytest.fixture
def copy(built: Path, tmp_path: Path) -> Path:
    """The same, to be damaged."""
    return shutil.copytree(built, tmp_path / "copy")


class Server:
    """Offers a folder. `seen` lists the paths asked for; `faults[path]` what the next answers do instead: a status,
    ("cut", bytes), ("to", address), or ("say", bytes) for other content."""

    def __init__(self, folder: Path) -> None:
        self.seen: list[str] = []
        self.faults: dict[str, deque[object]] = defaultdict(deque)
        self.folder = folder
        handler = type("Handler", (_Handler,), {"server_of": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    server_of: Server

    def do_GET(self) -> None:
        path = self.path.lstrip("/")
        self.server_of.seen.append(path)
        waiting = self.server_of.faults[path]
        fault = waiting.popleft() if waiting else None
        file = self.server_of.folder / path
        if isinstance(fault, int) or not file.is_file():
            self._answer(fault if isinstance(fault, int) else 404, b"no")
        elif isinstance(fault, tuple):
            self._misbehave(file.read_bytes(), *fault)
        else:
            self._answer(200, file.read_bytes())

    def _misbehave(self, data: bytes, kind: str, what: object) -> None:
        if kind == "to":
            self._answer(302, b"", {"Location": str(what)})
        elif kind == "say":
            assert isinstance(what, bytes)
            self._answer(200, what)
        else:
            assert isinstance(what, int)
            self._answer(200, data[:what], {"Content-Length": str(len(data))})

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], Server]]:
    """Start a server for a folder; no pause between tries."""
    monkeypatch.setattr(download, "_FIRST_PAUSE", 0.0)
    servers: list[Server] = []

    def start(folder: Path) -> Server:
        servers.append(Server(folder))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
