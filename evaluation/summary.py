"""Scores of pictures to what a report says of a protocol: means, intervals, paired differences, rows."""

import math
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from evaluation.cache import Cache
from evaluation.methods import Made
from evaluation.metrics.bootstrap import Interval, interval, paired
from evaluation.protocol import Protocol
from evaluation.results import ItemResult, Left, MethodResult, MetricInfo, ProtocolResult, Score
from stages.lazy import installed_versions

_SEED = 0  # of the bootstrap
_LIBRARIES = ("numpy", "opencv-python-headless", "scikit-image", "torch", "diffusers", "stlpips-pytorch")

Scores = dict[str, float | None]


class Entrant(NamedTuple):
    """A method under one protocol: its answers on disk, and what they got, by picture."""

    name: str
    made: Made
    cache: Cache
    scores: dict[str, Scores]
    seconds: list[float]
    left: list[Left]


def summarise(
    protocol: Protocol,
    metrics: Sequence[MetricInfo],
    entrants: Sequence[Entrant],
    rows: list[ItemResult],
    left: Sequence[Left],
) -> ProtocolResult:
    """Means with intervals and differences from the reference, beside the rows of pictures."""
    base = next((e for e in entrants if e.name == protocol.reference), None)
    return ProtocolResult(
        **protocol.model_dump(include={"name", "revision", "task", "description", "reference"}),
        data=f"{protocol.data.kind}: {protocol.data.path}",
        settings=settings_of(protocol),
        metrics=list(metrics),
        methods=[_method(entrant, base, [m.name for m in metrics]) for entrant in entrants],
        items=rows,
        left=[*left, *(one for entrant in entrants for one in entrant.left)],
    )


def settings_of(protocol: Protocol) -> dict[str, str]:
    """What fixes the numbers, in words."""
    grown = f", grown by {protocol.hint.grow} px" if protocol.hint.grow else ""
    size = f"longest side at most {protocol.size} px" if protocol.size else "as it is"
    return {"mask given": f"{protocol.hint.source}{grown}", "size": size, "ring": f"{protocol.ring} px"}


def versions() -> dict[str, str]:
    """Of Python and the libraries that numbers depend on, as far as they are installed."""
    return installed_versions(_LIBRARIES)


def _method(found: Entrant, base: Entrant | None, metrics: Sequence[str]) -> MethodResult:
    other = base if base is not None and base.name != found.name else None
    return MethodResult(
        name=found.name,
        key=found.made.key,
        scores={metric: _mean(found, metric) for metric in metrics},
        differences={metric: _difference(found, other, metric) for metric in metrics} if other else {},
        seconds=median(found.seconds) if found.seconds else None,
        failed=len(found.left),
    )


def _values(found: Entrant, metric: str, ids: Sequence[str]) -> list[float]:
    values = [found.scores[id].get(metric) for id in ids]
    return [math.nan if value is None else value for value in values]


def _mean(found: Entrant, metric: str) -> Score:
    return _score(interval(_values(found, metric, sorted(found.scores)), _SEED))


def _difference(found: Entrant, base: Entrant, metric: str) -> Score:
    both = sorted(found.scores.keys() & base.scores.keys())
    return _score(paired(_values(found, metric, both), _values(base, metric, both), _SEED))


def _score(found: Interval) -> Score:
    mean, low, high = (None if math.isnan(v) else v for v in (found.mean, found.low, found.high))
    return Score(mean=mean, low=low, high=high, count=found.count)
