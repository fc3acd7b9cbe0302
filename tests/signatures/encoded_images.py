"""Pixels as PNG, BMP and GIF bytes, made by hand, so that no library of the tested side is in it."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np


def png(pixels: Any) -> bytes:
    """Encode uint8 pixels (height, width, 3)."""
    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in np.ascontiguousarray(pixels))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def bmp(pixels: Any) -> bytes:
    """Encode uint8 pixels (height, width, 3): the lowest row first, blue before red, rows of whole words."""
    height, width, _ = pixels.shape
    rows = b"".join(row.tobytes().ljust(-(-width * 3 // 4) * 4, b"\0") for row in pixels[::-1, :, ::-1])
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(rows), 2835, 2835, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(rows), 0, 0, 54) + header + rows


def gif(indices: Any, colours: Any) -> bytes:
    """Encode indices (height, width) below 128 into ``colours`` (128, 3), in codes of eight bits."""
    height, width = indices.shape
    screen = struct.pack("<HHBBB", width, height, 0xF6, 0, 0)  # a table of 128 colours
    codes: list[int] = []
    for i, index in enumerate(indices.ravel().tolist()):
        if i % 100 == 0:
            codes.append(128)  # clear, before there are codes that need nine bits
        codes.append(index)
    codes.append(129)
    bits = sum(code << (8 * i) for i, code in enumerate(codes))
    data = bits.to_bytes(len(codes), "little")
    blocks = b"".join(bytes([len(data[i : i + 255])]) + data[i : i + 255] for i in range(0, len(data), 255))
    image = b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\7" + blocks + b"\0"
    return b"GIF89a" + screen + np.asarray(colours, np.uint8).tobytes() + image + b";"
