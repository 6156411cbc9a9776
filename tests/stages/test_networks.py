import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

from stages.networks import OnnxMatter, RembgMatter, rembg_names
from tests.tiny_networks import MEAN_WEIGHTS, save_network


def expected(rgb, bias=0.5, gain=1.0):
    planes = (rgb.astype(np.float64) - 128) / 256
    return np.clip(gain * planes @ MEAN_WEIGHTS.astype(np.float64) + bias, 0, 1)


@pytest.fixture
def picture():
    return np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)


def test_a_picture_of_the_networks_size_gets_the_networks_alpha(tmp_path, picture):
    alpha = OnnxMatter(save_network(tmp_path / "a.onnx")).alpha(picture)
    assert alpha.dtype == np.float32
    np.testing.assert_allclose(alpha, expected(picture), atol=1e-6)


def test_half_precision_networks_run(tmp_path, picture):
    path = save_network(tmp_path / "a.onnx", kind=TensorProto.FLOAT16)
    np.testing.assert_allclose(OnnxMatter(path).alpha(picture), expected(picture), atol=2e-3)


def test_a_large_picture_is_averaged_into_the_input_and_its_alpha_enlarged(tmp_path, picture):
    # Blocks of 2 x 3 equal pixels: averaging gives the small picture exactly; enlarging is linear.
    large = picture.repeat(2, axis=0).repeat(3, axis=1)
    alpha = OnnxMatter(save_network(tmp_path / "a.onnx")).alpha(large)
    assert alpha.shape == (128, 192)
    small = expected(picture)
    x = np.clip((np.arange(192) + 0.5) / 3 - 0.5, 0, 63)
    y = np.clip((np.arange(128) + 0.5) / 2 - 0.5, 0, 63)
    rows = np.stack([np.interp(x, np.arange(64), row) for row in small])
    both = np.stack([np.interp(y, np.arange(64), column) for column in rows.T], axis=1)
    np.testing.assert_allclose(alpha, both, atol=1e-5)


def test_a_small_picture_keeps_its_size(tmp_path, picture):
    alpha = OnnxMatter(save_network(tmp_path / "a.onnx")).alpha(picture[:20, :33])
    assert alpha.shape == (20, 33)
    even = np.full((20, 33, 3), 192, np.uint8)
    np.testing.assert_allclose(OnnxMatter(save_network(tmp_path / "b.onnx")).alpha(even), 0.75, atol=1e-6)


def test_an_open_size_is_1024_and_an_open_batch_1(tmp_path):
    path = save_network(tmp_path / "a.onnx", shape=("n", 3, "h", "w"))
    blocks = np.random.default_rng(2).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    large = blocks.repeat(256, axis=0).repeat(256, axis=1)  # 2048: exactly halved
    alpha = OnnxMatter(path).alpha(large)
    np.testing.assert_allclose(alpha[100::256, 100::256], expected(blocks), atol=1e-6)


@pytest.mark.parametrize("shape", [(2, 3, 64, 64), (1, 4, 64, 64), (1, 3, 64)])
def test_other_inputs_are_refused(tmp_path, shape):
    given = helper.make_tensor_value_info("picture", TensorProto.FLOAT, shape)
    made = helper.make_tensor_value_info("alpha", TensorProto.FLOAT, shape)
    graph = helper.make_graph([helper.make_node("Identity", ["picture"], ["alpha"])], "tiny", [given], [made])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), tmp_path / "a.onnx")
    with pytest.raises(ValueError, match=r"a\.onnx: its inputs are picture \[.*\] .*; must be one float input of sh"):
        OnnxMatter(str(tmp_path / "a.onnx"))


def test_outputs_that_are_no_alpha_are_refused(tmp_path, picture):
    logits = OnnxMatter(save_network(tmp_path / "logits.onnx", gain=20.0, bias=-3.0, clip=False))
    with pytest.raises(ValueError, match=r"logits\.onnx: its first output ranges from -1\d.* to .*, alpha from 0 to 1"):
        logits.alpha(picture)
    nan = OnnxMatter(save_network(tmp_path / "nan.onnx", bias=np.nan, clip=False))
    with pytest.raises(ValueError, match="ranges from nan to nan"):
        nan.alpha(picture)


def test_a_slight_overshoot_is_clipped(tmp_path):
    matter = OnnxMatter(save_network(tmp_path / "a.onnx", gain=1.3, clip=False))
    ends = np.stack([np.zeros((64, 64, 3), np.uint8), np.full((64, 64, 3), 255, np.uint8)])
    assert [float(matter.alpha(end).mean()) for end in ends] == [0.0, 1.0]


def test_a_file_that_is_no_network_is_refused_by_name(tmp_path):
    (tmp_path / "bad.onnx").write_bytes(b"not a network")
    with pytest.raises(ValueError, match=r"bad\.onnx: onnxruntime cannot load it"):
        OnnxMatter(str(tmp_path / "bad.onnx"))


def test_a_device_that_is_not_there_is_refused(tmp_path):
    ort = pytest.importorskip("onnxruntime")
    if "CUDAExecutionProvider" in ort.get_available_providers():
        pytest.skip("there is one")
    with pytest.raises(ValueError, match=r"device 'cuda' needs onnxruntime-gpu; this onnxruntime has .*CPUExecution"):
        OnnxMatter(save_network(tmp_path / "a.onnx"), device="cuda")


@pytest.fixture
def rembg_home(tmp_path, monkeypatch):
    pytest.importorskip("rembg")
    monkeypatch.setenv("U2NET_HOME", str(tmp_path))
    return tmp_path


def half_bright():
    rgb = np.full((1024, 1024, 3), 64, np.uint8)
    rgb[:, 512:] = 192
    rgb[0, 0] = 255  # rembg divides by the brightest pixel
    return rgb


def test_rembgs_stretch_is_undone(rembg_home):
    # rembg's input for IS-Net is rgb / max - 0.5, so the network says 0.25 + 0.3 (value / 255 - 0.5).
    save_network(rembg_home / "isnet-general-use.onnx", shape=(1, 3, 1024, 1024), gain=0.3, bias=0.25)
    rgb = half_bright()
    alpha = RembgMatter("isnet-general-use").alpha(rgb)
    np.testing.assert_allclose(alpha, 0.25 + 0.3 * (rgb[..., 0] / 255.0 - 0.5), atol=0.3 / 255 + 1e-6)

    from rembg import new_session

    stretched = np.asarray(new_session("isnet-general-use").predict(Image.fromarray(rgb))[0])
    assert (stretched.min(), stretched.max()) == (0, 255)  # what is undone


def test_the_normalisations_of_rembg_and_of_isnet_agree(rembg_home):
    # (v - 128) / 256 and v / 255 - 0.5 are at most 1 / 512 apart.
    path = save_network(rembg_home / "isnet-general-use.onnx", shape=(1, 3, 1024, 1024), bias=0.4, gain=0.6)
    rgb = half_bright()
    off = np.abs(RembgMatter("isnet-general-use").alpha(rgb) - OnnxMatter(path).alpha(rgb))
    assert off.max() < 0.6 / 512 + 1 / 255


def test_an_even_answer_of_rembg_stays_what_it_was(rembg_home):
    save_network(rembg_home / "isnet-general-use.onnx", shape=(1, 3, 1024, 1024), gain=0.0, bias=0.125)
    np.testing.assert_array_equal(RembgMatter("isnet-general-use").alpha(half_bright()), 0.125)


def test_the_sigmoid_of_birefnet_is_known(rembg_home):
    save_network(rembg_home / "birefnet-general.onnx", shape=(1, 3, 1024, 1024), gain=0.5, bias=-4.0, clip=False)
    rgb = half_bright()
    planes = (rgb / 255.0 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    logits = 0.5 * planes @ MEAN_WEIGHTS - 4
    alpha = RembgMatter("birefnet-general").alpha(rgb)
    assert alpha.max() < 0.1  # an empty picture stays empty
    np.testing.assert_allclose(alpha, 1 / (1 + np.exp(-logits)), atol=1e-3)


def test_sessions_that_find_no_object_here_are_not_offered(rembg_home):
    assert {"u2net", "birefnet-general", "isnet-general-use"} <= set(rembg_names())
    for name in ("withoutbg", "atlascloud", "sam", "u2net_cloth_seg", "dis_custom", "u2nett"):
        assert name not in rembg_names()
        with pytest.raises(ValueError, match=f"rembg has no session '{name}' that finds an object on this machine"):
            RembgMatter(name)


def test_a_missing_rembg_is_said(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "rembg.sessions", None)
    with pytest.raises(ValueError, match=r"rembg is not installed: pip install 'layerloom\[rembg\]'"):
        rembg_names()
