"""`layerloom serve`, a process of its own: its endpoint, its page in headless Chromium, and what it refuses."""

import base64
import io
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import gradio_client
import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from model.__main__ import MissingError, app, errors
from model.commands.matting import find_object
from model.config import ROOT
from model.decompose import LayerDecompositionPipeline, recompose
from model.pictures import PictureError
from model.serve.launch import ServeError
from model.serve.service import MAX_PIXELS, Choices, Service, decode_mask, painted_mask, to_paint_on
from stages.codec import decode_png, encode_png
from tests.assets import ground_and_cutout
from tests.tiny_networks import red_thing, save_red_finder

# Runs the command, and writes down every address that its process connects to or looks up.
COMMAND = """
import sys
log = open(sys.argv.pop(1), "a", buffering=1)
def hook(event, args):
    if event in ("socket.connect", "socket.getaddrinfo"):
        print(args[0] if event == "socket.getaddrinfo" else args[1], file=log)
sys.addaudithook(hook)
from layerloom import main
main()
"""


class Server(NamedTuple):
    address: str
    folder: Path  # where it may keep files
    asked: Path  # the addresses that it connected to
    log: Path  # what it said


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """As the server. Anew for each test: numba's kernels set OpenMP's number for the thread that calls them."""
    torch.set_num_threads(1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The command with the shipped model; a network that finds what is red stands for IS-Net."""
    home = tmp_path_factory.mktemp("serve")
    network, port = save_red_finder(home / "finder.onnx"), free_port()
    made = Server(f"http://127.0.0.1:{port}", home / "tmp", home / "asked.txt", home / "log.txt")
    made.folder.mkdir()
    arguments = ["serve", "--port", str(port), "--matte-model", str(network)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(made.folder)}
    with made.log.open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, str(made.asked), *arguments],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        for _ in range(600):
            if made.address in made.log.read_text() or process.poll() is not None:
                break
            time.sleep(0.1)
        assert process.poll() is None, made.log.read_text()
        yield made
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
    assert list(made.folder.glob("layerloom-serve-*")) == []
    assert [path for path in made.folder.rglob("*") if path.suffix == ".png"] == []


@pytest.fixture(scope="module")
def client(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return gradio_client.Client(
        server.address, verbose=False, download_files=str(tmp_path_factory.mktemp("answers")), analytics_enabled=False
    )


@pytest.fixture(scope="module")
def pipe() -> LayerDecompositionPipeline:
    return LayerDecompositionPipeline.from_pretrained(ROOT / "weights" / "nano-adapt")


@pytest.fixture(scope="module")
def scene() -> tuple[np.ndarray, np.ndarray]:
    """A cut-out on a photograph of 250 x 190, and its mask."""
    ground, canvas = ground_and_cutout()
    return recompose(canvas, ground), canvas[..., 3] > 127


@pytest.fixture(scope="module")
def files(scene: tuple[np.ndarray, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("given")
    for name, pixels in (("photo.png", scene[0]), ("mask.png", np.where(scene[1], np.uint8(255), np.uint8(0)))):
        (folder / name).write_bytes(encode_png(pixels))
    return folder / "photo.png", folder / "mask.png"


PLAIN: dict[str, Any] = {"steps": None, "seed": None, "size": None, "detail": True, "paste_back": False}


def ask(client: Any, picture: Path | None, mask: Path | None, **choices: Any) -> tuple[bytes, bytes]:
    """The files that come back for foreground and background."""
    given = [None if path is None else gradio_client.handle_file(path) for path in (picture, mask)]
    answer = client.predict(*given, **(PLAIN | choices), api_name="/decompose")
    foreground, background = (Path(path).read_bytes() for path in answer)
    return foreground, background


@pytest.mark.parametrize("choices", [{}, {"steps": 3, "seed": 5, "size": 48, "detail": False, "paste_back": True}])
def test_the_endpoint_gives_the_pipeline_s_layers(client, pipe, scene, files, choices: dict[str, Any]) -> None:
    expected = pipe(*scene, **choices)
    foreground, background = ask(client, *files, **choices)
    assert (decode_png(foreground) == expected.foreground).all()
    assert (decode_png(background) == expected.background).all()
    assert (foreground, background) == (encode_png(expected.foreground), encode_png(expected.background))
    alpha = expected.foreground[..., 3]
    assert ((alpha > 0) & (alpha < 255)).any()


def test_without_a_mask_the_network_marks_the_object(client, pipe, tmp_path: Path) -> None:
    image = red_thing(96, 128, (20, 30, 80, 90))
    (tmp_path / "red.png").write_bytes(encode_png(image))
    marked = find_object(image, save_red_finder(tmp_path / "finder.onnx"), "cpu", "red")
    assert ask(client, tmp_path / "red.png", None)[0] == encode_png(pipe(image, marked).foreground)


def test_there_is_one_endpoint(client) -> None:
    named = client.view_api(return_format="dict")["named_endpoints"]
    assert list(named) == ["/decompose"]
    parameters = [p["parameter_name"] for p in named["/decompose"]["parameters"]]
    assert parameters == ["picture", "mask", "steps", "seed", "size", "detail", "paste_back"]


def _png(*size: int, value: int = 0) -> bytes:
    buffer = io.BytesIO()
    Image.new("1", size, value).save(buffer, "PNG")
    return buffer.getvalue()


HUGE = _png(6000, 5000)
REFUSED: list[tuple[bytes | None, bytes | None, str]] = [
    (None, None, "picture: none given; choose one"),
    (b"", None, "picture: none given; choose one"),
    (
        b"<b>words</b>",
        None,
        "picture: not one of PNG, JPEG, WEBP, GIF, BMP, TIFF; the file starts with b'&lt;b&gt;w",
    ),
    (HUGE, None, f"picture: 6000 x 5000 = 30000000 pixels, must be at most {MAX_PIXELS}"),
    (_png(8, 8), None, "picture: 8 x 8 pixels, each side must be at least 16"),
    (_png(40, 30), None, "picture: the matting network finds no object; mark the object with a mask"),
    (_png(40, 30), _png(40, 31, value=1), "mask: 40 x 31 pixels, but picture has 40 x 30; must be equal"),
    (_png(40, 30), _png(40, 30), "mask: marks nothing; the object's pixels must be brighter than 127 of 255"),
    (
        _png(40, 30),
        _png(40, 30, value=1),
        "mask: marks the whole picture; pixels that are not the object's must be",
    ),
    (_png(40, 30), HUGE, "mask: 6000 x 5000 = 30000000 pixels"),
    (_png(40, 30), b"words", "mask: not one of PNG"),
    (_png(40, 30), b"", "mask: the file is empty (0 bytes)"),
]


@pytest.mark.parametrize(("picture", "mask", "text"), REFUSED, ids=range(len(REFUSED)))
def test_what_cannot_be_used_is_told(client, server, tmp_path: Path, picture, mask, text: str) -> None:
    given: list[Path | None] = []
    for name, data in (("picture.png", picture), ("mask.png", mask)):
        if data is not None:
            (tmp_path / name).write_bytes(data)
        given.append(None if data is None else tmp_path / name)
    with pytest.raises(gradio_client.exceptions.AppError) as error:
        ask(client, *given)
    assert str(error.value).startswith(text)
    assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize(
    ("choices", "text"),
    [
        ({"steps": 0}, "steps: must be 1 to 1000, is 0"),
        ({"size": 5000}, "size: must be 8 to 4096, is 5000"),
        ({"seed": -1}, "seed: must be 0 to 4294967295, is -1"),
    ],
)
def test_unfit_choices_are_told(client, server, files, choices: dict[str, Any], text: str) -> None:
    with pytest.raises(gradio_client.exceptions.AppError) as error:
        ask(client, *files, **choices)
    assert str(error.value) == text
    assert "Traceback" not in server.log.read_text()


def test_the_page_and_its_parts_come_from_the_server(server: Server) -> None:
    with urllib.request.urlopen(server.address) as answer:
        html, policy = answer.read().decode(), answer.headers["Content-Security-Policy"]
    loaded = re.findall(r"""(?:\ssrc|<link[^>]*\shref)=["']([^"']+)|url\(["']?([^"')]+)""", html)
    assert len(loaded) >= 3
    assert [a or b for a, b in loaded if re.match(r"(?:https?:)?//", a or b)] == []
    assert "fonts.g" not in html
    assert "http" not in policy
    assert "default-src 'self';" in policy


@pytest.fixture
def visit(chromium: Any, server: Server) -> Iterator[Callable[..., Any]]:
    """Opens the page; at the end nothing was asked of another address and no script failed."""
    contexts, asked, failed = [], [], []

    def visit(width: int = 1280) -> Any:
        contexts.append(chromium.new_context(viewport={"width": width, "height": 900}))
        page = contexts[-1].new_page()
        page.set_default_timeout(60_000)
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: failed.append(str(error)))
        page.on("console", lambda message: failed.append(message.text) if message.type == "error" else None)
        page.goto(server.address)
        page.wait_for_selector("#go")
        return page

    yield visit
    for context in contexts:
        context.close()
    assert len(asked) > 10
    assert [url for url in asked if not url.startswith((server.address, "data:", "blob:"))] == []
    assert failed == []


def take_apart(page: Any) -> None:
    page.click("#go")
    page.wait_for_selector("#stage .stage[data-state=ready]")


def canvas(page: Any) -> np.ndarray:
    """Pixels, (h, w, 3), of the canvas, which is opaque."""
    data = page.locator("#stage canvas").evaluate("(e) => e.toDataURL('image/png').split(',')[1]")
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGBA"))
    assert (pixels[..., 3] == 255).all()
    return pixels[..., :3]


def composed(foreground: np.ndarray, background: np.ndarray, dx: int = 0, dy: int = 0) -> np.ndarray:
    """Straight alpha over, rounded to nearest, with the object `dx`, `dy` pixels to the right and down."""
    height, width = background.shape[:2]
    moved = np.zeros((height, width, 4), np.int64)
    ys, xs = np.nonzero(foreground[..., 3])
    inside = (ys + dy >= 0) & (ys + dy < height) & (xs + dx >= 0) & (xs + dx < width)
    moved[ys[inside] + dy, xs[inside] + dx] = foreground[ys[inside], xs[inside]]
    a = moved[..., 3:]
    return (2 * (a * moved[..., :3] + (255 - a) * background) + 255) // 510


def downloaded(page: Any, button: str) -> bytes:
    with page.expect_download() as download:
        page.click(button)
    return Path(download.value.path()).read_bytes()


def test_dragging_recomposes(visit, pipe, scene, files) -> None:
    expected = pipe(*scene, steps=2, paste_back=True)
    page = visit()
    page.set_input_files("#picture input[type=file]", files[0])
    page.wait_for_selector("#editor canvas")
    page.click("text=Options")
    page.set_input_files("#mask input[type=file]", files[1])
    page.wait_for_selector("#mask :text('mask.png')")
    page.get_by_label("Steps").fill("2")
    page.get_by_label("Paste back").check()
    take_apart(page)
    assert np.array_equal(canvas(page), expected.recomposed)
    assert downloaded(page, "#chequer [aria-label=Download]") == encode_png(expected.foreground)
    assert downloaded(page, "#background [aria-label=Download]") == encode_png(expected.background)

    stage = page.locator("#stage canvas")
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    scale = box["width"] / 250
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 3 * scale, y + scale)
    stage.dispatch_event("pointerdown", {"isPrimary": False, "pointerId": 77, "clientX": 0, "clientY": 0})
    page.mouse.move(x + 31 * scale, y - 12 * scale)
    page.wait_for_selector("#stage canvas[data-dx='31'][data-dy='-12']")
    assert np.array_equal(canvas(page), composed(expected.foreground, expected.background, 31, -12))
    page.mouse.up()
    page.mouse.move(x, y)
    assert page.inner_text("#stage output") == "moved +31, −12 px"
    saved = np.asarray(Image.open(io.BytesIO(downloaded(page, "#stage .save"))).convert("RGB"))
    assert np.array_equal(saved, canvas(page))
    stage.focus()
    for key in ("Shift+ArrowRight", "ArrowLeft", "ArrowDown"):
        page.keyboard.press(key)
    assert np.array_equal(canvas(page), composed(expected.foreground, expected.background, 40, -11))
    for _ in range(25):
        page.keyboard.press("Shift+ArrowLeft")
    dx = int(stage.get_attribute("data-dx"))
    assert -210 < dx < -100  # a part of its box stays
    assert np.array_equal(canvas(page), composed(expected.foreground, expected.background, dx, -11))
    page.click("#stage .home")
    assert np.array_equal(canvas(page), expected.recomposed)


def test_a_painted_mask_and_then_no_picture(visit, files) -> None:
    page = visit(390)
    assert page.locator("#editor canvas").count() == 0
    page.set_input_files("#picture input[type=file]", files[0])
    page.wait_for_selector("#editor canvas")
    page.wait_for_timeout(1500)  # the editor fits the picture in, and does not say when it has
    box = page.locator("#editor .pixi-target canvas").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x - 30, y)
    page.mouse.down()
    page.mouse.move(x + 30, y, steps=8)
    page.mouse.up()
    page.wait_for_timeout(300)
    take_apart(page)
    foreground = decode_png(downloaded(page, "#chequer [aria-label=Download]"))
    background = decode_png(downloaded(page, "#background [aria-label=Download]"))
    assert foreground.shape == (190, 250, 4)
    assert foreground[90:100, 120:130, 3].mean() > 100
    assert foreground[:10, ..., 3].max() == 0
    assert np.array_equal(canvas(page), composed(foreground, background))
    page.click("#picture [aria-label=Clear]")
    page.wait_for_selector("#stage .stage[data-state=empty]", state="attached")
    page.wait_for_selector("#editor canvas", state="detached")


def test_the_page_tells_what_is_wrong_in_a_message(visit, server, tmp_path: Path) -> None:
    (tmp_path / "huge.png").write_bytes(HUGE)
    page = visit()
    page.click("#go")
    page.wait_for_selector(".toast-body :text('picture: none given; choose one')")
    page.set_input_files("#picture input[type=file]", tmp_path / "huge.png")
    page.wait_for_selector(f".toast-body :text('30000000 pixels, must be at most {MAX_PIXELS}')")
    assert page.locator("#editor canvas").count() == 0
    assert "Traceback" not in server.log.read_text()


def test_nothing_but_this_machine_was_asked(server: Server, client) -> None:
    asked = server.asked.read_text().splitlines()
    assert asked
    assert [line for line in asked if "127.0.0.1" not in line and "localhost" not in line] == []


def test_strokes_become_a_mask_of_the_picture_s_size() -> None:
    picture = np.zeros((60, 90, 3), np.uint8)
    strokes = np.zeros((20, 30, 4), np.uint8)
    assert painted_mask([], picture) is None
    assert painted_mask([strokes], picture) is None
    strokes[5:10, 10:20, 3] = 153
    other = np.zeros((60, 90, 4), np.uint8)
    other[50:55, 5:8, 3] = 255
    marked = painted_mask([strokes, other], picture)
    assert marked is not None
    assert marked.shape == (60, 90)
    assert marked[16:29, 31:59].all()
    assert marked[50:55, 5:8].all()
    assert marked.sum() == pytest.approx(450 + 15, rel=0.15)
    with pytest.raises(PictureError, match=r"^mask: marks the whole picture"):
        painted_mask([np.full((20, 30, 4), 255, np.uint8)], picture)


def test_a_large_picture_is_painted_on_in_small() -> None:
    assert to_paint_on(np.zeros((300, 900, 3), np.uint8), 90).shape == (30, 90, 3)
    assert to_paint_on(np.zeros((30, 90, 3), np.uint8), 90).shape == (30, 90, 3)
    assert to_paint_on(np.zeros((16, 9000, 3), np.uint8), 90).shape == (1, 90, 3)


def test_a_mask_s_transparent_pixels_mark_nothing() -> None:
    rgba = np.full((20, 30, 4), 255, np.uint8)
    rgba[:, :10, 3] = 0
    rgba[:, 25:, :3] = 100
    marked = decode_mask(encode_png(rgba), np.zeros((20, 30, 3), np.uint8))
    assert marked[:, 10:25].all()
    assert marked.sum() == 20 * 15


def test_callers_at_the_same_time_get_what_they_would_alone(pipe, scene) -> None:
    service, choices = Service(pipe), [Choices(steps=4, seed=seed) for seed in range(4)]
    alone = [pipe(*scene, steps=4, seed=seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda choice: service.decompose(*scene, choice), choices))
    for one, other in zip(alone, together, strict=True):
        assert [int(np.abs(a.astype(int) - b).max()) for a, b in zip(one, other, strict=True)] == [0, 0, 0]


def test_without_a_network_a_mask_is_asked_for(pipe, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LAYERLOOM_CACHE", str(tmp_path))
    with pytest.raises(PictureError, match=r"^mask: none given; paint over the object, or upload one .*`make data`"):
        Service(pipe).decompose(np.zeros((20, 30, 3), np.uint8), None, Choices())


def test_an_address_that_is_taken_or_none_is_told(server: Server) -> None:
    port = server.address.rsplit(":", 1)[1]
    for arguments, place in (
        (["--port", port], f"127.0.0.1, port {port}"),
        (["--host", "300.1.1.1"], "300.1.1.1, port"),
    ):
        result = CliRunner().invoke(app, ["serve", *arguments])
        assert isinstance(result.exception, ServeError)
        assert isinstance(result.exception, errors())
        assert str(result.exception).startswith(f"{place}")
        assert "cannot be listened at: " in str(result.exception)


def test_gradio_is_asked_for_where_it_is_missing(monkeypatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "gradio" or name.startswith("model.serve.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "gradio", None)
    result = CliRunner().invoke(app, ["serve"])
    assert isinstance(result.exception, MissingError)
    assert str(result.exception) == "gradio is not installed; pip install 'layerloom[serve]'"
