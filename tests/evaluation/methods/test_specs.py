"""How methods are named, what is said of names that are wrong, and that only what is asked for is loaded."""

import subprocess
import sys
from pathlib import Path

import pytest

from evaluation.errors import EvalError
from evaluation.methods import METHODS, make_method
from evaluation.methods.made import files_hash, weights_hash
from evaluation.methods.specs import Spec, read_spec
from tests.evaluation.methods.scenes import scene

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("given", "kind", "options"),
    [
        ("telea", "telea", {}),
        ("telea?radius=5", "telea", {"radius": "5"}),
        ("folder:out/x", "folder", {"path": "out/x"}),
        ("folder:C:/x", "folder", {"path": "C:/x"}),
        ("model:a/b?steps=8&detail=true", "model", {"path": "a/b", "steps": "8", "detail": "true"}),
        ("fill:f?prompt=a = b, c", "fill", {"path": "f", "prompt": "a = b, c"}),
        ("fill:f?prompt=", "fill", {"path": "f", "prompt": ""}),
    ],
)
def test_a_text_is_its_own_name(given: str, kind: str, options: dict) -> None:
    assert read_spec(given) == Spec(given, kind, options)
    assert read_spec({"kind": kind} | options).name == given
    assert read_spec({"kind": kind, "detail": True}).name == f"{kind}?detail=true"
    assert read_spec({"name": "ours", "kind": kind} | options) == Spec("ours", kind, options)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("tela", "method 'tela': unknown kind 'tela'; did you mean 'telea'?"),
        ("mean_fill", "method 'mean_fill': unknown kind 'mean_fill'; did you mean 'mean-fill'?"),
        ({"name": "us", "kind": "modle"}, "method 'us': unknown kind 'modle'; did you mean 'model'?"),
        ("", f"method '': unknown kind ''; choose from {', '.join(sorted(METHODS))}"),
        ("telea?radius", "method 'telea?radius': options must be KEY=VALUE, joined by &; one is 'radius'"),
        ("telea?", "method 'telea?': options must be KEY=VALUE, joined by &; one is ''"),
        ("telea?=3", "method 'telea?=3': options must be KEY=VALUE, joined by &; one is '=3'"),
        ("telea?radius=3&radius=4", "method 'telea?radius=3&radius=4': option 'radius' is given twice"),
        ("folder:x?path=y", "method 'folder:x?path=y': option 'path' is given twice"),
        ("telea?radios=3", "method 'telea': unknown option 'radios'; did you mean 'radius'?"),
        ("telea:x", "method 'telea': unknown option 'path'; choose from radius"),
        ("mean-fill?radius=3", "method 'mean-fill': unknown option 'radius'; it has none"),
        ("telea?radius=0", "method 'telea': radius: input should be greater than or equal to 1 (got '0')"),
        ("model:x?steps=many", "method 'model': steps: input should be a valid integer, unable to parse string as an "
            "integer (got 'many')"),
        ("folder", "method 'folder': path: this key is missing"),
        ("folder:", "method 'folder': path: string should have at least 1 character (got '')"),
        ({"kind": "folder", "path": 3}, "method 'folder': path: input should be a valid string (got 3)"),
        ({"name": "x"}, "method x: kind must be the name of a kind, is missing"),
        ({"kind": 3}, "method {}: kind must be the name of a kind, is 3"),
        ({"kind": "telea", "name": " "}, "method 'telea': name must be a text on one line, is ' '"),
        ({"kind": "telea", "name": "a\nb"}, "method 'telea': name must be a text on one line, is 'a\\nb'"),
        ({"kind": "telea", "name": 7}, "method 'telea': name must be a text on one line, is 7"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(given: str | dict, text: str) -> None:
    with pytest.raises(EvalError) as error:
        make_method(given)
    assert str(error.value) == text


def test_texts_and_tables_make_the_same_method() -> None:
    name, made = make_method("telea?radius=7")
    table = {"kind": "telea", "radius": 7, "name": "wide"}
    called, other = make_method(table)
    assert (name, called) == ("telea?radius=7", "wide")
    assert table == {"kind": "telea", "radius": 7, "name": "wide"}
    assert made.key == other.key
    assert (made.method(scene()).background == other.method(scene()).background).all()


def test_keys_tell_kinds_and_options_apart() -> None:
    kinds = ("copy-input", "mask-as-alpha", "mean-fill", "telea", "navier-stokes", "biharmonic", "smooth-fill")
    keys = [METHODS[kind]().key for kind in kinds] + [METHODS["telea"](radius=4).key]
    assert len({key[-16:] for key in keys}) == len(keys)
    assert METHODS["telea"]().key == METHODS["telea"](radius=3).key
    assert all(
        key.startswith(f"{kind}-") and len(key) == len(kind) + 17 for kind, key in zip(kinds, keys, strict=False)
    )


def test_the_hash_of_files_is_that_of_names_and_bytes(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.safetensors", "sub/b.json", "README.md")]
    (tmp_path / "sub").mkdir()
    for path in files:
        path.write_text(path.name)
    found = weights_hash(tmp_path)
    assert found == files_hash(tmp_path, files[1::-1])
    files[2].write_text("another card")
    assert weights_hash(tmp_path) == found
    files[1].write_text("b.jsoN")
    assert weights_hash(tmp_path) != found
    with pytest.raises(EvalError, match=rf"^{tmp_path}/gone: cannot be read: No such file or directory$"):
        files_hash(tmp_path, [tmp_path / "gone"])


def test_libraries_are_loaded_when_they_are_needed() -> None:
    code = (
        "import sys\n"
        "from evaluation.methods import make_method\n"
        "for kind in ('telea', 'mean-fill', 'copy-input'): make_method(kind)\n"
        "heavy = {'torch', 'diffusers', 'transformers', 'skimage', 'onnxruntime', 'pymatting', 'peft'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "make_method('biharmonic')\n"
        "assert 'skimage' in sys.modules\n"
    )
    run = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_library_that_is_missing_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(EvalError) as error:
        make_method("biharmonic")
    text = str(error.value)
    assert text.startswith("method 'biharmonic': skimage cannot be imported (")
    assert text.endswith("); pip install 'layerloom[eval]'")
