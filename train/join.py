"""Joins the training pictures of several sets, for a network that is to know them all before it is tuned to one.

usage: join.py OUT SET SET...

A set is a folder with train/<class>/<pictures> and val/<class>/<pictures>. Links (or copies, across file systems) the
training pictures to OUT/train/<class>; folders of one name become one class. A picture that any set holds back, even
at another size, is left out, so that each set's figures stay honest: of 16 x 16 grey pictures, two are the same
photograph where they correlate above 0.99.
"""
import argparse
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import numpy as np
from PIL import Image

SAME = 0.99


def fingerprints(files):
    """[n, 256] of length 1 and mean 0, so that their products are correlations; 0 for a picture of one grey"""
    def read(file):
        return np.asarray(Image.open(file).convert("L").resize((16, 16), Image.BOX), np.float32).ravel()

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        prints = np.stack(list(pool.map(read, files)))
    prints -= prints.mean(1, keepdims=True)
    return prints / np.maximum(np.linalg.norm(prints, axis=1, keepdims=True), 1e-6)


def likeness(prints, others):
    """The highest correlation of each with any of the others."""
    return np.concatenate([(part @ others.T).max(1) for part in np.array_split(prints, len(prints) // 1000 + 1)])


def join(out, sets):
    """-> files linked, files left out"""
    files, held_back = ([file for root in sets for file in sorted(Path(root, part).glob("*/*"))]
                        for part in ("train", "val"))
    if not files or not held_back:
        raise SystemExit("no pictures: expected SET/train/<class>/<pictures> and SET/val/<class>/<pictures>")
    same = likeness(fingerprints(files), fingerprints(held_back)) > SAME
    linked = []
    for file, leave_out in zip(files, same):
        if leave_out:
            continue
        to = Path(out, "train", file.parent.name, file.name)
        to.parent.mkdir(parents=True, exist_ok=True)
        if to.exists():
            raise SystemExit(f"{to} is there already: choose an empty OUT, and sets whose files have own names")
        try:
            os.link(file, to)
        except OSError:
            shutil.copy(file, to)
        linked.append(to)
    return linked, [file for file, leave_out in zip(files, same) if leave_out]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("sets", type=Path, nargs="+")
    arguments = parser.parse_args()
    linked, left_out = join(arguments.out, arguments.sets)
    for file in left_out:
        print("left out", file)
    print(f"{len(linked)} pictures, {len(left_out)} left out")


if __name__ == "__main__":
    main()
