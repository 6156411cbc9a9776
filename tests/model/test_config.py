"""Configurations: what is refused, and in which words; every shipped one is complete."""

from pathlib import Path
from typing import Any

import pytest

from model.config import ROOT, TrainConfig, load_config
from stages.settings import ManifestError, parse

SHIPPED = sorted((ROOT / "manifests" / "train").glob("*.toml"))


def given(**change: Any) -> dict[str, Any]:
    least = {"name": "a", "steps": 1, "batch_size": 1, "base": {"model": "m"}, "data": {"location": ["d"]}}
    return least | change


def complaint(**change: Any) -> str:
    with pytest.raises(ManifestError) as caught:
        parse(TrainConfig, given(**change), "a.toml")
    return str(caught.value)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_what_is_shipped_is_named_after_its_file(path: Path) -> None:
    found = load_config(path)
    assert found.name == path.stem
    assert found.description
    assert TrainConfig.model_validate(found.model_dump()) == found


def test_the_defaults_are_the_papers_plain_loss() -> None:
    found = parse(TrainConfig, given(), "a.toml")
    assert (found.loss.hole, found.loss.alpha, found.sigma.mean, found.sigma.std) == (0, 1, 0, 1)
    assert found.adapt.branches == ("background", "foreground")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"steps": 0}, "a.toml: steps: input should be greater than or equal to 1 (got 0)"),
        ({"base": {}}, "a.toml: base: give either `model` or `shape`"),
        ({"base": {"model": "m", "shape": {}}}, "a.toml: base: give either `model` or `shape`"),
        ({"adapt": {"branches": []}}, "must name one or two different branches, is []"),
        (
            {"adapt": {"branches": ["background", "background"]}},
            "must name one or two different branches, is ['background', 'background']",
        ),
        ({"adapt": {"fusion": {"width": 18}}}, "width must be a multiple of 4 and of num_heads = 4, is 18"),
        ({"adapt": {"fusion": {"width": 20, "num_heads": 3}}}, "width must be a multiple of 4 and of num_heads = 3"),
        ({"base": {"shape": {"axes": [8, 12, 12]}}}, "axes must be even and add up to head_dim = 128"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], text: str) -> None:
    assert text in complaint(**change)


def test_a_key_that_is_misspelt_is_not_ignored() -> None:
    found = complaint(stepz=3)
    assert "a.toml: stepz" in found
    assert "steps" in found


def test_a_missing_file_offers_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "nano.toml").write_text("")
    with pytest.raises(ManifestError, match=r"nan\.toml: no such file.*nano\.toml"):
        load_config(tmp_path / "nan.toml")


def test_what_is_not_toml_names_its_file(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text("steps = = 3")
    with pytest.raises(ManifestError, match=r"a\.toml"):
        load_config(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ManifestError, match=r"a\.toml: cannot be read"):
        load_config(path)
