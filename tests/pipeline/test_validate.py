"""Every rule of `validate`: a clean build keeps them all, and each kind of damage breaks the one that forbids it."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import orjson
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from pipeline import validate as validation
from pipeline.__main__ import app, main
from pipeline.checks import RULES
from pipeline.checks.pixels import decode, recompose_int64
from pipeline.shards import ShardError
from pipeline.validate import validate
from tests import damage_records, damage_samples, damage_shards
from tests.damage import Damage, broken, png
from tests.damage_records import add_shard, miscount, other_licenses, tamper_identity
from tests.damage_samples import coloured_nothing, one_level, other_attempt

DAMAGES = [*damage_records.DAMAGES, *damage_shards.DAMAGES, *damage_samples.DAMAGES]


def command(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["validate", *map(str, words), "--workers", "0"])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_clean_build_keeps_every_rule(tiny_build: Path, tiny_cache: Path) -> None:
    code, text = command(tiny_build, "--cache", tiny_cache)
    assert code == 0, text
    assert "64 of 64 samples recompose with error 0" in text
    assert "NOT RUN" not in text
    lines = [line.split() for line in text.splitlines()]
    table = {words[0]: words[1:3] for words in lines if words and words[0] in RULES and words[1].isdigit()}
    assert {rule: table[rule][1] for rule in RULES} == dict.fromkeys(RULES, "0")
    assert [table[rule][0] for rule in ("tar", "png", "recomposition", "rerender")] == ["6", "384", "64", "24"]


def test_clean_paired_build(paired_build: Path, tiny_cache: Path, quiet) -> None:
    report = validate(paired_build, tiny_cache, 12, 0, None, quiet)
    assert report.ok, report.problems
    pairs = pq.read_table(paired_build / "meta" / "index.parquet")["pair"].to_pylist()
    assert any(pairs)


@pytest.mark.parametrize(("rule", "damage", "text"), DAMAGES, ids=[d.__name__ for _, d, _ in DAMAGES])
def test_damage_breaks_its_rule_and_no_other(
    rule: str, damage: Callable[[Damage], None], text: str, small_build: Path, tiny_cache: Path, copy_of, quiet
) -> None:
    out = copy_of(small_build)
    damage(Damage(out))
    report = validate(out, tiny_cache, 0, 0, None, quiet)
    found = broken(report)
    assert list(found) == [rule], found
    assert text in found[rule]
    assert not report.ok


def test_every_rule_has_a_damage_test() -> None:
    elsewhere = {"pairs", "rerender"}
    assert {rule for rule, _, _ in DAMAGES} | elsewhere == set(RULES)


def test_command_names_shard_key_and_rule_and_fails(small_build: Path, tiny_cache: Path, copy_of) -> None:
    out = copy_of(small_build)
    one_level(Damage(out))
    code, text = command(out, "--cache", tiny_cache, "--rerender", 0)
    assert code == 1
    line = "recomposition: train-00000-of-00001.tar: train_000000000: composite.png differs from its layers in 1 pixels"
    assert line in text
    assert "11 of 12 samples recompose with error 0" in text
    assert "valid" not in text.splitlines()[-1]


def test_all_damage_is_found_in_one_run(small_build: Path, tiny_cache: Path, copy_of, quiet) -> None:
    out = copy_of(small_build)
    for damage in (one_level, coloured_nothing, other_attempt, add_shard, miscount):
        damage(Damage(out))
    report = validate(out, tiny_cache, 0, 0, None, quiet)
    assert list(broken(report)) == ["index_json", "data_files", "json_index", "hidden_colour", "recomposition"]


def _lone_pair(d: Damage) -> None:
    d.tell(d.names()[0], pair="train_000000099")


def _one_sided_pair(d: Damage) -> None:
    key = next(k for k in d.names() if d.meta(k)["pair"])
    d.tell(key, pair=key)


def _lost_pair(d: Damage) -> None:
    key = next(k for k in d.names() if d.meta(k)["occluded"])
    d.tell(key, pair="")


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (_lone_pair, "its partner is train_000000099, which does not exist"),
        (_one_sided_pair, "which names"),
        (_lost_pair, "an occluded scene without a partner in a paired build"),
    ],
)
def test_broken_pairs(damage, text: str, paired_build: Path, tiny_cache: Path, copy_of, quiet) -> None:
    out = copy_of(paired_build)
    damage(Damage(out))
    found = broken(validate(out, tiny_cache, 0, 0, None, quiet))
    assert list(found) == ["pairs"]
    assert text in found["pairs"]


def test_partner_in_a_build_without_pairs(small_build: Path, tiny_cache: Path, copy_of, quiet) -> None:
    out = copy_of(small_build)
    _lone_pair(Damage(out))
    found = broken(validate(out, tiny_cache, 0, 0, None, quiet))
    assert list(found) == ["pairs"]
    assert "train_000000000 has the partner train_000000099 in a build that is not paired" in found["pairs"]


def test_rendering_again_finds_pixels_that_fit_together_but_are_not_the_recipes(
    small_build: Path, tiny_cache: Path, copy_of, quiet
) -> None:
    out = copy_of(small_build)
    d = Damage(out)
    key = d.names()[0]
    background = d.pixels(key, "background")
    background[0, 0] ^= 1
    d.paint(key, "background", background)
    layers = [d.pixels(key, name) for name in ("foreground", "shadow", "occluder")]
    d.paint(key, "composite", recompose_int64(background, *layers).astype(np.uint8))
    assert validate(out, tiny_cache, 0, 0, None, quiet).ok
    found = broken(validate(out, tiny_cache, 12, 0, None, quiet))
    assert list(found) == ["rerender"]
    assert "1 pixels of composite.png differ; 1 pixels of background.png differ" in found["rerender"]


def test_rendering_again_says_when_the_code_is_another(small_build: Path, tiny_cache: Path, copy_of, quiet) -> None:
    out = copy_of(small_build)
    d = Damage(out)
    tamper_identity(d)
    d.manifest()
    key = d.names()[0]
    recipe = orjson.loads(d.meta(key)["recipe"])
    recipe["plate"]["flip"] = not recipe["plate"]["flip"]
    d.tell(key, recipe=orjson.dumps(recipe).decode())
    found = broken(validate(out, tiny_cache, 12, 0, None, quiet))
    assert list(found) == ["rerender"]
    assert "(the code or its libraries are not those of the build)" in found["rerender"]


def test_without_the_assets_rendering_again_is_not_run(small_build: Path, tmp_path: Path) -> None:
    code, text = command(small_build, "--cache", tmp_path / "empty")
    assert code == 1
    assert "NOT RUN" in text
    assert "assets are not in the" in text
    code, text = command(small_build, "--cache", tmp_path / "empty", "--rerender", 0)
    assert code == 0
    assert "0 were asked for" in text


def test_damaged_asset_in_the_cache(small_build: Path, tiny_cache: Path, tmp_path: Path, quiet) -> None:
    objects = list((tiny_cache / "objects").rglob("*.png"))
    for path in objects:
        copy = tmp_path / "objects" / path.parent.name / path.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes()[:-30])
    found = broken(validate(small_build, tmp_path, 12, 0, None, quiet))
    assert list(found) == ["rerender"]
    assert "cannot be rendered" in found["rerender"]


@pytest.mark.parametrize(
    ("file", "rule", "left"),
    [
        (".build/build.json", "build_record", 1),
        ("index.json", "index_json", len(RULES) - 2),
        ("meta/index.parquet", "index_parquet", 6),
        ("meta/assets.parquet", "asset_table", 6),
    ],
)
def test_unreadable_records(
    file: str, rule: str, left: int, small_build: Path, tiny_cache: Path, copy_of, quiet
) -> None:
    out = copy_of(small_build)
    (out / file).write_bytes(b"{")
    report = validate(out, tiny_cache, 0, 0, None, quiet)
    found = broken(report)
    assert list(found) == [rule]
    assert "cannot be read" in found[rule]
    assert not report.ok
    assert sum(c.checked > 0 for c in report.checks) == left


def test_many_problems_are_capped_and_counted(tiny_build: Path, tiny_cache: Path, copy_of) -> None:
    out = copy_of(tiny_build)
    other_licenses(Damage(out))
    code, text = command(out, "--cache", tiny_cache, "--rerender", 0)
    assert code == 1
    lines = [line for line in text.splitlines() if line.startswith(("license_gate: t", "license_gate: v"))]
    assert len(lines) == 20
    assert "license_gate: and 44 more" in text


def test_a_shard_that_cannot_be_checked(small_build: Path, tiny_cache: Path, monkeypatch, quiet) -> None:
    def fail(task: object) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr(validation, "check_shard", fail)
    report = validate(small_build, tiny_cache, 0, 0, None, quiet)
    assert broken(report)["tar"].endswith("could not be checked: MemoryError: no room")
    assert not report.ok


def test_a_folder_that_is_no_build(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr("sys.argv", ["layerloom", "validate", str(tmp_path), "--workers", "0"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 1
    assert capsys.readouterr().err.strip() == (
        f"error: {tmp_path}: not a folder that layerloom built: .build/build.json is missing"
    )


def test_an_unfinished_build(small_build: Path, copy_of, quiet) -> None:
    out = copy_of(small_build)
    (out / "index.json").unlink()
    with pytest.raises(ShardError, match=r"not finished: index.json is missing; run build again"):
        validate(out, None, 0, 0, None, quiet)


def test_recompose_int64_is_the_exact_fraction() -> None:
    rng = np.random.default_rng(3)
    shapes = {"background": (9, 9, 3), "foreground": (9, 9, 4), "shadow": (9, 9), "occluder": (9, 9, 4)}
    layers = {name: rng.integers(0, 256, shape).astype(np.uint8) for name, shape in shapes.items()}
    layers["foreground"][:3, :, 3] = 0
    layers["occluder"][:, :3, 3] = 255
    found = recompose_int64(**layers)
    for y, x, c in np.ndindex(9, 9, 3):
        bg, sh = Fraction(int(layers["background"][y, x, c])), Fraction(int(layers["shadow"][y, x]), 255)
        fg, a_fg = Fraction(int(layers["foreground"][y, x, c])), Fraction(int(layers["foreground"][y, x, 3]), 255)
        oc, a_oc = Fraction(int(layers["occluder"][y, x, c])), Fraction(int(layers["occluder"][y, x, 3]), 255)
        exact = (1 - a_fg) * (bg - sh * (bg - a_oc * oc)) + a_fg * (a_oc * oc + (1 - a_oc) * fg)
        assert found[y, x, c] == round(exact)


def test_decode_keeps_channel_order_and_refuses_what_is_no_png() -> None:
    pixels = np.arange(4 * 4 * 4, dtype=np.uint8).reshape(4, 4, 4)
    assert np.array_equal(decode(png(pixels), 4, 4), pixels)
    assert decode(b"GIF89a", 4, 4) == "is not a PNG"
