"""The page of a small build, and pages in a headless Chromium."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipeline.explore import explore


@pytest.fixture(scope="session")
def explored(tiny_build: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of 64 samples of 128 px in train, val and test, with its page: 5 of its samples are stored whole."""
    out = tmp_path_factory.mktemp("explored") / "tiny"
    shutil.copytree(tiny_build, out)
    explore(out, full=5)
    return out


@pytest.fixture(scope="session")
def rows(explored: Path) -> list[dict[str, Any]]:
    """The index of that build."""
    return pq.read_table(explored / "meta" / "index.parquet").to_pylist()


@pytest.fixture(scope="session")
def until() -> Callable[[Any, str], None]:
    """Waits until an expression is true on a page, whose policy forbids it to evaluate strings by itself."""

    def until(page: Any, expression: str) -> None:
        for _ in range(500):
            if page.evaluate(expression):
                return
            page.wait_for_timeout(20)
        raise AssertionError(f"never true: {expression}")

    return until


@pytest.fixture
def visit(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Opens a page; at the end nothing was asked of the network and no script failed."""
    contexts, asked, told = [], [], []

    def visit(
        file: Path, hash: str = "", width: int = 1280, height: int = 900, scheme: str = "light", **how: Any
    ) -> Any:
        viewport = {"width": width, "height": height}
        context = chromium.new_context(viewport=viewport, color_scheme=scheme, **how)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("console", lambda message: told.append(message.text))
        page.goto(file.as_uri() + hash)
        page.asked = asked
        return page

    yield visit
    for context in contexts:
        context.close()
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert [text for text in told if "ERR_FILE_NOT_FOUND" not in text] == []
