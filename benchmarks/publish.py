"""Publishing a build to a Hub on loopback: seconds, bytes, requests, and what comes back.

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

READ = """
import sys, time
from datasets import load_dataset
began = time.perf_counter()
rows = load_dataset("org/bench", split="train", streaming=sys.argv[1] == "streaming")
print(sum(1 for _ in rows), f"{time.perf_counter() - began:.1f}")
"""


def main(out: str) -> None:
    """Print one line a measurement."""
    with tempfile.TemporaryDirectory() as folder, hub(Path(folder) / "hub") as server:
        environment = os.environ | server.env(Path(folder) / "home") | {"no_proxy": "127.0.0.1,localhost"}
        for what in ("first", "again"):
            seconds = timed([sys.executable, "-m", "layerloom", "publish", out, "org/bench"], environment)
            print(f"{what}: {seconds:.1f} s, {server.stored:,} bytes stored, {counted(server)}")
            server.seen.clear()
        for how in ("streaming", "at once"):
            done = subprocess.run(
                [sys.executable, "-c", READ, how], env=environment, capture_output=True, text=True, check=True
            )
            print(f"load_dataset, {how}: samples and seconds {done.stdout.strip()}")


def timed(command: list[str], environment: dict[str, str]) -> float:
    """Seconds that a command took."""
    began = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def counted(server: Hub) -> str:
    """Requests by method."""
    return ", ".join(f"{n} {method}" for method, n in Counter(s.split()[0] for s in server.seen).most_common())


if __name__ == "__main__":
    main(sys.argv[1])
