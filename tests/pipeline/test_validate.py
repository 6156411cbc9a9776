"""Every rule of `validate`: a clean build keeps them all, and each kind of damage breaks the one that forbids it."""

import io
import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from typer.testing import CliRunner

from pipeline import validate as validation
from pipeline.__main__ import app, main
from pipeline.checks import RULES
from pipeline.checks.pixels import decode, recompose_int64
from pipeline.shards import MEMBERS, ShardError
from pipeline.validate import Report, validate
from tests.damage import Damage, png, write_tar


def broken(report: Report) -> dict[str, str]:
    """The rules that have problems, with the first of each as text."""
    found: dict[str, str] = {}
    for p in report.problems:
        found.setdefault(p.rule, f"{p.shard} {p.key} {p.detail}")
    return found


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


def _tamper_identity(d: Damage) -> None:
    d.build(lambda b: b | {"identity": b["identity"] | {"code": "0" * 64}})


def _tamper_manifest(d: Damage) -> None:
    d.build(lambda b: b | {"manifest": b["manifest"] | {"description": "another"}})


def _miscount(d: Damage) -> None:
    d.index(lambda s: s | {"shards": [s["shards"][0] | {"samples": 3}, *s["shards"][1:]]})


def _drop_row(d: Damage) -> None:
    d.rows(lambda rows: rows[1:])


def _narrow_column(d: Damage) -> None:
    path = d.out / "meta" / "index.parquet"
    table = pq.read_table(path)
    place = table.schema.get_field_index("attempt")
    pq.write_table(table.set_column(place, "attempt", table["attempt"].cast(pa.int32())), path)


def _other_asset(d: Damage) -> None:
    d.assets(lambda k, a: {"phash": "0" * 16} if k == 0 else {}, seal=False)


def _remove_shard(d: Damage) -> None:
    d.first.unlink()


def _add_shard(d: Damage) -> None:
    (d.out / "data" / "train-00009-of-00001.tar").write_bytes(bytes(10240))


def _append_zeros(d: Damage) -> None:
    with d.first.open("ab") as file:
        file.write(bytes(512))


def _other_owner(d: Damage) -> None:
    data = bytearray(d.first.read_bytes())
    data[265:269] = b"root"  # user name in the first header; then its checksum (POSIX ustar)
    total = sum(data[:148]) + 8 * 32 + sum(data[156:512])
    data[148:156] = b"%06o\0 " % total
    d.first.write_bytes(data)


def _cut_tar(d: Damage) -> None:
    second = list(d.samples())[1]
    table = pq.read_table(d.out / "meta" / "index.parquet").to_pylist()
    offset = next(row["offset"] for row in table if row["key"] == second)
    d.first.write_bytes(d.first.read_bytes()[:offset])
    d.seal_shard()


def _cut_member(d: Damage) -> None:
    d.first.write_bytes(d.first.read_bytes()[:3000])
    d.seal_shard()


def _swap_members(d: Damage) -> None:
    samples = d.samples()
    first = d.names()[0]
    samples[first] = [samples[first][1], samples[first][0], *samples[first][2:]]
    d.write(samples)


def _lose_member(d: Damage) -> None:
    samples = d.samples()
    samples[d.names()[0]].pop(3)
    d.write(samples)


def _lose_sample(d: Damage) -> None:
    samples = d.samples()
    samples.pop(d.names()[1])
    d.write(samples)


def _swap_samples(d: Damage) -> None:
    samples = d.samples()
    first, *rest = d.names()
    d.write({key: samples[key] for key in (*rest, first)})


def _rename_sample(d: Damage) -> None:
    d.write({"train_000000099" if key == d.names()[-1] else key: m for key, m in d.samples().items()})


def _other_bytes(d: Damage) -> None:
    key = d.names()[0]
    samples = d.samples()
    samples[key] = [(n, png(d.pixels(key, "mask")) if n == "mask.png" else data) for n, data in samples[key]]
    write_tar(d.first, [(f"{k}.{n}", data) for k, members in samples.items() for n, data in members])
    stored = {row["key"]: row["sha256_mask_png"] for row in pq.read_table(d.out / "meta" / "index.parquet").to_pylist()}
    d.seal_shard()
    d.seal_rows()
    d.rows(lambda rows: [row | {"sha256_mask_png": stored[row["key"]]} for row in rows])


def _flip_png(d: Damage) -> None:
    d.member(d.names()[0], "background.png", lambda data: data[:-20] + bytes([data[-20] ^ 1]) + data[-19:])


def _end_png_early(d: Damage) -> None:
    d.member(d.names()[0], "background.png", lambda data: data[:-12])


def _empty_png(d: Damage) -> None:
    def change(data: bytes) -> bytes:
        chunk = b"IDAT" + zlib.compress(b"")
        body = len(chunk[4:]).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")
        return data[:33] + body + data[-12:]

    d.member(d.names()[0], "background.png", change)


def _grey_background(d: Damage) -> None:
    d.paint(d.names()[0], "background", d.pixels(d.names()[0], "background")[..., 0])


def _deep_shadow(d: Damage) -> None:
    def change(data: bytes) -> bytes:
        deep = np.array(Image.open(io.BytesIO(data))).astype(np.uint16) * 257
        out = io.BytesIO()
        Image.fromarray(deep).save(out, "png")
        return out.getvalue()

    d.member(d.names()[0], "shadow.png", change)


def _small_mask(d: Damage) -> None:
    d.paint(d.names()[0], "mask", d.pixels(d.names()[0], "mask")[1:])


def _whole_number(d: Damage) -> None:
    d.member(d.names()[0], "json", lambda data: _replaced(data, {"mask_strength": 1}))


def _null_caption(d: Damage) -> None:
    d.member(d.names()[0], "json", lambda data: _replaced(data, {"caption": None}))


def _extra_key(d: Damage) -> None:
    d.member(d.names()[0], "json", lambda data: _replaced(data, {"note": "x"}))


def _no_layers(d: Damage) -> None:
    d.member(d.names()[0], "json", lambda data: _replaced(data, {"layers": []}))


def _other_attempt(d: Damage) -> None:
    d.member(d.names()[0], "json", lambda data: _replaced(data, {"attempt": 77}))


def _replaced(data: bytes, facts: dict[str, object]) -> bytes:
    return orjson.dumps(orjson.loads(data) | facts)


def _wrong_count(d: Damage) -> None:
    d.tell(d.names()[0], num_objects=9)


def _bad_recipe(d: Damage) -> None:
    d.tell(d.names()[0], recipe="{}")


def _unknown_asset(d: Damage) -> None:
    key = d.names()[0]
    recipe, layers = orjson.loads(d.meta(key)["recipe"]), d.meta(key)["layers"]
    recipe["plate"]["asset"] = layers[0]["asset"] = "tiny-photos:gone.png"
    d.tell(key, recipe=orjson.dumps(recipe).decode(), layers=layers)


def _wrong_attribution(d: Damage) -> None:
    layers = d.meta(d.names()[0])["layers"]
    layers[0]["attribution"] = "somebody else"
    d.tell(d.names()[0], layers=layers)


def _grey_mask(d: Damage) -> None:
    mask = d.pixels(d.names()[0], "mask")
    mask[np.unravel_index(mask.argmax(), mask.shape)] = 254
    d.paint(d.names()[0], "mask", mask)


def _empty_mask(d: Damage) -> None:
    d.paint(d.names()[0], "mask", np.zeros_like(d.pixels(d.names()[0], "mask")))
    d.tell(d.names()[0], mask_iou=0.0)


def _coloured_nothing(d: Damage) -> None:
    foreground = d.pixels(d.names()[0], "foreground")
    foreground[foreground[..., 3] == 0] = (9, 9, 9, 0)
    d.paint(d.names()[0], "foreground", foreground)


def _ghost_occluder(d: Damage) -> None:
    key = next(k for k in d.names() if all(v["role"] != "front" for v in d.meta(k)["layers"]))
    clear = (d.pixels(key, "foreground")[..., 3] == 0) & (d.pixels(key, "shadow") == 0)
    occluder = d.pixels(key, "occluder")
    occluder[clear] = (1, 2, 3, 4)
    d.paint(key, "occluder", occluder)


def _ghost_shadow(d: Damage) -> None:
    key = next(k for k in d.names() if not d.meta(k)["shadow"])
    shadow = d.pixels(key, "shadow")
    shadow[d.pixels(key, "foreground")[..., 3] == 255] = 60
    d.paint(key, "shadow", shadow)


def _one_level(d: Damage) -> None:
    composite = d.pixels(d.names()[0], "composite")
    composite[5, 7, 1] ^= 1
    d.paint(d.names()[0], "composite", composite)


def _one_level_in_target(d: Damage) -> None:
    composite, alpha = d.pixels(d.names()[0], "composite"), d.pixels(d.names()[0], "foreground")[..., 3]
    composite[(*np.unravel_index(alpha.argmax(), alpha.shape), 2)] ^= 2
    d.paint(d.names()[0], "composite", composite)


def _wrong_area(d: Damage) -> None:
    d.tell(d.names()[0], area_fraction=d.meta(d.names()[0])["area_fraction"] + 1e-9)


def _wrong_visible(d: Damage) -> None:
    d.tell(d.names()[0], visible_fraction=d.meta(d.names()[0])["visible_fraction"] - 1e-6)


def _unmet_wish(d: Damage) -> None:
    key = next(k for k in d.names() if d.meta(k)["occluded"])
    recipe, asked = orjson.loads(d.meta(key)["recipe"]), d.meta(key)["visible_fraction"] - 0.031
    recipe["occlusion"]["visible"] = asked
    d.tell(key, recipe=orjson.dumps(recipe).decode(), asked_visible_fraction=asked)


def _leaked_asset(d: Damage) -> None:
    used = d.meta(d.names()[0])["target"]
    d.assets(lambda _, a: {"split": "test"} if a.id == used else {})


def _leaked_cluster(d: Damage) -> None:
    d.assets(lambda k, a: {"cluster": "twins"} if k in _first_of_each_split(d) else {})


def _first_of_each_split(d: Damage) -> list[int]:
    splits = pq.read_table(d.out / "meta" / "assets.parquet")["split"].to_pylist()
    return [splits.index("train"), splits.index("val")]


def _other_licenses(d: Damage) -> None:
    d.manifest(licenses=["MIT", "CC-BY-4.0"])


DAMAGES: list[tuple[str, Callable[[Damage], None], str]] = [
    ("build_record", _tamper_identity, "fingerprint is"),
    ("build_record", _tamper_manifest, "identity.manifest is"),
    ("index_json", _miscount, "('data/train-00000-of-00001.tar', 3)"),
    ("index_parquet", _drop_row, "11 rows, must be 12"),
    ("index_parquet", _narrow_column, "attempt is int32, must be int64"),
    ("asset_table", _other_asset, "meta/assets.parquet has the fingerprint"),
    ("data_files", _remove_shard, "train-00000-of-00001.tar  the shard is missing"),
    ("data_files", _add_shard, "train-00009-of-00001.tar  unexpected"),
    ("shard_bytes", _append_zeros, "bytes, index.json says"),
    ("shard_bytes", _other_owner, "train-00000-of-00001.tar  SHA-256 is"),
    ("tar", _cut_tar, "the two zero blocks that end a tar are missing"),
    ("tar", _cut_member, "train-00000-of-00001.tar"),
    ("members", _swap_members, "train_000000000 members are ['background.png', 'composite.png'"),
    ("members", _lose_member, "train_000000000 members are"),
    ("members", _lose_sample, "1 of 10 samples are missing, first train_000000001"),
    ("members", _swap_samples, "samples are out of order"),
    (
        "members",
        _rename_sample,
        "1 of 10 samples are missing, first train_000000009; 1 unexpected samples, first train_000000099",
    ),
    ("member_sha256", _other_bytes, "train_000000000 mask.png: SHA-256 is"),
    ("png", _flip_png, "train_000000000 background.png CRC of chunk IDAT"),
    ("png", _end_png_early, "background.png does not end with IEND"),
    ("png", _empty_png, "background.png does not decode"),
    ("png", _grey_background, "background.png is 128 x 128, 8 bit, colour type 0; must be 128 x 128, 8 bit, colour ty"),
    ("png", _deep_shadow, "shadow.png is 128 x 128, 16 bit"),
    ("png", _small_mask, "mask.png is 128 x 127"),
    ("json_schema", _whole_number, "train_000000000 mask_strength: is 1, must be float"),
    ("json_schema", _null_caption, "caption: is None, must be str"),
    ("json_schema", _extra_key, "JSON: keys are"),
    ("json_schema", _no_layers, "layers: is [], must be a list that is not empty"),
    ("json_index", _other_attempt, "train_000000000 attempt: JSON 77, index"),
    ("metadata", _wrong_count, "train_000000000 num_objects is 9, must be"),
    ("metadata", _bad_recipe, "recipe: 7 errors"),
    ("metadata", _unknown_asset, "asset tiny-photos:gone.png is not in the asset table"),
    ("metadata", _wrong_attribution, "attribution of tiny-photos:"),
    ("mask_values", _grey_mask, "1 pixels of mask.png are neither 0 nor 255"),
    ("mask_values", _empty_mask, "mask.png is empty"),
    ("hidden_colour", _coloured_nothing, "pixels of foreground.png have colour under alpha 0"),
    ("layer_presence", _ghost_occluder, "occluder.png is not empty, layers in front: False"),
    ("layer_presence", _ghost_shadow, "shadow.png is not empty, but the target throws no shadow"),
    ("recomposition", _one_level, "train_000000000 composite.png differs from its layers in 1 pixels, by up to 1"),
    (
        "recomposition",
        _one_level_in_target,
        "train_000000000 composite.png differs from its layers in 1 pixels, by up to 2",
    ),
    ("fractions", _wrong_area, "train_000000000 area_fraction is"),
    ("fractions", _wrong_visible, "visible_fraction is"),
    ("asked_occlusion", _unmet_wish, "within 0.03"),
    ("split_leak", _leaked_asset, "belongs to split 'test'"),
    ("split_leak", _leaked_cluster, "cluster twins is in the splits ['train', 'val']"),
    ("license_gate", _other_licenses, "license 'CC0-1.0' of tiny-"),
]


@pytest.mark.parametrize(("rule", "damage", "text"), DAMAGES, ids=[d.__name__.strip("_") for _, d, _ in DAMAGES])
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
    _one_level(Damage(out))
    code, text = command(out, "--cache", tiny_cache, "--rerender", 0)
    assert code == 1
    line = "recomposition: train-00000-of-00001.tar: train_000000000: composite.png differs from its layers in 1 pixels"
    assert line in text
    assert "11 of 12 samples recompose with error 0" in text
    assert "valid" not in text.splitlines()[-1]


def test_all_damage_is_found_in_one_run(small_build: Path, tiny_cache: Path, copy_of, quiet) -> None:
    out = copy_of(small_build)
    for damage in (_one_level, _coloured_nothing, _other_attempt, _add_shard, _miscount):
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
    _tamper_identity(d)
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
    _other_licenses(Damage(out))
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
    assert len(MEMBERS) == 7
