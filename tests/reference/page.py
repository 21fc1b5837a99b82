"""Writes ../golden/page.json, what Imagenette's model says of the samples and of the tricky photos, in PyTorch and
Pillow, and ../golden/default.json, what the floats of the default model say of the samples.

usage: page.py      (needs torch, torchvision, pillow, safetensors)
Per file (from the repository's root): its size as shown (after EXIF orientation), and `top`: the five likeliest classes
with label, index and probability. EXIF orientation applied, alpha over white, 16 bits reduced to their upper 8.
"""
import json
from pathlib import Path
import torch
from PIL import Image
from model import load
from pictures import normalised, resized, rgb_over_white

ROOT = Path(__file__).parent.parent.parent
MODELS = (("page", "models/g_ghost_regnetx_006-imagenette.safetensors", ("www/samples", "tests/golden/photos")),
          ("default", "models/g_ghost_regnetx_008-imagenet.safetensors", ("www/samples",)))
ENDINGS = {".jpg", ".png", ".webp"}


def write(name, model, folders):
    net, config = load(ROOT / model)
    files = [file for folder in folders for file in sorted((ROOT / folder).iterdir())
             if file.suffix in ENDINGS]
    out = []
    for file in files:
        picture = rgb_over_white(Image.open(file))
        with torch.no_grad():
            logits = net(normalised(resized(picture, config["input"]), config["input"])).double()
            probabilities = (logits / config.get("temperature", 1)).softmax(1)[0]
        top = probabilities.topk(min(5, len(probabilities)))
        out.append(dict(file=str(file.relative_to(ROOT)), width=picture.width, height=picture.height,
                        top=[dict(label=config["classes"][i], index=i, probability=round(p, 6))
                             for p, i in zip(top.values.tolist(), top.indices.tolist())]))
        print(file.name, picture.size, out[-1]["top"][0]["label"], out[-1]["top"][0]["probability"])
    lines = ",\n".join("  " + json.dumps(entry) for entry in out)
    (ROOT / f"tests/golden/{name}.json").write_text(f'{{\n "model": "{model}",\n "files": [\n{lines}\n ]\n}}\n')


def main():
    torch.set_num_threads(1)
    for row in MODELS:
        write(*row)


if __name__ == "__main__":
    main()
