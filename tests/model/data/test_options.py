"""Options: bounds, and what is said of values outside them."""

import subprocess
import sys

import pytest

from model.data.options import DataOptions
from stages.settings import ManifestError, parse


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"location": []}, "location: needs at least 1 of them, has 0 (got [])"),
        ({"buckets": []}, "buckets: needs at least 1 of them, has 0 (got [])"),
        ({"buckets": [[64, 4]]}, "buckets[0][1]: input should be greater than or equal to 8 (got 4)"),
        ({"buckets": [[64]]}, "buckets[0][1]: this number is missing"),
        ({"source_size": 5000}, "source_size: input should be less than or equal to 4096 (got 5000)"),
        ({"window": 0}, "window: input should be greater than or equal to 1 (got 0)"),
        ({"workers": 65}, "workers: input should be less than or equal to 64 (got 65)"),
        ({"memory_mib": -1}, "memory_mib: input should be greater than or equal to 0 (got -1)"),
        ({"flip": 1.5}, "flip: input should be less than or equal to 1 (got 1.5)"),
        ({"jpg": 0.5}, "jpg: unknown key; did you mean 'jpeg'?"),
        ({"task": "outpaint"}, "task: input should be 'decompose' or 'inpaint' (got 'outpaint')"),
        (
            {"task": "inpaint", "buckets": [[96, 64], [64, 200]]},
            "source_size must be at least 200, the longest side of `buckets`, is 192",
        ),
    ],
    ids=str,
)
def test_what_is_out_of_bounds_is_said(given: dict[str, object], text: str) -> None:
    with pytest.raises(ManifestError) as caught:
        parse(DataOptions, {"location": ["x"]} | given, "run.toml")
    assert str(caught.value) == f"run.toml: {text}"


def test_objects_need_no_source_size() -> None:
    assert DataOptions(location=("x",), buckets=((512, 512),)).task == "decompose"


def test_options_are_light() -> None:
    """A configuration can be read without torch."""
    code = "import model.data.options, sys; raise SystemExit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
