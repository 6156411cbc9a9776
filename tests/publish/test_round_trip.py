"""A data set that was published is what was built, whoever reads it."""

import hashlib
import json
import shutil

import pytest

from pipeline.index import read_index, read_rows
from pipeline.preview import read_sample
from tests.publish.conftest import ROOT

REPO = "org/tiny"


@pytest.fixture
def local(tiny_build):
    """SHA-256 of every member of every sample, by split and key."""
    found = {}
    for row in read_rows(tiny_build).to_pylist():
        members = read_sample(tiny_build, row)
        found.setdefault(row["split"], {})[row["key"]] = {k: hashlib.sha256(v).hexdigest() for k, v in members.items()}
    return found


def test_every_file_is_there_and_main_has_the_tag(published, tiny_build):
    hub = published.hub
    files = hub.files(f"datasets/{REPO}")
    repo = hub.repos[f"datasets/{REPO}"]
    build = read_index(tiny_build)
    assert repo.tags == [f"build-{build['fingerprint'][:12]}"]
    assert repo.refs[repo.tags[0]] == repo.refs["main"]
    assert [p["status"] for p in repo.pulls] == ["merged"]
    for shard in build["shards"]:
        assert hashlib.sha256(files[shard["name"]]).hexdigest() == shard["sha256"]
    for name in ("meta/index.parquet", "meta/assets.parquet", "index.json", "preview.png", "ATTRIBUTION.md"):
        assert files[name] == (tiny_build / name).read_bytes()
    assert set(hub.tokens_seen_by_storage) == {None}  # signed addresses: the token is not theirs to see
    assert f"{len(files) - 1} files" in published.told  # all but .gitattributes, which the Hub makes
    assert "every file's size and hash on the Hub is right" in published.told


LOAD = """
import hashlib, io, json, sys
from datasets import Image, load_dataset
streaming = sys.argv[2] == "streaming"
found = {}
for split, rows in load_dataset(sys.argv[1], streaming=streaming).items():
    for name, feature in rows.features.items():
        if isinstance(feature, Image):
            rows = rows.cast_column(name, Image(decode=False))
    for row in rows:
        own = found.setdefault(split, {})[row["__key__"]] = {}
        for name, value in row.items():
            if name.endswith(".png"):
                own[name] = hashlib.sha256(value["bytes"]).hexdigest()
        own["json"] = row["json"]
print(json.dumps(found))
"""


@pytest.mark.parametrize("how", ["streaming", "at once"])
def test_datasets_gives_the_same_samples(published, local, tiny_build, how):
    found = json.loads(published.python(LOAD, REPO, how))
    told = {row["key"]: json.loads(read_sample(tiny_build, row)["json"]) for row in read_rows(tiny_build).to_pylist()}
    assert {split: len(rows) for split, rows in found.items()} == {split: len(rows) for split, rows in local.items()}
    for split, rows in found.items():
        for key, members in rows.items():
            assert members.pop("json") == told[key]
            assert members == {k: v for k, v in local[split][key].items() if k != "json"}


SNAPSHOT = """
import sys
from huggingface_hub import snapshot_download
print(snapshot_download(sys.argv[1], repo_type="dataset", local_dir=sys.argv[2]))
"""


def test_a_snapshot_is_a_build_to_check_and_to_look_at(published, tiny_build, tmp_path):
    published.python(SNAPSHOT, REPO, tmp_path / "copy")
    for shard in read_index(tiny_build)["shards"]:
        assert (tmp_path / "copy" / shard["name"]).read_bytes() == (tiny_build / shard["name"]).read_bytes()
    checked = published.layerloom("validate", tmp_path / "copy", "--rerender", "0", "--workers", "0")
    assert "valid: every rule holds" in checked.stdout
    assert published.layerloom("explore", tmp_path / "copy", "--count", "4", "--full", "1").returncode == 0
    assert (tmp_path / "copy" / "explore.html").is_file()


WEBDATASET = """
import hashlib, json, sys
import webdataset as wds
found = {}
for url in sys.argv[1:]:
    for sample in wds.WebDataset(url, shardshuffle=False):
        members = {k: hashlib.sha256(v).hexdigest() for k, v in sample.items() if not k.startswith("__")}
        found[sample["__key__"]] = members
print(json.dumps(found))
"""


@pytest.mark.skipif(shutil.which("curl") is None, reason="webdataset fetches by curl, which is not installed")
def test_webdataset_over_http_gives_the_same_samples(published, local, tiny_build):
    base = f"{published.hub.url}/datasets/{REPO}/resolve/main"
    found = json.loads(published.python(WEBDATASET, *(f"{base}/{s['name']}" for s in read_index(tiny_build)["shards"])))
    assert found == {key: members for rows in local.values() for key, members in rows.items()}


TRAINING = """
import sys
from pathlib import Path
from model.data.index import open_dataset
print(len(open_dataset(sys.argv[1], "train", Path(sys.argv[2])).rows))
"""


def test_the_models_own_reader_takes_its_address(published, local, tmp_path):
    address = f"{published.hub.url}/datasets/{REPO}/resolve/main"
    assert int(published.python(TRAINING, address, tmp_path / "shards")) == len(local["train"])


CROISSANT = """
import hashlib, json, sys
import mlcroissant as mlc
data = mlc.Dataset(sys.argv[1])
index = [row["index/key"].decode() for row in data.records("index")]
masks = {}
for row in data.records("mask"):
    masks[row["mask/key"].decode()] = hashlib.sha256(row["mask/image"].tobytes()).hexdigest()
print(json.dumps([index, masks, data.metadata.license]))
"""


def test_mlcroissant_reads_tables_and_pictures(published, tiny_build):
    from stages.codec import decode_png

    index, masks, licenses = json.loads(
        published.python(CROISSANT, f"{published.hub.url}/datasets/{REPO}/resolve/main/croissant.json")
    )
    rows = read_rows(tiny_build).to_pylist()
    assert index == [row["key"] for row in rows]
    assert licenses == ["https://spdx.org/licenses/CC0-1.0.html"]
    for row in rows:
        pixels = decode_png(read_sample(tiny_build, row)["mask.png"])
        assert masks[row["key"]] == hashlib.sha256(pixels.tobytes()).hexdigest()


def test_published_again_nothing_is_sent(published, tiny_build):
    hub = published.hub
    before = dict(hub.repos[f"datasets/{REPO}"].refs)
    done = published.layerloom("publish", tiny_build, REPO)
    assert "holds all of it already" in done.stdout
    assert hub.repos[f"datasets/{REPO}"].refs == before


MODEL = """
import hashlib, sys
import numpy as np
from model.decompose import LayerDecompositionPipeline
rng = np.random.default_rng(0)
picture = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
mask = np.zeros((48, 64), np.bool_)
mask[10:30, 20:50] = True
made = LayerDecompositionPipeline.from_pretrained(sys.argv[1])(picture, mask)
print(hashlib.sha256(made.foreground.tobytes() + made.background.tobytes()).hexdigest())
"""


def test_a_published_model_answers_as_the_local_one(client):
    folder = ROOT / "weights" / "nano-adapt"
    planned = client.layerloom("publish-model", folder, "org/nano", "--dry-run")
    assert "model org/nano" in planned.stdout
    assert client.hub.seen == []
    done = client.layerloom("publish-model", folder, "org/nano")
    assert done.returncode == 0, done.stderr
    files = client.hub.files("models/org/nano")
    assert {"README.md", "layers.json", "layers.safetensors", "pytorch_lora_weights.safetensors"} <= set(files)
    assert [t.split("-")[0] for t in client.hub.repos["models/org/nano"].tags] == ["weights"]
    assert client.python(MODEL, "org/nano") == client.python(MODEL, folder)
    assert "holds all of it already" in client.layerloom("publish-model", folder, "org/nano").stdout


OFFSET = """
import io, json, sys, tarfile
from huggingface_hub import HfFileSystem
path, offset, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with HfFileSystem().open(path, "rb", block_size=4096) as file:
    file.seek(offset)
    data = file.read(size)
print(tarfile.TarInfo.frombuf(data[:512], "utf-8", "strict").name)
"""


def test_one_sample_is_read_by_its_offset(published, tiny_build):
    row = read_rows(tiny_build).to_pylist()[3]
    published.hub.seen.clear()
    path = f"datasets/{REPO}/data/{row['shard']}"
    assert published.python(OFFSET, path, row["offset"], 2048).strip() == f"{row['key']}.composite.png"
    assert row["offset"] > 4096
    assert published.hub.ranges[-1][0] >= row["offset"] - 4096  # no byte before it was asked for
