"""Small manifests and asset rows for tests; keywords override what the test does not care about."""

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

from pipeline.assets import Asset
from pipeline.manifest import Manifest
from tests.assets import write_assets


def make_manifest(**changes: Any) -> Manifest:
    """A valid manifest with one local source."""
    source = {"name": "stuff", "kind": "local", "role": "foreground", "path": "stuff"}
    plain = {"name": "test", "seed": 7, "size": 128, "samples": 40, "licenses": ["CC0-1.0"]}
    plain |= {"sources": [source | {"license": "CC0-1.0", "attribution": "nobody"}]}
    return Manifest.model_validate(plain | changes)


def make_asset(name: str, **changes: Any) -> Asset:
    """A whole real foreground that stands on the ground."""
    row = {
        "id": name,
        "sha256": "0" * 64,
        "role": "foreground",
        "source": "stuff",
        "origin": "real",
        "alpha_from": "render" if changes.get("origin") == "generated" else "file",
        "whole": not changes.get("cut"),
        "license": "CC0-1.0",
        "attribution": "nobody",
        "uri": f"file:{name}",
        "photo": "",
        "caption": name,
        "caption_from": "name",
        "width": 120,
        "height": 100,
        "area_px": 9000.0,
        "coverage": 0.75,
        "soft_share": 0.1,
        "main_component": 1.0,
        "flatness": 0.1,
        "palette": 0.05,
        "text_like": 0.0,
        "sharpness": 500.0,
        "clipped": 0.0,
        "cut": "",
        "support": "ground",
        "long_side_m": 0.0,
        "min_object_m": 0.0,
        "max_object_m": 0.0,
        "horizon": None,
        "light_x": 0.0,
        "phash": "0" * 16,
        "cluster": name,
    }
    return Asset.model_validate(row | changes)


def make_background(name: str, **changes: Any) -> Asset:
    """A photograph with its horizon at 0.4 of the height."""
    facts = {"role": "background", "width": 260, "height": 200, "area_px": 52000.0, "horizon": 0.4}
    return make_asset(name, **(facts | changes))


SMALL = """
name = "small"
seed = 77
size = 64
samples = 24
shard_size = 4
licenses = ["CC0-1.0"]
splits = { train = 0.5, val = 0.25, test = 0.25 }
objects = { real_fraction = 1.0 }
quality = { min_long_side = 64 }

[[sources]]
name = "cutouts"
kind = "local"
role = "foreground"
path = "cutouts"
include = ["*.png"]
license = "CC0-1.0"
attribution = "layerloom"
rules = [{ match = ["kite-*"], support = "air" }]

[[sources]]
name = "photos"
kind = "local"
role = "background"
path = "photos"
license = "CC0-1.0"
attribution = "layerloom"
rules = [{ match = ["**"], horizon = 0.4 }]
"""


def write_small(folder: Path) -> Path:
    """Write a manifest of 24 samples at 64 px, 7 shards, and the pictures beside it that it names."""
    write_assets(folder)
    path = folder / "small.toml"
    path.write_text(SMALL)
    return path


def hashes(out: Path) -> dict[str, str]:
    """SHA-256 by name of every file of a build whose bytes are promised."""
    files = [*(out / "data").iterdir(), *(out / "meta").iterdir(), out / "index.json", out / ".build" / "build.json"]
    return {p.relative_to(out).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


class Silent:
    """A listener that forgets everything."""

    def stage(self, name: str, total: int) -> None:
        """Do nothing."""

    def advance(self, units: int, rejects: Counter[str]) -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        """Do nothing."""
