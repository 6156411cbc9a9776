"""A small report with odd names and gaps, its pictures, and a headless Chromium where the machine has one."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

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


def _scores(method: int) -> dict[str, Score]:
    psnr = [(24.126, 23.5, 25.25, COUNT), (26.5, 26.0, 27.0, COUNT), (27.0, 26.5, 27.5, COUNT - 15)][method]
    sad = [(1234.5, 1200.04, 1300.0, COUNT), (-0.0, -0.001, 0.001, COUNT), (990.25, 900.0, 1000.0, COUNT)][method]
    fields = ("mean", "low", "high", "count")
    nothing = Score(mean=None, low=None, high=None, count=0)
    return {"psnr.mask": Score(**dict(zip(fields, psnr))), "sad": Score(**dict(zip(fields, sad))), "empty": nothing}


def _differences(method: int) -> dict[str, Score]:
    if method == 0:
        return {}
    if method == 1:
        worse = Score(mean=2.374, low=-0.5, high=4.0, count=COUNT)
        return {"psnr.mask": worse, "sad": Score(mean=-1234.5, low=-1300.0, high=-1200.0, count=COUNT)}
    sad = Score(mean=244.0, low=100.0, high=300.0, count=COUNT)
    return {"psnr.mask": Score(mean=0.012, low=0.0004, high=0.03, count=COUNT - 15), "sad": sad}


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
    score = Score(mean=0.5, low=0.25, high=0.75, count=1)
    return ProtocolResult(
        name="extraction",
        revision=1,
        task="extraction",
        description="Alpha.",
        data="our own",
        settings={},
        metrics=[SAD],
        reference="none",
        methods=[MethodResult(name="a", key="a", scores={"sad": score}, seconds=0.01234)],
        items=items,
    )


@pytest.fixture(scope="session")
def report() -> Report:
    return Report(
        created="2026-01-02T03:04:05Z", versions={"numpy": "2.0", "c*v": "<5>"}, protocols=[removal(), extraction()]
    )


def _write(path: Path, colour: tuple[int, int, int], alpha: int | None = None) -> None:
    pixels = np.full((60, 120, 3), colour[::-1], np.uint8)
    if alpha is not None:
        pixels = np.dstack([pixels, np.full((60, 120), alpha, np.uint8)])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())


@pytest.fixture(scope="session")
def folder(report: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pictures of `report`: input red, truth blue, backgrounds green, foregrounds transparent but one white."""
    root = tmp_path_factory.mktemp("report")
    colours = {0: (RED, None), 1: (BLUE, None), 3: (WHITE, 0), 5: (WHITE, 255), 7: (WHITE, 255)}
    for item in report.protocols[0].items:
        for path in item.pictures.values():
            _write(root / path, *colours.get(int(Path(path).stem), (GREEN, None)))
    return root


def _browser() -> str | None:
    names = ("chromium", "chromium-browser", "chromium-headless-shell", "google-chrome", "chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright, which drives the browser, is not installed"
    )
    path = _browser()
    if path is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Opens a file; at the end nothing was asked of the network and no script failed."""
    contexts, asked, told = [], [], []

    def visit(file: Path, width: int = 1280, height: int = 900, scheme: str = "light", hash: str = "") -> Any:
        context = chromium.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15000)
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("console", lambda message: told.append(message.text))
        page.goto(file.as_uri() + hash)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert [text for text in told if "ERR_FILE_NOT_FOUND" not in text and "ERR_INVALID_URL" not in text] == []
