"""`python -m livecheck_training.threeview gather|folds|train|export|fuse`."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..backbone import export_onnx
from ..data import add_data_arguments, open_set
from ..liveness.grain import SIZE as GRAIN_SIZE
from ..liveness.scenes import gather
from ..rates import apcer_at_bpcer, auc
from ..runlog import RUNS, RunLog, record_evaluation, write_json
from . import frames as gathered
from . import fuse
from .frames import LIVE, Frame
from .net import SIZE, TAUGHT, VIEWS, blend, taught_grain, taught_net
from .train import Settings, judged, train, trains

MODELS = Path(__file__).resolve().parents[3] / "crates/engine/models"
CHECKPOINTS = Path(__file__).resolve().parents[2] / "checkpoints"

FOLDS = 3
RATES = {"views": 4e-4, "grain": 1.5e-4}
KEEP = {"views": 0.5, "grain": 0.0}
"""How strongly each net keeps to what it said before; the grain net is held back by a blend instead."""

MADE, MADE_HELD_OUT = 6400, 800
"""Simulated frames that train, and simulated attacks of held-out faces that calibrate."""


def load(arguments: argparse.Namespace) -> dict[str, list[Frame]]:
    """All frames by name, gathered once into the work folder."""
    work, teachers = arguments.work, arguments.teachers
    sets = [open_set(name, arguments.data, arguments.cache) for name in ("faces", "masks", "recapture_whole")]
    scenes = None

    def all_scenes():
        nonlocal scenes
        scenes = scenes or gather(*sets, teachers, arguments.cache)
        return scenes

    def made(held: bool, count: int, seed: int):
        return gathered.parallel_made([s for s in all_scenes() if s.held_out == held], MODELS, teachers, count, seed, arguments.makers, held)

    return {
        "webcam": gathered.cached(work / "webcam-train.pickle", lambda: gathered.webcam_frames(arguments.webcams, MODELS, teachers, "train")),
        "scene": gathered.cached(work / "scene.pickle", lambda: gathered.scene_frames(all_scenes(), MODELS, teachers)),
        "patch": gathered.cached(work / "patch.pickle", lambda: gathered.patch_frames(sets[2])),
        "made": gathered.cached(work / "made.pickle", lambda: made(False, MADE, 4)),
        "made-held": gathered.cached(work / "made-held.pickle", lambda: made(True, MADE_HELD_OUT, 3)),
    }


def folds_of(frames: list[Frame]) -> dict[str, int]:
    """Webcam source to fold: the largest first, each into the fold that has fewest frames."""
    sizes, out = [0] * FOLDS, {}
    for source, count in sorted(Counter(f.source for f in frames).items(), key=lambda item: (-item[1], item[0])):
        out[source] = int(np.argmin(sizes))
        sizes[out[source]] += count
    return out


def figures(margin: np.ndarray, live: np.ndarray) -> dict[str, float]:
    """AUC and APCER at BPCER 5 and 10 %."""
    return {
        "auc": round(auc(margin[live], margin[~live]), 4),
        "apcer5": round(apcer_at_bpcer(margin[live], margin[~live], 0.05), 3),
        "apcer10": round(apcer_at_bpcer(margin[live], margin[~live], 0.1), 3),
    }


def untaught(kind: str) -> torch.nn.Module:
    """A net as its training starts: with the weights of the small net of its kind."""
    if kind == "grain":
        return taught_grain(CHECKPOINTS / "liveness-small-grain.pt")
    return taught_net(MODELS / "liveness-small-context.onnx")


def finished(kind: str, path: Path) -> torch.nn.Module:
    """The net that ships, or would, of a checkpoint."""
    net = untaught(kind)
    taught = torch.load(path, weights_only=False)["average"]
    net.load_state_dict(blend(net.state_dict(), taught, TAUGHT) if kind == "grain" else taught)
    return net.eval()


def watcher(left: list[Frame], kind: str) -> Callable[[torch.nn.Module], dict[str, dict[str, float]]]:
    """Figures of a net on the frames of the sources left out: of its mean margin and of each view's."""
    live = np.array([f.attack == LIVE for f in left])

    def watch(net: torch.nn.Module) -> dict[str, dict[str, float]]:
        margin = judged(net, left, kind)
        views = dict(zip(VIEWS, margin.T)) if kind == "views" else {}
        return {name: figures(m, live) for name, m in ({"mean": margin.mean(1)} | views).items()}

    return watch


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m livecheck_training.threeview", description=__doc__)
    parser.add_argument("command", choices=("gather", "folds", "train", "export", "fuse"))
    add_data_arguments(parser)
    parser.add_argument("--teachers", type=Path, required=True, help="folder of the teachers' ONNX files")
    parser.add_argument("--webcams", type=Path, required=True, help="folder that the tool beside the data gathered: frames and webcams.csv")
    parser.add_argument("--work", type=Path, help="folder for frames and checkpoints (default: the cache)")
    parser.add_argument("--makers", type=int, default=1, help="processes that make simulated frames")
    parser.add_argument("--steps", type=int, default=Settings.steps)
    parser.add_argument("--net", choices=("views", "grain"), default="views")
    parser.add_argument("--keep", type=float, help="weight of what the net said before, on frames of no webcam (default: 0.5 of views, 0 of grain)")
    parser.add_argument("--fold", type=int, help="only this fold")
    parser.add_argument("--tag", default="", help="name of a trial, part of the checkpoints' names")
    arguments = parser.parse_args()
    arguments.work = arguments.work or arguments.cache
    frames = load(arguments)
    everything = [f for name in ("webcam", "scene", "patch", "made") for f in frames[name]]
    kind = arguments.net
    settings = Settings(steps=arguments.steps, net=kind, rate=RATES[kind], keep=KEEP[kind] if arguments.keep is None else arguments.keep)

    def start() -> torch.nn.Module:
        return untaught(kind)

    name = f"{kind}{arguments.tag}"
    folds = folds_of(frames["webcam"])
    if arguments.command == "folds":
        for fold in range(FOLDS) if arguments.fold is None else [arguments.fold]:
            out = frozenset(s for s, f in folds.items() if f == fold)
            print(fold, sorted(out), flush=True)
            watch = watcher([f for f in frames["webcam"] if f.source in out], kind)
            train(start(), [f for f in everything if trains(f, out)], settings, arguments.work / f"{name}-fold{fold}.pt", watch)
    elif arguments.command == "train":
        train(start(), [f for f in everything if trains(f, frozenset())], settings, arguments.work / f"{name}.pt")
    elif arguments.command == "export":
        stored = torch.load(arguments.work / f"{name}.pt", weights_only=False)
        net = finished(kind, arguments.work / f"{name}.pt")
        model = f"liveness-{kind}"
        difference = export_onnx(net, SIZE if kind == "views" else GRAIN_SIZE, "logits", MODELS / f"{model}.onnx")
        sets = [open_set(name, arguments.data, arguments.cache) for name in ("faces", "recapture_whole")]
        log = RunLog(model, stored["settings"], settings.seed, sets)
        log.state["curve"] = stored["curve"]
        log.state["frames"] = {name: len(some) for name, some in frames.items()}
        log.write()
        print(json.dumps({"differs from PyTorch by": difference}))
    else:
        fused(arguments.work, arguments.tag, frames, folds)


def small_fusion() -> dict[str, Any]:
    """What `liveness calibrate` found for the small nets."""
    return json.loads((RUNS / "liveness-small.json").read_text(encoding="utf-8"))["evaluation"]["fusion"]


def fused(work: Path, tag: str, frames: dict[str, list[Frame]], folds: dict[str, int]) -> None:
    """Fits fusion and scale, writes `liveness.json`, and the figures of sources left out into its record."""

    def nets(suffix: str) -> dict[str, torch.nn.Module]:
        return {kind: finished(kind, work / f"{kind}{tag}{suffix}.pt") for kind in ("views", "grain")}

    samples = []
    for fold in range(FOLDS):
        left = [f for f in frames["webcam"] if folds[f.source] == fold]
        samples += fuse.samples_of(nets(f"-fold{fold}"), left, True)
    held = [f for f in frames["scene"] if gathered.held_out(f)] + frames["made-held"]
    samples += fuse.samples_of(nets(""), held, False)
    fusion = fuse.fit(samples)
    report = fuse.report(samples, fuse.left_out_logits(samples))
    record_evaluation("liveness-fused", {"sources left out": report})
    numbers = [round(float(v), 5) for v in fusion]
    write_json(
        MODELS / "liveness.json",
        {
            "fusion": {
                "weights": numbers[:4],
                "alarm": numbers[4],
                "sharpness": fuse.SHARPNESS,
                "limit": fuse.LIMIT,
                "offset": numbers[5],
                "fitted_on": "slope and offset: webcam frames judged by nets that left their source out, untouched and disturbed",
            },
            "small": small_fusion(),
            "sides": list(fuse.SIDES),
        },
    )
    print(json.dumps({"fusion": numbers, "samples": len(samples)} | report, indent=1))


if __name__ == "__main__":
    main()
