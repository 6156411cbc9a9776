"""Networks that find the object of a photograph: any ONNX file, or a session of rembg by name.

All give an alpha that means the same for every picture: nothing is stretched to the picture's own extremes, so
that a picture without an object stays empty.
"""

from typing import Any, Literal, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.lazy import own_kernels
from stages.types import F32, U8

Device = Literal["cpu", "cuda"]

_SIDE = 1024  # of the input, where the network leaves it open
_SLACK = 0.25  # over- and undershoot of an alpha; logits go far beyond
_FLOATS = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
# Not one object in one picture: prompted, clothes by kind, or a file that OnnxMatter reads without rembg.
_NO_MATTERS = ("sam", "u2net_cloth_seg", "dis_custom", "ben_custom", "u2net_custom")


class Matter(Protocol):
    """Finds the object of a photograph: uint8 (h, w, 3) sRGB -> float32 (h, w) in [0, 1]."""

    def alpha(self, rgb: U8) -> F32: ...


class OnnxMatter:
    """An ONNX network with one input, (1, 3, h, w) = (rgb - 128) / 256, whose first output is alpha: IS-Net.

    The picture is stretched to the input's size (1024 where the graph leaves it open) and the alpha back.
    `threads` is for onnxruntime. Raises ValueError, naming the file, for what is no such network.
    """

    def __init__(self, path: str, *, device: Device = "cpu", threads: int = 1) -> None:
        self._path = path
        self._session = _session(path, device, threads)
        inputs, output = self._session.get_inputs(), self._session.get_outputs()[0]
        shapes = ", ".join(f"{i.name} {i.shape} {i.type}" for i in inputs)
        if len(inputs) != 1 or inputs[0].type not in _FLOATS or not _is_picture(inputs[0].shape):
            raise ValueError(f"{path}: its inputs are {shapes}; must be one float input of shape (1, 3, h, w)")
        self._input, self._output, self._type = inputs[0].name, output.name, _FLOATS[inputs[0].type]
        self._size = tuple(n if isinstance(n, int) else _SIDE for n in inputs[0].shape[2:])

    def alpha(self, rgb: U8) -> F32:
        """Alpha of one picture, see `Matter`. Raises ValueError if the network's output is none."""
        planes = (_resized(rgb, *self._size).astype(np.float32) - 128) / 256
        batch = np.ascontiguousarray(planes.transpose(2, 0, 1)[None], self._type)
        raw = np.asarray(self._session.run([self._output], {self._input: batch})[0], np.float32)
        plane = raw.squeeze()
        if plane.ndim != 2:
            raise ValueError(f"{self._path}: its first output has shape {raw.shape}, must be (1, 1, h, w)")
        low, high = float(plane.min()), float(plane.max())
        if not (low >= -_SLACK and high <= 1 + _SLACK):
            raise ValueError(f"{self._path}: its first output ranges from {low:g} to {high:g}, alpha from 0 to 1")
        return np.asarray(np.clip(_resized(plane, *rgb.shape[:2]), 0, 1), np.float32)


class RembgMatter:
    """A session of rembg by name; rembg downloads its network when it is first used.

    rembg stretches every mask to its own extremes; where the network ran once that is undone, up to the 8 bits
    of rembg's masks. Raises ValueError for a missing rembg and for sessions that are not local, or find no one
    object.
    """

    def __init__(self, name: str, *, device: Device = "cpu", threads: int = 1) -> None:
        if name not in rembg_names():
            raise ValueError(f"rembg has no session '{name}' that finds an object on this machine")
        from rembg import new_session

        self._session: Any = new_session(name, sess_opts=_options(threads), providers=_providers(name, device))
        self._session.inner_session = self._seen = _Recorder(self._session.inner_session)

    def alpha(self, rgb: U8) -> F32:
        """Alpha of one picture, see `Matter`."""
        from PIL import Image

        self._seen.outputs.clear()
        # An even output divides by its range, 0; its pixels are then all the network said.
        with np.errstate(invalid="ignore"):
            mask = np.asarray(self._session.predict(Image.fromarray(rgb))[0], np.float32) / 255
        low, high = self._range()
        return np.clip(low + mask * (high - low), 0, 1)

    def _range(self) -> tuple[float, float]:
        """What rembg mapped to 0 and 1."""
        if len(self._seen.outputs) != 1:
            return 0.0, 1.0
        raw = self._seen.outputs[0][:, 0].astype(np.float64)
        low, high = float(raw.min()), float(raw.max())
        if not hasattr(self._session, "sigmoid"):
            return low, high
        return float(1 / (1 + np.exp(-low))), float(1 / (1 + np.exp(-high)))


class _Recorder:
    """Stands before an onnxruntime session and keeps the first output of each run."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.outputs: list[NDArray[np.float32]] = []

    def run(self, *args: Any, **kwargs: Any) -> Any:
        out = self._session.run(*args, **kwargs)
        self.outputs.append(out[0])
        return out

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


def rembg_names() -> list[str]:
    """Names of the rembg sessions that find an object on this machine; ValueError if rembg is not installed."""
    try:
        with own_kernels():  # it imports pymatting
            from rembg.sessions import sessions
    except ImportError:
        raise ValueError("rembg is not installed: pip install 'layerloom[rembg]'") from None
    return sorted(n for n, kind in sessions.items() if n not in _NO_MATTERS and kind.is_local())


def _session(path: str, device: Device, threads: int) -> Any:
    import onnxruntime as ort

    providers = _providers(path, device)
    try:
        return ort.InferenceSession(path, _options(threads), providers=providers)
    except Exception as error:  # onnxruntime's own classes share no base but this
        raise ValueError(f"{path}: onnxruntime cannot load it: {error}") from error


def _options(threads: int) -> Any:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = threads
    options.log_severity_level = 3  # errors; the rest goes to stderr, past every log
    return options


def _providers(what: str, device: Device) -> list[str]:
    import onnxruntime as ort

    there = ort.get_available_providers()
    if device == "cuda" and "CUDAExecutionProvider" not in there:
        raise ValueError(f"{what}: device 'cuda' needs onnxruntime-gpu; this onnxruntime has {', '.join(there)}")
    return ["CUDAExecutionProvider", "CPUExecutionProvider"] if device == "cuda" else ["CPUExecutionProvider"]


def _is_picture(shape: list[int | str | None]) -> bool:
    # A dimension that the graph leaves open is a name or None.
    open_or = [not isinstance(n, int) or n == wanted for n, wanted in zip(shape, (1, 3), strict=False)]
    return len(shape) == 4 and all(open_or)


def _resized(picture: Any, height: int, width: int) -> Any:
    """Area-averaged along an axis that shrinks, linear along one that grows."""
    for size in ((width, picture.shape[0]), (width, height)):
        shrinks = size[0] < picture.shape[1] or size[1] < picture.shape[0]
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return picture
