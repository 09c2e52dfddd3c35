"""The pictures of a list, gathered again: `python models/training/gather.py LIST --clones DIR --out DIR`.

LIST is one of the lists beside this script. Repositories are taken from DIR, as `owner+name` or `owner/name`
(bare or not), and cloned there where they are missing. A file is known by the sum in the list, and looked for in older
commits where today's differs. From each comes the most varied of three random windows (`--whole` keeps the file): JPEG
losslessly on block borders by `jpegtran`, which must be installed, anything else in pixels as lossless WebP. A
labelled list becomes a data set with a manifest; the sources that `--train` has too are all put into its split
`train`, as they were. The places of the first windows are not known any more: these agree in kind, not in bits.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from aiforensics.evidence import InputError
from aiforensics.image import decode
from aiforensics.lab.data.dataset import sources_of
from aiforensics.lab.data.views import seeded

Row = dict[str, str]
COLUMNS = ("file", "label", "source", "generator", "split")
JPEG_SIDE, OTHER_SIDE = 512, 384
JPEG_GRID = 16
"""Pixels between the block borders of every usual subsampling."""


def main() -> None:
    """Write the windows or files of a list, and say what could not be had."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("list", type=Path, help="pictures.csv or another list beside this script")
    parser.add_argument("--clones", type=Path, required=True, help="folder of repositories")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--train", type=Path, help="data set whose sources are `train` here")
    parser.add_argument("--split", choices=("train", "val", "test"), help="split of all others; drawn later without")
    parser.add_argument("--whole", action="store_true", help="keep whole files, as reduce.py needs them")
    parser.add_argument("--remote", default="https://github.com", help="where missing repositories are cloned from")
    options = parser.parse_args()
    for program in ("git", "jpegtran"):
        if not shutil.which(program):
            parser.error(f"this needs the program {program}")
    with options.list.open(encoding="utf-8", newline="") as stream:
        listed = list(csv.DictReader(stream))
    known = sources_of(options.train) if options.train else ()
    wanted: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in listed:
        wanted[row["repository"]][row["path"]].append(row)
    told: Counter[str] = Counter()
    manifest = []
    for repository, paths in sorted(wanted.items()):
        clone = find_clone(repository, options.clones, options.remote)
        if clone is None:
            sys.stderr.write(f"{repository}: cannot be cloned\n")
            told["in repositories that cannot be cloned"] += sum(map(len, paths.values()))
            continue
        for path, rows in paths.items():
            data = stored(clone, path, rows[0].get("sha256_16", ""))
            files = (
                []
                if data is None
                else list(pieces(data, len(rows), whole=Path(path).suffix.lower() if options.whole else ""))
            )
            told["not found, or not to be read"] += len(rows) - len(files)
            for row, (name, content) in zip(rows, files, strict=False):
                place = Path(row.get("label", ""), row.get("source", ""), name)
                (options.out / place).parent.mkdir(parents=True, exist_ok=True)
                (options.out / place).write_bytes(content)
                split = "train" if f"{row.get('label')}/{row.get('source')}" in known else options.split or ""
                manifest.append([place.as_posix(), row.get("label"), row.get("source"), row.get("generator"), split])
                told["written"] += 1
    if "label" in listed[0]:
        with (options.out / "manifest.csv").open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([COLUMNS, *manifest])
    sys.stderr.write("".join(f"{count} {what}\n" for what, count in told.items()))


def find_clone(repository: str, clones: Path, remote: str) -> Path | None:
    """Find a repository's clone, or make it; None where that fails."""
    own = clones / repository.replace("/", "+")
    for place in (own, own / "repo", clones / repository):
        for folder in (place / ".git", place):
            if (folder / "HEAD").is_file():
                return folder
    _run(["git", "-c", "core.askPass=true", "clone", "--quiet", "--bare", f"{remote}/{repository}", str(own)], b"")
    return own if (own / "HEAD").is_file() else None


def stored(clone: Path, path: str, sum_16: str) -> bytes | None:
    """Return a file of a repository: the version of the given sum, or, with no sum, the newest."""
    for commit in ("HEAD", *_git(clone, "log", "--all", "--format=%H", "--", path).decode().split()):
        data = _git(clone, "cat-file", "blob", f"{commit}:{path}")
        if data and (not sum_16 or hashlib.sha256(data).hexdigest()[:16] == sum_16):
            return data
    return None


def pieces(data: bytes, count: int, *, whole: str = "") -> Iterator[tuple[str, bytes]]:
    """Cut `count` windows of a file, or give it as it is with the ending `whole`; none where it cannot be read."""
    name = hashlib.sha256(data).hexdigest()[:16]
    try:
        picture = decode(data)
    except InputError as error:
        sys.stderr.write(f"{name}: {error.message}\n")
        return
    if whole:
        yield name + whole, data
        return
    rng = seeded(name)
    jpeg = picture.format == "JPEG"
    for index in range(count):
        box = most_varied(picture.image, JPEG_SIDE if jpeg else OTHER_SIDE, JPEG_GRID if jpeg else 1, rng)
        window = cut_jpeg(data, box) if jpeg else cut_pixels(picture.image, box)
        if not window:
            sys.stderr.write(f"{name}: jpegtran cannot cut it\n")
            return
        yield f"{name}-crop{index}{'.jpg' if jpeg else '.webp'}", window


def most_varied(image: Image.Image, side: int, grid: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Draw three boxes of at most `side` px whose corners lie on a grid; the one with the largest deviation in grey."""
    width, height = min(side, image.width), min(side, image.height)

    def draw() -> tuple[int, int, int, int]:
        x, y = (int(rng.integers(0, room + 1)) // grid * grid for room in (image.width - width, image.height - height))
        return x, y, x + width, y + height

    return max((draw() for _ in range(3)), key=lambda box: float(np.std(np.asarray(image.crop(box).convert("L")))))


def cut_jpeg(data: bytes, box: tuple[int, int, int, int]) -> bytes:
    """Cut a JPEG on block borders: its coefficients and tables as they are, its metadata left out."""
    left, top, right, bottom = box
    crop = f"{right - left}x{bottom - top}+{left}+{top}"
    return _run(["jpegtran", "-copy", "none", "-crop", crop], data)


def cut_pixels(image: Image.Image, box: tuple[int, int, int, int]) -> bytes:
    """Cut a window of pixels and keep it as lossless WebP."""
    stream = io.BytesIO()
    image.crop(box).save(stream, "WEBP", lossless=True)
    return stream.getvalue()


def _git(clone: Path, *words: str) -> bytes:
    return _run(["git", f"--git-dir={clone}", *words], b"")


def _run(command: Sequence[str], data: bytes) -> bytes:
    return subprocess.run(command, input=data, capture_output=True, check=False).stdout


if __name__ == "__main__":
    main()
