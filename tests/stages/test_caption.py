"""Captioners: tiny random models, saved to disk and loaded as any other."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from stages.caption import TransformersCaptioner, on_grey
from stages.types import U8

KINDS = ("blip", "git", "vit_gpt2")
Load = Callable[[str], tuple[Path, TransformersCaptioner]]


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Load:
    """Folder and captioner of a kind, made once."""
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from tests import tiny_models

    made: dict[str, tuple[Path, TransformersCaptioner]] = {}

    def get(kind: str) -> tuple[Path, TransformersCaptioner]:
        if kind not in made:
            folder = getattr(tiny_models, f"save_{kind}")(tmp_path_factory.mktemp(kind) / "model")
            made[kind] = (folder, TransformersCaptioner(str(folder)))
        return made[kind]

    return get


def picture(seed: int, channels: int = 3) -> U8:
    return np.random.default_rng(seed).integers(0, 256, (24, 40, channels), dtype=np.uint8)


def greedy(folder: Path, rgb: U8) -> str:
    """The likeliest token, one at a time and without a cache, by the concrete classes and by hand."""
    import torch
    from transformers import BertTokenizer, BlipForConditionalGeneration

    small = np.asarray(Image.fromarray(rgb).resize((32, 32), Image.Resampling.BICUBIC), np.float32)
    pixels = torch.from_numpy(((small / 255 - 0.5) / 0.5).transpose(2, 0, 1)[None].copy())
    model = BlipForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    tokens = [4]
    with torch.no_grad():
        seen = model.vision_model(pixels).last_hidden_state
        while len(tokens) < 33 and tokens[-1] != 3:
            out = model.text_decoder(input_ids=torch.tensor([tokens]), encoder_hidden_states=seen)
            tokens.append(int(out.logits[0, -1].argmax()))
    words = BertTokenizer.from_pretrained(folder).convert_ids_to_tokens(tokens)
    return " ".join(word for word in words if word not in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[DEC]"))


def test_the_caption_is_what_greedy_decoding_by_hand_finds(load: Load) -> None:
    folder, captioner = load("blip")
    for seed in range(3):
        assert captioner.caption(picture(seed)) == greedy(folder, picture(seed)).rstrip(" .")


@pytest.mark.parametrize("kind", KINDS)
def test_captions_are_one_line_of_text_that_the_picture_decides(load: Load, kind: str) -> None:
    captioner = load(kind)[1]
    texts = [captioner.caption(picture(seed)) for seed in range(3)]
    assert [captioner.caption(picture(seed)) for seed in range(3)] == texts
    assert len(set(texts)) > 1
    for text in texts:
        assert text
        assert text == " ".join(text.split()).rstrip(".")
        assert "[" not in text


def test_the_full_stop_is_dropped(load: Load) -> None:
    captioner = TransformersCaptioner(str(load("blip")[0]))
    model: Any = captioner._model
    model.text_decoder.cls.predictions.bias.data[31] = 1e6  # nothing but full stops
    assert captioner.caption(picture(0)) == ""


def test_half_precision_weights_are_read(load: Load, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(load("blip")[0], tmp_path / "half")
    weights = {k: v.half() for k, v in load_file(folder / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"dtype": "float16"}))
    captioner = TransformersCaptioner(str(folder))
    model: Any = captioner._model
    assert str(model.dtype) == "torch.float32"  # half precision is slow on a CPU, and not every model casts pictures
    assert captioner.caption(picture(0)) == greedy(folder, picture(0)).rstrip(" .")


def test_a_cut_out_is_seen_on_grey(load: Load) -> None:
    captioner = load("blip")[1]
    rgba = picture(5, 4)
    assert captioner.caption(rgba) == captioner.caption(on_grey(rgba))
    hidden = rgba.copy()
    hidden[..., 3] = 0
    assert captioner.caption(hidden) == captioner.caption(np.full((24, 40, 3), 128, np.uint8))


def test_on_grey() -> None:
    rgba = picture(6, 4)
    rgba[0, 0], rgba[0, 1] = (9, 8, 7, 255), (9, 8, 7, 0)
    alpha = rgba[..., 3:] / 255.0
    exact = rgba[..., :3] * alpha + 128 * (1 - alpha)
    shown = on_grey(rgba)
    assert shown.dtype == np.uint8
    assert np.abs(shown - exact).max() <= 0.5 + 1e-4
    assert shown[0, :2].tolist() == [[9, 8, 7], [128, 128, 128]]
    assert np.array_equal(on_grey(picture(6)), picture(6))


@pytest.mark.parametrize("bad", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 2), np.uint8), np.zeros((4, 4, 3))])
def test_other_arrays_are_refused(bad: Any) -> None:
    with pytest.raises(ValueError, match=r"^picture: must be \(h, w, 3\) or \(h, w, 4\) uint8, got \(4, 4"):
        on_grey(bad)


def test_nothing_is_printed(load: Load, capfd: pytest.CaptureFixture[str]) -> None:
    TransformersCaptioner(str(load("blip")[0])).caption(picture(0))
    assert capfd.readouterr() == ("", "")


def refused(folder: Path, **more: str) -> str:
    with pytest.raises(ValueError, match=r"\n?.+") as info:
        TransformersCaptioner(str(folder), **more)
    return str(info.value)


def test_a_folder_without_a_captioner_is_named(load: Load, tmp_path: Path) -> None:
    load("blip")
    assert refused(tmp_path).startswith(f"captioner: no image-to-text model can be loaded from {tmp_path}: ")
    other = refused(tmp_path, revision="v1")
    assert other.startswith(f"captioner: no image-to-text model can be loaded from {tmp_path}, revision v1: ")
    assert refused(tmp_path, device="nowhere").startswith("device: 'nowhere' cannot be used here: ")


def test_pickled_weights_are_refused(load: Load, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    folder = shutil.copytree(load("blip")[0], tmp_path / "pickled")
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    TransformersCaptioner(str(folder))  # both are there
    (folder / "model.safetensors").unlink()
    text = refused(folder)
    assert text.startswith(f"captioner: no image-to-text model can be loaded from {folder}: ")
    assert "model.safetensors" in text


def test_code_beside_the_weights_is_not_run(load: Load, tmp_path: Path) -> None:
    folder = shutil.copytree(load("blip")[0], tmp_path / "code")
    config = json.loads((folder / "config.json").read_text())
    config["model_type"] = "mine"
    config["auto_map"] = {"AutoConfig": "mine.Mine", "AutoModelForImageTextToText": "mine.Mine"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "mine.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    assert refused(folder).startswith(f"captioner: no image-to-text model can be loaded from {folder}: ")
    assert not (tmp_path / "ran").exists()
