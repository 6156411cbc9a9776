"""Addresses of licences, as data sets quote them, to SPDX identifiers."""

import re
from functools import cache
from urllib.parse import urlsplit

from pipeline.licenses import spdx

# creativecommons.org/licenses/<terms>/<version>[/<port>][/deed.<language>]
_CC = re.compile(r"/licenses/(by(?:-nc)?(?:-nd|-sa)?)/(\d\.\d)(?:/([a-z]{2,4}))?(?:/(?:deed|legalcode)[^/]*)?/?")
_PUBLIC = re.compile(r"/publicdomain/(zero|mark)/1\.0(?:/(?:deed|legalcode)[^/]*)?/?")
_PUBLIC_IDS = {"zero": "CC0-1.0", "mark": "CC-PDM-1.0"}
_CC_HOSTS = ("creativecommons.org", "www.creativecommons.org")
_US_GOVERNMENT = ("usa.gov/copyright.shtml", "usa.gov/government-works")


@cache
def spdx_of(address: str) -> str:
    """The SPDX identifier of the licence at a URL, or "" where there is none or it is not known.

    Creative Commons licences (the ports that SPDX lists), CC0, the Public Domain Mark and works of the US
    government. Flickr's "no known copyright restrictions" is not a licence and has no identifier.
    """
    try:
        parts = urlsplit(address.strip().lower())
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https"):
        return ""
    if parts.netloc in _CC_HOSTS:
        return _listed(_creative_commons(parts.path))
    if f"{parts.netloc.removeprefix('www.')}{parts.path}".rstrip("/") in _US_GOVERNMENT:
        return "LicenseRef-scancode-us-govt-public-domain"
    return ""


def _creative_commons(path: str) -> str:
    if found := _PUBLIC.fullmatch(path):
        return _PUBLIC_IDS[found[1]]
    if found := _CC.fullmatch(path):
        return "-".join(filter(None, ("CC", found[1].upper(), found[2], (found[3] or "").upper())))
    return ""


def _listed(name: str) -> str:
    return name if name in spdx().known_symbols else ""
