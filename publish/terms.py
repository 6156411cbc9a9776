"""The licence of a model: what was asked for or is found beside it, and what its base passes on."""

import re
from pathlib import Path
from typing import Any, NamedTuple

import huggingface_hub

from model.config import ROOT
from model.hub import looks_like_id
from pipeline.card import hub_license
from publish.checkpoint import Checkpoint
from publish.errors import PublishError

_HUB = "https://huggingface.co"
_KEYS = ("license", "license_name", "license_link")


class Terms(NamedTuple):
    """A licence as the Hub's front matter has it: its id, and for `other` a name and a link."""

    license: str
    name: str | None = None
    link: str | None = None

    def front_matter(self) -> dict[str, str]:
        """What is known of it, under the Hub's keys."""
        return {key: value for key, value in zip(_KEYS, self, strict=True) if value}


class Licence(NamedTuple):
    """The model's own terms, what its folder's card said before, and the terms of other models that go into it or are
    used with it, by name; None where they are not known."""

    own: Terms
    before: Terms | None
    parts: dict[str, Terms | None]


def licence_of(checkpoint: Checkpoint, asked: str | None) -> Licence:
    """The licence that was asked for, else that of the folder's own card, else that of the base.

    A base with a licence of its own making, such as FLUX's, passes that on, whatever the folder's card says.

    Raises:
        PublishError: none is known; what was asked for cannot be a licence's id, or is not what the base passes on.
    """
    base = checkpoint.base
    passed, why = _of_base(base)
    before = _of_folder(checkpoint.folder)
    wanted = _asked(asked) if asked else None
    if passed and passed.name:
        if wanted and wanted.license != passed.license:
            raise PublishError(f"--license {asked}: its base, {base}, passes '{passed.name}' on; leave the option out")
        own: Terms | None = passed
    else:
        own = wanted or before or passed
    if own is None:
        beside = f"nor does its base ({why})" if base else "and no base of it is known"
        raise PublishError(f"{checkpoint.folder}: README.md names no licence, {beside}; give one with --license")
    parts = {base: passed} if base else {}
    for other in checkpoint.needed:
        if other.name not in parts:
            parts[other.name] = _of_base(other.name)[0]
    return Licence(own, before, parts)


def _asked(text: str) -> Terms:
    """An SPDX or Hub id. Raises PublishError for what is neither."""
    found = hub_license({text})["license"]
    if found == "other" and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.+-]*", text):
        raise PublishError(f"--license: must be a licence's id, such as apache-2.0 or cc-by-4.0, is '{text}'")
    return Terms(found if found != "other" else text.lower())


def _of_base(base: str | None) -> tuple[Terms | None, str]:
    """Terms of a folder of the repository or of a model on the Hub; else why none are known."""
    if base is None:
        return None, "none"
    if (ROOT / base).is_dir():
        return _of_folder(ROOT / base), f"{base}/README.md"
    return _of_hub(base) if looks_like_id(base) else (None, f"{base} is not known here")


def _of_folder(folder: Path) -> Terms | None:
    """What the front matter of README.md says. Raises PublishError where that is no YAML."""
    path = folder / "README.md"
    if not path.is_file():
        return None
    try:
        found = huggingface_hub.metadata_load(path)
    except Exception as error:  # the YAML reader's own kinds
        raise PublishError(f"{path}: its front matter cannot be read: {type(error).__name__}") from None
    return _terms(found or {})


def _of_hub(base: str) -> tuple[Terms | None, str]:
    """Access to a gated model is not needed for its card's metadata."""
    try:
        data = huggingface_hub.model_info(base).card_data
    except Exception as error:  # the Hub's and the network's errors share no base but this; their texts may tell much
        status = getattr(getattr(error, "response", None), "status_code", None)
        return None, f"the card of {base} cannot be read: {type(error).__name__}{f' {status}' if status else ''}"
    terms = _terms({key: data.get(key) for key in _KEYS} if data else {})
    if terms and terms.link and not re.match(r"[a-z][a-z0-9+.-]*:", terms.link, re.IGNORECASE):
        terms = terms._replace(link=f"{_HUB}/{base}/blob/main/{terms.link.lstrip('./')}")
    return terms, f"the card of {base}"


def _terms(data: dict[str, Any]) -> Terms | None:
    values = [data.get(key) for key in _KEYS]
    license, name, link = (v if isinstance(v, str) and v.isprintable() and v else None for v in values)
    if isinstance(values[0], list):
        license = "other"  # several, which its own card tells
    return Terms(license, name, link) if license else None
