"""OpenRaster by its specification, read with zipfile and PIL; Photoshop files, read with psd-tools and PIL."""

import io
import struct
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from pipeline.exports import export, layers, ora
from pipeline.shards import ShardError

NAMES = ["background", "background under the occluder's edge", "shadow", "object", "occluder", "mask"]


def opened(archive: zipfile.ZipFile, name: str) -> Image.Image:
    return Image.open(io.BytesIO(archive.read(name)))


def ora_stack(archive: zipfile.ZipFile) -> list[tuple[ET.Element, np.ndarray]]:
    """The layers from the lowest up, each on the canvas."""
    image = ET.fromstring(archive.read("stack.xml"))
    assert image.tag == "image"
    (stack,) = image
    found = []
    for layer in reversed(stack):
        assert layer.get("composite-op", "svg:src-over") == "svg:src-over"
        assert float(layer.get("opacity", "1")) == 1.0
        canvas = Image.new("RGBA", (int(image.get("w")), int(image.get("h"))))
        canvas.paste(opened(archive, layer.get("src")), (int(layer.get("x", 0)), int(layer.get("y", 0))))
        found.append((layer, np.asarray(canvas)))
    return found


def test_ora_is_laid_out_as_specified(exported: Callable, stored: list) -> None:
    root = exported("ora")
    for sample in stored:
        path = root / f"{sample.row['key']}.ora"
        raw = path.read_bytes()
        name_length, extra_length = struct.unpack("<HH", raw[26:30])
        assert raw[30:54] == b"mimetypeimage/openraster"  # where `file` looks for it
        assert (name_length, extra_length) == (8, 0)
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            first, *rest = archive.infolist()
            assert first.compress_type == zipfile.ZIP_STORED
            assert {i.compress_type for i in rest} <= {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
            stack = ora_stack(archive)
            used = {layer.get("src") for layer, _ in stack}
            assert {i.filename for i in rest} == used | {"stack.xml", "mergedimage.png", "Thumbnails/thumbnail.png"}
            assert archive.read("mergedimage.png") == sample.members["composite.png"]
            assert opened(archive, "Thumbnails/thumbnail.png").size == (128, 128)


def test_ora_s_layers_are_the_stored_ones_and_show_the_composite(
    exported: Callable, stored: list, over: Callable
) -> None:
    root = exported("ora")
    for sample in stored:
        with zipfile.ZipFile(root / f"{sample.row['key']}.ora") as archive:
            stack = ora_stack(archive)
        check(sample, [(e.get("name"), e.get("visibility") == "visible", pixels) for e, pixels in stack], over)


def check(sample: object, stack: list[tuple[str, bool, np.ndarray]], over: Callable) -> None:
    """Names in order, stored values, hidden mask, and the composite within one level, also with PIL's rounding."""
    assert [name for name, _, _ in stack] == [n for n in NAMES if n != NAMES[1] or sample.front_edge.any()]
    by_name = {name: pixels for name, _, pixels in stack}
    assert np.array_equal(by_name["background"][..., :3], sample.pixels("background"))
    assert np.array_equal(by_name["shadow"][..., 3], sample.pixels("shadow"))
    assert np.array_equal(by_name["object"], sample.pixels("foreground"))
    assert np.array_equal(by_name["occluder"], sample.pixels("occluder"))
    assert np.array_equal(by_name["mask"][..., 3], sample.pixels("mask"))
    assert [name for name, visible, _ in stack if not visible] == ["mask"]
    shown = [pixels for _, visible, pixels in stack if visible]
    composite = sample.pixels("composite").astype(np.float64)
    assert np.abs(over(shown) - composite).max() <= 1
    flat = Image.fromarray(shown[0])
    for pixels in shown[1:]:
        flat.alpha_composite(Image.fromarray(pixels))
    assert np.abs(np.asarray(flat)[..., :3] - composite).max() <= 2


def test_without_the_edge_layer_the_front_would_count_twice(stored: list, over: Callable) -> None:
    sample = next(s for s in stored if s.row["occluded"])
    plain = [
        layers.opaque(sample.pixels("background")),
        layers.tinted(sample.pixels("shadow"), 0),
        sample.pixels("foreground"),
        sample.pixels("occluder"),
    ]
    error = np.abs(over(plain) - sample.pixels("composite")).max(axis=2)
    assert error[sample.front_edge].max() > 8
    assert error[~sample.front_edge].max() <= 1


def test_edge_is_what_was_there_before_the_front() -> None:
    rng = np.random.default_rng(3)
    behind = rng.integers(0, 256, (64, 64, 3))
    front = rng.integers(0, 256, (64, 64, 4))
    front[:8, :, 3], front[8:16, :, 3], front[16:, :, 3] = 0, 255, rng.integers(1, 128, (48, 64))
    alpha = front[..., 3:] / 255
    background = np.rint(alpha * front[..., :3] + (1 - alpha) * behind).astype(np.uint8)
    edge = layers.behind_edge(background, front.astype(np.uint8))
    assert not edge[:16].any()
    assert (edge[16:, :, 3] == 255).all()
    assert np.abs(edge[16:, :, :3].astype(int) - behind[16:]).max() <= 1  # half a level over 1 - a >= 0.5


@pytest.mark.parametrize(("shape", "size"), [((128, 128), (128, 128)), ((512, 1024), (128, 256)), ((900, 3), (256, 1))])
def test_thumbnail_is_at_most_256_and_never_enlarged(shape: tuple, size: tuple) -> None:
    assert ora.thumbnail(np.zeros((*shape, 3), np.uint8)).shape == (*size, 3)


def test_psd_opens_with_the_stored_layers(exported: Callable, stored: list, over: Callable) -> None:
    psd_tools = pytest.importorskip("psd_tools")
    root = exported("psd")
    for sample in stored:
        path = root / f"{sample.row['key']}.psd"
        document = psd_tools.PSDImage.open(path)
        assert (document.color_mode.name, document.depth, document.size) == ("RGB", 8, (128, 128))
        assert not any(layer.has_mask() for layer in document)
        check(sample, [(la.name, la.visible, np.asarray(la.topil().convert("RGBA"))) for la in document], over)
        with Image.open(path) as merged:
            assert (merged.format, merged.mode, len(merged.layers)) == ("PSD", "RGB", len(list(document)))
            assert np.abs(np.asarray(merged).astype(int) - sample.pixels("composite")).max() <= 1


def test_psd_says_which_library_is_missing(
    small_build: Path, tmp_path: Path, count: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psd_tools", None)
    with pytest.raises(ShardError, match=r"psd-tools: pip install 'layerloom\[psd\]'"):
        export(small_build, tmp_path / "x", "psd", "train", 1, count)
