"""`python -m livecheck_training.mask train|export|evaluate|sheet`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ..backbone import export_onnx
from ..data import add_data_arguments, open_set
from ..runlog import RunLog, record_evaluation
from .augment import view
from .evaluate import evaluate, evaluate_aizoo
from .net import SIZE, MaskNet, MaskProbability
from .samples import gather
from .train import Settings, train

MODEL = Path(__file__).resolve().parents[3] / "crates/engine/models/face-mask.onnx"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m livecheck_training.mask", description=__doc__)
    parser.add_argument("command", choices=("train", "export", "evaluate", "sheet"))
    add_data_arguments(parser)
    parser.add_argument("--teachers", type=Path, required=True, help="folder of the teachers' ONNX files")
    parser.add_argument("--work", type=Path, help="folder for the checkpoint (default: the cache)")
    parser.add_argument("--out", type=Path, default=Path("sheet.png"), help="where `sheet` writes training crops; keep it out of the repository")
    parser.add_argument("--steps", type=int, default=Settings.steps)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    faces, masks = (open_set(name, arguments.data, arguments.cache) for name in ("faces", "masks"))
    checkpoint = (arguments.work or arguments.cache) / "face-mask.pt"

    def samples(split: str):
        return gather(faces, masks, split, arguments.teachers, arguments.cache)

    if arguments.command == "train":
        train(samples("train"), Settings(steps=arguments.steps), checkpoint, [faces, masks])
    elif arguments.command == "export":
        stored = torch.load(checkpoint, weights_only=False)
        net = MaskNet()
        net.load_state_dict(stored["best_weights"])
        difference = export_onnx(MaskProbability(net), SIZE, "mask", MODEL)
        RunLog("face-mask", {}, 0, [], stored["log"]).write()
        print(f"{MODEL.name}: {MODEL.stat().st_size} bytes, differs from PyTorch by at most {difference:.1e}")
    elif arguments.command == "evaluate":
        report = evaluate(MODEL, samples("test"))
        report["AIZOO on the same pictures"] = evaluate_aizoo(faces, arguments.teachers)
        record_evaluation("face-mask", report)
        print(json.dumps(report, indent=1))
    else:
        rng = np.random.default_rng(0)
        gathered = samples("train")
        chosen = rng.choice(len(gathered), 160, replace=False)
        tiles = [view(gathered[i], rng) for i in sorted(chosen, key=lambda i: gathered[i].covered)]
        rows = [np.concatenate(tiles[i : i + 16], 1) for i in range(0, len(tiles), 16)]
        Image.fromarray(np.concatenate(rows)).save(arguments.out)


if __name__ == "__main__":
    main()
