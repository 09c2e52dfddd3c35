"""Published detectors on the pictures and delivery conditions that `aiforensics evaluate` uses.

Run: OMP_NUM_THREADS=1 python benchmarks/peers.py DATA… --out peers.json \
         --peer ferretnet-s=FERRETNET --peer tiny-ladeda-forensynth=LADEDA --peer tiny-ladeda-wildrf=LADEDA

A peer's folder is a checkout of its own repository with its weights; its model class is imported from there, nothing of
it is part of this project. A checkout's Python files are run: use one that you trust. A peer sees the whole delivered
window at native resolution, normalised as in its own tests; "as found" is the file's pixels, the centre 512 px at most.

Beside FILE.json the scores go to FILE.scores.jsonl as they come, and a stopped run goes on from there. Pictures are
scored in rounds, one of each source, so that `--partial` can report on the rounds that are there. `--ours WORK` names
the work folder of a fusion that was trained on the same data (see `leftout.py`): its out-of-fold scores under the same
conditions are set beside them, and only pictures that have one count for anyone. `--bundle` scores them with a bundle
of ours, which is fair where its `seen.bin` has none of them: that is checked.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from leftout import Strangers
from peer_networks import RECIPES, Judge, Ours, Peer

from aiforensics.evidence import InputError
from aiforensics.image import read
from aiforensics.lab.data.dataset import Sample, load_dataset
from aiforensics.lab.data.views import CONDITIONS
from aiforensics.lab.judge.detector import redeliver
from aiforensics.lab.judge.metrics import Floats, Scores, bootstrap, weighted_auc

AS_FOUND = "as found"
MATCHED = "matched"
"""The mean of the AUCs under each condition, as in leave-one-source-out."""
VIEWS = (*(view.name for view in CONDITIONS), AS_FOUND)
MIN_PICTURES = 20
"""Pictures that the data hold of an AI source that counts in the macro AUC."""


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
    judges: dict[str, Judge] = {**peers}
    if args.bundle:
        ours = Ours(args.bundle)
        ours.check_strange(chosen)
        judges["aiforensics"] = ours
    if not args.partial:
        _score_all(chosen, judges, log, args.seed)
    known, refused = _load(log, judges, args.seed)
    scores = {key: row for key, row in known.items() if len(row) == len(judges)}
    ready = _complete_rounds(chosen, scores.keys() | refused)
    judged = [one for one in ready if one.key in scores]
    left_out = Strangers.of(args.trained_on or args.data, args.ours).scores() if args.ours else {}
    if args.ours:
        judged = [one for one in judged if (one.key, CONDITIONS[0].name) in left_out]
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
    if args.bundle:
        logits = np.array([scores[one.key]["aiforensics"] for one in judged]).T
        found = measure(judged, logits, macro, draws=args.draws, seed=args.seed)
        figures["aiforensics"] = {"sha256": judges["aiforensics"].sha256, "figures": found}
        _show_figures(f"aiforensics, bundle {args.bundle}", found, VIEWS)
    if args.ours:
        views = [view.name for view in CONDITIONS]
        logits = np.array([[left_out[one.key, view] for one in judged] for view in views])
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


def _score_all(chosen: Sequence[Sample], judges: Mapping[str, Judge], log: Path, seed: int) -> None:
    scores, refused = _load(log, judges, seed)
    missing = {one.key: [name for name in judges if name not in scores.get(one.key, ())] for one in chosen}
    left = [one for one in chosen if missing[one.key] and one.key not in refused]
    begin, spent = time.monotonic(), time.process_time()
    with log.open("a", encoding="utf-8") as lines:
        for done, one in enumerate(left, 1):
            row: dict[str, Any] = {"seed": seed, "key": one.key}
            try:
                picture = read(one.path)
                delivered = [redeliver(picture, one, view, seed=seed) for view in CONDITIONS]
                row["logits"] = {
                    f"{name} {judges[name].sha256}": [
                        round(score, 6) for score in judges[name].judge(delivered, picture)
                    ]
                    for name in missing[one.key]
                }
            except InputError as error:
                row["error"] = error.message
            lines.write(json.dumps(row) + "\n")
            lines.flush()
            if done % 25 == 0 or done == len(left):
                wall, work = time.monotonic() - begin, time.process_time() - spent
                print(f"{done}/{len(left)}: {wall:.0f} s, {work:.0f} s of processor time", file=sys.stderr)


def _load(log: Path, judges: Mapping[str, Judge], seed: int) -> tuple[dict[str, dict[str, list[float]]], set[str]]:
    """Read key → judge → scores in the order of `VIEWS`, and the keys of refused pictures.

    A judge is known by its weights too.
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
        for name, judge in judges.items():
            if f"{name} {judge.sha256}" in row["logits"]:
                found[row["key"]][name] = row["logits"][f"{name} {judge.sha256}"]
    return found, refused


def _complete_rounds(chosen: Sequence[Sample], done: set[str]) -> list[Sample]:
    """Drop the last, unfinished round, so that no source is favoured."""
    taken: Counter[tuple[str, str]] = Counter()
    rounds = []
    for one in chosen:
        rounds.append(taken[one.label, one.source])
        taken[one.label, one.source] += 1
    missing = min((place for place, one in zip(rounds, chosen, strict=True) if one.key not in done), default=None)
    return [one for place, one in zip(rounds, chosen, strict=True) if missing is None or place < missing]


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


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Score pictures with published detectors.")
    parser.add_argument("data", nargs="+", type=Path, help="folder real/ + ai/, or a folder with a manifest.csv")
    parser.add_argument("--peer", action="append", required=True, metavar="NAME=FOLDER", help=", ".join(RECIPES))
    parser.add_argument("--out", type=Path, required=True, help="JSON file of figures, scores and sample keys")
    parser.add_argument("--per-source", type=int, default=20, help="pictures of each source at most")
    parser.add_argument("--per-real-source", type=int, help="the same for real sources, where it differs")
    parser.add_argument("--draws", type=int, default=1000, help="bootstrap draws")
    parser.add_argument("--seed", type=int, default=0, help="of the choice, the windows and the bootstrap")
    ours = parser.add_mutually_exclusive_group()
    ours.add_argument("--ours", type=Path, metavar="WORK", help="set beside them what our fusion said left out")
    ours.add_argument("--bundle", metavar="BUNDLE", help="set beside them what a bundle of ours says")
    parser.add_argument("--trained-on", nargs="+", type=Path, help="the data of that fusion, where it had more")
    parser.add_argument("--partial", action="store_true", help="score nothing, report on the rounds that are there")
    return parser.parse_args()


if __name__ == "__main__":
    main()
