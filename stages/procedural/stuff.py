"""Random materials: what a thing is made of, how it is finished and painted."""

import numpy as np

from stages.procedural import layout as lay
from stages.procedural.palette import PAINTS, colour, shade
from stages.procedural.program import Material, Point

Rng = np.random.Generator


def _offset(r: Rng) -> Point:
    a, b, c = r.uniform(0.0, 20.0, 3)
    return float(a), float(b), float(c)


def between(r: Rng, low: float, high: float) -> float:
    """A uniform draw."""
    return float(r.uniform(low, high))


def pick(r: Rng, *options: str) -> str:
    """One of the options."""
    return options[int(r.integers(len(options)))]


def _finish(r: Rng) -> tuple[str, float]:
    word = pick(r, "matte", "satin", "glossy", "glossy")
    low, high = {"matte": (0.65, 0.9), "satin": (0.32, 0.5), "glossy": (0.1, 0.22)}[word]
    return word, float(r.uniform(low, high))


def flat(
    r: Rng,
    *names: str,
    rough: float = 0.5,
    bump: float = 0.0,
    bump_frequency: float = 10.0,
    specular: float = 1.0,
    metal: float = 0.0,
    glow: float = 0.0,
    words: tuple[str, str, str] = ("", "", ""),
) -> Material:
    """One colour, of one of the named families, with slight mottling."""
    a = colour(r, *names)
    look = (a, shade(a, float(r.uniform(0.78, 0.92))), a)
    return Material(
        look,
        lay.PLAIN,
        1.7,
        (0.5, 0.0),
        _offset(r),
        rough,
        metal,
        specular,
        bump,
        bump_frequency,
        glow=glow,
        words=words,
    )


def painted(r: Rng, stuff: str = "ceramic") -> Material:
    """Paint or glaze over ceramic, plastic, wood ...: plain or with a decoration."""
    word, rough = _finish(r)
    a, b, c = (colour(r, *PAINTS) for _ in range(3))
    if abs(sum(a) - sum(b)) < 0.35:
        b = colour(r, "cream", "white") if sum(a) < 0.9 else colour(r, "blue", "brown", "teal", "red", "black")
    kind, frequency, knobs, name = _DECORATIONS[int(r.integers(len(_DECORATIONS)))]
    frequency *= float(r.uniform(0.75, 1.35))
    if kind == lay.PLAIN:
        b, c = shade(a, 0.85), a
    if kind in (lay.PANELS, lay.CHEVRON):
        knobs = (float(r.integers(5, 15)), knobs[1])
    if kind == lay.DRIP:
        knobs = (float(r.uniform(-0.5, 0.5)), knobs[1])
    return Material((a, b, c), kind, frequency, knobs, _offset(r), rough, words=(word, name, stuff))


_DECORATIONS: list[tuple[int, float, tuple[float, float], str]] = [
    (lay.PLAIN, 1.5, (0.5, 0.0), ""),
    (lay.PLAIN, 1.5, (0.5, 0.0), ""),
    (lay.STRIPES, 3.5, (0.45, 1.0), "striped"),
    (lay.STRIPES, 6.0, (0.5, 0.0), "finely striped"),
    (lay.STRIPES, 1.6, (0.3, 1.0), "banded"),
    (lay.SPOTS, 3.6, (0.3, 0.4), "spotted"),
    (lay.SPECKLE, 7.0, (0.5, 1.0), "speckled"),
    (lay.GRADIENT, 1.0, (0.5, 0.0), "two-tone"),
    (lay.PANELS, 1.0, (8.0, 0.0), "fluted-pattern"),
    (lay.DRIP, 1.0, (0.0, 0.4), "drip-glazed"),
    (lay.CHEVRON, 2.6, (9.0, 1.0), "zigzag"),
    (lay.CRACKLE, 4.5, (0.25, 0.8), "crackled"),
    (lay.CHECKS, 3.2, (0.5, 0.0), "checked"),
]


def wood(r: Rng, local: bool = True, kinds: tuple[str, ...] = ("pine", "walnut", "brown", "sand")) -> Material:
    """Wood with rings and grain, oiled or bare."""
    a = colour(r, *kinds)
    look = (a, shade(a, float(r.uniform(0.5, 0.7))), shade(a, 0.38))
    rough = float(r.uniform(0.3, 0.75))
    word = "polished" if rough < 0.4 else ""
    return Material(
        look,
        lay.WOOD,
        float(r.uniform(2.2, 4.0)),
        (0.5, 0.0),
        _offset(r),
        rough,
        specular=0.8,
        bump=0.03,
        bump_frequency=20.0,
        local=local,
        words=(word, "", "wooden"),
    )


def metal(r: Rng, rusty: bool = True) -> Material:
    """Polished, brushed or weathered metal."""
    name = pick(r, "steel", "steel", "gold", "copper")
    a = colour(r, name)
    stuff = {"steel": "steel", "gold": "brass", "copper": "copper"}[name]
    rough = float(r.uniform(0.12, 0.42))
    if rusty and r.random() < 0.4:
        green = name == "copper"
        rust = colour(r, "teal") if green else colour(r, "clay", "brown")
        return Material(
            (a, shade(a, 0.8), rust),
            lay.PATINA,
            1.6,
            (float(r.uniform(-0.1, 0.3)), 0.0),
            _offset(r),
            rough + 0.1,
            metal=1.0,
            bump=0.05,
            bump_frequency=14.0,
            words=("weathered" if green else "rusty", "", stuff),
        )
    word = "polished" if rough < 0.22 else "brushed"
    bump = 0.10 if r.random() < 0.25 else 0.015
    return Material(
        (a, shade(a, 0.9), a),
        lay.PLAIN,
        2.0,
        (0.5, 0.0),
        _offset(r),
        rough,
        metal=1.0,
        bump=bump,
        bump_frequency=9.0,
        words=("hammered" if bump > 0.05 else word, "", stuff),
    )


def stone(r: Rng) -> Material:
    """Marble, granite, sandstone or terrazzo."""
    kind = pick(r, "marble", "granite", "sandstone", "terrazzo")
    a = colour(
        r,
        *{"marble": ("white", "cream", "grey", "green", "black"), "granite": ("stone", "pink", "grey")}.get(
            kind, ("sand", "stone", "cream")
        ),
    )
    dark = shade(a, 0.3) if sum(a) > 0.2 else colour(r, "cream")
    words = ("polished" if kind in ("marble", "terrazzo") else "rough", "", kind)
    if kind == "marble":
        return Material((a, shade(a, 0.72), dark), lay.MARBLE, 1.3, (0.5, 0.7), _offset(r), 0.15, words=words)
    if kind == "granite":
        return Material(
            (a, shade(a, 0.45), shade(a, 1.7)),
            lay.SPECKLE,
            11.0,
            (0.1, 0.9),
            _offset(r),
            0.6,
            bump=0.12,
            bump_frequency=24.0,
            words=words,
        )
    if kind == "terrazzo":
        return Material(
            (a, colour(r, "clay", "stone", "teal"), colour(r, "black", "white")),
            lay.TERRAZZO,
            7.0,
            (0.3, 0.0),
            _offset(r),
            0.25,
            words=words,
        )
    return Material(
        (a, shade(a, 0.75), shade(a, 0.6)),
        lay.FIBRES,
        1.2,
        (0.5, 0.5),
        _offset(r),
        0.9,
        bump=0.16,
        bump_frequency=18.0,
        words=words,
    )


def plastic(r: Rng, *names: str) -> Material:
    """Moulded plastic of one colour."""
    return flat(r, *(names or PAINTS), rough=float(r.uniform(0.12, 0.4)), words=("glossy", "", "plastic"))


def rubber(r: Rng) -> Material:
    """Black rubber."""
    return flat(r, "black", rough=0.75, bump=0.03, bump_frequency=30.0)


def cloth(r: Rng, *names: str) -> Material:
    """Woven upholstery or plush."""
    return flat(
        r, *(names or PAINTS), rough=0.95, bump=0.22, bump_frequency=34.0, specular=0.4, words=("soft", "", "fabric")
    )


def anything(r: Rng) -> Material:
    """Any of the above that suits a solid object."""
    kind = pick(r, "painted", "painted", "painted", "wood", "metal", "stone", "plastic")
    if kind == "painted":
        return painted(r, pick(r, "ceramic", "clay", "plastic", "wooden"))
    makers = {"metal": metal, "stone": stone, "plastic": plastic}
    return wood(r, local=False) if kind == "wood" else makers[kind](r)
