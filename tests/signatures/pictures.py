"""Pictures as files, written from pixels by hand where TensorFlow only reads the format."""

from __future__ import annotations

import struct
from fractions import Fraction
from typing import Any

import numpy as np


def bmp(pixels: Any) -> bytes:
    """Write 24 bits a pixel, blue first, the last row first, each row filled up to four bytes."""
    height, width, _ = pixels.shape
    rows = b"".join(
        row[:, ::-1].astype(np.uint8).tobytes().ljust(-(-3 * width // 4) * 4, b"\0") for row in pixels[::-1]
    )
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(rows), 2835, 2835, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(rows), 0, 0, 54) + header + rows


def gif(indices: Any, palette: Any) -> bytes:
    """Write a GIF of 128 colours without compressing it: a clear code before the dictionary fills up."""
    height, width = indices.shape
    codes = []
    for place, index in enumerate(indices.ravel().tolist()):
        if place % 100 == 0:
            codes.append(128)
        codes.append(index)
    bits = "".join(f"{code:08b}"[::-1] for code in [*codes, 129])
    data = bytes(int(bits[i : i + 8][::-1], 2) for i in range(0, len(bits), 8))
    blocks = b"".join(
        bytes([len(part)]) + part for i in range(0, len(data), 255) for part in [data[i : i + 255]]
    )
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0b11110110, 0, 0)
    frame = b"," + struct.pack("<HHHHB", 0, 0, width, height, 0)
    return screen + palette.astype(np.uint8).tobytes() + frame + b"\x07" + blocks + b"\0;"


def cropped(pixels: Any, height: int, width: int) -> Any:
    """Cut the middle out in the proportions of a size."""
    rows, columns = pixels.shape[:2]
    kept_rows, kept_columns = (
        min(rows, columns * height // width),
        min(columns, rows * width // height),
    )
    top, left = (rows - kept_rows) // 2, (columns - kept_columns) // 2
    return pixels[top : top + kept_rows, left : left + kept_columns]


def padded(pixels: Any, height: int, width: int) -> Any:
    """Resize without changing the proportions, and put black around the picture."""
    rows, columns = pixels.shape[:2]
    scale = min(Fraction(height, rows), Fraction(width, columns))
    top, left = int((height - rows * scale) / 2), int((width - columns * scale) / 2)
    kept = resized(pixels, int(rows * scale), int(columns * scale))
    whole = np.zeros((height, width, pixels.shape[2]))
    whole[top : top + len(kept), left : left + kept.shape[1]] = kept
    return whole


def resized(pixels: Any, height: int, width: int) -> Any:
    """Resize bilinearly, pixels having their middles at halves."""
    pixels = pixels.astype(np.float64)
    for axis, size in ((0, height), (1, width)):
        old = pixels.shape[axis]
        places = (np.arange(size) + 0.5) * old / size - 0.5
        low = np.floor(places).astype(int)
        weight = (places - low).reshape([-1 if a == axis else 1 for a in range(3)])
        first, second = (np.take(pixels, np.clip(low + i, 0, old - 1), axis) for i in (0, 1))
        pixels = first * (1 - weight) + second * weight
    return pixels
