"""What the globals of a pickle stand for while it is read: inert classes that check what they are given.

A pickle can call a global, set state on what came of it, and set attributes on the global itself; so each is a
class whose `__new__` is the call and whose `__setstate__` leaves nothing to set by accident.
"""

import re
from typing import Any

import numpy as np

_DTYPE = re.compile(r"[<>|=]?(b1|i[1248]|u[1248]|f[248]|[SU][0-9]{1,5})")
_CHANNELS = {"1": 1, "L": 1, "RGB": 3, "RGBA": 4}


class UnsafeError(Exception):
    """The pickle wants something that data do not need; the text says what."""


class _Inert:
    __slots__ = ()

    def __setstate__(self, state: object) -> None:
        raise ValueError(f"a state for {type(self).__name__}")


class _NDArray(_Inert):
    """`numpy.ndarray`, only ever named as an argument."""

    __slots__ = ()

    def __new__(cls, *arguments: object) -> "_NDArray":
        raise ValueError("numpy.ndarray called")


class _DType(_Inert):
    """`numpy.dtype`: made from a type code, then told its byte order by a state."""

    __slots__ = ("_code", "_order")
    _code: str
    _order: str

    def __new__(cls, code: object, align: object = False, copy: object = False) -> "_DType":
        if not isinstance(code, str) or not _DTYPE.fullmatch(code):
            raise UnsafeError(f"the dtype {str(code)[:40]!r}")
        made = super().__new__(cls)
        made._code, made._order = code.lstrip("<>|="), ""
        return made

    def __setstate__(self, state: object) -> None:
        # (version, byte order, subarray, names, fields, item size, alignment, flags): the order alone counts here
        if not isinstance(state, tuple) or len(state) != 8:
            raise ValueError("a state for numpy.dtype that is not 8 values")
        if state[1] not in ("<", ">", "|", "="):
            raise ValueError(f"byte order {state[1]!r}")
        self._order = state[1]

    def numpy(self) -> np.dtype[Any]:
        return np.dtype(self._order + self._code)


class _Array(_Inert):
    """An array under way: empty until its state comes."""

    __slots__ = ("value",)
    value: np.ndarray[Any, Any]

    def __setstate__(self, state: object) -> None:
        # (version, shape, dtype, whether Fortran order, bytes); a list for the bytes means Python objects
        if not isinstance(state, tuple) or len(state) != 5:
            raise ValueError("a state for numpy.ndarray that is not 5 values")
        _, shape, dtype, fortran, data = state
        self.value = _array(data, dtype, shape, "F" if fortran else "C")


class _Reconstruct(_Inert):
    """`numpy._core.multiarray._reconstruct`, which makes an empty array for a state to fill."""

    __slots__ = ()

    def __new__(cls, subtype: object, shape: object, code: object) -> "_Array":  # type: ignore[misc]
        if subtype is not _NDArray or shape != (0,) or code not in (b"b", "b"):
            raise UnsafeError("an array that is not made the usual way")
        return _Array()


class _FromBuffer(_Inert):
    """`numpy._core.numeric._frombuffer`, which protocol 5 uses."""

    __slots__ = ()

    def __new__(  # type: ignore[misc]
        cls, data: object, dtype: object, shape: object, order: object, axes: object = None
    ) -> "_Array":
        made = _Array()
        made.value = _array(data, dtype, shape, "F" if order == "F" else "C")
        if order == "K" and axes is not None:
            made.value = made.value.transpose(_sizes(axes))
        return made


class _Scalar(_Inert):
    """`numpy._core.multiarray.scalar`."""

    __slots__ = ()

    def __new__(cls, dtype: object, data: object) -> Any:
        return _array(data, dtype, (), "C")[()]


class _Encode(_Inert):
    """`_codecs.encode`, by which protocols 0 to 2 write bytes as text."""

    __slots__ = ()

    def __new__(cls, text: object, encoding: object) -> Any:
        if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
            raise UnsafeError(f"_codecs.encode to {str(encoding)[:40]!r}")
        return text.encode("latin-1")


class _Bytes(_Inert):
    """`builtins.bytes`, by which protocols 0 to 2 write empty bytes."""

    __slots__ = ()

    def __new__(cls, *arguments: object) -> Any:
        if arguments:
            raise UnsafeError("a call of bytes with arguments")
        return b""


class _Picture(_Inert):
    """`PIL.Image.Image`: (info, mode, (width, height), palette, bytes)."""

    __slots__ = ("value",)
    value: np.ndarray[Any, Any]

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, list | tuple) or len(state) != 5:
            raise ValueError("a state for PIL.Image.Image that is not 5 values")
        _, mode, size, _, data = state
        if mode not in _CHANNELS or not isinstance(data, bytes):
            raise ValueError(f"a picture of mode {mode!r}")
        width, height = _sizes(size)
        channels = () if _CHANNELS[mode] == 1 else (_CHANNELS[mode],)
        if mode == "1":
            rows = np.frombuffer(data, np.uint8).reshape(height, -(-width // 8))
            self.value = np.unpackbits(rows, axis=1)[:, :width] * np.uint8(255)
        else:
            self.value = np.frombuffer(data, np.uint8).reshape(height, width, *channels).copy()


GLOBALS: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _NDArray,
    ("numpy", "dtype"): _DType,
    ("_codecs", "encode"): _Encode,
    ("collections", "OrderedDict"): dict,
    ("PIL.Image", "Image"): _Picture,
}
for _core in ("numpy.core", "numpy._core"):
    GLOBALS[f"{_core}.multiarray", "_reconstruct"] = _Reconstruct
    GLOBALS[f"{_core}.multiarray", "scalar"] = _Scalar
    GLOBALS[f"{_core}.numeric", "_frombuffer"] = _FromBuffer
for _builtins in ("builtins", "__builtin__"):
    GLOBALS |= {(_builtins, "bytes"): _Bytes, (_builtins, "set"): set, (_builtins, "frozenset"): frozenset}


def _sizes(shape: object) -> tuple[int, ...]:
    if not isinstance(shape, tuple) or len(shape) > 32 or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError("a shape that is not whole numbers")
    return shape


def _array(data: object, dtype: object, shape: object, order: Any) -> np.ndarray[Any, Any]:
    if not isinstance(dtype, _DType):
        raise ValueError("an array without a dtype")
    if not isinstance(data, bytes | bytearray):
        raise UnsafeError("an array of Python objects")
    kind, sizes = dtype.numpy(), _sizes(shape)
    return np.frombuffer(data, kind).reshape(sizes, order=order).astype(kind.newbyteorder("="))


def plain(value: Any) -> Any:
    """`value` with arrays in place of what stood for them.

    Raises ValueError if it holds itself, is nested more than 100 deep, or holds a global.
    """
    return _plain(value, {}, 100)


def _plain(value: Any, done: dict[int, Any], depth: int) -> Any:
    if value is None or isinstance(value, bool | int | float | str | bytes | bytearray | np.generic):
        return value
    if id(value) not in done:  # shared parts stay shared: written out, they could be many
        if not depth:
            raise ValueError("it is nested too deeply, or holds itself")
        done[id(value)] = _rebuilt(value, done, depth - 1)
    return done[id(value)]


def _rebuilt(value: Any, done: dict[int, Any], depth: int) -> Any:
    if isinstance(value, _Array | _Picture):
        return value.value
    if type(value) is dict:
        return {_plain(k, done, depth): _plain(v, done, depth) for k, v in value.items()}
    if type(value) in (list, tuple, set, frozenset):
        return type(value)(_plain(part, done, depth) for part in value)
    raise ValueError(f"{value!r} is no data")
