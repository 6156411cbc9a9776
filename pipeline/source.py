"""Sources: where assets come from, as data. Part of a manifest; see `pipeline.manifest`."""

from functools import cache
from typing import Annotated, Literal

from license_expression import ExpressionError, ExpressionParseError
from pydantic import AfterValidator, Field, model_validator

from pipeline.licenses import spdx
from stages.types import Frozen

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif")
# What a source offers unless it says otherwise; captions and other files beside pictures are not rejected pictures.
PICTURES = tuple("**/*." + "".join(f"[{c}{c.upper()}]" for c in suffix[1:]) for suffix in IMAGE_SUFFIXES)
Metres = Annotated[float, Field(gt=0, le=1000)]

# The key that says where a source of that kind is, and the keys that only that kind reads.
_NEEDS = {"apt": "package", "pypi": "package", "npm": "package", "hf": "path", "local": "path"}
_NEEDS |= {"https": "urls", "procedural": "count", "diffusers": "diffusion"}
_ONLY = {
    "package": ("apt", "pypi", "npm"),
    "urls": ("https",),
    "sha256": ("https",),
    "path": ("local", "hf"),
    "rows": ("hf",),
    "diffusion": ("diffusers",),
    "count": ("procedural", "diffusers"),
    "size": ("procedural", "diffusers"),
    "seed": ("procedural", "diffusers"),
}


@cache
def _spdx(text: str) -> str:
    try:
        parsed = spdx().parse(text, validate=True, strict=True)
    except (ExpressionError, ExpressionParseError) as error:
        raise ValueError(f"not an SPDX licence expression: {error}") from None
    if parsed is None:
        raise ValueError("not an SPDX licence expression: empty")
    return text


Licence = Annotated[str, AfterValidator(_spdx)]


class Rule(Frozen):
    """Facts about the files of a source that `match` names (globs); a later rule wins."""

    match: tuple[str, ...] = Field(min_length=1)
    support: Literal["ground", "air"] | None = None
    min_object_m: Metres | None = None
    max_object_m: Metres | None = None
    horizon: float | None = Field(None, ge=-2, le=1)
    whole: bool | None = None
    license: Licence | None = None
    attribution: str | None = None
    caption: str | None = None


class Rows(Frozen):
    """Rows of a Hub data set, and the columns that say what a row is ("" where there is none).

    `licenses` translates what the licence column holds to SPDX; other values must be SPDX expressions.
    """

    config: str = ""
    split: str = "train"
    revision: str = ""
    limit: int = Field(1000, ge=1, le=10_000_000)
    image: str = "image"
    name: str = ""
    caption: str = ""
    license: str = ""
    attribution: str = ""
    licenses: dict[str, Licence] = {}


class Diffusion(Frozen):
    """A text-to-image pipeline that draws whole objects on a plain ground, and what it is asked for.

    `model` is a Hub id or a folder. A prompt is a line of `prompts` or of `prompts_file`; `{word}` in it stands
    for any entry of `words.word`. `ground` is added to every prompt, and left out of captions.
    """

    model: str = Field(min_length=1)
    revision: str = ""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    batch: int = Field(4, ge=1, le=256)
    steps: int = Field(28, ge=1, le=1000)
    guidance: float | None = Field(None, ge=0, le=100)
    prompts: tuple[str, ...] = ()
    prompts_file: str = ""
    words: dict[str, tuple[str, ...]] = {}
    ground: str = "isolated on a plain light grey background, the whole object in view, studio photograph"
    negative: str = ""

    @model_validator(mode="after")
    def _one_origin(self) -> "Diffusion":
        if bool(self.prompts) == bool(self.prompts_file):
            raise ValueError("give either 'prompts' or 'prompts_file'")
        return self


class Source(Frozen):
    """Where assets come from, under which licence, and what they are for.

    A `photograph` is matted; its object is a foreground. `layout` tells how annotated data sets lie on disk
    (`files`: every picture is an asset), `categories` which of their classes are wanted (empty: all).
    `long_side_m` is how long the objects really are, `long_sides_m` the same for the files that a glob names (a
    later one wins); scenes put things of like size together. Unknown sizes go with everything.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    kind: Literal["apt", "pypi", "npm", "https", "hf", "local", "procedural", "diffusers"]
    role: Literal["foreground", "background", "photograph"]
    license: Licence
    attribution: str = Field(min_length=1)
    package: str = ""
    urls: tuple[str, ...] = ()
    sha256: tuple[str, ...] = ()
    path: str = ""
    root: str = ""
    include: tuple[str, ...] = PICTURES
    exclude: tuple[str, ...] = ()
    max_mb: int = Field(2048, ge=1)
    layout: Literal["files", "openimages", "coco", "mulan"] = "files"
    categories: tuple[str, ...] = ()
    rows: Rows = Rows()
    diffusion: Diffusion | None = None
    count: int = Field(0, ge=0, le=1_000_000)
    size: int = Field(512, ge=16, le=4096)
    seed: int = Field(0, ge=0, lt=2**63)
    support: Literal["ground", "air"] = "ground"
    long_side_m: Metres | None = None
    long_sides_m: dict[str, Metres] = {}
    rules: tuple[Rule, ...] = ()

    @property
    def origin(self) -> Literal["real", "generated"]:
        """`generated` for what a generator made, else `real`."""
        return "generated" if self.kind in ("procedural", "diffusers") else "real"

    @model_validator(mode="after")
    def _complete(self) -> "Source":
        key = _NEEDS[self.kind]
        if not getattr(self, key):
            raise ValueError(f"a source of kind '{self.kind}' needs '{key}'")
        for extra, kinds in _ONLY.items():
            given = getattr(self, extra) != type(self).model_fields[extra].default
            if given and self.kind not in kinds:
                raise ValueError(f"'{extra}' is for kind {' or '.join(kinds)}, not for '{self.kind}'")
        if self.sha256 and len(self.sha256) != len(self.urls):
            raise ValueError(f"{len(self.sha256)} sha256 for {len(self.urls)} urls")
        if self.origin == "generated" and self.role != "foreground":
            raise ValueError(f"a source of kind '{self.kind}' makes foregrounds, not role = '{self.role}'")
        if self.kind == "diffusers" and not self.count:
            raise ValueError("a source of kind 'diffusers' needs 'count'")
        if self.categories and self.layout == "files":
            raise ValueError("categories: needs a layout that has them, layout = 'files' has none")
        return self
