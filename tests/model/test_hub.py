"""Models by name: what is a folder, what is asked of the Hub, and what is said where neither has it."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch

from evaluation.methods import METHODS
from model.amodal import AmodalNet, load_amodal, save_amodal
from model.codec import PixelCodec
from model.decompose import LayerDecompositionPipeline
from model.folder import load_model, save_model
from model.hub import locate, looks_like_id, shipped
from model.spec import Spec
from model.transformer import ModelError
from tests.hub_server import TOKEN, Fault, hub
from tests.model.tiny import FUSION, LORA, base, layer_model

ROOT = Path(__file__).resolve().parents[2]
SPEC = Spec(codec="pixel", pixel_factor=2, prediction="x0", hole="smooth", fusion=FUSION, lora=LORA)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A Hub with one model, asked with a token from a folder where nothing is."""
    folder = tmp_path / "model"
    save_model(folder, layer_model(SPEC, base()), PixelCodec(2))
    files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    with hub(tmp_path / "hub") as running:
        running.add("model", "org/tiny", files | {"evil.bin": b"pickle", "run.py": b"raise"})
        for name, value in {"HF_TOKEN": TOKEN, "NO_PROXY": "127.0.0.1,localhost"}.items():
            monkeypatch.setenv(name, value)
        fetch = partial(huggingface_hub.snapshot_download, endpoint=running.url, cache_dir=tmp_path / "cache")
        monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
        (tmp_path / "cwd").mkdir()
        monkeypatch.chdir(tmp_path / "cwd")
        yield running


def test_a_model_of_the_hub_is_the_one_that_was_put_there(server: Any, tmp_path: Path) -> None:
    far, near = load_model("org/tiny").model, load_model(str(tmp_path / "model")).model
    assert far.spec == near.spec
    assert all(torch.equal(a, b) for a, b in zip(far.state_dict().values(), near.state_dict().values(), strict=True))
    pipeline = LayerDecompositionPipeline.from_pretrained("org/tiny", revision="main")
    assert pipeline.layers.spec == near.spec
    assert not list((tmp_path / "cache").rglob("*.bin")) + list((tmp_path / "cache").rglob("*.py"))


def test_the_evaluation_knows_it_by_the_same_weights(server: Any, tmp_path: Path) -> None:
    far, near = (METHODS["model"](path=path) for path in ("org/tiny", str(tmp_path / "model")))
    assert far.key == near.key


def test_networks_of_views_may_be_there_too(server: Any, tmp_path: Path) -> None:
    net = AmodalNet(8)
    save_amodal(tmp_path / "net", net)
    server.add("model", "org/net", {p.name: p.read_bytes() for p in (tmp_path / "net").iterdir()})
    found = load_amodal("org/net").state_dict()
    assert all(torch.equal(found[name], tensor.bfloat16().float()) for name, tensor in net.state_dict().items())


def test_a_revision_is_that_of_the_model_and_not_of_its_base(server: Any, tmp_path: Path) -> None:
    assert locate(str(tmp_path / "model"), "v2") == (str(tmp_path / "model"), "v2")
    folder, revision = locate("org/tiny", "main")
    assert (Path(folder) / "layers.json").is_file()
    assert revision is None


def said(name: str, revision: str | None = None) -> str:
    with pytest.raises(ModelError) as error:
        load_model(name, revision)
    assert "\n" not in str(error.value)
    assert TOKEN not in str(error.value)
    return str(error.value)


def test_what_the_hub_refuses_is_told_with_the_name_and_without_the_token(server: Any, tmp_path: Path) -> None:
    neither = "no such folder, nor to be had from the Hub"
    assert said("zoo/none").startswith(f"zoo/none: {neither}: there is no such model, or it is private; log in with ")
    assert said("gated/pets").startswith(f"gated/pets: {neither}: access is gated; accept its licence at https://hugg")
    server.faults.append(Fault("GET", "/api/models/org/tiny", 500, times=99))
    assert said("org/tiny").startswith(f"org/tiny: {neither}: ")


def test_no_such_revision(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(*_: Any, **__: Any) -> str:
        import httpx2

        response = httpx2.Response(404, request=httpx2.Request("GET", "https://hub/x?sig=secret"))
        raise huggingface_hub.errors.RevisionNotFoundError(f"no v9 {TOKEN}", response=response)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    assert said("org/tiny", "v9") == "org/tiny: no such folder, nor to be had from the Hub: it has no revision 'v9'"


def test_no_hub(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server.stop()
    text = (
        "org/tiny: no such folder, nor to be had from the Hub: the Hub cannot be reached, and no copy is in its cache"
    )
    assert said("org/tiny") == text


def test_a_copy_in_the_cache_is_enough(server: Any) -> None:
    folder = locate("org/tiny")
    server.stop()
    assert locate("org/tiny") == folder


@pytest.mark.parametrize("name", ["/a/b", "./b", "../b", "~/b", "out/none/model", "none", "a/b/", "org/..x", "a//b"])
def test_paths_are_never_looked_up(server: Any, name: str) -> None:
    seen = len(server.seen)
    assert not looks_like_id(name)
    assert locate(name, "r") == (name, "r")
    assert said(name).endswith(": no such folder")
    assert len(server.seen) == seen


def test_a_path_into_a_folder_that_is_here_is_meant_as_one(server: Any) -> None:
    Path("out").mkdir()
    seen = len(server.seen)
    for first in ("out", "weights"):  # the second is the repository's
        text = f"{first}/none: no such folder; the Hub was not asked, because '{first}' is a folder here"
        assert said(f"{first}/none") == text
    assert len(server.seen) == seen


def test_a_folder_of_that_name_comes_first(server: Any) -> None:
    Path("org/tiny").mkdir(parents=True)
    assert locate("org/tiny", "r") == ("org/tiny", "r")


def test_what_the_repository_ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert shipped("weights/nano-fill") == shipped(str(ROOT / "weights/nano-fill")) == "weights/nano-fill"
    assert [shipped(name) for name in ("weights", "model", "weights/none", str(tmp_path), "org/x")] == [None] * 5
    Path("weights/nano-fill").mkdir(parents=True)
    assert shipped("weights/nano-fill") is None
