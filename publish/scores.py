"""Scores of one checkpoint out of the evaluation's reports, with names that tell nothing of this machine."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from evaluation.errors import EvalError
from evaluation.methods.checkpoint import Checkpoint as Options
from evaluation.methods.checkpoint import keys_of, weights_of
from evaluation.methods.specs import read_spec
from evaluation.report.marks import citation, digits, known
from evaluation.results import FORMAT, MethodResult, ProtocolResult, Report
from model.hub import looks_like_id, shipped
from publish.errors import PublishError
from stages.settings import ManifestError, parse

OWN = "this model"


class Scored(NamedTuple):
    """A protocol with public names of methods; `own` are those of the checkpoint and the options that they ran with."""

    protocol: ProtocolResult
    own: Mapping[str, dict[str, Any]]


def read_scores(folder: Path, reports: Sequence[Path]) -> list[Scored]:
    """The protocols of `report.json` files under which the checkpoint in `folder` was scored.

    A method's key is a hash over its weights, options and libraries, so it is made anew from the folder.

    Raises:
        PublishError: a report that cannot be read or has no scores of this checkpoint; a protocol that is in two.
    """
    weights = weights_of(folder) if reports else ""
    found: dict[str, Path] = {}
    scored = []
    for path in reports:
        report = read_report(path)
        own = [s for s in (_scored(protocol, report.versions, weights) for protocol in report.protocols) if s.own]
        if not own:
            names = sorted({method.name for protocol in report.protocols for method in protocol.methods})
            raise PublishError(f"{path}: no scores of {folder}, by the hash of its weights; it has {', '.join(names)}")
        for one in own:
            title = citation(one.protocol)
            if title in found:
                raise PublishError(f"{path}: {title} is in {found[title]}, too; give one of them")
            found[title] = path
        scored += own
    return scored


def read_report(path: Path) -> Report:
    """A `report.json`, or that of an evaluation's folder. Raises PublishError where it cannot be read."""
    path = path / "report.json" if path.is_dir() else path
    try:
        report = parse(Report, orjson.loads(path.read_bytes()), str(path))
    except (OSError, orjson.JSONDecodeError) as error:
        raise PublishError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    except ManifestError as error:
        raise PublishError(f"{str(error).splitlines()[0]}; evaluate again with this version of layerloom") from None
    if report.format != FORMAT:
        raise PublishError(f"{path}: format must be {FORMAT}, is {report.format}")
    return report


def results(scored: Sequence[Scored]) -> list[dict[str, Any]]:
    """The `results` of the Hub's model-index: one for each protocol, with all scores of all ways to run the model.

    Values are rounded as in the tables. Nothing is said of a metric that no picture has.
    """
    return [
        {
            "task": {"type": "image-to-image", "name": one.protocol.task},
            "dataset": {"type": one.protocol.name, "name": citation(one.protocol)},
            "metrics": metrics,
        }
        for one in scored
        if (metrics := [metric for name in one.own for metric in _metrics(one, name)])
    ]


def _metrics(scored: Scored, name: str) -> Iterator[dict[str, Any]]:
    protocol, options = scored.protocol, scored.own[name]
    method = next(m for m in protocol.methods if m.name == name)
    how = _options(options)
    for metric in protocol.metrics:
        score = method.scores.get(metric.name)
        if score and known(score.mean):
            value = round(score.mean, digits(protocol, metric.name)) + 0.0
            called = f"{metric.name}{_bracketed(how)}"
            args = {"args": options} if options else {}
            yield {"type": metric.name.split(".")[0], "name": called, "value": value, **args}


def _scored(protocol: ProtocolResult, versions: Mapping[str, str], weights: str) -> Scored:
    own: dict[str, dict[str, Any]] = {}
    methods: list[MethodResult] = []
    names: dict[str, str] = {}
    for method in protocol.methods:
        options = _own_options(method, versions, weights)
        name = _public_name(method.name) if options is None else f"{OWN}{_bracketed(_options(options))}"
        name = next(n for n in _numbered(name) if n not in names.values())
        names[method.name] = name
        methods.append(method.model_copy(update={"name": name}))
        if options is not None:
            own[name] = options
    reference = names.get(protocol.reference, _public_name(protocol.reference))
    update = {"methods": methods, "reference": reference, "data": _public_data(protocol.data)}
    return Scored(protocol.model_copy(update=update), own)


def _own_options(method: MethodResult, versions: Mapping[str, str], weights: str) -> dict[str, Any] | None:
    """The options that differ from the defaults, if the method is this checkpoint; else None."""
    try:
        spec = read_spec(method.name)
        options = parse(Options, {"path": "x"} | spec.options, method.name)
    except (EvalError, ManifestError):
        return None
    if spec.kind != "model" or method.key not in keys_of(options, weights, versions):
        return None
    given = options.model_dump(exclude_defaults=True, exclude={"path", "device", "revision"})
    return {key: value for key, value in given.items() if value is not None}


def _options(options: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{key}={str(value).lower() if isinstance(value, bool) else value}" for key, value in options.items()
    )


def _bracketed(text: str) -> str:
    return f" ({text})" if text else ""


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name} #{number}" for number in itertools.count(2))


def _public_name(name: str) -> str:
    """A method's name; of a path in it only the last part, unless that is of the repository's weights or on the Hub."""
    head, mark, query = name.partition("?")
    kind, colon, path = head.partition(":")
    options = "&".join("=".join(map(_public_path, part.split("=", 1))) for part in query.split("&"))
    return f"{_public_path(kind)}{colon}{_public_path(path)}{mark}{options}"


def _public_path(text: str) -> str:
    if "/" not in text or shipped(text) == text or (looks_like_id(text) and not Path(text).exists()):
        return text
    return _last(text)


def _last(path: str) -> str:
    """The last part of a path; of a run's `model`, the run's name."""
    parts = [part for part in path.split("/") if part not in ("", ".", "..")] or ["model"]
    return parts[-2] if parts[-1] == "model" and len(parts) > 1 else parts[-1]


def _public_data(data: str) -> str:
    kind, colon, path = data.partition(": ")
    return f"{kind}{colon}{_last(path) if path.startswith(('/', '~', '..')) else path}"
