"""Protocols as files: the shipped ones are complete, wrong ones are told in one line."""

from pathlib import Path

import pytest

from evaluation.adapters import ADAPTERS
from evaluation.protocol import FOLDER, Protocol, load_protocol
from evaluation.scoring import choose
from stages.settings import ManifestError

SHIPPED = sorted(FOLDER.glob("*.toml"))

LEAST = """
name = "a"
revision = 2
task = "removal"
description = "d"
metrics = ["psnr.mask"]
methods = ["telea"]
reference = "telea"
data = { kind = "plain", path = "p" }
"""


def written(tmp_path: Path, old: str = "", new: str = "") -> Path:
    path = tmp_path / "a.toml"
    path.write_text(LEAST.replace(old, new) if old else LEAST)
    return path


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_what_is_shipped_can_run(path: Path) -> None:
    found = load_protocol(path)
    assert found.name == path.stem
    assert [m.info.name for m in choose(found.metrics)] == list(found.metrics)
    assert found.data.kind in ADAPTERS
    assert load_protocol(Path(path.stem)) == found


def test_a_protocol_is_cited_with_its_revision(tmp_path: Path) -> None:
    assert load_protocol(written(tmp_path)).title == "a@2"


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("revision = 2", "revision = 0", "a.toml: revision: input should be greater than or equal to 1 (got 0)"),
        ('reference = "telea"', 'reference = "x"', "a.toml: reference: must be one of `methods`, is 'x'"),
        ("description", "descripton", "a.toml: descripton"),
        (
            '"removal"',
            '"remove"',
            "a.toml: task: input should be 'removal', 'extraction', 'recovery'",
        ),
        ("revision = 2", "revision =", "a.toml: not valid TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, text: str) -> None:
    with pytest.raises(ManifestError) as caught:
        load_protocol(written(tmp_path, old, new))
    assert text in str(caught.value)


def test_names_that_are_not_there_offer_what_is(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"^removal-car: no such protocol; did you mean 'removal-cars'\?$"):
        load_protocol(Path("removal-car"))
    with pytest.raises(ManifestError, match=r"b\.toml: cannot be read"):
        load_protocol(tmp_path / "b.toml")
    with pytest.raises(ManifestError, match=r"^metrics: unknown metric 'psnr\.masc'; did you mean 'psnr\.mask'\?$"):
        choose(["psnr.masc"])


def test_a_change_of_what_is_asked_makes_another_protocol(tmp_path: Path) -> None:
    first = load_protocol(written(tmp_path))
    other = load_protocol(written(tmp_path, 'description = "d"', 'description = "d"\nsize = 64'))
    assert isinstance(first, Protocol)
    assert first != other
