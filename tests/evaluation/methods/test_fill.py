"""The runner of diffusers' inpainting pipelines, on tiny random ones: against the pipelines called directly."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import orjson
import pytest
import torch
from PIL import Image

from evaluation.errors import EvalError
from evaluation.methods import METHODS
from stages.lazy import quiet
from tests import tiny_models
from tests.evaluation.methods import inpainters
from tests.evaluation.methods.scenes import check_filled, scene

ROOT = Path(__file__).resolve().parents[3]
FAST = {"steps": 2, "seed": 4, "prompt": "b"}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("pipelines")
    return {"flux": inpainters.save_flux_fill(root / "flux"), "sd": inpainters.save_inpaint(root / "sd")}


def direct(folder: Path, picture: np.ndarray, mask: np.ndarray, **more) -> np.ndarray:
    """Levels that the pipeline of the saved class makes of a picture whose sides it takes."""
    kind = {"fill": inpainters.FluxFillPipeline, "inpaint": inpainters.StableDiffusionInpaintPipeline}[folder.name]
    with quiet():
        pipe = kind.from_pretrained(folder)
        pipe.set_progress_bar_config(disable=True)
        asked = {"prompt": "b", "num_inference_steps": 2, "generator": torch.Generator().manual_seed(4)} | more
        height, width = mask.shape
        pictures = {"image": Image.fromarray(picture), "mask_image": Image.fromarray(255 * mask.astype(np.uint8))}
        out = pipe(**pictures, height=height, width=width, output_type="np", **asked)
    return 255 * out.images[0]


@pytest.mark.parametrize("kind", ["flux", "sd"])
@pytest.mark.parametrize(("height", "width"), [(48, 64), (37, 50)])
def test_the_mask_is_filled_by_the_pipeline_of_the_padded_picture(folders, kind: str, height: int, width: int) -> None:
    item = scene(height, width)
    answer = METHODS["fill"](path=str(folders[kind]), **FAST).method(item)
    check_filled(item, answer)
    more = ((0, -height % 16), (0, -width % 16))
    made = direct(
        folders[kind],
        np.pad(item.picture, (*more, (0, 0)), mode="symmetric"),
        np.pad(item.mask, more, mode="symmetric"),
    )[:height, :width]
    assert (answer.background[item.mask] == np.rint(made[item.mask])).all()
    assert answer.background[item.mask].std() > 1


@pytest.mark.parametrize("kind", ["flux", "sd"])
def test_a_size_means_a_smaller_picture_that_is_enlarged_again(folders, kind: str) -> None:
    rng = np.random.default_rng(2)
    small = rng.integers(0, 256, (32, 32, 3), np.uint8)
    hole = np.zeros((32, 32), bool)
    hole[8:20, 5:17] = True
    item = scene(64, 96)._replace(picture=small.repeat(2, axis=0).repeat(3, axis=1))
    mask = hole.repeat(2, axis=0).repeat(3, axis=1)
    mask[16, 15:51] = False  # half of the small pixels on the hole's upper edge are masked
    item = item._replace(mask=mask)
    answer = METHODS["fill"](path=str(folders[kind]), size=32, **FAST).method(item)
    check_filled(item, answer)
    large = cv2.resize(direct(folders[kind], small, hole), (96, 64), interpolation=cv2.INTER_LINEAR)
    assert np.abs(answer.background[mask] - large[mask]).max() <= 0.51


@pytest.mark.parametrize("kind", ["flux", "sd"])
def test_a_seed_means_the_same_bytes_whatever_ran_before(folders, kind: str) -> None:
    item = scene()
    method = METHODS["fill"](path=str(folders[kind]), **FAST).method
    first = method(item).background
    method(scene(16, 32, seed=1))
    torch.manual_seed(99)
    assert (method(item).background == first).all()
    other = METHODS["fill"](path=str(folders[kind]), steps=2, seed=5).method(item).background
    assert (other != first).any()


def test_options_reach_the_pipeline(folders) -> None:
    item = scene()
    given = {
        "flux": [{"prompt": "a"}, {"guidance": 3.0}, {"strength": 0.5}, {"steps": 3}],
        "sd": [{"prompt": "a"}, {"negative": "a"}, {"guidance": 1.0}, {"strength": 0.5}, {"steps": 3}],
    }
    names = {"negative": "negative_prompt", "guidance": "guidance_scale", "steps": "num_inference_steps"}
    for kind, several in given.items():
        plain = METHODS["fill"](path=str(folders[kind]), **FAST).method(item).background
        for options in several:
            made = METHODS["fill"](path=str(folders[kind]), **FAST | options).method(item).background
            more = {names.get(name, name): value for name, value in options.items()}
            expected = direct(folders[kind], item.picture, item.mask, **more)
            assert (made[item.mask] == np.rint(expected[item.mask])).all(), options
            assert (made != plain).any(), options


def test_options_that_a_pipeline_does_not_take(folders) -> None:
    with pytest.raises(EvalError) as error:
        METHODS["fill"](path=str(folders["flux"]), negative="a thing")
    text = "method 'fill': negative: FluxFillPipeline takes no 'negative_prompt'; leave it out"
    assert str(error.value) == text
    with pytest.raises(EvalError, match=r"^method 'fill': strength: input should be less than or equal to 1"):
        METHODS["fill"](path=str(folders["flux"]), strength=2)
    refused = METHODS["fill"](path=str(folders["sd"]), steps=1, strength=0.4).method
    with pytest.raises(
        EvalError, match=r"^a-1: StableDiffusionInpaintPipeline: After adjusting the num_inference_steps [^\n]*$"
    ):
        refused(scene())


@pytest.mark.parametrize(
    ("save", "kind"),
    [
        (tiny_models.save_flux, "FluxInpaintPipeline"),
        (tiny_models.save_stable_diffusion, "StableDiffusionInpaintPipeline"),
    ],
)
def test_text_to_image_weights_inpaint_as_diffusers_pairs_them(tmp_path: Path, save, kind: str) -> None:
    item = scene()
    path = str(save(tmp_path / "plain"))
    asked = {"strength": 0.9, **FAST}
    found, named = (METHODS["fill"](path=path, **asked, **more) for more in ({}, {"pipeline": kind}))
    answer = found.method(item)
    check_filled(item, answer)
    assert (answer.background == named.method(item).background).all()
    assert found.key != named.key


def test_folders_that_are_no_inpainting_pipelines(folders, tmp_path: Path) -> None:
    def said(path: Path, **options) -> str:
        with pytest.raises(EvalError) as error:
            METHODS["fill"](path=str(path), **options)
        assert "\n" not in str(error.value)
        return str(error.value)

    assert said(tmp_path / "x") == f"method 'fill': {tmp_path}/x: no such folder, and no Hub id (OWNER/NAME)"
    assert said(tmp_path).startswith(f"method 'fill': {tmp_path}/model_index.json: cannot be read: ")
    index = tmp_path / "model_index.json"
    index.write_bytes(orjson.dumps({"_class_name": ["pipeline", "Own"]}))
    text = f"method 'fill': {index}: _class_name must be the name of a class of diffusers, is ['pipeline', 'Own']"
    assert said(tmp_path) == text
    index.write_bytes(orjson.dumps({"_class_name": "DDPMPipeline"}))
    assert said(tmp_path).startswith(f"method 'fill': {tmp_path}: no inpainting pipeline: ")
    near = "diffusers has no inpainting class 'FluxFilPipeline'; did you mean 'FluxFillPipeline'?"
    assert said(folders["flux"], pipeline="FluxFilPipeline") == f"method 'fill': pipeline: {near}"
    wrong = said(folders["sd"], pipeline="FluxFillPipeline")
    assert wrong.startswith(f"method 'fill': {folders['sd']}: no inpainting pipeline: ")
    assert said(folders["sd"], device="nowhere").startswith("method 'fill': device: 'nowhere' cannot be used here")


def test_numbers_that_are_not_finite_are_told(folders, tmp_path: Path) -> None:
    with quiet():
        pipe = inpainters.StableDiffusionInpaintPipeline.from_pretrained(folders["sd"])
        pipe.vae.decoder.conv_out.bias.data[:] = torch.nan
        pipe.save_pretrained(tmp_path / "nan")
    method = METHODS["fill"](path=str(tmp_path / "nan"), **FAST).method
    with pytest.raises(EvalError) as error:
        method(scene())
    text = "StableDiffusionInpaintPipeline made (48, 64, 3), must be (48, 64, 3) and finite"
    assert str(error.value) == f"a-1: {text}"


def test_a_picture_that_the_safety_checker_blacks_out_is_told(tmp_path: Path) -> None:
    folder = inpainters.save_inpaint(tmp_path, checker=True)
    with quiet():
        pipe = inpainters.StableDiffusionInpaintPipeline.from_pretrained(folder)
        pipe.safety_checker.concept_embeds_weights.data[:] = -2.0  # below any cosine
        pipe.save_pretrained(folder)
    with pytest.raises(EvalError) as error:
        METHODS["fill"](path=str(folder), **FAST).method(scene())
    assert str(error.value) == "a-1: blacked out by the pipeline's safety checker"


def test_the_key_is_that_of_weights_and_options(folders, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folders["sd"], copy)

    def key(path: Path, **options) -> str:
        return METHODS["fill"](path=str(path), **options).key

    first = key(copy)
    assert first == key(folders["sd"])
    assert len({first, key(copy, prompt="a"), key(copy, steps=3), key(copy, seed=1), key(copy, size=64)}) == 5
    (copy / "whole.safetensors").write_bytes(b"the same weights in one file")
    assert key(copy) == first
    with (copy / "unet" / "diffusion_pytorch_model.safetensors").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x07")
    assert key(copy) != first


HUB = """
import diffusers

from evaluation.errors import EvalError
from evaluation.methods import make_method
from evaluation.methods.pipelines import located
from tests.evaluation.methods.scenes import scene

name, made = make_method("fill:us/fill?revision=v1&steps=1")
assert made.method(scene()).background.shape == (48, 64, 3)
for revision, commit in (("v1", "0"), ("v2", "1")):
    folder, weights = located(diffusers, "us/fill", revision)
    assert weights == f"us/fill@{commit * 40}"
    assert folder.name == commit * 40
for missing in ("us/fill?revision=v3", "us/other"):
    try:
        make_method(f"fill:{missing}")
    except EvalError as error:
        id = missing.partition("?")[0]
        assert str(error).startswith(f"method 'fill': {id}: no such folder, nor on the Hub: "), error
    else:
        raise AssertionError(missing)
"""


def test_hub_ids_by_revision(folders, tmp_path: Path) -> None:
    """From the Hub's cache on disk, which holds two revisions; its place is read from the environment at import."""
    repo = tmp_path / "hub" / "models--us--fill"
    (repo / "refs").mkdir(parents=True)
    for revision, commit in (("v1", "0" * 40), ("v2", "1" * 40)):
        shutil.copytree(folders["flux"], repo / "snapshots" / commit)
        (repo / "refs" / revision).write_text(commit)
    there = {"HF_HUB_CACHE": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    run = [sys.executable, "-W", "error", "-c", HUB]
    done = subprocess.run(run, env=os.environ | there, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
