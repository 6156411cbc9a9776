"""Text to image: tiny random pipelines, saved to disk and loaded as any other."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.diffuse import TextToImage
from stages.types import U8, Rejected

KINDS = {"stable_diffusion": 8, "flux": 4}  # and what sizes are a multiple of
PROMPTS, SEEDS = ["a red cup", "two dogs", "zebra"], [11, 2**63 - 1, 0]
CLASS = {"stable_diffusion": "StableDiffusionPipeline", "flux": "FluxPipeline"}
ROOT = Path(__file__).resolve().parents[2]
Load = Callable[..., tuple[Path, TextToImage]]


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Load:
    """Folder and pipeline of a kind, made once."""
    for name in ("torch", "diffusers", "transformers"):
        pytest.importorskip(name)
    from tests import tiny_models

    made: dict[str, tuple[Path, TextToImage]] = {}

    def get(kind: str, **more: Any) -> tuple[Path, TextToImage]:
        key = kind + str(more)
        if key not in made:
            folder = getattr(tiny_models, f"save_{kind}")(tmp_path_factory.mktemp(kind) / "model", **more)
            made[key] = (folder, TextToImage(str(folder)))
        return made[key]

    return get


def drawn(model: TextToImage, prompts: list[str] = PROMPTS, seeds: list[int] = SEEDS, **more: Any) -> list[U8]:
    asked = {"size": 16, "steps": 2, "guidance": None, "negative": ""} | more
    pictures = model.draw(prompts, seeds, **asked)
    assert not any(isinstance(p, Rejected) for p in pictures)
    return pictures  # type: ignore[return-value]


def apart(a: U8, b: U8) -> int:
    return int(np.abs(a.astype(int) - b.astype(int)).max())


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_are_those_of_the_pipeline_called_directly(load: Load, kind: str) -> None:
    import diffusers
    import torch

    folder, model = load(kind)
    pipe = getattr(diffusers, CLASS[kind]).from_pretrained(folder)
    pipe.set_progress_bar_config(disable=True)
    noise = [torch.Generator().manual_seed(seed) for seed in SEEDS]
    direct = pipe(PROMPTS, height=16, width=16, num_inference_steps=3, guidance_scale=2.0, generator=noise).images
    pictures = drawn(model, steps=3, guidance=2.0)
    assert [p.dtype for p in pictures] == [np.uint8] * 3
    assert all(np.array_equal(p, np.asarray(d)) for p, d in zip(pictures, direct, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_depends_on_its_prompt_and_seed_only(load: Load, kind: str) -> None:
    model = load(kind)[1]
    together = drawn(model)
    assert all(np.array_equal(a, b) for a, b in zip(together, drawn(model), strict=True))
    alone = [drawn(model, [p], [s])[0] for p, s in zip(PROMPTS, SEEDS, strict=True)]
    assert max(apart(a, b) for a, b in zip(together, alone, strict=True)) <= 1
    assert apart(drawn(model, ["other"], SEEDS[:1])[0], alone[0]) > 1
    assert apart(drawn(model, PROMPTS[:1], [12])[0], alone[0]) > 1


def test_knobs_reach_the_pipeline(load: Load) -> None:
    model = load("stable_diffusion")[1]
    base = drawn(model, PROMPTS[:1], SEEDS[:1])[0]
    for knob in ({"guidance": 1.0}, {"negative": "blurred"}, {"steps": 3}):
        assert apart(drawn(model, PROMPTS[:1], SEEDS[:1], **knob)[0], base) > 1
    assert drawn(model, PROMPTS[:1], SEEDS[:1], size=24)[0].shape == (24, 24, 3)
    assert apart(drawn(model, PROMPTS[:1], SEEDS[:1], guidance=7.5)[0], base) == 0  # the pipeline's own


def test_alpha_is_kept_where_it_is_drawn(load: Load) -> None:
    pictures = drawn(load("stable_diffusion", channels=4)[1])
    assert [p.shape for p in pictures] == [(16, 16, 4)] * 3
    assert len(np.unique(pictures[0][..., 3])) > 9


def test_nothing_to_draw(load: Load) -> None:
    assert drawn(load("flux")[1], [], []) == []


@pytest.mark.parametrize(("kind", "multiple"), KINDS.items())
@pytest.mark.parametrize("size", [15, 18, 0, -8])
def test_a_size_between_the_multiples(load: Load, kind: str, multiple: int, size: int) -> None:
    with pytest.raises(ValueError, match=rf"^size: {size} is not a multiple of {multiple} px, which {CLASS[kind]} "):
        drawn(load(kind)[1], size=size)


def test_arguments_that_a_pipeline_does_not_take(load: Load) -> None:
    with pytest.raises(ValueError, match=r"^negative: FluxPipeline ignores its 'negative_prompt'; leave it empty$"):
        drawn(load("flux")[1], negative="blurred")
    with pytest.raises(ValueError, match=r"^seeds: 2 for 3 prompts$"):
        drawn(load("flux")[1], seeds=[1, 2])


def renamed(folder: Path, to: Path, name: object) -> Path:
    """A copy that says it is of another class."""
    shutil.copytree(folder, to)
    index = json.loads((to / "model_index.json").read_text())
    (to / "model_index.json").write_text(json.dumps(index | {"_class_name": name}))
    return to


@pytest.fixture
def plain(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TextToImage:
    """A pipeline of a class that diffusers lists for no task; it takes little and draws 8-bit pictures of 16 px."""
    import diffusers

    class PlainPipeline(diffusers.StableDiffusionPipeline):
        def __call__(
            self, prompt: Any, height: int, width: int, num_inference_steps: int, generator: Any = None
        ) -> Any:
            return super().__call__(prompt, 16, 16, num_inference_steps, generator=generator, output_type="pil")

    monkeypatch.setattr(diffusers, "PlainPipeline", PlainPipeline, raising=False)
    return TextToImage(str(renamed(load("stable_diffusion")[0], tmp_path / "plain", "PlainPipeline")))


def test_a_class_that_diffusers_lists_for_no_task(load: Load, plain: TextToImage) -> None:
    pictures = drawn(plain)
    assert all(np.array_equal(a, b) for a, b in zip(pictures, drawn(load("stable_diffusion")[1]), strict=True))
    with pytest.raises(ValueError, match=r"^guidance: PlainPipeline takes no 'guidance_scale'; leave it out$"):
        drawn(plain, guidance=2.0)
    with pytest.raises(ValueError, match=r"^negative: PlainPipeline takes no 'negative_prompt'; leave it out$"):
        drawn(plain, negative="x")
    with pytest.raises(ValueError, match=r"^size: PlainPipeline drew \(16, 16, 3\), not \(24, 24, 3 or 4\)$"):
        drawn(plain, size=24)


def test_another_task_of_the_same_family_is_turned_into_drawing(load: Load, tmp_path: Path) -> None:
    folder, model = load("stable_diffusion")
    inpaint = TextToImage(str(renamed(folder, tmp_path / "inpaint", "StableDiffusionInpaintPipeline")))
    assert np.array_equal(drawn(inpaint)[0], drawn(model)[0])


def test_the_safety_checker_stays_and_is_reported(load: Load, tmp_path: Path) -> None:
    import torch

    model = load("stable_diffusion", checker=True)[1]
    pipe: Any = model._pipe
    free = drawn(model)
    seen = pipe.feature_extractor(free, return_tensors="pt").pixel_values
    with torch.no_grad():
        embedded = pipe.safety_checker.visual_projection(pipe.safety_checker.vision_model(seen)[1])
        concept = embedded.mean(0)
        near = torch.cosine_similarity(embedded, concept[None])
        pipe.safety_checker.concept_embeds[:] = concept
        ranked = near.sort(descending=True).values
        pipe.safety_checker.concept_embeds_weights[:] = (ranked[0] + ranked[1]) / 2
    pictures = model.draw(PROMPTS, SEEDS, size=16, steps=2, guidance=None, negative="")
    unsafe = Rejected("unsafe", "blacked out by the pipeline's safety checker")
    for i, picture in enumerate(pictures):
        if i == int(near.argmax()):
            assert picture == unsafe
        else:
            assert np.array_equal(picture, free[i])


def test_numbers_that_overflow_are_reported(load: Load) -> None:
    model = TextToImage(str(load("stable_diffusion")[0]))
    pipe: Any = model._pipe
    pipe.vae.decoder.conv_out.bias.data[1] = float("nan")
    pictures = model.draw(PROMPTS[:2], SEEDS[:2], size=16, steps=1, guidance=None, negative="")
    assert pictures == [Rejected("not_finite", "the model's numbers overflowed")] * 2


def test_too_little_memory_says_what_to_do(load: Load) -> None:
    import torch

    def fail(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB")

    model = load("flux")[1]
    pipe: Any = model._pipe
    hook = pipe.transformer.register_forward_pre_hook(fail)  # no device that runs out is at hand
    expected = r"^batch: too little memory on cpu for 3 pictures of 16 px in one batch; use a smaller batch$"
    try:
        with pytest.raises(ValueError, match=expected):
            drawn(model)
    finally:
        hook.remove()


def test_the_dtype_is_that_of_the_weights(load: Load) -> None:
    import torch

    folder, exact = load("flux")
    half = TextToImage(str(folder), dtype="bfloat16")
    pipe: Any = half._pipe
    assert pipe.transformer.dtype == pipe.text_encoder_2.dtype == torch.bfloat16
    assert apart(drawn(half)[0], drawn(exact)[0]) > 0


def test_nothing_is_printed(load: Load, capfd: pytest.CaptureFixture[str]) -> None:
    drawn(TextToImage(str(load("flux")[0])))
    assert capfd.readouterr() == ("", "")


def refused(folder: Path, **more: str) -> str:
    with pytest.raises(ValueError, match=r"\n?.+") as info:
        TextToImage(str(folder), **more)
    return str(info.value)


def test_a_folder_without_a_pipeline_is_named(load: Load, tmp_path: Path) -> None:
    folder = load("flux")[0]
    start = f"model: no text-to-image pipeline can be loaded from {tmp_path}"
    assert refused(tmp_path).startswith(f"{start}: ")
    assert refused(tmp_path, revision="v1").startswith(f"{start}, revision v1: ")
    assert refused(folder, device="nowhere").startswith("device: 'nowhere' cannot be used here: ")
    assert refused(folder, dtype="int8") == "dtype: 'int8' is not one of float32, bfloat16, float16"
    unknown = renamed(folder, tmp_path / "unknown", "NoSuchPipeline")
    assert refused(unknown).endswith("module diffusers has no attribute NoSuchPipeline")


def test_a_pipeline_that_takes_no_text(load: Load, tmp_path: Path) -> None:
    folder = renamed(load("stable_diffusion")[0], tmp_path / "ddpm", "DDIMPipeline")
    assert refused(folder) == f"model: {folder} is a DDIMPipeline, which takes no 'prompt': not text to image"


def test_pickled_weights_are_refused(load: Load, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    folder = shutil.copytree(load("stable_diffusion")[0], tmp_path / "pickled")
    safe = folder / "unet/diffusion_pytorch_model.safetensors"
    torch.save(load_file(safe), safe.with_suffix(".bin"))
    TextToImage(str(folder))  # both are there
    safe.unlink()
    text = refused(folder)
    assert text.startswith(f"model: no text-to-image pipeline can be loaded from {folder}: ")
    assert safe.name in text


@pytest.mark.parametrize("part", ["pipeline", "unet"])
def test_code_beside_the_weights_is_not_run(load: Load, tmp_path: Path, part: str) -> None:
    name = ["mine", "Mine"] if part == "pipeline" else "StableDiffusionPipeline"
    folder = renamed(load("stable_diffusion")[0], tmp_path / "code", name)
    index = json.loads((folder / "model_index.json").read_text())
    if part == "unet":
        (folder / "model_index.json").write_text(json.dumps(index | {"unet": ["mine", "Mine"]}))
    home = folder / part if part == "unet" else folder
    (home / "mine.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    assert "contains custom code in mine.py" in refused(folder)
    assert not (tmp_path / "ran").exists()


REVISIONS = """
from stages.caption import TransformersCaptioner
from stages.diffuse import TextToImage

made = TextToImage("us/flux", revision="v1").draw(["a"], [1], size=8, steps=1, guidance=None, negative="")
assert made[0].shape == (8, 8, 3)
TransformersCaptioner("us/blip", revision="v1")
for load in (TextToImage, TransformersCaptioner):
    try:
        load("us/flux", revision="v2")
    except ValueError as error:
        assert "loaded from us/flux, revision v2: " in str(error), error
    else:
        raise AssertionError(load)
"""


def test_hub_models_by_revision(load: Load, tmp_path: Path) -> None:
    """From the Hub's cache on disk, which holds one revision; its place is read from the environment at import."""
    from tests import tiny_models

    blip = tiny_models.save_blip(tmp_path / "blip")
    for name, folder in (("flux", load("flux")[0]), ("blip", blip)):
        repo = tmp_path / "hub" / f"models--us--{name}"
        shutil.copytree(folder, repo / "snapshots" / ("0" * 40))
        (repo / "refs").mkdir()
        (repo / "refs/v1").write_text("0" * 40)
    there = {"HF_HUB_CACHE": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    run = [sys.executable, "-W", "error", "-c", REVISIONS]
    done = subprocess.run(run, env=os.environ | there, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
