"""Damage to the records of a build: build.json, index.json, the tables, the list of files."""

import pyarrow as pa
import pyarrow.parquet as pq

from tests.damage import Damage, Harm


def tamper_identity(d: Damage) -> None:
    d.build(lambda b: b | {"identity": b["identity"] | {"code": "0" * 64}})


def tamper_manifest(d: Damage) -> None:
    d.build(lambda b: b | {"manifest": b["manifest"] | {"description": "another"}})


def miscount(d: Damage) -> None:
    d.index(lambda s: s | {"shards": [s["shards"][0] | {"samples": 3}, *s["shards"][1:]]})


def drop_row(d: Damage) -> None:
    d.rows(lambda rows: rows[1:])


def narrow_column(d: Damage) -> None:
    path = d.out / "meta" / "index.parquet"
    table = pq.read_table(path)
    place = table.schema.get_field_index("attempt")
    pq.write_table(table.set_column(place, "attempt", table["attempt"].cast(pa.int32())), path)


def other_asset(d: Damage) -> None:
    d.assets(lambda k, a: {"phash": "0" * 16} if k == 0 else {}, seal=False)


def remove_shard(d: Damage) -> None:
    d.first.unlink()


def add_shard(d: Damage) -> None:
    (d.out / "data" / "train-00009-of-00001.tar").write_bytes(bytes(10240))


def leaked_asset(d: Damage) -> None:
    used = d.meta(d.names()[0])["target"]
    d.assets(lambda _, a: {"split": "test"} if a.id == used else {})


def leaked_cluster(d: Damage) -> None:
    d.assets(lambda k, a: {"cluster": "twins"} if k in _first_of_each_split(d) else {})


def _first_of_each_split(d: Damage) -> list[int]:
    splits = pq.read_table(d.out / "meta" / "assets.parquet")["split"].to_pylist()
    return [splits.index("train"), splits.index("val")]


def other_licenses(d: Damage) -> None:
    d.manifest(licenses=["MIT", "CC-BY-4.0"])


DAMAGES: list[Harm] = [
    ("build_record", tamper_identity, "fingerprint is"),
    ("build_record", tamper_manifest, "identity.manifest is"),
    ("index_json", miscount, "('data/train-00000-of-00001.tar', 3)"),
    ("index_parquet", drop_row, "11 rows, must be 12"),
    ("index_parquet", narrow_column, "attempt is int32, must be int64"),
    ("asset_table", other_asset, "meta/assets.parquet has the fingerprint"),
    ("data_files", remove_shard, "train-00000-of-00001.tar  the shard is missing"),
    ("data_files", add_shard, "train-00009-of-00001.tar  unexpected"),
    ("split_leak", leaked_asset, "belongs to split 'test'"),
    ("split_leak", leaked_cluster, "cluster twins is in the splits ['train', 'val']"),
    ("license_gate", other_licenses, "license 'CC0-1.0' of tiny-"),
]
