"""Card: README.md of a build, as the Hugging Face Hub and `datasets` read it.

The front matter follows the Hub's "Dataset card" metadata: licence, tasks, one config with its files, and
`dataset_info` with the features as `datasets` names them for WebDataset tars.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

from pipeline.assets import write_atomic
from pipeline.attribution import write_attribution
from pipeline.citation import BIBTEX
from pipeline.facts import Facts, Plan, read_facts, require_finished
from pipeline.index import read_index
from pipeline.manifest import Manifest
from pipeline.markup import markdown, toml, yaml
from pipeline.plots import write_plots
from pipeline.preview import write_preview
from pipeline.report import holding, rows
from pipeline.schema import LayerMeta, SampleMeta
from pipeline.shards import MEMBERS

TAGS = ("image-layer-decomposition", "amodal", "matting", "object-removal", "synthetic")
_TEMPLATE = Path(__file__).with_name("card.md")
_SAME = "Apache-2.0 BSD-2-Clause BSD-3-Clause CC-BY-2.0 CC-BY-3.0 CC-BY-4.0 CC-BY-NC-4.0 CC-BY-NC-SA-4.0 CC-BY-SA-3.0"
_SAME += " CC-BY-SA-4.0 CC0-1.0 MIT Unlicense"
_HUB_LICENSES = {name: name.lower() for name in _SAME.split()}
_GNU = ("AGPL-3.0", "GPL-2.0", "GPL-3.0", "LGPL-2.1", "LGPL-3.0")
_HUB_LICENSES |= {f"{name}-{kind}": name.lower() for name in _GNU for kind in ("only", "or-later")}
_SIZES = {10**3: "n<1K", 10**4: "1K<n<10K", 10**5: "10K<n<100K", 10**6: "100K<n<1M", 10**7: "1M<n<10M"}
_DTYPES = {str: "string", int: "int64", float: "float64", bool: "bool"}


class Place(NamedTuple):
    """Where a card's reader finds the data set: its name for `load_dataset`, and the address of its files."""

    name: str
    files: str
    fetch: str = ""  # how to have all of it, in Markdown


def describe(out: Path) -> None:
    """Write what a person looks at first: preview.png, distributions.png, ATTRIBUTION.md and README.md.

    Raises:
        ShardError: no build in `out`, or not a finished one.
    """
    write_preview(out)
    facts = read_facts(out)
    write_plots(out, facts)
    write_attribution(out, facts)
    write_card(out, facts)


def write_card(out: Path, facts: Facts | None = None) -> Path:
    """Write the data-set card of the finished build in `out` as `out`/README.md; returns its path.

    The same build gives the same bytes. `facts` are those of the build, if they are known already.

    Raises:
        ShardError: no build, or not a finished one.
    """
    require_finished(out)
    write_atomic(out / "README.md", card(out, facts or read_facts(out)).encode())
    return out / "README.md"


def card(out: Path, facts: Facts, place: Place | None = None) -> str:
    """The card's text, for a reader who finds the data set in `place`; else in a folder of the manifest's name.

    Raises:
        ShardError: no build, or not a finished one.
    """
    plan, index = require_finished(out), read_index(out)
    place = place or Place(plan.manifest.name, plan.manifest.name)
    return f"---\n{yaml(front_matter(plan.manifest, facts, index))}---\n{_body(plan, facts, index, place)}"


def front_matter(m: Manifest, facts: Facts, index: dict[str, Any]) -> dict[str, Any]:
    """The card's metadata as a plain value."""
    splits = [_split(name, index["shards"]) for name in facts.samples]
    total = sum(s["num_bytes"] for s in splits)
    license = hub_license({a.license for a in facts.assets if facts.uses[a.id]})
    return {
        **license,
        **({"license_link": "ATTRIBUTION.md"} if license["license"] == "other" else {}),
        "pretty_name": m.name,
        "task_categories": ["image-segmentation", "image-to-image"],
        "size_categories": [_size(index["samples"])],
        "tags": [*TAGS, "webdataset"],
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": s["name"], "path": f"data/{s['name']}-*.tar"} for s in splits],
            }
        ],
        "dataset_info": {
            "config_name": "default",
            "features": features(),
            "splits": splits,
            "download_size": total,
            "dataset_size": total,
        },
    }


def description(m: Manifest) -> str:
    """What a data set is, in a sentence: the manifest's own, if it has one."""
    return m.description or "Layered scenes composed from open assets."


def _size(samples: int) -> str:
    return next((name for limit, name in _SIZES.items() if samples < limit), "10M<n<100M")


def hub_license(licenses: set[str]) -> dict[str, str]:
    """The licence as the Hub names it; `other` where there are several, or the Hub has no name for the one."""
    only = next(iter(licenses)) if len(licenses) == 1 else ""
    if only in _HUB_LICENSES:
        return {"license": _HUB_LICENSES[only]}
    return {"license": "other", "license_name": only.lower().replace(" ", "-") or "per-asset"}


def features() -> list[dict[str, Any]]:
    """Columns of a sample in the words of `datasets`."""
    images = [{"name": name, "dtype": "image"} for name in MEMBERS if name != "json"]
    texts = [{"name": name, "dtype": "string"} for name in ("__key__", "__url__")]
    return [*images, {"name": "json", "struct": _struct(SampleMeta)}, *texts]


def _struct(model: type[SampleMeta] | type[LayerMeta]) -> list[dict[str, Any]]:
    return [{"name": name, **_type(field.annotation)} for name, field in model.model_fields.items()]


def _type(annotation: Any) -> dict[str, Any]:
    if annotation in _DTYPES:
        return {"dtype": _DTYPES[annotation]}
    return {"list": _struct(LayerMeta) if annotation == tuple[LayerMeta, ...] else "float64"}


def _split(name: str, shards: list[dict[str, Any]]) -> dict[str, Any]:
    own = _shards(name, shards)
    num_bytes, num_examples = sum(s["num_bytes"] for s in own), sum(s["samples"] for s in own)
    return {"name": name, "num_bytes": num_bytes, "num_examples": num_examples}


def _shards(split: str, shards: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [s for s in shards if s["name"].startswith(f"data/{split}-")]


def _body(plan: Plan, facts: Facts, index: dict[str, Any], place: Place) -> str:
    m = plan.manifest
    first = next(iter(facts.samples))
    return Template(_TEMPLATE.read_text()).substitute(
        name=m.name,
        here=place.name,
        files=place.files,
        fetch=place.fetch and f"\n{place.fetch}\n",
        description=description(m),
        size=m.size,
        split=first,
        shard=_shards(first, index["shards"])[0]["name"],
        counts=markdown(("split", "samples", "MiB", "shards"), _counts(facts, index["shards"])),
        report=markdown(("", "asked", "achieved"), rows(m, facts)),
        sources=markdown(("source", "what", "licence", "attribution", "assets", "used"), _sources(facts)),
        licenses=markdown(("licence", "assets used", "samples"), _licenses(facts)),
        citation=BIBTEX,
        manifest=toml(manifest_table(m)).strip(),
        versions=", ".join(f"{name} {version}" for name, version in index["versions"].items()),
        fingerprint=plan.fingerprint,
    )


def _counts(facts: Facts, shards: list[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    for name in facts.samples:
        split = _split(name, shards)
        size = f"{split['num_bytes'] / 2**20:.1f}"
        yield name, str(split["num_examples"]), size, str(len(_shards(name, shards)))


def _licenses(facts: Facts) -> Iterator[tuple[str, ...]]:
    used = Counter(a.license for a in facts.assets if facts.uses[a.id])
    for name, count in sorted(used.items()):
        yield name, str(count), str(holding(facts, name))


def _sources(facts: Facts) -> Iterator[tuple[str, ...]]:
    kinds = [(a.source, f"{a.origin} {a.role}s", a.license, a.attribution) for a in facts.assets]
    used = Counter(kind for kind, a in zip(kinds, facts.assets, strict=True) if facts.uses[a.id])
    for kind, count in sorted(Counter(kinds).items()):
        yield (*kind, str(count), str(used[kind]))


def manifest_table(m: Manifest) -> dict[str, Any]:
    """The manifest as a table that `layerloom build` reads: knobs in full, sources without what is default."""
    sources = [source.model_dump(mode="json", exclude_defaults=True) for source in m.sources]
    return m.model_dump(mode="json", exclude={"sources"}) | {"sources": sources}
