"""Protocols: what is scored, on which pictures, at which size, with which mask, in which region. One TOML file each.

A number without its protocol says nothing: on RORD's test set the PSNR that papers report for good methods ranges from
20 to 28 dB by protocol alone. So every output names a protocol and its revision; change what a protocol asks, and its
revision goes up.
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from stages.settings import ManifestError, did_you_mean, parse, parse_toml
from stages.types import Frozen

FOLDER = Path(__file__).resolve().parent.parent / "manifests" / "eval"


class Data(Frozen):
    """A test set: an adapter's name, its folder, the adapter's options, and how many pictures (0: all)."""

    kind: str
    path: str
    options: dict[str, Any] = {}
    count: int = Field(0, ge=0)


class Hint(Frozen):
    """The mask that methods are given: the data set's own, or all that the object changes ("effect"); `grow` in px."""

    source: Literal["mask", "effect"] = "mask"
    grow: int = Field(0, ge=0, le=256)


class Protocol(Frozen):
    """A named way to score. `metrics` are names of `evaluation.scoring`; `size` bounds the longest side (0: as it is).

    Larger pictures are shrunk by area averaging before methods see them. `ring`: width in pixels of the region "ring".
    `methods` run when none are asked for; differences are told from `reference`, one of them.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    revision: int = Field(ge=1)
    task: Literal["removal", "extraction", "recovery", "recomposition"]
    description: str
    data: Data
    hint: Hint = Hint()
    size: int = Field(512, ge=0, le=8192)
    ring: int = Field(16, ge=1, le=256)
    metrics: tuple[str, ...] = Field(min_length=1)
    methods: tuple[str, ...] = Field(min_length=1)
    reference: str

    @model_validator(mode="after")
    def _reference_runs(self) -> "Protocol":
        if self.reference not in self.methods:
            raise ValueError(f"reference: must be one of `methods`, is '{self.reference}'")
        return self

    @property
    def title(self) -> str:
        """How it is cited."""
        return f"{self.name}@{self.revision}"


def load_protocol(path: Path) -> Protocol:
    """Read a protocol; a bare name means one of `manifests/eval`.

    Raises:
        ManifestError: no such file, not TOML, or a wrong key or value; the text names file, key, bound and value.
    """
    if path.suffix != ".toml":
        names = sorted(p.stem for p in FOLDER.glob("*.toml"))
        if str(path) not in names:
            raise ManifestError(f"{path}: no such protocol{did_you_mean(str(path), names)}")
        path = FOLDER / f"{path}.toml"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path}: cannot be read: {error}") from None
    return parse(Protocol, parse_toml(text, str(path)), str(path))
