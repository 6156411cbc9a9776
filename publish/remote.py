"""A repository on the Hugging Face Hub: what it holds, and the few changes that publishing makes to it.

Every function looks before it acts, so that it can be called again after an answer was lost.
"""

import fnmatch
import hashlib
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import disable_progress_bars, logging  # type: ignore[attr-defined]

from publish.errors import PublishError

T = TypeVar("T")

_ATTEMPTS = 6
_AT_ONCE = 5  # files that are stored side by side
_WAIT = 1.0  # seconds before the second attempt; doubled for each after it
_CLIENT_ERROR: type[BaseException] = HfHubHTTPError.__bases__[
    0
]  # of all that the HTTP client raises, whose package changed its name
_HELP = "; log in with `hf auth login`, or set HF_TOKEN, with a token that may write there"
_FAULTS = (_CLIENT_ERROR, OSError, RuntimeError)  # RuntimeError: of an upload, around its cause


class Item(NamedTuple):
    """A file to publish: its `path` in the repository, what it holds, and that content's size and SHA-256 (hex)."""

    path: str
    source: Path | bytes
    num_bytes: int
    sha256: str


def item_of(path: str, source: Path | bytes) -> Item:
    """A file, or a content, as an item, with the size and hash that it has now."""
    if isinstance(source, bytes):
        return Item(path, source, len(source), hashlib.sha256(source).hexdigest())
    with source.open("rb") as file:
        return Item(path, source, source.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())


class Target(NamedTuple):
    """Where to publish, and how.

    `title` names the pull request, by which an interrupted upload is found again. `owned` are patterns of paths that
    belong to what is published: files there that are no longer published are removed, and a `tag` may only stay where
    it is if they are the same there.
    """

    repo: str
    kind: Literal["dataset", "model"]
    title: str
    tag: str
    owned: tuple[str, ...]
    private: bool = False
    merge: bool = True

    def owns(self, path: str) -> bool:
        """Whether a path of the repository is covered by `owned`."""
        return any(fnmatch.fnmatchcase(path, pattern) for pattern in self.owned)


Tree = Mapping[str, RepoFile]


class Remote:
    """The repository of a target. All methods raise PublishError with the Hub's own words where it refuses."""

    def __init__(self, target: Target, sleep: Callable[[float], None] = time.sleep) -> None:
        disable_progress_bars()
        logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # its warnings show signed addresses
        self.target = target
        self._api, self._sleep = HfApi(library_name="layerloom"), sleep

    def create(self) -> str:
        """Make the repository if there is none; returns its address."""
        t = self.target
        return str(self._do(lambda: self._api.create_repo(t.repo, repo_type=t.kind, private=t.private, exist_ok=True)))

    def tree(self, revision: str) -> Tree:
        """All files of a revision by path."""

        def read() -> Tree:
            found = self._api.list_repo_tree(
                self.target.repo, recursive=True, revision=revision, repo_type=self.target.kind
            )
            return {entry.path: entry for entry in found if isinstance(entry, RepoFile)}

        return self._do(read)

    def head(self, revision: str) -> str:
        """SHA-1 of the commit that a revision is at."""
        info = self._do(lambda: self._api.repo_info(self.target.repo, revision=revision, repo_type=self.target.kind))
        return str(info.sha)

    def pull_request(self) -> int:
        """Number of our own open pull request with the target's title; a new one is made if there is none."""
        t = self.target

        def find() -> int:
            mine = self._api.whoami()["name"]
            for pull in self._api.get_repo_discussions(t.repo, repo_type=t.kind, discussion_type="pull_request"):
                if pull.title == t.title and pull.author == mine and pull.status in ("draft", "open"):
                    return int(pull.num)
            return int(self._api.create_pull_request(t.repo, title=t.title, repo_type=t.kind).num)

        return self._do(find)

    def send(
        self,
        revision: str,
        items: Sequence[Item],
        gone: Sequence[str],
        message: str,
        stored: Callable[[Sequence[Item]], object] = lambda items: None,
    ) -> None:
        """One commit: add `items` and delete the paths `gone`, as far as a look at the revision says it is left to do.

        `stored` is told of items whose contents have arrived, before they are committed; at each attempt anew.
        """
        t = self.target

        def step() -> None:
            tree = self.tree(revision)
            left = missing(items, tree)
            additions = [_addition(item) for item in left]
            for k in range(0, len(left), _AT_ONCE):
                some = slice(k, k + _AT_ONCE)
                self._api.preupload_lfs_files(
                    t.repo, additions[some], repo_type=t.kind, revision=revision, free_memory=False
                )
                stored(left[some])
            operations: list[CommitOperationAdd | CommitOperationDelete] = [*additions]
            operations += [CommitOperationDelete(path) for path in gone if path in tree]
            if operations:
                self._api.create_commit(t.repo, operations, commit_message=message, repo_type=t.kind, revision=revision)

        self._do(step)

    def offer(self, pull: int) -> None:
        """Take a pull request out of its draft."""
        t = self.target

        def step() -> None:
            if self._status(pull) == "draft":
                self._api.change_discussion_status(t.repo, pull, "open", repo_type=t.kind)

        self._do(step)

    def merge(self, pull: int) -> None:
        """Merge a pull request into main."""
        t = self.target

        def step() -> None:
            if self._status(pull) != "merged":
                self._api.merge_pull_request(t.repo, pull, repo_type=t.kind)

        self._do(step)

    def _status(self, pull: int) -> str:
        return str(self._api.get_discussion_details(self.target.repo, pull, repo_type=self.target.kind).status)

    def tags(self) -> dict[str, str]:
        """SHA-1 of each tag's commit."""
        refs = self._do(lambda: self._api.list_repo_refs(self.target.repo, repo_type=self.target.kind))
        return {tag.name: tag.target_commit for tag in refs.tags}

    def tag(self, commit: str) -> None:
        """Put the target's tag on a commit; one that is there stays."""
        t = self.target
        self._do(lambda: self._api.create_tag(t.repo, tag=t.tag, revision=commit, repo_type=t.kind, exist_ok=True))

    def _do(self, step: Callable[[], T]) -> T:
        """Run a step; if the network or the Hub fails for a moment, wait and run it again."""
        for attempt in range(_ATTEMPTS):
            try:
                return step()
            except _FAULTS as error:
                if attempt + 1 == _ATTEMPTS or not passing(error):
                    raise PublishError(f"{self.target.repo}: {plain(error)}") from None
            self._sleep(_WAIT * 2**attempt)
        raise AssertionError("unreachable")


def _addition(item: Item) -> CommitOperationAdd:
    """Raises PublishError where a file is not what it should be."""
    if isinstance(item.source, Path) and not item.source.is_file():
        raise PublishError(f"{item.source}: the file is gone")
    added = CommitOperationAdd(item.path, item.source)
    found = added.upload_info.sha256.hex()
    if (added.upload_info.size, found) != (item.num_bytes, item.sha256):
        what = f"{added.upload_info.size} bytes of SHA-256 {found}, must be {item.num_bytes} of {item.sha256}"
        raise PublishError(f"{item.source if isinstance(item.source, Path) else item.path} is damaged: {what}")
    return added


def matches(item: Item, remote: RepoFile | None) -> bool:
    """Whether the Hub holds an item's content: by size and SHA-256, for small files by git's hash of a blob."""
    if remote is None or remote.size != item.num_bytes:
        return False
    if remote.lfs is not None:
        return bool(remote.lfs.sha256 == item.sha256)
    data = item.source if isinstance(item.source, bytes) else item.source.read_bytes()
    blob = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
    return bool(remote.blob_id == blob)


def missing(items: Iterable[Item], tree: Tree) -> list[Item]:
    """The items that a revision does not hold, or not with their content."""
    return [item for item in items if not matches(item, tree.get(item.path))]


def passing(error: BaseException | None) -> bool:
    """Whether an error may be gone when the same is tried again: the network's, or the Hub's own (429, 5xx)."""
    while error is not None:
        response = getattr(error, "response", None)
        if response is not None:
            return bool(response.status_code == 429 or response.status_code >= 500)
        if isinstance(error, (_CLIENT_ERROR, ConnectionError, TimeoutError)):
            return True
        error = error.__cause__
    return False


def plain(error: BaseException) -> str:
    """An error on one line, without the queries of addresses (they hold signatures) and without tokens."""
    text = " ".join(str(error).split()) or type(error).__name__
    cause = " ".join(str(error.__cause__ or "").split())
    text = f"{text} {cause}" if cause not in text else text
    text = re.sub(r" For more information check: \S+", "", text)
    text = re.sub(r"\bhf_\w{8,}", "hf_***", re.sub(r"(https?://[^\s'\"?]+)\?[^\s'\")]*", r"\1", text))
    status = getattr(getattr(error, "response", None), "status_code", None)
    return text + _HELP if status in (401, 403) else text
