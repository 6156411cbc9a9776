"""Pickles that nobody vouches for: containers, numbers, text, bytes, numpy arrays and pictures, nothing else.

A pickle is a program. Here every global it may name stands for one of our own inert classes, which check what
they are given; neither numpy nor Pillow ever sees a state from the file. What a pickle may cost is bounded before
it runs: its size, the number of its opcodes (nesting and memory grow with it) and the numbers of its memo.
"""

import pickle
import pickletools
import zlib
from io import BytesIO
from typing import Any

from stages.decode import DecodeError
from stages.standins import GLOBALS, UnsafeError, plain

MAX_BYTES = 1_000_000_000
MAX_OPCODES = 20_000  # tuples of that depth are still hashed and freed within a thread's stack
_REFUSED = {"PERSID": "a persistent id", "BINPERSID": "a persistent id", "NEXT_BUFFER": "an outside buffer"}
_REFUSED |= dict.fromkeys(("EXT1", "EXT2", "EXT4"), "an extension code")
_PUTS = ("PUT", "BINPUT", "LONG_BINPUT")


def load_packed(data: bytes, name: str, *, max_bytes: int = MAX_BYTES) -> Any:
    """What a pickle compressed with zlib or gzip holds; see `load_plain`. `name` is used in messages only.

    Raises DecodeError with reason too_large over `max_bytes` unpacked, bad_annotation or unsafe_pickle.
    """
    return load_plain(_inflate(data, name, max_bytes), name)


def load_plain(data: bytes, name: str) -> Any:
    """What a pickle of any protocol holds: equal to what `pickle.loads` returns; arrays in native byte order,
    pictures as uint8 arrays.

    Allowed are None, numbers, str, bytes, list, tuple, dict, set, arrays and scalars of numpy whose kind is one
    of b, i, u, f, S, U, and Pillow pictures of mode 1, L, RGB or RGBA. Raises DecodeError, naming the global or
    the opcode, with reason unsafe_pickle for anything else; bad_annotation if it is damaged.
    """
    try:
        _check_opcodes(data)
        return plain(_Unpickler(BytesIO(data)).load())
    except UnsafeError as error:
        raise DecodeError("unsafe_pickle", f"{name}: the pickle holds {error}, which is not allowed") from None
    except Exception as error:  # hostile bytes raise anything
        raise DecodeError("bad_annotation", f"{name}: not a pickle that can be read: {_said(error)}") from None


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """The stand-in for a global, by its exact name: dotted names and modules of our own lead nowhere."""
        try:
            return GLOBALS[module, name]
        except KeyError:
            raise UnsafeError(f"the global {module}.{name}") from None


def _check_opcodes(data: bytes) -> None:
    for count, (opcode, argument, _) in enumerate(pickletools.genops(BytesIO(data)), start=1):
        if opcode.name in _REFUSED:
            raise UnsafeError(_REFUSED[opcode.name])
        if count > MAX_OPCODES:
            raise ValueError(f"more than {MAX_OPCODES:,} opcodes")
        # The memo is an array as long as its largest number.
        if opcode.name in _PUTS and isinstance(argument, int) and not 0 <= argument <= MAX_OPCODES:
            raise ValueError(f"memo number {argument}, must be at most {MAX_OPCODES:,}")


def _inflate(data: bytes, name: str, max_bytes: int) -> bytes:
    stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # zlib or gzip, by its header
    try:
        out = stream.decompress(data, max_bytes + 1)
    except zlib.error as error:
        raise DecodeError("bad_annotation", f"{name}: neither zlib nor gzip: {error}") from None
    if len(out) > max_bytes:
        raise DecodeError("too_large", f"{name}: unpacks to more than {max_bytes:,} bytes")
    if not stream.eof:
        raise DecodeError("bad_annotation", f"{name}: the compressed data end early")
    return out
