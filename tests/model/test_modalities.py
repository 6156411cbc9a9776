"""Views of a picture; the networks are tiny, random, real ones, saved to disk and loaded as any other."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from transformers import (
    DepthAnythingConfig,
    DepthAnythingForDepthEstimation,
    Dinov2Config,
    SegformerConfig,
    SegformerForSemanticSegmentation,
)

from model.modalities import MODALITIES, class_colours, depth_view, edge_view, make_modalities, segmentation_view
from model.spec import Fusion
from model.transformer import ModelError
from stages.lazy import quiet

torch.set_num_threads(1)

MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def pixels(seed: int, height: int = 40, width: int = 56) -> Any:
    """(2, H, W, 3) uint8: smooth, so that resizing keeps what it shows."""
    coarse = np.random.default_rng(seed).integers(0, 256, (2, height // 8, width // 8, 3), dtype=np.uint8)
    return np.stack([cv2.resize(one, (width, height), interpolation=cv2.INTER_CUBIC) for one in coarse])


def tensor(rgb: Any) -> Tensor:
    return torch.from_numpy(rgb).permute(0, 3, 1, 2).float() / 127.5 - 1


def anywhere(rgb: Any) -> Tensor:
    """A mask of all of a picture."""
    return torch.ones(rgb.shape[0], 1, *rgb.shape[1:3])


def test_the_default_views_are_the_picture_and_its_edges() -> None:
    picture = tensor(pixels(0)).requires_grad_()
    mask = (picture[:, :1] > 0).float().detach()
    views = make_modalities(Fusion())(picture, mask)
    assert list(views) == ["picture", "edge"]
    assert torch.equal(views["picture"], picture)
    assert torch.equal(views["edge"], edge_view(picture))
    swapped = make_modalities(Fusion(modalities=("edge", "picture")))(picture, mask)
    assert list(swapped) == ["edge", "picture"]
    assert torch.equal(swapped["edge"], views["edge"])
    assert not views["edge"].requires_grad
    assert make_modalities(None)(picture, mask) == {}
    assert sorted(MODALITIES) == ["amodal", "depth", "edge", "picture", "segmentation"]


def test_edges_are_where_the_square_ends() -> None:
    rgb = np.full((1, 48, 64, 3), 90, np.uint8)
    rgb[:, 10:30, 20:50] = (40, 160, 200)
    edges = edge_view(tensor(rgb))
    assert edges.shape == (1, 3, 48, 64)
    assert edges.unique().tolist() == [-1, 1]
    assert torch.equal(edges[:, 0], edges[:, 1])
    assert torch.equal(edges[:, 0], edges[:, 2])
    found = edges[0, 0].numpy() > 0
    border = np.zeros((48, 64), np.uint8)
    cv2.rectangle(border, (20, 10), (49, 29), 1)
    near = cv2.dilate(border, np.ones((3, 3), np.uint8)).astype(bool)
    assert not (found & ~near).any()
    closed = cv2.connectedComponents((~found).astype(np.uint8), connectivity=4)[0] - 1
    assert closed == 2  # inside and outside


@pytest.mark.parametrize("gain", [0.2, 1.0])
def test_thresholds_come_from_the_median_of_each_picture(gain: float) -> None:
    smooth = pixels(3, 160, 224)
    rgb = np.rint(smooth * gain).astype(np.uint8)
    rgb[1] = 255 - 2 * np.maximum(smooth[1].astype(int) - 128, 0)  # bright: its upper threshold is 255
    edges = edge_view(tensor(rgb))
    for one, found in zip(rgb, edges[:, 0].numpy(), strict=True):
        # BT.601 luma in OpenCV's 15-bit fixed point
        luma = (one.astype(np.int64) @ np.array([9798, 19235, 3735]) + (1 << 14)) >> 15
        grey, median = luma.astype(np.uint8), float(np.median(luma))
        expected = cv2.Canny(grey, 0.67 * median, min(1.33 * median, 255))
        assert np.array_equal(found > 0, expected > 0)
        assert 0 < expected.astype(bool).mean() < 0.5
        for low, high in ((100, 200), (0.67 * median, 1.4 * median), (0.5 * median, min(1.33 * median, 255))):
            assert not np.array_equal(cv2.Canny(grey, low, high), expected)


def test_an_even_picture_has_no_edges() -> None:
    for level in (-1.0, 0.0, 1.0):
        assert (edge_view(torch.full((1, 3, 16, 16), level)) == -1).all()


def test_class_colours_are_those_of_pascal_voc() -> None:
    levels = ((class_colours(256) + 1) * 127.5).round().int()
    known = {0: [0, 0, 0], 1: [128, 0, 0], 2: [0, 128, 0], 8: [64, 0, 0], 15: [192, 128, 128], 20: [0, 64, 128]}
    assert {k: levels[k].tolist() for k in known} == known
    assert levels[255].tolist() == [224, 224, 192]
    assert len(class_colours(3000).unique(dim=0)) == 3000


def image_processor(folder: Path, kind: str, **more: Any) -> None:
    settings = {"image_processor_type": kind, "do_resize": True, "do_normalize": True, "do_rescale": True}
    settings |= {"rescale_factor": 1 / 255, "image_mean": MEAN.tolist(), "image_std": STD.tolist()} | more
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))


@pytest.fixture(scope="module")
def segformer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("segformer")
    torch.manual_seed(0)
    config = SegformerConfig(
        num_encoder_blocks=2,
        depths=[1, 1],
        sr_ratios=[2, 1],
        hidden_sizes=[8, 16],
        patch_sizes=[7, 3],
        strides=[4, 2],
        num_attention_heads=[1, 2],
        mlp_ratios=[2, 2],
        decoder_hidden_size=8,
        num_labels=7,
        initializer_range=0.5,
    )
    with quiet():
        SegformerForSemanticSegmentation(config).save_pretrained(folder)
    image_processor(folder, "SegformerImageProcessor", size={"height": 32, "width": 32}, resample=2)
    return folder


@pytest.fixture(scope="module")
def depth_anything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("depth")
    torch.manual_seed(1)
    backbone = Dinov2Config(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        mlp_ratio=2,
        image_size=28,
        patch_size=14,
        out_features=["stage1", "stage2"],
        reshape_hidden_states=False,
        initializer_range=0.5,
    )
    config = DepthAnythingConfig(
        backbone_config=backbone,
        patch_size=14,
        reassemble_hidden_size=16,
        reassemble_factors=[2, 1],
        neck_hidden_sizes=[8, 8],
        fusion_hidden_size=8,
        head_hidden_size=8,
        initializer_range=0.5,
    )
    with quiet():
        DepthAnythingForDepthEstimation(config).save_pretrained(folder)
    size = {"height": 42, "width": 42}
    image_processor(folder, "DPTImageProcessor", size=size, keep_aspect_ratio=True, ensure_multiple_of=14, resample=3)
    return folder


def seen(one: Any, width: int, height: int, resample: Image.Resampling) -> Tensor:
    """What a network gets: resized by Pillow, in ImageNet's units."""
    small = np.asarray(Image.fromarray(one).resize((width, height), resample), np.float64)
    return torch.from_numpy(((small / 255 - MEAN) / STD).transpose(2, 0, 1)[None].astype(np.float32))


@torch.no_grad()
def test_segments_are_what_the_network_alone_finds(segformer: Path) -> None:
    rgb = pixels(4)
    view = make_modalities(Fusion(modalities=("segmentation",), segmentation_model=str(segformer)))(
        tensor(rgb), anywhere(rgb)
    )["segmentation"]
    with quiet():
        network: Any = SegformerForSemanticSegmentation.from_pretrained(segformer).eval()
    assert view.shape == (2, 3, 40, 56)
    assert view.dtype == torch.float32
    kinds = set()
    for one, found in zip(rgb, view, strict=True):
        logits = network(seen(one, 32, 32, Image.Resampling.BILINEAR)).logits[0].numpy().transpose(1, 2, 0)
        classes = cv2.resize(logits, (56, 40), interpolation=cv2.INTER_LINEAR).argmax(-1)
        expected = class_colours(7).numpy()[classes].transpose(2, 0, 1)
        assert (found.numpy() != expected).any(0).mean() < 0.01  # ties between rounded weights of interpolation
        kinds |= set(classes.ravel().tolist())
    assert len(kinds) > 2


@torch.no_grad()
def test_depth_is_what_the_network_alone_finds(depth_anything: Path) -> None:
    rgb = pixels(5)
    view = make_modalities(Fusion(modalities=("depth",), depth_model=str(depth_anything)))(tensor(rgb), anywhere(rgb))[
        "depth"
    ]
    with quiet():
        network: Any = DepthAnythingForDepthEstimation.from_pretrained(depth_anything).eval()
    assert view.shape == (2, 3, 40, 56)
    assert torch.equal(view[:, 0], view[:, 2])
    for one, found in zip(rgb, view[:, 0], strict=True):
        # 40 x 56 to 42 on the side that changes least, the other one to the nearest multiple of 14
        depth = network(seen(one, 56, 42, Image.Resampling.BICUBIC)).predicted_depth
        large = torch.nn.functional.interpolate(depth[None], (40, 56), mode="bicubic")[0, 0].double()
        expected = 2 * (large - large.min()) / (large.max() - large.min()) - 1
        assert (found - expected).abs().max() < 1e-4
        assert (found.min(), found.max()) == (-1, 1)


def test_a_picture_without_depth_is_grey(depth_anything: Path) -> None:
    with torch.no_grad(), quiet():
        plain = DepthAnythingForDepthEstimation.from_pretrained(depth_anything)
        plain.head.conv3.weight.zero_()
    folder = shutil.copytree(depth_anything, depth_anything.parent / "plain", dirs_exist_ok=True)
    with quiet():
        plain.save_pretrained(folder)
    assert (depth_view(str(folder))(tensor(pixels(6))) == 0).all()


MAKERS: list[tuple[str, Callable[[str], Any]]] = [("segmentation", segmentation_view), ("depth", depth_view)]


def refused(maker: Callable[[str], Any], model: Path) -> str:
    with pytest.raises(ModelError) as info:
        maker(str(model))
    return str(info.value)


@pytest.mark.parametrize(("name", "maker"), MAKERS)
def test_a_model_that_is_not_there(name: str, maker: Callable[[str], Any], tmp_path: Path) -> None:
    advice = f"; give a folder or Hub id in fusion.{name}_model, or leave '{name}' out of fusion.modalities"
    missing = tmp_path / "missing"
    assert refused(maker, missing) == f"fusion.{name}_model: {missing}: no such folder{advice}"
    text = refused(maker, tmp_path)
    assert text.startswith(f"fusion.{name}_model: {tmp_path}: cannot be loaded: ")
    assert text.endswith(advice)
    assert "\n" not in text


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    assert "transformers cannot be imported" in refused(depth_view, tmp_path)
    assert "pip install 'layerloom[generate]'" in refused(depth_view, tmp_path)


def test_pickled_weights_are_refused(segformer: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    folder = shutil.copytree(segformer, tmp_path / "pickled")
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    assert "model.safetensors" in refused(segmentation_view, folder)


def test_nothing_is_printed_and_no_gradient_kept(
    segformer: Path, depth_anything: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    picture = tensor(pixels(7)).requires_grad_()
    views = [segmentation_view(str(segformer))(picture), depth_view(str(depth_anything))(picture)]
    assert not any(view.requires_grad for view in views)
    assert capfd.readouterr() == ("", "")
