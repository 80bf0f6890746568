"""`python -m livecheck_training.benchmark`: one table that judges a candidate by the product itself.

    python -m livecheck_training.benchmark --data DATA --teachers TEACHERS \\
        --binary target/release/livecheck --candidate NAME

The binary judges `webcams` (split `dev`), `pad_dev`, and screens photographed by people who trained nothing
against held-out bona fide faces. Beside it stand the Silent-Face pair on the same images in the boxes that the
product found, shortcut probes, and what disturbances do. All of this is for measuring: nothing here
may choose or fit a model, so each run is logged with a count of looks in `notes/looks.csv`.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .data import ImageSet, add_data_arguments, load_rgb, open_set
from .liveness.scenes import LEFT_OUT, is_held_out
from .rates import apcer_at_bpcer, auc, rate

NOTES = Path(__file__).resolve().parents[1] / "notes"
LOOKS = NOTES / "looks.csv"
LOOK_COLUMNS = ("date", "candidate", "set", "look", "figures")

THRESHOLD = 0.9
BPCER = (0.05, 0.1)
BINS = 10

LEAST_CONTEXT = 1.5
"""Faces in photos of 320 pixels count from this share of the picture's shorter side to the mean face side."""

SMALL = ("--min-image-side", "200", "--min-face-side", "40")
"""Limits for sets whose photos are smaller than the product takes by default."""

SMALLEST = ("--min-image-side", "100", "--min-face-side", "28")
"""For photos of 320 pixels on the long side and the faces that are known in them."""

HALVED = ("--min-image-side", "100", "--min-face-side", "20")
"""So that the smallest photos still get a verdict at half of their size."""

SCREENS = "photographed screens"

DISTURBED = 40
"""Photos of each class and set that the table of disturbances takes."""

BORDER, LIGHT, NOISE = r"frame of|box \(bars", r"^\d+ K$|^green|^red|^grey-world|^autocontrast|^gamma", r"noise \(sigma [35]\)"
"""Rows of the table, by their names."""

AFTER_LIGHT = r" K$|green|red ×|grey-world|autocontrast|saturation|gamma"


@dataclass(frozen=True)
class Photo:
    """A photo of an evaluation set; `label` is live, print or screen."""

    path: Path
    label: str
    source: str


@dataclass(frozen=True)
class Answer:
    """What the product says of a photo: a score and what goes with it, or an error code."""

    code: str = ""
    score: float = float("nan")
    box: tuple[float, float, float, float] | None = None
    brightness: float = 0.0
    turned: bool = False
    short: int = 0
    """The photo's shorter side, pixels."""

    @property
    def in_view(self) -> bool:
        """Whether the photo shows some of what is around the face, or got no verdict."""
        if self.box is None:
            return True
        x0, y0, x1, y1 = self.box
        return self.short >= LEAST_CONTEXT * ((x1 - x0) + (y1 - y0)) / 2

    @classmethod
    def of(cls, line: dict[str, Any]) -> Answer:
        """Of a line of `livecheck check --json --details`."""
        if not line["success"]:
            return cls(code=line["error_code"])
        result = line["result"]
        details = result["details"]
        face = details["face"]["bbox"]
        return cls(
            score=result["score"],
            box=(face["x0"], face["y0"], face["x1"], face["y1"]),
            brightness=details["quality"]["brightness"],
            turned=bool(details["image"].get("rotated")),
            short=min(details["image"]["width"], details["image"]["height"]),
        )


def webcam_photos(images: ImageSet) -> list[Photo]:
    """The sources that are measured on only."""
    return [_photo(images.path(r["image"]), r) for r in images.rows if r["split"] == "dev"]


def gathered_photos(folder: Path) -> list[Photo]:
    """More frames of the same sources, from a folder with `webcams.csv`."""
    with open(folder / "webcams.csv", newline="", encoding="utf-8") as file:
        return [_photo(folder / r["image"], r) for r in csv.DictReader(file) if r["split"] == "dev"]


def pad_photos(images: ImageSet) -> list[Photo]:
    """All of `pad_dev`."""
    return [_photo(images.path(r["image"]), r) for r in images.rows]


def screen_photos(whole: ImageSet, faces: ImageSet) -> list[Photo]:
    """Faces on screens by the photographers left out, and bona fide faces that never train."""
    photos = [
        Photo(whole.path(r["image"]), "screen", "photographed")
        for r in whole.rows
        if r["class"] == "replay" and r["source"] in LEFT_OUT and r["face_x"]
    ]
    photos += [
        Photo(whole.path(r["image"]), "live", "photographed")
        for r in whole.rows
        if r["class"] == "real" and r["face_x"] and is_held_out(r["source"], r["image"])
    ]
    covered = {r["image"] for r in faces.rows if r["label"] in ("with_mask", "incorrect", "none")}
    bare = {r["image"]: r["source"] for r in faces.rows if r["split"] == "train" and r["image"] not in covered}
    photos += [Photo(faces.path(i), "live", "photographed") for i, source in bare.items() if is_held_out(source, i)]
    return photos


def _photo(path: Path, row: dict[str, str]) -> Photo:
    return Photo(path, {"replay": "screen"}.get(row["class"], row["class"]), row["source"])


def judge(binary: Path, photos: list[Photo], limits: Iterable[str] = ()) -> list[Answer]:
    """The product's answer to each photo, in their order."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.jsonl"
        files = [str(photo.path) for photo in photos]
        command = [str(binary), "check", *files, "--format", "json", "--details", "--output", str(results), *limits]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        # 1: some photo got no verdict.
        if done.returncode not in (0, 1):
            raise SystemExit(f"{binary} check: {done.stderr.strip()}")
        lines = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
    answers = {line["file"]: Answer.of(line) for line in lines}
    return [answers[str(photo.path)] for photo in photos]


def disturb(binary: Path, photos: list[Photo], limit: int, limits: Iterable[str] = ()) -> dict[str, Any]:
    """The `stability` of the report of `livecheck evaluate --stability`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for at, photo in enumerate(photos):
            (folder / f"{at}{photo.path.suffix}").symlink_to(photo.path.resolve())
        with open(folder / "set.csv", "w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(("image", "label", "source"))
            rows.writerows((f"{at}{p.path.suffix}", p.label, p.source) for at, p in enumerate(photos))
        command = [str(binary), "evaluate", str(folder / "set.csv"), "--output", str(folder / "report"), "--resamples", "0"]
        command += ["--stability", "--stability-limit", str(limit), *limits]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{binary} evaluate: {done.stderr.strip()}")
        return json.loads((folder / "report/report.json").read_text(encoding="utf-8"))["stability"]


def share(errors: int, count: int) -> dict[str, Any] | None:
    """A rate with its interval, or nothing of nothing."""
    return rate(errors, count) if count else None


def figures(score: np.ndarray, label: np.ndarray) -> dict[str, Any]:
    """AUC, APCER at fixed BPCER, and the errors at `THRESHOLD`, for photos that have a score."""
    live, attack = score[label == "live"], score[label != "live"]
    out: dict[str, Any] = {"live": len(live), "attacks": len(attack)}
    out["live refused"] = share(int((live < THRESHOLD).sum()), len(live))
    out["attacks passed"] = share(int((attack >= THRESHOLD).sum()), len(attack))
    for kind in sorted(set(label) - {"live"}):
        scores = score[label == kind]
        out[f"{kind} passed"] = share(int((scores >= THRESHOLD).sum()), len(scores))
        out[f"AUC {kind}"] = _auc(live, scores)
    out["AUC"] = _auc(live, attack)
    if len(live) and len(attack):
        for bpcer in BPCER:
            out[f"APCER at BPCER {bpcer:.0%}"] = round(apcer_at_bpcer(live, attack, bpcer), 4)
        out["reliability error"] = round(reliability(score, label == "live"), 4)
    return out


def _auc(live: np.ndarray, attack: np.ndarray) -> float | None:
    return round(auc(live, attack), 4) if len(live) and len(attack) else None


def reliability(score: np.ndarray, live: np.ndarray) -> float:
    """Mean distance of score and share of live people over `BINS` bins, live people and attacks weighing the same."""
    weight = np.where(live, 0.5 / live.sum(), 0.5 / (~live).sum())
    which = np.minimum((score * BINS).astype(int), BINS - 1)
    return float(sum(abs((weight * (score - live))[which == b].sum()) for b in range(BINS)))


def by_source(score: np.ndarray, label: np.ndarray, source: np.ndarray) -> dict[str, Any]:
    """Figures of each source and pooled, and the mean of the sources' AUC."""
    sources = {name: figures(score[source == name], label[source == name]) for name in sorted(set(source))}
    known = [one["AUC"] for one in sources.values() if one["AUC"] is not None]
    return {"pooled": figures(score, label), "mean AUC": round(float(np.mean(known)), 4) if known else None, "sources": sources}


def folded(value: np.ndarray, label: np.ndarray) -> float | None:
    """AUC of one number, whichever way it points."""
    found = _auc(value[label == "live"], value[label != "live"])
    return None if found is None else max(found, round(1 - found, 4))


def probes(photos: Sequence[Photo], answers: Sequence[Answer], label: np.ndarray, source: np.ndarray) -> dict[str, Any]:
    """How far one plain number alone tells live people from attacks: pooled, and the mean of the sources."""
    colour = np.array([colours(load_rgb(photo.path)) for photo in photos])
    values = {
        "face size": np.array([a.box[2] - a.box[0] for a in answers if a.box]),
        "brightness": np.array([a.brightness for a in answers]),
        "colour: red to blue": colour[:, 0],
        "colour: saturation": colour[:, 1],
        "file size": np.array([photo.path.stat().st_size for photo in photos], float),
    }
    out = {}
    for name, value in values.items():
        within = [folded(value[source == s], label[source == s]) for s in sorted(set(source))]
        known = [one for one in within if one is not None]
        out[name] = {"pooled": folded(value, label), "mean of sources": round(float(np.mean(known)), 4) if known else None}
    return out


def colours(image: np.ndarray) -> tuple[float, float]:
    """Mean red over mean blue, and mean distance of the strongest channel from the weakest."""
    red, _, blue = image.reshape(-1, 3).mean(0) + 1
    return float(red / blue), float(np.ptp(image, axis=2).mean())


def measure(
    photos: Sequence[Photo], answers: Sequence[Answer], pair: Callable[[np.ndarray, np.ndarray], float] | None
) -> dict[str, Any]:
    """Everything about one set but the disturbances; `pair` gives P(live) of an image and a box."""
    refused: dict[str, Counter[str]] = {}
    for photo, answer in zip(photos, answers):
        refused.setdefault(photo.label, Counter()).update([answer.code] if answer.code else [])
    judged = [(p, a) for p, a in zip(photos, answers) if not a.code]
    kept = [p for p, _ in judged]
    given = [a for _, a in judged]
    label = np.array([p.label for p in kept])
    source = np.array([p.source for p in kept])
    out: dict[str, Any] = {
        "photos": dict(Counter(p.label for p in photos)),
        "without a verdict": {kind: dict(sorted(codes.items())) for kind, codes in refused.items()},
        "Livecheck": by_source(np.array([a.score for a in given]), label, source),
        "probes": probes(kept, given, label, source),
    }
    if pair is not None:
        # A face found in a turned photo has its box there.
        same = np.array([not a.turned for a in given])
        theirs = np.array([pair(load_rgb(p.path), np.array(a.box)) for p, a in judged if not a.turned])
        out["Silent-Face pair"] = by_source(theirs, label[same], source[same])
    return out


def worst_row(stability: dict[str, Any], what: Callable[[dict[str, Any]], dict[str, Any] | None], names: str = "") -> dict[str, Any] | None:
    """The row, of those whose name fits, with the highest rate."""
    rows = [(row["name"], what(row)) for row in stability["disturbances"] if re.search(names, row["name"])]
    counted = [(name, found) for name, found in rows if found and found["of"]]
    if not counted:
        return None
    name, found = max(counted, key=lambda row: row[1]["rate"])
    return {"row": name, "errors": found["errors"], "of": found["of"], "rate": round(found["rate"], 4)}


def summary_of(stability: dict[str, Any]) -> dict[str, Any]:
    """The rows with counts, and the worst of those that have a goal."""

    def counts(row: dict[str, Any]) -> dict[str, str]:
        shown = {"turned": row["turned"], "live called attacks": row["live"]["wrong"], "live without a verdict": row["live"]["no_verdict"]}
        shown |= {f"{kind} passed": one["wrong"] for kind, one in row["attacks"].items()}
        return {name: f"{found['errors']}/{found['of']}" for name, found in shown.items()}

    def live(row: dict[str, Any]) -> dict[str, Any]:
        return row["live"]["wrong"]

    def passed(kind: str, row: dict[str, Any]) -> dict[str, Any] | None:
        return row["attacks"].get(kind, {}).get("wrong")

    worst = {
        "live called attacks, any border": worst_row(stability, live, BORDER),
        "live called attacks, any light or balance": worst_row(stability, live, LIGHT),
        "live called attacks, noise up to 5": worst_row(stability, live, NOISE),
        "live called attacks, grey": worst_row(stability, live, r"^saturation 0$"),
        "live called attacks, any row": worst_row(stability, live),
    }
    for kind in stability["undisturbed"]["attacks"]:
        for where, names in (("any light", AFTER_LIGHT), ("any row", "")):
            worst[f"{kind} passed, {where}"] = worst_row(stability, partial(passed, kind), names)
    rows = [stability["undisturbed"], *stability["disturbances"]]
    return {"worst": worst, "rows": {row["name"]: counts(row) for row in rows}}


def log_look(looks: Path, candidate: str, name: str, headline: str, day: str) -> int:
    """Adds a line to the log and returns which look at the set it was."""
    rows = []
    if looks.exists():
        with open(looks, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    look = 1 + max((int(row["look"]) for row in rows if row["set"] == name), default=0)
    looks.parent.mkdir(parents=True, exist_ok=True)
    with open(looks, "a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        if not rows:
            writer.writerow(LOOK_COLUMNS)
        writer.writerow((day, candidate, name, look, headline))
    return look


def headline(result: dict[str, Any]) -> str:
    """The figures of the log: AUC and errors at the threshold."""
    ours = result["Livecheck"]
    pooled = ours["pooled"]
    return f"AUC {_number(ours['mean AUC'])}/{_number(pooled['AUC'])}; live refused {_counts(pooled['live refused'])}; attacks passed {_counts(pooled['attacks passed'])}"


def table(candidate: str, results: dict[str, Any], disturbed: dict[str, Any]) -> str:
    """Everything as plain text."""
    lines = [f"{candidate}: errors at {THRESHOLD:.2f}, by the product; the pair in the product's boxes"]
    columns = "{:34}{:>13}{:>8}{:>17}{:>17}{:>9}{:>9}{:>8}"
    head = columns.format("", "live/attacks", "AUC", "live refused", "attacks passed", "BPCER5", "BPCER10", "reliab.")
    for name, result in results.items():
        lines += ["", f"{name} (look {result['look']}): photos {result['photos']}, without a verdict {result['without a verdict']}", head]
        for system in ("Livecheck", "Silent-Face pair"):
            if system not in result:
                continue
            measured = result[system]
            groups = [*measured["sources"].items(), ("pooled", measured["pooled"])]
            for group, one in groups if len(measured["sources"]) > 1 else groups[-1:]:
                lines.append(columns.format(
                    f"  {system}, {group}", f"{one['live']}/{one['attacks']}", _number(one["AUC"]), _counts(one["live refused"]),
                    _counts(one["attacks passed"]), *(_number(one.get(f"APCER at BPCER {b:.0%}")) for b in BPCER), _number(one.get("reliability error")),
                ))
                kinds = [key for key in one if key.startswith("AUC ")]
                if len(kinds) > 1:
                    lines.append("    " + ", ".join(f"{key} {_number(one[key])}, passed {_counts(one[f'{key[4:]} passed'])}" for key in kinds))
            lines.append(f"  {system}, mean of sources: AUC {_number(measured['mean AUC'])}")
        alone = ", ".join(f"{cue} {_number(one['pooled'])}/{_number(one['mean of sources'])}" for cue, one in result["probes"].items())
        lines.append(f"  one number alone, AUC pooled/mean of sources: {alone}")
    for name, one in disturbed.items():
        lines += ["", f"{name}, disturbed"]
        lines += [f"  worst, {what}: {_worst(found)}" for what, found in one["worst"].items()]
        kinds = list(next(iter(one["rows"].values())))
        lines.append(("  {:44}" + "{:>24}" * len(kinds)).format("", *kinds))
        lines += [("  {:44}" + "{:>24}" * len(kinds)).format(row, *(counts.get(kind, "-") for kind in kinds)) for row, counts in one["rows"].items()]
    return "\n".join(lines) + "\n"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _counts(one: dict[str, Any] | None) -> str:
    return "-" if one is None else f"{one['errors']}/{one['of']} {one['rate']:.1%}"


def _worst(found: dict[str, Any] | None) -> str:
    return "-" if found is None else f"{found['errors']}/{found['of']} {found['rate']:.1%} ({found['row']})"


def main() -> None:
    # The pair needs ONNX Runtime, which everything else does not.
    from .teachers import SilentFacePair

    parser = argparse.ArgumentParser(
        prog="python -m livecheck_training.benchmark", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_data_arguments(parser)
    parser.add_argument("--teachers", type=Path, required=True, help="folder of the teachers' ONNX files")
    parser.add_argument("--binary", type=Path, required=True, help="the product, an optimised build")
    parser.add_argument("--candidate", required=True, help="name of what is measured, for the log")
    parser.add_argument("--webcams", type=Path, help="folder of more frames of the webcam sources, with webcams.csv")
    parser.add_argument("--disturbed", type=int, default=DISTURBED, help="photos of each class and set that are disturbed; 0: none (default: %(default)s)")
    parser.add_argument("--output", type=Path, help="the JSON file (default: benchmark-CANDIDATE.json in training/notes)")
    parser.add_argument("--looks", type=Path, default=LOOKS, help="the log (default: %(default)s)")
    arguments = parser.parse_args()
    sets = {name: open_set(name, arguments.data, arguments.cache) for name in ("webcams", "pad_dev", "recapture_whole", "faces")}
    pad = pad_photos(sets["pad_dev"])
    wanted: dict[str, tuple[list[Photo], tuple[str, ...]]] = {
        "webcams dev": (webcam_photos(sets["webcams"]), SMALL),
        "pad_dev": (pad, SMALL),
        SCREENS: (screen_photos(sets["recapture_whole"], sets["faces"]), SMALLEST),
    }
    if arguments.webcams:
        wanted["webcams dev, more frames"] = (gathered_photos(arguments.webcams), SMALL)
    pair = SilentFacePair(arguments.teachers)
    day = date.today().isoformat()
    results, disturbed = {}, {}
    for name, (photos, limits) in wanted.items():
        answers = judge(arguments.binary, photos, limits)
        if name == SCREENS:
            # Pictures of little but a face are not what a camera sends.
            photos, answers = map(list, zip(*((p, a) for p, a in zip(photos, answers) if a.in_view)))
        results[name] = measure(photos, answers, pair.live)
        results[name]["look"] = log_look(arguments.looks, arguments.candidate, name, headline(results[name]), day)
    if arguments.disturbed:
        groups = {"webcams dev": wanted["webcams dev"][0]}
        groups |= {name: [p for p in pad if p.source == name] for name in sorted({p.source for p in pad})}
        for name, photos in groups.items():
            disturbed[name] = summary_of(disturb(arguments.binary, photos, arguments.disturbed, HALVED))
    shown = table(arguments.candidate, results, disturbed)
    print(shown, end="")
    slug = re.sub(r"[^a-z0-9]+", "-", arguments.candidate.lower()).strip("-")
    output = arguments.output or NOTES / f"benchmark-{slug}.json"
    output.parent.mkdir(parents=True, exist_ok=True)
    record = {"date": day, "candidate": arguments.candidate, "sets": results, "disturbed": disturbed}
    output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
