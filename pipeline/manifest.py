"""Manifests: what to build, as data. One TOML file is one complete named run."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from pipeline.source import Licence, Source
from stages.masks import MASK_KINDS
from stages.settings import did_you_mean
from stages.types import Frozen

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Weight = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


def _ordered(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError(f"the lower end {pair[0]} is above the upper end {pair[1]}")
    return pair


def _range(low: float, high: float) -> Any:
    bound = Annotated[float, Field(ge=low, le=high)]
    return Annotated[tuple[bound, bound], AfterValidator(_ordered)]


class Splits(Frozen):
    """Share of samples (and of asset clusters) in each split; they add up to 1."""

    train: Share = 0.9
    val: Share = 0.05
    test: Share = 0.05

    @model_validator(mode="after")
    def _whole(self) -> "Splits":
        total = self.train + self.val + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(f"shares must add up to 1, they add up to {total:g}")
        return self

    def items(self) -> tuple[tuple[str, float], ...]:
        """(name, share) of the splits that are not empty, in order."""
        both = (("train", self.train), ("val", self.val), ("test", self.test))
        return tuple((name, share) for name, share in both if share > 0)


class Objects(Frozen):
    """Which objects, how many, how large."""

    counts: dict[Literal["1", "2", "3"], Weight] = {"1": 0.3, "2": 0.45, "3": 0.25}
    real_fraction: Share = 0.5
    air_fraction: Share = 0.25  # of scenes without a shadow: the target flies, where such assets exist
    area_median: float = Field(0.10, gt=0, le=0.9)
    area_sigma: float = Field(0.5, ge=0, le=2)
    area_bounds: _range(0.0, 1.0) = (0.02, 0.45)  # type: ignore[valid-type]
    max_upscale: float = Field(1.25, gt=0, le=8)
    cropped_fraction: Share = 0.1
    rotation_ground: float = Field(3.0, ge=0, le=180)
    rotation_air: float = Field(15.0, ge=0, le=180)

    @model_validator(mode="after")
    def _drawable(self) -> "Objects":
        if sum(self.counts.values()) <= 0:
            raise ValueError("counts: at least one weight must be above 0")
        return self

    def share(self, count: Literal["1", "2", "3"]) -> float:
        """Share of scenes with that many objects."""
        return self.counts.get(count, 0.0) / sum(self.counts.values())


class OcclusionKnobs(Frozen):
    """How often the target is hidden in part, and how much of it then shows."""

    fraction: Share = 0.6
    visible: _range(0.05, 1.0) = (0.3, 0.95)  # type: ignore[valid-type]
    tolerance: float = Field(0.03, gt=0, le=0.2)


class ShadowKnobs(Frozen):
    """How often objects throw a shadow (contact and cast), and how dark."""

    fraction: Share = 0.7
    density: _range(0.0, 1.0) = (0.3, 0.6)  # type: ignore[valid-type]


class MaskKnobs(Frozen):
    """Weights of the imperfect masks' kinds; strength is drawn from its range."""

    weights: dict[str, Weight] = dict.fromkeys(MASK_KINDS, 1.0)
    strength: _range(0.0, 1.0) = (0.0, 1.0)  # type: ignore[valid-type]

    @model_validator(mode="after")
    def _known(self) -> "MaskKnobs":
        for kind in self.weights:
            if kind not in MASK_KINDS:
                raise ValueError(f"weights: unknown mask kind '{kind}'{did_you_mean(kind, MASK_KINDS)}")
        if sum(self.weights.values()) <= 0:
            raise ValueError("weights: at least one must be above 0")
        return self


class QualityKnobs(Frozen):
    """What an asset must be like to be used; the rest is rejected and counted by reason."""

    min_long_side: int = Field(128, ge=1)
    min_coverage: Share = 0.05
    max_soft_share: Share = 0.6
    min_main_component: Share = 0.7
    max_flatness: Share = 0.2  # a drawing exceeds both this and the next
    max_palette: Share = 0.15
    max_text_like: Share = 0.6
    min_sharpness: float = Field(15.0, ge=0)
    max_clipped: Share = 0.15
    min_background_side: int = Field(0, ge=0)
    hash_distance: int = Field(6, ge=0, le=32)


class MatteKnobs(Frozen):
    """How photographs become cut-outs. `model`: `isnet`, the name of a rembg session, or a path to an ONNX file.

    `refine` solves soft edges anew (closed-form matting); `foreground` estimates the object's own colour there,
    so that nothing of the old background shines through.
    """

    model: str = Field("isnet", min_length=1)
    sha256: str = Field("", pattern=r"^([0-9a-f]{64})?$")
    refine: bool = True
    foreground: Literal["ml", "nearest", "none"] = "ml"


class CaptionKnobs(Frozen):
    """An image-to-text model (Hub id or folder) for assets whose source says nothing; "" leaves them alone."""

    model: str = ""
    revision: str = ""


class Manifest(Frozen):
    """A data set to build."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    description: str = ""
    seed: int = Field(ge=0, lt=2**63)
    size: int = Field(512, ge=32, le=4096)
    samples: int = Field(ge=1, le=100_000_000)
    shard_size: int = Field(128, ge=1, le=100_000)
    paired: bool = False
    licenses: tuple[Licence, ...] = Field(min_length=1)
    sources: tuple[Source, ...] = Field(min_length=1)
    splits: Splits = Splits()
    objects: Objects = Objects()
    occlusion: OcclusionKnobs = OcclusionKnobs()
    shadow: ShadowKnobs = ShadowKnobs()
    harmonize: _range(0.0, 1.0) = (0.0, 0.6)  # type: ignore[valid-type]
    mask: MaskKnobs = MaskKnobs()
    quality: QualityKnobs = QualityKnobs()
    matte: MatteKnobs = MatteKnobs()
    captioner: CaptionKnobs = CaptionKnobs()
    max_attempts: int = Field(100, ge=1, le=10_000)

    @model_validator(mode="after")
    def _consistent(self) -> "Manifest":
        single = self.objects.share("1")
        if single > 1 - self.occlusion.fraction + 1e-9:
            raise ValueError(
                f"objects.counts: {single:g} of the scenes have one object, which leaves too few for "
                f"occlusion.fraction = {self.occlusion.fraction:g}; at most {1 - self.occlusion.fraction:g}"
            )
        names = [s.name for s in self.sources]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise ValueError(f"sources: the name '{twice[0]}' is used twice")
        if self.paired and (self.samples % 2 or self.shard_size % 2):
            raise ValueError(
                f"paired: samples = {self.samples} and shard_size = {self.shard_size} must be even, "
                "so that no pair is torn apart"
            )
        return self
