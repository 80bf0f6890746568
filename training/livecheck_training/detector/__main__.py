"""``python -m livecheck_training.detector train|export|rewrite|evaluate``."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..data import add_data_arguments, default_cache


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m livecheck_training.detector", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    work = default_cache() / "work" / "face-detector"

    train_arguments = actions.add_parser("train", help="train, or go on from the last checkpoint")
    add_data_arguments(train_arguments)
    train_arguments.add_argument("--teachers", type=Path, required=True, help="folder with the YuNet files")
    train_arguments.add_argument("--work", type=Path, default=work, help="checkpoints (default: %(default)s)")
    train_arguments.add_argument("--steps", type=int, help="length of the run")
    train_arguments.add_argument("--rate", type=float, help="peak learning rate")
    train_arguments.add_argument("--start", type=Path, help="checkpoint, or exported .onnx, whose weights to start from")
    train_arguments.add_argument("--freeze-stem", action="store_true", default=None, help="leave the first two layers as they are")
    train_arguments.add_argument("--seed", type=int, default=1)

    export_arguments = actions.add_parser("export", help="checkpoint to ONNX")
    export_arguments.add_argument("--work", type=Path, default=work, help="where best.pt lies (default: %(default)s)")
    export_arguments.add_argument("--checkpoint", help="file in --work", default="best.pt")
    export_arguments.add_argument("--shift", type=float, default=0.0, help="added to the score's logit (default: 0)")
    export_arguments.add_argument("--out", type=Path, help="default: crates/engine/models/face-detector.onnx")

    rewrite_arguments = actions.add_parser("rewrite", help="write the weights of an exported file anew, as export writes them today")
    rewrite_arguments.add_argument("--model", type=Path, help="default: the shipped file")
    rewrite_arguments.add_argument("--out", type=Path, help="default: crates/engine/models/face-detector.onnx")

    evaluate_arguments = actions.add_parser("evaluate", help="measure the shipped file, and the refiner after it, on the test split")
    add_data_arguments(evaluate_arguments)
    evaluate_arguments.add_argument("--teachers", type=Path, required=True, help="folder with the YuNet files")
    evaluate_arguments.add_argument("--model", type=Path, help="default: the shipped file")
    evaluate_arguments.add_argument("--refiner", type=Path, help="default: the shipped file")
    evaluate_arguments.add_argument("--no-pad-dev", action="store_true", help="leave out the one-face rate on pad_dev")

    args = parser.parse_args()
    if args.action == "train":
        from .train import TrainSettings, train

        chosen = {k: getattr(args, k) for k in ("steps", "rate", "freeze_stem") if getattr(args, k) is not None}
        train(args.data, args.cache, args.teachers, args.work, args.seed, TrainSettings(**chosen), args.start)
    elif args.action == "export":
        from .export import SHIPPED, export

        export(args.work / args.checkpoint, args.out or SHIPPED, args.shift)
    elif args.action == "rewrite":
        from .export import SHIPPED, rewrite

        rewrite(args.model or SHIPPED, args.out or SHIPPED)
    else:
        from ..refiner.net import SHIPPED as REFINER
        from .evaluate import evaluate
        from .export import SHIPPED

        evaluate(args.data, args.cache, args.teachers, args.model or SHIPPED, args.refiner or REFINER, not args.no_pad_dev)


if __name__ == "__main__":
    main()
