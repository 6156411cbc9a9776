"""Pickles of strangers: data come through as they are, programs do not."""

import gzip
import os
import pickle
import re
import struct
import zlib
from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from stages.decode import DecodeError
from stages.pickles import MAX_OPCODES, load_packed, load_plain

DTYPES = ("?", "u1", "i1", "u2", "<i2", ">i2", "i4", "i8", "f2", "f4", ">f4", "f8", "<U3", "S4")
ARRAYS = st.sampled_from(DTYPES).flatmap(
    lambda t: hnp.arrays(t, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.binary(max_size=9) | ARRAYS
KEYS = st.text(max_size=5) | st.integers() | st.tuples(st.integers(), st.text(max_size=2))
DATA = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(KEYS, inner, max_size=4)
        | st.dictionaries(KEYS, inner, max_size=4).map(OrderedDict)
        | st.sets(st.integers(), max_size=4)
        | st.frozensets(st.text(max_size=3), max_size=4)
    ),
    max_leaves=12,
)


def same(a, b) -> bool:
    if isinstance(b, np.ndarray):
        native = b.astype(b.dtype.newbyteorder("="))
        alike = isinstance(a, np.ndarray) and a.dtype == native.dtype and a.shape == b.shape
        return alike and a.tobytes() == native.tobytes()
    if isinstance(b, np.generic):
        return type(a) is type(b) and a.dtype == b.dtype and a.tobytes() == b.tobytes()
    if isinstance(b, dict):
        return type(a) is dict and list(a) == list(b) and all(same(a[k], b[k]) for k in b)
    if isinstance(b, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and (a == b or (a != a and b != b))


@given(DATA, st.integers(0, 5))
@settings(deadline=None, max_examples=200)
def test_data_come_through_as_the_real_unpickler_reads_them(value, protocol):
    data = pickle.dumps(value, protocol)
    assert same(load_plain(data, "x"), pickle.loads(data))


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_of_any_memory_order_and_scalars(protocol):
    cube = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    values = [cube.T, np.asfortranarray(cube), cube[:, ::-1], cube.transpose(1, 0, 2), np.float32(0.1), np.str_("ä")]
    values += [np.bool_(True), np.int64(-5), cube.astype(">i4")]
    read = load_plain(pickle.dumps(values, protocol), "x")
    assert same(read, values)
    read[0][0, 0, 0] = 9  # may be written to
    assert cube[0, 0, 0] == 0


def test_names_of_older_numpy():
    data = pickle.dumps([np.arange(3), np.float64(2)], 2).replace(b"numpy._core", b"numpy.core")
    assert b"numpy.core.multiarray" in data
    assert same(load_plain(data, "x"), [np.arange(3), np.float64(2)])


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA"])
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_pictures_become_arrays(mode, protocol):
    noise = np.random.default_rng(3).integers(0, 256, (5, 11, 4), dtype=np.uint8)
    picture = Image.fromarray(noise).convert(mode)
    expected = np.asarray(picture.convert("L") if mode == "1" else picture)
    read = load_plain(pickle.dumps(picture, protocol), "x")
    assert read.dtype == np.uint8
    assert np.array_equal(read, expected)


def test_shared_parts_stay_shared():
    value = [0] * 10
    for _ in range(60):  # written out: 10 * 2^60 numbers
        value = [value, value]
    read = load_plain(pickle.dumps(value), "x")
    assert read[0] is read[1]


def test_true_bytes_other_than_one_count_as_one():
    data = pickle.dumps(np.array([True, False, True]), 4).replace(b"\x01\x00\x01", b"\x07\x00\xff")
    read = load_plain(data, "x")
    assert read.tolist() == [True, False, True]
    assert (read * np.uint8(1)).tolist() == [1, 0, 1]


class Call:
    """Pickles as a call of any function."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def stack_global(module: str, name: str) -> bytes:
    """Protocol 4: push module.name, where the name may hold dots, then call it with no arguments."""
    text = b"".join(b"\x8c" + bytes([len(t)]) + t.encode() for t in (module, name))
    return b"\x80\x04" + text + b"\x93)R."


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    ("attack", "named"),
    [
        (Call(os.system, "exit 1"), f"{os.system.__module__}.system"),
        (Call(eval, "1"), "eval"),
        (Call(exec, "1"), "exec"),
        (Call(getattr, 1, "real"), "getattr"),
        (Call(bytearray, 10), "bytearray"),
        (Call(Call, 1), "Call"),
        (Call(np.load, "x"), "load"),
        (Call(np.testing.assert_, 1), "assert_"),
        (Call(complex, 1), "complex"),
        ([1, {"a": (Call(os.getcwd),)}], "getcwd"),
        (Call(pickle.loads, b"N."), "loads"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_programs_are_refused_by_name(attack, named, protocol):
    data = zlib.compress(pickle.dumps(attack, protocol))
    with pytest.raises(DecodeError, match=rf"^x: the pickle holds the global \S*{named}, which is not allowed$") as e:
        load_packed(data, "x")
    assert e.value.reason == "unsafe_pickle"


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("numpy.f2py", "compile"),
        ("numpy.testing._private.utils", "runstring"),
        ("numpy", "core.multiarray._reconstruct.__globals__"),
        ("numpy", "ndarray.__class__"),
        ("numpy._core.multiarray", "_reconstruct.__new__"),
        ("_codecs", "encode.__init__.__globals__"),
        ("numpy._core", "multiarray.scalar"),
        ("builtins", "dict.__class__"),
        ("stages.standins", "GLOBALS"),
        ("PIL.Image", "open"),
        ("PIL", "Image.Image"),
        ("collections", "OrderedDict.__init__"),
        ("", ""),
    ],
)
def test_dotted_and_hidden_names_are_refused(module, name):
    with pytest.raises(DecodeError, match=re.escape(f"the global {module}.{name}, which")) as e:
        load_plain(stack_global(module, name), "x")
    assert e.value.reason == "unsafe_pickle"


def array_state(dtype: str, data) -> Call:
    class Fake:
        def __reduce__(self):
            made = np.ndarray(0, "b").__reduce__()
            return made[0], made[1], (1, (2,), np.dtype(dtype), False, data)

    return Fake()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (np.array([{}, []], object), "the dtype 'O8'"),
        (np.array([(1, 2.0)], [("a", "i4"), ("b", "f8")]), "the dtype 'V12'"),
        (np.array(["2001-01-01"], "M8[D]"), "the dtype 'M8'"),
        (np.dtype("O"), "the dtype 'O8'"),
        (array_state("i8", [[], {}]), "an array of Python objects"),
        (Call(np.ndarray(0).__reduce__()[0], np.ndarray, (10**12,), b"b"), "an array that is not made the usual way"),
        (Call(np.ndarray(0).__reduce__()[0], np.ndarray, (0,), b"O"), "an array that is not made the usual way"),
    ],
    ids=str,
)
@pytest.mark.parametrize("protocol", [2, 4])
def test_arrays_of_objects_and_other_odd_ones_are_refused(value, said, protocol):
    with pytest.raises(DecodeError, match=re.escape(f"x: the pickle holds {said}, which is not allowed")) as e:
        load_plain(pickle.dumps(value, protocol), "x")
    assert e.value.reason == "unsafe_pickle"


def test_encoding_to_anything_but_latin_1_is_refused():
    data = pickle.dumps(b"a", 2).replace(b"latin1", b"rot-13")
    with pytest.raises(DecodeError, match=r"the pickle holds _codecs.encode to 'rot-13', which is not allowed"):
        load_plain(data, "x")


def test_bytes_are_called_without_arguments_only():
    with pytest.raises(DecodeError, match="a call of bytes with arguments"):
        load_plain(b"c__builtin__\nbytes\n(I1000000000000\ntR.", "x")
    assert load_plain(b"c__builtin__\nbytes\n(tR.", "x") == b""


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"Pid\n.", "a persistent id"),
        (b"\x80\x02K\x01Q.", "a persistent id"),
        (b"\x80\x02\x82\x01.", "an extension code"),
        (b"\x80\x02\x83\x01\x00.", "an extension code"),
        (b"\x80\x02\x84\x01\x00\x00\x00.", "an extension code"),
        (b"\x80\x05\x97.", "an outside buffer"),
    ],
)
def test_ids_extensions_and_outside_buffers_are_refused(data, said):
    with pytest.raises(DecodeError, match=f"^x: the pickle holds {said}, which is not allowed$") as e:
        load_plain(data, "x")
    assert e.value.reason == "unsafe_pickle"


GLOBAL = b"cnumpy\ndtype\n"


@pytest.mark.parametrize(
    "data",
    [
        GLOBAL + b".",  # the global itself as data
        GLOBAL + b"}b.",  # state on the global
        GLOBAL + b"N}\x86b.",
        b"c_codecs\nencode\nN}(X\x0c\x00\x00\x00__defaults__)u\x86b.",
        b"ccollections\nOrderedDict\nN}(X\x03\x00\x00\x00getK\x01u\x86b.",
        b"ccollections\nOrderedDict\n)R}(X\x05\x00\x00\x00itemsK\x01ub.",
        b"cnumpy\nndarray\n)R.",
        b"cnumpy\ndtype\n(X\x02\x00\x00\x00i2tR.",  # a dtype alone is no data
    ],
)
def test_states_leave_no_trace_on_what_the_names_stand_for(data):
    before = pickle.dumps([np.arange(5), b"x", OrderedDict(a=1)], 2)
    with pytest.raises(DecodeError) as e:
        load_plain(data, "x")
    assert e.value.reason == "bad_annotation"
    assert same(load_plain(before, "x"), pickle.loads(before))


@pytest.mark.parametrize("count", [0, 2, 4, 255])
def test_shapes_that_are_not_the_datas_are_refused(count):
    data = pickle.dumps(np.arange(3, dtype=np.uint8), 2)
    assert data.count(b"K\x03\x85") == 1
    with pytest.raises(DecodeError, match=r"^x: not a pickle that can be read: ValueError: cannot reshape array") as e:
        load_plain(data.replace(b"K\x03\x85", bytes([75, count, 0x85])), "x")
    assert e.value.reason == "bad_annotation"


def test_what_a_pickle_may_cost_is_bounded():
    nested = b"\x80\x02N" + b"\x85" * 10**6 + b"."
    with pytest.raises(
        DecodeError, match=f"x: not a pickle that can be read: ValueError: more than {MAX_OPCODES:,} op"
    ):
        load_plain(nested, "x")
    memo = b"\x80\x02Nr" + struct.pack("<I", 2**32 - 2) + b"."
    with pytest.raises(DecodeError, match="memo number 4294967294, must be at most 20,000"):
        load_plain(memo, "x")
    with pytest.raises(DecodeError, match="nested too deeply, or holds itself"):
        load_plain(b"\x80\x02]q\x00h\x00a.", "x")
    deep = b"\x80\x02}N" + b"\x85" * (MAX_OPCODES - 8) + b"Ns."  # hashed, as a key
    with pytest.raises(DecodeError, match="nested too deeply"):
        load_plain(deep, "x")


def test_a_bomb_is_not_unpacked():
    bomb = zlib.compress(bytes(10**7))
    with pytest.raises(DecodeError, match=r"^x: unpacks to more than 1,000,000 bytes$") as e:
        load_packed(bomb, "x", max_bytes=10**6)
    assert e.value.reason == "too_large"
    exact = pickle.dumps(b"a" * 100)
    assert load_packed(zlib.compress(exact), "x", max_bytes=len(exact)) == b"a" * 100
    with pytest.raises(DecodeError, match="unpacks to more"):
        load_packed(zlib.compress(exact), "x", max_bytes=len(exact) - 1)


def test_zlib_gzip_and_neither():
    plain = pickle.dumps({"a": 1})
    assert load_packed(zlib.compress(plain), "x") == load_packed(gzip.compress(plain), "x") == {"a": 1}
    with pytest.raises(DecodeError, match=r"^x: neither zlib nor gzip: Error -3 .*header") as e:
        load_packed(plain, "x")
    assert e.value.reason == "bad_annotation"
    with pytest.raises(DecodeError, match=r"^x: the compressed data end early$"):
        load_packed(zlib.compress(plain)[:-1], "x")


GOOD = {
    "background": {"blip2": "a meadow", "inpainted_delta": np.arange(24, dtype=np.int16).reshape(2, 4, 3)},
    "instances": {0: {"alpha": Image.fromarray(np.eye(5, dtype=np.uint8)), "score": np.float32(0.5), "ids": {1, 2}}},
    "sizes": [OrderedDict(w=3), b"raw", None, True, 2**70],
}


def outcome(read, data: bytes) -> tuple[str, str]:
    """(reason, text) of the error, ("", "") without one; any other error passes through."""
    try:
        read(data, "x")
    except DecodeError as error:
        return error.reason, str(error)
    return "", ""


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@given(st.data())
@settings(deadline=None, max_examples=150)
def test_damage_of_any_kind_is_a_decode_error(protocol, data):
    good = pickle.dumps(GOOD, protocol)
    edits = st.tuples(st.integers(0, len(good) - 1), st.integers(0, 255))
    bad = bytearray(good[: data.draw(st.integers(1, len(good)))])
    for place, value in data.draw(st.lists(edits, max_size=4)):
        bad[place % len(bad)] = value
    reason, text = outcome(load_plain, bytes(bad))
    assert reason in ("", "bad_annotation", "unsafe_pickle")
    assert not reason or text.startswith("x: ")


@given(st.integers(0, 10**6), st.binary(max_size=3))
@settings(deadline=None, max_examples=100)
def test_damage_to_the_packing_is_a_decode_error(place, junk):
    packed = zlib.compress(pickle.dumps(GOOD))
    place %= len(packed)
    bad = packed[:place] + junk + packed[place + len(junk) :] if junk else packed[:place]
    assert outcome(load_packed, bad)[0] in ("", "bad_annotation", "unsafe_pickle")
    assert outcome(load_packed, packed[:place])[0] == "bad_annotation"
