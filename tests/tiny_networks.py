"""Tiny ONNX networks whose output is known: a red thing on a grey ground is the object."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def save_red_finder(path: Path, side: int = 64) -> Path:
    """alpha = clip(3 (red - green) / 256, 0, 1) of a (1, 3, side, side) input of (rgb - 128) / 256."""
    weight = np.array([3, -3, 0], np.float32).reshape(1, 3, 1, 1)
    limits = [numpy_helper.from_array(np.array(v, np.float32), n) for v, n in ((0, "low"), (1, "high"))]
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["picture", "weight"], ["difference"]),
            helper.make_node("Clip", ["difference", "low", "high"], ["alpha"]),
        ],
        "red",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, side, side])],
        [helper.make_tensor_value_info("alpha", TensorProto.FLOAT, [1, 1, side, side])],
        [numpy_helper.from_array(weight, "weight"), *limits],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, path)
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
