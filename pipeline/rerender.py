"""Rerender: one sample made again from the recipe that a build stored."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pyarrow.parquet as pq

from pipeline.assets import write_atomic
from pipeline.build import ShardTask, is_finished, maker, marker, shard_tasks, split_sizes
from pipeline.facts import Plan, read_plan
from pipeline.index import sha_column
from pipeline.manifest import Manifest
from pipeline.sample import Made, Maker, encode
from pipeline.schema import SampleMeta
from pipeline.shards import ShardError, sample_key
from pipeline.version import code_version, differences, digest, library_versions
from stages.composite import render
from stages.types import Recipe, Rejected

Result = TypeVar("Result")


class Rendered(NamedTuple):
    """The files that were written, and the members whose bytes are not the stored ones.

    `stored` is False where the sample's shard is not finished: it was then planned anew and is compared to nothing.
    `changed` says which code or libraries differ from those of the build, a line each.
    """

    files: list[Path]
    stored: bool
    different: list[str]
    changed: list[str]


def rerender(out: Path, cache: Path, key: str, to: Path) -> Rendered:
    """Make sample `key` of the build in `out` again and write its members to `to`/KEY.MEMBER.

    Raises:
        ShardError: no build, no such sample, an asset that is not in `cache`, or a recipe that the present code
            turns down.
    """
    plan = read_plan(out)
    task, index = find(plan, out, cache, key)
    make = _guarded(lambda: maker(str(out), str(cache), plan.fingerprint), key, cache)
    row = stored_row(task, key)
    made = _guarded(lambda: from_row(make, row) if row else make.make(task.split, index), key, cache)
    members = encode(made)
    to.mkdir(parents=True, exist_ok=True)
    files = [to / f"{key}.{name}" for name in members]
    for path, data in zip(files, members.values(), strict=True):
        write_atomic(path, data)
    different = [name for name, data in members.items() if row and digest(data) != row[sha_column(name)]]
    now = plan.identity | {"code": code_version("pipeline.sample"), "libraries": library_versions()}
    return Rendered(files, row is not None, different, differences(plan.identity, now))


def find(plan: Plan, out: Path, cache: Path, key: str) -> tuple[ShardTask, int]:
    """The shard that a sample belongs to, finished or not, and the sample's number in its split.

    Raises:
        ShardError: no such sample; the text says which there are.
    """
    split, _, number = key.rpartition("_")
    index = int(number) if number.isascii() and number.isdigit() else -1
    for task in shard_tasks(plan.manifest, out, cache, plan.fingerprint):
        if task.split == split and task.start <= index < task.stop and sample_key(split, index) == key:
            return task, index
    raise ShardError(f"{out}: no sample '{key}'; {_nearest(plan.manifest, split, index)}")


def _nearest(m: Manifest, split: str, index: int) -> str:
    sizes = split_sizes(m)
    if 0 <= index < sizes.get(split, 0):
        return f"did you mean '{sample_key(split, index)}'?"
    near = {split: sizes[split]} if split in sizes else sizes
    spans = [f"{sample_key(name, 0)} to {sample_key(name, n - 1)}" for name, n in near.items() if n]
    return f"there are {', '.join(spans)}"


def stored_row(task: ShardTask, key: str) -> dict[str, Any] | None:
    """The index's row of a sample; None where its shard is not finished."""
    if not is_finished(task):
        return None
    joined = Path(task.out) / "meta" / "index.parquet"
    table = pq.read_table(joined if joined.is_file() else marker(task), filters=[("key", "==", key)])
    if table.num_rows != 1:
        raise ShardError(f"{joined}: {table.num_rows} rows with key {key} where 1 should be")
    return dict(table.to_pylist()[0])


def from_row(make: Maker, row: dict[str, Any]) -> Made:
    """Render the recipe that a row of the index holds; what was measured on the pixels is measured again.

    Raises:
        ShardError: the recipe names an unknown asset, or the present code turns it down.
    """
    meta = SampleMeta.model_validate({name: row[name] for name in SampleMeta.model_fields})
    recipe = Recipe.model_validate_json(meta.recipe)
    for asset in (recipe.plate.asset, *(o.asset for o in recipe.objects)):
        if asset not in make.assets:
            raise ShardError(f"{meta.key}: asset '{asset}' is not in the build's table of assets")
    sample = render(recipe, make.pixels)
    if isinstance(sample, Rejected):
        raise ShardError(f"{meta.key}: its recipe is turned down: {sample.reason} ({sample.detail})")
    measured = {
        "area_fraction": sample.area,
        "visible_fraction": sample.visible,
        "occlusion_rate": 1.0 - sample.visible,
        "mask_iou": sample.mask_iou,
        "layers": make.layers(recipe, sample),
    }
    return Made(sample, meta.model_copy(update=measured), Counter())


def _guarded(work: Callable[[], Result], key: str, cache: Path) -> Result:
    try:
        return work()
    except ShardError:
        raise
    except FileNotFoundError as error:
        raise ShardError(
            f"{key}: {error.filename or error} is missing; give the build's own --cache (now {cache}), "
            "or run the same layerloom build again to fetch and prepare what it needs"
        ) from None
    except ValueError as error:
        raise ShardError(f"{key}: an asset in {cache} is damaged: {error}") from None


def lines(made: Rendered) -> Iterator[str]:
    """What came of it as text, a fact a line."""
    yield f"{len(made.files)} files in {made.files[0].parent}"
    if not made.stored:
        yield "not compared: its shard is not finished, so the sample was planned anew"
    elif not made.different:
        yield "the same bytes as in the shard"
    else:
        yield f"not the same bytes as in the shard: {', '.join(made.different)}"
        yield from (f"differs from the build: {line}" for line in made.changed)
