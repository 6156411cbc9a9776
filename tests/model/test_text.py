"""Words: what FLUX's own pipeline makes of a prompt, kept in the model's folder."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import FluxPipeline
from safetensors.torch import load_file

from model.assemble import assemble
from model.folder import load_model, save_model
from model.text import Prompt, encode_prompt
from model.transformer import ModelError
from stages.lazy import quiet
from tests.model.bases import POOLED, TEXT, plain_config, save_base


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_base(tmp_path_factory.mktemp("base"))


def oracle(base: Path, prompt: str, tokens: int) -> Prompt:
    """A whole pipeline."""
    with quiet(), torch.no_grad():
        pipe: Any = FluxPipeline.from_pretrained(base)
        embeds, pooled, _ = pipe.encode_prompt(prompt, None, max_sequence_length=tokens)
    return Prompt(embeds, pooled)


@pytest.mark.parametrize(("prompt", "tokens"), [("", 4), ("a cat", 9), ("a cat", 3)])
def test_a_prompt_is_what_the_pipeline_reads(base: Path, prompt: str, tokens: int) -> None:
    found, expected = encode_prompt(str(base), prompt, tokens, dtype=torch.float32), oracle(base, prompt, tokens)
    assert found.tokens.shape == (1, tokens, TEXT)
    assert found.pooled.shape == (1, POOLED)
    assert torch.equal(found.tokens, expected.tokens)
    assert torch.equal(found.pooled, expected.pooled)


def test_it_is_read_in_bfloat16_and_kept_in_float32(base: Path) -> None:
    rounded, full = encode_prompt(str(base), "a", 5), oracle(base, "a", 5)
    assert {t.dtype for t in rounded} == {torch.float32}
    assert torch.equal(rounded.tokens.bfloat16().float(), rounded.tokens)
    torch.testing.assert_close(rounded.tokens, full.tokens, atol=0.05, rtol=0.05)
    assert not rounded.tokens.requires_grad


def test_prompts_differ(base: Path) -> None:
    one, other = (encode_prompt(str(base), prompt, 5) for prompt in ("a", "b"))
    assert not torch.equal(one.tokens, other.tokens)
    assert not torch.equal(one.pooled, other.pooled)


def test_the_model_is_told_and_its_folder_remembers(base: Path, tmp_path: Path) -> None:
    loaded = assemble(plain_config("nowhere", base))
    expected = encode_prompt(str(base), "a b", 7)
    assert torch.equal(loaded.model.text.tokens, expected.tokens)
    assert torch.equal(loaded.model.text.pooled, expected.pooled)
    save_model(tmp_path, *loaded)
    stored = load_file(tmp_path / "layers.safetensors")
    assert torch.equal(stored["text.tokens"], expected.tokens)
    again = load_model(str(tmp_path)).model
    assert torch.equal(again.text.tokens, expected.tokens)
    assert torch.equal(again.text.pooled, expected.pooled)
    assert (again.spec.prompt, again.spec.text_tokens) == ("a b", 7)


def test_without_words_it_hears_zeros(base: Path, tmp_path: Path) -> None:
    mute = shutil.copytree(base, tmp_path / "mute")
    shutil.rmtree(mute / "text_encoder_2")
    config = plain_config("nowhere", mute)
    silent = config.model_copy(
        update={"base": config.base.model_copy(update={"spec": config.base.spec.model_copy(update={"text_tokens": 0})})}
    )
    text = assemble(silent).model.text
    assert text.tokens.shape == (1, 1, TEXT)
    assert not text.tokens.any()
    assert not text.pooled.any()


@pytest.mark.parametrize("part", ["text_encoder", "tokenizer", "text_encoder_2", "tokenizer_2"])
def test_a_base_that_cannot_read_says_what_to_do(base: Path, tmp_path: Path, part: str) -> None:
    mute = shutil.copytree(base, tmp_path / "mute")
    shutil.rmtree(mute / part)
    with pytest.raises(ModelError) as caught:
        encode_prompt(str(mute), "a", 4)
    assert str(caught.value).startswith(f"{mute}: cannot be loaded: ")
    assert str(caught.value).endswith(
        "; its text encoders read base.spec.prompt, and base.spec.text_tokens = 0 goes without words"
    )
    assert "\n" not in str(caught.value)
