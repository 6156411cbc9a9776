"""What the page holds, as one plain value for JSON: scores as columns, pictures as numbers into one list of files."""

import base64
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from evaluation.errors import EvalError
from evaluation.report.marks import best, citation, difference_digits, digits, fewer, grouped, known, verdict
from evaluation.results import ProtocolResult, Report, Score

_KINDS = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg"}
_SIGNIFICANT = 7  # digits of the scores of single pictures: enough to sort by, a third of the size


class Files:
    """Pictures of the page, each once: paths relative to the page or, where a folder is given, data URIs.

    `lost` tells which could not be put in, and why.
    """

    def __init__(self, folder: Path | None) -> None:
        self.shown: list[str | None] = []
        self.lost: list[str] = []
        self._folder = folder
        self._numbers: dict[str, int] = {}

    def number(self, path: str) -> int:
        """Position of the picture at `path` in `shown`."""
        if path not in self._numbers:
            self._numbers[path] = len(self.shown)
            self.shown.append(self._show(path))
        return self._numbers[path]

    def _show(self, path: str) -> str | None:
        if self._folder is None:
            return path
        try:
            return _data_uri(self._folder, path)
        except EvalError as error:
            self.lost.append(str(error))
            return None


def _data_uri(folder: Path, path: str) -> str:
    try:
        file = (folder / path).resolve()
        inside = file.is_relative_to(folder.resolve())  # a report of someone else's must not take in other files
        data = file.read_bytes() if inside else b""
    except (OSError, ValueError):
        raise EvalError(f"{path}: cannot be read") from None
    if not inside:
        raise EvalError(f"{path}: lies outside the report's folder")
    kind = next((kind for start, kind in _KINDS.items() if data.startswith(start)), None)
    if kind is None:
        raise EvalError(f"{path}: is neither a PNG nor a JPEG file")
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def content(report: Report, folder: Path | None) -> dict[str, Any]:
    """The page's value; pictures are read from below `folder` and put in, or stay links where it is None."""
    files = Files(folder)
    protocols = [_protocol(p, files.number) for p in report.protocols]
    return {
        "created": report.created,
        "versions": list(report.versions.items()),
        "protocols": protocols,
        "embedded": folder is not None,
        "files": files.shown,
        "lost": files.lost,
    }


def _protocol(p: ProtocolResult, number: Callable[[str], int]) -> dict[str, Any]:
    kinds = list(dict.fromkeys(kind for item in p.items for kind in item.pictures))
    names = [m.name for m in p.methods]
    places = {kind: i for i, kind in enumerate(kinds)}
    return {
        "id": citation(p),
        **p.model_dump(include={"task", "description", "data"}),
        "settings": list(p.settings.items()),
        "reference": names.index(p.reference) if p.reference in names else -1,
        "referenceName": p.reference,
        "metrics": [
            {**m.model_dump(), "digits": digits(p, m.name), "differenceDigits": difference_digits(p, m)}
            for m in p.metrics
        ],
        "methods": _methods(p),
        "items": [item.id for item in p.items],
        "values": [[_column(p, method, metric.name) for method in names] for metric in p.metrics],
        "kinds": kinds,
        "pictures": [[[places[k], number(path)] for k, path in item.pictures.items()] for item in p.items],
        "left": [group._asdict() for group in grouped(p.left)],
        "unread": len({left.id for left in p.left if not left.method}),
    }


def _methods(p: ProtocolResult) -> list[dict[str, Any]]:
    winners = [best(p, metric) for metric in p.metrics]
    of_means = {metric.name: digits(p, metric.name) for metric in p.metrics}
    of_differences = {metric.name: difference_digits(p, metric) for metric in p.metrics}
    return [
        {
            **m.model_dump(include={"name", "key", "seconds", "failed"}),
            "scores": _scores(m.scores, of_means),
            "differences": _scores(m.differences, of_differences),
            "fewer": [metric.name in m.scores and fewer(p, metric.name, m.scores[metric.name]) for metric in p.metrics],
            "best": [m.name in names for names in winners],
            "marks": [verdict(m, metric) for metric in p.metrics],
        }
        for m in p.methods
    ]


def _scores(scores: dict[str, Score], places: dict[str, int]) -> list[Sequence[float | None] | None]:
    """[mean, low, high, count] of each metric, rounded as in Markdown, so that both print the same digits."""
    found = ((scores.get(metric), n) for metric, n in places.items())
    return [[_round(s.mean, n), _round(s.low, n), _round(s.high, n), s.count] if s else None for s, n in found]


def _round(value: float | None, places: int) -> float | None:
    return round(value, places) + 0.0 if known(value) else None


def _column(p: ProtocolResult, method: str, metric: str) -> list[float | None]:
    values = (item.scores.get(method, {}).get(metric) for item in p.items)
    return [float(f"{v:.{_SIGNIFICANT}g}") if known(v) else None for v in values]
