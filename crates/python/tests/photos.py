"""Photos for the tests: real ones where LIVECHECK_DATA names them, drawn ones else, and hostile files."""

import io
import os
import random
import struct
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageEnhance

ROOT = Path(__file__).resolve().parents[3]

#: A drawn face.
SAMPLE = (ROOT / "web" / "sample.jpg").read_bytes()


def png(width: int, height: int) -> bytes:
    """A white PNG, in few bytes whatever its size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compressobj(1)
    row = b"\0" + b"\xff" * (3 * width)
    data = b"".join(pixels.compress(row) for _ in range(height)) + pixels.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def drawn(count: int) -> Iterator[bytes]:
    """The drawn face in other sizes, lights, positions, and qualities, from a fixed seed."""
    rng = random.Random(1)
    face = Image.open(io.BytesIO(SAMPLE)).convert("RGB")
    for number in range(count):
        width = rng.randrange(330, 560)
        image = face.resize((width, width * 5 // 4))
        image = ImageEnhance.Brightness(image).enhance(rng.uniform(0.4, 1.6))
        image = ImageEnhance.Color(image).enhance(rng.uniform(0.4, 1.6))
        image = image.rotate(rng.uniform(-20, 20), expand=False)
        match number % 20:
            case 0:
                # Two faces.
                both = Image.new("RGB", (2 * image.width, image.height))
                both.paste(image, (0, 0))
                both.paste(image, (image.width, 0))
                image = both
            case 1:
                image = image.resize((200, 250))
            case 2:
                image = image.crop((0, 0, image.width // 2, image.height))
            case 3:
                image = image.rotate(90, expand=True)
        file = io.BytesIO()
        if number % 10 == 9:
            image.save(file, "PNG")
        elif number % 10 == 8:
            image.save(file, "WEBP", quality=rng.randrange(40, 95))
        else:
            image.save(file, "JPEG", quality=rng.randrange(40, 95), progressive=number % 2 == 1)
        yield file.getvalue()


def real(count: int) -> list[bytes] | None:
    """Real photos out of three archives; ``None`` without the folder."""
    folder = os.environ.get("LIVECHECK_DATA")
    if not folder:
        return None
    found: list[bytes] = []
    shares = {"pad_dev": count * 5 // 9, "webcams": count * 2 // 9}
    shares["faces"] = count - sum(shares.values())
    for name, share in shares.items():
        with tarfile.open(Path(folder) / f"{name}.tar") as archive:
            members = sorted(
                (member for member in archive if member.isfile()), key=lambda member: member.name
            )
            for at in range(share):
                file = archive.extractfile(members[at * len(members) // share])
                assert file is not None
                found.append(file.read())
    return found


def hostile(count: int) -> list[bytes]:
    """Files that are no photos, or broken ones, from a fixed seed."""
    rng = random.Random(2)
    webp = next(photo for photo in drawn(20) if photo.startswith(b"RIFF"))
    small_png = png(400, 400)
    fixed = [
        b"",
        b"\0",
        b"\xff\xd8",
        b"\xff\xd8\xff\xe0" + bytes(100),
        b"GIF89a" + bytes(100),
        b"BM" + bytes(100),
        b"II*\0" + bytes(100),
        b"%PDF-1.7\n",
        b"\0\0\0\x18ftypheic" + bytes(100),
        b"\0\0\0\x18ftypavif" + bytes(100),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "no photo, but text: \u00e4\u00f6\u00fc, \"quoted\"\r\n".encode(),
        bytes(10 * 1024 * 1024),
        bytes(10 * 1024 * 1024 + 1),
        bytes(12 * 1024 * 1024),
        # A header of 65,535 by 65,535 pixels, and one of none.
        small_png[:16] + struct.pack(">II", 65535, 65535) + small_png[24:],
        small_png[:16] + struct.pack(">II", 0, 0) + small_png[24:],
        png(5000, 5000),
        png(319, 2000),
        small_png,
    ]
    broken = []
    for number in range(count - len(fixed)):
        file = bytearray((SAMPLE, small_png, webp)[number % 3])
        if number % 2:
            del file[rng.randrange(len(file)) :]
        for _ in range(rng.randrange(1, 20)):
            if file:
                file[rng.randrange(len(file))] = rng.randrange(256)
        broken.append(bytes(file))
    return fixed + broken
