"""``python -m livecheck_training.detector train|export|rewrite|evaluate``."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..data import add_data_arguments, default_cache


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m livecheck_training.detector", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    work = default_cache() / "work" / "face-detector"

    train = actions.add_parser("train", help="train, or go on from the last checkpoint")
    add_data_arguments(train)
    train.add_argument("--teachers", type=Path, required=True, help="folder with the YuNet files")
    train.add_argument("--work", type=Path, default=work, help="checkpoints (default: %(default)s)")
    train.add_argument("--steps", type=int, help="length of the run")
    train.add_argument("--rate", type=float, help="peak learning rate")
    train.add_argument("--start", type=Path, help="checkpoint, or exported .onnx, whose weights to start from")
    train.add_argument("--freeze-stem", action="store_true", default=None, help="leave the first two layers as they are")
    train.add_argument("--seed", type=int, default=1)

    export = actions.add_parser("export", help="checkpoint to ONNX")
    export.add_argument("--work", type=Path, default=work, help="where best.pt lies (default: %(default)s)")
    export.add_argument("--checkpoint", help="file in --work", default="best.pt")
    export.add_argument("--shift", type=float, default=0.0, help="added to the score's logit (default: 0)")
    export.add_argument("--out", type=Path, help="default: crates/engine/models/face-detector.onnx")

    rewrite = actions.add_parser("rewrite", help="write the weights of an exported file anew, as export writes them today")
    rewrite.add_argument("--model", type=Path, help="default: the shipped file")
    rewrite.add_argument("--out", type=Path, help="default: crates/engine/models/face-detector.onnx")

    evaluate = actions.add_parser("evaluate", help="measure the shipped file, and the refiner after it, on the test split")
    add_data_arguments(evaluate)
    evaluate.add_argument("--teachers", type=Path, required=True, help="folder with the YuNet files")
    evaluate.add_argument("--model", type=Path, help="default: the shipped file")
    evaluate.add_argument("--refiner", type=Path, help="default: the shipped file")
    evaluate.add_argument("--no-pad-dev", action="store_true", help="leave out the one-face rate on pad_dev")

    args = parser.parse_args()
    if args.action == "train":
        from .train import TrainSettings
        from .train import train as run

        chosen = {k: getattr(args, k) for k in ("steps", "rate", "freeze_stem") if getattr(args, k) is not None}
        run(args.data, args.cache, args.teachers, args.work, args.seed, TrainSettings(**chosen), args.start)
    elif args.action == "export":
        from .export import SHIPPED
        from .export import export as run

        run(args.work / args.checkpoint, args.out or SHIPPED, args.shift)
    elif args.action == "rewrite":
        from .export import SHIPPED
        from .export import rewrite as run

        run(args.model or SHIPPED, args.out or SHIPPED)
    else:
        from ..refiner.net import SHIPPED as REFINER
        from .evaluate import evaluate as run
        from .export import SHIPPED

        run(args.data, args.cache, args.teachers, args.model or SHIPPED, args.refiner or REFINER, not args.no_pad_dev)


if __name__ == "__main__":
    main()
