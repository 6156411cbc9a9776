"""Upload to a pull request, verify there, merge, tag: main never holds half of what is published."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from huggingface_hub.errors import HFValidationError
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

from pipeline.listener import Listener
from publish.errors import PublishError
from publish.remote import Item, Remote, Target, Tree, missing

_GROUP_BYTES, _GROUP_FILES = 4 * 2**30, 100  # of one commit: what an interruption can cost


class Published(NamedTuple):
    """Where it is. `pull` is 0 if there was nothing to upload; `sent` are files of this call, not of earlier ones."""

    url: str
    commit: str
    tag: str
    pull: int
    merged: bool
    sent: int
    num_bytes: int


def check_repo(name: str) -> None:
    """Raise PublishError unless `name` is one that the Hub takes, with its organisation or user."""
    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise PublishError(f"{name}: {' '.join(str(error).split())}") from None
    if "/" not in name:
        raise PublishError(f"{name}: must be organisation/name, or user/name")


def upload(items: Sequence[Item], target: Target, listener: Listener | None = None) -> Published:
    """Publish `items` as the content of a repository, which is made if there is none.

    They go to a pull request in groups. What that holds already, from a call that was interrupted, is not sent again.
    When every remote size and hash is right, the request is merged into main, main is checked, and tagged.
    Files of main that are not `items` stay, unless the target owns them.

    Raises:
        PublishError: a file that is missing or damaged; a hub that refuses, or fails for longer than a minute; a
            remote file that is not what was sent; a tag that stands for something else.
    """
    remote = Remote(target)
    url, main = remote.create(), remote.tree("main")
    tagged = _check_tag(remote, items)
    if not _left(items, main, target):
        commit = remote.head("main")
        if not tagged:
            remote.tag(commit)
        return Published(url, commit, target.tag, 0, True, 0, 0)
    pull = remote.pull_request()
    sent = _fill(remote, f"refs/pr/{pull}", items, listener)
    _verify(remote, f"refs/pr/{pull}", items, main)
    remote.offer(pull)
    if target.merge:
        _merge(remote, pull, f"{url}/discussions/{pull}")
        _verify(remote, "main", items, main)
    commit = remote.head("main" if target.merge else f"refs/pr/{pull}")
    if target.merge and not tagged:
        remote.tag(commit)
    return Published(url, commit, target.tag, pull, target.merge, len(sent), sum(item.num_bytes for item in sent))


def _merge(remote: Remote, pull: int, page: str) -> None:
    try:
        remote.merge(pull)
    except PublishError as error:  # most often main was changed meanwhile, or the token may not write to it
        raise PublishError(f"{error}; all files are there and right: merge {page}, or close it and run again") from None


def _left(items: Sequence[Item], tree: Tree, target: Target) -> bool:
    return bool(missing(items, tree) or stale(items, tree, target))


def stale(items: Sequence[Item], tree: Tree, target: Target) -> list[str]:
    """Paths that the target owns and does not publish any longer."""
    kept = {item.path for item in items}
    return [path for path in tree if path not in kept and target.owns(path)]


def _check_tag(remote: Remote, items: Sequence[Item]) -> bool:
    """Whether the tag is there already. Raises PublishError if it stands for something else."""
    target = remote.target
    commit = remote.tags().get(target.tag)
    if commit is None:
        return False
    owned = [item for item in items if target.owns(item.path)]
    if _left(owned, remote.tree(commit), target):
        raise PublishError(f"{target.repo}: the tag {target.tag} stands for other files; choose another with --tag")
    return True


def _fill(remote: Remote, revision: str, items: Sequence[Item], listener: Listener | None) -> list[Item]:
    """Bring a revision to hold `items`; returns what was sent."""
    todo = missing(items, remote.tree(revision))
    if listener:
        listener.stage("upload", len(items))
        listener.advance(len(items) - len(todo), Counter())
    told: set[str] = set()

    def stored(group: Sequence[Item]) -> None:
        fresh = {item.path for item in group} - told
        told.update(fresh)
        if listener:
            listener.advance(len(fresh), Counter())

    for number, group in enumerate(_groups(todo), 1):
        message = f"Add {len(group)} files ({number}): {group[0].path} to {group[-1].path}"
        remote.send(revision, group, (), message, stored)
    if gone := stale(items, remote.tree(revision), remote.target):
        remote.send(revision, (), gone, "Remove what is replaced")
    return todo


def _groups(items: Sequence[Item]) -> Iterator[list[Item]]:
    group: list[Item] = []
    for item in items:
        if group and (len(group) == _GROUP_FILES or sum(i.num_bytes for i in group) + item.num_bytes > _GROUP_BYTES):
            yield group
            group = []
        group.append(item)
    if group:
        yield group


def _verify(remote: Remote, revision: str, items: Sequence[Item], before: Tree) -> None:
    """Raise PublishError unless a revision is `before`, main as it was, with `items` and without what is stale."""
    tree, ours = remote.tree(revision), {item.path for item in items}
    wrong = [item.path for item in missing(items, tree)] + stale(items, tree, remote.target)
    wrong += [path for path, entry in tree.items() if path not in ours and not _same(entry, before.get(path))]
    if wrong:
        what = f"{len(wrong)} files are not as they should be, the first is {wrong[0]}"
        raise PublishError(f"{remote.target.repo} at {revision}: {what}")


def _same(entry: RepoFile, other: RepoFile | None) -> bool:
    return other is not None and entry.blob_id == other.blob_id
