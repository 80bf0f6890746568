"""`python -m livecheck_training.liveness train|tune|export|evaluate|sheet`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from ..backbone import export_onnx
from ..data import add_data_arguments, open_set
from ..runlog import RunLog, record_evaluation, write_json
from ..teachers import SilentFacePair
from .calibrate import calibrate
from .evaluate import evaluate
from .net import SIZE, LivenessNet
from .scenes import gather
from .train import Settings, train
from .tune import TuneSettings, tune
from .views import Studio

MODEL = Path(__file__).resolve().parents[3] / "crates/engine/models/liveness.onnx"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m livecheck_training.liveness", description=__doc__)
    parser.add_argument("command", choices=("train", "tune", "export", "evaluate", "sheet"))
    add_data_arguments(parser)
    parser.add_argument("--teachers", type=Path, required=True, help="folder of the teachers' ONNX files")
    parser.add_argument("--work", type=Path, help="folder for views and checkpoint (default: the cache)")
    parser.add_argument("--out", type=Path, default=Path("sheet.png"), help="where `sheet` writes training views; keep it out of the repository")
    parser.add_argument("--samples", type=int, default=Settings.samples, help="crops to train on")
    parser.add_argument("--makers", type=int, default=1, help="processes that make views beside the trainer")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    work = arguments.work or arguments.cache
    checkpoint, tuned = work / "liveness.pt", work / "liveness-tuned.pt"
    sets = [open_set(name, arguments.data, arguments.cache) for name in ("faces", "masks", "recapture_whole")]

    def scenes():
        return gather(*sets, arguments.teachers, arguments.cache)

    if arguments.command == "train":
        settings = Settings(samples=arguments.samples)
        train(scenes(), arguments.teachers, work / "liveness-views", checkpoint, settings, sets, arguments.makers)
    elif arguments.command == "tune":
        tune(scenes(), arguments.teachers, work / "liveness-views", checkpoint, tuned, TuneSettings())
    elif arguments.command == "export":
        stored = torch.load(tuned if tuned.exists() else checkpoint, weights_only=False)
        net = LivenessNet()
        net.load_state_dict(stored["best_weights"])
        difference = export_onnx(net, SIZE, "logits", MODEL)
        RunLog("liveness", {}, 0, [], stored["log"]).write()
        print(f"{MODEL.name}: {MODEL.stat().st_size} bytes, differs from PyTorch by at most {difference:.1e}")
        write_json(MODEL.with_suffix(".json"), calibrate(MODEL, scenes()))
    elif arguments.command == "evaluate":
        report = evaluate(MODEL, open_set("pad_dev", arguments.data, arguments.cache), arguments.teachers, arguments.cache)
        record_evaluation("liveness", report)
        print(json.dumps(report, indent=1))
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


if __name__ == "__main__":
    main()
