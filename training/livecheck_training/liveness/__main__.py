"""`python -m livecheck_training.liveness train|tune|grain|export|calibrate|sheet`: the small nets."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from ..backbone import export_onnx
from ..data import add_data_arguments, open_set
from ..runlog import RunLog, record_evaluation
from ..teachers import SilentFacePair
from .calibrate import calibrate
from .grain import SIZE as GRAIN_SIZE
from .grain import GrainNet
from .grain_train import GrainSettings, train_grain
from .net import SIZE, LivenessNet
from .scenes import gather
from .train import Settings, train
from .tune import TuneSettings, tune
from .views import Studio

MODELS = Path(__file__).resolve().parents[3] / "crates/engine/models"
CHECKPOINTS = Path(__file__).resolve().parents[2] / "checkpoints"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m livecheck_training.liveness", description=__doc__)
    parser.add_argument("command", choices=("train", "tune", "grain", "export", "calibrate", "sheet"))
    add_data_arguments(parser)
    parser.add_argument("--teachers", type=Path, required=True, help="folder of the teachers' ONNX files")
    parser.add_argument("--work", type=Path, help="folder for views and checkpoint (default: the cache)")
    parser.add_argument("--out", type=Path, default=Path("sheet.png"), help="where `sheet` writes training views; keep it out of the repository")
    parser.add_argument("--samples", type=int, help="crops to train on (default: the settings')")
    parser.add_argument("--seed", type=int, default=GrainSettings.seed, help="seed of `grain`")
    parser.add_argument("--start", type=Path, help="weights that `grain` goes on from, such as checkpoints/liveness-small-grain.pt")
    parser.add_argument("--makers", type=int, default=1, help="processes that make views beside the trainer")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    work = arguments.work or arguments.cache
    checkpoint, tuned, taught = work / "liveness.pt", work / "liveness-tuned.pt", work / "grain.pt"
    sets = [open_set(name, arguments.data, arguments.cache) for name in ("faces", "masks", "recapture_whole")]

    def scenes():
        return gather(*sets, arguments.teachers, arguments.cache)

    if arguments.command == "train":
        settings = Settings(samples=arguments.samples or Settings.samples)
        train(scenes(), arguments.teachers, work / "liveness-views", checkpoint, settings, sets, arguments.makers)
    elif arguments.command == "grain":
        # Blocks that have learnt already are joined from the beginning.
        apart = 0.0 if arguments.start else GrainSettings.apart
        grain_settings = GrainSettings(samples=arguments.samples or GrainSettings.samples, apart=apart, seed=arguments.seed)
        train_grain(scenes(), arguments.teachers, work / "grain-views", taught, grain_settings, sets, arguments.makers, arguments.start)
    elif arguments.command == "tune":
        tune(scenes(), arguments.teachers, work / "liveness-views", checkpoint, tuned, TuneSettings())
    elif arguments.command == "export":
        # A net whose checkpoint isn't there stays as it is.
        if checkpoint.exists():
            stored = torch.load(tuned if tuned.exists() else checkpoint, weights_only=False)
            ship("liveness-small-context", LivenessNet(), stored["best_weights"], SIZE, stored["log"])
        if taught.exists():
            stored = torch.load(taught, weights_only=False)
            ship("liveness-small-grain", GrainNet(), stored["average"], GRAIN_SIZE, stored["log"])
            # In 16 bits and with its normalisations, to go on from.
            torch.save({k: v.half() if v.is_floating_point() else v for k, v in stored["average"].items()}, CHECKPOINTS / "liveness-small-grain.pt")
    elif arguments.command == "calibrate":
        record_evaluation("liveness-small", {"fusion": calibrate(MODELS, scenes())})
    else:
        studio, pair = Studio([s for s in scenes() if not s.held_out]), SilentFacePair(arguments.teachers)
        rng = np.random.default_rng(0)
        views = sorted((studio.view(pair, rng) for _ in range(160)), key=lambda v: (v.attack, v.live))
        sheet = Image.new("RGB", (16 * SIZE, 10 * SIZE))
        for i, view in enumerate(views):
            tile = Image.fromarray(view.crops[i % len(view.crops)])
            ImageDraw.Draw(tile).text((2, 2), f"{view.live:.2f} {view.attack}", fill=(255, 0, 0))
            sheet.paste(tile, (i % 16 * SIZE, i // 16 * SIZE))
        sheet.save(arguments.out)


def ship(name: str, net: torch.nn.Module, weights: dict[str, torch.Tensor], size: int, log: dict) -> None:
    """Exports a net beside the others and writes the record of its run."""
    net.load_state_dict(weights)
    path = MODELS / f"{name}.onnx"
    difference = export_onnx(net, size, "logits", path)
    RunLog(name, {}, 0, [], log).write()
    print(f"{path.name}: {path.stat().st_size} bytes, differs from PyTorch by at most {difference:.1e}")


if __name__ == "__main__":
    main()
