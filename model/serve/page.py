"""The page: what is given on the left, the layers and the canvas to drag on on the right, and the endpoint `decompose`.

Files come as bytes and are read by our own decoder; layers go out as the PNG files of `stages.codec`.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache

from model.decompose import LayersOutput
from model.estimate import default_size, default_steps
from model.pictures import PictureError
from model.serve.service import Choices, Service, decode_mask, decode_picture, painted_mask, to_paint_on
from stages.codec import encode_png

FORGET = (600, 3600)  # seconds: how often files are looked through, and how old they become
_FORMATS = [".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff"]
_LONGEST = 1024  # side, in pixels, of what one paints on
_HERE = Path(__file__).parent
_ABOUT = """# layerloom
Take a picture apart: the object as a layer with its alpha, and the scene without it."""


def page(service: Service) -> gr.Blocks:
    """The app, not yet running. It asks nothing of the network."""
    blocks = gr.Blocks(title="layerloom", analytics_enabled=False, delete_cache=FORGET)
    with blocks:
        gr.Markdown(_ABOUT)
        with gr.Row(equal_height=False):
            with gr.Column():
                picture = _file("Picture", "picture")
                editor = _editor()
                with gr.Accordion("Options", open=False):
                    mask, choices = _options(service)
                go = gr.Button("Take apart", variant="primary", elem_id="go")
            with gr.Column():
                stage = gr.HTML(
                    html_template=read("stage.html"),
                    css_template=read("stage.css"),
                    js_on_load=read("stage.js"),
                    apply_default_css=False,
                    elem_id="stage",
                )
                with gr.Row():
                    foreground, background = _layer("Foreground", "chequer"), _layer("Background", "background")
        endpoint = gr.Button(visible=False)

        layers = [foreground, background]
        picture.change(_fresh, picture, [editor, *layers, stage], api_visibility="private", show_progress="hidden")
        made = go.click(
            functools.partial(_from_page, service),
            [picture, editor, mask, *choices],
            layers,
            api_visibility="private",
            concurrency_id="model",
        )
        made.success(None, layers, stage, js=_ADDRESSES, api_visibility="private")
        endpoint.click(
            _endpoint(service),
            [picture, mask, *choices],
            layers,
            api_name="decompose",
            concurrency_id="model",
            api_description="Foreground (RGBA PNG) and background (PNG) of a picture; a mask, white on the object, of "
            "the same size says which object, else IS-Net finds it.",
        )
    return blocks


def read(name: str) -> str:
    """Text of a file of this package."""
    return (_HERE / name).read_text(encoding="utf-8")


_ADDRESSES = "(foreground, background) => JSON.stringify([foreground.url, background.url])"


def _editor() -> gr.ImageEditor:
    return gr.ImageEditor(
        label="Paint the object",
        type="numpy",
        sources=(),
        transforms=(),
        layers=False,
        brush=gr.Brush(default_size=32, colors=[("#ff0080", 0.6)], color_mode="fixed"),
        height=420,
        buttons=[],
        visible=False,
        elem_id="editor",
    )


def _options(service: Service) -> tuple[gr.File, list[Any]]:
    """The mask's file, and components in the order of `Choices`."""
    spec = service.pipeline.layers.spec
    mask = _file("Or a mask: white on the object", "mask")
    with gr.Row():
        steps = gr.Number(default_steps(spec), label="Steps", info="Of the sampler.", precision=0)
        seed = gr.Number(0, label="Seed", info="Of its noise.", precision=0)
        size = gr.Number(default_size(spec), label="Size", info="Pixels a side, about.", precision=0)
    detail = gr.Checkbox(True, label="Detail", info="Take edges and visible detail from the picture.")
    paste_back = gr.Checkbox(False, label="Paste back", info="Keep the picture's own pixels away from the mask.")
    return mask, [steps, seed, size, detail, paste_back]


def _file(label: str, name: str) -> gr.File:
    return gr.File(label=label, file_types=_FORMATS, type="binary", height=128, elem_id=name)


def _layer(label: str, name: str) -> gr.Image:
    buttons: list[Any] = ["download", "fullscreen"]
    return gr.Image(label=label, type="filepath", format="png", interactive=False, buttons=buttons, elem_id=name)


def _fresh(picture: bytes | None) -> tuple[dict[str, Any], None, None, None]:
    """The editor with another picture, or hidden where there is none, and no layers."""
    with _told():
        shown = None if picture is None else to_paint_on(decode_picture(picture), _LONGEST)
    return gr.update(value=shown, visible=shown is not None), None, None, None


def _from_page(
    service: Service, picture: bytes | None, editor: dict[str, Any] | None, mask: bytes | None, *choices: Any
) -> tuple[str, str]:
    with _told():
        pixels = decode_picture(picture)
        marked = painted_mask(editor["layers"], pixels) if editor else None
        if marked is None and mask is not None:
            marked = decode_mask(mask, pixels)
        return _files(service.decompose(pixels, marked, Choices(*choices)))


def _endpoint(service: Service) -> Callable[..., tuple[str, str]]:
    def decompose(
        picture: bytes | None,
        mask: bytes | None,
        steps: int | None,
        seed: int | None,
        size: int | None,
        detail: bool,
        paste_back: bool,
    ) -> tuple[str, str]:
        with _told():
            pixels = decode_picture(picture)
            marked = None if mask is None else decode_mask(mask, pixels)
            return _files(service.decompose(pixels, marked, Choices(steps, seed, size, detail, paste_back)))

    return decompose


def _files(made: LayersOutput) -> tuple[str, str]:
    """Both layers as PNG files where Gradio keeps, and in the end forgets, what it shows."""
    cache = gr.utils.get_upload_folder()
    named = {"foreground.png": made.foreground, "background.png": made.background}
    foreground, background = (save_bytes_to_cache(encode_png(pixels), name, cache) for name, pixels in named.items())
    return foreground, background


@contextmanager
def _told() -> Iterator[None]:
    """What is wrong for a user to mend becomes a message on the page, which takes it for HTML."""
    try:
        yield
    except PictureError as error:
        raise gr.Error(escape(str(error), quote=False), print_exception=False) from None
