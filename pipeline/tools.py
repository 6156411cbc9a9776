"""Tools: the models that preparing needs, loaded when first used and kept by the worker that loaded them."""

from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple

from pipeline.models import Model
from pipeline.source import Diffusion
from pipeline.sources.common import folder_state
from stages.caption import Captioner, TransformersCaptioner
from stages.diffuse import TextToImage
from stages.matte import Matter, OnnxMatter, RembgMatter


class Setup(NamedTuple):
    """Which models a worker may load, and where they run. Small and picklable."""

    matte: Model | None = None
    diffusion: Diffusion | None = None
    captioner: tuple[str, str] | None = None  # model, revision
    device: Literal["cpu", "cuda"] = "cpu"


class Tools:
    """Loaded models. Errors of loading are ValueErrors that name the model."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup

    @cached_property
    def matter(self) -> Matter:
        """Finds the object of a photograph."""
        model = self.setup.matte
        assert model is not None
        if model.kind == "rembg":
            return RembgMatter(model.name, device=self.setup.device)
        return OnnxMatter(model.name, device=self.setup.device)

    @cached_property
    def painter_state(self) -> str:
        """What tells one text-to-image model from another of the same name: files that lie here may change."""
        assert self.setup.diffusion is not None
        return _state(self.setup.diffusion.model)

    @cached_property
    def captioner_state(self) -> str:
        """The same of the captioner."""
        assert self.setup.captioner is not None
        return _state(self.setup.captioner[0])

    @cached_property
    def painter(self) -> TextToImage:
        """Draws objects from text."""
        d = self.setup.diffusion
        assert d is not None
        return TextToImage(d.model, revision=d.revision, dtype=d.dtype, device=self.setup.device)

    @cached_property
    def captioner(self) -> Captioner:
        """Says what a picture shows."""
        assert self.setup.captioner is not None
        model, revision = self.setup.captioner
        return TransformersCaptioner(model, revision=revision, device=self.setup.device)


def _state(model: str) -> str:
    return folder_state(Path(model)) if Path(model).is_dir() else ""
