"""The token is nobody's to see: not in a log, card, config, pickle, Ray object, nor in a build or a run."""

import tempfile
from pathlib import Path

from pipeline.markup import toml
from tests.hub_server import TOKEN, Fault
from tests.model.runs import tiny_config, write_data
from tests.publish.conftest import ROOT


def holding(secret, *folders):
    """Files below `folders` in which the bytes of `secret` stand."""
    files = (p for folder in folders for p in Path(folder).rglob("*") if p.is_file() and not p.is_symlink())
    return sorted(str(p) for p in files if secret in p.read_bytes())


def test_the_search_finds_what_is_there(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.bin").write_bytes(b"\0\1" + TOKEN.encode() + b"\0")
    assert holding(TOKEN.encode(), tmp_path) == [str(tmp_path / "a" / "b.bin")]


def test_publishing_writes_it_nowhere(client, small_build, copy_of, tmp_path):
    out = copy_of(small_build)
    client.hub.faults += [
        Fault("POST", "/preupload/", 500),
        Fault("PUT", "/storage/", "drop"),
        Fault("POST", "/commit/", 503),
        Fault("POST", "/merge$", 400),
    ]
    said = ""
    for _ in range(2):  # the first fails at the merge
        done = client.layerloom("publish", out, "org/tiny", HF_HUB_VERBOSITY="debug", HOME=str(tmp_path / "user"))
        said += done.stdout + done.stderr
    assert done.returncode == 0, said
    assert TOKEN not in said
    assert holding(TOKEN.encode(), tmp_path) == []  # the build, what the Hub stores, HF_HOME and HOME


BUILD = """
import sys
import ray.cloudpickle as pickles
from layerloom import app

plain, seen = pickles.dumps, []

def spy(*args, **more):
    seen.append(bytes(plain(*args, **more)))
    return plain(*args, **more)

pickles.dumps = spy
try:
    app(sys.argv[2:])
finally:
    print("pickled", len(seen), sum(sys.argv[1].encode() in data for data in seen))
"""


def test_building_on_ray_writes_it_nowhere(client, tiny_base, tmp_path):
    manifest = tiny_base / "canary.toml"
    manifest.write_text((ROOT / "manifests" / "data" / "tiny.toml").read_text().replace("samples = 64", "samples = 8"))
    words = ("build", manifest, "--out", "out", "--cache", "cache", "--workers", "2")
    with tempfile.TemporaryDirectory(prefix="ray", dir="/tmp") as ray:  # paths of sockets must be short
        said = client.python(BUILD, TOKEN, *words, RAY_TMPDIR=ray, RAY_LOGGING_LEVEL="DEBUG")
        assert list(Path(ray).rglob("*.log"))  # there were logs to search
        assert holding(TOKEN.encode(), ray, tmp_path) == []
    _, count, bad = said.splitlines()[-1].split()
    assert int(count) > 5
    assert int(bad) == 0
    assert TOKEN not in said


def test_a_run_and_its_published_model_hold_it_nowhere(client, tmp_path):
    config = tiny_config(write_data(tmp_path / "scenes"))
    (tmp_path / "tiny.toml").write_text(toml(config.model_dump(mode="json")))
    done = client.layerloom("train", "tiny.toml", "--out", "run")
    assert done.returncode == 0, done.stderr
    sent = client.layerloom("publish-model", "run", "org/tiny", "--license", "mit")
    assert sent.returncode == 0, sent.stderr
    assert {"run/metrics.jsonl", "run/model/training.json"} <= {
        p.relative_to(tmp_path).as_posix() for p in (tmp_path / "run").rglob("*")
    }
    assert TOKEN not in done.stdout + done.stderr + sent.stdout + sent.stderr
    assert holding(TOKEN.encode(), tmp_path) == []
