"""`python -m livecheck_training.refiner train|export|sheet`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..data import add_data_arguments, default_cache
from ..detector.export import SHIPPED as DETECTOR


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m livecheck_training.refiner", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    work = default_cache() / "work" / "face-refiner"

    def add(name: str, text: str) -> argparse.ArgumentParser:
        action = actions.add_parser(name, help=text)
        add_data_arguments(action)
        action.add_argument("--teachers", type=Path, required=True, help="folder with the YuNet files")
        action.add_argument("--work", type=Path, default=work, help="checkpoints (default: %(default)s)")
        action.add_argument("--detector", type=Path, default=DETECTOR, help="the detector that proposes (default: the shipped one)")
        action.add_argument("--seed", type=int, default=1)
        return action

    train_arguments = add("train", "train, or go on from the last checkpoint")
    train_arguments.add_argument("--steps", type=int, help="length of the run")
    train_arguments.add_argument("--rate", type=float, help="peak learning rate")
    train_arguments.add_argument("--start", type=Path, help="best.pt of an earlier run whose weights to start from")
    export_arguments = add("export", "checkpoint to ONNX")
    export_arguments.add_argument("--checkpoint", help="file in --work", default="best.pt")
    sheet_arguments = add("sheet", "draw training windows, for the eye")
    sheet_arguments.add_argument("--start", type=Path, help="best.pt of an earlier run: windows of a run that goes on from it")
    sheet_arguments.add_argument("--out", type=Path, default=Path("sheet.png"), help="keep it out of the repository")
    args = parser.parse_args()
    if args.action == "train":
        from .train import TrainSettings, train

        chosen = {k: getattr(args, k) for k in ("steps", "rate") if getattr(args, k) is not None}
        train(args.data, args.cache, args.teachers, args.detector, args.work, args.seed, TrainSettings(**chosen), args.start)
    elif args.action == "export":
        from .export import export

        export(args.data, args.cache, args.teachers, args.detector, args.work / args.checkpoint)
    else:
        from .sheet import sheet

        sheet(args.data, args.cache, args.teachers, args.detector, args.seed, args.start, args.out)


if __name__ == "__main__":
    main()
