"""Small manifests and asset rows for tests; keywords override what the test does not care about."""

from typing import Any

from pipeline.assets import Asset
from pipeline.manifest import Manifest


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
        "whole": not changes.get("cut"),
        "license": "CC0-1.0",
        "attribution": "nobody",
        "uri": f"file:{name}",
        "caption": name,
        "width": 120,
        "height": 100,
        "area_px": 9000.0,
        "coverage": 0.75,
        "soft_share": 0.1,
        "main_component": 1.0,
        "flatness": 0.1,
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
