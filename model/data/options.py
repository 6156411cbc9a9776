"""What a training run reads, and what is done to it."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from stages.types import Frozen

Side = Annotated[int, Field(ge=8, le=4096)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class DataOptions(Frozen):
    """Data sets and how their samples become batches.

    `location`: folders or http(s) addresses of built data sets, read as one. `buckets`: sizes (width, height); every
    sample goes to the one of nearest aspect ratio, then to the largest, that does not enlarge it. `task` "inpaint"
    takes the backgrounds alone, cropped from `source_size` pixels, with drawn holes. `window`: how many shards are
    shuffled together. `workers`: loader processes of one training process, each with its share of `memory_mib` for
    decoded samples; 0 loads in the training process. Probabilities are of a sample: `flip`, the camera pass (`noise`,
    `blur`, `jpeg`) and another mask (`mask_noise`), of which "inpaint" uses `flip` alone.
    """

    location: tuple[str, ...] = Field(min_length=1)
    split: str = "train"
    task: Literal["decompose", "inpaint"] = "decompose"
    buckets: tuple[tuple[Side, Side], ...] = Field(((64, 64),), min_length=1)
    source_size: Side = 192
    window: int = Field(4, ge=1, le=1024)
    workers: int = Field(1, ge=0, le=64)
    memory_mib: int = Field(1024, ge=0)
    flip: Share = 0.5
    noise: Share = 0.0
    blur: Share = 0.0
    jpeg: Share = 0.0
    mask_noise: Share = 0.0

    @model_validator(mode="after")
    def _sources_fill_buckets(self) -> "DataOptions":
        most = max(max(bucket) for bucket in self.buckets)
        if self.task == "inpaint" and self.source_size < most:
            raise ValueError(
                f"source_size must be at least {most}, the longest side of `buckets`, is {self.source_size}"
            )
        return self
