"""What matters most of a run's configuration, in words. The rest is in its TOML."""

from collections.abc import Iterator, Mapping
from typing import Any

from evaluation.report.markdown import escape
from model.record import Record


def recipe_rows(record: Record) -> Iterator[tuple[str, str]]:
    """(setting, value). A key that another version of the configuration lacks makes no row."""
    config = record.config
    if description := config.get("description"):
        yield "run", cell(f"{config.get('name', '')}: {description}")
    base = _at(config, "base")
    yield "started from", f"`{base['model']}`" if base.get("model") else "new weights"
    yield "steps", str(record.steps)
    yield "batch", _batch(config, record.processes)
    rows = {
        "seed": config.get("seed"),
        "sizes": _sizes(_at(config, "data").get("buckets")),
        **_optimiser(_at(config, "optimiser")),
        "precision": _at(config, "machine").get("precision"),
        **_adapt(_at(config, "adapt")),
    }
    yield from ((name, str(value)) for name, value in rows.items() if value not in (None, ""))


def cell(words: str) -> str:
    """Words as they are, for `pipeline.markup.markdown`, which escapes bars itself."""
    return escape(words).replace("\\|", "|")


def _at(table: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = table.get(key)
    return found if isinstance(found, Mapping) else {}


def _batch(config: Mapping[str, Any], processes: int) -> str:
    size, parts = config.get("batch_size", 1), config.get("accumulate", 1)
    whole = f"{size * parts * processes} samples a step"
    made = [f"{size} a process", *([f"{parts} accumulated"] if parts > 1 else []), f"{processes} processes"]
    return whole if processes == parts == 1 else f"{whole}: {', '.join(made)}"


def _sizes(buckets: Any) -> str:
    return ", ".join(f"{width} x {height}" for width, height in buckets) if buckets else ""


def _optimiser(optimiser: Mapping[str, Any]) -> dict[str, Any]:
    if "lr" not in optimiser:
        return {}
    rate = f"{optimiser['lr']:g} (AdamW), warm-up {optimiser.get('warmup', 0)} steps"
    if decay := optimiser.get("decay"):
        rate += f", falling over the last {decay:.0%}"
    average = optimiser.get("ema")
    return {"learning rate": rate, "moving average of weights": f"{average:g}" if average else "none"}


def _adapt(adapt: Mapping[str, Any]) -> dict[str, Any]:
    """Of runs that make layers; for others it says nothing."""
    trained = ", ".join(f"`{pattern}`" for pattern in adapt.get("train", ()))
    return {"trained whole": trained}
