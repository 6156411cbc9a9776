"""How well the nano models take pictures apart: `python -m benchmarks.nano MODEL... [--data out/sample] [--real DIR]`.

Protocols, all at 64 x 64 pixels and with the given rough mask as the only hint:
  nano64-scenes@1   test split of a built data set, whole pictures
  nano64-removal@1  real pairs, `<id>.input/clean/mask/effect.png`: the square around the object, hole = mask or effect
  nano64-matting@1  real mattes, `<id>.image/alpha/trimap1.png`: the middle square; the mask is all that the trimap
                    leaves open or calls object
Hole PSNR and ST-LPIPS (shift-tolerant LPIPS, Ghildyal and Liu, ECCV 2022, AlexNet) are of the true picture with only
the hole replaced. One row a method; learned ones once as the one-step mean and once as a sample in 8 steps.
"""

import argparse
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from model.amodal import load_amodal
from model.batch import Batch, Cursor
from model.data.loader import make_loader
from model.data.options import DataOptions
from model.decompose import make_layers
from model.fill import smooth_fill
from model.folder import load_model
from model.modalities import make_modalities
from model.sampler import Layers
from model.scores import alpha_error, layer_scores, masked_psnr
from model.sheet import sheet
from stages.codec import encode_png
from stages.decode import decode_image

SIZE, STEPS = 64, 8
Method = Callable[[Batch], Layers]
Scores = dict[str, Tensor]


def perceptual() -> Callable[[Tensor, Tensor], Tensor]:
    """ST-LPIPS of two batches in [-1, 1], (B,). Its package imports three others that it does not use here."""
    for name in ("IPython", "torchsummary", "torchvision", "torchvision.models", "torchvision.transforms"):
        sys.modules.setdefault(name, types.ModuleType(name))
    sys.modules["IPython"].embed = sys.modules["torchsummary"].summary = None  # type: ignore[attr-defined]
    for part in ("models", "transforms"):
        setattr(sys.modules["torchvision"], part, sys.modules[f"torchvision.{part}"])
    from stlpips_pytorch import stlpips

    network = stlpips.LPIPS(net="alex", variant="shift_tolerant", verbose=False).eval()

    def score(made: Tensor, truth: Tensor) -> Tensor:
        with torch.no_grad():
            return network(made, truth).flatten()

    return score


def levels(picture: Tensor) -> np.ndarray:
    """One picture (C, H, W) as uint8 (h, w, c)."""
    return ((picture + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).contiguous().numpy()


def inpainted(batch: Batch, kind: int) -> Tensor:
    """OpenCV's inpainting with radius 3, for each picture."""
    pairs = zip(batch.composite, batch.mask, strict=True)
    made = [cv2.inpaint(levels(p), (m[0].numpy() > 0.5).astype(np.uint8), 3, kind) for p, m in pairs]
    return torch.from_numpy(np.stack(made)).permute(0, 3, 1, 2).float() / 127.5 - 1


def mean_fill(batch: Batch) -> Tensor:
    """The hole in the mean colour of all else."""
    known = 1 - batch.mask
    mean = (batch.composite * known).sum((2, 3), keepdim=True) / known.sum((2, 3), keepdim=True).clamp_min(1)
    return batch.composite * known + mean * batch.mask


def classical(fill: Callable[[Batch], Tensor]) -> Method:
    """A hole filled by `fill`; the object is the picture, its alpha the mask."""
    return lambda b: Layers(fill(b), torch.cat([b.composite, 2 * b.mask - 1], dim=1))


def shaped(batch: Batch) -> Layers:
    """What the adapted models start from: a smooth fill, and the alpha of the shipped amodal network."""
    with torch.no_grad():
        alpha = load_amodal("weights/nano-amodal").alpha(batch.composite, batch.mask)
    return Layers(smooth_fill(batch.composite, 1 - batch.mask), torch.cat([batch.composite, 2 * alpha - 1], dim=1))


def learned(folder: str, steps: int) -> Method:
    """A model folder, with fixed noise."""
    model, codec = load_model(folder)
    modalities = make_modalities(model.spec.fusion)
    return lambda b: make_layers(
        model.eval(), codec, modalities, b.composite, b.mask, steps, torch.Generator().manual_seed(0)
    )


def methods(folders: list[str]) -> Iterator[tuple[str, Method]]:
    """Names and methods: the classical ones, then each model twice."""
    yield "mean fill, mask as alpha", classical(mean_fill)
    yield "Telea, mask as alpha", classical(lambda b: inpainted(b, cv2.INPAINT_TELEA))
    yield "Navier-Stokes, mask as alpha", classical(lambda b: inpainted(b, cv2.INPAINT_NS))
    yield "smooth fill, mask as alpha", classical(lambda b: smooth_fill(b.composite, 1 - b.mask))
    yield "smooth fill, amodal network alone", shaped
    for folder in folders:
        yield f"{folder}, one step", learned(folder, 1)
        yield f"{folder}, {STEPS} steps", learned(folder, STEPS)


def scenes(location: str, count: int) -> Batch:
    """The test split, without flips, in a fixed order."""
    options = DataOptions(location=(location,), split="test", flip=0.0, workers=0, buckets=((SIZE, SIZE),))
    return next(iter(make_loader(options, seed=0, batch_size=count)))


def read(path: Path) -> np.ndarray:
    """A picture as uint8 (h, w, 3)."""
    return decode_image(path.read_bytes(), name=str(path), want="rgb")


def square(path: Path, centre: tuple[int, int] | None = None) -> np.ndarray:
    """The largest square of a picture around a point (y, x), or in its middle, at 64 px, uint8 (h, w, c)."""
    pixels = read(path)
    h, w = pixels.shape[:2]
    side = min(h, w)
    y, x = centre or (h // 2, w // 2)
    top, left = (min(max(c - side // 2, 0), full - side) for c, full in ((y, h), (x, w)))
    return cv2.resize(pixels[top : top + side, left : left + side], (SIZE, SIZE), interpolation=cv2.INTER_AREA)


def tensor(pictures: list[np.ndarray]) -> Tensor:
    """uint8 pictures as (B, 3, H, W) in [-1, 1]."""
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1


def as_batch(composite: Tensor, background: Tensor, alpha: Tensor, mask: Tensor) -> Batch:
    """A batch whose object has the picture's colours."""
    foreground = torch.cat([composite, 2 * alpha - 1], dim=1)
    keys = tuple(str(i) for i in range(len(composite)))
    return Batch(composite, background, foreground, alpha, mask, keys, Cursor())


def removal(folder: Path) -> Batch:
    """Real pairs with and without an object."""
    parts: list[tuple[np.ndarray, ...]] = []
    for path in sorted(folder.glob("*/*.input.png")):
        names = [path.with_name(path.name.replace("input", part)) for part in ("clean", "mask", "effect")]
        hole = np.maximum(*(read(n)[..., 0] for n in names[1:]))
        ys, xs = np.nonzero(hole > 127)
        at = (int(ys.mean()), int(xs.mean()))
        parts.append(tuple(square(p, at) for p in (path, *names)))
    composite, clean, mask, effect = (tensor(list(column)) for column in zip(*parts, strict=True))
    hole_B1HW = (torch.maximum(mask, effect)[:, :1] > -0.9).float()
    return as_batch(composite, clean, hole_B1HW, hole_B1HW)


def matting(folder: Path) -> Batch:
    """Real pictures with a measured alpha."""
    paths = sorted(folder.glob("*/*.image.png"))
    composite, alpha, trimap = (
        tensor([square(p.with_name(p.name.replace("image", part))) for p in paths])
        for part in ("image", "alpha", "trimap1")
    )
    return as_batch(composite, composite, (alpha[:, :1] + 1) / 2, (trimap[:, :1] > -0.5).float())


def hole_scores(layers: Layers, batch: Batch, perceive: Callable[[Tensor, Tensor], Tensor]) -> Scores:
    """Scores of the background in its hole."""
    assert layers.background is not None
    made = layers.background * batch.mask + batch.background * (1 - batch.mask)
    return {
        "hole_psnr": masked_psnr(layers.background, batch.background, batch.mask),
        "hole_stlpips": perceive(made, batch.background),
    }


def score(name: str, layers: Layers, batch: Batch, perceive: Callable[[Tensor, Tensor], Tensor]) -> Scores:
    """What a protocol asks of a method."""
    if name == "nano64-matting@1":
        assert layers.foreground is not None
        return {"alpha_mae": alpha_error((layers.foreground[:, 3:] + 1) / 2, batch.visible)}
    hole = hole_scores(layers, batch, perceive)
    return hole if name == "nano64-removal@1" else hole | layer_scores(layers, batch)


def show(console: Console, name: str, batch: Batch, rows: list[tuple[str, Scores]]) -> None:
    """One table a protocol."""
    table = Table(title=f"{name}, {len(batch.keys)} pictures")
    table.add_column("method")
    for column in rows[0][1]:
        table.add_column(column, justify="right")
    for method, scores in rows:
        table.add_row(method, *(f"{float(v.nanmean()):.4f}" for v in scores.values()))
    console.print(table)


def main() -> None:
    """Print a table for each protocol whose data is there, and write sheets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*")
    parser.add_argument("--data", default="out/sample")
    parser.add_argument("--real", type=Path)
    parser.add_argument("--count", type=int, default=96)
    parser.add_argument("--sheets", type=Path)
    args = parser.parse_args()
    tasks = {"nano64-scenes@1": scenes(args.data, args.count)}
    if args.real:
        tasks["nano64-removal@1"] = removal(args.real / "removal")
        tasks["nano64-matting@1"] = matting(args.real / "matting")
    perceive, console = perceptual(), Console(width=170)
    for name, batch in tasks.items():
        made = [(method, run(batch)) for method, run in methods(args.models)]
        show(console, name, batch, [(m, score(name, layers, batch, perceive)) for m, layers in made])
        if args.sheets:
            args.sheets.mkdir(parents=True, exist_ok=True)
            first = [Layers(*(p[:12] if p is not None else None for p in layers)) for _, layers in made]
            picture = sheet(Batch(*(t[:12] for t in batch[:6]), batch.cursor), *first)  # type: ignore[arg-type]
            path = args.sheets / f"{name.split('@')[0]}.png"
            path.write_bytes(encode_png((picture.permute(1, 2, 0) * 255).round().byte().numpy()))


if __name__ == "__main__":
    main()
