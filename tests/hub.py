"""A Hub on loopback, enough of it for streaming; run as a program, because the address is read on import.

    python -m tests.hub FOLDER CACHE ROWS...

serves FOLDER as the data set zoo/pets, fetches it once for each ROWS (a JSON object with the fields of `Rows`, and
`id` for another data set), and prints for each what came or the error, and how many requests it took.
"""

import hashlib
import json
import os
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "a" * 40
REFUSALS = {
    "gated/pets": (403, "GatedRepo", "Access to dataset gated/pets is restricted."),
    "zoo/none": (404, "RepoNotFound", "Repository not found"),
}


class Hub(BaseHTTPRequestHandler):
    """Answers as the Hub's API does for one public data set."""

    files: dict[str, bytes] = {}
    seen = []

    def answer(self):
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.seen.append(path)
        for name, (status, code, text) in REFUSALS.items():
            if name in path:
                self.send(json.dumps({"error": text}).encode(), status, **{"X-Error-Code": code})
                return
        if found := re.fullmatch(r"/datasets/zoo/pets/resolve/[^/]+/(.*)", path):
            self.send_file(found[1])
        elif path.startswith("/api/datasets/zoo/pets/paths-info/"):
            asked = json.loads(body)["paths"] if body.startswith(b"{") else parse_qs(body.decode())["paths"]
            self.send(json.dumps([e for e in map(self.entry, asked) if e]).encode())
        elif found := re.fullmatch(r"/api/datasets/zoo/pets/tree/[^/]+/?(.*)", path):
            self.send(json.dumps(self.tree(found[1], "recursive=true" in parts.query.lower())).encode())
        else:
            known = {"id": "zoo/pets", "sha": COMMIT, "private": False, "gated": False, "tags": [], "downloads": 0}
            known["siblings"] = [{"rfilename": f} for f in self.files]
            self.send(json.dumps(known).encode())

    do_GET = do_HEAD = do_POST = answer  # noqa: N815

    def entry(self, path):
        if path in self.files:
            digest = hashlib.sha1(self.files[path]).hexdigest()
            return {"type": "file", "path": path, "size": len(self.files[path]), "oid": digest}
        inside = any(f.startswith(f"{path}/") for f in self.files)
        return {"type": "directory", "path": path, "oid": "0" * 40} if inside else None

    def tree(self, folder, recursive):
        above = {str(p) for f in self.files for p in Path(f).parents} - {"."}
        prefix = f"{folder}/" if folder else ""
        inside = [p for p in sorted({*self.files, *above}) if p.startswith(prefix)]
        return [self.entry(p) for p in inside if recursive or "/" not in p[len(prefix) :]]

    def send_file(self, path):
        if path not in self.files:
            self.send(b"Entry not found", 404, **{"X-Error-Code": "EntryNotFound"})
            return
        data = self.files[path]
        tag = {"ETag": f'"{hashlib.sha1(data).hexdigest()}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        asked = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if not asked:
            self.send(data, **tag)
            return
        first, last = int(asked[1]), min(int(asked[2] or len(data)), len(data) - 1)
        span = {"Content-Range": f"bytes {first}-{last}/{len(data)}"}
        self.send(data[first : last + 1], 206, **tag, **span)

    def send(self, body, status=200, **headers):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


def main(folder, cache, *asked):
    Hub.files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in Path(folder).rglob("*") if p.is_file()}
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ |= {"HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}", "HF_HOME": f"{cache}/home"}
    return [json.dumps(one(Path(cache), json.loads(rows))) for rows in asked]


def one(cache, fields):
    from pipeline.source import Rows
    from pipeline.sources import AssetError, fetch

    before = len(Hub.seen)
    known = {"include": (), "exclude": (), "root": "", "layout": "files", "max_mb": 1}
    path = fields.pop("id", "zoo/pets")
    source = SimpleNamespace(name="pets", kind="hf", path=path, rows=Rows(**fields), **known)
    try:
        came = [[f.uri, f.caption, f.path.name, f.path.read_bytes().hex()] for f in fetch(source, cache, cache)]
    except AssetError as error:
        came = str(error)
    return {"came": came, "requests": len(Hub.seen) - before}


if __name__ == "__main__":
    sys.stdout.write("\n".join(main(*sys.argv[1:])) + "\n")
