"""Publishing a build to a Hub on loopback: seconds, bytes, requests, and whether what comes back is what was built.

    python -m benchmarks.publish out/sample

The Hub is the one of the tests: it keeps what it is sent on the same disk, so this measures the client, not a network.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.hub_server import Hub, hub

COUNT = """
import hashlib, json, sys, time
import pyarrow.parquet as pq
out, how, url = sys.argv[1:]
rows = {row["key"]: row for row in pq.read_table(f"{out}/meta/index.parquet").to_pylist()}
right = members = samples = 0

def told(key, name, data):
    global right, members
    members += 1
    right += hashlib.sha256(data).hexdigest() == rows[key][f"sha256_{name.replace('.', '_')}"]

began = time.perf_counter()
if how == "webdataset":
    import webdataset
    shards = [f"{url}/data/{name}" for name in sorted({row["shard"] for row in rows.values()})]
    for sample in webdataset.WebDataset(shards, shardshuffle=False):
        samples += 1
        for name, data in sample.items():
            if not name.startswith("__"):
                told(sample["__key__"], name, data)
elif how == "snapshot_download":
    from huggingface_hub import snapshot_download
    folder = snapshot_download("org/bench", repo_type="dataset", local_dir="copy")
    shards = json.loads(open(f"{out}/index.json").read())["shards"]
    for shard in shards:
        members += 1
        right += hashlib.sha256(open(f"{folder}/{shard['name']}", "rb").read()).hexdigest() == shard["sha256"]
else:
    from datasets import Image, load_dataset
    for split in load_dataset("org/bench", streaming=how == "streaming").values():
        for name, feature in split.features.items():
            if isinstance(feature, Image):
                split = split.cast_column(name, Image(decode=False))
        for row in split:
            samples += 1
            for name, value in row.items():
                if name.endswith(".png"):
                    told(row["__key__"], name, value["bytes"])
seconds = time.perf_counter() - began
what = f"{samples:,} samples, {right:,} of {members:,} members" if samples else f"{right} of {members} shards"
print(f"{what} equal, {seconds:.1f} s")
"""


def main(out: Path) -> None:
    """Print one line a measurement."""
    with tempfile.TemporaryDirectory() as folder, hub(Path(folder) / "hub") as server:
        environment = os.environ | server.env(Path(folder) / "home") | {"no_proxy": "127.0.0.1,localhost"}
        environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[1])
        for what in ("first", "again"):
            before = server.stored
            began = time.perf_counter()
            call(["-m", "layerloom", "publish", str(out), "org/bench"], environment, folder)
            seconds = time.perf_counter() - began
            print(f"publish, {what}: {seconds:.1f} s, {server.stored - before:,} bytes sent, {requests(server)}")
            server.seen.clear()
        for how in ("streaming", "at once", "snapshot_download", "webdataset"):
            url = f"{server.url}/datasets/org/bench/resolve/main"
            print(f"{how}: {call(['-c', COUNT, str(out), how, url], environment, folder).strip()}")


def call(words: list[str], environment: dict[str, str], folder: str) -> str:
    """What a Python process prints."""
    command = [sys.executable, *words]
    return subprocess.run(
        command, env=environment, cwd=folder, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ).stdout


def requests(server: Hub) -> str:
    """How many, by method."""
    return ", ".join(f"{count} {method}" for method, count in Counter(s.split()[0] for s in server.seen).most_common())


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
