"""What tests read from the page, and how they choose on it."""

from typing import Any

import numpy as np

Rows = list[dict[str, Any]]
BINS = 20
FIELDS = {"visible": "visible_fraction", "area": "area_fraction", "iou": "mask_iou"}  # by histogram, in their order


def shown(page: Any) -> list[str]:
    """Keys of all samples in the grid."""
    page.evaluate("reveal(order.length)")
    return page.locator(".cell .line .unit:nth-of-type(1)").all_text_contents()


def pick(page: Any, name: str, value: str) -> None:
    page.select_option(f"#filters [name={name}]", value=value)


def bar(page: Any, chart: str, k: int) -> Any:
    return page.locator(".bins").nth(list(FIELDS).index(chart)).locator("button").nth(k)


def most(rows: Rows, chart: str) -> float:
    """Where the last bin of a histogram ends."""
    return float(np.ceil(20 * max(row["area_fraction"] for row in rows)) / 20) if chart == "area" else 1.0


def bins(rows: Rows, chart: str) -> list[int]:
    """The bin of each sample, by the index."""
    edges = np.linspace(0, most(rows, chart), BINS + 1)[1:-1]
    return np.digitize([round(row[FIELDS[chart]], 6) for row in rows], edges.round(6)).tolist()


def in_bins(rows: Rows, **chosen: set[int]) -> Rows:
    """The rows that lie in one of the chosen bins of every histogram named."""
    of = {chart: dict(zip([row["key"] for row in rows], bins(rows, chart), strict=True)) for chart in chosen}
    return [row for row in rows if all(of[chart][row["key"]] in wanted for chart, wanted in chosen.items())]
