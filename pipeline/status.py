"""Status: how far a build is, from its files alone; works while it runs, after it was killed, and when it is done."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pipeline.build import ShardTask, is_finished, marker, shard_tasks
from pipeline.facts import Plan, read_plan
from pipeline.index import marker_facts, read_index

_LISTED = 8  # names of shards in one line


class Status(NamedTuple):
    """How far a build is. Shards by file name: `missing` not made yet (or failed), `begun` those of them with an
    unfinished file (being written now, or left by a build that was killed), `damaged` made, but since removed or
    of another size. `complete`: every shard is there, and the index of this very build.
    """

    plan: Plan
    shards: int
    finished: int
    samples: int
    num_bytes: int
    rejects: Counter[str]
    missing: list[str]
    begun: list[str]
    damaged: list[str]
    complete: bool


def status(out: Path) -> Status:
    """How far the build in `out` is; reads the markers, not the shards.

    Raises:
        ShardError: no build there, or one of another version.
    """
    plan = read_plan(out)
    tasks = shard_tasks(plan.manifest, out, out, plan.fingerprint)
    done = [t for t in tasks if is_finished(t)]
    left = [t for t in tasks if not is_finished(t)]
    facts = [marker_facts(marker(t)) for t in done]
    rejects: Counter[str] = Counter()
    for fact in facts:
        rejects.update(fact["rejects"])
    damaged = [t.name for t in left if marker(t).exists()]
    return Status(
        plan=plan,
        shards=len(tasks),
        finished=len(done),
        samples=sum(t.stop - t.start for t in done),
        num_bytes=sum(fact["num_bytes"] for fact in facts),
        rejects=rejects,
        missing=[t.name for t in left if t.name not in damaged],
        begun=[t.name for t in left if _is_begun(t)],
        damaged=damaged,
        complete=not left and _is_indexed(out, plan.fingerprint),
    )


def _is_begun(task: ShardTask) -> bool:
    return any((Path(task.out) / "data").glob(f".{task.name}.*.tmp"))


def _is_indexed(out: Path, fingerprint: str) -> bool:
    files = (out / "index.json", out / "meta" / "index.parquet")
    return all(f.is_file() for f in files) and bool(read_index(out)["fingerprint"] == fingerprint)


def lines(s: Status) -> Iterator[str]:
    """The status as text, a fact a line."""
    m = s.plan.manifest
    yield f"building '{m.name}': {m.samples} samples at {m.size} px, fingerprint {s.plan.fingerprint[:16]}"
    yield f"shards: {s.finished} of {s.shards}"
    yield f"samples: {s.samples} of {m.samples}"
    yield f"bytes: {s.num_bytes} ({s.num_bytes / 2**20:.1f} MiB)"
    reasons = ", ".join(f"{n} {reason}" for reason, n in s.rejects.most_common())
    yield f"layouts redrawn: {reasons or 'none'}"
    for name in ("missing", "begun", "damaged"):
        if shards := getattr(s, name):
            more = f" and {len(shards) - _LISTED} more" if len(shards) > _LISTED else ""
            yield f"{name}: {', '.join(shards[:_LISTED])}{more}"
    if s.complete:
        yield "complete"
    else:
        what = "the index is missing" if s.finished == s.shards else f"{s.shards - s.finished} shards are missing"
        yield f"not complete: {what}; the same layerloom build goes on with it"
