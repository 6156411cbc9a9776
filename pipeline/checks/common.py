"""Rules, problems, and counting both."""

from collections import Counter
from typing import NamedTuple

SHOWN = 20  # problems that are kept a rule; the rest is only counted

RULES: dict[str, str] = {
    "build_record": "build.json holds the manifest, and the fingerprint of manifest, assets and code",
    "index_json": "index.json lists the shards and sample counts that the manifest asks for",
    "index_parquet": "meta/index.parquet has the schema, and one row a sample, in order",
    "asset_table": "meta/assets.parquet is the one that was fingerprinted",
    "data_files": "data/ holds the listed shards and nothing else",
    "shard_bytes": "size and SHA-256 of a shard are those of index.json",
    "tar": "a shard is a tar that can be read to its two zero blocks at the end",
    "members": "consecutive keys of the split, the seven members of each in order, offsets as in the index",
    "member_sha256": "the bytes of a member are those of the index",
    "png": "a picture decodes to the right mode and size, 8 bits a channel, checksums intact",
    "json_schema": "exactly the contract's keys and types: floats written as floats, no null, no empty list",
    "json_index": "the JSON and its row of the index are equal",
    "metadata": "JSON, recipe, manifest and asset table say the same",
    "mask_values": "the mask is 0 or 255 and not empty",
    "hidden_colour": "RGB is 0 where alpha is 0",
    "layer_presence": "the occluder is empty exactly where nothing is in front, the shadow where none is thrown",
    "recomposition": "the layers recompose the composite with error 0",
    "fractions": "area, visible, occlusion and mask fractions are those of the layers",
    "asked_occlusion": "the target shows as much as was asked for",
    "split_leak": "no asset, picture or cluster is in two splits, or in a sample of another split",
    "license_gate": "the licence of every layer is allowed by the manifest",
    "pairs": "partners exist, name each other, and one of the two is occluded",
    "rerender": "rendering the recipe again gives the stored pixels",
}


class Problem(NamedTuple):
    """One promise broken: in which shard and sample (empty: the whole build), which rule, and how."""

    shard: str
    key: str
    rule: str
    detail: str


class Tally:
    """What was checked and what was wrong, by rule. Small however much is wrong: it crosses processes."""

    def __init__(self) -> None:
        self.checked: Counter[str] = Counter()
        self.wrong: Counter[str] = Counter()  # things checked that have a problem, or problems of no one thing
        self.problems: list[Problem] = []

    def check(self, rule: str, details: list[str], shard: str = "", key: str = "") -> bool:
        """Book one thing checked, with what is wrong with it; returns whether all is well."""
        self.checked[rule] += 1
        if details:
            self.report(Problem(shard, key, rule, "; ".join(details)))
        return not details

    def report(self, problem: Problem) -> None:
        """Book a problem."""
        assert problem.rule in RULES, problem.rule
        self.wrong[problem.rule] += 1
        if self.wrong[problem.rule] <= SHOWN:
            self.problems.append(problem)

    def merge(self, other: "Tally") -> None:
        """Add what another tally booked."""
        self.checked.update(other.checked)
        self.wrong.update(other.wrong)
        kept = Counter(p.rule for p in self.problems)
        for problem in other.problems:
            kept[problem.rule] += 1
            if kept[problem.rule] <= SHOWN:
                self.problems.append(problem)
