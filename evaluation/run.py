"""Protocols, methods and test sets to a report; whatever was done before is not done again."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from evaluation.adapters import ADAPTERS
from evaluation.cache import Cache, Record, file_name, fingerprint, truth_of
from evaluation.errors import EvalError
from evaluation.layers import Answer
from evaluation.methods import Made, make_method
from evaluation.prepare import prepare
from evaluation.protocol import Protocol
from evaluation.results import Left, ProtocolResult, Report
from evaluation.sample import Dataset, Item, Missing
from evaluation.scoring import Metric, choose, pair
from evaluation.summary import Scored, summarise, versions
from stages.settings import ManifestError, did_you_mean

SCORING = 1  # goes up when the same answer gets another score

Tell = Callable[[str, int, int], None]  # what is done, pictures done, pictures in all


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
    """Score the methods of one protocol, which `methods` has by name."""
    metrics, dataset = choose(protocol.metrics), open_dataset(protocol, roots)
    ids = dataset.ids[: protocol.data.count or None]
    made = {name: methods[name] for name in protocol.methods}
    scored: dict[str, Scored] = {}
    for name, method in made.items():
        cache = Cache(out / "predictions" / protocol.title / f"{file_name(name)}-{fingerprint(method.key)[:8]}")
        items = _told(_items(protocol, dataset, ids), f"{protocol.title} {name}", len(ids), tell)
        scored[name] = score_method(protocol, metrics, method, name, cache, items, out)
    return summarise(protocol, metrics, made, scored, _items(protocol, dataset, ids), out)


def open_dataset(protocol: Protocol, roots: Sequence[Path]) -> Dataset:
    """The protocol's test set. Raises ManifestError for an unknown kind, EvalError where it is not there."""
    kind, path = protocol.data.kind, Path(protocol.data.path)
    if kind not in ADAPTERS:
        raise ManifestError(f"{protocol.title}: data.kind: unknown kind '{kind}'{did_you_mean(kind, ADAPTERS)}")
    for root in [*roots, Path()]:
        if (root / path).exists():
            return ADAPTERS[kind](root / path, **protocol.data.options)
    looked = ", ".join(str(root / path) for root in roots) or str(path)
    raise EvalError(f"{protocol.title}: data.path: no such folder; looked for {looked}")


def score_method(
    protocol: Protocol,
    metrics: Sequence[Metric],
    method: Made,
    name: str,
    cache: Cache,
    items: Iterator[Item | Missing],
    out: Path,
) -> Scored:
    """Answers and scores of all items; what the method cannot answer is counted."""
    asked = fingerprint(protocol.model_dump(exclude={"methods", "reference", "description"}), SCORING)
    found = Scored({}, [], [], {})
    for item in items:
        if isinstance(item, Missing):
            continue
        try:
            answer, record = cache.answer(item, method.method)
        except EvalError as error:
            found.left.append(Left(id=item.id, reason=str(error), method=name))
            continue
        record = _scored(protocol, metrics, cache, item, answer, record, f"{asked}/{truth_of(item)}")
        found.scores[item.id] = record.scores
        found.seconds.extend([record.seconds] if record.seconds is not None else [])
        found.pictures[item.id] = {
            f"{name}/{layer}": str(cache.path(item.id, f"{layer}.png").relative_to(out)) for layer in record.layers
        }
    return found


def _scored(
    protocol: Protocol,
    metrics: Sequence[Metric],
    cache: Cache,
    item: Item,
    answer: Answer,
    record: Record,
    asked: str,
) -> Record:
    if record.scored == asked:
        return record
    given = pair(item, answer, protocol.ring)
    values = {m.info.name: m.score(given) for m in metrics}
    scores = {name: None if math.isnan(value) else value for name, value in values.items()}
    record = record._replace(scored=asked, scores=scores)
    cache.write(item.id, record)
    return record


def _items(protocol: Protocol, dataset: Dataset, ids: Sequence[str]) -> Iterator[Item | Missing]:
    for id in ids:
        item = dataset.read(id)
        yield item if isinstance(item, Missing) else prepare(item, protocol)


def _told(items: Iterator[Item | Missing], what: str, total: int, tell: Tell) -> Iterator[Item | Missing]:
    for done, item in enumerate(items):
        tell(what, done, total)
        yield item
    tell(what, total, total)
