"""The methods that can be scored, by kind. torch and diffusers are imported when a method that needs them is made."""

from collections.abc import Callable, Mapping
from typing import Any

from evaluation.errors import EvalError
from evaluation.methods.checkpoint import Checkpoint, make_checkpoint
from evaluation.methods.classical import (
    Biharmonic,
    Radius,
    make_biharmonic,
    make_copy_input,
    make_mask_as_alpha,
    make_mean_fill,
    make_navier_stokes,
    make_smooth_fill,
    make_telea,
)
from evaluation.methods.fill import Inpainter, make_fill
from evaluation.methods.folder import Predictions, make_folder
from evaluation.methods.lama import Lama, make_lama
from evaluation.methods.made import Made, NoOptions, checked
from evaluation.methods.matting import IsNet, make_isnet
from evaluation.methods.specs import read_spec
from stages.settings import did_you_mean

__all__ = ["METHODS", "Made", "make_method"]

METHODS: dict[str, Callable[..., Made]] = {
    "copy-input": checked("copy-input", NoOptions, make_copy_input),
    "mask-as-alpha": checked("mask-as-alpha", NoOptions, make_mask_as_alpha),
    "mean-fill": checked("mean-fill", NoOptions, make_mean_fill),
    "telea": checked("telea", Radius, make_telea),
    "navier-stokes": checked("navier-stokes", Radius, make_navier_stokes),
    "biharmonic": checked("biharmonic", Biharmonic, make_biharmonic),
    "smooth-fill": checked("smooth-fill", NoOptions, make_smooth_fill),
    "isnet": checked("isnet", IsNet, make_isnet),
    "folder": checked("folder", Predictions, make_folder),
    "model": checked("model", Checkpoint, make_checkpoint),
    "fill": checked("fill", Inpainter, make_fill),
    "lama": checked("lama", Lama, make_lama),
}
"""Kind -> a function of the kind's options, as keywords (classes of that name say which), that makes the method."""


def make_method(spec: str | Mapping[str, Any]) -> tuple[str, Made]:
    """What reports call a method, and the method, from a text or a table (`evaluation.methods.specs`).

    Raises EvalError for an unknown kind or option, with the nearest known one, for a value that an option cannot have,
    and where the method cannot be made: a file, a library or a device is missing.
    """
    name, kind, options = read_spec(spec)
    if kind not in METHODS:
        raise EvalError(f"method '{name}': unknown kind '{kind}'{did_you_mean(kind, METHODS)}")
    return name, METHODS[kind](**options)
