"""Damage to samples whose files are all intact: the JSON and the pixels."""

import numpy as np
import orjson

from tests.damage import Damage, Harm


def whole_number(d: Damage) -> None:
    d.member(d.names()[0], "json", lambda data: _replaced(data, {"mask_strength": 1}))


def null_caption(d: Damage) -> None:
    d.member(d.names()[0], "json", lambda data: _replaced(data, {"caption": None}))


def extra_key(d: Damage) -> None:
    d.member(d.names()[0], "json", lambda data: _replaced(data, {"note": "x"}))


def no_layers(d: Damage) -> None:
    d.member(d.names()[0], "json", lambda data: _replaced(data, {"layers": []}))


def other_attempt(d: Damage) -> None:
    d.member(d.names()[0], "json", lambda data: _replaced(data, {"attempt": 77}))


def _replaced(data: bytes, facts: dict[str, object]) -> bytes:
    return orjson.dumps(orjson.loads(data) | facts)


def wrong_count(d: Damage) -> None:
    d.tell(d.names()[0], num_objects=9)


def bad_recipe(d: Damage) -> None:
    d.tell(d.names()[0], recipe="{}")


def unknown_asset(d: Damage) -> None:
    key = d.names()[0]
    recipe, layers = orjson.loads(d.meta(key)["recipe"]), d.meta(key)["layers"]
    recipe["plate"]["asset"] = layers[0]["asset"] = "tiny-photos:gone.png"
    d.tell(key, recipe=orjson.dumps(recipe).decode(), layers=layers)


def wrong_attribution(d: Damage) -> None:
    layers = d.meta(d.names()[0])["layers"]
    layers[0]["attribution"] = "somebody else"
    d.tell(d.names()[0], layers=layers)


def grey_mask(d: Damage) -> None:
    mask = d.pixels(d.names()[0], "mask")
    mask[np.unravel_index(mask.argmax(), mask.shape)] = 254
    d.paint(d.names()[0], "mask", mask)


def empty_mask(d: Damage) -> None:
    d.paint(d.names()[0], "mask", np.zeros_like(d.pixels(d.names()[0], "mask")))
    d.tell(d.names()[0], mask_iou=0.0)


def coloured_nothing(d: Damage) -> None:
    foreground = d.pixels(d.names()[0], "foreground")
    foreground[foreground[..., 3] == 0] = (9, 9, 9, 0)
    d.paint(d.names()[0], "foreground", foreground)


def ghost_occluder(d: Damage) -> None:
    key = next(k for k in d.names() if all(v["role"] != "front" for v in d.meta(k)["layers"]))
    clear = (d.pixels(key, "foreground")[..., 3] == 0) & (d.pixels(key, "shadow") == 0)
    occluder = d.pixels(key, "occluder")
    occluder[clear] = (1, 2, 3, 4)
    d.paint(key, "occluder", occluder)


def ghost_shadow(d: Damage) -> None:
    key = next(k for k in d.names() if not d.meta(k)["shadow"])
    shadow = d.pixels(key, "shadow")
    shadow[d.pixels(key, "foreground")[..., 3] == 255] = 60
    d.paint(key, "shadow", shadow)


def one_level(d: Damage) -> None:
    composite = d.pixels(d.names()[0], "composite")
    composite[5, 7, 1] ^= 1
    d.paint(d.names()[0], "composite", composite)


def one_level_in_target(d: Damage) -> None:
    composite, alpha = d.pixels(d.names()[0], "composite"), d.pixels(d.names()[0], "foreground")[..., 3]
    composite[(*np.unravel_index(alpha.argmax(), alpha.shape), 2)] ^= 2
    d.paint(d.names()[0], "composite", composite)


def wrong_area(d: Damage) -> None:
    d.tell(d.names()[0], area_fraction=d.meta(d.names()[0])["area_fraction"] + 1e-9)


def wrong_visible(d: Damage) -> None:
    d.tell(d.names()[0], visible_fraction=d.meta(d.names()[0])["visible_fraction"] - 1e-6)


def unmet_wish(d: Damage) -> None:
    key = next(k for k in d.names() if d.meta(k)["occluded"])
    recipe, asked = orjson.loads(d.meta(key)["recipe"]), d.meta(key)["visible_fraction"] - 0.031
    recipe["occlusion"]["visible"] = asked
    d.tell(key, recipe=orjson.dumps(recipe).decode(), asked_visible_fraction=asked)


DAMAGES: list[Harm] = [
    ("json_schema", whole_number, "train_000000000 mask_strength: is 1, must be float"),
    ("json_schema", null_caption, "caption: is None, must be str"),
    ("json_schema", extra_key, "JSON: keys are"),
    ("json_schema", no_layers, "layers: is [], must be a list that is not empty"),
    ("json_index", other_attempt, "train_000000000 attempt: JSON 77, index"),
    ("metadata", wrong_count, "train_000000000 num_objects is 9, must be"),
    ("metadata", bad_recipe, "recipe: 7 errors"),
    ("metadata", unknown_asset, "asset tiny-photos:gone.png is not in the asset table"),
    ("metadata", wrong_attribution, "attribution of tiny-photos:"),
    ("mask_values", grey_mask, "1 pixels of mask.png are neither 0 nor 255"),
    ("mask_values", empty_mask, "mask.png is empty"),
    ("hidden_colour", coloured_nothing, "pixels of foreground.png have colour under alpha 0"),
    ("layer_presence", ghost_occluder, "occluder.png is not empty, layers in front: False"),
    ("layer_presence", ghost_shadow, "shadow.png is not empty, but the target throws no shadow"),
    ("recomposition", one_level, "train_000000000 composite.png differs from its layers in 1 pixels, by up to 1"),
    (
        "recomposition",
        one_level_in_target,
        "train_000000000 composite.png differs from its layers in 1 pixels, by up to 2",
    ),
    ("fractions", wrong_area, "train_000000000 area_fraction is"),
    ("fractions", wrong_visible, "visible_fraction is"),
    ("asked_occlusion", unmet_wish, "within 0.03"),
]
