"""Scores of pictures to what a report says of a protocol: means, intervals, paired differences, rows."""

import math
import platform
from collections.abc import Iterable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import NamedTuple

from evaluation.methods import Made
from evaluation.metrics.bootstrap import Interval, interval, paired
from evaluation.pictures import write_item
from evaluation.protocol import Protocol
from evaluation.results import ItemResult, Left, MethodResult, ProtocolResult, Score
from evaluation.sample import Item, Missing
from evaluation.scoring import Metric

_SEED = 0  # of the bootstrap
_LIBRARIES = ("numpy", "opencv-python-headless", "scikit-image", "torch", "stlpips-pytorch")

Scores = dict[str, float | None]


class Scored(NamedTuple):
    """What one method got under one protocol, by picture."""

    scores: dict[str, Scores]
    seconds: list[float]
    left: list[Left]
    pictures: dict[str, dict[str, str]]


def summarise(
    protocol: Protocol,
    metrics: Sequence[Metric],
    made: dict[str, Made],
    scored: dict[str, Scored],
    items: Iterable[Item | Missing],
    out: Path,
) -> ProtocolResult:
    """Means with intervals, differences from the reference, and rows of pictures."""
    left: list[Left] = []
    rows = list(_rows(protocol, scored, items, left, out))
    return ProtocolResult(
        **protocol.model_dump(include={"name", "revision", "task", "description", "reference"}),
        data=f"{protocol.data.kind}: {protocol.data.path}",
        settings=settings_of(protocol),
        metrics=[m.info for m in metrics],
        methods=[_method(protocol, metrics, name, made[name].key, scored) for name in scored],
        items=rows,
        left=[*left, *(one for found in scored.values() for one in found.left)],
    )


def settings_of(protocol: Protocol) -> dict[str, str]:
    """What fixes the numbers, in words."""
    grown = f", grown by {protocol.hint.grow} px" if protocol.hint.grow else ""
    size = f"longest side at most {protocol.size} px" if protocol.size else "as it is"
    return {"mask given": f"{protocol.hint.source}{grown}", "size": size, "ring": f"{protocol.ring} px"}


def versions() -> dict[str, str]:
    """Of Python and the libraries that numbers depend on, as far as they are installed."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _method(
    protocol: Protocol, metrics: Sequence[Metric], name: str, key: str, scored: dict[str, Scored]
) -> MethodResult:
    found, base = scored[name], scored.get(protocol.reference)
    names = [m.info.name for m in metrics]
    differs = base is not None and name != protocol.reference
    return MethodResult(
        name=name,
        key=key,
        scores={metric: _mean(found, metric) for metric in names},
        differences={metric: _difference(found, base, metric) for metric in names} if base and differs else {},
        seconds=median(found.seconds) if found.seconds else None,
        failed=len(found.left),
    )


def _rows(
    protocol: Protocol, scored: dict[str, Scored], items: Iterable[Item | Missing], left: list[Left], out: Path
) -> Iterator[ItemResult]:
    """A row a picture; what could not be read goes to `left`."""
    for item in items:
        if isinstance(item, Missing):
            left.append(Left(id=item.id, reason=item.reason))
            continue
        pictures = write_item(out, protocol.title, item)
        for found in scored.values():
            pictures |= found.pictures.get(item.id, {})
        scores = {name: found.scores[item.id] for name, found in scored.items() if item.id in found.scores}
        yield ItemResult(id=item.id, scores=scores, pictures=pictures)


def _values(found: Scored, metric: str, ids: Sequence[str]) -> list[float]:
    values = [found.scores[id].get(metric) for id in ids]
    return [math.nan if value is None else value for value in values]


def _mean(found: Scored, metric: str) -> Score:
    return _score(interval(_values(found, metric, sorted(found.scores)), _SEED))


def _difference(found: Scored, base: Scored, metric: str) -> Score:
    both = sorted(found.scores.keys() & base.scores.keys())
    return _score(paired(_values(found, metric, both), _values(base, metric, both), _SEED))


def _score(found: Interval) -> Score:
    mean, low, high = (None if math.isnan(v) else v for v in (found.mean, found.low, found.high))
    return Score(mean=mean, low=low, high=high, count=found.count)
