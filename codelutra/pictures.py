"""A picture of a figure's pixels. The whole file is written here: nothing that a program wrote is
parsed, by us or by a browser."""

import base64
import struct
import zlib

MAX_PIXELS = 1 << 20  # as in `sandbox/child/figures.py`
MAX_BYTES = 200_000  # of a picture: all of a comparison are in one page
SIZE = struct.Struct("=II")


def png_of(figure: bytes) -> bytes | None:
    """`figure` as in ExecutionResult; None where it is not what it should be, or too rich."""
    if len(figure) < SIZE.size:
        return None
    width, height = SIZE.unpack_from(figure)
    pixels = figure[SIZE.size :]
    if not 0 < width * height <= MAX_PIXELS or len(pixels) != 4 * width * height:
        return None
    row = 4 * width
    lines = b"".join(b"\0" + pixels[at : at + row] for at in range(0, len(pixels), row))
    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)  # 8 bits each of RGBA
    found = b"\x89PNG\r\n\x1a\n" + b"".join(
        _chunk(kind, data)
        for kind, data in ((b"IHDR", head), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    )
    return found if len(found) <= MAX_BYTES else None


def data_uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def _chunk(kind: bytes, data: bytes) -> bytes:
    size, check = (struct.pack(">I", number) for number in (len(data), zlib.crc32(kind + data)))
    return size + kind + data + check
