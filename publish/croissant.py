"""Croissant 1.1 metadata of a data set (https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html)."""

import json
from collections.abc import Sequence
from typing import Any

import mlcroissant as mlc
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.card import TAGS, description
from pipeline.citation import BIBTEX
from pipeline.facts import Facts, Plan
from pipeline.index import sha_column
from pipeline.licenses import text_address
from pipeline.shards import MEMBERS
from publish.remote import Item

_TYPES = {
    pa.string(): mlc.DataType.TEXT,
    pa.int64(): mlc.DataType.INTEGER,
    pa.float64(): mlc.DataType.FLOAT,
    pa.bool_(): mlc.DataType.BOOL,
}
_TABLES = {"meta/index.parquet": "index", "meta/assets.parquet": "assets"}
_DESCRIPTIONS = {
    "index": "One row a sample: what its JSON says, its shard, and the SHA-256 of each member.",
    "assets": "One row an asset: licence, attribution, source, split.",
}


def croissant(plan: Plan, facts: Facts, items: Sequence[Item], url: str, files: str) -> bytes:
    """The JSON-LD document of a build whose `items` lie below the address `files`; `url` is its page.

    Tables become record sets of their plain columns. Each picture of a sample is a record set of its own, with the
    sample's key, which is that of the index. The same build and addresses give the same bytes.
    """
    shards = [item for item in items if item.path.endswith(".tar")]
    tables = [item for item in items if item.path in _TABLES]
    manifest = plan.manifest
    metadata = mlc.Metadata(
        name=manifest.name,
        description=description(manifest),
        url=url,
        license=sorted({text_address(a.license) or a.license for a in facts.assets if facts.uses[a.id]}),
        cite_as=BIBTEX,
        creators=[mlc.Organization(name=url.split("/")[-2])],
        keywords=list(TAGS),
        version=f"1.0.0+{plan.fingerprint[:12]}",
        distribution=[*(_file(item, files) for item in (*tables, *shards)), *_members(shards)],
        record_sets=[*map(_table, tables), *(_pictures(name) for name in MEMBERS if name != "json")],
    )
    return (json.dumps(metadata.to_json(), indent=2, sort_keys=True, ensure_ascii=False, default=str) + "\n").encode()


def _file(item: Item, files: str) -> Any:
    kind = "application/x-tar" if item.path.endswith(".tar") else "application/x-parquet"
    return mlc.FileObject(
        id=item.path,
        name=item.path,
        content_url=f"{files}/{item.path}",
        content_size=f"{item.num_bytes} B",
        encoding_formats=[kind],
        sha256=item.sha256,
    )


def _members(shards: Sequence[Item]) -> list[Any]:
    return [
        mlc.FileSet(
            id=f"files-{_stem(name)}",
            name=name,
            contained_in=[item.path for item in shards],
            encoding_formats=["image/png"],
            includes=[f"*.{name}"],
        )
        for name in MEMBERS
        if name != "json"
    ]


def _stem(member: str) -> str:
    return member.removesuffix(".png")


def _table(item: Item) -> Any:
    assert not isinstance(item.source, bytes)
    name = _TABLES[item.path]
    columns = [f for f in pq.read_schema(item.source) if f.type in _TYPES]
    fields = [
        mlc.Field(
            id=f"{name}/{column.name}",
            name=column.name,
            description=_said(column.name),
            data_types=[_TYPES[column.type]],
            source=mlc.Source(file_object=item.path, extract=mlc.Extract(column=column.name)),
        )
        for column in columns
    ]
    key = f"{name}/{'key' if name == 'index' else 'id'}"
    return mlc.RecordSet(id=name, name=name, description=_DESCRIPTIONS[name], key=[key], fields=fields)


def _said(column: str) -> str:
    hashes = {sha_column(member): f"SHA-256 of the sample's {member}" for member in MEMBERS}
    return hashes.get(column, column.replace("_", " "))


def _pictures(member: str) -> Any:
    name = _stem(member)

    def field(what: str, kind: Any, extract: str, regex: str | None = None) -> Any:
        transforms = [mlc.Transform(regex=regex)] if regex else []
        source = mlc.Source(file_set=f"files-{name}", extract=mlc.Extract(file_property=extract), transforms=transforms)
        return mlc.Field(id=f"{name}/{what}", name=what, data_types=[kind], source=source)

    fields = [
        field("key", mlc.DataType.TEXT, "filename", rf"^(.*)\.{name}\.png$"),
        field("image", mlc.DataType.IMAGE_OBJECT, "content"),
    ]
    return mlc.RecordSet(
        id=name, name=name, description=f"{member} of every sample", key=[f"{name}/key"], fields=fields
    )
