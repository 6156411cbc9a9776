"""CPU milliseconds of every step of a sample, one thread: `python -m benchmarks.stages [OUT]`.

OUT is a finished build (out/sample) whose assets are in the cache; its own recipes are what is measured.
"""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import orjson

from pipeline.__main__ import default_cache
from pipeline.build import maker
from pipeline.sample import Made, encode
from stages import alpha, codec, composite, geometry, light, masks
from stages.types import Patch

_SAMPLES = 200


def milliseconds(call: Callable[[], object], repeat: int = 5) -> float:
    """Median CPU time of one call, in ms, after one warm-up."""
    call()
    times = []
    for _ in range(repeat):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return statistics.median(times) * 1e3


def main() -> None:
    """Print the table for one build."""
    cv2.setNumThreads(1)
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "out/sample").resolve()
    fingerprint = orjson.loads((out / ".build" / "build.json").read_bytes())["fingerprint"]
    make = maker(str(out), str(default_cache()), fingerprint)
    whole = [make.make("train", k) for k in range(40)]  # warm the asset cache and the compiled kernels
    start = time.process_time()
    whole = [make.make("train", k) for k in range(_SAMPLES)]
    rendered = time.process_time()
    kib = sum(len(data) for made in whole for data in encode(made).values()) / len(whole) / 1024
    encoded = time.process_time()
    print(f"{out.name}: {_SAMPLES} samples at {make.manifest.size} px, one thread")
    print(f"| plan and render | {(rendered - start) / _SAMPLES * 1e3:.2f} ms a sample |")
    print(f"| encode          | {(encoded - rendered) / _SAMPLES * 1e3:.2f} ms a sample, {kib:.0f} KiB |")
    for name, value in _steps(whole[0], make.pixels).items():
        print(f"| {name:<30} | {value:6.2f} ms |")


def _steps(made: Made, pixels: composite.Pixels) -> dict[str, float]:
    from stages.types import Recipe

    recipe = Recipe.model_validate_json(made.meta.recipe)
    target = next(o for o in recipe.objects if o.role == "target")
    cutout, photo, s = pixels(target.asset), pixels(recipe.plate.asset), made.sample
    patch = Patch(geometry.warp_object(cutout, target.scale, target.rotation, target.flip)[0], 40, 40)
    shadow = target.shadow or next((o.shadow for o in recipe.objects if o.shadow), None)
    visible = s.mask > 0
    calls: dict[str, Callable[[], object]] = {
        "crop and shrink background": lambda: geometry.crop_plate(photo, recipe.plate, recipe.size),
        "warp object": lambda: geometry.warp_object(cutout, target.scale, target.rotation, target.flip),
        "harmonize": lambda: light.harmonize(patch.rgba, s.background, 0.5),
        "over": lambda: alpha.over_rgb(s.background.copy(), patch),
        "recompose": lambda: alpha.recompose(s.background, s.foreground, s.shadow, s.occluder),
        "mask (brush)": lambda: masks.imperfect_mask(visible, "brush", 0.5, recipe.mask.jitter),
        "PNG RGB": lambda: codec.encode_png(s.composite),
        "PNG RGBA": lambda: codec.encode_png(s.foreground),
        "PNG L": lambda: codec.encode_png(s.mask),
        "PNG RGB decode": lambda data=codec.encode_png(s.composite): codec.decode_png(data),  # type: ignore[misc]
    }
    if shadow is not None:
        calls["shadow"] = lambda: light.shadow_density(patch, shadow, recipe.size)
    return {name: milliseconds(call) for name, call in calls.items()}


if __name__ == "__main__":
    main()
