"""Pictures that anyone can recompute from a seed, and the pre-processing of a model's `input` rule in Pillow."""
import numpy as np
from PIL import Image, ImageOps


def splitmix(state):
    """uint64 array -> one hash each (splitmix64's output function)."""
    with np.errstate(over="ignore"):
        z = (state + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def synthetic(width, height, seed, alpha):
    """-> uint8 [height, width, 4]: 5 x 5 blocks of one colour, every third diagonal either noise or black or
    white, so that filters overshoot; alpha, if wanted, by blocks too, else 255."""
    y, x, c = np.meshgrid(np.arange(height, dtype=np.uint64), np.arange(width, dtype=np.uint64),
                          np.arange(4, dtype=np.uint64), indexing="ij")
    base = np.uint64(seed) << np.uint64(40)
    block = splitmix(base + ((y // np.uint64(5)) * np.uint64(65536) + x // np.uint64(5)) * np.uint64(4) + c) >> np.uint64(56)
    fine = splitmix(base + (y * np.uint64(65536) + x) * np.uint64(4) + c + np.uint64(1 << 36)) >> np.uint64(56)
    fine = np.where(fine % np.uint64(2) == 0, fine, np.where(fine < 128, np.uint64(0), np.uint64(255)))
    picture = np.where((x + y) % np.uint64(3) == 0, fine, block).astype(np.uint8)
    if not alpha:
        picture[..., 3] = 255
    return picture


def rgb_over_white(picture):
    """Any picture file as a person sees it: EXIF orientation applied, 16 bits reduced to 8, alpha over white."""
    picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith("I"):  # 16-bit grey: Pillow's own conversion clips instead of scaling
        picture = Image.fromarray((np.asarray(picture).astype(np.uint32) >> 8).astype(np.uint8))
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, (255, 255, 255, 255))
        picture = Image.alpha_composite(white, picture)
    return picture.convert("RGB")


def resized(picture, rule):
    """RGB picture -> uint8 [side, side, 3] by a model's `input` rule; torchvision's Resize and CenterCrop."""
    from torchvision.transforms import CenterCrop, InterpolationMode, Resize
    side = rule["side"]
    filters = {"bilinear": InterpolationMode.BILINEAR, "bicubic": InterpolationMode.BICUBIC}
    size = (side, side) if rule["resize"] == "squash" else rule["resizeSide"]
    picture = Resize(size, filters[rule["interpolation"]])(picture)
    return np.asarray(CenterCrop(side)(picture))


def normalised(pixels, rule):
    """uint8 [side, side, 3] -> float32 tensor [1, 3, side, side]"""
    import torch
    from torchvision.transforms.functional import normalize
    values = torch.from_numpy(pixels.transpose(2, 0, 1).copy()).float().div(255)
    return normalize(values, rule["mean"], rule["std"])[None]
