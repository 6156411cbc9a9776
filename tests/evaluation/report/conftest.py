"""The example's pictures, and pages in a headless Chromium."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from evaluation.results import Report
from tests.evaluation.report.example import BLUE, GREEN, RED, WHITE, example


@pytest.fixture(scope="session")
def report() -> Report:
    return example()


def _png(colour: tuple[int, int, int], *alpha: int) -> bytes:
    """A file of 120 x 60 pixels of one colour, with an alpha channel where one is given."""
    pixels = np.full((60, 120, 3 + len(alpha)), (*colour[::-1], *alpha), np.uint8)
    return cv2.imencode(".png", pixels)[1].tobytes()


@pytest.fixture(scope="session")
def folder(report: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pictures of `report`: input red, truth blue, backgrounds green, foregrounds white, the first transparent."""
    root = tmp_path_factory.mktemp("report")
    green, white = _png(GREEN), _png(WHITE, 255)
    files = [_png(RED), _png(BLUE), green, _png(WHITE, 0), green, white, green, white]
    for item in report.protocols[0].items:
        for path, data in zip(item.pictures.values(), files, strict=True):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(data)
    return root


@pytest.fixture
def visit(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Opens a file; at the end nothing was asked of the network and no script failed."""
    contexts, asked, told = [], [], []

    def visit(file: Path, width: int = 1280, height: int = 900, scheme: str = "light", hash: str = "") -> Any:
        context = chromium.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
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
