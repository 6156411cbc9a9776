"""MULAN's layout: photographs of COCO and LAION, and a compressed pickle for each that tells its layers.

`<id>.p.zl` holds "background", "image" and "instances", each layer as what to keep of the photograph and what to
add to it; see https://huggingface.co/datasets/mulan-dataset/v1.0 and arXiv:2404.02790. Tables of pairs
(photograph, annotation), as the data set's own tool reads, say which belong together where names do not.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from pipeline.layouts.common import Pictures, Skipped, csv_rows, nothing_found
from pipeline.layouts.mulan_layer import BACKGROUND, MulanLayer
from pipeline.source import IMAGE_SUFFIXES, Source
from pipeline.sources.common import AssetError, FetchedFile
from stages.decode import DecodeError
from stages.mulan import layers
from stages.pickles import load_packed

ANNOTATIONS = (".p.zl", ".p.gz")


def read(source: Source, files: Sequence[FetchedFile]) -> tuple[list[FetchedFile], list[Skipped]]:
    """Instances, completed backgrounds, or the photographs themselves, by `role`.

    A photograph is found by the annotation's name or through a CSV. Each annotation is unpacked once, to count its
    layers and read its captions. Skipped are missing_image, ambiguous_image and what `load_packed` refuses.
    Raises AssetError if there is no annotation, or categories are asked for: MULAN has none.
    """
    annotations = [f for f in files if f.relative.endswith(ANNOTATIONS)]
    if not annotations:
        raise nothing_found("mulan", f"annotations (*{', *'.join(ANNOTATIONS)})", files)
    if source.categories:
        raise AssetError("categories: layout = 'mulan' has no classes, leave it out")
    pictures, pairs = Pictures(files), _pairs(files)
    found: list[FetchedFile] = []
    skipped: list[Skipped] = []
    for annotation in annotations:
        try:
            picture = _picture(annotation, pictures, pairs)
            content = load_packed(annotation.path.read_bytes(), annotation.relative)
            found += _entries(source.role, annotation, picture, content)
        except DecodeError as error:
            skipped.append(Skipped(annotation.relative, error.reason, str(error)))
    return found, skipped


def _stem(name: str) -> str:
    base = PurePosixPath(name.replace("\\", "/")).name
    return next((base.removesuffix(s) for s in ANNOTATIONS if base.endswith(s)), "")


def _pairs(files: Sequence[FetchedFile]) -> dict[str, str]:
    """Photograph by annotation, both as written, from every CSV row that names one of each."""
    pairs: dict[str, str] = {}
    for file in files:
        if not file.relative.lower().endswith(".csv"):
            continue
        for row in csv_rows(file):
            stem = next((s for cell in row if (s := _stem(cell))), "")
            image = next((c for c in row if PurePosixPath(c).suffix.lower() in IMAGE_SUFFIXES), "")
            if stem and image:
                pairs[stem] = image
    return pairs


def _picture(annotation: FetchedFile, pictures: Pictures, pairs: dict[str, str]) -> FetchedFile:
    stem = _stem(annotation.relative)
    found = pictures.find(pairs[stem]) if stem in pairs else pictures.stem(stem)
    if not found:
        sought = pairs.get(stem, f"{stem}.*")
        raise DecodeError("missing_image", f"{annotation.relative}: its photograph {sought} is not there")
    if len(found) > 1:
        text = f"its photograph may be {found[0].relative} or {found[1].relative}"
        raise DecodeError("ambiguous_image", f"{annotation.relative}: {text}")
    return replace(found[0], photo=pictures.photo(found[0]))


def _entries(role: str, annotation: FetchedFile, picture: FetchedFile, content: Any) -> Iterator[FetchedFile]:
    background, instances, image = layers(content, annotation.relative)
    if role == "photograph":
        yield replace(picture, caption=_caption(image))
        return
    asked = [(BACKGROUND, background)] if role == "background" else list(enumerate(instances))
    for number, layer in asked:
        label = "background" if number == BACKGROUND else str(number)
        yield replace(
            picture,
            relative=f"{annotation.relative}/{label}",
            uri=f"{picture.uri}#{label}",
            caption=_caption(layer),
            part=MulanLayer(annotation.path, number),
        )


def _caption(layer: dict[str, Any]) -> str:
    """What BLIP-2 says of the layer, on one line."""
    said = layer.get("blip2")
    return " ".join(said.split()).rstrip(".") if isinstance(said, str) else ""
