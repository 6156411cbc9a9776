"""The card of a model: README.md of its repository, as the Hugging Face Hub reads it.

The front matter follows the Hub's model-card metadata (hub-docs, modelcard.md), with a model-index of the scores.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from string import Template
from typing import Any

from evaluation.report.markdown import LEGEND, definitions, escape, score_table, settings_list, task_line
from evaluation.report.marks import citation
from model.record import DataRecord
from pipeline.citation import BIBTEX
from pipeline.markup import markdown, toml, yaml
from publish.checkpoint import Checkpoint, Needed
from publish.recipe import cell, recipe_rows
from publish.scores import Scored, results
from publish.terms import Licence, Terms

_TEMPLATE = Path(__file__).with_name("model_card.md")
_TEXTS = Path(__file__).with_name("model_texts")
_TAGS = {
    "layers": ("image-layer-decomposition", "amodal", "matting", "object-removal"),
    "amodal": ("amodal-segmentation",),
    "codec": ("vae", "rgba"),
}
_DATASET = re.compile(r"https?://(?:huggingface\.co|hf\.co)/datasets/([^/]+/[^/]+)(?:/.*)?")
_UNKNOWN = "–"


def model_card(checkpoint: Checkpoint, repo: str, licence: Licence, scored: Sequence[Scored]) -> str:
    """The card of `checkpoint` in the repository `repo`. The same arguments give the same text."""
    return (
        f"---\n{yaml(front_matter(checkpoint, repo, licence, scored))}---\n{_body(checkpoint, repo, licence, scored)}"
    )


def front_matter(checkpoint: Checkpoint, repo: str, licence: Licence, scored: Sequence[Scored]) -> dict[str, Any]:
    """The card's metadata as a plain value. Only bases and data sets that are on the Hub are named."""
    spec = checkpoint.spec
    adapters = ("lora",) if spec and spec.lora else ()
    found: dict[str, Any] = {
        **licence.own.front_matter(),
        **_base_model(checkpoint),
        "pipeline_tag": "image-segmentation" if checkpoint.kind == "amodal" else "image-to-image",
        "library_name": "layerloom",
        "tags": ["layerloom", *_TAGS[checkpoint.kind], *adapters],
    }
    if names := sorted({match[1] for d in _data_of(checkpoint) if (match := _DATASET.fullmatch(d.location))}):
        found["datasets"] = names
    if told := results(scored):
        found["model-index"] = [{"name": _title(repo), "results": told}]
    return found


def _base_model(checkpoint: Checkpoint) -> dict[str, str]:
    """A base that the model is loaded onto makes it an adapter, if it has LoRA; otherwise it is fine-tuned."""
    base, spec = checkpoint.base, checkpoint.spec
    if base is None or base.startswith("weights/"):
        return {}
    adapter = spec is not None and spec.base == base and spec.lora is not None
    return {"base_model": base, "base_model_relation": "adapter" if adapter else "finetune"}


def _title(repo: str) -> str:
    return repo.rsplit("/", 1)[-1]


def _data_of(checkpoint: Checkpoint) -> tuple[DataRecord, ...]:
    return checkpoint.record.data if checkpoint.record else ()


def _body(checkpoint: Checkpoint, repo: str, licence: Licence, scored: Sequence[Scored]) -> str:
    kind = checkpoint.kind
    return Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=escape(_title(repo)),
        what=_text(f"{kind}-what"),
        parts=markdown(("part", "what"), rows) if (rows := list(_parts(checkpoint))) else "",
        use="\n\n".join([*_needs(checkpoint.needed), Template(_text(f"{kind}-use")).substitute(repo=repo)]),
        recipe=_recipe(checkpoint),
        data=_data(checkpoint),
        scores=_scores(scored),
        licence=_licence(checkpoint, licence),
        limits=_text(f"{kind}-limits"),
        citation=BIBTEX,
    )


def _text(name: str) -> str:
    return (_TEXTS / f"{name}.md").read_text(encoding="utf-8").strip()


def _parts(checkpoint: Checkpoint) -> Iterator[tuple[str, str]]:
    """What the folder holds, and what it does not."""
    spec = checkpoint.spec
    if spec is None:
        if checkpoint.record:
            yield "made from", _started(checkpoint)
        return
    yield "layers", ", ".join(spec.branches)
    yield "works on", "latents of a VAE" if spec.codec == "vae" else f"pixels, tokens of {2 * spec.pixel_factor} px"
    yield "base", f"{_started(checkpoint)}, {'not in this repository' if spec.base else 'in this repository'}"
    if spec.lora:
        yield "LoRA", f"rank {spec.lora.rank}, alpha {spec.lora.alpha:g}"
    if spec.fusion:
        yield "fusion of contexts", ", ".join(spec.fusion.modalities)
    for other in checkpoint.needed:
        if other.role != "base":
            yield other.role, f"{_place(other.name)}, not in this repository"


def _started(checkpoint: Checkpoint) -> str:
    """What the weights were before: a name that others know, one that they do not, or nothing."""
    if checkpoint.base:
        return _place(checkpoint.base)
    if checkpoint.record is None:
        return "not recorded"
    private = checkpoint.record.config.get("base", {}).get("model")
    return f"{cell(str(private))} (not published here)" if private else "new weights"


def _place(name: str) -> str:
    """A model's name, with its address or where it lies."""
    if name.startswith("weights/"):
        return f"`{name}` of layerloom's repository"
    return f"[{escape(name)}](https://huggingface.co/{name})"


def _needs(needed: Sequence[Needed]) -> Iterator[str]:
    shipped = sorted({f"`{other.name}`" for other in needed if not other.on_hub})
    fetched = sorted({_place(other.name) for other in needed if other.on_hub})
    if shipped:
        yield f"It needs {' and '.join(shipped)} of a clone of layerloom, where it finds them from any folder."
    if fetched:
        yield f"It fetches {' and '.join(fetched)} from the Hub; what is gated there asks for its licence first."


def _recipe(checkpoint: Checkpoint) -> str:
    record = checkpoint.record
    if record is None:
        return "The recipe is not recorded: the folder of this model has no `training.json`."
    versions = ", ".join(f"{name} {version}" for name, version in record.versions.items())
    return (
        f"{markdown(('setting', 'value'), recipe_rows(record))}\n"
        "The whole configuration, for `layerloom train`; local folders are named by their last part:\n\n"
        f"```toml\n{toml(record.config).strip()}\n```\n\n"
        f"Versions: {versions}. [training.json](training.json) holds the same."
    )


def _data(checkpoint: Checkpoint) -> str:
    record = checkpoint.record
    if record is None:
        return "The data is not recorded."
    head = ("data set", "name", "fingerprint", "samples", "SHA-256 of index.json")
    found = markdown(head, map(_data_row, record.data)).rstrip()
    if record.latents is None:
        return found
    note = "The run read pre-computed latents, whose fingerprint is a hash of the samples that they were made from:"
    return f"{found}\n\n{note}\n\n{markdown(head, [_data_row(record.latents)]).rstrip()}"


def _data_row(data: DataRecord) -> tuple[str, ...]:
    codes = [f"`{code}`" if code else _UNKNOWN for code in (data.fingerprint, data.sha256)]
    samples = _UNKNOWN if data.samples is None else str(data.samples)
    return cell(data.location), cell(data.name or _UNKNOWN), codes[0], samples, codes[1]


def _scores(scored: Sequence[Scored]) -> str:
    if not scored:
        return "None are published with this model."
    what = "Of this very checkpoint, by layerloom's evaluation. A number is cited with the name of its protocol. "
    parts = [what + LEGEND]
    for one in scored:
        p = one.protocol
        parts += [f"### {escape(citation(p))}", task_line(p), settings_list(p), score_table(p), definitions(p)]
    return "\n\n".join(parts)


def _licence(checkpoint: Checkpoint, licence: Licence) -> str:
    lines = [f"These weights are published under {_terms(licence.own)}."]
    if licence.before and licence.before.license != licence.own.license:
        lines.append(f"The card that they had before named {_terms(licence.before)}.")
    if licence.parts:
        lines.append(
            "What they were made from, or are used with, has terms of its own, which are passed on with them:\n"
        )
        lines += [f"- {_place(name)}: {_terms(terms)}" for name, terms in licence.parts.items()]
        lines.append("")
    lines.append(
        "The pictures that it learned from keep the licences of their sources, which the `ATTRIBUTION.md` and the card "
        f"of {'each data set' if len(_data_of(checkpoint)) > 1 else 'the data set'} name one by one."
    )
    return "\n".join(lines)


def _terms(terms: Terms | None) -> str:
    if terms is None:
        return "not known here; see its card"
    name = escape(terms.name) if terms.name else ""
    linked = f"[{name or 'its text'}]({terms.link})" if terms.link else name
    return f"`{terms.license}`{f' ({linked})' if linked else ''}"
