"""A Hugging Face Hub on loopback: repositories, pull requests, LFS, downloads with ranges; and faults on demand.

It answers as the Hub's HTTP API does, as far as `huggingface_hub` and `datasets` ask (git LFS batch API:
https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md). Contents lie in a folder, everything else in memory.
"""

import base64
import hashlib
import json
import re
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "hf_canary0token1that2nobody3may4print"
LFS_SUFFIXES = (".tar", ".parquet", ".png", ".jpg", ".safetensors")
MULTIPART = 1 << 22  # bytes above which an upload comes in parts, as above 5 GiB there
REFUSALS = {
    "gated/pets": (403, "GatedRepo", "Access to dataset gated/pets is restricted."),
    "zoo/none": (404, "RepoNotFound", "Repository not found"),
}


class Entry(NamedTuple):
    """A file of a commit: `blob` is git's SHA-1 (of the pointer, for LFS), `sha256` that of an LFS content."""

    blob: str
    size: int
    sha256: str | None


@dataclass
class Repo:
    kind: str
    name: str
    commits: dict = field(default_factory=dict)  # SHA-1 -> {path: Entry}
    refs: dict = field(default_factory=dict)  # "main", "refs/pr/1", tags -> SHA-1
    tags: list = field(default_factory=list)
    pulls: list = field(default_factory=list)

    def commit(self, ref, tree, sha=None):
        sha = sha or hashlib.sha1(f"{ref} {len(self.commits)} {sorted(tree.items())}".encode()).hexdigest()
        self.commits[sha], self.refs[ref] = tree, sha
        return sha

    def tree(self, revision):
        return self.commits[self.refs.get(revision, revision)]


@dataclass
class Fault:
    """What happens to the first `times` requests of `method` whose path matches, after `skip` of them.

    `action`: a status, answered instead; "late 503", answered after the work is done; "drop", the connection is cut
    after half of the body; "stall", half of the body is read and then nothing happens; "corrupt", of a commit: its last
    file comes to hold another content.
    """

    method: str
    path: str
    action: int | str
    times: int = 1
    skip: int = 0


class Hub:
    """The server. `faults` may be appended to, `seen` lists "METHOD path" of all requests, `stored` counts bytes,
    `ranges` lists the parts of files that were asked for."""

    def __init__(self, folder):
        self.folder, self.repos, self.faults, self.seen = Path(folder), {}, [], []
        self.ranges = []
        self.stored, self.tokens_seen_by_storage, self.stalled = 0, [], threading.Event()
        self.lock = threading.RLock()
        handler = type("Handler", (Handler,), {"hub": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.cdn = f"http://localhost:{self.server.server_port}"  # another host, as there: readers stop at it

    def start(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def env(self, home, token=TOKEN):
        """What a process needs in its environment to take this for the Hub."""
        known = {"HF_ENDPOINT": self.url, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1", "HF_TOKEN": token}
        return known | {"HF_HUB_DISABLE_TELEMETRY": "1"}

    def add(self, kind, name, files, sha=None):
        """A repository that is there already, with `files` (path to bytes) in main."""
        repo = self.repos[f"{kind}s/{name}"] = Repo(kind, name)
        repo.commit("main", {path: self.store(path, data) for path, data in files.items()}, sha)
        return repo

    def object(self, name):
        return self.folder / name

    def store(self, path, data):
        if path.endswith(LFS_SUFFIXES):
            sha256 = hashlib.sha256(data).hexdigest()
            self.object(sha256).write_bytes(data)
            return self.pointer(sha256, len(data))
        blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        self.object(blob).write_bytes(data)
        return Entry(blob, len(data), None)

    @staticmethod
    def pointer(sha256, size):
        text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()
        return Entry(hashlib.sha1(b"blob %d\0" % len(text) + text).hexdigest(), size, sha256)

    def read(self, entry):
        return self.object(entry.sha256 or entry.blob).read_bytes()

    def files(self, name, revision="main"):
        """Contents of a repository, e.g. `files("datasets/org/name")`."""
        return {path: self.read(entry) for path, entry in self.repos[name].tree(revision).items()}

    def fault(self, method, path):
        with self.lock:
            for fault in self.faults:
                if fault.method == method and re.search(fault.path, path) and fault.times:
                    if fault.skip:
                        fault.skip -= 1
                        return None
                    fault.times -= 1
                    return fault.action
        return None


@contextmanager
def hub(folder):
    """A running Hub that keeps its contents in `folder`."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    running = Hub(folder).start()
    try:
        yield running
    finally:
        running.stop()


class Refused(Exception):  # noqa: N818
    def __init__(self, status, code="", text="", **more):
        super().__init__(text)
        self.status, self.code, self.text, self.more = status, code, text or code, more


ROUTES = []


def route(method, pattern):
    def keep(function):
        ROUTES.append((method, re.compile(pattern), function))
        return function

    return keep


_REPO = r"(?P<repo>(?:datasets|models)/[^/]+/[^/]+)"


class Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def answer(self):
        parts = urlsplit(self.path)
        self.query = {k: v[0] for k, v in parse_qs(parts.query).items()}
        path = unquote(parts.path)
        self.hub.seen.append(f"{self.command} {path}")
        action = self.action = self.hub.fault(self.command, path)
        if action in ("drop", "stall"):
            self.cut(action)
            return
        body = self.body()
        try:
            if isinstance(action, int):
                raise Refused(action, text="made to fail")
            found = self.dispatch(path, body)
            if action == "late 503":
                raise Refused(503, text="the answer was lost")
            self.reply(found)
        except Refused as refused:
            told = {"X-Error-Code": refused.code, "X-Error-Message": refused.text} if refused.code else {}
            self.send(json.dumps({"error": refused.text, **refused.more}).encode(), refused.status, **told)

    do_GET = do_HEAD = do_POST = do_PUT = answer  # noqa: N815

    def dispatch(self, path, body):
        for name, told in REFUSALS.items():
            if name in path:
                raise Refused(*told)
        method = "GET" if self.command == "HEAD" else self.command
        for wanted, pattern, function in ROUTES:
            if wanted == method and (found := pattern.fullmatch(path)):
                with self.hub.lock:
                    return function(self, body, **found.groupdict())
        raise Refused(404, "EntryNotFound", f"{self.command} {path}: nothing here")

    def body(self):
        if "chunked" in (self.headers.get("Transfer-Encoding") or ""):
            data = b"".join(iter(self.chunk, b""))
        else:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return data

    def chunk(self):
        size = int(self.rfile.readline(), 16)
        data = self.rfile.read(size)
        self.rfile.readline()
        return data

    def cut(self, action):
        self.rfile.read(min(4096, int(self.headers.get("Content-Length") or 0) // 2))
        if action == "stall":
            self.hub.stalled.set()
            time.sleep(30)
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def writer(self):
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise Refused(401, text="Invalid username or password.")

    def repo(self, name):
        if name not in self.hub.repos:
            raise Refused(404, "RepoNotFound", "Repository not found")
        return self.hub.repos[name]

    def tree(self, name, revision):
        try:
            return self.repo(name).tree(revision)
        except KeyError:
            raise Refused(404, "RevisionNotFound", f"Invalid rev id: {revision}") from None

    def reply(self, found):
        body, status, headers = found if isinstance(found, tuple) else (json.dumps(found).encode(), 200, {})
        self.send(body, status, **headers)

    def send(self, body, status=200, **headers):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), "Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@route("GET", "/api/whoami-v2")
def whoami(self, _):
    self.writer()
    return {"type": "user", "name": "org", "orgs": [], "auth": {"accessToken": {"role": "write"}}}


@route("POST", "/api/validate-yaml")
def validate_yaml(self, body):
    return {"errors": [], "warnings": []}


@route("POST", "/api/repos/create")
def create(self, body):
    self.writer()
    asked = json.loads(body)
    kind, name = asked.get("type") or "model", f"{asked.get('organization') or 'org'}/{asked['name']}"
    prefix = "" if kind == "model" else f"{kind}s/"
    if f"{kind}s/{name}" in self.hub.repos:
        raise Refused(409, text="You already created this repo", url=f"{self.hub.url}/{prefix}{name}")
    self.hub.add(kind, name, {".gitattributes": b"*.tar filter=lfs diff=lfs merge=lfs -text\n"})
    return {"url": f"{self.hub.url}/{prefix}{name}", "name": name}


@route("GET", f"/api/{_REPO}(?:/revision/(?P<revision>.+))?")
def info(self, _, repo, revision=None):
    tree, found = self.tree(repo, revision or "main"), self.repo(repo)
    sha = found.refs.get(revision or "main", revision)
    known = {"id": found.name, "sha": sha, "private": False, "gated": False, "tags": [], "downloads": 0}
    return known | {"siblings": [{"rfilename": path} for path in sorted(tree)]}


@route("GET", f"/api/{_REPO}/refs")
def refs(self, _, repo):
    found = self.repo(repo)
    tags = [{"name": t, "ref": f"refs/tags/{t}", "targetCommit": found.refs[t]} for t in found.tags]
    main = {"name": "main", "ref": "refs/heads/main", "targetCommit": found.refs["main"]}
    return {"branches": [main], "tags": tags, "converts": []}


def describe(path, tree):
    if path in tree:
        entry = tree[path]
        told = {"type": "file", "path": path, "size": entry.size, "oid": entry.blob}
        lfs = {"oid": entry.sha256, "size": entry.size, "pointerSize": 130}
        return told | ({"lfs": lfs} if entry.sha256 else {})
    inside = any(name.startswith(f"{path}/") for name in tree)
    return {"type": "directory", "path": path, "size": 0, "oid": "0" * 40} if inside else None


@route("GET", f"/api/{_REPO}/tree/(?P<revision>refs/pr/[0-9]+|[^/]+)/?(?P<folder>.*)")
def tree_of(self, _, repo, revision, folder):
    tree = self.tree(repo, revision)
    above = {str(p) for name in tree for p in Path(name).parents} - {"."}
    prefix = f"{folder}/" if folder else ""
    inside = [p for p in sorted({*tree, *above}) if p.startswith(prefix)]
    deep = self.query.get("recursive", "").lower() == "true"
    return [describe(p, tree) for p in inside if deep or "/" not in p[len(prefix) :]]


@route("POST", f"/api/{_REPO}/paths-info/(?P<revision>.+)")
def paths_info(self, body, repo, revision):
    tree = self.tree(repo, revision)
    asked = json.loads(body)["paths"] if body.startswith(b"{") else parse_qs(body.decode())["paths"]
    return [e for e in (describe(path, tree) for path in asked) if e]


@route("POST", f"/api/{_REPO}/preupload/(?P<revision>.+)")
def preupload(self, body, repo, revision):
    self.writer()
    tree = self.tree(repo, revision)

    def one(path):
        oid = (tree[path].sha256 or tree[path].blob) if path in tree else None
        mode = "lfs" if path.endswith(LFS_SUFFIXES) else "regular"
        return {"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": oid}

    return {"files": [one(f["path"]) for f in json.loads(body)["files"]]}


@route("POST", r"/(?P<repo>(?:datasets/)?[^/]+/[^/]+)\.git/info/lfs/objects/batch")
def batch(self, body, repo):
    self.writer()
    self.repo(repo if repo.startswith("datasets/") else f"models/{repo}")

    def one(oid, size):
        told = {"oid": oid, "size": size}
        if self.hub.object(oid).exists():
            return told
        upload = {"href": f"{self.hub.url}/storage/{oid}?X-Amz-Signature=secret"}
        if size > MULTIPART:
            count = -(-size // MULTIPART)
            parts = {str(k): f"{self.hub.url}/storage/{oid}/{k}?X-Amz-Signature=secret" for k in range(1, count + 1)}
            upload = {"href": f"{self.hub.url}/complete/{oid}", "header": {"chunk_size": str(MULTIPART), **parts}}
        verify = {"href": f"{self.hub.url}/verify/{oid}"}
        return told | {"authenticated": True, "actions": {"upload": upload, "verify": verify}}

    return {"transfer": "basic", "objects": [one(o["oid"], o["size"]) for o in json.loads(body)["objects"]]}


@route("PUT", "/storage/(?P<oid>[0-9a-f]{64})(?:/(?P<part>[0-9]+))?")
def put(self, body, oid, part=None):
    self.hub.tokens_seen_by_storage.append(self.headers.get("Authorization"))
    if part is None and hashlib.sha256(body).hexdigest() != oid:
        raise Refused(400, text="SHA-256 mismatch")
    self.hub.stored += len(body)
    self.hub.object(f"{oid}.{part}" if part else oid).write_bytes(body)
    return b"", 200, {"ETag": f'"{hashlib.md5(body).hexdigest()}"'}


@route("POST", "/complete/(?P<oid>[0-9a-f]{64})")
def complete(self, body, oid):
    parts = [self.hub.object(f"{oid}.{p['partNumber']}") for p in json.loads(body)["parts"]]
    data = b"".join(p.read_bytes() for p in parts)
    if hashlib.sha256(data).hexdigest() != oid:
        raise Refused(400, text="SHA-256 mismatch")
    self.hub.object(oid).write_bytes(data)
    for part in parts:
        part.unlink()
    return {}


@route("POST", "/verify/(?P<oid>[0-9a-f]{64})")
def verify(self, body, oid):
    self.writer()
    if not self.hub.object(oid).exists() or self.hub.object(oid).stat().st_size != json.loads(body)["size"]:
        raise Refused(404, text="object is not stored")
    return {}


@route("POST", f"/api/{_REPO}/commit/(?P<revision>.+)")
def commit(self, body, repo, revision):
    self.writer()
    tree = dict(self.tree(repo, revision))
    for line in body.splitlines():
        change(self.hub, tree, **json.loads(line))
    if self.action == "corrupt":
        path = max(p for p in tree if tree[p].sha256)
        tree[path] = self.hub.pointer("0" * 64, tree[path].size)
    sha = self.repo(repo).commit(revision, tree)
    return {"success": True, "commitOid": sha, "commitUrl": f"{self.hub.url}/{repo}/commit/{sha}", "hookOutput": ""}


def change(hub, tree, key, value):
    path = value.get("path", "")
    if key == "file":
        tree[path] = hub.store(path, base64.b64decode(value["content"]))
    elif key == "lfsFile":
        if not hub.object(value["oid"]).exists():
            raise Refused(422, text=f"{path}: LFS object {value['oid']} was never uploaded")
        tree[path] = hub.pointer(value["oid"], hub.object(value["oid"]).stat().st_size)
    elif key == "deletedFile" and tree.pop(path, None) is None:
        raise Refused(404, "EntryNotFound", f"A file with this name doesn't exist: {path}")


def told(self, repo, pull):
    kind = self.repo(repo).kind
    about = {
        "repo": {"name": self.repo(repo).name, "type": kind},
        "isPullRequest": True,
        "author": {"name": pull["author"]},
    }
    changes = {"base": "refs/heads/main", "mergeCommitId": pull.get("merged")}
    shown = {k: pull[k] for k in ("num", "title", "status")}
    return (
        shown
        | about
        | {"createdAt": "2026-01-01T00:00:00.000Z", "events": [], "changes": changes}
        | {"filesWithConflicts": []}
    )


@route("GET", f"/api/{_REPO}/discussions")
def discussions(self, _, repo):
    pulls = [told(self, repo, p) for p in self.repo(repo).pulls]
    return {"discussions": pulls, "count": len(pulls), "start": 0}


@route("POST", f"/api/{_REPO}/discussions")
def open_pull(self, body, repo):
    self.writer()
    found = self.repo(repo)
    pull = {"num": len(found.pulls) + 1, "title": json.loads(body)["title"], "status": "draft", "author": "org"}
    pull["base"] = found.refs["main"]
    found.pulls.append(pull)
    found.refs[f"refs/pr/{pull['num']}"] = pull["base"]
    return {"num": pull["num"]}


@route("GET", f"/api/{_REPO}/discussions/(?P<num>[0-9]+)")
def discussion(self, _, repo, num):
    return told(self, repo, self.repo(repo).pulls[int(num) - 1])


@route("POST", f"/api/{_REPO}/discussions/(?P<num>[0-9]+)/status")
def status(self, body, repo, num):
    self.writer()
    new = self.repo(repo).pulls[int(num) - 1]["status"] = json.loads(body)["status"]
    event = {"id": "0", "type": "status-change", "createdAt": "2026-01-01T00:00:00.000Z", "author": {"name": "org"}}
    return {"newStatus": event | {"data": {"status": new}}}


@route("POST", f"/api/{_REPO}/discussions/(?P<num>[0-9]+)/merge")
def merge(self, _, repo, num):
    self.writer()
    found, pull = self.repo(repo), self.repo(repo).pulls[int(num) - 1]
    if pull["status"] != "open":
        raise Refused(400, text=f"This pull request is {pull['status']}")
    if found.refs["main"] != pull["base"]:
        raise Refused(409, text="This pull request has conflicts")
    pull["status"], pull["merged"] = "merged", found.commit("main", dict(found.tree(f"refs/pr/{num}")))
    return {}


@route("POST", f"/api/{_REPO}/tag/(?P<revision>.+)")
def tag(self, body, repo, revision):
    self.writer()
    found, name = self.repo(repo), json.loads(body)["tag"]
    if name in found.tags:
        raise Refused(409, text="Tag reference exists already")
    found.tags.append(name)
    found.refs[name] = found.refs.get(revision, revision)
    return {}


@route("GET", r"/(?P<repo>(?:datasets/)?[^/]+/[^/]+)/resolve/(?P<revision>refs/pr/[0-9]+|[^/]+)/(?P<path>.+)")
def resolve(self, _, repo, revision, path):
    name = repo if repo.startswith("datasets/") else f"models/{repo}"
    tree = self.tree(name, revision)
    if path not in tree:
        raise Refused(404, "EntryNotFound", "Entry not found")
    entry, sha = tree[path], self.repo(name).refs.get(revision, revision)
    told = {"X-Repo-Commit": sha, "ETag": f'"{entry.sha256 or entry.blob}"', "Accept-Ranges": "bytes"}
    if entry.sha256:
        linked = {"X-Linked-ETag": f'"{entry.sha256}"', "X-Linked-Size": str(entry.size)}
        return b"", 302, told | linked | {"Location": f"{self.hub.cdn}/cdn/{entry.sha256}"}
    return ranged(self, self.hub.read(entry), told)


@route("GET", "/cdn/(?P<oid>[0-9a-f]{64})")
def cdn(self, _, oid):
    return ranged(self, self.hub.object(oid).read_bytes(), {"ETag": f'"{oid}"', "Accept-Ranges": "bytes"})


def ranged(self, data, headers):
    asked = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
    if not asked:
        return data, 200, headers
    self.hub.ranges.append((int(asked[1]), asked[2]))
    first, last = int(asked[1]), min(int(asked[2] or len(data)), len(data) - 1)
    return data[first : last + 1], 206, headers | {"Content-Range": f"bytes {first}-{last}/{len(data)}"}
