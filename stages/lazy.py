"""Libraries that only some builds need: imported where they are used, with one clear message where they are missing."""

import importlib
import logging
import platform
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib import metadata
from typing import Any

_OURS = ("evaluation", "model", "pipeline", "publish", "stages")


def library(name: str) -> Any:
    """The module `name`. Raises ValueError, which says what to install, where it cannot be imported."""
    try:
        with quiet():
            return importlib.import_module(name)
    except ImportError as error:
        raise ValueError(f"{name} cannot be imported ({error}); pip install 'layerloom[generate]'") from error


def require_device(device: str) -> None:
    """Raise ValueError where torch does not know `device` ("cpu", "cuda", "cuda:1", "mps") or it is not here."""
    torch = library("torch")
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # torch raises each for one kind of device
        raise ValueError(f"device: '{device}' cannot be used here: {one_line(error)}") from error


def one_line(error: BaseException) -> str:
    """The text of an error on one line, cut to 300 characters."""
    return " ".join(str(error).split())[:300]


def installed_versions(names: Iterable[str]) -> dict[str, str]:
    """Of Python, and of these distributions as far as they are installed."""
    found = {"python": platform.python_version()}
    for name in names:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


@contextmanager
def own_kernels() -> Iterator[None]:
    """Inside, libraries that are imported keep their compiled kernels beside their own files.

    Ours are compiled anew with every version of this package (see `stages`); pymatting's take 40 seconds.
    """
    settings: Any = library("numba").config
    ours, settings.CACHE_DIR = settings.CACHE_DIR, ""
    try:
        yield
    finally:
        settings.CACHE_DIR = ours


@contextmanager
def installed(missing: Callable[[str], Exception]) -> Iterator[None]:
    """Inside it is silent; an import of what is not installed raises `missing(its name)`. One of ours is our bug."""
    try:
        with silent():
            yield
    except ModuleNotFoundError as error:
        name = error.name or ""
        if name.split(".")[0] in _OURS:
            raise
        raise missing(name) from error


@contextmanager
def silent() -> Iterator[None]:
    """`quiet`, and nothing below an error is logged: transformers tells of what it lacks for pictures, which is not
    used."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with quiet():
            yield
    finally:
        logging.disable(before)


@contextmanager
def quiet() -> Iterator[None]:
    """Inside, the model libraries show no bars and log errors only, and their known harmless warnings are ignored."""
    loggers = [sys.modules[name] for name in _LOGGERS if name in sys.modules]
    before = [(log, log.get_verbosity(), log.is_progress_bar_enabled()) for log in loggers]
    for log in loggers:
        log.set_verbosity_error()
        log.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            # diffusers compiles one of its many text encoders with it at import, whether it is used or not.
            warnings.filterwarnings("ignore", message="`torch.jit.script` is deprecated", category=DeprecationWarning)
            # diffusers 0.42 still passes it to a newer huggingface_hub, for every model that comes from the Hub.
            warnings.filterwarnings("ignore", message="The `local_dir_use_symlinks` argument is deprecated")
            yield
    finally:
        for log, level, bars in before:
            log.set_verbosity(level)
            if bars:
                log.enable_progress_bar()


_LOGGERS = ("diffusers.utils.logging", "transformers.utils.logging")
