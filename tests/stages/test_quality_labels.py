"""The labels by eye that the quality rules are judged on."""

import csv
from collections import Counter
from pathlib import Path

LABELS = Path(__file__).resolve().parent.parent / "data" / "stamp_labels.csv"


def test_the_labels_are_well_formed():
    text = LABELS.read_text(encoding="ascii")
    assert "\r" not in text
    assert text.endswith("\n")
    header, *rows = csv.reader(text.splitlines())
    assert header == ["path", "label"]
    assert len(rows) == 200
    paths = [path for path, _ in rows]
    assert paths == sorted(set(paths))
    assert all(p.endswith(".png") and not p.startswith("/") and ".." not in p for p in paths)
    counts = Counter(label for _, label in rows)
    assert set(counts) == {"photo", "drawing", "text"}
    assert min(counts.values()) >= 40
