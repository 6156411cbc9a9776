"""Random models of a few thousand weights, saved to disk in the layout that the real loading code reads.

Callers skip where torch is missing: `pytest.importorskip("torch")`.
"""

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    BertTokenizer,
    BlipConfig,
    BlipForConditionalGeneration,
    CLIPConfig,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
    GitConfig,
    GitForCausalLM,
    GPT2Config,
    PreTrainedTokenizerFast,
    T5Config,
    T5EncoderModel,
    VisionEncoderDecoderConfig,
    VisionEncoderDecoderModel,
    ViTConfig,
)

from stages.lazy import quiet

with quiet():  # as in `stages.diffuse`
    from diffusers import (
        AutoencoderKL,
        DDIMScheduler,
        FlowMatchEulerDiscreteScheduler,
        FluxPipeline,
        FluxTransformer2DModel,
        StableDiffusionPipeline,
        UNet2DConditionModel,
    )
    from diffusers.pipelines.stable_diffusion import StableDiffusionSafetyChecker
    from transformers import CLIPImageProcessorPil

torch.set_num_threads(1)  # handing such small work to other threads takes longer than doing it

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def save_stable_diffusion(folder: Path, *, channels: int = 3, checker: bool = False) -> Path:
    """A StableDiffusionPipeline whose pictures are 8 times as large as its latents and have `channels` channels."""
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=16,
        attention_head_dim=4,
    )
    pipe = StableDiffusionPipeline(
        vae=_vae(depth=4, channels=channels),
        text_encoder=CLIPTextModel(_clip_text()),
        tokenizer=_clip_tokenizer(),
        unet=unet,
        scheduler=DDIMScheduler(beta_schedule="scaled_linear", clip_sample=False, steps_offset=1),
        safety_checker=_safety_checker() if checker else None,
        feature_extractor=CLIPImageProcessorPil(size=32, crop_size=32) if checker else None,
        requires_safety_checker=checker,
    )
    return _saved(pipe, folder)


def save_flux(folder: Path) -> Path:
    """A FluxPipeline that distils guidance; its sizes are multiples of 4."""
    torch.manual_seed(1)
    transformer = FluxTransformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=12,
        pooled_projection_dim=16,
        guidance_embeds=True,
        axes_dims_rope=(2, 2, 4),
    )
    t5 = T5Config(vocab_size=32, d_model=12, d_kv=4, d_ff=16, num_layers=1, num_heads=2)
    pipe = FluxPipeline(
        vae=_vae(depth=2),
        text_encoder=CLIPTextModel(_clip_text()),
        tokenizer=_clip_tokenizer(),
        text_encoder_2=T5EncoderModel(t5),
        tokenizer_2=_letters("</s>"),
        transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(),
    )
    return _saved(pipe, folder)


def save_blip(folder: Path) -> Path:
    """A BLIP captioner of 32-pixel pictures, with the tokenizer and image processor files it is published with."""
    torch.manual_seed(2)
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = small | {
        "encoder_hidden_size": 16,
        "vocab_size": 32,
        "max_position_embeddings": 64,
        "initializer_range": 1.0,
        "bos_token_id": 4,
        "eos_token_id": 3,
        "sep_token_id": 3,
        "pad_token_id": 0,
    }
    vision = small | {"image_size": 32, "patch_size": 8, "initializer_range": 1.0}
    model = BlipForConditionalGeneration(BlipConfig(text_config=text, vision_config=vision, image_text_hidden_size=16))
    _save_model(model, folder)
    _bert_tokenizer().save_pretrained(folder)
    _image_processor(folder, "BlipImageProcessor")
    return folder


def save_git(folder: Path) -> Path:
    """A GIT captioner: a decoder without cross-attention, unlike BLIP."""
    torch.manual_seed(3)
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = small | {"vocab_size": 32, "max_position_embeddings": 64, "bos_token_id": 2, "eos_token_id": 3}
    vision = small | {"image_size": 32, "patch_size": 8}
    model = GitForCausalLM(GitConfig(vision_config=vision, **text, initializer_range=1.0))
    _save_model(model, folder)
    _bert_tokenizer().save_pretrained(folder)
    _image_processor(folder, "CLIPImageProcessor")
    return folder


def save_vit_gpt2(folder: Path) -> Path:
    """A ViT encoder and a GPT-2 decoder, published without a class that joins tokenizer and image processor."""
    torch.manual_seed(4)
    vision = ViTConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=32, patch_size=8
    )
    text = GPT2Config(
        vocab_size=32,
        n_positions=64,
        n_embd=16,
        n_layer=1,
        n_head=2,
        initializer_range=1.0,
        bos_token_id=1,
        eos_token_id=1,
    )
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(vision, text)
    model = VisionEncoderDecoderModel(config)
    for settings in (model.config, model.generation_config):
        settings.decoder_start_token_id = settings.bos_token_id = settings.eos_token_id = 1
        settings.pad_token_id = 0
    _save_model(model, folder)
    _letters("</s>").save_pretrained(folder)
    _image_processor(folder, "ViTImageProcessor")
    return folder


def _save_model(model: Any, folder: Path) -> None:
    with quiet():
        model.save_pretrained(folder)


def _saved(pipe: Any, folder: Path) -> Path:
    with quiet():
        pipe.save_pretrained(folder)
    return folder


def _vae(depth: int, channels: int = 3) -> AutoencoderKL:
    """Pictures of 2 ** (depth - 1) pixels a latent."""
    return AutoencoderKL(
        out_channels=channels,
        latent_channels=4,
        block_out_channels=(8,) * depth,
        norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * depth,
        up_block_types=("UpDecoderBlock2D",) * depth,
        scaling_factor=0.3,
        shift_factor=0.1,
        mid_block_add_attention=False,
    )


def _safety_checker() -> StableDiffusionSafetyChecker:
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = CLIPConfig(vision_config=small | {"image_size": 32, "patch_size": 8}, projection_dim=8)
    return StableDiffusionSafetyChecker(config)


def _clip_text() -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=64,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=24,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
        initializer_range=1.0,  # so that prompts differ
    )


def _clip_tokenizer() -> CLIPTokenizer:
    """Byte pairs without merges: every letter is a token."""
    tokens = ["<|startoftext|>", "<|endoftext|>", *LETTERS, *(f"{letter}</w>" for letter in LETTERS)]
    vocab = {token: i for i, token in enumerate(tokens)}
    return CLIPTokenizer(vocab=vocab, merges=[], model_max_length=24)


def _letters(end: str) -> PreTrainedTokenizerFast:
    vocab = {"<pad>": 0, end: 1, "<unk>": 2} | {letter: i + 3 for i, letter in enumerate(LETTERS)}
    tokenizer = Tokenizer(models.WordLevel(vocab, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.post_processor = processors.TemplateProcessing(single=f"$A {end}", special_tokens=[(end, 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token=end, unk_token="<unk>", model_max_length=512
    )


def _bert_tokenizer() -> BertTokenizer:
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[DEC]", *LETTERS, "."]
    return BertTokenizer(vocab={token: i for i, token in enumerate(tokens)}, extra_special_tokens=["[DEC]"])


def _image_processor(folder: Path, name: str) -> None:
    """The file as Hub repositories hold it, whichever class reads it."""
    settings = {
        "image_processor_type": name,
        "do_resize": True,
        "do_normalize": True,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_center_crop": False,
        "resample": 3,
        "size": {"height": 32, "width": 32},
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
