"""Pictures of many sets, most of them without a label, as a few files to train a network of all ImageNet classes on.

usage: pool.py encode MIRROR OUT [--sets everyday/val,...] [--jobs 2]    one OUT/SOURCE.pool a repository
       pool.py pack OUT PARTS [--mib 57] [--first-mib 30]                PARTS/part-N.pool, each a random mix of all
       pool.py held MIRROR OUT --mini FOLDER --nette FOLDER              OUT/NAME.pool, labelled pictures to measure with

MIRROR holds the git directories of the repositories in SOURCES as OWNER+NAME/repo; one that is not there is left out
with a line. What is nearly the same as a picture of a test (TESTS, and folders of pictures given as --sets) is left out.

A .pool file is safetensors. Its pictures are squares, tiles of AVIF sheets: many in one file take two thirds of the
bytes and a third of the time of single ones.
  bytes   u8 [all]        the sheets, one after the other
  ends    i64 [sheets]    where each ends
  tile    i16 [sheets]    side of its pictures
  count   i16 [sheets]    how many it has, row by row
  label   i16 [pictures]  ImageNet class, or -1
  sharp   u8 [pictures]   1: original sharpness; 0: what it shows was smaller
  weight  f32 [pictures]  how often it is to be drawn, relative to others
"""
import argparse
import csv
import io
import mmap
import multiprocessing
import random
import re
import subprocess
from collections import defaultdict
from pathlib import Path
import numpy as np
from PIL import Image
from safetensors.numpy import load_file, save_file

LABELS = Path(__file__).resolve().parent / "labels"
SIDES = (64, 84, 96, 128, 160)
SHEET = 640  # pixels a side, at most
SAME = 0.97  # correlation of 16 x 16 grey values from which on two pictures are one
# repository, its pictures, at most so many a folder and in all, side, quality, sharp, share of what is drawn
SOURCES = [
    ("seshuad+IMagenet", r"^tiny-imagenet-200/train/", None, None, 64, 60, False, "tiny"),
    ("Deo0330+split_minidataset", r"^train/", None, None, 84, 60, False, "mini"),
    ("thunderInfy+imagenette", r"^train/", None, None, 160, 62, True, "objects"),
    ("q878787+imagewoof2-320", r"^train/", None, None, 160, 62, True, "objects"),
    ("jurjsorinliviu+Sports-Type-Classifier", r"^data/", 300, None, 160, 62, True, "objects"),
    ("MachineLearning2020+Homework2-Caltech101", r"^101_ObjectCategories/", 100, None, 160, 62, True, "objects"),
    ("chanakya2734+Image-classification-using-CNN", r"^dataset/", None, None, 160, 62, True, "objects"),
    ("fmejbah+car_dataset1", r"^cars_train/", None, 2000, 160, 62, True, "objects"),
    ("alexeygrigorev+clothing-dataset", r"^images/", None, None, 160, 62, True, "objects"),
    ("emanhamed+Houses-dataset", r"^Houses Dataset/", None, None, 160, 62, True, "objects"),
    ("congduytran12+Trash-Classification-", r"^dataset-resized/", None, None, 160, 62, True, "objects"),
    ("pavan555+DeepLearning4OpenCV", r"^datasets/animals/", None, None, 160, 62, True, "objects"),
    ("InputBlackBoxOutput+popular-animals-dataset", r"^(?!_sample)", None, None, 160, 62, True, "objects"),
    ("BernieChen96+ImageClassification", r"^JPEGImages/", None, None, 160, 62, True, "objects"),
    ("MachineLearning2020+Homework3-PACS", r"^PACS/photo/", None, None, 160, 62, True, "objects"),
    ("pan8915+DeepTexture", r"^images/", None, None, 160, 62, True, "objects"),
    ("shubhankarm01+Weather-image-classification", r"^(train|test)/", None, None, 160, 62, True, "objects"),
    ("marcusklasson+GroceryStoreDataset", r"^dataset/train/", None, None, 160, 62, True, "objects"),
    ("CRLarry+Miniplaces", r"^miniplaces-master/model/tensorflow/data/images/(train|test)/", None, 50_000, 128, 62, True,
     "scenes"),
]
SHARES = dict(tiny=0.28, mini=0.22, objects=0.28, scenes=0.22)  # half of what is drawn is sharp
TESTS = [
    ("ZhengyuZhao+Targeted-Transfer", r"^dataset/images/"),
    ("EliSchwartz+imagenet-sample-images", r"."),
    ("thunderInfy+imagenette", r"^val/"),
    ("q878787+imagewoof2-320", r"^val/"),
    ("Deo0330+split_minidataset", r"^(val|test)/"),
    ("seshuad+IMagenet", r"^tiny-imagenet-200/val/"),
    ("marcusklasson+GroceryStoreDataset", r"^dataset/(val|test)/"),
    ("alexeygrigorev+clothing-dataset-small", r"^(validation|test)/"),
]


# Scenes of Miniplaces of which no class of ImageNet is a name.
SCENES = ("badlands", "ballroom", "bamboo_forest", "beauty_salon", "botanical_garden", "boxing_ring", "cemetery",
          "classroom", "conference_room", "corridor", "desert/sand", "hospital_room", "iceberg",
          "ice_skating_rink/outdoor", "locker_room", "martial_arts_gym", "rainforest", "skyscraper", "slum", "swamp",
          "subway_station/platform")


def git_directory(mirror, repository):
    path = Path(mirror) / repository / "repo"
    return path / ".git" if (path / ".git").exists() else path


def listing(mirror, repository, pattern):
    """-> (path, blob) of the pictures whose path matches"""
    tree = subprocess.run(["git", f"--git-dir={git_directory(mirror, repository)}", "ls-tree", "-r", "-l", "-z", "HEAD"],
                          capture_output=True, check=True).stdout.decode("utf8", "replace")
    found = []
    for head, path in (line.split("\t", 1) for line in tree.split("\0") if line):
        blob, size = head.split()[2:4]
        if re.search(pattern, path) and re.search(r"\.(jpe?g|png)$", path, re.I) and size.isdigit() and int(size) > 600:
            found.append((path, blob))
    return sorted(found)


def blobs(directory, names):
    """-> the contents of those blobs, one by one"""
    cat = subprocess.Popen(["git", f"--git-dir={directory}", "cat-file", "--batch"], stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE)
    for name in names:
        cat.stdin.write((name + "\n").encode())
        cat.stdin.flush()
        yield cat.stdout.read(int(cat.stdout.readline().split()[2]) + 1)[:-1]
    cat.stdin.close()
    cat.wait()


def opened(data, side):
    """-> the picture, or None of a damaged one"""
    try:
        picture = Image.open(io.BytesIO(data))
        picture.draft("RGB", (2 * side, 2 * side))
        return picture.convert("RGB")
    except Exception:  # noqa: BLE001, whatever a decoder says, a damaged picture is no picture
        return None


def grey(picture):
    """-> 256 numbers of mean 0 and length 1: two pictures' product is their correlation"""
    small = np.asarray(picture.convert("L").resize((16, 16), Image.BOX), np.float32).ravel()
    small -= small.mean()
    length = np.linalg.norm(small)
    return small / length if length > 1e-3 else small


def greys(job):
    directory, names = job
    if directory is None:
        pictures = (opened(Path(name).read_bytes(), 64) for name in names)
    else:
        pictures = (opened(data, 64) for data in blobs(directory, names))
    return [grey(picture) for picture in pictures if picture]


def side_of(picture, most):
    """The largest of SIDES that enlarges nothing, or None"""
    return max((side for side in SIDES if side <= min(*picture.size, most)), default=None)


def sheet_of(tiles, quality):
    """uint8 [n, side, side, 3] -> AVIF"""
    n, side = tiles.shape[:2]
    columns = min(SHEET // side, n)
    rows = -(-n // columns)
    whole = np.full((rows * columns, side, side, 3), 128, np.uint8)
    whole[:n] = tiles
    whole = whole.reshape(rows, columns, side, side, 3).transpose(0, 2, 1, 3, 4).reshape(rows * side, columns * side, 3)
    out = io.BytesIO()
    Image.fromarray(whole).save(out, "AVIF", quality=quality, speed=10, max_threads=1)
    return out.getvalue()


def tiles_of(sheet, side, count):
    """AVIF -> uint8 [count, 3, side, side]"""
    whole = np.asarray(Image.open(io.BytesIO(sheet)).convert("RGB"))
    rows, columns = whole.shape[0] // side, whole.shape[1] // side
    return whole.reshape(rows, side, columns, side, 3).transpose(0, 2, 4, 1, 3).reshape(-1, 3, side, side)[:count]


tests = np.zeros((0, 256), np.float32)  # of the processes that encode, from the one that started them


def encode(job):
    """-> sheets as (AVIF, side, labels), and how many were left out"""
    directory, files, most, quality, classes = job
    found, looks = [], []
    for (path, _), data in zip(files, blobs(directory, [blob for _, blob in files])):
        picture = opened(data, most)
        side = picture and side_of(picture, most)
        if side:
            wordnet = re.search(r"(?:^|/)(n\d{8})/", path)
            label = classes.get(wordnet.group(1), -1) if wordnet else -1
            found.append((np.asarray(picture.resize((side, side), Image.BICUBIC)), side, label))
            looks.append(grey(picture))
    if not found:
        return [], 0
    same = (np.stack(looks) @ tests.T).max(1, initial=0) > SAME
    kept, sheets = [one for one, twin in zip(found, same) if not twin], []
    for side in SIDES:
        some, size = [one for one in kept if one[1] == side], (SHEET // side) ** 2
        for part in (some[i:i + size] for i in range(0, len(some), size)):
            sheets.append((sheet_of(np.stack([tile for tile, _, _ in part]), quality), side, [one[2] for one in part]))
    return sheets, int(same.sum())


def write(path, sheets, sharp, weights):
    """sheets: (AVIF, side, labels); sharp and weights: one of each a sheet"""
    counts = [len(labels) for _, _, labels in sheets]
    save_file(dict(
        bytes=np.frombuffer(b"".join(data for data, _, _ in sheets), np.uint8),
        ends=np.cumsum([len(data) for data, _, _ in sheets], dtype=np.int64),
        tile=np.array([side for _, side, _ in sheets], np.int16), count=np.array(counts, np.int16),
        label=np.array([label for _, _, labels in sheets for label in labels], np.int16),
        sharp=np.repeat(np.array(sharp, np.uint8), counts),
        weight=np.repeat(np.array(weights, np.float32), counts)), path)


def read(path):
    """-> sheets as (AVIF, side, labels), and sharp and weight of each"""
    file = load_file(path)
    data, starts = file["bytes"], [0, *file["ends"].tolist()]
    firsts = [0, *np.cumsum(file["count"], dtype=np.int64).tolist()]
    sheets = [(data[starts[i]:starts[i + 1]].tobytes(), int(file["tile"][i]),
               file["label"][firsts[i]:firsts[i + 1]].tolist()) for i in range(len(file["ends"]))]
    return sheets, file["sharp"][firsts[:-1]], file["weight"][firsts[:-1]]


def chunks(values, size):
    return [values[i:i + size] for i in range(0, len(values), size)]


def main_encode(arguments):
    global tests
    arguments.out.mkdir(parents=True, exist_ok=True)
    order = (LABELS / "imagenet-1k.txt").read_text(encoding="utf-8").split()
    classes = {number: i for i, number in enumerate(order)}
    kept = arguments.out / "tests.npz"
    known = dict(np.load(kept)) if kept.exists() else {}
    with multiprocessing.Pool(arguments.jobs) as pool:
        for repository, pattern in TESTS:
            if repository in known:
                continue
            if not git_directory(arguments.mirror, repository).exists():
                print(f"{repository} is not there: what is nearly the same as its pictures is not looked for")
                continue
            names = [blob for _, blob in listing(arguments.mirror, repository, pattern)]
            jobs = [(git_directory(arguments.mirror, repository), part) for part in chunks(names, 200)]
            known[repository] = np.stack([one for done in pool.imap(greys, jobs) for one in done])
            print(f"{repository}: {len(known[repository])} pictures of a test", flush=True)
        for folder in filter(None, arguments.sets.split(",")):
            if folder in known:
                continue
            names = sorted(str(file) for file in Path(folder).glob("*/*"))
            known[folder] = np.stack([one for done in pool.imap(greys, [(None, part) for part in chunks(names, 200)])
                                      for one in done])
            print(f"{folder}: {len(known[folder])} pictures of a test", flush=True)
    np.savez(kept, **known)
    tests = np.concatenate([tests, *known.values()])
    chance = random.Random(0)
    with multiprocessing.Pool(arguments.jobs) as pool:
        for repository, pattern, a_folder, in_all, side, quality, sharp, _ in SOURCES:
            out = arguments.out / f"{repository}.pool"
            if out.exists():
                continue
            if not git_directory(arguments.mirror, repository).exists():
                print(f"{repository} is not there", flush=True)
                continue
            folders = defaultdict(list)
            for path, blob in listing(arguments.mirror, repository, pattern):
                folders[str(Path(path).parent)].append((path, blob))
            files = []
            for pictures in folders.values():
                chance.shuffle(pictures)
                files += pictures[:a_folder]
            chance.shuffle(files)
            jobs = [(git_directory(arguments.mirror, repository), part, side, quality, classes)
                    for part in chunks(files[:in_all], 500)]
            sheets, same = [], 0
            for some, twins in pool.imap(encode, jobs):
                sheets, same = sheets + some, same + twins
            write(out, sheets, [sharp] * len(sheets), [1.0] * len(sheets))
            labels = [label for _, _, labels in sheets for label in labels]
            print(f"{repository}: {len(labels)} pictures, {sum(label >= 0 for label in labels)} labelled, {same} like "
                  f"a test's left out, {out.stat().st_size / 1e6:.1f} MB", flush=True)


def main_pack(arguments):
    arguments.parts.mkdir(parents=True, exist_ok=True)
    groups = {repository: group for repository, *_, group in SOURCES}
    found, sizes = [], defaultdict(int)
    for path in sorted(arguments.out.glob("*.pool")):
        sheets, sharp, _ = read(path)
        group = groups[path.stem]
        sizes[group] += sum(len(sheet[2]) for sheet in sheets)
        found += [(sheet, one, group) for sheet, one in zip(sheets, sharp)]
    random.Random(1).shuffle(found)
    mean = sum(sizes.values())
    part, at, room = [], 0, arguments.first_mib * 2**20

    def flush():
        write(arguments.parts / f"part-{at}.pool", [sheet for sheet, _, _ in part], [one for _, one, _ in part],
              [SHARES[group] * mean / sizes[group] for _, _, group in part])
        print(f"part {at}: {sum(len(sheet[2]) for sheet, _, _ in part)} pictures")

    for one in found:
        taken = len(one[0][0]) + 10 * len(one[0][2]) + 100
        if taken > room:
            flush()
            part, at, room = [], at + 1, arguments.mib * 2**20
        part.append(one)
        room -= taken
    flush()
    print(dict(sizes))


def main_held(arguments):
    """Targeted-Transfer squashed and as a centre crop, a picture of each of ImageNet's classes, a part of what Tiny-,
    mini-ImageNet and Imagenette hold back; and of no class, so without a label, textures and scenes"""
    arguments.out.mkdir(parents=True, exist_ok=True)
    order = (LABELS / "imagenet-1k.txt").read_text(encoding="utf-8").split()
    chance = random.Random(2)

    def take(name, files, side, most=None, crop=False):
        """files: (what reads the picture, label)"""
        sheets, files = [], [files[i] for i in sorted(chance.sample(range(len(files)), min(len(files), most or len(files))))]
        for part in chunks(files, (SHEET // side) ** 2):
            tiles = []
            for data, _ in part:
                picture = Image.open(io.BytesIO(data())).convert("RGB")
                if crop:  # seven eighths of the shorter side, as ImageNet's figures are taken
                    width, height = picture.size
                    half = min(width, height) * 0.4375
                    picture = picture.crop((width / 2 - half, height / 2 - half, width / 2 + half, height / 2 + half))
                tiles.append(np.asarray(picture.resize((side, side), Image.BICUBIC)))
            sheets.append((sheet_of(np.stack(tiles), arguments.quality), side, [label for _, label in part]))
        (arguments.out / name).parent.mkdir(exist_ok=True)
        write(arguments.out / f"{name}.pool", sheets, [1] * len(sheets), [1.0] * len(sheets))
        print(name, len(files), (arguments.out / f"{name}.pool").stat().st_size)

    def blob(repository, name):
        command = ["git", f"--git-dir={git_directory(arguments.mirror, repository)}", "cat-file", "blob", name]
        return lambda: subprocess.run(command, capture_output=True, check=True).stdout

    repository = "ZhengyuZhao+Targeted-Transfer"
    rows = csv.DictReader(io.StringIO(blob(repository, "HEAD:dataset/images.csv")().decode()))
    files = [(blob(repository, f"HEAD:dataset/images/{row['ImageId']}.png"), int(row["TrueLabel"]) - 1) for row in rows]
    take("targeted-transfer", files, arguments.side)
    take("targeted-transfer-crop", files, arguments.side, crop=True)
    repository, root = "seshuad+IMagenet", "HEAD:tiny-imagenet-200/val"
    rows = [line.split("\t") for line in blob(repository, f"{root}/val_annotations.txt")().decode().splitlines()]
    take("tiny", [(blob(repository, f"{root}/images/{name}"), order.index(number)) for name, number, *_ in rows], 64,
         arguments.most)
    repository = "EliSchwartz+imagenet-sample-images"
    take("others/samples", [(blob(repository, name), order.index(path[:9])) for path, name in listing(arguments.mirror, repository, r"^n\d{8}_")],
         arguments.side)
    repository = "pan8915+DeepTexture"
    take("others/textures", [(blob(repository, name), -1) for _, name in listing(arguments.mirror, repository, "^images/")],
         arguments.side, arguments.most)
    repository = "CRLarry+Miniplaces"
    scenes = {line.split()[0][3:]: line.split()[1]
              for line in blob(repository, "HEAD:data/categories.txt")().decode().splitlines()}
    kinds = dict(line.split() for line in blob(repository, "HEAD:data/val.txt")().decode().splitlines())
    chosen = {path for path, kind in kinds.items() if kind in {scenes[scene] for scene in SCENES}}
    files = listing(arguments.mirror, repository, r"^miniplaces-master/model/tensorflow/data/images/val/")
    take("others/scenes", [(blob(repository, name), -1) for path, name in files if "/".join(path.split("/")[-2:]) in chosen],
         128, arguments.most)
    for name, folder, side in (("mini", arguments.mini, 84), ("nette", arguments.nette, 160)):
        table = LABELS / f"{dict(mini='mini-imagenet', nette='imagenette')[name]}.tsv"
        head, *rows = (line.split("\t") for line in table.read_text(encoding="utf-8").splitlines())
        numbers = {row[0]: row[head.index("wordnet")] if "wordnet" in head else row[0] for row in rows}
        take(name, [(file.read_bytes, order.index(numbers[file.parent.name])) for file in sorted(folder.glob("*/*"))], side,
             arguments.most)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("encode")
    one.add_argument("mirror", type=Path)
    one.add_argument("out", type=Path)
    one.add_argument("--sets", default="", help="FOLDER,...: more tests, each FOLDER/<class>/<pictures>")
    one.add_argument("--jobs", type=int, default=2)
    two = commands.add_parser("pack")
    two.add_argument("out", type=Path)
    two.add_argument("parts", type=Path)
    two.add_argument("--mib", type=float, default=57)
    two.add_argument("--first-mib", type=float, default=30)
    three = commands.add_parser("held")
    three.add_argument("mirror", type=Path)
    three.add_argument("out", type=Path)
    three.add_argument("--mini", type=Path, required=True)
    three.add_argument("--nette", type=Path, required=True)
    three.add_argument("--side", type=int, default=192)
    three.add_argument("--most", type=int, default=1000, help="pictures of a set, but for Targeted-Transfer")
    three.add_argument("--quality", type=int, default=70)
    arguments = parser.parse_args()
    dict(encode=main_encode, pack=main_pack, held=main_held)[arguments.command](arguments)


if __name__ == "__main__":
    main()
