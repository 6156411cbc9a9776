"""Card and Croissant document of a published data set, by the Hub's own reader of cards and by the validator."""

import json
import re

import mlcroissant
import pytest
from huggingface_hub import DatasetCard
from license_expression import get_spdx_licensing

from pipeline.index import read_index, read_rows
from pipeline.shards import MEMBERS
from publish.dataset import prepare

REPO = "org/small"


@pytest.fixture(scope="module")
def texts(small_build):
    """README.md and croissant.json, as text by path."""
    items = prepare(small_build, REPO, tag="v1").items
    return {i.path: i.source.decode() for i in items if isinstance(i.source, bytes)}


def test_the_hub_reads_its_metadata(texts, small_build):
    data = DatasetCard(texts["README.md"]).data
    index = read_index(small_build)
    assert data.license == "cc0-1.0"
    assert data.size_categories == ["n<1K"]
    assert {s["name"]: s["num_examples"] for s in data.dataset_info["splits"]} == {
        split: sum(s["samples"] for s in index["shards"] if s["name"].startswith(f"data/{split}-"))
        for split in ("train", "val", "test")
    }
    assert data.dataset_info["dataset_size"] == sum(s["num_bytes"] for s in index["shards"])
    assert [c["config_name"] for c in data.configs] == ["default"]
    paths = [f["path"] for c in data.configs for f in c["data_files"]]
    assert all(p.startswith("data/") and p.endswith(".tar") for p in paths)  # no parquet


def test_its_words_are_for_a_reader_of_the_hub(texts):
    text = texts["README.md"]
    assert f'here = "{REPO}"' in text
    assert f'shard = "https://huggingface.co/datasets/{REPO}/resolve/v1/data/train-00000-of-' in text
    assert f"hf download {REPO} --repo-type dataset --revision v1" in text
    assert "$" not in re.sub(r"```.*?```", "", text, flags=re.S)
    assert "arXiv:2511.20996" in text


def test_licence_table_counts_samples(texts, small_build):
    lines = re.findall(r"^\| ([A-Za-z0-9.-]+) \| (\d+) \| (\d+) \|$", texts["README.md"].split("## Licences")[1], re.M)
    told = {name: int(samples) for name, _, samples in lines}
    counted = {}
    for row in read_rows(small_build).to_pylist():
        for name in get_spdx_licensing().license_keys(row["license"]):
            counted[name.upper()] = counted.get(name.upper(), 0) + 1
    assert {k.upper(): v for k, v in told.items()} == counted


@pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated")  # rdflib to mlcroissant
def test_croissant_is_valid_and_names_every_shard(texts, small_build, tmp_path):
    path = tmp_path / "croissant.json"
    path.write_text(texts["croissant.json"])
    found = mlcroissant.Dataset(str(path)).metadata
    assert found.ctx.issues.errors == set()
    files = {f.id: f for f in found.distribution if isinstance(f, mlcroissant.FileObject)}
    for shard in read_index(small_build)["shards"]:
        assert files[shard["name"]].sha256 == shard["sha256"]
        assert files[shard["name"]].content_url == f"https://huggingface.co/datasets/{REPO}/resolve/v1/{shard['name']}"
    names = [r.id for r in found.record_sets]
    assert names == ["index", "assets", *(m.removesuffix(".png") for m in MEMBERS if m != "json")]
    assert json.loads(texts["croissant.json"])["citeAs"].startswith("@article{chen2025")
