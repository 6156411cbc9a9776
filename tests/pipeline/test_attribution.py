"""ATTRIBUTION.md: everything that a sample shows is credited, with its licence."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.attribution import attribution, write_attribution
from pipeline.facts import read_facts
from pipeline.shards import ShardError
from tests.makers import make_asset


def test_every_used_asset_is_credited_once(small_build: Path, copy_of: Callable[[Path], Path]) -> None:
    built = copy_of(small_build)
    text = write_attribution(built).read_text()
    facts = read_facts(built)
    assert any(facts.uses[a.id] for a in facts.assets)
    for a in facts.assets:
        assert text.count(f"`{a.uri}`") == bool(facts.uses[a.id])
    assert text.startswith("# Attribution\n")
    assert "(https://spdx.org/licenses/CC0-1.0.html)" in text


def test_groups_by_source_licence_and_author() -> None:
    assets = [
        make_asset("b", source="s", license="CC-BY-4.0", attribution="Ann", uri="file:b", caption="a | b"),
        make_asset("a", source="s", license="CC-BY-4.0", attribution="Ann", uri="file:a"),
        make_asset("c", source="s", license="MIT OR Apache-2.0", attribution="Bob", uri="file:c"),
    ]
    text = attribution(assets)
    assert text.count("## ") == 2
    ann, bob = text.split("## ")[1:]
    assert ann.startswith("s: Ann\n\nLicence: [CC-BY-4.0](https://spdx.org/licenses/CC-BY-4.0.html)\n")
    assert "`file:a`" in ann
    assert "`file:b`" in ann
    assert bob.startswith("s: Bob\n\nLicence: MIT OR Apache-2.0\n")
    assert "a | b" not in ann  # a bare bar would end the table's cell


def test_not_finished(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match="no build here"):
        write_attribution(tmp_path)
