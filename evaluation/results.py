"""What an evaluation found: the content of `report.json`, from which every other report is made."""

from pydantic import Field

from stages.types import Frozen

FORMAT = 1


class MetricInfo(Frozen):
    """A column: what it measures, in which unit, which way is better, and where it is defined."""

    name: str  # e.g. "psnr.mask"
    title: str
    unit: str = ""
    higher_is_better: bool
    definition: str


class Score(Frozen):
    """A mean over `count` pictures with the bounds of its 95 % interval; None where no picture has the metric."""

    mean: float | None
    low: float | None
    high: float | None
    count: int = Field(ge=0)


class MethodResult(Frozen):
    """One method under one protocol. `differences` are paired, from `reference`: the protocol's baseline method."""

    name: str
    key: str  # what its predictions are cached under: kind, options, hash of weights
    scores: dict[str, Score]
    differences: dict[str, Score] = {}
    seconds: float | None = None  # median time of a picture, where predictions were made and not read
    failed: int = 0  # pictures that it gave no answer for


class ItemResult(Frozen):
    """One picture. `scores[method][metric]`, None where undefined; `pictures` are paths relative to the report:
    "input", "mask", "clean", "alpha", "foreground", and "METHOD/background", "METHOD/foreground"."""

    id: str
    scores: dict[str, dict[str, float | None]]
    pictures: dict[str, str] = {}


class Left(Frozen):
    """A picture (of a method, if one is named) that was not scored, and why."""

    id: str
    reason: str
    method: str = ""


class ProtocolResult(Frozen):
    """One protocol: every number of it is cited as `name@revision`."""

    name: str
    revision: int
    task: str
    description: str
    data: str
    settings: dict[str, str]  # mask, size, region and the like, in words
    metrics: list[MetricInfo]
    reference: str
    methods: list[MethodResult]
    items: list[ItemResult]
    left: list[Left] = []


class Report(Frozen):
    """Everything."""

    format: int = FORMAT
    created: str  # ISO 8601, UTC
    versions: dict[str, str]
    protocols: list[ProtocolResult]
