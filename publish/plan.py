"""The plan of a publication, as lines for a person."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from publish.remote import Item, Target
from publish.upload import Published


def size(num_bytes: int) -> str:
    """Bytes in the unit that a person reads: `412 B`, `3.1 KiB`, `1.7 GiB`."""
    value, units = float(num_bytes), ["B", "KiB", "MiB", "GiB", "TiB"]
    while value >= 1024 and len(units) > 1:
        value, units = value / 1024, units[1:]
    return f"{num_bytes} B" if units[0] == "B" else f"{value:.1f} {units[0]}"


def plan_lines(items: Sequence[Item], target: Target, notes: Sequence[str]) -> Iterator[str]:
    """What would be uploaded, by folder, and in which steps."""
    yield f"{target.kind} {target.repo}{', private if it is new' if target.private else ''}"
    groups = defaultdict(list)
    for item in items:
        groups[f"{item.path.rsplit('/', 1)[0]}/" if "/" in item.path else item.path].append(item.num_bytes)
    wide = max(map(len, groups))
    for name, sizes in groups.items():
        yield f"  {name:<{wide}} {len(sizes):>6} {'file ' if len(sizes) == 1 else 'files'} {size(sum(sizes)):>12}"
    total = sum(item.num_bytes for item in items)
    yield f"  {'all':<{wide}} {len(items):>6} files {size(total):>12} ({total:,} bytes)"
    yield f"pull request: {target.title}"
    yield f"then: verify it, {f'merge it, tag it {target.tag}' if target.merge else 'leave it open'}"
    yield from notes


def published_lines(done: Published) -> Iterator[str]:
    """What was done."""
    if not done.pull:
        yield f"{done.url} holds all of it already, at {done.tag}"
        return
    yield f"{done.sent} files, {size(done.num_bytes)} sent; every file's size and hash on the Hub is right"
    where = f"{done.url}/discussions/{done.pull}"
    yield f"{done.url} at {done.tag} ({done.commit})" if done.merged else f"{where} is open: merge it there"
