"""Small models to publish, and reports of them: made by the trainer and the evaluation, not by hand."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import orjson
import pytest

from evaluation.run import evaluate
from model.codec import PixelCodec
from model.folder import save_model
from model.spec import Spec
from model.train import train
from tests.evaluation.test_run import protocol, scenes
from tests.model.runs import tiny_config, write_data
from tests.model.tiny import LORA, base, layer_model

ROOT = Path(__file__).resolve().parents[2]
ADAPT = "weights/nano-adapt"
INDEX = {"name": "scenes", "fingerprint": "ab" * 32, "samples": 20}


def trained(folder: Path) -> Path:
    """A run in `folder`/run over a data set that tells what the engine's do; returns the finished model."""
    write_data(folder / "scenes")
    index = orjson.loads((folder / "scenes" / "index.json").read_bytes())
    (folder / "scenes" / "index.json").write_bytes(orjson.dumps(INDEX | index))
    return train(tiny_config(str(folder / "scenes"), description="A | tiny *one*"), folder / "run")


def onto(name: str, folder: Path, **changes: Any) -> Path:
    """An adapted model whose base is called `name`; of the base, nothing is there."""
    spec = Spec(codec="pixel", pixel_factor=2, lora=LORA, base=name).model_copy(update=changes)
    save_model(folder, layer_model(spec, base()), PixelCodec(2))
    return folder


def scored(folder: Path, *methods: str, name: str = "small") -> Path:
    """A report.json with the methods beside the baselines `mean-fill` and `telea`, on three small pictures."""
    asked = protocol(name=name, methods=("mean-fill", "telea", *methods))
    report = evaluate([asked], [scenes(folder)], folder / "out", lambda *_: None)
    path = folder / "report.json"
    path.write_bytes(orjson.dumps(report.model_dump()))
    return path


def copied(folder: Path) -> Path:
    """The shipped model in a folder of its own."""
    return Path(shutil.copytree(ROOT / ADAPT, folder))


def on_the_hub(monkeypatch: pytest.MonkeyPatch, cards: dict[str, dict[str, Any] | None]) -> None:
    """A Hub that knows the cards of these models alone."""

    def model_info(name: str) -> SimpleNamespace:
        if name not in cards:
            raise ConnectionError("https://hub/?sig=secret")
        data = cards[name]
        return SimpleNamespace(card_data=huggingface_hub.ModelCardData(**data) if data is not None else None)

    monkeypatch.setattr(huggingface_hub, "model_info", model_info)
