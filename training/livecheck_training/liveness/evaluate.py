"""The exported nets and the Silent-Face pair on `pad_dev`, which trains, selects and fits nothing.

Every image counts: the best face of YuNet (640) is taken whatever its score.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from .. import crops, degrade
from ..data import ImageSet, load_rgb
from ..rates import apcer_at_bpcer, auc, rate
from ..teachers import FeatureTeacher, SilentFacePair, YuNet
from .calibrate import Fusion, Scorer, margins_of
from .grain import FACTOR, SIZE

THRESHOLDS = (0.5, 0.9, 0.95)
WEAKEST_FACE = 0.05


def evaluate(models: Path, pad: ImageSet, teachers: Path, cache: Path) -> dict[str, Any]:
    """Figures by set and attack type, for our score and the pair's mean P(live), and stability."""
    fusion, scorer = Fusion.read(models), Scorer(models)
    peer = peer_scores(pad, teachers, cache)
    scores, theirs, rows = [], [], []
    logits = []
    turned: dict[str, int] = {name: 0 for name in DISTURBANCES}

    for row in pad.rows:
        if row["image"] not in peer:
            continue
        box, pair = peer[row["image"]]
        frame = load_rgb(pad.path(row["image"]))
        out = scorer.logits(frame, box)
        ours = scorer.score(frame, box, fusion, out)
        for name, disturb in DISTURBANCES.items():
            other_frame, other_box = disturb(frame, box)
            turned[name] += (scorer.score(other_frame, other_box, fusion) >= 0.9) != (ours >= 0.9)
        rows.append(row)
        scores.append(ours)
        theirs.append(pair)
        logits.append(out)
    scores, theirs, logits = np.array(scores), np.array(theirs), np.array(logits)
    source = np.array([r["source"] for r in rows])
    live = np.array([r["class"] == "live" for r in rows])
    kind = np.array(["live" if r["class"] == "live" else attack_type(r) for r in rows])
    report: dict[str, Any] = {"images": len(rows), "without any face": len(pad.rows) - len(rows)}
    for name in sorted(set(source)):
        here = source == name
        report[name] = {
            "ours": figures(scores[here], live[here], kind[here]),
            "context net alone": figures(margins_of(logits[here, 0]), live[here], kind[here], ()),
            "grain net alone": figures(margins_of(logits[here, 1]), live[here], kind[here], ()),
            "Silent-Face pair": figures(theirs[here], live[here], kind[here]),
        }
        attack = here & ~live
        odds = np.exp(logits - logits.max(2, keepdims=True))
        odds = (odds / odds.sum(2, keepdims=True)).mean(1)
        said = np.where(odds[:, 1] >= odds[:, 2], "print", "screen")
        report[name]["attack type told wrong"] = {
            t: rate((said != t)[attack & (kind == t)].sum(), (attack & (kind == t)).sum()) for t in sorted(set(kind[attack]))
        }
    report["verdict at 0.90 turned by"] = {name: rate(count, len(rows)) for name, count in turned.items()}
    return report


def teacher_views(pad: ImageSet, teachers: Path, cache: Path) -> dict[str, dict[str, float]]:
    """What the grain net's teacher makes of `pad_dev` when its crop is reduced in other ways."""
    teacher, peer = FeatureTeacher(teachers), peer_scores(pad, teachers, cache)
    rows = [r for r in pad.rows if r["image"] in peer]
    frames = [load_rgb(pad.path(r["image"])) for r in rows]
    boxes = [np.array(peer[r["image"]][0]) for r in rows]
    replay = np.array([r["source"] == "replay-attack" for r in rows])
    kind = np.array(["live" if r["class"] == "live" else attack_type(r) for r in rows])

    def sampled(frame: np.ndarray, box: np.ndarray) -> np.ndarray:
        return crops.sampled_crop(frame, tuple(box), FACTOR, SIZE)

    def moved(seed: int):
        rng = np.random.default_rng(seed)
        return lambda frame, box: sampled(frame, _grown(_shifted(box, *rng.uniform(-0.06, 0.06, 2)), np.exp(rng.uniform(-0.08, 0.08))))

    views = {
        "sampled": sampled,
        "sampled, mirrored": lambda frame, box: sampled(*_mirrored(frame, box)),
        "averaged": lambda frame, box: crops.square_crop(frame, tuple(box), FACTOR, SIZE),
    } | {f"sampled, box moved, draw {seed}": moved(seed) for seed in range(6)}
    out = {}
    for name, view in views.items():
        crop = np.stack([view(frame, box) for frame, box in zip(frames, boxes)])
        margin = margins_of(np.concatenate([teacher.run(part)[2] for part in np.array_split(crop, 40)]).astype(np.float64))
        live = margin[replay & (kind == "live")]
        out[name] = {
            "AUC print": auc(live, margin[replay & (kind == "print")]),
            "AUC screen": auc(live, margin[replay & (kind == "screen")]),
            "AUC NUAA": auc(margin[~replay & (kind == "live")], margin[~replay & (kind != "live")]),
            "APCER at BPCER 10%": apcer_at_bpcer(live, margin[replay & (kind != "live")], 0.1),
        }
    return out


def attack_type(row: dict[str, str]) -> str:
    """"print" or "screen"."""
    return "print" if row["class"] == "print" else "screen"


def figures(
    score: np.ndarray, live: np.ndarray, kind: np.ndarray, thresholds: tuple[float, ...] = THRESHOLDS
) -> dict[str, Any]:
    """AUC by attack type, APCER at fixed BPCER, errors at fixed thresholds."""
    out: dict[str, Any] = {"AUC": round(auc(score[live], score[~live]), 4)}
    types = sorted(set(kind) - {"live"})
    for t in types:
        out[f"AUC {t}"] = round(auc(score[live], score[kind == t]), 4)
    for bpcer in (0.01, 0.05, 0.1):
        out[f"APCER at BPCER {bpcer:.0%}"] = round(apcer_at_bpcer(score[live], score[~live], bpcer), 4)
    for t in thresholds:
        out[f"at {t}"] = {"BPCER": rate((score[live] < t).sum(), live.sum())} | {
            f"APCER {k}": rate((score[kind == k] >= t).sum(), (kind == k).sum()) for k in types
        }
    return out


def peer_scores(pad: ImageSet, teachers: Path, cache: Path) -> dict[str, tuple[list[float], float]]:
    """Image to YuNet's best box and the pair's mean P(live); cached, as neither ever changes."""
    stored = cache / f"pad-dev-peer-{pad.manifest_sha256[:8]}.json"
    if stored.exists():
        return json.loads(stored.read_text())
    yunet, pair = YuNet(teachers, 640), SilentFacePair(teachers)
    out = {}
    for row in pad.rows:
        frame = load_rgb(pad.path(row["image"]))
        faces = yunet.detect(frame, WEAKEST_FACE)
        if len(faces):
            box = faces.boxes[int(np.argmax(faces.scores))].astype(float)
            out[row["image"]] = (box.tolist(), pair.live(frame, box))
    stored.write_text(json.dumps(out))
    return out


def _boxed(change):
    return lambda frame, box: (frame, change(np.asarray(box, float)))


def _grown(box: np.ndarray, factor: float) -> np.ndarray:
    middle, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
    return np.concatenate([middle - half * factor, middle + half * factor])


def _shifted(box: np.ndarray, x: float, y: float) -> np.ndarray:
    return box + np.tile((box[2:] - box[:2]) * (x, y), 2)


def _smaller(frame: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    height, width = frame.shape[:2]
    rng = np.random.default_rng(0)
    size = (round(width * 0.75), round(height * 0.75))
    return degrade.rescale(frame, size, rng), np.asarray(box) * np.tile((size[0] / width, size[1] / height), 2)


def _mirrored(frame: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    width = frame.shape[1]
    return np.ascontiguousarray(frame[:, ::-1]), np.array([width - box[2], box[1], width - box[0], box[3]])


DISTURBANCES = {
    "box 10 % to the right": _boxed(lambda box: _shifted(box, 0.1, 0)),
    "box 10 % to the left": _boxed(lambda box: _shifted(box, -0.1, 0)),
    "box 10 % down": _boxed(lambda box: _shifted(box, 0, 0.1)),
    "box 15 % larger": _boxed(lambda box: _grown(box, 1.15)),
    "box 15 % smaller": _boxed(lambda box: _grown(box, 0.85)),
    "JPEG 75": lambda frame, box: (degrade.jpeg(frame, 75), box),
    "75 % of the size": _smaller,
    "mirrored": _mirrored,
}
