"""Plots: the distributions of a build, asked beside achieved, as one picture.

Colours are from Okabe and Ito, "Color Universal Design" (2008), which people with colour-blindness can tell apart.
Figures are made without pyplot: no global state, and the same bytes for the same build.
"""

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.assets import write_atomic
from pipeline.facts import Facts, read_facts, require_finished
from pipeline.manifest import Manifest
from pipeline.report import cropped, pools

PLOTS = "distributions.png"
_ACHIEVED, _ASKED = "#0072B2", "#D55E00"
_KINDS = {"real foreground": "#0072B2", "generated foreground": "#D55E00", "real background": "#009E73"}
_BINS = 20


def write_plots(out: Path, facts: Facts | None = None) -> Path:
    """Draw the finished build in `out` as `out`/distributions.png; returns its path. Same build, same bytes.

    `facts` are those of the build, if they are known already.

    Raises:
        ShardError: no build, or not a finished one.
    """
    plan = require_finished(out)
    sink = io.BytesIO()
    figure(plan.manifest, facts or read_facts(out)).savefig(sink, format="png", dpi=110, metadata={"Software": None})
    write_atomic(out / PLOTS, sink.getvalue())
    return out / PLOTS


def figure(m: Manifest, facts: Facts) -> Any:
    """Six panels as a matplotlib figure: visible fraction, area, shares, mask IoU, places, use of assets."""
    from matplotlib.figure import Figure  # 0.3 s to import, and the workers of a build never plot

    fig = Figure(figsize=(15, 8.4), layout="constrained")
    axes = fig.subplots(2, 3).ravel()
    for ax, panel in zip(axes, (_visible, _area, _shares, _iou, _places, _use), strict=True):
        panel(ax, m, facts)
        ax.spines[["top", "right"]].set_visible(False)
    n = len(facts.columns["key"])
    fig.suptitle(f"{m.name}: {n} scenes at {m.size} px", x=0.01, ha="left", fontsize=13)
    return fig


def _visible(ax: Any, m: Manifest, facts: Facts) -> None:
    seen = facts.columns["visible_fraction"][facts.columns["occluded"]]
    low, high = m.occlusion.visible
    _histogram(ax, seen, np.linspace(0, 1, _BINS + 1))
    ax.set_xlim(0, 1.02)
    asked = np.array([0, 1, 1, 0]) * len(seen) / (_BINS * max(high - low, 1 / _BINS))
    ax.plot([low, low, high, high], asked, color=_ASKED, lw=2, label="asked")
    _label(ax, "visible fraction of occluded targets", "share of the target's alpha that shows", "scenes")
    _legend(ax, "upper left")


def _area(ax: Any, m: Manifest, facts: Facts) -> None:
    area, o = facts.columns["area_fraction"], m.objects
    low, high = max(1e-3, min(o.area_bounds[0], area.min())), max(o.area_bounds[1], area.max())
    edges = np.geomspace(low, high, _BINS + 1)
    _histogram(ax, area, edges)
    middles = np.sqrt(edges[:-1] * edges[1:])
    ax.plot(middles, len(area) * _asked_area(o, edges), color=_ASKED, lw=2, label="asked")
    ax.set_xscale("log")
    ticks = [t for t in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0) if low <= t <= high]
    ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
    ax.minorticks_off()
    _label(ax, "area of the target", "share of the canvas", "scenes")
    _legend(ax, "upper right")


def _asked_area(o: Any, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probability of each bin under the log-normal cut at its bounds."""
    if o.area_sigma == 0:
        return np.asarray(np.diff((edges > o.area_median).astype(np.float64)))
    cut = np.clip(np.log(edges), math.log(max(o.area_bounds[0], 1e-9)), math.log(o.area_bounds[1]))
    z = (cut - math.log(o.area_median)) / (o.area_sigma * math.sqrt(2))
    cumulative = np.array([0.5 * (1 + math.erf(v)) for v in z])
    return np.asarray(np.diff(cumulative) / max(cumulative[-1] - cumulative[0], 1e-12))


def _shares(ax: Any, m: Manifest, facts: Facts) -> None:
    c = facts.columns
    lines = [
        ("1 object", m.objects.share("1"), c["num_objects"] == 1),
        ("2 objects", m.objects.share("2"), c["num_objects"] == 2),
        ("3 objects", m.objects.share("3"), c["num_objects"] == 3),
        ("real target", m.objects.real_fraction, c["origin"] == "real"),
        ("occluded", m.occlusion.fraction, c["occluded"]),
        ("shadow", m.shadow.fraction, c["shadow"]),
        ("cropped by frame", m.objects.cropped_fraction, cropped(facts)),
    ]
    places = np.arange(len(lines))
    achieved = [np.mean(flags) if len(flags) else 0 for _, _, flags in lines]
    ax.barh(places, achieved, height=0.6, color=_ACHIEVED, label="achieved")
    asked = [share for _, share, _ in lines]
    ax.vlines(asked, places - 0.4, places + 0.4, color=_ASKED, lw=3, label="asked")
    ax.set_yticks(places, [name for name, _, _ in lines])
    ax.invert_yaxis()
    ax.set_xlim(0, 1.02)
    _label(ax, "kinds of scenes", "share of scenes", "")
    _legend(ax, "lower right")


def _iou(ax: Any, m: Manifest, facts: Facts) -> None:
    kinds = [k for k, weight in m.mask.weights.items() if weight > 0]
    for place, kind in enumerate(kinds):
        iou = facts.columns["mask_iou"][facts.columns["mask_kind"] == kind]
        if len(iou):
            low, q1, q2, q3, high = np.quantile(iou, (0.05, 0.25, 0.5, 0.75, 0.95))
            ax.plot([low, high], [place, place], color=_ACHIEVED, lw=1.5, label="5 to 95 %")
            ax.plot([q1, q3], [place, place], color=_ACHIEVED, lw=8, solid_capstyle="butt", label="quartiles")
            ax.plot(q2, place, "o", color="white", mec=_ACHIEVED, mew=1.5, ms=8, label="median")
    ax.set_yticks(range(len(kinds)), [k.replace("_", " ") for k in kinds])
    ax.invert_yaxis()
    ax.set_xlim(0, 1.02)
    _label(ax, "imperfect masks, by kind", "IoU with the visible object", "")
    _legend(ax, "upper left")


def _places(ax: Any, m: Manifest, facts: Facts) -> None:
    cells = [np.linspace(0, 1, 13)] * 2
    counts, _, _ = np.histogram2d(facts.columns["y"].clip(0, 1), facts.columns["x"].clip(0, 1), bins=cells)
    image = ax.imshow(counts, extent=(0, 1, 1, 0), cmap="cividis", vmin=0)
    ax.figure.colorbar(image, ax=ax, label="targets", shrink=0.85)
    ax.set_xticks([0, 0.5, 1])
    ax.set_yticks([0, 0.5, 1])
    _label(ax, "where targets are: centres of their boxes", "share of the canvas", "share of the canvas")


def _use(ax: Any, m: Manifest, facts: Facts) -> None:
    for kind, ids in pools(facts).items():
        uses = sorted((facts.uses[i] for i in ids), reverse=True)
        ranks = (np.arange(len(uses)) + 0.5) / len(uses)
        ax.step(ranks, uses, where="mid", lw=2, color=_KINDS.get(kind, "#CC79A7"), label=f"{len(uses)} {kind}s")
    ax.set_xlim(0, 1)
    ax.set_ylim(0)
    _label(ax, "how often each asset is used", "assets, most used first (share of their kind)", "scenes")
    _legend(ax, "upper right")


def _histogram(ax: Any, values: Any, edges: Any) -> None:
    ax.hist(values, edges, color=_ACHIEVED, edgecolor="white", linewidth=0.5, label="achieved")


def _label(ax: Any, title: str, x: str, y: str) -> None:
    ax.set_title(title, loc="left", fontsize=11, fontweight="bold")
    ax.set_xlabel(x)
    ax.set_ylabel(y)


def _legend(ax: Any, where: str) -> None:
    named = dict(zip(*ax.get_legend_handles_labels()[::-1], strict=True))
    ax.legend(named.values(), named.keys(), loc=where, frameon=False, fontsize=9)
