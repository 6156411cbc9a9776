"""Plain folders: one a sample, with its members as they are stored."""

from pipeline.exports.common import JSON, Format, Sample
from pipeline.shards import MEMBERS


def files(key: str) -> tuple[str, ...]:
    """`KEY/composite.png` and so on, and the metadata as `KEY/sample.json`."""
    return tuple(f"{key}/{'sample.json' if name == JSON else name}" for name in MEMBERS)


def contents(sample: Sample) -> tuple[bytes, ...]:
    """The members' bytes."""
    return tuple(sample.members[name] for name in MEMBERS)


FORMAT = Format("a folder a sample with its six pictures and sample.json", files, contents)
