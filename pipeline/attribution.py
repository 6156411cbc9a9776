"""Attribution: ATTRIBUTION.md of a build, the credits that its licences ask for."""

from collections import defaultdict
from pathlib import Path

from pipeline.assets import Asset, write_atomic
from pipeline.facts import Facts, read_facts, require_finished
from pipeline.licenses import text_address
from pipeline.markup import markdown

_HEAD = """# Attribution

The pictures of this data set are composed from the assets below. Each sample's JSON names those it shows. Pictures
were trimmed, shrunk, in part cut out of their background, and placed in new scenes with changed colours: whoever
passes them on has to say so where a licence asks for it, and has to meet the licences of all assets in a sample.

"""


def write_attribution(out: Path, facts: Facts | None = None) -> Path:
    """Write `out`/ATTRIBUTION.md of the finished build in `out`; returns its path. Same build, same bytes.

    Every asset that a sample shows has a line, by source, licence and author. `facts` are those of the build, if
    they are known already.

    Raises:
        ShardError: no build, or not a finished one.
    """
    require_finished(out)
    facts = facts or read_facts(out)
    path = out / "ATTRIBUTION.md"
    write_atomic(path, attribution([a for a in facts.assets if facts.uses[a.id]]).encode())
    return path


def attribution(assets: list[Asset]) -> str:
    """The text for these assets."""
    groups: dict[tuple[str, str, str], list[Asset]] = defaultdict(list)
    for a in assets:
        groups[a.source, a.license, a.attribution].append(a)
    parts = [_HEAD]
    for (source, spdx, author), members in sorted(groups.items()):
        parts.append(f"## {source}: {author}\n\n{_terms(spdx)}\n\n")
        parts.append(markdown(("what", "from"), [(a.caption, f"`{a.uri}`") for a in members]) + "\n")
    return "".join(parts)


def _terms(spdx: str) -> str:
    """The licence, with the address of its text where the expression is one identifier."""
    address = text_address(spdx)
    return f"Licence: [{spdx}]({address})" if address else f"Licence: {spdx}"
