"""Data sets of a Hub on loopback; run as a program, because the Hub's address is read on import.

    python -m tests.hub FOLDER CACHE ROWS...

serves FOLDER as the data set zoo/pets, fetches it once for each ROWS (a JSON object with the fields of `Rows`, and
`id` for another data set), and prints for each what came or the error, and how many requests it took.
"""

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

from tests.hub_server import hub

COMMIT = "a" * 40


def main(folder, cache, *asked):
    files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in Path(folder).rglob("*") if p.is_file()}
    with hub(Path(cache) / "hub") as server:
        server.add("dataset", "zoo/pets", files, COMMIT)
        os.environ |= {"HF_ENDPOINT": server.url, "HF_HOME": f"{cache}/home"}
        return [json.dumps(one(server, Path(cache), json.loads(rows))) for rows in asked]


def one(server, cache, fields):
    from pipeline.source import Rows
    from pipeline.sources import AssetError, fetch

    before = len(server.seen)
    known = {"include": (), "exclude": (), "root": "", "layout": "files", "max_mb": 1}
    path = fields.pop("id", "zoo/pets")
    source = SimpleNamespace(name="pets", kind="hf", path=path, rows=Rows(**fields), **known)
    try:
        came = [[f.uri, f.caption, f.path.name, f.path.read_bytes().hex()] for f in fetch(source, cache, cache)]
    except AssetError as error:
        came = str(error)
    return {"came": came, "requests": len(server.seen) - before}


if __name__ == "__main__":
    sys.stdout.write("\n".join(main(*sys.argv[1:])) + "\n")
