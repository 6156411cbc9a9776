"""A small report with odd names, gaps and undefined scores."""

from typing import Any

from evaluation.results import ItemResult, Left, MethodResult, MetricInfo, ProtocolResult, Report, Score

REFERENCE = "mean fill"
ODD = '</script><script>window.hacked=1</script><img src=x onerror=window.hacked=1> "q" | *b* é漢 & \\ `c` _d_ $'
SLASH = "folder/net"
METHODS = (REFERENCE, ODD, SLASH)
PSNR = MetricInfo(
    name="psnr.mask", title="PSNR in mask", unit="dB", higher_is_better=True, definition="Peak < 255 & so."
)
SAD = MetricInfo(name="sad", title="SAD", higher_is_better=False, definition="Sum of | differences |.")
EMPTY = MetricInfo(name="empty", title="Undefined", higher_is_better=True, definition="Never defined here.")
COUNT = 150  # pictures: more than the page draws at first
ODD_ID = 'a b#1?%2 "é" <i>&amp;'
RED, BLUE, GREEN, WHITE = (255, 0, 0), (0, 0, 255), (0, 255, 0), (255, 255, 255)


def ids() -> list[str]:
    return [*(f"p{i:03d}" for i in range(COUNT - 1)), ODD_ID]


def psnr_of(method: int, i: int) -> float | None:
    """Scores of the first protocol; undefined for every tenth picture of the last method."""
    return None if method == 2 and i % 10 == 0 else 20 + method + ((i * 37) % 101) / 10


def score(mean: float | None, low: float | None, high: float | None, count: int) -> Score:
    return Score(mean=mean, low=low, high=high, count=count)


def blank(**fields: Any) -> ProtocolResult:
    """`p@1`, of nothing but these fields."""
    empty = dict.fromkeys(("task", "description", "data", "reference"), "") | {"settings": {}}
    return ProtocolResult(**{"name": "p", "revision": 1, "metrics": [], "methods": [], "items": []} | empty | fields)


def _scores(method: int) -> dict[str, Score]:
    psnr = [(24.126, 23.5, 25.25, COUNT), (26.5, 26.0, 27.0, COUNT), (27.0, 26.5, 27.5, COUNT - 15)][method]
    sad = [(1234.5, 1200.04, 1300.0, COUNT), (-0.0, -0.001, 0.001, COUNT), (990.25, 900.0, 1000.0, COUNT)][method]
    return {"psnr.mask": score(*psnr), "sad": score(*sad), "empty": score(None, None, None, 0)}


def _differences(method: int) -> dict[str, Score]:
    if method == 0:
        return {}
    if method == 1:
        return {"psnr.mask": score(2.374, -0.5, 4.0, COUNT), "sad": score(-1234.5, -1300.0, -1200.0, COUNT)}
    return {"psnr.mask": score(0.012, 0.0004, 0.03, COUNT - 15), "sad": score(244.0, 100.0, 300.0, COUNT)}


def example() -> Report:
    versions = {"numpy": "2.0", "c*v": "<5>"}
    return Report(created="2026-01-02T03:04:05Z", versions=versions, protocols=[removal(), extraction()])


def removal() -> ProtocolResult:
    def item(i: int, id: str) -> ItemResult:
        scores = {name: {"psnr.mask": psnr_of(m, i), "sad": float(i), "empty": None} for m, name in enumerate(METHODS)}
        shown = ("input", "clean", *(f"{name}/{layer}" for name in METHODS for layer in ("background", "foreground")))
        paths = {kind: f"pictures/{id}/{n}.png" for n, kind in enumerate(shown)}
        return ItemResult(id=id, scores=scores, pictures=paths)

    left = [Left(id=f"x{i}", reason=f"x{i}.clean.png: cut short") for i in range(12)]
    left.append(Left(id="p003", reason="p003 took | too long", method=SLASH))
    methods = [
        MethodResult(name=name, key=f"key <{m}>", scores=_scores(m), differences=_differences(m), failed=15 * (m == 2))
        for m, name in enumerate(METHODS)
    ]
    return ProtocolResult(
        name="removal-<odd>",
        revision=3,
        task="removal",
        description="One line\nwith a break, <b>tags</b> and a [link](x).",
        data="our own",
        settings={"mask": "rough", "ring | px": "8"},
        metrics=[PSNR, SAD, EMPTY],
        reference=REFERENCE,
        methods=methods,
        items=[item(i, id) for i, id in enumerate(ids())],
        left=left,
    )


def extraction() -> ProtocolResult:
    paths = {"input": "pictures/p000/0.png", "alpha": "pictures/p000/lost.png", "a/foreground": "pictures/p000/3.png"}
    items = [ItemResult(id="only", scores={"a": {"sad": 0.5}}, pictures=paths)]
    return ProtocolResult(
        name="extraction",
        revision=1,
        task="extraction",
        description="Alpha.",
        data="our own",
        settings={},
        metrics=[SAD],
        reference="none",
        methods=[MethodResult(name="a", key="a", scores={"sad": score(0.5, 0.25, 0.75, 1)}, seconds=0.01234)],
        items=items,
    )
