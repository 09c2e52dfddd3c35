"""What the provenance readers recognise in folders of pictures, as a table in Markdown.

Run: python benchmarks/provenance.py [--trust LIST.pem] FOLDER...

Every row is a folder. The columns count the files, those that the gate refuses, the rungs of the ladder, the claims by
kind, and the exceptions (there must be none). Other modes:

`--watermark VIEWS` adds random crops, turns, sizes and tones of every picture, looks for the open watermark in each and
prints the rate of matches.

`--camera` takes folders and bare git repositories, counts the distinct pictures (by SHA-256) with a camera's maker and
model in their EXIF, and prints how many of them are said to come from a generator, with the upper 95 % limit.

`--credentials` prints one row for each file with Content Credentials: the state in the report that c2patool wrote
beside it (a JSON file in the same folders with the file's stem in its path and the same active manifest), the state
that the official library gives now, asked directly and offline, and ours.
"""

from __future__ import annotations

import argparse
import collections
import hashlib
import importlib
import io
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
from PIL import ExifTags, Image
from scipy import stats

from aiforensics.evidence import Claim, InputError, Provenance
from aiforensics.image import SUFFIXES, decode
from aiforensics.provenance import read_provenance
from aiforensics.provenance import watermark as open_watermark

LEVELS = ("signed-trusted", "signed", "invalid", "claimed", "watermark", "none")
KINDS = ("camera", "generator", "source-type", "aigc-label", "contradiction", "unreadable")
UNASKED = "identity not asked"
MARKS = (
    b"invokeai_metadata",
    b"sui_image_params",
    b"class_type",
    b"Steps: ",
    b"NovelAI",
    b"aigc_info",
    b"generation_data",
)


def main() -> int:
    """Print the tables; the exit status is 1 when a reader raised or a state or origin is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--trust", type=Path)
    parser.add_argument("--credentials", action="store_true")
    parser.add_argument("--camera", action="store_true")
    parser.add_argument("--watermark", type=int, default=0, metavar="VIEWS")
    options = parser.parse_args()
    if options.credentials:
        return credential_states(options.folders, options.trust)
    if options.camera:
        return camera_claims(options.folders, options.trust)
    if options.watermark:
        return watermark_rate(options.folders, options.watermark)
    print(f"| folder | files | refused | {' | '.join((*LEVELS, *KINDS))} | exceptions | median ms |")
    print("|---" * (len(LEVELS) + len(KINDS) + 5) + "|")
    wrong = [line for folder in options.folders for line in row(folder, options.trust)]
    print(*wrong, sep="\n", file=sys.stderr)
    return 1 if wrong else 0


def row(folder: Path, trust: Path | None) -> list[str]:
    """Print one folder's row and return what went wrong."""
    counts: collections.Counter[str] = collections.Counter()
    seconds: list[float] = []
    wrong: list[str] = []
    for path in pictures(folder):
        counts["files"] += 1
        try:
            picture = decode(path.read_bytes(), str(path))
        except InputError:
            counts["refused"] += 1
            counts["refused with marks"] += any(mark in path.read_bytes() for mark in MARKS)
            continue
        start = time.perf_counter()
        try:
            found = read_provenance(picture, trust=trust)
        except Exception as error:  # whatever it is: counting exceptions is what this is for
            counts["exceptions"] += 1
            wrong.append(f"exception: {path}: {error!r}")
            continue
        seconds.append(time.perf_counter() - start)
        counts.update([found.level, *{claim.kind for claim in found.claims}])
    cells = [str(counts[name]) for name in ("files", "refused", *LEVELS, *KINDS, "exceptions")]
    middle = 1000 * statistics.median(seconds or [0.0])
    print(f"| {folder.name} | {' | '.join(cells)} | {middle:.1f} |")
    if counts["refused with marks"]:
        print(f"{folder}: {counts['refused with marks']} refused files hold a generator's marks", file=sys.stderr)
    return wrong


def pictures(folder: Path) -> list[Path]:
    """Every picture under a folder, by suffix."""
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())


def watermark_rate(folders: list[Path], views: int) -> int:
    """Print how many of the pictures and of their random views match a known payload."""
    rng = np.random.default_rng(0)
    tried = matched = 0
    for path in (p for folder in folders for p in pictures(folder)):
        try:
            pixels = np.asarray(decode(path.read_bytes(), str(path)).stored, np.uint8)[:1024, :1024]
        except InputError:
            continue
        for number in range(views + 1):
            view = random_view(pixels, rng) if number else pixels
            view = np.ascontiguousarray(view[: view.shape[0] // 8 * 8, : view.shape[1] // 8 * 8])
            tried += 1
            hit = open_watermark.decode(view, int(rng.integers(0, 10_000)) if number else 0)
            if hit is not None:
                matched += 1
                print(f"match: {path}, view {number}: {hit[0].programs}, {hit[1]} wrong bits", file=sys.stderr)
    # The rule of three: no match in n trials bounds the rate by 3/n with 95 % confidence.
    print(f"{matched} matches in {tried} views; rate at most {max(3, matched + 3) / max(tried, 1):.2g} (95 %)")
    return 0


def credential_states(folders: list[Path], trust: Path | None) -> int:
    """Print a table of the files with Content Credentials; the exit status is 1 where a state is not as expected."""
    c2pa = importlib.import_module("c2pa")  # an extra: the other modes do without
    reports = recorded_states(folders)
    counts: collections.Counter[str] = collections.Counter()
    print(f"c2pa library {c2pa.sdk_version()}\n")
    print("| file | c2patool's report | official library | expected | ours | equal |\n|---|---|---|---|---|---|")
    for folder in folders:
        for path in pictures(folder):
            label, state, reasons = official_state(c2pa, path, trust)
            want = expected_level(state)
            try:
                found = read_provenance(decode(path.read_bytes(), str(path)), trust=trust)
            except InputError:
                counts["refused by the gate"] += 1
                continue
            signature = next((c.kind for c in found.claims if c.kind.startswith("signature")), "")
            equal = found.level == want or (want == "not validated" and signature in {"", "signature"})
            if state == "ManifestNotFound":
                counts["without credentials, and said so" if equal else "without credentials, WRONG"] += 1
                continue
            same = (told for (stem, manifest), told in reports.items() if stem == path.stem and label in {manifest, ""})
            recorded = next(same, "none")  # a manifest that was not fetched has no label: the name must do
            differs = bool(label) and recorded not in {"none", state}
            by_setting = " without identity statements" if reasons == [UNASKED] else ""
            counts[f"equal{by_setting}" if equal else "NOT EQUAL"] += 1
            counts["reports"] += recorded != "none"
            counts["reports that the library no longer confirms"] += differs
            why = f" ({', '.join(reasons)})" if reasons else ""
            ours = f"{found.level}{f' ({signature})' if signature else ''}"
            shown = f"{recorded}{' ≠' if differs else ''}"
            print(f"| {path.name} | {shown} | {state}{why} | {want} | {ours} | {'yes' if equal else '**NO**'} |")
    print("\n" + "; ".join(f"{number} {name}" for name, number in counts.items()))
    return 1 if any(name.isupper() or name.endswith("WRONG") for name in counts) else 0


def recorded_states(folders: list[Path]) -> dict[tuple[str, str], str]:
    """States in c2patool's reports under the folders, by the file's stem and the active manifest's label."""
    states: dict[tuple[str, str], str] = {}
    for path in (path for folder in folders for path in folder.rglob("*.json") if path.stem != "detailed"):
        try:
            report = json.loads(path.read_bytes())
            label, failed = report["active_manifest"], [s["code"] for s in report.get("validation_status", [])]
        except (ValueError, TypeError, LookupError):
            continue  # another kind of JSON
        old = "Invalid" if any(code != "signingCredential.untrusted" for code in failed) else "Valid"
        for stem in (path.stem, path.parent.name):  # NAME.json, or NAME/manifest_store.json
            states[stem, label] = report.get("validation_state", old)
    return states


def official_state(
    c2pa: ModuleType, path: Path, trust: Path | None, *, identities: bool = True
) -> tuple[str, str, list[str]]:
    """Active manifest, state and the failures that matter, from the official library alone, without the network.

    An identity statement whose issuer cannot be asked without the network is left out, by the library's own setting.
    """
    settings: dict[str, object] = {
        "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
        "core": {"allowed_network_hosts": [], "decode_identity_assertions": identities},
    }
    if trust:
        settings["trust"] = {"trust_anchors": trust.read_text()}
    try:
        context = c2pa.Context(c2pa.Settings.from_dict(settings))
        with c2pa.Reader(None, io.BytesIO(path.read_bytes()), context=context) as reader:
            state, report = reader.get_validation_state(), json.loads(reader.json())
    except c2pa.C2paError as error:
        kind, _, message = str(error).partition(":")
        return "", kind if kind == "ManifestNotFound" else f"no state: {message.strip()[:60] or kind}", []
    results = report["validation_results"]
    failed = [item["code"] for item in results["activeManifest"]["failure"]]
    if any(code != "signingCredential.untrusted" for code in failed):
        failed = [code for code in failed if code != "signingCredential.untrusted"]
    deltas = results.get("ingredientDeltas") or []
    earlier = {item["code"] for delta in deltas for item in delta["validationDeltas"]["failure"]}
    failed += sorted(f"ingredient {code}" for code in earlier - {"signingCredential.untrusted"})
    if identities and failed == ["cawg.ica.did_unavailable"]:
        label, state, _ = official_state(c2pa, path, trust, identities=False)
        return label, state, [UNASKED]
    return report["active_manifest"], state, failed


def expected_level(state: str) -> str:
    """Rung of the ladder for a state."""
    if state.startswith("no state"):  # c2patool ends with an error message: unreadable, or elsewhere
        return "invalid" if "unknown algorithm" in state else "not validated"
    return {"Trusted": "signed-trusted", "Valid": "signed", "Invalid": "invalid"}.get(state, "not validated")


def camera_claims(sources: list[Path], trust: Path | None) -> int:
    """Count the camera pictures under the sources, print the claims that a generator made one of them, and the rate."""
    counts: collections.Counter[str] = collections.Counter()
    seen: set[str] = set()
    models: set[tuple[str, str]] = set()
    shots: set[tuple[str, str, str]] = set()
    wrong: list[str] = []
    for source in sources:
        before = counts["pictures"]
        for name, data in files(source):
            digest = hashlib.sha256(data).hexdigest()
            camera = camera_of(data) if digest not in seen else None
            seen.add(digest)
            if camera is None:
                continue
            try:
                found = read_provenance(decode(data, name), trust=trust)
            except InputError:
                counts["refused"] += 1
                continue
            except Exception as error:  # whatever it is: counting exceptions is what this is for
                wrong.append(f"exception: {source}: {name}: {error!r}")
                continue
            counts["pictures"] += 1
            models.add(camera[:2])
            shots.add(camera)
            wrong += [f"claim: {source}: {name}: {c.kind}: {c.value} ({c.source})" for c in by_generator(found)]
            counts["claims"] += bool(by_generator(found))
        counts["sources"] += counts["pictures"] > before
        print(f"{source}: {counts['pictures'] - before} camera pictures", file=sys.stderr)
    print(*wrong, sep="\n", file=sys.stderr)
    exceptions = sum(line.startswith("exception") for line in wrong)
    print(
        f"{counts['pictures']} distinct camera pictures ({len(shots)} exposures, {len(models)} camera models, "
        f"{counts['sources']} sources; {counts['refused']} refused, {exceptions} exceptions): "
        f"{counts['claims']} with a claim that a generator made them; "
        f"rate at most {100 * upper_bound(counts['claims'], counts['pictures']):.3f} % (95 %); "
        f"counted by exposure at most {100 * upper_bound(counts['claims'], len(shots)):.3f} %"
    )
    return 1 if wrong else 0


def by_generator(found: Provenance) -> list[Claim]:
    """The claims by which a file says, or seems to say, that a generator made it."""
    return [c for c in found.claims if c.kind in {"generator", "watermark", "aigc-label"} or c.origin == "ai"]


def camera_of(data: bytes) -> tuple[str, str, str] | None:
    """Maker, model and moment of exposure as Pillow reads them, or None without maker and model."""
    if data[:4] == b"\x89PNG" and b"eXIf" not in data and b"Raw profile type" not in data:
        return None  # Pillow would decode the pixels to look for EXIF behind them
    try:
        with Image.open(io.BytesIO(data)) as picture:
            tags = picture.getexif()
            moment = tags.get_ifd(ExifTags.IFD.Exif)
    except Exception:  # not a picture that Pillow reads: not counted
        return None
    maker, model = (str(tags.get(tag) or "").strip("\0 ") for tag in (ExifTags.Base.Make, ExifTags.Base.Model))
    taken = [str(moment.get(t, "")) for t in (ExifTags.Base.DateTimeOriginal, ExifTags.Base.SubsecTimeOriginal)]
    return (maker, model, " ".join(taken)) if maker and model else None


def files(source: Path) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of every picture in a folder, or in the newest commit of a bare git repository."""
    if not (source / "HEAD").is_file():
        yield from ((str(path), path.read_bytes()) for path in pictures(source))
        return
    git = ["git", f"--git-dir={source}"]
    quiet = {**os.environ, "GIT_NO_LAZY_FETCH": "1"}
    listed = subprocess.run([*git, "ls-tree", "-r", "-z", "HEAD"], capture_output=True, check=False, env=quiet).stdout
    names = {  # one name for each content
        entry.split()[2]: name
        for entry, _, name in (line.partition(b"\t") for line in listed.split(b"\0"))
        if Path(os.fsdecode(name)).suffix.lower() in SUFFIXES and entry.split()[1] == b"blob"
    }
    with subprocess.Popen(
        [*git, "cat-file", "--batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=quiet
    ) as reader:
        assert reader.stdin is not None and reader.stdout is not None  # noqa: S101 - both are pipes
        for key, name in names.items():
            reader.stdin.write(key + b"\n")
            reader.stdin.flush()
            header = reader.stdout.readline().split()
            if len(header) == 3:  # otherwise this clone lacks it
                yield os.fsdecode(name), reader.stdout.read(int(header[2]) + 1)[:-1]
        reader.stdin.close()


def upper_bound(hits: int, trials: int) -> float:
    """One-sided upper 95 % limit of Clopper and Pearson for a rate."""
    return float(stats.beta.ppf(0.95, hits + 1, trials - hits)) if hits < trials else 1.0


def random_view(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random crop, turned, resized and re-toned."""
    height, width = pixels.shape[:2]
    side = int(rng.integers(min(96, height, width), min(height, width) + 1))
    y, x = int(rng.integers(0, height - side + 1)), int(rng.integers(0, width - side + 1))
    view = np.rot90(pixels[y : y + side, x : x + side], int(rng.integers(0, 4)))
    scale = float(rng.uniform(0.6, 2.0))
    view = cv2.resize(np.ascontiguousarray(view), None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    gain, lift = rng.uniform(0.6, 1.5), rng.uniform(-40, 40)
    return np.clip(view * gain + lift, 0, 255).astype(np.uint8) if rng.random() < 0.5 else view


if __name__ == "__main__":
    sys.exit(main())
