"""Writes ../golden/preprocess/cases.json: what Pillow and torchvision make of pictures recomputable from a seed.

usage: preprocess.py      (needs pillow, numpy, torch, torchvision)
Each case: picture (width, height, seed, alpha; see pictures.synthetic), rule (a model's `input`), and either `pixels`
(hex of the uint8 [side, side, 3] before normalisation) or, for large ones, `fnv1a64` of the same bytes; `values`:
four of the normalised [3, side, side] at flat `indices`.
"""
import json
from pathlib import Path
import numpy as np
from PIL import Image
from pictures import normalised, resized, rgb_over_white, synthetic
from recipe import fnv1a64

IMAGENET = dict(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])


def squash(side, interpolation):
    return dict(side=side, resize="squash", interpolation=interpolation, **IMAGENET)


def crop(side, short, interpolation):
    return dict(side=side, resize="crop", resizeSide=short, interpolation=interpolation, **IMAGENET)


CASES = [  # width, height, alpha, rule
    (1, 1, False, squash(8, "bicubic")),
    (1, 1, True, crop(7, 9, "bilinear")),
    (1, 300, False, squash(8, "bicubic")),
    (1, 300, False, crop(6, 8, "bilinear")),
    (300, 1, False, crop(6, 8, "bicubic")),
    (2, 3, False, squash(16, "bilinear")),
    (5, 4, False, squash(13, "bicubic")),
    (16, 16, False, squash(16, "bicubic")),
    (16, 16, False, crop(16, 16, "bilinear")),
    (17, 33, False, squash(16, "bilinear")),
    (64, 48, False, squash(12, "bicubic")),
    (64, 48, True, squash(12, "bilinear")),
    (48, 64, True, crop(12, 14, "bicubic")),
    (97, 65, False, crop(14, 16, "bilinear")),
    (65, 97, False, crop(14, 15, "bicubic")),
    (101, 37, False, crop(9, 12, "bilinear")),
    (37, 101, False, crop(16, 17, "bicubic")),
    (23, 29, False, crop(15, 32, "bicubic")),
    (640, 480, False, squash(10, "bicubic")),
    (3, 1000, True, squash(9, "bilinear")),
    (640, 480, False, squash(160, "bicubic")),
    (641, 427, True, squash(192, "bicubic")),
    (427, 641, False, crop(224, 256, "bilinear")),
    (1203, 901, False, crop(224, 256, "bicubic")),
    (200, 150, False, crop(224, 256, "bilinear")),
    (60, 150, True, squash(16, "bicubic")),  # from here on Pillow resizes vertically first
    (31, 200, False, crop(14, 16, "bilinear")),
    (300, 900, False, squash(160, "bicubic")),
]


def main():
    out = []
    for seed, (width, height, alpha, rule) in enumerate(CASES):
        source = Image.fromarray(synthetic(width, height, seed, alpha))
        pixels = resized(rgb_over_white(source), rule)
        assert pixels.shape == (rule["side"], rule["side"], 3) and pixels.dtype == np.uint8
        values = normalised(pixels, rule).flatten()
        indices = [int(i) for i in np.linspace(0, len(values) - 1, 4)]
        case = dict(width=width, height=height, seed=seed, alpha=alpha, rule=rule, indices=indices,
                    values=[float(values[i]) for i in indices])
        data = pixels.tobytes()
        if rule["side"] <= 16:
            case["pixels"] = data.hex()
        else:
            case["fnv1a64"] = f"{fnv1a64(data):016x}"
        out.append(case)
    path = Path(__file__).parent.parent / "golden/preprocess/cases.json"
    path.write_text("[\n" + ",\n".join(json.dumps(c) for c in out) + "\n]\n")
    print(path, path.stat().st_size, "bytes", len(out), "cases")


if __name__ == "__main__":
    main()
