"""The record of a training run, kept beside the model: ``training/runs/<model>.json``.

It holds what is needed to repeat the run and to judge it: command, settings,
seed, hashes of the manifests, the curve and the evaluation.
"""

from __future__ import annotations

import json
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from .data import ImageSet

RUNS = Path(__file__).resolve().parents[1] / "runs"


class RunLog:
    """Collects a run's facts; ``write`` replaces the file as a whole.

    ``state`` is a plain dictionary, so a checkpoint can carry it and a resumed
    run continues the same curve: ``RunLog(..., state=checkpoint["log"])``.
    """

    def __init__(
        self,
        model: str,
        settings: dict[str, Any],
        seed: int,
        sets: list[ImageSet],
        state: dict[str, Any] | None = None,
    ):
        self.model = model
        self.state: dict[str, Any] = state or {
            "model": model,
            "command": command_line(),
            "settings": settings,
            "seed": seed,
            "manifests": {s.name: s.manifest_sha256 for s in sets},
            "software": software(),
            "curve": [],
            "evaluation": {},
        }

    def point(self, **values: float) -> None:
        """Adds one point to the curve, such as ``point(step=500, loss=1.2)``."""
        self.state["curve"].append({k: _short(v) for k, v in values.items()})

    def write(self, path: Path | None = None) -> Path:
        """Writes the record, by default to ``training/runs/<model>.json``."""
        path = path or RUNS / f"{self.model}.json"
        write_json(path, self.state)
        return path


def record_evaluation(model: str, evaluation: dict[str, Any], path: Path | None = None) -> Path:
    """Puts the evaluation of the shipped model into its existing record."""
    path = path or RUNS / f"{model}.json"
    state = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"model": model}
    state["evaluation"] = evaluation
    write_json(path, state)
    return path


def write_json(path: Path, value: Any) -> None:
    """Writes JSON by renaming, so that a reader never sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".tmp")
    scratch.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    scratch.replace(path)


def command_line() -> str:
    """The command without its folders, which mean nothing on another machine."""
    words = ["python -m " + _module()]
    hide = False
    for word in sys.argv[1:]:
        words.append("…" if hide else word)
        hide = word in ("--data", "--cache", "--teachers", "--work", "--out", "--start")
    return " ".join(words)


def software() -> dict[str, str]:
    """Versions that can change a result."""
    packages = ("torch", "numpy", "pillow", "onnxruntime")
    return {"python": platform.python_version()} | {p: metadata.version(p) for p in packages}


def _module() -> str:
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    name = spec.name if spec else "livecheck_training"
    return name.removesuffix(".__main__")


def _short(value: float) -> float | int:
    return round(value, 5) if isinstance(value, float) else value
