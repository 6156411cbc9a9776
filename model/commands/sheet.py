"""A picture, its mask and its layers side by side, labelled. Arrays are uint8, sRGB-encoded."""

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from stages.alpha import over_rgb
from stages.types import U8, Mask, Patch

LABELS = ("picture", "mask", "background", "foreground", "recomposed")
GAP, LABEL, LONGEST, CHEQUER = 6, 22, 384, 8  # pixels
_LIGHT, _DARK = 204, 153
_MARK = np.array([255, 0, 128], np.float32)  # hardly ever in a photograph


def decomposition_sheet(picture: U8, mask: Mask, foreground: U8, background: U8, recomposed: U8) -> U8:
    """(h, w, 3): one column for each of `LABELS`, at most 384 pixels a side; the foreground on a chequerboard."""
    marked = np.where(mask[..., None], 0.4 * picture + 0.6 * _MARK, picture).astype(np.uint8)
    cells = [_shrunk(cell) for cell in (picture, marked, background, on_chequer(foreground), recomposed)]
    height, width = cells[0].shape[:2]
    sheet = Image.new("RGB", (len(cells) * (width + GAP) + GAP, height + LABEL + GAP), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=13)
    for column, (label, cell) in enumerate(zip(LABELS, cells, strict=True)):
        x = GAP + column * (width + GAP)
        draw.text((x, 3), label, "black", font)
        sheet.paste(Image.fromarray(cell), (x, LABEL))
    return np.array(sheet)


def on_chequer(rgba: U8) -> U8:
    """Straight RGBA (h, w, 4) over a grey chequerboard."""
    height, width = rgba.shape[:2]
    square = max(CHEQUER, CHEQUER * max(height, width) // LONGEST)  # is CHEQUER on the sheet
    light = (np.arange(height)[:, None] // square + np.arange(width) // square) % 2 == 0
    board = np.repeat(np.where(light, np.uint8(_LIGHT), np.uint8(_DARK))[..., None], 3, axis=2)
    over_rgb(board, Patch(rgba, 0, 0))
    return board


def _shrunk(cell: U8) -> U8:
    height, width = cell.shape[:2]
    scale = min(1.0, LONGEST / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(cell, size, interpolation=cv2.INTER_AREA), np.uint8)
