"""The data-set card: read by YAML, by `datasets`, by TOML, and its code run."""

import gc
import re
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
import yaml

from pipeline.card import describe, features, front_matter, hub_license, write_card
from pipeline.facts import read_facts, read_plan
from pipeline.index import read_index
from pipeline.manifest import Manifest
from pipeline.report import report
from pipeline.shards import ShardError

datasets = pytest.importorskip("datasets")


@pytest.fixture(scope="module")
def described(tiny_build: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the build with its card and pictures, read offline."""
    out = shutil.copytree(tiny_build, tmp_path_factory.mktemp("card") / "tiny")
    describe(out)
    return out


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()


def front(out: Path) -> dict:
    return yaml.safe_load((out / "README.md").read_text().split("---\n")[1])


def block(out: Path, language: str, number: int = 0) -> str:
    return re.findall(rf"```{language}\n(.*?)```", (out / "README.md").read_text(), re.S)[number]


def test_describe_writes_three_files_the_same_twice(described: Path) -> None:
    names = ("README.md", "preview.png", "distributions.png")
    first = [(described / name).read_bytes() for name in names]
    describe(described)
    assert [(described / name).read_bytes() for name in names] == first


def test_front_matter(described: Path) -> None:
    data = front(described)
    shards = read_index(described)["shards"]
    assert (data["license"], data["pretty_name"], data["size_categories"]) == ("cc0-1.0", "tiny", ["n<1K"])
    assert data["task_categories"] == ["image-segmentation", "image-to-image"]
    files = [{"split": s, "path": f"data/{s}-*.tar"} for s in ("train", "val", "test")]
    assert data["configs"] == [{"config_name": "default", "data_files": files}]
    info = data["dataset_info"]
    assert sum(s["num_examples"] for s in info["splits"]) == 64
    assert info["download_size"] == sum((described / s["name"]).stat().st_size for s in shards)
    assert info["download_size"] == sum(s["num_bytes"] for s in info["splits"])


def test_datasets_reads_the_folder_by_its_card(described: Path, tmp_path: Path) -> None:
    streamed = datasets.load_dataset(str(described), streaming=True)
    bare = {"train": str(described / "data" / "train-*.tar")}
    inferred = datasets.load_dataset("webdataset", data_files=bare, streaming=True)["train"]
    assert {name: sum(1 for _ in split) for name, split in streamed.items()} == {
        s["name"]: s["num_examples"] for s in front(described)["dataset_info"]["splits"]
    }
    assert streamed["train"].features == inferred.features
    assert inferred.features._to_yaml_list() == features()
    first, other = next(iter(streamed["train"])), next(iter(inferred))
    assert first["json"] == other["json"]
    assert first["foreground.png"].mode == "RGBA"
    loaded = datasets.load_dataset(str(described), cache_dir=str(tmp_path), split="val")
    assert loaded.num_rows == streamed["val"].info.splits["val"].num_examples


def test_its_code_runs(described: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(described.parent)
    space: dict = {}
    exec(block(described, "python"), space)
    assert space["composite"].shape == (128, 128, 3)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # webdataset leaves the shard open
def test_its_other_code_runs(described: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("webdataset")
    monkeypatch.chdir(described.parent)
    space: dict = {}
    exec(block(described, "python", 1), space)
    gc.collect()
    assert space["foreground"].mode == "RGBA"
    assert space["metadata"]["key"] == "train_000000000"


def test_recomposition_check_can_fail(described: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(described.parent)
    code = block(described, "python").replace("fg[..., 3:] / 255", "fg[..., 3:] / 254")
    with pytest.raises(AssertionError):
        exec(code, {})


def test_manifest_is_the_one_that_was_built(described: Path) -> None:
    table = tomllib.loads(block(described, "toml"))
    assert Manifest.model_validate(table) == read_plan(described).manifest
    assert table["objects"]["max_upscale"] == read_plan(described).manifest.objects.max_upscale


def test_body_says_what_was_built(described: Path) -> None:
    text = (described / "README.md").read_text()
    index = read_index(described)
    for row in report(described):
        assert f"| {row.name} | {row.asked} | {row.achieved} |\n" in text
    train = [s for s in index["shards"] if s["name"].startswith("data/train-")]
    mib = sum(s["num_bytes"] for s in train) / 2**20
    assert f"| train | {sum(s['samples'] for s in train)} | {mib:.1f} | {len(train)} |\n" in text
    assert re.search(r"\| tiny-cutouts \| real foregrounds \| CC0-1\.0 \| layerloom \| \d+ \| \d+ \|\n", text)
    assert index["fingerprint"] in text
    assert f"numpy {index['versions']['numpy']}" in text
    assert "arXiv:2511.20996" in text
    assert "$" not in text
    for picture in re.findall(r"!\[.*?\]\((.*?)\)", text):
        assert (described / picture).is_file()


def test_licence_names() -> None:
    assert hub_license({"CC-BY-SA-4.0"}) == {"license": "cc-by-sa-4.0"}
    assert hub_license({"GPL-2.0-or-later"}) == {"license": "gpl-2.0"}
    assert hub_license({"CC0-1.0", "MIT"}) == {"license": "other", "license_name": "per-asset"}
    assert hub_license({"LicenseRef-scancode-Flora 1.1"}) == {
        "license": "other",
        "license_name": "licenseref-scancode-flora-1.1",
    }


def test_several_licences_lead_to_the_credits(described: Path) -> None:
    facts = read_facts(described)
    used = next(a.id for a in facts.assets if facts.uses[a.id])
    assets = [a.model_copy(update={"license": "MIT"}) if a.id == used else a for a in facts.assets]
    data = front_matter(read_plan(described).manifest, facts._replace(assets=assets), read_index(described))
    assert (data["license"], data["license_name"]) == ("other", "per-asset")
    assert (described / data["license_link"]).is_file()
    assert "license_link" not in front(described)


def test_unfinished_build_has_no_card(small_build: Path, copy_of: Callable[[Path], Path]) -> None:
    out = copy_of(small_build)
    (out / "meta" / "index.parquet").unlink()
    with pytest.raises(ShardError, match=r"this build is not finished: .*index\.parquet is missing"):
        write_card(out)
    assert not (out / "README.md").exists()


def test_description_and_dollars_are_taken_as_they_are(small_build: Path, copy_of: Callable[[Path], Path]) -> None:
    out = copy_of(small_build)
    path = out / ".build" / "build.json"
    stored = orjson.loads(path.read_bytes())
    stored["manifest"]["description"] = 'Costs $5, "all" of ${name}.'
    path.write_bytes(orjson.dumps(stored))
    text = write_card(out).read_text()
    assert '\nCosts $5, "all" of ${name}.\n' in text
    assert tomllib.loads(block(out, "toml"))["description"] == 'Costs $5, "all" of ${name}.'
