"""Writes ../../www/samples/: photographs that may be passed on, from the scikit-image and scikit-learn packages.

usage: samples.py      (needs pillow, scikit-image, scikit-learn)
Each is reduced to at most 640 pixels and written as a JPEG without chroma subsampling, profile or metadata, so that
every decoder gives the same pixels to within rounding.
"""
import json
from pathlib import Path
import skimage
import sklearn
from PIL import Image

OUT = Path(__file__).parent.parent.parent / "www/samples"
SKIMAGE = Path(skimage.__file__).parent / "data"
SKLEARN = Path(sklearn.__file__).parent / "datasets/images"
CC0 = dict(license="CC0 1.0", licenseUrl="https://creativecommons.org/publicdomain/zero/1.0/")
PUBLIC = dict(license="Public domain", licenseUrl="")
CC_BY = dict(license="CC BY 2.0", licenseUrl="https://creativecommons.org/licenses/by/2.0/")
GUIDE = "https://scikit-image.org/docs/stable/api/skimage.data.html"

SAMPLES = [
    (SKLEARN / "china.jpg", "pavilion", "Pavilion on a lake", "danielbuechele", CC_BY,
     "https://www.flickr.com/photos/danielbuechele/6061409035/"),
    (SKIMAGE / "chelsea.png", "cat", "Chelsea the cat", "Stéfan van der Walt", CC0, GUIDE),
    (SKIMAGE / "coffee.png", "coffee", "Cup of coffee", "Rachel Michetti, Pikolo Espresso Bar", CC0, GUIDE),
    (SKLEARN / "flower.jpg", "dahlia", "Dahlia", "vultilion", CC_BY,
     "https://www.flickr.com/photos/vultilion/6056698931/"),
    (SKIMAGE / "rocket.jpg", "rocket", "Falcon 9 carrying DSCOVR", "SpaceX", PUBLIC,
     "https://www.flickr.com/photos/spacexphotos/16511594820/"),
    (SKIMAGE / "astronaut.png", "astronaut", "Eileen Collins, astronaut", "NASA", PUBLIC, "https://flic.kr/p/r9qvLn"),
    (SKIMAGE / "brick.png", "bricks", "Brick wall", "CC0Textures (Bricks25)", CC0,
     "https://cc0textures.com/view.php?tex=Bricks25"),
    (SKIMAGE / "hubble_deep_field.jpg", "galaxies", "Hubble eXtreme Deep Field", "NASA, ESA", PUBLIC,
     "http://hubblesite.org/newscenter/archive/releases/2012/37/image/a/"),
]


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    listed = []
    for source, name, title, credit, terms, url in SAMPLES:
        picture = Image.open(source).convert("RGB")
        picture.thumbnail((640, 640), Image.LANCZOS)
        file = f"{name}.jpg"
        for quality in (90, 86, 82, 78):
            picture.save(OUT / file, quality=quality, subsampling=0, optimize=True, icc_profile=None, exif=b"", comment=b"")
            if (OUT / file).stat().st_size <= 140_000:
                break
        listed.append(dict(file=file, title=title, credit=credit, **terms, source=url,
                           width=picture.width, height=picture.height))
        print(file, picture.size, (OUT / file).stat().st_size)
    (OUT / "samples.json").write_text(json.dumps(listed, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
