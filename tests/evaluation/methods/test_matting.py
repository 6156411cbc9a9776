"""The matting baseline: its network, its colours, its background, and where the network comes from."""

from pathlib import Path

import numpy as np
import pytest

from evaluation.errors import EvalError
from evaluation.methods import METHODS, make_method
from evaluation.sample import Item
from stages.colour import estimate_foreground
from stages.networks import OnnxMatter
from tests.tiny_networks import red_thing, save_network, save_red_finder


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_red_finder(tmp_path_factory.mktemp("net") / "finder.onnx"))


@pytest.fixture
def item() -> Item:
    """Two red things, one of them masked."""
    picture = red_thing(60, 90, (10, 8, 50, 40))
    other = red_thing(60, 90, (20, 55, 45, 80))
    picture[20:45, 55:80] = other[20:45, 55:80]
    mask = np.zeros((60, 90), bool)
    mask[8:52, 6:42] = True
    return Item("red", picture, mask)


@pytest.mark.parametrize("colour", ["ml", "nearest", "none"])
def test_alpha_is_the_network_s_and_colours_are_cleaned(network: str, item: Item, colour: str) -> None:
    answer = METHODS["isnet"](path=network, colour=colour).method(item)
    alpha = OnnxMatter(network).alpha(item.picture)
    levels = np.rint(255 * alpha)
    assert answer.foreground.dtype == np.uint8
    assert (answer.foreground[..., 3] == levels).all()
    assert levels[30, 24] > 200
    assert levels[32, 67] > 200
    cleaned = estimate_foreground(item.picture, alpha, colour)
    assert (answer.foreground[levels > 0, :3] == cleaned[levels > 0]).all()
    assert not answer.foreground[levels == 0].any()
    assert (colour == "none") == (cleaned == item.picture).all()


def test_the_background_is_telea_s(network: str, item: Item) -> None:
    answer = METHODS["isnet"](path=network).method(item)
    assert (answer.background == METHODS["telea"]().method(item).background).all()
    for mask in (None, np.ones_like(item.mask)):
        alone = METHODS["isnet"](path=network).method(item._replace(mask=mask))
        assert alone.background is None
        assert (alone.foreground == answer.foreground).all()


@pytest.mark.parametrize("near", [0, 7])
def test_near_keeps_what_is_near_the_mask(network: str, item: Item, near: int) -> None:
    whole, kept = (METHODS["isnet"](path=network, near=n).method(item).foreground[..., 3] for n in (None, near))
    y, x = np.mgrid[:60, :90]
    distance = np.min([np.hypot(y - v, x - u) for v, u in np.argwhere(item.mask)], axis=0)
    assert (kept == np.where(distance <= near, whole, 0)).all()
    assert (kept != whole).any()
    with pytest.raises(EvalError, match=r"^red: has no mask, which 'isnet' with near needs$"):
        METHODS["isnet"](path=network, near=near).method(item._replace(mask=None))


def test_a_picture_without_an_object(network: str, item: Item) -> None:
    grey = item._replace(picture=np.full_like(item.picture, 120))
    assert not METHODS["isnet"](path=network).method(grey).foreground.any()


def test_the_network_is_by_default_the_one_that_the_data_engine_fetched(
    network: str, item: Item, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAYERLOOM_CACHE", str(tmp_path))
    place = tmp_path / "models" / "isnet" / "isnet.onnx"
    with pytest.raises(EvalError) as error:
        make_method("isnet")
    text = f"method 'isnet': {place}: no such file; `make data` fetches IS-Net, or give isnet:FILE.onnx"
    assert str(error.value) == text
    place.parent.mkdir(parents=True)
    place.write_bytes(Path(network).read_bytes())
    name, made = make_method("isnet")
    given = METHODS["isnet"](path=network)
    assert (name, made.key) == ("isnet", given.key)
    assert (made.method(item).foreground == given.method(item).foreground).all()


def test_files_that_are_no_matting_networks(item: Item, tmp_path: Path) -> None:
    gone, odd = tmp_path / "gone.onnx", tmp_path / "odd.onnx"
    odd.write_text("no network")
    with pytest.raises(EvalError) as error:
        make_method(f"isnet:{gone}")
    advice = "it must be an ONNX matting network, or give isnet:FILE.onnx"
    assert str(error.value) == f"method 'isnet': {gone}: no such file; {advice}"
    with pytest.raises(EvalError, match=f"^method 'isnet': {odd}: onnxruntime cannot load it: "):
        make_method(f"isnet:{odd}")
    wild = save_network(tmp_path / "wild.onnx", gain=9.0, clip=False)
    with pytest.raises(EvalError, match=f"^red: {wild}: its first output ranges from .*, alpha from 0 to 1$"):
        METHODS["isnet"](path=wild).method(item)


def test_the_key_is_that_of_network_and_options(network: str, tmp_path: Path) -> None:
    other = str(save_red_finder(tmp_path / "larger.onnx", side=96))
    keys = [METHODS["isnet"](path=p, **o).key for p, o in ((network, {}), (other, {}), (network, {"near": 4}))]
    assert len(set(keys)) == 3
