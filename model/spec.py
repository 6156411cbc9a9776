"""What a model is made of, beside its weights: written into its folder as `layers.json`."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from stages.types import Frozen

Branch = Literal["background", "foreground"]


def _each_once(branches: tuple[Branch, ...]) -> tuple[Branch, ...]:
    if not branches or len(set(branches)) < len(branches):
        raise ValueError(f"must name one or two different branches, is {list(branches)}")
    return branches


Branches = Annotated[tuple[Branch, ...], AfterValidator(_each_once)]
Modality = Literal["picture", "edge", "amodal", "segmentation", "depth"]

# Every attention and feed-forward projection of FluxTransformer2DModel's blocks. Anchored at both ends: a bare
# `proj_out` would also match the model's last layer.
FLUX_LINEARS = (
    r"(transformer_blocks\.\d+\.(attn\.(to_[qkv]|to_out\.0|add_[qkv]_proj|to_add_out)|ff(_context)?\.net\.(0\.proj|2))"
    r"|single_transformer_blocks\.\d+\.(attn\.to_[qkv]|proj_mlp|proj_out))"
)


class Shape(Frozen):
    """A new transformer of the class of FLUX; the defaults are FLUX's own."""

    num_layers: int = Field(19, ge=0, le=64)
    num_single_layers: int = Field(38, ge=0, le=128)
    num_heads: int = Field(24, ge=1, le=64)
    head_dim: int = Field(128, ge=8, le=256, multiple_of=2)
    text_dim: int = Field(4096, ge=1, le=16384)
    pooled_dim: int = Field(768, ge=1, le=16384)
    axes: tuple[int, int, int] = (16, 56, 56)
    guidance_embeds: bool = True

    @model_validator(mode="after")
    def _axes_fill_head(self) -> "Shape":
        if sum(self.axes) != self.head_dim or any(axis % 2 for axis in self.axes):
            raise ValueError(f"axes must be even and add up to head_dim = {self.head_dim}, are {list(self.axes)}")
        return self


class Lora(Frozen):
    """Low-rank adapters (Hu et al., ICLR 2022) on the linear layers whose whole name `target` matches."""

    rank: int = Field(256, ge=1, le=1024)
    alpha: float = Field(256.0, gt=0)
    target: str = FLUX_LINEARS


class Amodal(Frozen):
    """The network of `model.amodal`: channels of its first level."""

    width: int = Field(16, ge=8, le=512, multiple_of=8)


class Fusion(Frozen):
    """Multi-modal context fusion (`model.fusion`); `aligned` also gives each token the context at its own place.

    With "amodal" among the modalities, the object's first guess (`Spec.prediction`) has its alpha, not the mask.
    """

    modalities: tuple[Modality, ...] = Field(("picture", "edge"), min_length=1)
    width: int = Field(256, ge=8, le=8192)
    num_latents: int = Field(64, ge=1, le=4096)
    num_heads: int = Field(4, ge=1, le=64)
    out_dim: int = Field(64, ge=1, le=8192)
    aligned: bool = True
    amodal_model: str = "weights/nano-amodal"
    segmentation_model: str = "nvidia/segformer-b0-finetuned-ade-512-512"
    depth_model: str = "depth-anything/Depth-Anything-V2-Small-hf"

    @model_validator(mode="after")
    def _width_divides(self) -> "Fusion":
        if self.width % 4 or self.width % self.num_heads:
            raise ValueError(f"width must be a multiple of 4 and of num_heads = {self.num_heads}, is {self.width}")
        return self


class Spec(Frozen):
    """All that turns pictures into the transformer's tokens and its output back into pictures.

    `base` names the model that the transformer's frozen weights come from; where it is None they lie in the folder.
    `prediction` "x0" means: the first guess of `model.conditioning` plus the output is the clean latent.
    `shift` is the schedule's; 0 means FLUX's, from the number of tokens. `prompt` is what the base's text encoders read
    for all pictures, cut at `text_tokens`; 0 goes without words.
    """

    base: str | None = None
    codec: Literal["pixel", "vae"] = "vae"
    pixel_factor: int = Field(2, ge=1, le=16)
    hole: Literal["zero", "smooth"] = "zero"
    prediction: Literal["velocity", "x0"] = "velocity"
    shift: float = Field(0.0, ge=0, le=20)
    guidance: float = Field(30.0, ge=0, le=100)
    prompt: str = ""
    text_tokens: int = Field(512, ge=0, le=512)
    branches: Branches = ("background", "foreground")
    lora: Lora | None = None
    fusion: Fusion | None = None
    trained: tuple[str, ...] = ()
