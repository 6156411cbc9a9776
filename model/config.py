"""Training configurations: one TOML file is one complete named run."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from model.data.options import DataOptions
from model.spec import Amodal, Branches, Fusion, Lora, Shape, Spec
from stages.settings import ManifestError, did_you_mean, parse, parse_toml
from stages.types import Frozen

ROOT = Path(__file__).resolve().parent.parent


class Base(Frozen):
    """Where the run starts: weights in a folder or on the Hub (`model`), or a new transformer of `shape`.

    `spec` says how a new transformer is wired; a model in a folder of ours brings its own. `rgba` is the folder of an
    RGBA codec that a run of kind "codec" made, for a base with a VAE.
    """

    model: str | None = None
    revision: str | None = None
    shape: Shape | None = None
    rgba: str | None = None
    spec: Spec = Spec()


class Adapt(Frozen):
    """What is added to the base, and what of it trains: LoRA, fusion, and whole layers by regular expression."""

    branches: Branches = ("background", "foreground")
    lora: Lora | None = None
    fusion: Fusion | None = None
    train: tuple[str, ...] = ()  # full names of the transformer's parameters; ".*" trains all


class Sigma(Frozen):
    """Noise levels: logit-normal(mean, std), shifted as at inference if `shifted`; a share `ones` is pure noise."""

    mean: float = Field(0.0, ge=-5, le=5)
    std: float = Field(1.0, gt=0, le=5)
    ones: float = Field(0.0, ge=0, le=1)
    shifted: bool = False


class Loss(Frozen):
    """Flow matching, and what weighs it. All off by default: the paper's plain loss."""

    hole: float = Field(0.0, ge=0, le=100)  # added weight of what a branch repaints
    colour_by_alpha: float = Field(0.0, ge=0, le=1)  # 1: the object's colour counts only where it is (pixel codec)
    alpha: float = Field(1.0, gt=0, le=100)  # weight of the object's alpha (pixel codec)
    alpha_median: bool = False  # absolute error of the object's alpha, not its square (pixel codec)
    latents: float = Field(0.01, ge=0, le=100)  # of kind "codec": how firmly opaque pictures keep the VAE's latents


class Optimiser(Frozen):
    """AdamW with warm-up, a constant rate, and a linear end over the last `decay` of the steps."""

    lr: float = Field(5e-5, gt=0, le=1)
    warmup: int = Field(100, ge=0)
    decay: float = Field(0.0, ge=0, le=1)
    weight_decay: float = Field(0.01, ge=0, le=1)
    betas: tuple[float, float] = (0.9, 0.999)
    clip: float = Field(1.0, gt=0)
    ema: float = Field(0.0, ge=0, lt=1)


class Machine(Frozen):
    """How the run uses its machines."""

    precision: Literal["fp32", "bf16"] = "fp32"
    parallel: Literal["ddp", "fsdp"] = "ddp"
    checkpointing: bool = False
    compile: bool = False


class TrainConfig(Frozen):
    """A training run.

    `kind` "layers" trains the transformer, "codec" an RGBA codec made from the base's VAE, "amodal" the network of
    `model.amodal`, which needs no base.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    description: str = ""
    kind: Literal["layers", "codec", "amodal"] = "layers"
    seed: int = Field(0, ge=0)
    steps: int = Field(ge=1)
    batch_size: int = Field(ge=1, le=4096)  # of one process
    accumulate: int = Field(1, ge=1, le=1024)
    base: Base = Base()
    amodal: Amodal = Amodal()
    adapt: Adapt = Adapt()
    data: DataOptions
    precomputed: str | None = None
    sigma: Sigma = Sigma()
    loss: Loss = Loss()
    optimiser: Optimiser = Optimiser()
    machine: Machine = Machine()
    log_every: int = Field(10, ge=1)
    validate_every: int = Field(0, ge=0)  # 0: only at the end
    validate_samples: int = Field(32, ge=1, le=4096)
    checkpoint_every: int = Field(100, ge=1)
    keep_last: int = Field(2, ge=1)
    sample_steps: int = Field(8, ge=1, le=1000)

    @model_validator(mode="after")
    def _one_base(self) -> "TrainConfig":
        given = [name for name in ("model", "shape") if getattr(self.base, name) is not None]
        if len(given) != 1 and (given or self.kind != "amodal"):
            raise ValueError("base: give either `model` or `shape`")
        return self


def resolve(model: str) -> str:
    """A folder of the repository where there is one of that name, else the name as it is (a folder, or a Hub id)."""
    inside = ROOT / model
    return str(inside) if inside.is_dir() and not Path(model).is_dir() else model


def load_config(path: Path) -> TrainConfig:
    """Read a training configuration.

    Raises:
        ManifestError: unreadable, not TOML, a wrong key or value; the text names file, key, bound and value.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        near = [p.name for p in path.parent.glob("*.toml")] if path.parent.is_dir() else []
        raise ManifestError(f"{path}: no such file{did_you_mean(path.name, near) if near else ''}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path}: cannot be read: {error}") from None
    return parse(TrainConfig, parse_toml(text, str(path)), str(path))
