"""Writes ../golden/photos/: small files of the kinds that picture readers get wrong, made from the samples.

usage: photos.py      (needs pillow, numpy)
"""
import struct
import zlib
from pathlib import Path
import numpy as np
from PIL import Image

ROOT = Path(__file__).parent.parent.parent
SAMPLES, OUT = ROOT / "www/samples", ROOT / "tests/golden/photos"
ORIENTATION = 0x0112


def sample(name, width):
    picture = Image.open(SAMPLES / f"{name}.jpg").convert("RGB")
    return picture.resize((width, round(picture.height * width / picture.width)), Image.LANCZOS)


def png(path, pixels):
    """Pillow writes no 16-bit colour, so by hand: uint16 [height, width, channels], filter 0."""
    height, width, channels = pixels.shape
    kind = {1: 0, 3: 2, 4: 6}[channels]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    chunk = lambda name, data: struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0))
                     + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b""))


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    jpeg = dict(quality=88, subsampling=0)
    sample("cat", 200).convert("L").save(OUT / "grey.jpg", quality=88)
    sample("coffee", 180).convert("CMYK").save(OUT / "cmyk.jpg", **jpeg)
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # stored lying on its side: shown turned by 90 degrees clockwise
    sample("pavilion", 200).transpose(Image.Transpose.ROTATE_90).save(OUT / "orientation6.jpg", exif=exif, **jpeg)
    sample("rocket", 200).save(OUT / "progressive_420.jpg", quality=88, subsampling=2, progressive=True)

    dahlia = np.asarray(sample("dahlia", 120))
    y, x = np.mgrid[:dahlia.shape[0], :dahlia.shape[1]]
    far = np.hypot(x - 60, y - 38)
    alpha = np.clip((46 - far) * 24, 0, 255).astype(np.uint8)  # a disc with a soft edge
    Image.fromarray(np.dstack((dahlia, alpha))).save(OUT / "alpha.png", optimize=True)

    cat = np.asarray(sample("cat", 64)).astype(np.uint16)
    noise = np.random.default_rng(1).integers(0, 256, cat.shape, dtype=np.uint16)
    png(OUT / "deep_colour.png", cat * 256 + noise)
    grey = np.asarray(sample("pavilion", 96).convert("L")).astype(np.uint16)[..., None]
    png(OUT / "deep_grey.png", grey * 257)

    palette = sample("coffee", 120).quantize(64)
    palette.save(OUT / "palette.png", optimize=True, transparency=int(np.bincount(np.asarray(palette).ravel()).argmax()))
    sample("galaxies", 160).save(OUT / "photo.webp", quality=80)
    for file in sorted(OUT.iterdir()):
        print(file.name, Image.open(file).mode, Image.open(file).size, file.stat().st_size)


if __name__ == "__main__":
    main()
