"""Runs the page: on this machine only unless told otherwise; asks nothing of the network and keeps no files."""

import os
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any, Literal

import gradio as gr
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from model.config import resolve
from model.decompose import DEFAULT_MODEL, LayerDecompositionPipeline
from model.pictures import PictureError
from model.serve.page import page, read
from model.serve.service import Service
from stages.lazy import one_line, require_device

MAX_FILE = "100mb"  # of an upload
_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif")
_MONOSPACE = ("ui-monospace", "Cascadia Mono", "Menlo", "Consolas", "monospace")
# Gradio's own scripts are inline, and it compiles those of its components from text.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; connect-src 'self' data: blob:; font-src 'self' data:; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'"
)


class ServeError(ValueError):
    """The page cannot be served as asked; the text names host and port."""


def serve(
    model: str | None,
    host: str,
    port: int,
    network: Path | None = None,
    device: Literal["cpu", "cuda"] = "cpu",
    ready: Callable[[str], object] = lambda address: None,
) -> None:
    """Serve the page until the process is interrupted or terminated; `ready` is told its address when it is up.

    Raises:
        ServeError: the address cannot be listened at.
        PictureError: the device is not here.
        ModelError: the model cannot be loaded.
    """
    _check_free(host, port)
    try:
        require_device(device)
    except ValueError as error:
        raise PictureError(str(error)) from None
    pipeline = LayerDecompositionPipeline.from_pretrained(resolve(model or DEFAULT_MODEL)).to(device)
    with running(Service(pipeline, network, device), host, port) as address:
        ready(address)
        _wait()


@contextmanager
def running(service: Service, host: str, port: int) -> Iterator[str]:
    """Inside, the page is served at the address that is given; its files are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="layerloom-serve-") as folder, _environment(folder):
        blocks = page(service)
        try:
            _, address, _ = blocks.launch(
                server_name=host,
                server_port=port,
                prevent_thread_lock=True,
                share=False,
                inbrowser=False,
                quiet=True,
                ssr_mode=False,
                pwa=False,
                enable_monitoring=False,
                footer_links=["api"],
                max_file_size=MAX_FILE,
                theme=gr.themes.Default(primary_hue="blue", font=_FONTS, font_mono=_MONOSPACE),
                css=read("page.css"),
                app_kwargs={"middleware": [Middleware(_Guard)]},
            )
            yield address
        finally:
            blocks.close(verbose=False)


class _Guard:
    """Sends a Content-Security-Policy (W3C CSP Level 3): what a page shows and runs comes from here alone."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"content-security-policy", _POLICY.encode())]
            await send(message)

        await self._app(scope, receive, guarded)


@contextmanager
def _environment(folder: str) -> Iterator[None]:
    """Inside, Gradio keeps its files in `folder` and tells nobody that it runs."""
    given = {"GRADIO_TEMP_DIR": folder, "GRADIO_ANALYTICS_ENABLED": "False"}
    before = {name: os.environ.get(name) for name in given}
    os.environ.update(given)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _check_free(host: str, port: int) -> None:
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
    except (OSError, OverflowError) as error:
        raise ServeError(f"{host}, port {port}: cannot be listened at: {one_line(error)}") from None


def _wait() -> None:
    def end(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        Event().wait()
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)
