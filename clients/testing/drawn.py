"""Image files of nobody, drawn here."""

import struct
import zlib


def png(width: int, height: int) -> bytes:
    """A PNG of a colour gradient: a readable image without a face."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    def row(y: int) -> bytes:
        pixels = ((255 * x // width, 255 * y // height, 128) for x in range(width))
        return b"\0" + bytes(value for pixel in pixels for value in pixel)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = b"".join(row(y) for y in range(height))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
