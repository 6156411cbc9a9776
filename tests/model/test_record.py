"""What a run records of itself: against the files that it read, with hashes and versions found another way."""

import hashlib
import re
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from pathlib import Path
from typing import Any

import orjson
import pytest
import torch

from model.config import TrainConfig
from model.precompute import precompute
from model.record import (
    FORMAT,
    data_record,
    public_config,
    public_model,
    public_place,
    read_record,
    write_record,
)
from model.train import train
from model.transformer import ModelError
from tests.model.bases import plain_config, save_vae
from tests.model.runs import in_processes, tiny_config, train_interrupted, write_data

ABOUT = {"name": "scenes", "fingerprint": "ab" * 32, "samples": 20, "versions": {"numpy": "2"}}


def write_scenes(folder: Path) -> str:
    """A data set whose index tells what the data engine's does."""
    write_data(folder)
    index = orjson.loads((folder / "index.json").read_bytes())
    (folder / "index.json").write_bytes(orjson.dumps(ABOUT | index))
    return str(folder)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_scenes(tmp_path_factory.mktemp("here") / "scenes-of-mine")


@pytest.fixture(scope="module")
def made(data: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tiny_config(data), tmp_path_factory.mktemp("run"))


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def told(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads((folder / "training.json").read_bytes())
    return found


def test_a_run_records_its_configuration_data_and_libraries(data: str, made: Path) -> None:
    found, config = told(made), tiny_config(data)
    assert list(found) == ["format", "config", "steps", "processes", "data", "latents", "versions"]
    assert (found["format"], found["steps"], found["processes"], found["latents"]) == (1, 6, 1, None)
    public = config.model_dump(mode="json")
    public["data"]["location"] = ["scenes-of-mine"]
    assert found["config"] == public
    assert TrainConfig.model_validate(found["config"]).optimiser == config.optimiser
    about = {key: ABOUT[key] for key in ("name", "fingerprint", "samples")}
    assert found["data"] == [{"location": "scenes-of-mine", **about, "sha256": sha256(Path(data) / "index.json")}]
    assert found["versions"]["torch"] == metadata.version("torch")
    assert {"layerloom", "diffusers", "peft", "transformers", "python"} <= set(found["versions"])


def test_no_path_of_the_machine_is_told(made: Path) -> None:
    text = (made / "training.json").read_text()
    assert not re.search(r'"[^"]*(/tmp|/home|/root|/work)[^"]*"', text)
    assert str(made.parent) not in text


def test_the_same_run_writes_the_same_bytes_however_often_it_stopped(data: str, made: Path, tmp_path: Path) -> None:
    train_interrupted(tiny_config(data), tmp_path, 4)
    assert not (tmp_path / "model").exists()
    assert (train(tiny_config(data), tmp_path) / "training.json").read_bytes() == (made / "training.json").read_bytes()
    (tmp_path / "model" / "training.json").unlink()
    train(tiny_config(data), tmp_path)  # there was nothing left to do
    assert (tmp_path / "model" / "training.json").read_bytes() == (made / "training.json").read_bytes()


def test_what_was_written_is_read_back(made: Path, tmp_path: Path) -> None:
    record = read_record(made)
    assert record is not None
    write_record(tmp_path, record)
    assert (tmp_path / "training.json").read_bytes() == (made / "training.json").read_bytes()
    assert read_record(tmp_path / "older") is None


def _two(data: str, out: str) -> None:
    train(tiny_config(data, steps=2), Path(out))


def test_one_of_two_processes_writes_for_both(data: str, tmp_path: Path) -> None:
    in_processes(2, _two, data, str(tmp_path))
    assert told(tmp_path / "model")["processes"] == 2
    assert told(tmp_path / "model")["data"][0]["samples"] == 20


@pytest.mark.parametrize("gone", [False, True])
def test_latents_are_recorded_even_where_their_data_set_is_gone(tmp_path: Path, gone: bool) -> None:
    data, latents = write_scenes(tmp_path / "scenes"), tmp_path / "somewhere" / "latents"
    precompute(plain_config(data), latents)
    index = orjson.loads((latents / "index.json").read_bytes())
    if gone:
        (tmp_path / "scenes").rename(tmp_path / "moved")
    found = told(train(plain_config(data, precomputed=str(latents)), tmp_path / "run"))
    assert found["latents"] == {
        "location": "latents", "name": None, "fingerprint": index["source"], "samples": index["num_samples"],
        "sha256": sha256(latents / "index.json"),
    }  # fmt: skip
    assert found["config"]["precomputed"] == "latents"
    assert found["data"][0]["location"] == "scenes"
    assert found["data"][0]["samples"] == (None if gone else 20)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def test_a_data_set_behind_an_address(tmp_path: Path) -> None:
    write_scenes(tmp_path / "web" / "scenes")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=tmp_path / "web")) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/scenes"
        found = data_record(address)
        server.shutdown()
    assert found.location == address
    assert (found.name, found.samples) == ("scenes", 20)
    assert found.sha256 == sha256(tmp_path / "web" / "scenes" / "index.json")


@pytest.mark.parametrize(
    ("index", "known"),
    [
        (b"{}", {}),
        (b"[1]", {}),
        (b'{"name": 3, "fingerprint": null, "samples": "x"}', {}),
        (b'{"name": "n", "samples": 4}', {"name": "n", "samples": 4}),
    ],
)
def test_what_an_index_does_not_say_is_left_open(tmp_path: Path, index: bytes, known: dict[str, Any]) -> None:
    (tmp_path / "index.json").write_bytes(index)
    found = data_record(str(tmp_path)).model_dump(exclude_none=True)
    assert found == {"location": tmp_path.name, "sha256": hashlib.sha256(index).hexdigest(), **known}
    (tmp_path / "index.json").write_bytes(b"no JSON")
    assert data_record(str(tmp_path)).model_dump(exclude_none=True) == {"location": tmp_path.name}


def test_models_of_other_kinds_have_records_too(data: str, tmp_path: Path) -> None:
    few: dict[str, Any] = {"adapt": {}, "optimiser": {"warmup": 0}, "steps": 1}
    amodal = tiny_config(data, kind="amodal", base={}, amodal={"width": 8}, **few)
    save_vae(tmp_path / "my-base")
    codec = tiny_config(data, kind="codec", base={"model": str(tmp_path / "my-base")}, **few)
    for name, config in {"amodal": amodal, "codec": codec}.items():
        torch.manual_seed(0)
        found = told(train(config, tmp_path / name))
        assert found["config"]["kind"] == name
    assert found["config"]["base"]["model"] == "my-base"


@pytest.mark.parametrize(
    ("place", "public"),
    [
        ("out/sample", "sample"),
        ("/data/of/somebody/scenes/", "scenes"),
        ("../scenes", "scenes"),
        ("/", "data"),
        ("https://host/a/b", "https://host/a/b"),
        ("https://me:secret@host:8080/a?token=x#y", "https://host:8080/a"),
    ],
)
def test_places_without_what_is_private(place: str, public: str) -> None:
    assert public_place(place) == public


def test_models_without_what_is_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).resolve().parents[2]
    (tmp_path / "org" / "here").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    names = {
        "weights/nano-fill": "weights/nano-fill",
        str(root / "weights" / "nano-fill"): "weights/nano-fill",
        "black-forest-labs/FLUX.1-Fill-dev": "black-forest-labs/FLUX.1-Fill-dev",
        "/home/somebody/flux": "flux",
        "/data/runs/mine/model": "mine",
        "out/mine/model/": "mine",
        "org/here": "here",  # a folder, though it looks like an id
    }
    assert {name: public_model(name) for name in names} == names


def test_every_place_of_a_configuration_is_made_public() -> None:
    secret = "/home/somebody/thing"
    fusion = {"modalities": ["depth"], "amodal_model": secret, "segmentation_model": secret, "depth_model": secret}
    config = TrainConfig.model_validate(
        {
            "name": "x",
            "steps": 1,
            "batch_size": 1,
            "base": {"model": secret, "rgba": secret, "spec": {"base": secret, "fusion": fusion}},
            "adapt": {"fusion": fusion},
            "data": {"location": [secret, f"https://me:pw@host{secret}?sig=1"]},
            "precomputed": secret,
        }
    )
    public = public_config(config)
    assert secret not in orjson.dumps(public["base"] | public["adapt"]).decode()
    assert public["precomputed"] == "thing"
    assert public["data"]["location"] == ["thing", f"https://host{secret}"]
    assert TrainConfig.model_validate(public).steps == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"{", r"training\.json: cannot be read: "),
        (b"{}", r"training\.json: config: "),
        (None, rf"training\.json: format must be {FORMAT}, is 9$"),
    ],
)
def test_a_damaged_record_is_told(made: Path, tmp_path: Path, text: bytes | None, said: str) -> None:
    (tmp_path / "training.json").write_bytes(orjson.dumps(told(made) | {"format": 9}) if text is None else text)
    with pytest.raises(ModelError, match=said):
        read_record(tmp_path)
