"""What tables of scores mark, the same in every report: digits, best means, differences that count, what was left."""

import math
import re
import statistics
from collections.abc import Iterable
from typing import NamedTuple, TypeGuard

from evaluation.results import Left, MethodResult, MetricInfo, ProtocolResult, Score

_MOST_DIGITS = 6
BETTER, WORSE, OPEN = 1, -1, 0


class Group(NamedTuple):
    """Pictures (of a method, or of the data where it is "") that were left out for one reason."""

    method: str
    reason: str
    ids: list[str]


def citation(protocol: ProtocolResult) -> str:
    """What a number of this protocol is cited by: `name@revision`."""
    return f"{protocol.name}@{protocol.revision}"


def known(value: float | None) -> TypeGuard[float]:
    """Whether a score is a number at all: neither None, NaN nor infinite."""
    return value is not None and math.isfinite(value)


def text(value: float | None, digits: int) -> str:
    """A score with `digits` decimals, an en dash where it is not known; zero has no sign."""
    return f"{round(value, digits) + 0.0:.{digits}f}" if known(value) else "–"


def digits(protocol: ProtocolResult, metric: str) -> int:
    """Decimals of a metric's column, 0 to 6.

    Three significant digits of the median mean, but two at least between 1 and 1000, as decibels are printed; up to
    two more where the least of the means would lose its second significant digit.
    """
    scores = [m.scores.get(metric) for m in protocol.methods]
    sizes = [abs(s.mean) for s in scores if s and known(s.mean) and s.mean]
    if not sizes:
        return 2
    place = math.floor(math.log10(statistics.median(sizes)))
    base = 2 if 0 <= place < 3 else max(2 - place, 0)
    needed = 1 - math.floor(math.log10(min(sizes)))
    return min(max(base, min(needed, base + 2)), _MOST_DIGITS)


def difference_digits(protocol: ProtocolResult, metric: MetricInfo) -> int:
    """Decimals of a metric's paired differences: those of its means, and up to two more where the interval of
    a difference that counts would be printed with 0 as a bound."""
    counted = [m.differences[metric.name] for m in protocol.methods if verdict(m, metric)]
    sizes = [min(abs(d.low or 0), abs(d.high or 0)) for d in counted]
    base = digits(protocol, metric.name)
    needed = -math.floor(math.log10(min(sizes))) if sizes else base
    return min(max(base, min(needed, base + 2)), _MOST_DIGITS)


def best(protocol: ProtocolResult, metric: MetricInfo) -> set[str]:
    """Names of the methods whose mean is the best of its column as it is printed.

    Only methods that were scored on the most pictures of the column take part: one that failed on the hard pictures
    would win by failing.
    """
    found = [(m.name, s.mean, s.count) for m in protocol.methods if (s := m.scores.get(metric.name)) and known(s.mean)]
    most = max((count for _, _, count in found), default=0)
    way, places = 1 if metric.higher_is_better else -1, digits(protocol, metric.name)
    shown = {name: way * round(mean, places) for name, mean, count in found if count == most}
    return {name for name, value in shown.items() if value == max(shown.values())}


def verdict(method: MethodResult, metric: MetricInfo) -> int:
    """BETTER or WORSE than the reference where the interval of the paired difference excludes 0, else OPEN."""
    difference = method.differences.get(metric.name)
    if difference is None or difference.low is None or difference.high is None:
        return OPEN
    if difference.low > 0 or difference.high < 0:
        return BETTER if (difference.low > 0) == metric.higher_is_better else WORSE
    return OPEN


def fewer(protocol: ProtocolResult, metric: str, score: Score) -> bool:
    """Whether `score` is a mean over fewer pictures than that of another method in the column."""
    return score.count < max((m.scores[metric].count for m in protocol.methods if metric in m.scores), default=0)


def grouped(left: Iterable[Left]) -> list[Group]:
    """What was left out by method and reason, most pictures first; reasons that differ only in the picture's id are
    one, with `…` for the id."""
    groups: dict[tuple[str, str], list[Left]] = {}
    for one in left:
        groups.setdefault((one.method, _without(one.id, one.reason)), []).append(one)
    made = [
        Group(method, reason if len(ones) > 1 else ones[0].reason, [one.id for one in ones])
        for (method, reason), ones in groups.items()
    ]
    return sorted(made, key=lambda group: (-len(group.ids), group.method, group.reason))


def _without(id: str, reason: str) -> str:
    return re.sub(rf"(?<!\w){re.escape(id)}(?!\w)", "…", reason) if id else reason
