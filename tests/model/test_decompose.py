"""The pipeline against the parts it is made of, its folder, its command, and what it refuses."""

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from PIL import Image
from torch import Tensor
from typer.testing import CliRunner

from model.__main__ import app, errors
from model.codec import PixelCodec
from model.commands.decompose import Options, decompose_file
from model.commands.matting import cached_isnet
from model.commands.sheet import GAP, LABEL, LABELS, decomposition_sheet, on_chequer
from model.decompose import LayerDecompositionPipeline, LayersOutput
from model.encoded import encode_condition
from model.estimate import default_size, default_steps, make_layers
from model.folder import save_model
from model.layers import LayerModel
from model.modalities import make_modalities
from model.pictures import PictureError
from model.rgba_codec import make_rgba_vae
from model.sampler import decode_layers, denoise, make_scheduler
from model.spec import Spec
from model.transformer import ModelError
from pipeline.__main__ import default_cache
from pipeline.models import _home
from stages.codec import decode_png, encode_png
from tests.assets import ground_and_cutout
from tests.model.tiny import FUSION, LORA, SHAPE, base, generator, layer_model, mask, normal, picture
from tests.tiny_networks import red_thing, save_red_finder

PIXELS = Spec(codec="pixel", prediction="x0", hole="smooth", fusion=FUSION, lora=LORA)
BASE = Spec(codec="pixel", prediction="x0", hole="smooth", branches=("background",))


def pixel_pipeline(spec: Spec = PIXELS) -> LayerDecompositionPipeline:
    """Its LoRA and fusion have weights that matter."""
    model = layer_model(spec)
    with torch.no_grad():
        for i, (name, parameter) in enumerate(model.named_parameters()):
            if parameter.requires_grad and (".lora_B." in name or "extra" in name):
                parameter.copy_(normal(50 + i, *parameter.shape) * 0.05)
    return LayerDecompositionPipeline(model, make_scheduler())


@pytest.fixture(scope="module")
def pipe() -> LayerDecompositionPipeline:
    return pixel_pipeline()


@pytest.fixture(scope="module")
def scene() -> tuple[np.ndarray, np.ndarray]:
    """A cut-out in the middle of a photograph of 250 x 190, and its mask."""
    ground, canvas = ground_and_cutout()
    image = Image.alpha_composite(Image.fromarray(ground).convert("RGBA"), Image.fromarray(canvas))
    return np.array(image.convert("RGB")), canvas[..., 3] > 127


def same(one: LayersOutput, other: LayersOutput) -> bool:
    return all((a == b).all() for a, b in zip(one, other, strict=True))


def to_u8(layer: Tensor) -> np.ndarray:
    return np.rint((layer[0].numpy().transpose(1, 2, 0) + 1) * 127.5).clip(0, 255).astype(np.uint8)


def test_at_the_model_s_size_without_detail_the_layers_are_the_sampler_s(pipe, scene) -> None:
    image = np.ascontiguousarray(scene[0][60:124, 80:144])
    marked = np.ascontiguousarray(scene[1][60:124, 80:144])
    assert 0 < marked.sum() < marked.size
    made = pipe(image, marked, steps=3, seed=5, detail=False)
    composite = torch.from_numpy(image.transpose(2, 0, 1).astype(np.float32))[None] / 127.5 - 1
    hole = torch.from_numpy(marked[None, None]).float()
    encoded = encode_condition(PIXELS, PixelCodec(2), make_modalities(FUSION), composite, hole)
    layers = decode_layers(pipe.layers, PixelCodec(2), denoise(pipe.layers, encoded, 3, generator(5)), encoded)
    foreground = to_u8(layers.foreground)
    foreground[foreground[..., 3] == 0] = 0
    assert np.abs(made.foreground.astype(int) - foreground).max() <= 1  # float32 on both ways to levels
    assert np.abs(made.background.astype(int) - to_u8(layers.background)).max() <= 1


@pytest.mark.parametrize("detail", [True, False])
def test_layers_have_the_picture_s_size_and_recompose(pipe, scene, detail: bool) -> None:
    made = pipe(*scene, steps=2, detail=detail)
    assert [layer.shape for layer in made] == [(190, 250, 4), (190, 250, 3), (190, 250, 3)]
    assert all(layer.dtype == np.uint8 for layer in made)
    assert (made.foreground[made.foreground[..., 3] == 0] == 0).all()
    a = made.foreground[..., 3:].astype(np.int64)
    over = (a * made.foreground[..., :3] + (255 - a) * made.background + 127) // 255
    assert (made.recomposed == over).all()


def test_a_seed_means_the_same_bytes_and_another_seed_others(pipe, scene) -> None:
    made = pipe(*scene, steps=2, seed=1)
    torch.manual_seed(99)
    assert same(made, pipe(*scene, steps=2, seed=1))
    assert not same(made, pipe(*scene, steps=2, seed=2))
    assert same(pipe(*scene, steps=1), pipe(*scene))
    assert not same(made, pipe(*scene, steps=2, seed=1, size=96))


def test_pillow_images_and_grey_masks_mean_the_same_as_arrays(pipe, scene) -> None:
    image, marked = scene
    grey = np.where(marked, np.uint8(128), np.uint8(127))
    made = pipe(image, marked, steps=1)
    assert same(made, pipe(Image.fromarray(image), Image.fromarray(grey), steps=1))
    assert same(made, pipe(Image.fromarray(image).convert("RGBA"), grey, steps=1))


def test_pasting_back_changes_the_background_away_from_the_mask_only(pipe, scene) -> None:
    image, marked = scene
    plain, pasted = (pipe(image, marked, steps=1, detail=False, paste_back=p) for p in (False, True))
    assert (plain.foreground == pasted.foreground).all()
    assert (plain.background[marked] == pasted.background[marked]).all()
    far = np.zeros_like(marked)
    far[:6, :12] = True
    assert not marked[:30, :40].any()
    assert (pasted.background[far] == image[far]).all()
    assert (plain.background[far] != image[far]).any()


def test_a_base_alone_paints_the_object_s_surroundings_in_a_second_pass() -> None:
    model, composite, hole = layer_model(BASE), picture(1), mask(2)
    made = make_layers(model, PixelCodec(2), make_modalities(None), composite, hole, 2, generator(3))
    random = generator(3)
    for found, marked in ((made.background, hole), (made.foreground, 1 - hole)):
        encoded = encode_condition(BASE, PixelCodec(2), make_modalities(None), composite, marked)
        alone = decode_layers(model, PixelCodec(2), denoise(model, encoded, 2, random), encoded).background
        torch.testing.assert_close(found[:, :3], alone, rtol=0, atol=0)
    assert (made.foreground[:, 3:] == 2 * hole - 1).all()


def test_the_folder_gives_the_same_layers_again(pipe, scene, tmp_path: Path) -> None:
    pipe.save_pretrained(tmp_path / "saved")
    again = LayerDecompositionPipeline.from_pretrained(tmp_path / "saved")
    assert same(pipe(*scene, steps=2), again(*scene, steps=2))
    assert set(again.components) == {"layers", "scheduler", "vae", "rgba_vae"}
    assert again.to("cpu").device == torch.device("cpu")


def test_a_model_with_a_vae_comes_back_with_both_of_its_codecs(scene, tmp_path: Path) -> None:
    torch.manual_seed(0)
    vae = AutoencoderKL(
        latent_channels=4,
        block_out_channels=(8, 8),
        norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        scaling_factor=0.5,
    )
    model = LayerModel(Spec(codec="vae", guidance=1.0), base(16, 32, SHAPE), 16)
    made = LayerDecompositionPipeline(model, make_scheduler(), vae, make_rgba_vae(vae))
    made.save_pretrained(tmp_path)
    again = LayerDecompositionPipeline.from_pretrained(tmp_path)
    assert same(made(*scene, steps=2, size=32), again(*scene, steps=2, size=32))
    assert again.rgba_vae.config.in_channels == 4
    assert default_size(model.spec) == 1024
    assert default_size(PIXELS) == 64
    assert (default_steps(model.spec), default_steps(PIXELS)) == (28, 1)


def test_a_model_needs_a_background_branch() -> None:
    with pytest.raises(ModelError, match=r"^branches: a model must have 'background' .*, has 'foreground'$"):
        pixel_pipeline(Spec(codec="pixel", branches=("foreground",)))
    with pytest.raises(ModelError, match="nowhere: no such folder"):
        LayerDecompositionPipeline.from_pretrained("nowhere")


GREY = np.full((20, 30, 3), 90, np.uint8)
HALF = np.arange(30)[None].repeat(20, axis=0) < 15


@pytest.mark.parametrize(
    ("image", "marked", "more", "text"),
    [
        (GREY, HALF[:, :29], {}, "mask: 29 x 20 pixels, but picture has 30 x 20; must be equal"),
        (GREY, HALF & False, {}, "mask: marks nothing; the object's pixels must be brighter than 127 of 255"),
        (GREY, HALF.astype(np.uint8), {}, "mask: marks nothing; the object's pixels must be brighter than 127 of 255"),
        (GREY, HALF | True, {}, "mask: marks the whole picture; pixels that are not the object's must be 0"),
        (GREY, GREY, {}, "mask: must be uint8 or bool (h, w), is uint8 (20, 30, 3)"),
        (GREY, HALF.astype(float), {}, "mask: must be uint8 or bool (h, w), is float64 (20, 30)"),
        (GREY / 255, HALF, {}, "picture: must be uint8 (h, w, 3), is float64 (20, 30, 3)"),
        (GREY, HALF, {"size": 3}, "size: must be 4 to 4096, is 3"),
        (GREY, HALF, {"size": 5000}, "size: must be 4 to 4096, is 5000"),
        (GREY, HALF, {"steps": 0}, "steps: must be 1 to 1000, is 0"),
    ],
)
def test_what_cannot_be_taken_apart_is_told(pipe, image, marked, more, text: str) -> None:
    with pytest.raises(PictureError) as error:
        pipe(image, marked, **more)
    assert str(error.value) == text


@pytest.fixture(scope="module")
def model_folder(pipe, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    save_model(folder, pipe.layers, PixelCodec(2))
    return folder


@pytest.fixture
def files(scene, tmp_path: Path) -> tuple[Path, Path]:
    """A photograph and its mask on disk."""
    photo_file, mask_file = tmp_path / "photo.png", tmp_path / "mask.png"
    photo_file.write_bytes(encode_png(scene[0]))
    mask_file.write_bytes(encode_png(np.where(scene[1], np.uint8(255), np.uint8(0))))
    return photo_file, mask_file


def test_the_command_writes_the_pipeline_s_layers_and_a_sheet(pipe, scene, files, model_folder, tmp_path) -> None:
    out = tmp_path / "made" / "out"
    args = ["--mask", str(files[1]), "-o", str(out), "--model", str(model_folder)]
    options = ["--steps", "2", "--seed", "3", "--size", "48", "--paste-back", "--no-detail"]
    result = CliRunner().invoke(app, ["decompose", str(files[0]), *args, *options])
    assert result.exception is None
    expected = pipe(*scene, steps=2, seed=3, size=48, paste_back=True, detail=False)
    for name, layer in expected._asdict().items():
        assert (decode_png((out / f"{name}.png").read_bytes()) == layer).all()
    sheet = decode_png((out / "sheet.png").read_bytes())
    assert (sheet == decomposition_sheet(*scene, *expected)).all()


def test_the_sheet_shows_every_part_under_its_label(scene) -> None:
    image, marked = scene
    foreground = np.dstack([image, np.where(marked, np.uint8(255), np.uint8(0))])
    sheet = decomposition_sheet(image, marked, foreground, image // 2, image // 3)
    cells = [sheet[LABEL : LABEL + 190, GAP + i * (250 + GAP) :][:, :250] for i in range(len(LABELS))]
    assert sheet.shape == (190 + LABEL + GAP, 5 * (250 + GAP) + GAP, 3)
    for cell, shown in zip(cells, (image, None, image // 2, on_chequer(foreground), image // 3), strict=True):
        assert shown is None or (cell == shown).all()
    assert (cells[1][~marked] == image[~marked]).all()
    assert (cells[1][marked] != image[marked]).any(axis=1).mean() > 0.9
    assert len(np.unique(cells[3][~marked], axis=0)) == 2
    for i in range(len(LABELS)):
        assert (sheet[:LABEL, GAP + i * (250 + GAP) :][:, :40] < 128).any()


def test_without_a_mask_a_network_finds_the_object(pipe, model_folder, tmp_path: Path) -> None:
    image = red_thing(96, 128, (20, 30, 80, 90))
    (tmp_path / "red.png").write_bytes(encode_png(image))
    network = save_red_finder(tmp_path / "finder.onnx")
    made = decompose_file(
        tmp_path / "red.png", None, tmp_path, Options(str(model_folder), matte_model=network, steps=1)
    )
    sheet = decode_png((tmp_path / "sheet.png").read_bytes())[LABEL : LABEL + 96, 2 * GAP + 128 :][:, :128]
    marked = (sheet != image).any(axis=2)
    y, x = np.mgrid[0:96, 0:128]
    truth = ((y - 49.5) / 30) ** 2 + ((x - 59.5) / 30) ** 2 <= 1
    assert (marked & truth).sum() / (marked | truth).sum() > 0.9
    assert same(made, pipe(image, marked, steps=1))


def test_the_network_is_the_one_that_the_data_engine_fetched(monkeypatch, tmp_path: Path) -> None:
    for variable, value in (("LAYERLOOM_CACHE", tmp_path / "a"), ("LAYERLOOM_CACHE", ""), ("XDG_CACHE_HOME", "")):
        monkeypatch.setenv(variable, str(value))
        assert cached_isnet() == _home(default_cache())


def refused(*args, **options) -> str:
    with pytest.raises(errors()) as error:
        decompose_file(*args, Options(**options))
    return str(error.value)


def test_files_that_cannot_be_used_are_told(files, model_folder, tmp_path: Path, monkeypatch) -> None:
    photo_file, mask_file = files
    out, model = tmp_path / "out", str(model_folder)
    monkeypatch.setenv("LAYERLOOM_CACHE", str(tmp_path / "cache"))
    gone, small, odd = tmp_path / "gone.png", tmp_path / "small.png", tmp_path / "odd.txt"
    odd.write_text("not a picture")
    small.write_bytes(encode_png(np.full((18, 20), 255, np.uint8)))
    isnet = tmp_path / "cache" / "models" / "isnet" / "isnet.onnx"
    advice = (
        "without --mask the object is found by IS-Net, which `make data` fetches; run that, or give --mask, or "
        "another network with --matte-model"
    )
    assert refused(gone, mask_file, out, model=model) == f"{gone}: no such file"
    assert refused(photo_file, odd, out, model=model).startswith(f"{odd}: not one of PNG, JPEG")
    assert refused(photo_file, small, out) == f"{small}: 20 x 18 pixels, but {photo_file} has 250 x 190; must be equal"
    assert refused(photo_file, None, out, model=model) == f"{isnet}: no such file; {advice}"
    text = refused(photo_file, None, out, matte_model=gone)
    assert text == f"{gone}: no such file; it must be a matting network"
    assert refused(photo_file, None, out, matte_model=odd).startswith(f"{odd}: onnxruntime cannot load it")
    assert refused(photo_file, mask_file, out, model=str(gone)) == f"{gone}: no such folder"
    assert refused(photo_file, mask_file, odd / "x", model=model, steps=1).startswith(
        f"{odd}/x/foreground.png: cannot be"
    )
    assert not out.exists()


def test_a_picture_without_an_object_asks_for_a_mask(model_folder, tmp_path: Path) -> None:
    path, network = tmp_path / "grey.png", save_red_finder(tmp_path / "finder.onnx")
    for colour, what in ((120, "no object"), ((255, 0, 0), "an object that fills the picture")):
        path.write_bytes(encode_png(np.full((32, 32, 3), colour, np.uint8)))
        text = refused(path, None, tmp_path / "out", model=str(model_folder), matte_model=network)
        assert text == f"{path}: the matting network finds {what}; mark the object with a mask"


@pytest.mark.parametrize("marks", [0, 255])
def test_an_empty_or_full_mask_file_is_named(files, marks: int) -> None:
    photo_file, mask_file = files
    mask_file.write_bytes(encode_png(np.full((190, 250), marks, np.uint8)))
    kind = "marks the whole picture" if marks else "marks nothing"
    assert refused(photo_file, mask_file, photo_file.parent / "out").startswith(f"{mask_file}: {kind};")


def test_a_transparent_part_of_a_mask_marks_nothing(files, scene, model_folder, tmp_path: Path) -> None:
    alpha = np.where(scene[1], np.uint8(128), np.uint8(127))
    white = np.dstack([np.full((190, 250, 3), 255, np.uint8), alpha])
    made = []
    for path, pixels in ((tmp_path / "white.png", white), (files[1], alpha // 128 * 255)):
        path.write_bytes(encode_png(pixels))
        made.append(decompose_file(files[0], path, tmp_path / "out", Options(str(model_folder), steps=1)))
    assert same(*made)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_here_is_told(files) -> None:
    assert refused(*files, files[0].parent, device="cuda").startswith("device: 'cuda' cannot be used here: ")
