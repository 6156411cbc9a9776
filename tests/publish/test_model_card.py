"""The card of a model: read by huggingface_hub and PyYAML, its TOML by tomllib, its code run, its scores compared."""

import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import orjson
import pytest
import yaml
from PIL import Image

from evaluation.methods.checkpoint import Checkpoint as Options
from evaluation.methods.checkpoint import weights_of
from evaluation.methods.made import key_from
from evaluation.results import Report
from model.config import TrainConfig
from model.decompose import LayerDecompositionPipeline
from model.record import DataRecord, Record, read_record, write_record
from pipeline.citation import BIBTEX
from publish.errors import PublishError
from publish.model import prepare_model
from tests.publish.models import ADAPT, INDEX, ROOT, copied, on_the_hub, onto, scored, trained

REPO = "org/tiny-model"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the shipped model in two ways, and of another one, which is named by its place on this machine."""
    nano = [f"model:{ROOT}/{ADAPT}?steps=1", f"model:{ADAPT}?steps=2&seed=3"]
    return scored(tmp_path_factory.mktemp("report"), *nano, f"model:{ROOT}/weights/nano-fill?steps=1")


@pytest.fixture(autouse=True)
def _no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    on_the_hub(monkeypatch, {})


def card_of(folder: Path, *reports: Path, license: str | None = None, repo: str = REPO) -> str:
    items = prepare_model(folder, repo, reports, license)
    (source,) = (item.source for item in items if item.path == "README.md")
    assert isinstance(source, bytes)
    return source.decode()


def front(card: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(card.split("---\n")[1])
    return found


def section(card: str, title: str) -> str:
    return re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", card, re.S | re.M)[0]


def rows(table: str) -> list[list[str]]:
    return [[c.strip() for c in line.strip("|").split(" | ")] for line in table.splitlines() if line.startswith("|")]


def test_the_hub_s_own_reader_takes_it(report: Path) -> None:
    text = card_of(ROOT / ADAPT, report)
    card = huggingface_hub.ModelCard(text)
    card.validate_metadata = None  # nothing is asked of the Hub
    data = card.data
    assert (data.pipeline_tag, data.library_name, data.model_name) == ("image-to-image", "layerloom", "tiny-model")
    assert {"layerloom", "lora", "image-layer-decomposition"} <= set(data.tags)
    assert data.base_model is None  # the base lies in the repository and is no id of the Hub
    assert yaml.safe_load(data.to_yaml()) == front(text)
    assert re.match(r"# tiny-model\n", card.text.lstrip())


def test_the_model_index_holds_the_scores_of_this_checkpoint_alone(report: Path) -> None:
    found = huggingface_hub.ModelCard(card_of(ROOT / ADAPT, report)).data.eval_results
    protocol = Report.model_validate(orjson.loads(report.read_bytes())).protocols[0]
    own = [m for m in protocol.methods if ADAPT in m.name]
    means = {m.name.split("?")[-1]: {k: s.mean for k, s in m.scores.items()} for m in own}
    expected = {
        (metric, how.replace("&", ", ")): means[how][metric]
        for how in ("steps=1", "steps=2&seed=3")
        for metric in ("psnr.mask", "psnr.outside")
    }
    assert len(found) == len(expected) == 4  # `sad` has no value, for there is no true alpha
    for result in found:
        metric, how = re.fullmatch(r"(\S+) \((.*)\)", result.metric_name).groups()  # type: ignore[union-attr]
        assert result.metric_value == pytest.approx(expected[metric, how], abs=0.0051)
        assert (result.dataset_name, result.dataset_type, result.metric_type) == ("small@3", "small", "psnr")
        assert (result.task_type, result.task_name) == ("image-to-image", "removal")
        assert result.metric_args["steps"] == (1 if how == "steps=1" else 2)


def test_the_tables_name_protocol_model_and_baselines(report: Path) -> None:
    scores = section(card_of(ROOT / ADAPT, report), "Scores")
    assert "### small@3" in scores
    table = rows(scores)
    names = ["mean-fill", "telea", "this model (steps=1)", "this model (steps=2, seed=3)", "model:nano-fill?steps=1"]
    assert [row[0] for row in table[2:]] == names
    assert table[0][:2] == ["small@3", "psnr.mask (dB) ↑"]
    given = Report.model_validate(orjson.loads(report.read_bytes())).protocols[0].methods[1].scores["psnr.mask"]
    assert table[3][1].startswith(f"**{given.mean:.2f}** [{given.low:.2f}, {given.high:.2f}]")
    assert "peak 255" in scores  # metrics are defined


def test_a_report_without_this_checkpoint_is_refused_with_what_it_has(report: Path, tmp_path: Path) -> None:
    with pytest.raises(PublishError) as error:
        card_of(ROOT / "weights/nano-fill", scored(tmp_path, f"model:{ADAPT}?steps=1"))
    assert re.search(
        rf"no scores of .*nano-fill, .*; it has mean-fill, model:{ADAPT}\?steps=1, telea$", str(error.value)
    )
    changed = copied(tmp_path / "changed")
    weights = changed / "layers.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(PublishError, match="no scores of"):
        card_of(changed, report)


def test_a_protocol_counts_once(report: Path, tmp_path: Path) -> None:
    other = shutil.copy(report, tmp_path / "again.json")
    with pytest.raises(PublishError, match=rf"^{other}: small@3 is in {report}, too; give one of them$"):
        card_of(ROOT / ADAPT, report, other)
    second = scored(tmp_path, f"model:{ADAPT}?steps=1", name="smaller")
    found = huggingface_hub.ModelCard(card_of(ROOT / ADAPT, report, second)).data.eval_results
    assert {r.dataset_name for r in found} == {"small@3", "smaller@3"}
    assert "psnr.mask (steps=1)" in {r.metric_name for r in found if r.dataset_name == "smaller@3"}


def test_scores_made_with_other_libraries_are_recognised(report: Path, tmp_path: Path) -> None:
    about = orjson.loads(report.read_bytes())
    about["versions"] |= {"torch": "9.9", "diffusers": "8.8"}
    options = Options(path="x", steps=1)
    versions = {"torch": "9.9", "diffusers": "8.8"}
    about["protocols"][0]["methods"][2]["key"] = key_from("model", options, versions, weights_of(ROOT / ADAPT))
    about["protocols"][0]["methods"].pop(3)
    (tmp_path / "report.json").write_bytes(orjson.dumps(about))
    assert "| this model (steps=1) |" in card_of(ROOT / ADAPT, tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read: No such file"),
        (b"{", "cannot be read: "),
        (b'{"format": 1}', "created"),
        (b'{"format": 7, "created": "", "versions": {}, "protocols": []}', "format must be 1, is 7"),
    ],
)
def test_what_is_no_report_is_told(tmp_path: Path, text: bytes | None, said: str) -> None:
    if text is not None:
        (tmp_path / "r.json").write_bytes(text)
    with pytest.raises(PublishError, match=f"^{tmp_path}/r.json: .*{said}"):
        card_of(ROOT / ADAPT, tmp_path / "r.json")


def test_the_recipe_is_that_of_the_run(made: Path) -> None:
    recipe = section(card_of(made, license="mit"), "Recipe")
    written = tomllib.loads(re.findall(r"```toml\n(.*?)```", recipe, re.S)[0])
    record = read_record(made)
    assert record is not None
    assert TrainConfig.model_validate(written) == TrainConfig.model_validate(record.config)
    assert written["data"]["location"] == ["scenes"]
    told = dict(rows(recipe.split("```")[0])[2:])
    assert told["steps"] == "6"
    assert told["batch"] == "2 samples a step"
    assert told["seed"] == "3"
    assert told["sizes"] == "16 x 16"
    assert told["learning rate"].startswith("0.01 (AdamW), warm-up 2 steps, falling over the last 50%")
    assert told["run"] == r"tiny: A \| tiny \*one\*"
    assert f"torch {record.versions['torch']}" in recipe


def test_the_data_is_named_with_its_hash(made: Path) -> None:
    table = rows(section(card_of(made, license="mit"), "Data"))
    record = read_record(made)
    assert record is not None
    name, fingerprint, sha256 = INDEX["name"], f"`{INDEX['fingerprint']}`", f"`{record.data[0].sha256}`"
    assert table[2:] == [["scenes", name, fingerprint, "20", sha256]]


def test_a_folder_without_a_record_says_so() -> None:
    card = card_of(ROOT / ADAPT)
    assert "The recipe is not recorded" in section(card, "Recipe")
    assert "not recorded" in section(card, "Data")
    assert "None are published" in section(card, "Scores")
    assert "model-index" not in front(card)


def _recorded(made: Path, folder: Path, **changes: Any) -> Path:
    shutil.copytree(made, folder)
    record = read_record(made)
    assert record is not None
    write_record(folder, Record.model_validate(record.model_dump() | changes))
    return folder


def test_data_sets_of_the_hub_and_latents_are_named(made: Path, tmp_path: Path) -> None:
    far = DataRecord(location="https://huggingface.co/datasets/org/scenes/resolve/main", samples=3)
    latents = DataRecord(location="latents", fingerprint="cd" * 32, samples=3)
    folder = _recorded(made, tmp_path / "m", data=[far, DataRecord(location="here")], latents=latents, processes=4)
    card = card_of(folder, license="mit")
    assert huggingface_hub.ModelCard(card).data.datasets == ["org/scenes"]
    data = section(card, "Data")
    assert ["latents", "–", f"`{'cd' * 32}`", "3", "–"] in rows(data)
    assert ["here", "–", "–", "–", "–"] in rows(data)
    assert ["batch", "8 samples a step: 2 a process, 4 processes"] in rows(section(card, "Recipe"))


FLUX = "black-forest-labs/FLUX.1-Fill-dev"
TERMS = {"license": "other", "license_name": "flux-1-dev-non-commercial-license", "license_link": "LICENSE.md"}
LINK = f"https://huggingface.co/{FLUX}/blob/main/LICENSE.md"


def test_a_base_on_the_hub_passes_its_licence_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_the_hub(monkeypatch, {FLUX: TERMS})
    card = card_of(onto(FLUX, tmp_path / "m"))
    data = huggingface_hub.ModelCard(card).data
    assert (data.base_model, data.base_model_relation) == (FLUX, "adapter")
    assert (data.license, data.license_name, data.license_link) == ("other", TERMS["license_name"], LINK)
    assert f"[{FLUX}](https://huggingface.co/{FLUX}): `other` ([{TERMS['license_name']}]({LINK}))" in card
    assert f"It fetches [{FLUX}](https://huggingface.co/{FLUX}) from the Hub" in section(card, "Use")
    (tmp_path / "m" / "README.md").write_text(README)
    assert front(card_of(tmp_path / "m"))["license_name"] == TERMS["license_name"]
    message = rf"^--license mit: its base, {FLUX}, passes '{TERMS['license_name']}' on; leave the option out$"
    with pytest.raises(PublishError, match=message):
        card_of(tmp_path / "m", license="mit")


def test_without_lora_a_model_on_a_base_is_fine_tuned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_the_hub(monkeypatch, {FLUX: None})
    data = front(card_of(onto(FLUX, tmp_path / "m", lora=None, trained=(".*",)), license="mit"))
    assert (data["base_model"], data["base_model_relation"], data["license"]) == (FLUX, "finetune", "mit")


README = "---\nlicense: cc0-1.0\n---\nmine\n"


def test_which_licence_counts(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_the_hub(monkeypatch, {FLUX: {"license": "apache-2.0"}})
    shipped, far = copied(tmp_path / "shipped"), onto(FLUX, tmp_path / "far")
    own = Path(shutil.copytree(made, tmp_path / "own"))
    assert front(card_of(shipped, license="MIT"))["license"] == "mit"
    assert front(card_of(shipped))["license"] == "other"  # of its own card
    assert "`weights/nano-fill` of layerloom's repository: `cc-by-sa-4.0`" in card_of(shipped)
    (shipped / "README.md").unlink()
    assert front(card_of(shipped))["license"] == "cc-by-sa-4.0"  # of its base, weights/nano-fill
    assert front(card_of(far))["license"] == "apache-2.0"
    (far / "README.md").write_text(README)
    (own / "README.md").write_text(README)
    assert front(card_of(far))["license"] == "cc0-1.0"
    assert front(card_of(own))["license"] == "cc0-1.0"
    on_the_hub(monkeypatch, {})
    assert front(card_of(far))["license"] == "cc0-1.0"
    assert f"[{FLUX}](https://huggingface.co/{FLUX}): not known here; see its card" in card_of(far)


def test_no_licence_at_all(made: Path, tmp_path: Path) -> None:
    with pytest.raises(PublishError, match=r"README.md names no licence, and no base of it is known; .* --license$"):
        card_of(made)
    with pytest.raises(PublishError) as error:
        card_of(onto(FLUX, tmp_path / "far"))
    assert re.search(rf"nor does its base \(the card of {FLUX} cannot be read: ConnectionError\); ", str(error.value))
    with pytest.raises(PublishError, match=r"--license: must be a licence's id, .* is 'my own terms'"):
        card_of(made, license="my own terms")
    own = Path(shutil.copytree(made, tmp_path / "own"))
    (own / "README.md").write_text("---\nlicense: [\n---\n")
    with pytest.raises(PublishError, match=r"README.md: its front matter cannot be read"):
        card_of(own)


def test_a_base_in_the_repository_needs_a_clone() -> None:
    use = section(card_of(ROOT / ADAPT), "Use")
    assert "It needs `weights/nano-amodal` and `weights/nano-fill` of a clone of layerloom" in use
    assert f"layerloom decompose photo.jpg --mask mask.png --model {REPO} -o layers" in use


def test_where_the_weights_began(made: Path, tmp_path: Path) -> None:
    assert "| base | new weights, in this repository |" in card_of(made, license="mit")
    assert "| base | `weights/nano-fill` of layerloom's repository, not in this repository |" in card_of(ROOT / ADAPT)
    record = read_record(made)
    assert record is not None
    base = {"model": "weights/nano-fill", "spec": {}}
    card = card_of(_recorded(made, tmp_path / "m", config=record.config | {"base": base}))
    assert "| base | `weights/nano-fill` of layerloom's repository, in this repository |" in card
    assert front(card)["license"] == "cc-by-sa-4.0"
    config = record.config | {"base": base | {"model": "mine"}}
    card = card_of(_recorded(made, tmp_path / "private", config=config), license="mit")
    assert "| base | mine (not published here), in this repository |" in card


def test_its_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, **_: {REPO: str(ROOT / ADAPT)}[name])
    g = np.random.default_rng(0)
    picture, mask = g.integers(0, 256, (40, 48, 3), np.uint8), np.zeros((40, 48), np.uint8)
    mask[10:30, 10:30] = 255
    Image.fromarray(picture).save("photo.jpg")
    Image.fromarray(mask).save("mask.png")
    exec(re.findall(r"```python\n(.*?)```", card_of(ROOT / ADAPT), re.S)[0], {})
    with Image.open("photo.jpg") as photo:
        layers = LayerDecompositionPipeline.from_pretrained(ROOT / ADAPT)(photo.convert("RGB"), mask)
    with Image.open("foreground.png") as foreground, Image.open("background.png") as background:
        assert (np.asarray(foreground) == layers.foreground).all()
        assert (np.asarray(background) == layers.background).all()


def test_the_paper_is_cited_as_by_data_sets() -> None:
    found = re.findall(r"```bibtex\n(.*?)\n```", card_of(ROOT / ADAPT), re.S)
    assert found == [BIBTEX]
    assert found[0].startswith("@article{chen2025inpainting,")


def test_neither_paths_nor_tokens_are_in_it(made: Path, report: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_canary0canary1canary2canary3")
    for card in (card_of(ROOT / ADAPT, report), card_of(made, license="mit")):
        for private in (str(ROOT), str(made.parent), str(report.parent), str(Path.home()), "/tmp", "canary"):
            assert private not in card.replace(f"~{private}", ""), private
        assert not re.search(r"(?<![\w:/])/(home|root|work|tmp|var|data)\b", card)


def test_the_same_folder_gives_the_same_card(report: Path) -> None:
    assert card_of(ROOT / ADAPT, report) == card_of(ROOT / ADAPT, report)
