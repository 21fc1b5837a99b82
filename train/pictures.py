"""Pictures in memory, and what is done to a batch of them. All of it works on whole batches, on CPU or GPU.

A set is a folder of class folders. Its pictures are kept as one uint8 array [n, 3, side, side], each squashed to a
square, as the product does. Class i is the i-th folder by name.
"""
import math
import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def class_folders(root):
    folders = sorted(entry.name for entry in Path(root).iterdir() if entry.is_dir())
    if not folders:
        raise SystemExit(f"{root} has no class folders: expected FOLDER/<class>/<pictures>")
    return folders


def load(root, side):
    """-> uint8 [n, 3, side, side], int64 [n], class folders"""
    folders = class_folders(root)
    files = [(file, i) for i, folder in enumerate(folders) for file in sorted((Path(root) / folder).iterdir())]
    pixels = np.empty((len(files), 3, side, side), np.uint8)

    def read(at):
        picture = Image.open(files[at][0]).convert("RGB")
        if picture.size != (side, side):
            picture = picture.resize((side, side), Image.BICUBIC)
        pixels[at] = np.asarray(picture).transpose(2, 0, 1)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(read, range(len(files))))
    return torch.from_numpy(pixels), torch.tensor([i for _, i in files]), folders


@cache
def constants(device):
    """MEAN and DEVIATION as [3, 1, 1]"""
    return tuple(torch.tensor(values, device=device).view(3, 1, 1) for values in (MEAN, DEVIATION))


def at_side(pixels, side):
    """uint8 -> normalised, at another side by antialiased bicubic as Pillow does it"""
    pixels = pixels.float().div_(255)
    if pixels.shape[-1] != side:
        pixels = F.interpolate(pixels, (side, side), mode="bicubic", antialias=True, align_corners=False).clamp_(0, 1)
    mean, deviation = constants(pixels.device)
    return ((pixels - mean) / deviation).contiguous(memory_format=torch.channels_last)


def uniform(n, low, high, device):
    return torch.empty(n, device=device).uniform_(low, high)


def crop_transforms(n, device, area=(0.3, 1.0), aspect=1.6, turn=0.15, shear=0.1):
    """Random crops of a share of the area and of another aspect, mirrored half of the time, a little turned and
    sheared: [n, 2, 3] for affine_grid. The aspect is wide because the sets' pictures are squashed, a visitor's not."""
    share = uniform(n, *area, device)
    ratio = torch.exp(uniform(n, -math.log(aspect), math.log(aspect), device))
    width, height = (share * ratio).sqrt().clamp(max=1), (share / ratio).sqrt().clamp(max=1)
    mirror = torch.where(torch.rand(n, device=device) < 0.5, -1.0, 1.0)
    angle, slant = uniform(n, -turn, turn, device), uniform(n, -shear, shear, device)
    theta = torch.zeros(n, 2, 3, device=device)
    theta[:, 0, 0], theta[:, 0, 1] = angle.cos() * width * mirror, (slant - angle.sin()) * height
    theta[:, 1, 0], theta[:, 1, 1] = angle.sin() * width * mirror, angle.cos() * height
    theta[:, 0, 2] = uniform(n, -1, 1, device) * (1 - width)
    theta[:, 1, 2] = uniform(n, -1, 1, device) * (1 - height)
    return theta


def sharpen(pixels, amount):
    """pixels + amount (pixels - blurred): amount -1 blurs with a 3 x 3 binomial, 1 sharpens, 0 changes nothing"""
    padded = F.pad(pixels, (1, 1, 1, 1), mode="replicate")
    rows = (padded[:, :, :-2] + padded[:, :, 2:]).add_(padded[:, :, 1:-1], alpha=2)
    blurred = (rows[..., :-2] + rows[..., 2:]).add_(rows[..., 1:-1], alpha=2).div_(16)
    return torch.lerp(blurred, pixels, 1 + amount.view(-1, 1, 1, 1))


def jitter(pixels):
    """Brightness, colour cast, contrast and saturation, then normalisation: [0, 255] -> what the network reads.

    With d = brightness x cast / 255 a channel, c = contrast, m = mean of d p, S = s I + (1 - s) / 3 all ones, whose
    rows sum to 1, the picture is S (c d p + (1 - c) m) = c S d p + (1 - c) m: one 3 x 3 matrix and a number.
    """
    n, device = len(pixels), pixels.device
    gain = uniform(n, 0.65, 1.35, device)[:, None] * torch.empty(n, 3, device=device).uniform_(0.9, 1.1) / 255
    contrast = uniform(n, 0.6, 1.4, device).view(n, 1, 1)
    saturation = uniform(n, 0.4, 1.6, device).view(n, 1, 1)
    middle = (pixels.mean((2, 3)) * gain).mean(1).view(n, 1, 1)
    matrix = contrast * (saturation * torch.eye(3, device=device) + (1 - saturation) / 3) * gain[:, None]
    mean, deviation = constants(device)
    offset = ((1 - contrast) * middle - mean.view(1, 3, 1)) / deviation.view(1, 3, 1)
    out = torch.baddbmm(offset, matrix / deviation.view(1, 3, 1), pixels.flatten(2)).view_as(pixels)
    return torch.clamp(out, (0 - mean) / deviation, (1 - mean) / deviation)


def augment(pixels, side):
    """uint8 [n, 3, any, any] -> normalised [n, 3, side, side]"""
    n, device = len(pixels), pixels.device
    grid = F.affine_grid(crop_transforms(n, device), (n, 3, side, side), align_corners=False)
    pixels = F.grid_sample(pixels.float(), grid, align_corners=False, padding_mode="reflection")
    chosen = torch.rand(n, device=device) < 0.5
    pixels = sharpen(pixels, torch.where(chosen, uniform(n, -1, 1.5, device), 0))
    return jitter(pixels).contiguous(memory_format=torch.channels_last)


def mix(pixels, targets, share, mixup=0.2, cutmix=1.0):
    """Mixes the batch with itself in another order with probability `share`: mixup or cutmix, each half of the time.
    targets: [n, classes] probabilities. -> both, mixed"""
    if torch.rand(()) >= share:
        return pixels, targets
    order = torch.randperm(len(pixels), device=pixels.device)
    if torch.rand(()) < 0.5:
        keep = float(torch.distributions.Beta(mixup, mixup).sample())
        return pixels.lerp(pixels[order], 1 - keep), targets.lerp(targets[order], 1 - keep)
    keep = float(torch.distributions.Beta(cutmix, cutmix).sample())
    side = pixels.shape[-1]
    half = side * math.sqrt(1 - keep) / 2
    x, y = (float(torch.rand(())) * side for _ in range(2))
    left, right, top, bottom = (min(max(round(v), 0), side) for v in (x - half, x + half, y - half, y + half))
    pixels = pixels.clone(memory_format=torch.channels_last)
    pixels[:, :, top:bottom, left:right] = pixels[order, :, top:bottom, left:right]
    return pixels, targets.lerp(targets[order], (right - left) * (bottom - top) / side ** 2)
