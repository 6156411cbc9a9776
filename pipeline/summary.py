"""The end of a build, as text."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from pipeline.build import Summary
from pipeline.manifest import Manifest


def print_summary(console: Console, manifest: Manifest, out: Path, summary: Summary) -> None:
    """Say what was built from what, how long each stage took, what was rejected, and where to look."""

    def say(text: str) -> None:
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    assets = Counter(f"{a.origin} {a.role}s" for a in summary.collected.assets)
    say("assets: " + ", ".join(f"{n} {kind}" for kind, n in sorted(assets.items())))
    dropped = Counter(d.reason for d in summary.collected.dropped)
    if dropped:
        say("assets rejected: " + ", ".join(f"{n} {reason}" for reason, n in dropped.most_common()))
    if summary.rejects:
        say("layouts redrawn: " + ", ".join(f"{n} {reason}" for reason, n in summary.rejects.most_common()))
    seconds = summary.seconds.get("build", 0.0)
    rate = f", {summary.built / seconds:.1f} samples/s" if summary.built and seconds else ""
    say("time: " + ", ".join(f"{name} {s:.1f} s" for name, s in summary.seconds.items()) + rate)
    if not summary.failed:
        say(f"{summary.samples} samples of '{manifest.name}' ({summary.built} made now) in {out}")
        say(f"look at {out / 'preview.png'}; check with: layerloom validate {out}")


def print_assets(console: Console, counts: Mapping[str, Counter[str]]) -> None:
    """A line a source: how many assets it offered, kept, and rejected by reason; and a line for all."""
    total: Counter[str] = Counter()
    for found in counts.values():
        total.update(found)
    for name, found in (*counts.items(), ("all", total)):
        why = ", ".join(f"{n} {reason}" for reason, n in found.most_common() if reason != "kept")
        line = f"{name}: {found.total()} offered, {found['kept']} kept" + (f", rejected: {why}" if why else "")
        console.print(line, highlight=False, markup=False, soft_wrap=True)
