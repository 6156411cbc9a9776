"""Every mistake in a manifest becomes one line that names file, key, bound and value."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from pipeline import load
from pipeline.load import load_manifest
from pipeline.manifest import Manifest, Objects, Splits
from pipeline.source import Source
from stages.masks import MASK_KINDS
from stages.settings import ManifestError

ROOT = Path(__file__).resolve().parents[2]
DATA = sorted((ROOT / "manifests" / "data").glob("*.toml"))
SOURCES = sorted((ROOT / "manifests" / "sources").glob("*.toml"))

TOP = 'name = "t"\nseed = 1\nsize = 64\nsamples = 10\nlicenses = ["MIT"]\n'
LOCAL = (
    '[[sources]]\nname = "a"\nkind = "local"\nrole = "foreground"\npath = "x"\nlicense = "MIT"\nattribution = "me"\n'
)


@pytest.fixture
def error_of(tmp_path: Path):
    """Write a manifest, load it, and return the error's text without the file's name, which every line starts with."""

    def of(text: str | bytes) -> str:
        path = tmp_path / "bad.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(ManifestError) as caught:
            load_manifest(path)
        lines = str(caught.value).split("\n")
        assert all(line.startswith(f"{path}: ") for line in lines)
        return "\n".join(line.removeprefix(f"{path}: ") for line in lines)

    return of


def test_the_least_manifest_has_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "good.toml"
    path.write_text(TOP + LOCAL)
    loaded = load_manifest(path)
    assert (loaded.name, loaded.size, loaded.samples, loaded.shard_size) == ("t", 64, 10, 128)
    assert loaded.splits.items() == (("train", 0.9), ("val", 0.05), ("test", 0.05))
    assert loaded.objects.real_fraction == 0.5
    assert loaded.occlusion.fraction == 0.6
    assert loaded.occlusion.visible == (0.3, 0.95)
    assert loaded.shadow.fraction == 0.7
    assert set(loaded.mask.weights) == set(MASK_KINDS)
    assert loaded.sources[0].origin == "real"


@pytest.mark.parametrize("path", DATA, ids=lambda p: p.stem)
def test_shipped_manifests_load_and_survive_json(path: Path) -> None:
    loaded = load_manifest(path)
    assert loaded.name == path.stem
    assert loaded.description
    assert Manifest.model_validate_json(loaded.model_dump_json()) == loaded


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.stem)
def test_shipped_sources_load_by_name(path: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "m.toml"
    manifest.write_text(TOP + f'sources = ["{path.stem}"]\n')
    (source,) = load_manifest(manifest).sources
    assert source.name == path.stem


def test_there_are_shipped_manifests() -> None:
    assert {p.stem for p in DATA} >= {"sample", "tiny", "paper", "permissive"}
    assert {p.stem for p in SOURCES} >= {"tuxpaint-stamps", "procedural"}


KEYS = [
    ("sampels = 3\n", "sampels: unknown key; did you mean 'samples'?"),
    ("quxquux = 3\n", "quxquux: unknown key; choose from captioner, description, harmonize, licenses, "),
    ("[objects]\ncuonts = {}\n", "objects.cuonts: unknown key; did you mean 'counts'?"),
    ("[occlusion]\nfracton = 0.1\n", "occlusion.fracton: unknown key; did you mean 'fraction'?"),
    ("[quality]\nhash_dist = 1\n", "quality.hash_dist: unknown key; did you mean 'hash_distance'?"),
    ("[splits]\ntrian = 1.0\n", "splits.trian: unknown key; did you mean 'train'?"),
]
TYPES = [
    ('shard_size = "many"\n', "shard_size: input should be a valid integer, unable to parse string as an integer"),
    ("max_attempts = 1.5\n", "max_attempts: input should be a valid integer, got a number with a fractional part"),
    ('paired = "perhaps"\n', "paired: input should be a valid boolean, unable to interpret input (got 'perhaps')"),
    ("description = 3\n", "description: input should be a valid string (got 3)"),
    ("objects = 3\n", "objects: must be a table (got 3)"),
    ("harmonize = 0.5\n", "harmonize: must be a list (got 0.5)"),
    ("[mask]\nweights = [1, 2]\n", "mask.weights: must be a table (got [1, 2])"),
]
BOUNDS = [
    ("shard_size = 0\n", "shard_size: input should be greater than or equal to 1 (got 0)"),
    ("[objects]\nmax_upscale = 9.0\n", "objects.max_upscale: input should be less than or equal to 8 (got 9.0)"),
    ("[objects]\narea_median = 0\n", "objects.area_median: input should be greater than 0 (got 0)"),
    ("[occlusion]\nfraction = 1.5\n", "occlusion.fraction: input should be less than or equal to 1 (got 1.5)"),
    ("[occlusion]\nfraction = nan\n", "occlusion.fraction: input should be less than or equal to 1 (got nan)"),
    ("[occlusion]\nvisible = [0.3, 1.9]\n", "occlusion.visible[1]: input should be less than or equal to 1 (got 1.9)"),
    ("[occlusion]\nvisible = [0.3]\n", "occlusion.visible[1]: this number is missing"),
    ("[occlusion]\nvisible = [0.3, 0.4, 0.5]\n", "occlusion.visible: takes 2 of them at most, has 3 (got [0.3"),
    ("[mask]\nstrength = [0.5, -1]\n", "mask.strength[1]: input should be greater than or equal to 0 (got -1)"),
    ("[objects]\ncounts = { 4 = 1.0 }\n", "objects.counts.4: input should be '1', '2' or '3' (got '4')"),
    ("[objects]\ncounts = { 2 = -1 }\n", "objects.counts.2: input should be greater than or equal to 0 (got -1)"),
    ("[objects]\ncounts = { 2 = inf }\n", "objects.counts.2: input should be a finite number (got inf)"),
    ("[mask]\nweights = { exact = inf }\n", "mask.weights.exact: input should be a finite number (got inf)"),
]
RULES = [
    ("[occlusion]\nvisible = [0.9, 0.3]\n", "occlusion.visible: the lower end 0.9 is above the upper end 0.3"),
    ("harmonize = [0.6, 0.1]\n", "harmonize: the lower end 0.6 is above the upper end 0.1"),
    ("[splits]\ntrain = 0.5\n", "splits: shares must add up to 1, they add up to 0.6"),
    ("[objects]\ncounts = { 2 = 0 }\n", "objects: counts: at least one weight must be above 0"),
    ("[mask]\nweights = { exact = 0 }\n", "mask: weights: at least one must be above 0"),
    ("[mask]\nweights = { exat = 1 }\n", "mask: weights: unknown mask kind 'exat'; did you mean 'exact'?"),
    (
        "[objects]\ncounts = { 1 = 1, 2 = 1 }\n[occlusion]\nfraction = 0.75\n",
        "objects.counts: 0.5 of the scenes have one object, which leaves too few for "
        "occlusion.fraction = 0.75; at most 0.25",
    ),
    (
        "paired = true\nshard_size = 3\n",
        "paired: samples = 10 and shard_size = 3 must be even, so that no pair is torn apart",
    ),
]


@pytest.mark.parametrize(("part", "text"), KEYS + TYPES + BOUNDS + RULES)
def test_error_in_a_manifest(part: str, text: str, error_of) -> None:
    assert error_of(TOP + part + LOCAL).startswith(text)
    assert "\n" not in error_of(TOP + part + LOCAL)


SOURCE = [
    ('pth = "x"\n', "sources[0].pth: unknown key; did you mean 'path'?"),
    (
        '[[sources.rules]]\nmatch = ["*"]\nhorzon = 1\n',
        "sources[0].rules[0].horzon: unknown key; did you mean 'horizon'?",
    ),
    ("[[sources.rules]]\nhorizon = 1\n", "sources[0].rules[0].match: this key is missing"),
    ("[[sources.rules]]\nmatch = []\n", "sources[0].rules[0].match: needs at least 1 of them, has 0 (got [])"),
    (
        '[[sources.rules]]\nmatch = ["*"]\nlicense = "MIIT"\n',
        "sources[0].rules[0].license: not an SPDX licence expression: Unknown license key(s): MIIT (got 'MIIT')",
    ),
    ("long_side_m = 0\n", "sources[0].long_side_m: input should be greater than 0 (got 0)"),
    ("max_mb = 0\n", "sources[0].max_mb: input should be greater than or equal to 1 (got 0)"),
]


@pytest.mark.parametrize(("part", "text"), SOURCE)
def test_error_in_a_source(part: str, text: str, error_of) -> None:
    assert error_of(TOP + LOCAL + part) == text


CHANGED = [
    ('"local"', '"lokal"', "sources[0].kind: input should be 'apt', 'pypi', 'npm', 'https', 'hf', 'local', "),
    ('"foreground"', '"front"', "sources[0].role: input should be 'foreground', 'background' or 'photograph' (got"),
    ('path = "x"\n', "", "sources[0]: a source of kind 'local' needs 'path'"),
    ('attribution = "me"\n', "", "sources[0].attribution: this key is missing"),
    ('"me"', '""', "sources[0].attribution: string should have at least 1 character (got '')"),
    ('license = "MIT"', 'license = "MIIT"', "sources[0].license: not an SPDX licence expression: Unknown license"),
    ('license = "MIT"', 'license = ""', "sources[0].license: not an SPDX licence expression: empty (got '')"),
    ('license = "MIT"', 'license = "MIT AND"', "sources[0].license: not an SPDX licence expression: AND requires"),
    (
        'license = "MIT"',
        'license = "MIT WITH Apache-2.0"',
        "sources[0].license: not an SPDX licence expression: A plain",
    ),
    ('["MIT"]', '["MIT", "foo"]', "licenses[1]: not an SPDX licence expression: Unknown license key(s): foo"),
    ('["MIT"]', "[]", "licenses: needs at least 1 of them, has 0 (got [])"),
    ('["MIT"]', '"MIT"', "licenses: must be a list (got 'MIT')"),
    ('name = "t"\n', "", "name: this key is missing"),
    ('name = "t"', 'name = "My Set"', "name: string should match pattern '^[a-z0-9][a-z0-9-]*$' (got 'My Set')"),
    ("seed = 1", "seed = -1", "seed: input should be greater than or equal to 0 (got -1)"),
    (LOCAL, "", "sources: this key is missing"),
    (LOCAL, "sources = []", "sources: needs at least 1 of them, has 0 (got [])"),
    (LOCAL, 'sources = "procedural"', "sources: must be a list (got 'procedural')"),
    (LOCAL, "sources = [3]", "sources[0]: must be a table (got 3)"),
    (LOCAL, 'sources = ["procedurl"]', "sources[0]: no source 'procedurl'; did you mean 'procedural'?"),
    (LOCAL, 'sources = ["procedural", "zzz"]', "sources[1]: no source 'zzz'; choose from colorbox-photographs, "),
    (LOCAL, 'sources = ["nope.toml"]', "sources[0]: no file 'nope.toml' (looked at "),
    (LOCAL, LOCAL + LOCAL, "sources: the name 'a' is used twice"),
    (LOCAL, 'sources = ["procedural", "procedural"]', "sources: the name 'procedural' is used twice"),
    (LOCAL, LOCAL + "[oops", "not valid TOML: Expected ']' at the end of a table declaration"),
]


@pytest.mark.parametrize(("old", "new", "text"), CHANGED)
def test_error_after_a_change(old: str, new: str, text: str, error_of) -> None:
    assert (TOP + LOCAL).count(old) == 1
    message = error_of((TOP + LOCAL).replace(old, new))
    assert message.startswith(text)
    assert "\n" not in message


NEEDS = {
    "apt": "package",
    "pypi": "package",
    "npm": "package",
    "https": "urls",
    "hf": "path",
    "procedural": "count",
    "diffusers": "diffusion",
}


@pytest.mark.parametrize(("kind", "key"), NEEDS.items())
def test_each_kind_needs_its_key(kind: str, key: str, error_of) -> None:
    source = LOCAL.replace('"local"', f'"{kind}"').replace('path = "x"\n', "")
    assert error_of(TOP + source) == f"sources[0]: a source of kind '{kind}' needs '{key}'"


def test_one_checksum_a_url(error_of) -> None:
    source = (
        LOCAL.replace('"local"', '"https"').replace('path = "x"\n', "")
        + 'urls = ["https://a.org/b"]\nsha256 = ["1", "2"]\n'
    )
    assert error_of(TOP + source) == "sources[0]: 2 sha256 for 1 urls"


WRONG_KIND = [
    ('package = "p"\n', "'package' is for kind apt or pypi or npm, not for 'local'"),
    ('urls = ["https://a.org/b.png"]\n', "'urls' is for kind https, not for 'local'"),
    ("count = 3\n", "'count' is for kind procedural or diffusers, not for 'local'"),
    ('rows.split = "test"\n', "'rows' is for kind hf, not for 'local'"),
    ('diffusion = { model = "m", prompts = ["a"] }\n', "'diffusion' is for kind diffusers, not for 'local'"),
    ('categories = ["cat"]\n', "categories: needs a layout that has them, layout = 'files' has none"),
]


@pytest.mark.parametrize(("part", "text"), WRONG_KIND)
def test_keys_that_the_kind_does_not_read_are_mistakes(part: str, text: str, error_of) -> None:
    assert error_of(TOP + LOCAL + part) == f"sources[0]: {text}"


DIFFUSERS = LOCAL.replace('"local"', '"diffusers"').replace('path = "x"\n', "")
DRAWN = [
    ("count = 3\ndiffusion.model = 'm'\n", "sources[0].diffusion: give either 'prompts' or 'prompts_file'"),
    (
        "count = 3\ndiffusion = { model = 'm', prompts = ['a'], prompts_file = 'b' }\n",
        "sources[0].diffusion: give either 'prompts' or 'prompts_file'",
    ),
    ("diffusion = { model = 'm', prompts = ['a'] }\n", "sources[0]: a source of kind 'diffusers' needs 'count'"),
    (
        "count = 3\nrole = 'background'\ndiffusion = { model = 'm', prompts = ['a'] }\n",
        "sources[0]: a source of kind 'diffusers' makes foregrounds, not role = 'background'",
    ),
    (
        "count = 3\ndiffusion = { model = 'm', prompts = ['a'], setps = 3 }\n",
        "sources[0].diffusion.setps: unknown key; did you mean 'steps'?",
    ),
]


@pytest.mark.parametrize(("part", "text"), DRAWN)
def test_mistakes_about_drawing(part: str, text: str, error_of) -> None:
    source = DIFFUSERS.replace('role = "foreground"\n', "") if "role" in part else DIFFUSERS
    assert error_of(TOP + source + part).startswith(text)


def test_all_mistakes_are_told_at_once(error_of) -> None:
    text = error_of(TOP.replace("seed = 1", "seed = -1") + "sampels = 3\n" + LOCAL.replace("path", "pth"))
    assert [line.split(":")[0] for line in text.split("\n")] == ["seed", "sources[0].pth", "sampels"]


def test_a_source_file_beside_the_manifest(tmp_path: Path) -> None:
    plain = LOCAL.removeprefix("[[sources]]\n")
    (tmp_path / "mine.toml").write_text(plain)
    path = tmp_path / "m.toml"
    path.write_text(TOP + 'sources = ["mine.toml", "procedural"]\n')
    assert [s.name for s in load_manifest(path).sources] == ["a", "procedural"]
    (tmp_path / "mine.toml").write_text(plain + "cuont = 3\n")
    with pytest.raises(ManifestError) as caught:
        load_manifest(path)
    assert str(caught.value) == f"{tmp_path / 'mine.toml'}: cuont: unknown key; did you mean 'count'?"


def test_missing_manifest(tmp_path: Path) -> None:
    (tmp_path / "sample.toml").write_text(TOP)
    for name, said in (("sampel.toml", "; did you mean 'sample.toml'?"), ("x/y.toml", "")):
        with pytest.raises(ManifestError) as caught:
            load_manifest(tmp_path / name)
        assert str(caught.value) == f"{tmp_path / name}: no such manifest{said}"


def test_a_folder_is_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(ManifestError) as caught:
        load_manifest(tmp_path)
    assert str(caught.value) == f"{tmp_path}: cannot be read: Is a directory"


def test_not_utf8(error_of) -> None:
    assert error_of((TOP + "# caf").encode() + b"\xe9\n" + LOCAL.encode()) == f"not UTF-8: byte 0xe9 at {len(TOP) + 5}"


def test_splits_need_not_all_be_used() -> None:
    assert Splits(train=1, val=0, test=0).items() == (("train", 1.0),)


@pytest.mark.parametrize(("kind", "origin"), [("local", "real"), ("procedural", "generated"), ("apt", "real")])
def test_origin_follows_the_kind(kind: str, origin: str) -> None:
    given = {"name": "a", "kind": kind, "role": "foreground", "license": "MIT", "attribution": "x"}
    key = {"local": {"path": "x"}, "procedural": {"count": 1}, "apt": {"package": "p"}}[kind]
    assert Source.model_validate(given | key).origin == origin


def test_shares_of_counts_are_weights() -> None:
    objects = Objects(counts={"1": 1, "2": 3})
    assert [objects.share(n) for n in ("1", "2", "3")] == [0.25, 0.75, 0.0]


def test_manifests_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        load_manifest(DATA[0]).seed = 3


def test_sources_live_beside_data() -> None:
    assert load.SOURCES == ROOT / "manifests" / "sources"
