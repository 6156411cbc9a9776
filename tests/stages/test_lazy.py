"""Libraries that may be missing, and what they say unasked."""

import os
import subprocess
import sys
import warnings
from contextlib import suppress
from pathlib import Path

import pytest

from stages.lazy import library, one_line, quiet, require_device


def test_a_library_that_is_there() -> None:
    assert library("json").dumps(1) == "1"


def test_a_missing_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "diffusers", None)  # as Python marks a module that cannot be imported
    with pytest.raises(ValueError, match=r"^diffusers cannot be imported \(.+\); pip install 'layerloom\[generate\]'$"):
        library("diffusers")


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "meta:x"])
def test_a_device_that_is_not_there(device: str) -> None:
    pytest.importorskip("torch")
    with pytest.raises(ValueError, match=rf"^device: '{device}' cannot be used here: \w.*"):
        require_device(device)
    require_device("cpu")


@pytest.mark.parametrize("bars", [True, False])
def test_quiet_gives_back_what_it_took(bars: bool, request: pytest.FixtureRequest) -> None:
    log = pytest.importorskip("transformers").utils.logging
    request.addfinalizer(log.enable_progress_bar if log.is_progress_bar_enabled() else log.disable_progress_bar)
    (log.enable_progress_bar if bars else log.disable_progress_bar)()
    before = (log.get_verbosity(), log.is_progress_bar_enabled(), list(warnings.filters))
    with suppress(KeyError), quiet():
        assert (log.get_verbosity(), log.is_progress_bar_enabled()) == (log.ERROR, False)
        raise KeyError
    assert (log.get_verbosity(), log.is_progress_bar_enabled(), list(warnings.filters)) == before


def test_quiet_ignores_one_warning_only() -> None:
    with quiet():
        warnings.warn("`torch.jit.script` is deprecated. Please", DeprecationWarning, stacklevel=1)
        with pytest.raises(DeprecationWarning, match="other"):
            warnings.warn("other", DeprecationWarning, stacklevel=1)


def test_one_line() -> None:
    assert one_line(ValueError(" a\n  b")) == "a b"
    assert len(one_line(ValueError("x" * 999))) == 300


def test_libraries_keep_their_kernels_beside_their_own_files(tmp_path: Path) -> None:
    """In a fresh process: ours go to a folder of this version, a library's to its own."""
    package = tmp_path / "compiled"
    package.mkdir()
    kernel = "import numba\n@numba.njit('f8(f8)', cache=True)\ndef twice(x):\n    return 2 * x\n"
    (package / "__init__.py").write_text(kernel)
    code = (
        "import numba, stages\nfrom stages.lazy import own_kernels\nbefore = numba.config.CACHE_DIR\n"
        "with own_kernels():\n    import compiled\nprint(compiled.twice(2.0), numba.config.CACHE_DIR == before != '')"
    )
    env = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{Path(__file__).parents[2]}"}
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True).stdout
    assert out.split() == ["4.0", "True"]
    assert list((package / "__pycache__").glob("*.nbi"))
