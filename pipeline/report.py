"""Report: what was asked of a build beside what it became, as rows of a table."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.table import Table

from pipeline.build import split_sizes
from pipeline.facts import Column, Facts, read_facts, require_finished
from pipeline.licenses import bracketed
from pipeline.manifest import Manifest

_CROPPED = 0.05  # a box that leaves the frame by less has only its soft rim outside


class Row(NamedTuple):
    """One line of the report. `asked` is empty where nothing is."""

    name: str
    asked: str
    achieved: str


def report(out: Path) -> list[Row]:
    """What was asked of the finished build in `out`, and what came out.

    Raises:
        ShardError: no build, or not a finished one.
    """
    plan = require_finished(out)
    return rows(plan.manifest, read_facts(out))


def rich_table(lines: Iterable[Row]) -> Table:
    """The rows for a terminal."""
    table = Table("", "asked", "achieved", box=None, pad_edge=False)
    for line in lines:
        table.add_row(*line)
    return table


def rows(m: Manifest, facts: Facts) -> list[Row]:
    """The report's rows; shares come with the counts behind them, distributions with mean and quantiles."""
    return [*_samples(m, facts), *_scenes(m, facts), *_masks(m, facts), *_effort(m, facts), *_assets(facts)]


def _samples(m: Manifest, facts: Facts) -> Iterator[Row]:
    yield Row("samples", f"{m.samples} at {m.size} px", str(facts.samples.total()))
    for split, asked in split_sizes(m).items():
        yield Row(f"samples, {split}", str(asked), str(facts.samples[split]))
    if m.paired:
        yield Row("un-occluded twins", "of occluded scenes", f"{facts.twins}, left out of what follows")


def _scenes(m: Manifest, facts: Facts) -> Iterator[Row]:
    c = facts.columns
    for count in ("1", "2", "3"):
        name = f"scenes of {count} object" + "s" * (count != "1")
        yield Row(name, percent(m.objects.share(count)), _share(c["num_objects"] == int(count)))
    yield Row("real targets", percent(m.objects.real_fraction), _share(c["origin"] == "real"))
    yield from _occlusion(m, c)
    low, high = m.objects.area_bounds
    area = f"log-normal, median {m.objects.area_median:g}, sigma {m.objects.area_sigma:g}, in {low:g} to {high:g}"
    yield Row("target's share of the canvas", area, _area(c["area_fraction"]))
    held = c["scale"] >= m.objects.max_upscale * (1 - 1e-9)
    yield Row("targets held small by their pixels", f"enlarged {m.objects.max_upscale:g}x at most", _share(held))
    yield Row("targets with a shadow", percent(m.shadow.fraction), _share(c["shadow"]))
    asked = percent(m.objects.cropped_fraction)
    yield Row("whole targets cropped by the frame", asked, _share(cropped(facts)))
    yield Row("harmonisation of the target", _uniform(m.harmonize), spread(c["harmonize"]))


def _occlusion(m: Manifest, c: dict[str, Column]) -> Iterator[Row]:
    o = m.occlusion
    yield Row("occluded targets", percent(o.fraction), _share(c["occluded"]))
    yield Row("visible fraction where occluded", _uniform(o.visible), spread(c["visible_fraction"][c["occluded"]]))
    error = np.abs(c["visible_fraction"] - c["asked_visible_fraction"])[c["occluded"]]
    met = f"{_share(error <= o.tolerance)}, largest error {error.max(initial=0):.3f}"
    yield Row("visible fraction as drawn", f"within {o.tolerance:g}", met if error.size else "none occluded")


def _masks(m: Manifest, facts: Facts) -> Iterator[Row]:
    c = facts.columns
    total = sum(m.mask.weights.values())
    for kind, weight in m.mask.weights.items():
        own = c["mask_kind"] == kind
        iou = f", mean IoU {c['mask_iou'][own].mean():.2f}" if own.any() else ""
        yield Row(f"mask {kind}", percent(weight / total), _share(own) + iou)
    yield Row("mask strength", _uniform(m.mask.strength), spread(c["mask_strength"]))
    yield Row("mask IoU with the visible object", "", spread(c["mask_iou"]))


def _effort(m: Manifest, facts: Facts) -> Iterator[Row]:
    attempts = facts.columns["attempt"] + 1
    drawn = f"mean {attempts.mean():.2f}, most {attempts.max()}"
    yield Row("layouts drawn a scene", f"at most {m.max_attempts}", drawn)
    reasons = ", ".join(f"{n} {reason}" for reason, n in sorted(facts.rejects.items(), key=lambda r: (-r[1], r[0])))
    yield Row("layouts redrawn", "", reasons or "none")


def _assets(facts: Facts) -> Iterator[Row]:
    for kind, ids in pools(facts).items():
        used = [facts.uses[i] for i in ids if facts.uses[i]]
        often = f"most often in {max(used)} scenes, median {np.median(used):g}" if used else "never"
        yield Row(f"{kind}s used", f"{len(ids)} at hand", f"{len(used)}, {often}")
    names = sorted({a.license for a in facts.assets if facts.uses[a.id]})
    counts = ", ".join(f"{holding(facts, name)} {name}" for name in names)
    yield Row("samples that hold a licence", "", counts)


def cropped(facts: Facts) -> Column:
    """For each whole target (its photograph cut nothing off): whether the frame does, left or right."""
    cut = {a.id for a in facts.assets if a.cut}
    whole = np.array([target not in cut for target in facts.columns["target"]], bool)
    return np.asarray(facts.columns["overhang"][whole] > _CROPPED)


def pools(facts: Facts) -> dict[str, list[str]]:
    """Ids of the assets by kind, e.g. `real foreground`."""
    kinds: dict[str, list[str]] = {}
    for a in sorted(facts.assets, key=lambda a: (a.role, a.origin, a.id)):
        kinds.setdefault(f"{a.origin} {a.role}", []).append(a.id)
    return kinds


def holding(facts: Facts, name: str) -> int:
    """How many samples, twins too, hold an asset under the licence `name`."""
    parts = set(bracketed(name).split(" AND "))
    return sum(n for text, n in facts.licenses.items() if parts <= set(text.split(" AND ")))


def percent(share: float) -> str:
    """E.g. `60 %` or `2.5 %`."""
    return f"{round(100 * share, 1):g} %"


def spread(values: Any) -> str:
    """Mean, quartiles and ends of a distribution, two decimals."""
    if not len(values):
        return "none"
    low, q1, q2, q3, high = np.quantile(values, (0, 0.25, 0.5, 0.75, 1))
    return f"{low:.2f} to {high:.2f}, mean {np.mean(values):.2f}, quartiles {q1:.2f} {q2:.2f} {q3:.2f}"


def _share(flags: Any) -> str:
    return f"{percent(flags.mean())} ({flags.sum()} of {flags.size})" if flags.size else "none"


def _area(area: Column) -> str:
    low, median, high = np.quantile(area, (0.05, 0.5, 0.95))
    return f"median {median:.3f}, sigma {np.log(area).std():.2f}, 90 % in {low:.3f} to {high:.3f}"


def _uniform(ends: tuple[float, float]) -> str:
    low, high = ends
    return f"uniform, {low:.2f} to {high:.2f}, mean {(low + high) / 2:.2f}"
