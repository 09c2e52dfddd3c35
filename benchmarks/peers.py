"""Published detectors on the pictures and delivery conditions that `aiforensics evaluate` uses.

Run: OMP_NUM_THREADS=1 python benchmarks/peers.py DATA… --out peers.json \
         --peer ferretnet-s=FERRETNET --peer tiny-ladeda-forensynth=LADEDA --peer tiny-ladeda-wildrf=LADEDA

A peer's folder is a checkout of its own repository with its weights; its model class is imported from there, nothing of
it is part of this project. A checkout's Python files are run: use one that you trust. A peer sees the whole delivered
window at native resolution, normalised as in its own tests; "as found" is the file's pixels, the centre 512 px at most.

Beside FILE.json the scores go to FILE.scores.jsonl as they come, and a stopped run goes on from there. Pictures are
scored in rounds, one of each source, so that `--partial` can report on the rounds that are there. `--ours WORK` names
the work folder of a fusion that was trained on the same data (see `leftout.py`): its out-of-fold scores under the same
conditions are set beside them, and only pictures that have one count for anyone.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import cv2
import numpy as np
import torch
from leftout import Strangers
from numpy.typing import NDArray
from torch import nn

from aiforensics.evidence import InputError
from aiforensics.image import read
from aiforensics.lab.data.dataset import Sample, load_dataset
from aiforensics.lab.data.views import CONDITIONS
from aiforensics.lab.judge.detector import redeliver
from aiforensics.lab.judge.metrics import Floats, Scores, bootstrap, weighted_auc

Pixels = NDArray[np.uint8]

AS_FOUND = "as found"
AS_FOUND_SIDE = 512
MATCHED = "matched"
"""The mean of the AUCs under each condition, as in leave-one-source-out."""
VIEWS = (*(view.name for view in CONDITIONS), AS_FOUND)
MIN_PICTURES = 20
"""Pictures that the data hold of an AI source that counts in the macro AUC."""

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))


@dataclass(frozen=True)
class Recipe:
    """How a peer is built from its checkout and what it is shown.

    Attributes
    ----------
    repository
        Where it was published.
    weights
        Path in the checkout.
    build
        Folder of the checkout → the untrained network; it gives logits of `ai`, one or a map of them.
    normalisation
        Mean and standard deviation of each channel, of values in [0, 1].
    even
        Whether an odd last row or column is cut off, for a network that halves and doubles its input.
    """

    repository: str
    weights: str
    build: Callable[[Path], nn.Module]
    normalisation: tuple[tuple[float, ...], tuple[float, ...]]
    even: bool = False


class Peer:
    """A published detector with its weights."""

    def __init__(self, recipe: Recipe, folder: Path) -> None:
        self.recipe = recipe
        weights = folder / recipe.weights
        self.sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
        self.network = recipe.build(folder)
        state = torch.load(weights, map_location="cpu", weights_only=True)
        self.network.load_state_dict(state.get("model", state), strict=True)
        self.network.eval()
        self.mean, self.deviation = (torch.tensor(v).view(1, 3, 1, 1) for v in recipe.normalisation)
        self.parameters = sum(p.numel() for p in self.network.parameters())

    @torch.inference_mode()
    def score(self, pixels: Pixels) -> float:
        """Judge (h, w, 3) uint8, RGB: the logit of `ai`."""
        if self.recipe.even:
            pixels = pixels[: pixels.shape[0] // 2 * 2, : pixels.shape[1] // 2 * 2]
        batch = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None].float() / 255
        return float(self.network((batch - self.mean) / self.deviation).double().mean())

    def pictures_per_second(self, side: int = 248, number: int = 20) -> float:
        """Measure the speed on square windows, in pictures per second of processor time."""
        pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
        self.score(pixels)
        begin = time.process_time()
        for _ in range(number):
            self.score(pixels)
        return number / (time.process_time() - begin)


def main() -> None:
    """Score the sample with every peer, print the table and write the figures."""
    args = _arguments()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    peers = {}
    for text in args.peer:
        name, _, folder = text.partition("=")
        if name not in RECIPES or not folder:
            sys.exit(f"--peer {text}: expected NAME=FOLDER, NAME one of {', '.join(RECIPES)}")
        peers[name] = Peer(RECIPES[name], Path(folder))
    samples = load_dataset(args.data, need=())
    chosen = sample(samples, {"ai": args.per_source, "real": args.per_real_source or args.per_source}, args.seed)
    counts = Counter(one.source for one in samples if one.label == "ai")
    macro = [source for source in sorted(counts) if counts[source] >= MIN_PICTURES]
    log = args.out.with_suffix(".scores.jsonl")
    if not args.partial:
        _score_all(chosen, peers, log, args.seed)
    scores, refused = _load(log, peers, args.seed)
    ready = _complete_rounds(chosen, scores.keys() | refused)
    judged = [one for one in ready if one.key in scores]
    ours = Strangers.of(args.trained_on or args.data, args.ours).scores() if args.ours else {}
    if args.ours:
        judged = [one for one in judged if (one.key, CONDITIONS[0].name) in ours]
    print(f"{len(judged)} of {len(chosen)} pictures, {len(refused)} refused")
    figures = {}
    for name, peer in peers.items():
        logits = np.array([scores[one.key][name] for one in judged]).T
        figures[name] = {
            "repository": peer.recipe.repository,
            "weights": peer.recipe.weights,
            "sha256": peer.sha256,
            "parameters": peer.parameters,
            "pictures_per_second": round(peer.pictures_per_second(), 1),
            "figures": measure(judged, logits, macro, draws=args.draws, seed=args.seed),
            "logits": {view: row.tolist() for view, row in zip(VIEWS, logits, strict=True)},
        }
        _show(name, figures[name])
    if args.ours:
        views = [view.name for view in CONDITIONS]
        logits = np.array([[ours[one.key, view] for one in judged] for view in views])
        found = measure(judged, logits, macro, views, draws=args.draws, seed=args.seed)
        figures["aiforensics"] = {"figures": found}
        _show_figures("aiforensics, sources left out", found, views)
    content = {
        "seed": args.seed,
        "per_source": args.per_source,
        "per_real_source": args.per_real_source or args.per_source,
        "chosen": len(chosen),
        "refused": sorted(refused),
        "sample": [
            {"key": one.key, "label": one.label, "source": one.source, "group": one.group, "split": one.split}
            for one in judged
        ],
        "peers": figures,
    }
    args.out.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


def sample(samples: Sequence[Sample], per_source: Mapping[str, int], seed: int) -> list[Sample]:
    """Choose at most `per_source[label]` pictures of each source, in rounds of one picture of each source.

    Pictures of `train` and `val` come first, in the order that the fusion recipes draw theirs: what is chosen of them
    is among the pictures that a recipe with the same seed scores out of fold. Pictures of `test` fill what is missing.
    """
    seen = [one for one in samples if one.split != "test"]
    rest = [one for one in samples if one.split == "test"]
    order = [seen[i] for i in np.random.default_rng([seed, 4]).permutation(len(seen)).tolist()]
    order += [rest[i] for i in np.random.default_rng([seed, 4]).permutation(len(rest)).tolist()]
    taken: Counter[tuple[str, str]] = Counter()
    rounds: defaultdict[int, list[Sample]] = defaultdict(list)
    keys: set[str] = set()
    for one in order:
        place = taken[one.label, one.source]
        if place < per_source[one.label] and one.key not in keys:
            taken[one.label, one.source] += 1
            rounds[place].append(one)
            keys.add(one.key)
    return [one for place in sorted(rounds) for one in rounds[place]]


def measure(
    judged: Sequence[Sample],
    logits: Floats,
    sources: Sequence[str],
    views: Sequence[str] = VIEWS,
    *,
    draws: int,
    seed: int,
) -> dict[str, Any]:
    """Compute AUC and macro AUC under every view with 95 % intervals of a grouped bootstrap.

    Parameters
    ----------
    judged
        The n pictures.
    logits
        (views, n).
    sources
        AI sources of the macro AUC, each against all real pictures; those without a picture judged are left out.
    views
        Names of the views, the matched conditions among them.
    draws, seed
        Of the bootstrap.
    """
    labels = [one.label == "ai" for one in judged]
    groups = [one.group for one in judged]
    by_view = [Scores.of(labels, row, groups=groups) for row in logits]
    macro = [s for s in sources if any(one.label == "ai" and one.source == s for one in judged)]
    masks = {s: np.array([one.label == "real" or one.source == s for one in judged]) for s in macro}

    def aucs(weights: Floats) -> dict[str, Floats]:
        found: dict[str, Floats] = {}
        for view, scores in zip(views, by_view, strict=True):
            found[f"roc_auc {view}"] = weighted_auc(scores, weights)
            for source, mask in masks.items():
                found[f"{source} {view}"] = weighted_auc(scores.pick(mask), weights[:, mask])
            if macro:  # a draw without any picture of a source leaves that source out
                found[f"macro_auc {view}"] = np.nanmean([found[f"{source} {view}"] for source in macro], axis=0)
        for what in ("roc_auc", *(["macro_auc", *macro] if macro else [])):
            found[f"{what} {MATCHED}"] = np.mean([found[f"{what} {view.name}"] for view in CONDITIONS], axis=0)
        return found

    values = aucs(np.ones((1, len(judged))))
    spans = bootstrap(by_view[0], aucs, draws=draws, seed=seed)

    def figure(name: str) -> dict[str, float]:
        low, high = spans[name]
        return {"value": round(float(values[name][0]), 4), "low": round(low, 4), "high": round(high, 4)}

    return {
        "pictures": {"ai": sum(labels), "real": len(labels) - sum(labels)},
        "macro_sources": len(macro),
        **{
            what: {view: figure(f"{what} {view}") for view in (*views, MATCHED)}
            for what in ("roc_auc", *(["macro_auc"] if macro else []))
        },
        "by_ai_source": {source: {view: figure(f"{source} {view}") for view in (*views, MATCHED)} for source in macro},
    }


def _score_all(chosen: Sequence[Sample], peers: dict[str, Peer], log: Path, seed: int) -> None:
    scores, refused = _load(log, peers, seed)
    left = [one for one in chosen if one.key not in scores and one.key not in refused]
    begin, spent = time.monotonic(), time.process_time()
    with log.open("a", encoding="utf-8") as lines:
        for done, one in enumerate(left, 1):
            row: dict[str, Any] = {"seed": seed, "key": one.key}
            try:
                picture = read(one.path)
                seen = [np.asarray(redeliver(picture, one, v, seed=seed).image, np.uint8) for v in CONDITIONS]
                seen.append(_centre(np.asarray(picture.image, np.uint8)))
            except InputError as error:
                row["error"] = error.message
            else:
                row["logits"] = {
                    f"{name} {peer.sha256}": [round(peer.score(pixels), 6) for pixels in seen]
                    for name, peer in peers.items()
                }
            lines.write(json.dumps(row) + "\n")
            lines.flush()
            if done % 25 == 0 or done == len(left):
                wall, work = time.monotonic() - begin, time.process_time() - spent
                print(f"{done}/{len(left)}: {wall:.0f} s, {work:.0f} s of processor time", file=sys.stderr)


def _load(log: Path, peers: dict[str, Peer], seed: int) -> tuple[dict[str, dict[str, list[float]]], set[str]]:
    """Read key → peer → logits in the order of `VIEWS`, and the keys of refused pictures.

    A peer is known by its weights too, and a picture counts when all peers have judged it.
    """
    found: defaultdict[str, dict[str, list[float]]] = defaultdict(dict)
    refused: set[str] = set()
    for line in log.read_text("utf-8").splitlines() if log.exists() else ():
        row = json.loads(line)
        if row["seed"] != seed:
            continue
        if "error" in row:
            refused.add(row["key"])
            continue
        for name, peer in peers.items():
            if f"{name} {peer.sha256}" in row["logits"]:
                found[row["key"]][name] = row["logits"][f"{name} {peer.sha256}"]
    return {key: row for key, row in found.items() if len(row) == len(peers)}, refused


def _complete_rounds(chosen: Sequence[Sample], done: set[str]) -> list[Sample]:
    """Drop the last, unfinished round, so that no source is favoured."""
    taken: Counter[tuple[str, str]] = Counter()
    rounds = []
    for one in chosen:
        rounds.append(taken[one.label, one.source])
        taken[one.label, one.source] += 1
    missing = min((place for place, one in zip(rounds, chosen, strict=True) if one.key not in done), default=None)
    return [one for place, one in zip(rounds, chosen, strict=True) if missing is None or place < missing]


def _centre(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    y, x = max(0, height - AS_FOUND_SIDE) // 2, max(0, width - AS_FOUND_SIDE) // 2
    return pixels[y : y + AS_FOUND_SIDE, x : x + AS_FOUND_SIDE]


def _show(name: str, entry: dict[str, Any]) -> None:
    what = f"{name}  {entry['weights']}  sha256 {entry['sha256']}\n"
    what += f"{entry['parameters']} parameters, {entry['pictures_per_second']} pictures/s of 248 px on one thread"
    _show_figures(what, entry["figures"], VIEWS)


def _show_figures(what: str, figures: dict[str, Any], views: Sequence[str]) -> None:
    print(f"\n{what}\n{figures['pictures']}, {figures['macro_sources']} AI sources in the macro AUC")
    for view in (*views, MATCHED):
        cells = [
            f"{what} {figures[what][view]['value']:.3f} [{figures[what][view]['low']:.3f}, "
            f"{figures[what][view]['high']:.3f}]"
            for what in ("roc_auc", "macro_auc")
            if what in figures
        ]
        print(f"  {view:9s} {'   '.join(cells)}")


def _module(path: Path) -> ModuleType:
    """Import one file of a checkout without putting the checkout on the module path."""
    spec = importlib.util.spec_from_file_location(f"peer_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        sys.exit(f"{path}: not found; the folder of --peer must be a checkout of the peer's repository")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _ferretnet_s(folder: Path) -> nn.Module:
    """Build it as configs/cfgs/FerretNet-S-Median-3.yaml of its repository says."""
    lpd = _module(folder / "src/model/lpd.py").get_lpd_dict()
    network: nn.Module = _module(folder / "src/model/ferretnet.py").Ferret(
        in_channels=3, num_classes=1, dim=32, depths=[2, 2], lpd_func="median", window_size=3, lpd_dict=lpd
    )
    return network


def _tiny_ladeda(folder: Path, preprocess: Literal["NPR", "right_diag"] = "NPR") -> nn.Module:
    """Build it as test.py of its repository does, without its pooling, which takes square pictures only.

    The mean of the map of logits is the logit of the mean that it pools: what follows the pooling is linear.
    """
    network: nn.Module = _module(folder / "networks/Tiny_LaDeDa.py").tiny_ladeda(preprocess, pool=False)
    network.fc = nn.Linear(8, 1)
    return network


_LADEDA = "barcavia/RealTime-DeepfakeDetection-in-the-RealWorld"
RECIPES: dict[str, Recipe] = {
    "ferretnet-s": Recipe("xigua7105/FerretNet", "checkpoints/4cls_ckpt/ferretnet-s-median-3.pth", _ferretnet_s, _CLIP),
    "tiny-ladeda-forensynth": Recipe(
        _LADEDA, "weights/Tiny_LaDeDa/ForenSynth_Tiny_LaDeDa.pth", _tiny_ladeda, _IMAGENET, even=True
    ),
    "tiny-ladeda-wildrf": Recipe(
        _LADEDA, "weights/Tiny_LaDeDa/WildRF_Tiny_LaDeDa.pth", _tiny_ladeda, _IMAGENET, even=True
    ),
}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Score pictures with published detectors.")
    parser.add_argument("data", nargs="+", type=Path, help="folder real/ + ai/, or a folder with a manifest.csv")
    parser.add_argument("--peer", action="append", required=True, metavar="NAME=FOLDER", help=", ".join(RECIPES))
    parser.add_argument("--out", type=Path, required=True, help="JSON file of figures, scores and sample keys")
    parser.add_argument("--per-source", type=int, default=20, help="pictures of each source at most")
    parser.add_argument("--per-real-source", type=int, help="the same for real sources, where it differs")
    parser.add_argument("--draws", type=int, default=1000, help="bootstrap draws")
    parser.add_argument("--seed", type=int, default=0, help="of the choice, the windows and the bootstrap")
    parser.add_argument("--ours", type=Path, metavar="WORK", help="set beside them what our fusion said left out")
    parser.add_argument("--trained-on", nargs="+", type=Path, help="the data of that fusion, where it had more")
    parser.add_argument("--partial", action="store_true", help="score nothing, report on the rounds that are there")
    return parser.parse_args()


if __name__ == "__main__":
    main()
