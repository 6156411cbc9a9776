"""Asset report: what the sources of a manifest offered, what was kept, and what was not and why, with pictures."""

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.assets import Asset, Store, write_atomic
from pipeline.listener import Listener
from pipeline.manifest import Manifest
from pipeline.markup import markdown
from pipeline.prepare import Dropped
from stages.caption import on_grey
from stages.codec import encode_png
from stages.types import U8

_THUMB, _COLUMNS, _MOST = 128, 12, 96
_FIELDS = (
    *("id", "origin", "alpha_from", "whole", "cut", "license", "attribution", "uri", "caption", "caption_from"),
    *("width", "height", "coverage", "soft_share", "main_component", "flatness", "palette", "text_like"),
    *("sharpness", "clipped", "phash", "cluster", "sha256"),
)


def write_report(
    manifest: Manifest, kept: Sequence[Asset], dropped: Sequence[Dropped], cache: Path, out: Path, to: Listener
) -> Path:
    """Write report.md, kept.csv, rejected.csv and contact sheets into `out`; returns the path of report.md.

    There is one sheet for the kept assets of each source and one for each reason that has pictures to show: what
    was refused before it was decoded has none.
    """
    out.mkdir(parents=True, exist_ok=True)
    _write_csv(out / "kept.csv", _FIELDS, ([getattr(a, name) for name in _FIELDS] for a in kept))
    _write_csv(out / "rejected.csv", ("id", "reason", "detail"), ([d.id, d.reason, d.detail] for d in dropped))
    sheets = _groups(kept, dropped)
    to.stage("sheets", len(sheets))
    for name, pixels in sheets.items():
        write_atomic(out / f"{name}.png", encode_png(sheet(_spread(pixels), Store(cache / "objects"))))
        to.advance(1, Counter())
    write_atomic(out / "report.md", _text(manifest, kept, dropped, sheets).encode())
    return out / "report.md"


def sheet(pixels: Sequence[str], store: Store) -> U8:
    """Thumbnails of prepared pixels on grey, uint8 (h, w, 3), in rows of 12."""
    rows = -(-len(pixels) // _COLUMNS)
    out = np.full((rows * _THUMB, min(len(pixels), _COLUMNS) * _THUMB, 3), 128, np.uint8)
    for place, sha256 in enumerate(pixels):
        top, left = place // _COLUMNS * _THUMB, place % _COLUMNS * _THUMB
        small = _thumbnail(store.pixels(sha256))
        height, width = small.shape[:2]
        out[top : top + height, left : left + width] = on_grey(small)
    return out


def _thumbnail(pixels: U8) -> U8:
    image = Image.fromarray(pixels)
    image.thumbnail((_THUMB - 4, _THUMB - 4))  # a gap between neighbours; Pillow weighs colour by alpha
    return np.asarray(image)


def counts(kept: Sequence[Asset], dropped: Sequence[Dropped]) -> dict[str, Counter[str]]:
    """By source: how many were `kept`, and how many rejected by reason."""
    table: dict[str, Counter[str]] = defaultdict(Counter)
    for a in kept:
        table[a.source]["kept"] += 1
    for d in dropped:
        table[d.id.split(":", 1)[0]][d.reason] += 1
    return dict(table)


def _groups(kept: Sequence[Asset], dropped: Sequence[Dropped]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for a in kept:
        groups[f"kept-{a.source}"].append(a.sha256)
    for d in dropped:
        if d.sha256:
            groups[f"rejected-{d.reason}"].append(d.sha256)
    return dict(groups)


def _spread(pixels: Sequence[str]) -> list[str]:
    """At most 96 of them, evenly."""
    step = max(1.0, len(pixels) / _MOST)
    return [pixels[int(k * step)] for k in range(min(len(pixels), _MOST))]


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_atomic(path, sink.getvalue().encode())


def _text(
    manifest: Manifest, kept: Sequence[Asset], dropped: Sequence[Dropped], sheets: Mapping[str, Sequence[str]]
) -> str:
    table = counts(kept, dropped)
    reasons = Counter(d.reason for d in dropped)
    rows = []
    for source in manifest.sources:
        found = table.get(source.name, Counter())
        why = ", ".join(f"{n} {reason}" for reason, n in found.most_common() if reason != "kept")
        rows.append((source.name, source.license, str(found.total()), str(found["kept"]), why))
    total = str(len(kept) + len(dropped))
    rows.append(("all", "", total, str(len(kept)), ", ".join(f"{n} {r}" for r, n in reasons.most_common())))
    pictures = "".join(f"![{name}, {len(of)}]({name}.png)\n\n" for name, of in sheets.items())
    return (
        f"# Assets of {manifest.name}\n\n"
        f"{markdown(('source', 'licence', 'offered', 'kept', 'rejected'), rows)}\n"
        f"kept.csv and rejected.csv have a row for each. A sheet shows at most {_MOST} pictures.\n\n{pictures}"
    )
