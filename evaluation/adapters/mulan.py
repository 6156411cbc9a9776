"""MULAN (Tudosiu et al., "MULAN: A Multi Layer Annotated Dataset for Controllable Text-to-Image Generation").

CVPR 2024, https://huggingface.co/datasets/mulan-dataset/v1.0: a compressed pickle `<id>.p.zl` each photograph of COCO
or LAION, read by an unpickler that knows containers and arrays only (`stages.pickles`). Its instances are laid over the
background in the order written, the last in front, as discussion 9 of that page rebuilds a picture. Where names do not
tell which photograph belongs to an annotation, a CSV with the two in each row does, as for the data set's own tool.

Hidden parts and the background behind objects were inpainted when the set was made: they are a reference, no measured
truth.
"""

import csv
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

from evaluation.adapters.listed import Listed, not_there, unique
from evaluation.adapters.masks import unit
from evaluation.adapters.options import adapter
from evaluation.adapters.shelf import SUFFIXES, Shelf, read_bytes, relative
from evaluation.errors import EvalError
from evaluation.sample import Dataset, Item
from stages.alpha import over_rgb
from stages.decode import DecodeError
from stages.mulan import compose, cut_out, layers
from stages.pickles import load_packed
from stages.types import Patch

_ENDS = (".p.zl", ".p.gz")


class _Target(NamedTuple):
    annotation: Path
    photograph: str  # its stem
    number: int  # of the instance; -1 where the annotation could not be read


@adapter
def open_mulan(root: Path, *, objects: Literal["all", "front"] = "all", photographs: str = "") -> Dataset:
    """A picture each instance, or the frontmost instance of each picture; ids are `<annotation>/<number, from 0>`.

    `photographs` is the folder that holds them where they do not lie in `root`. `picture` is the photograph; `clean`
    the background under all other instances; `foreground` the instance with its inpainted hidden parts; `visible` and
    `alpha` its alpha times what those in front let through; `mask` where that is 0.5 or more. All annotations are
    unpacked once to count their instances; one that cannot be is counted under its own name. Raises EvalError: no
    annotations, or no folder `photographs`.
    """
    where = Path(photographs) if photographs else root
    if not where.is_dir():
        raise EvalError(f"{photographs}: option 'photographs' names no folder")
    annotations = sorted(p for p in root.rglob("*") if p.name.endswith(_ENDS))
    if not annotations:
        raise not_there(root, "MULAN", " and ".join(f"*{end}" for end in _ENDS))
    pictures = Shelf(where, "{id}.*", ((p.stem, p) for p in sorted(where.rglob("*")) if p.suffix.lower() in SUFFIXES))
    pairs = _pairs(root)
    found = unique(named for path in annotations for named in _targets(root, path, pairs, objects))
    return Listed(found, lambda id: _item(id, found[id], root, pictures))


def _stem(name: str) -> str:
    base = PurePosixPath(name.replace("\\", "/")).name
    return next((base.removesuffix(end) for end in _ENDS if base.endswith(end)), "")


def _pairs(root: Path) -> dict[str, str]:
    """Stem of the photograph by stem of the annotation."""
    pairs: dict[str, str] = {}
    for path in sorted(root.rglob("*.csv")):
        for row in _rows(root, path):
            stem = next((s for cell in row if (s := _stem(cell))), "")
            images = [PurePosixPath(cell.replace("\\", "/")) for cell in row]
            image = next((p.stem for p in images if p.suffix.lower() in SUFFIXES), "")
            if stem and image:
                pairs[stem] = image
    return pairs


def _rows(root: Path, path: Path) -> Iterator[list[str]]:
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
            yield from csv.reader(lines)
    except (csv.Error, OSError) as error:
        raise EvalError(f"{root}: {relative(path, root)}: cannot be read: {error}") from None


def _targets(root: Path, path: Path, pairs: dict[str, str], objects: str) -> Iterator[tuple[str, _Target]]:
    stem = _stem(path.name)
    name = relative(path, root)
    id = name.removesuffix(next(end for end in _ENDS if name.endswith(end)))
    try:
        count = len(layers(load_packed(read_bytes(path, name), name), name)[1])
    except DecodeError:
        count = 0
    numbers = range(count) if objects == "all" else range(max(count - 1, 0), count)
    for number in numbers if count else (-1,):
        yield f"{id}/{number}" if count else id, _Target(path, pairs.get(stem, stem), number)


def _item(id: str, target: _Target, root: Path, pictures: Shelf) -> Item:
    name = relative(target.annotation, root)
    background, instances, _ = layers(load_packed(read_bytes(target.annotation, name), name), name)
    if not 0 <= target.number < len(instances):
        raise DecodeError("no_object", f"{name}: {len(instances)} instances, so there is no object")
    picture = pictures.rgb(target.photograph)
    clean = compose(picture, background, name)
    foreground = cut_out(picture, instances[target.number], name)
    visible = unit(foreground[..., 3])
    for number, instance in enumerate(instances):
        if number != target.number:
            other = cut_out(picture, instance, name)
            over_rgb(clean, Patch(other, 0, 0))
            visible = visible * (1 - unit(other[..., 3])) if number > target.number else visible
    mask = visible >= 0.5
    if not mask.any():
        raise DecodeError("no_object", f"{name}: instance {target.number}: nothing of it shows, so there is no mask")
    return Item(id, picture, mask, clean=clean, alpha=visible, foreground=foreground, visible=visible)
