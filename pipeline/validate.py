"""Validate: check everything that a build promises, and say what is wrong where."""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from pipeline.assets import Store
from pipeline.checks import RULES, Problem, Tally
from pipeline.checks.folder import Folder, check_files, check_pairs, check_splits, read_folder, require_build
from pipeline.checks.shard import ShardCheck, check_shard
from pipeline.listener import Listener
from pipeline.run import Failure, run_tasks
from pipeline.shards import sample_key


class Check(NamedTuple):
    """One rule: how many things were checked, how many problems were found, or why it was not run."""

    rule: str
    checked: int
    problems: int
    skipped: str


class Report(NamedTuple):
    """What was found. `problems` holds the first of each rule; `exact` of `samples` recompose with error 0."""

    checks: list[Check]
    problems: list[Problem]
    exact: int
    samples: int
    ok: bool


def validate(out: Path, cache: Path | None, rerender: int, workers: int, address: str | None, to: Listener) -> Report:
    """Check a finished build against its manifest and the sample contract. Reads only.

    Args:
        out: folder of the build.
        cache: folder with the prepared assets, for rendering again.
        rerender: number of recipes to render again, spread evenly over the samples.
        workers: as in `run_tasks`.
        address: as in `run_tasks`.
        to: hears of progress.

    Raises:
        ShardError: `out` holds no finished build.
    """
    require_build(out)
    tally = Tally()
    folder = read_folder(out, tally)
    skipped: dict[str, str] = {}
    if folder is not None:
        check_files(out, folder, tally)
        check_splits(folder, tally)
        check_pairs(folder, tally)
        if folder.assets and folder.rows:
            chosen, skipped = _chosen(out, cache, folder, rerender)
            _check_shards(_tasks(out, cache, folder, chosen), workers, address, tally, to)
    return _report(tally, skipped, folder, rerender)


def _chosen(out: Path, cache: Path | None, folder: Folder, count: int) -> tuple[set[str], dict[str, str]]:
    """Keys of the samples to render again, or why that cannot be done."""
    total = folder.manifest.samples
    places = {k * total // count for k in range(min(count, total))} if count else set()
    keys = [sample_key(t.split, n) for t in folder.shards for n in range(t.start, t.stop)]
    chosen = {keys[place] for place in places}
    if not chosen:
        return set(), {"rerender": "0 were asked for"}
    if cache is None:
        return set(), {"rerender": "no cache of assets was given"}
    table = pq.read_table(out / "meta" / "index.parquet", columns=["layers"], filters=[("key", "in", chosen)])
    needed = {layer["sha256"] for layers in table["layers"].to_pylist() for layer in layers}
    lacking = [sha for sha in sorted(needed) if not Store(cache / "objects").path(sha).is_file()]
    if lacking:
        text = f"{len(lacking)} of {len(needed)} assets are not in the cache {cache}; give the one of the build"
        return set(), {"rerender": text}
    return chosen, {}


def _tasks(out: Path, cache: Path | None, folder: Folder, chosen: set[str]) -> list[ShardCheck]:
    tasks = []
    for t in folder.shards:
        entry = folder.entries.get(t.name, {"num_bytes": 0, "sha256": ""})
        again = tuple(n for n in range(t.start, t.stop) if sample_key(t.split, n) in chosen)
        place = (str(out), str(cache or out), folder.stamp)
        tasks.append(ShardCheck(t.name, t.split, t.start, t.stop, entry["num_bytes"], entry["sha256"], again, *place))
    return tasks


def _check_shards(tasks: list[ShardCheck], workers: int, address: str | None, tally: Tally, to: Listener) -> None:
    to.stage("validate", sum(t.stop - t.start for t in tasks))
    for place, found in run_tasks(check_shard, tasks, workers, address):
        task = tasks[place]
        if isinstance(found, Failure):
            tally.check("tar", [f"could not be checked: {found.error}"], task.name)
        else:
            tally.merge(found)
        to.advance(task.stop - task.start, Counter())


def _report(tally: Tally, skipped: dict[str, str], folder: Folder | None, rerender: int) -> Report:
    other = "another problem keeps it from being checked"
    checks = [
        Check(rule, tally.checked[rule], tally.wrong[rule], "" if tally.checked[rule] else skipped.get(rule, other))
        for rule in RULES
    ]
    complete = all(c.checked or (c.rule == "rerender" and not rerender) for c in checks)
    exact = tally.checked["recomposition"] - tally.wrong["recomposition"]
    order = list(RULES)
    problems = sorted(tally.problems, key=lambda p: (order.index(p.rule), p.shard, p.key))
    samples = folder.manifest.samples if folder else 0
    return Report(checks, problems, exact, samples, complete and not tally.problems)


def print_report(console: Console, report: Report) -> None:
    """Write the table of rules, then the problems, then the sentence that counts."""
    table = Table("rule", "checked", "problems", "what it says", box=None, pad_edge=False)
    for column in table.columns[1:3]:
        column.justify = "right"
    for c in report.checks:
        checked = str(c.checked) if not c.skipped else "NOT RUN"
        table.add_row(c.rule, checked, str(c.problems) if c.checked else "", c.skipped or RULES[c.rule])
    console.print(table, highlight=False, markup=False)

    def say(text: str) -> None:
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    shown = Counter(p.rule for p in report.problems)
    for p in report.problems:
        say(": ".join(part for part in (p.rule, p.shard, p.key, p.detail) if part))
    for c in report.checks:
        if c.problems > shown[c.rule]:
            say(f"{c.rule}: and {c.problems - shown[c.rule]} more")
    say(f"{report.exact} of {report.samples} samples recompose with error 0")
    if report.ok:
        say("valid: every rule holds")
