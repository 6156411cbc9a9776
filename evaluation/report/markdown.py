"""A report as GitHub-flavoured Markdown, to be cited: each table names its protocol."""

import re
from collections.abc import Iterable, Iterator, Sequence

from evaluation.report.marks import (
    BETTER,
    OPEN,
    best,
    citation,
    difference_digits,
    digits,
    fewer,
    grouped,
    text,
    verdict,
)
from evaluation.results import MethodResult, MetricInfo, ProtocolResult, Report, Score

LEGEND = (
    "Scores are means over pictures with their 95 % interval: `mean [low, high]`. ↑: higher is better, ↓: lower "
    "is better. **Bold**: the best mean of a column among the methods scored on the most pictures; where a mean "
    "is over fewer, `n` says how many. † better, ‡ worse than the reference: the 95 % interval of the paired "
    "difference excludes 0."
)
_SIGNS = {BETTER: " †", OPEN: "", -BETTER: " ‡"}
_MOST_IDS = 10
_SPECIAL = re.compile(r"[\\`*\[\]<>|~#&$]|(?<![^\W_])_|_(?![^\W_])")


def markdown(report: Report) -> str:
    """The whole report: settings, scores, what was left out and definitions of each protocol, then versions.

    A cell is `mean [low, high]`; see `evaluation.report.marks` for the digits and for what is marked.
    """
    parts = [_opening(report), *(_protocol(p) for p in report.protocols)]
    versions = "\n".join(f"- {escape(name)} {escape(version)}" for name, version in report.versions.items())
    return "\n\n".join([*parts, f"## Versions\n\n{versions or 'None were noted.'}"]) + "\n"


def escape(words: str) -> str:
    """`words` on one line, read as they are and not as Markdown or HTML."""
    return _SPECIAL.sub(r"\\\g<0>", " ".join(words.split()))


def _opening(report: Report) -> str:
    example = f", as in {escape(citation(report.protocols[0]))}" if report.protocols else ""
    return (
        f"# Evaluation\n\nMade {escape(report.created)}. Cite every number with the name and revision of its "
        f"protocol{example}.\n\n{LEGEND}"
    )


def _protocol(protocol: ProtocolResult) -> str:
    parts = [f"## {escape(citation(protocol))}", task_line(protocol), settings_list(protocol), score_table(protocol)]
    parts += [_differences(protocol), _left(protocol), definitions(protocol)]
    return "\n\n".join(part for part in parts if part)


def task_line(protocol: ProtocolResult) -> str:
    """What is asked of methods."""
    return f"Task {escape(protocol.task)}: {escape(protocol.description)}"


def settings_list(protocol: ProtocolResult) -> str:
    """Data, settings, how many pictures were scored, and the key of each method."""
    unread = {left.id for left in protocol.left if not left.method}
    pictures = f"{len(protocol.items)} scored, {len(unread)} of the data left out"
    facts = {"data": protocol.data, **protocol.settings, "pictures": pictures, "reference": protocol.reference}
    lines = [f"- {escape(name)}: {escape(value)}" for name, value in facts.items()]
    keys = [f"- method {escape(m.name)}: {escape(m.key)}" for m in protocol.methods]
    return "\n".join([*lines, *keys])


def score_table(protocol: ProtocolResult) -> str:
    """A row of means with their intervals for each method; see `markdown`."""
    winners = {metric.name: best(protocol, metric) for metric in protocol.metrics}
    timed = any(m.seconds is not None for m in protocol.methods)
    head = [citation(protocol), *map(_column, protocol.metrics), "pictures", *(["s per picture"] if timed else [])]

    def row(method: MethodResult) -> Iterator[str]:
        yield escape(method.name)
        for metric in protocol.metrics:
            yield _cell(protocol, method, metric, method.name in winners[metric.name])
        failed = f" ({method.failed} failed)" if method.failed else ""
        yield f"{len(protocol.items) - method.failed}{failed}"
        if timed:
            yield "–" if method.seconds is None else f"{method.seconds:.3g}"

    return _table(head, map(row, protocol.methods))


def _column(metric: MetricInfo) -> str:
    return f"{metric.name}{f' ({metric.unit})' if metric.unit else ''} {'↑' if metric.higher_is_better else '↓'}"


def _cell(protocol: ProtocolResult, method: MethodResult, metric: MetricInfo, bold: bool) -> str:
    score = method.scores.get(metric.name)
    if score is None or score.mean is None:
        return "–"
    count = f" n = {score.count}" if fewer(protocol, metric.name, score) else ""
    return f"{_range(score, digits(protocol, metric.name), bold)}{_SIGNS[verdict(method, metric)]}{count}"


def _range(score: Score, places: int, bold: bool = False) -> str:
    mean = text(score.mean, places)
    return f"{f'**{mean}**' if bold else mean} [{text(score.low, places)}, {text(score.high, places)}]"


def _differences(protocol: ProtocolResult) -> str:
    methods = [m for m in protocol.methods if m.differences and m.name != protocol.reference]
    if not methods:
        return ""
    head = [f"{citation(protocol)}, minus {protocol.reference}", *map(_column, protocol.metrics)]

    def row(method: MethodResult) -> Iterator[str]:
        yield escape(method.name)
        for metric in protocol.metrics:
            score = method.differences.get(metric.name)
            shown = "–" if score is None else _range(score, difference_digits(protocol, metric))
            yield f"{shown}{_SIGNS[verdict(method, metric)]}"

    return (
        f"Paired differences over the pictures that both methods were scored on:\n\n{_table(head, map(row, methods))}"
    )


def _left(protocol: ProtocolResult) -> str:
    groups = grouped(protocol.left)
    if not groups:
        return "Nothing was left out."
    lines = (
        (escape(g.method) or "all", str(len(g.ids)), escape(g.reason), ", ".join(map(escape, _few(g.ids))))
        for g in groups
    )
    return _table([f"{citation(protocol)}: left out of", "pictures", "reason", "which"], lines)


def _few(ids: Sequence[str]) -> list[str]:
    more = len(ids) - _MOST_IDS
    return [*ids[:_MOST_IDS], f"and {more} more"] if more > 0 else list(ids)


def definitions(protocol: ProtocolResult) -> str:
    """What each metric measures, and which way is better."""
    lines = [f"- **{escape(m.name)}**: {escape(m.title)}{_unit(m)}. {escape(m.definition)}" for m in protocol.metrics]
    return "\n".join([f"Metrics of {escape(citation(protocol))}:\n", *lines])


def _unit(metric: MetricInfo) -> str:
    way = "higher is better" if metric.higher_is_better else "lower is better"
    return f" ({f'{escape(metric.unit)}, ' if metric.unit else ''}{way})"


def _table(head: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    """A table. Texts of the head are escaped here, cells by the caller; the first column is text, the rest numbers."""
    lines = [list(map(escape, head)), ["---"] * len(head), *map(list, rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
