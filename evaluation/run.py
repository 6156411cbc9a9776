"""Protocols, methods and test sets to a report; whatever was done before is not done again."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from evaluation.adapters import ADAPTERS
from evaluation.cache import Cache, file_name, fingerprint, truth_of
from evaluation.errors import EvalError
from evaluation.layers import Answer
from evaluation.methods import Made, make_method
from evaluation.pictures import write_item
from evaluation.prepare import prepare
from evaluation.protocol import Protocol
from evaluation.results import ItemResult, Left, ProtocolResult, Report
from evaluation.sample import Dataset, Item, Missing
from evaluation.scoring import Metric, choose, pair
from evaluation.summary import Entrant, Scores, summarise, versions
from stages.settings import ManifestError, did_you_mean

SCORING = 1  # goes up when the same answer gets another score

_UNSCORED = {"methods", "reference", "description"}  # of a protocol: no score depends on them

Tell = Callable[[str, int, int], None]  # what is done, pictures done, pictures in all


class Asked(NamedTuple):
    """A protocol with its metrics, and where everything is written."""

    protocol: Protocol
    metrics: list[Metric]
    out: Path


def evaluate(protocols: Sequence[Protocol], roots: Sequence[Path], out: Path, tell: Tell) -> Report:
    """Score the methods of each protocol, into `out`.

    Args:
        roots: folders in which the relative paths of test sets are looked for, in order.

    Raises:
        ManifestError: an unknown adapter or metric.
        EvalError: a test set or method that cannot be used.
    """
    names = {name: None for protocol in protocols for name in protocol.methods}
    made = dict(make_method(name) for name in names)  # once for all protocols
    found = [run_protocol(protocol, made, roots, out, tell) for protocol in protocols]
    return Report(created=datetime.now(UTC).isoformat(timespec="seconds"), versions=versions(), protocols=found)


def run_protocol(
    protocol: Protocol, methods: Mapping[str, Made], roots: Sequence[Path], out: Path, tell: Tell
) -> ProtocolResult:
    """Score the methods of one protocol, which `methods` has by name: picture by picture, each read once."""
    asked = Asked(protocol, choose(protocol.metrics), out)
    dataset = open_dataset(protocol, roots)
    ids = dataset.ids[: protocol.data.count or None]
    entrants = [enter(asked, name, methods[name]) for name in protocol.methods]
    rows: list[ItemResult] = []
    left: list[Left] = []
    for done, id in enumerate(ids):
        tell(protocol.title, done, len(ids))
        item = dataset.read(id)
        item = item if isinstance(item, Missing) else prepare(item, protocol)
        if isinstance(item, Missing):
            left.append(Left(id=item.id, reason=item.reason))
        else:
            rows.append(score_item(asked, entrants, item))
    tell(protocol.title, len(ids), len(ids))
    return summarise(protocol, [m.info for m in asked.metrics], entrants, rows, left)


def located(path: Path, roots: Sequence[Path]) -> Path | None:
    """The first `root / path` that is there."""
    return next((root / path for root in roots if (root / path).exists()), None)


def open_dataset(protocol: Protocol, roots: Sequence[Path]) -> Dataset:
    """The protocol's test set. Raises ManifestError for an unknown kind, EvalError where it is not there."""
    kind, path = protocol.data.kind, Path(protocol.data.path)
    if kind not in ADAPTERS:
        raise ManifestError(f"{protocol.title}: data.kind: unknown kind '{kind}'{did_you_mean(kind, ADAPTERS)}")
    if (folder := located(path, [*roots, Path()])) is not None:
        return ADAPTERS[kind](folder, **protocol.data.options)
    looked = ", ".join(str(root / path) for root in roots) or str(path)
    raise EvalError(f"{protocol.title}: data.path: no such folder; looked for {looked}")


def enter(asked: Asked, name: str, made: Made) -> Entrant:
    """A method with its folder of answers under this protocol."""
    folder = f"{file_name(name)}-{fingerprint(made.key)[:8]}"
    return Entrant(name, made, Cache(asked.out / "predictions" / asked.protocol.title / folder), {}, [], [])


def score_item(asked: Asked, entrants: Sequence[Entrant], item: Item) -> ItemResult:
    """Answers and scores of all methods for one picture; what a method cannot answer is counted."""
    pictures, scores = write_item(asked.out, asked.protocol.title, item), {}
    what = fingerprint(asked.protocol.model_dump(exclude=_UNSCORED), SCORING, truth_of(item))
    for entrant in entrants:
        try:
            answer, record = entrant.cache.answer(item, entrant.made.method)
        except EvalError as error:
            entrant.left.append(Left(id=item.id, reason=str(error), method=entrant.name))
            continue
        if record.scored != what:
            record = record._replace(scored=what, scores=_scores(asked, item, answer))
            entrant.cache.write(item.id, record)
        scores[entrant.name] = entrant.scores[item.id] = record.scores
        entrant.seconds.extend([record.seconds] if record.seconds is not None else [])
        for layer in record.layers:
            path = entrant.cache.path(item.id, f"{layer}.png").relative_to(asked.out)
            pictures[f"{entrant.name}/{layer}"] = str(path)
    return ItemResult(id=item.id, scores=scores, pictures=pictures)


def _scores(asked: Asked, item: Item, answer: Answer) -> Scores:
    given = pair(item, answer, asked.protocol.ring)
    values = {m.info.name: float(m.score(given)) for m in asked.metrics}  # some are numpy's
    return {name: None if math.isnan(value) else value for name, value in values.items()}
