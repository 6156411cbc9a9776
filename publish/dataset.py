"""What of a build is published, and the texts that are written anew for its place on the Hub."""

from pathlib import Path
from typing import NamedTuple

from huggingface_hub import constants

from pipeline.card import Place, card, describe
from pipeline.facts import Facts, Plan, read_facts, require_finished
from pipeline.index import read_index
from pipeline.source import Source
from publish.croissant import croissant
from publish.errors import PublishError
from publish.remote import Item, Target, item_of

_TABLES = ("meta/index.parquet", "meta/assets.parquet")
_DESCRIBED = ("ATTRIBUTION.md", "preview.png", "distributions.png")
_RECORDS = ("index.json", ".build/build.json")  # the second lets `layerloom validate` and `explore` read a download
_CARD, _CROISSANT = "README.md", "croissant.json"
_OWNED = ("data/*", "meta/*")


class Prepared(NamedTuple):
    """Files and target of a data set; `notes` say what a person should know before it is public."""

    items: list[Item]
    target: Target
    notes: list[str]


def prepare(out: Path, repo: str, tag: str | None = None, private: bool = False, merge: bool = True) -> Prepared:
    """The finished build in `out` as files for the data set `repo` on the Hub, with card and Croissant for there.

    Sizes and hashes of shards are those of `index.json`; that the files still have them is seen at upload. The same
    build gives the same files.

    Raises:
        ShardError: no build, or not a finished one.
        PublishError: a shard is missing or has another size.
    """
    plan = require_finished(out)
    if not all((out / name).is_file() for name in _DESCRIBED):
        describe(out)
    tag = tag or f"build-{plan.fingerprint[:12]}"
    data = [*_shards(out), *(item_of(name, out / name) for name in _TABLES)]
    page = f"{constants.ENDPOINT}/datasets/{repo}"
    texts = _texts(out, plan, data, Place(repo, f"{page}/resolve/{tag}", _fetch(plan, repo, page, tag)), page)
    items = [*data, *(item_of(name, out / name) for name in (*_DESCRIBED, *_RECORDS)), *texts]
    title = f"layerloom build {plan.manifest.name} {plan.fingerprint[:12]}"
    target = Target(repo, "dataset", title, tag, _OWNED, private, merge)
    return Prepared(items, target, [*_local(plan.manifest.sources), *_left(out, items)])


def _texts(out: Path, plan: Plan, data: list[Item], place: Place, page: str) -> list[Item]:
    facts: Facts = read_facts(out)
    return [
        item_of(_CROISSANT, croissant(plan, facts, data, page, place.files)),
        item_of(_CARD, card(out, facts, place).encode()),
    ]


def _fetch(plan: Plan, repo: str, page: str, tag: str) -> str:
    name = plan.manifest.name
    return f"""To have all of it, checked; then to look at it, or to train on it (from a clone of layerloom):

    hf download {repo} --repo-type dataset --revision {tag} --local-dir {name}
    layerloom validate {name} --rerender 0
    layerloom explore {name}
    layerloom train manifests/train/nano-adapt.toml --data {page}/resolve/{tag}

[croissant.json](croissant.json) describes it in Croissant, for `mlcroissant` and search engines."""


def _shards(out: Path) -> list[Item]:
    items = []
    for shard in read_index(out)["shards"]:
        path = out / shard["name"]
        size = path.stat().st_size if path.is_file() else None
        if size != shard["num_bytes"]:
            what = f"it is missing, and index.json lists it with {shard['num_bytes']}"
            what = what if size is None else f"{size} bytes, index.json says {shard['num_bytes']}"
            raise PublishError(f"{path}: {what}; run layerloom build again")
        items.append(Item(shard["name"], path, size, shard["sha256"]))
    return items


def _local(sources: tuple[Source, ...]) -> list[str]:
    paths = sorted({s.path for s in sources if s.kind == "local" and Path(s.path).is_absolute()})
    return [f"its card names folders of this machine: {', '.join(paths)}"] if paths else []


def _left(out: Path, items: list[Item]) -> list[str]:
    published = {item.path.split("/")[0] for item in items}
    names = sorted(path.name for path in out.iterdir() if path.name not in published)
    return [f"not published: {', '.join(names)}"] if names else []
