"""Tiny ONNX networks whose output is known: a sum of the planes; a red thing on a grey ground is the object."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

MEAN_WEIGHTS = np.float32([0.5, 0.25, 0.25])


def save_network(
    path: Path,
    shape=(1, 3, 64, 64),
    bias=0.5,
    gain=1.0,
    kind=TensorProto.FLOAT,
    clip=True,
    out=None,
    weights=MEAN_WEIGHTS,
):
    """alpha = clip(gain * (weighted sum of the planes) + bias): a 1 x 1 convolution; the path of the ONNX file."""
    number = np.float16 if kind == TensorProto.FLOAT16 else np.float32
    kernel = numpy_helper.from_array((gain * weights).reshape(1, 3, 1, 1).astype(number), "weights")
    offset = numpy_helper.from_array(np.array([bias], number), "offset")
    ends = [numpy_helper.from_array(np.array(v, number), n) for n, v in (("low", 0), ("high", 1))]
    nodes = [helper.make_node("Conv", ["picture", "weights", "offset"], ["raw"])]
    nodes += [helper.make_node("Clip", ["raw", "low", "high"], ["alpha"])] if clip else []
    name = "alpha" if clip else "raw"
    given = helper.make_tensor_value_info("picture", kind, shape)
    made = helper.make_tensor_value_info(name, kind, out or (shape[0], 1, *shape[2:]))
    graph = helper.make_graph(nodes, "tiny", [given], [made], [kernel, offset, *ends])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, path)
    return str(path)


def save_red_finder(path: Path, side: int = 64) -> Path:
    """alpha = clip(3 (red - green) / 256, 0, 1) of a (1, 3, side, side) input of (rgb - 128) / 256."""
    save_network(path, (1, 3, side, side), bias=0.0, weights=np.float32([3, -3, 0]))
    return path


def red_thing(height: int, width: int, box: tuple[int, int, int, int], seed: int = 0) -> np.ndarray:
    """A photograph (h, w, 3) uint8: grey noise, and a red ellipse in `box` (top, left, bottom, right)."""
    rng = np.random.default_rng([seed, height, width])
    rgb = rng.normal(130, 6, (height, width, 1)).repeat(3, axis=2) + rng.normal(0, 1, (height, width, 3))
    top, left, bottom, right = box
    y, x = np.mgrid[0:height, 0:width]
    inside = ((y - (top + bottom - 1) / 2) / ((bottom - top) / 2)) ** 2 + (
        (x - (left + right - 1) / 2) / ((right - left) / 2)
    ) ** 2 <= 1
    tone = rng.normal(0, 10, (height, width)) + 25 * np.sin(x / 5 + seed)
    rgb[inside] = np.array([205, 40, 45]) + tone[inside, None] * np.array([1, 0.6, 0.5])
    return np.rint(np.clip(rgb, 0, 255)).astype(np.uint8)
