"""`python -m livecheck_training.findings`: chooses the limits of the findings, and measures them.

    python -m livecheck_training.findings --data DATA --binary target/debug/livecheck

Portraits of live people from the training sets are judged by the product with limits that everything is beyond,
which gives every measure. The portraits choose the limits: no more than `FALSE_TO_CHOOSE` of them may have a false finding.
What a person saw at once in a portrait, such as a face in the dark, is no false finding: `seen.csv` lists it.
Some of them get the ten faults of `faults.py`: every second one pushes the limits away from the portraits
as far as its faults are still named, the others say how many are. `pad_dev` and the `dev` part of `webcams` say how
many of the live people refused are told why; they choose nothing.

Writes `crates/engine/src/findings/limits.rs`, the same limits in `web/findings.js`, `notes/findings.json` and the table of
`docs/evidence/FINDINGS.md`; build the program anew after it. With `--keep-limits` it only measures.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import re
import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..benchmark import pad_photos, webcam_photos
from ..data import ImageSet, add_data_arguments, load_rgb, open_set
from .faults import FAULTS, Box

ROOT = Path(__file__).resolve().parents[3]
LIMITS = ROOT / "crates/engine/src/findings/limits.rs"
CAPTURE = ROOT / "web/findings.js"
NOTES = ROOT / "training/notes/findings.json"
PAGE = ROOT / "docs/evidence/FINDINGS.md"
SEEN = Path(__file__).with_name("seen.csv")
"""Portraits, by the beginning of their file's SHA-256, with faults that a person saw in them."""

MARK = "<!-- From here on: python -m livecheck_training.findings -->\n"

FALSE_TO_CHOOSE = 0.019
"""Most of the portraits that may have a false finding, all checks together, of those that choose: of others, no more
than 2 % shall."""

STEPS = 4
"""Portraits by which a limit may give way at once."""

NAMED = 0.95
"""Least of the faulty portraits whose fault must be named."""

NAMED_TO_CHOOSE = 1.0
"""As `NAMED`, of those that choose."""

BELOW = ("face_small", "blur", "dark", "low_contrast", "upscaled", "greyscale")
"""Checks whose small values are findings."""

FIXED = {"face_small": 110.0, "greyscale": 0.02, "border": 0.0, "rotated": 0.0, "second_face": 0.5}
"""Limits that follow from what is judged: a face a little wider than the least, hardly any colour (portraits without
it are among those that choose, and rightly found), any border, any turn, and a second face that is nearly counted."""

MEASURED = (
    "face_cut_off", "face_too_close", "pose_yaw", "pose_pitch", "pose_roll", "blur", "dark", "bright", "backlight",
    "glare", "low_contrast", "strong_compression", "upscaled",
)  # fmt: skip

ORDER = (
    "face_cut_off", "face_too_close", "face_small", "pose_yaw", "pose_pitch", "pose_roll", "blur", "dark", "bright",
    "backlight", "glare", "low_contrast", "strong_compression", "upscaled", "greyscale", "border", "rotated", "second_face",
)  # fmt: skip

MOST = {"face_small": 10_000, "blur": 100, "dark": 1, "low_contrast": 1, "upscaled": 1000, "greyscale": 1}

EVERYTHING = [word for check in ORDER for word in (f"--finding-{check.replace('_', '-')}", str(MOST.get(check, 0)))]
"""Limits that every value is beyond, so that all are told."""

SMALL = ["--min-image-side", "100"]
"""Cutting a portrait makes it small, which is not what is measured."""


@dataclass(frozen=True)
class Answer:
    """What the product says of a photo."""

    live: bool
    code: str
    values: dict[str, float]
    box: Box | None


def ask(binary: Path, files: list[Path], flags: list[str]) -> list[Answer]:
    """Judges files, in their order."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.jsonl"
        names = [str(file) for file in files]
        command = [str(binary), "check", *names, "--format", "json", "--details", "--output", str(results), *flags]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode not in (0, 1):
            raise SystemExit(f"{binary} check: {done.stderr.strip()}")
        lines = {}
        for line in results.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            lines[row["file"]] = row
    return [_answer(lines[name]) for name in names]


def _answer(line: dict[str, Any]) -> Answer:
    details = line["result"]["details"] if line["success"] else line
    values = {finding["check"]: finding["value"] for finding in details.get("findings") or []}
    if not line["success"]:
        return Answer(False, line["error_code"], values, None)
    box = details["face"]["bbox"]
    return Answer(line["result"]["liveness"], "", values, (box["x0"], box["y0"], box["x1"], box["y1"]))


def portraits(faces: ImageSet, webcams: ImageSet) -> list[Path]:
    """Live people of the training sets: one whole face that a person or the teacher is sure of."""
    rows: dict[str, list[dict[str, str]]] = {}
    for row in faces.rows:
        rows.setdefault(row["image"], []).append(row)
    alone = [r[0] for r in rows.values() if len(r) == 1 and r[0]["split"] == "train"]
    chosen = [
        faces.path(r["image"])
        for r in alone
        if r["label"] in ("", "without_mask")
        and min(int(r["width"]), int(r["height"])) >= 320
        and float(r["w"] or 0) >= 96
        and float(r["teacher_score"] or 0) >= 0.85
    ]
    return chosen + [webcams.path(r["image"]) for r in webcams.rows if r["split"] == "train" and r["class"] == "live"]


def without_seen(file: Path, answer: Answer, seen: dict[str, set[str]]) -> Answer:
    """The answer without the values of faults that the portrait has."""
    true = seen.get(hashlib.sha256(file.read_bytes()).hexdigest()[:16], set())
    return replace(answer, values={check: value for check, value in answer.values.items() if check not in true})


def seen_faults() -> dict[str, set[str]]:
    """`SEEN` by portrait."""
    out: dict[str, set[str]] = {}
    with SEEN.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            out.setdefault(row["portrait"], set()).add(row["check"])
    return out


def beyond(check: str, value: float | None, limit: float) -> bool:
    """Whether a value is a finding; one that was not told is none."""
    if value is None:
        return False
    return value < limit if check in BELOW else value > limit


def choose(answers: list[Answer], faulty_values: dict[str, list[float | None]]) -> dict[str, float]:
    """Limits with which no more than `FALSE_TO_CHOOSE` of these portraits have a false finding. They begin at the
    worst portrait of each check; then the limit gives way whose next steps name the most faults for each further
    portrait, while the share allows. What already names `NAMED_TO_CHOOSE` of its faults moves half way towards them."""
    outermost = {check: sorted(_told(answers, check), reverse=check not in BELOW) for check in MEASURED}
    place = dict.fromkeys(MEASURED, 0)

    def edge(check: str, at: int) -> float:
        values = outermost[check]
        return values[min(at, len(values) - 1)] if values else 0.0

    def hits(check: str, at: int) -> float:
        faults = faulty_values.get(check, [])
        found = sum(beyond(check, value, edge(check, at)) for value in faults)
        return min(found, NAMED_TO_CHOOSE * len(faults))

    def flagged(places: dict[str, int]) -> int:
        return sum(any(beyond(c, a.values.get(c), edge(c, at)) for c, at in places.items()) for a in answers)

    allowed = FALSE_TO_CHOOSE * len(answers)
    while True:
        now, best, gain = flagged(place), None, 0.0
        for check in MEASURED:
            for steps in range(1, STEPS + 1):
                moved = {**place, check: place[check] + steps}
                false, more = flagged(moved), hits(check, moved[check]) - hits(check, place[check])
                if false <= allowed and more / (false - now + 0.1) > gain:
                    best, gain = moved, more / (false - now + 0.1)
        if best is None:
            break
        place = best
    limits = dict(FIXED)
    for check in MEASURED:
        below, faults = check in BELOW, faulty_values.get(check, [])
        limit = edge(check, place[check])
        told = sorted((v for v in faults if v is not None), reverse=below)
        last = len(told) - int(NAMED_TO_CHOOSE * len(faults))
        if told and 0 <= last < len(told) and beyond(check, told[last], limit):
            limit = (limit + told[last]) / 2
        limits[check] = _round(limit, below)
    return {check: limits[check] for check in ORDER}


def _told(answers: list[Answer], check: str) -> list[float]:
    return [answer.values[check] for answer in answers if check in answer.values]


def _round(value: float, below: bool) -> float:
    """To three significant digits, away from the portraits."""
    if value == 0:
        return 0.0
    unit = 10.0 ** (np.floor(np.log10(abs(value))) - 2)
    steps = np.floor(value / unit) if below else np.ceil(value / unit)
    return float(f"{steps * unit:.4g}")


def false_findings(answers: list[Answer], limits: dict[str, float]) -> dict[str, Any]:
    """How many portraits have a finding of a measured check, and by check."""
    by = {c: sum(beyond(c, a.values.get(c), limits[c]) for a in answers) for c in MEASURED}
    some = sum(any(beyond(c, a.values.get(c), limits[c]) for c in MEASURED) for a in answers)
    return {"portraits": len(answers), "with a false finding": some, "by check": by}


def faulty(binary: Path, photos: list[tuple[Path, Answer]]) -> list[dict[str, Any]]:
    """For each fault and strength the answers, and which strength counts."""
    base = sum(not answer.live for _, answer in photos)
    rows = []
    for fault in FAULTS:
        steps: list[list[Answer]] = []
        for strength in fault.strengths:
            with tempfile.TemporaryDirectory() as folder:
                files = []
                for at, (path, answer) in enumerate(photos):
                    assert answer.box is not None
                    chance = np.random.default_rng([at, FAULTS.index(fault)])
                    picture = fault.apply(load_rgb(path), answer.box, strength, chance)
                    files.append(Path(folder) / f"{at:04}.jpg")
                    Image.fromarray(picture).save(files[-1], quality=95, subsampling=0)
                steps.append(ask(binary, files, EVERYTHING + SMALL))
        refused = [sum(not a.live for a in step) for step in steps]
        counts = next((at for at, r in enumerate(refused) if r >= 2 * max(base, 1)), None)
        rows.append({"fault": fault, "steps": steps, "refused": refused, "base": base,
                     "counts": len(steps) - 1 if counts is None else counts, "doubled": counts is not None})  # fmt: skip
        print(f"{fault.check}: refused {refused} of {len(photos)}, untouched {base}", flush=True)
    return rows


def named(rows: list[dict[str, Any]], limits: dict[str, float]) -> list[dict[str, Any]]:
    """How many of the faulty portraits that chose nothing have their fault named."""
    out = []
    for row in rows:
        fault = row["fault"]
        hits = [sum(beyond(fault.check, a.values.get(fault.check), limits[fault.check]) for a in step[1::2]) for step in row["steps"]]
        steps = [{"strength": s, "refused": r, "named": h} for s, r, h in zip(fault.strengths, row["refused"], hits, strict=True)]
        out.append({"check": fault.check, "meaning": fault.meaning, "portraits": len(row["steps"][0]),
                    "of": len(row["steps"][0][1::2]), "base": row["base"], "steps": steps,
                    "counts": steps[row["counts"]], "doubled": row["doubled"]})  # fmt: skip
    return out


def explained(binary: Path, files: list[Path], limits: dict[str, float], flags: list[str]) -> dict[str, Any]:
    """Of the live people refused, those with a finding."""
    refused = [a for a in ask(binary, files, EVERYTHING + flags) if not a.live]
    told = [a for a in refused if any(beyond(c, a.values.get(c), limits[c]) for c in ORDER)]
    codes: dict[str, list[int]] = {}
    for answer in refused:
        counts = codes.setdefault(answer.code or "attack", [0, 0])
        counts[0] += 1
        counts[1] += answer in told
    return {"live": len(files), "refused": len(refused), "with a finding": len(told), "by answer": codes}


def rust(limits: dict[str, float]) -> str:
    """`limits.rs`."""
    fields = "".join(f"    {check}: {value!r},\n" for check, value in limits.items())
    return (
        "//! Written by `python -m livecheck_training.findings`; change nothing by hand.\n\n"
        "use super::FindingLimits;\n\n"
        "/// The limits, as they were measured.\n"
        f"pub(super) const MEASURED: FindingLimits = FindingLimits {{\n{fields}}};\n"
    )


def capture(page: str, limits: dict[str, float]) -> str:
    """`web/findings.js` with the limits in its table of those of the API."""
    head, start, rest = page.partition("export const API_LIMITS")
    body, end, tail = rest.partition("});")
    body = re.sub(r"(\w+): [0-9.]+,", lambda row: f"{row[1]}: {limits[row[1]]:g},", body)
    return head + start + body + end + tail


def table(result: dict[str, Any]) -> str:
    """What `docs/evidence/FINDINGS.md` says below its mark."""
    false, apart = result["untouched"], result["untouched, by limits of the other half"]
    lines = [
        f"{false['with a false finding']} of {false['portraits']} untouched portraits have a finding",
        f"that a person did not see in them ({apart['with a false finding']} of {apart['portraits']} by limits that the other half of the portraits chose).",
        "",
        "| fault | strength that counts | live people refused there (untouched) | named | limit |",
        "|---|---|---|---|---|",
    ]
    for row in result["faults"]:
        step, of = row["counts"], row["of"]
        note = "" if row["doubled"] else ", the strongest: refusals do not double"
        lines.append(
            f"| `{row['check']}` | {step['strength']:g} ({row['meaning']}{note}) | {step['refused']} ({row['base']}) of {row['portraits']} "
            f"| {step['named']} of {of} = {100 * step['named'] / of:.0f} % | {result['limits'][row['check']]:g} |"
        )
    lines += ["", "| live people of | refused | of them with a finding |", "|---|---|---|"]
    for name, one in result["refused"].items():
        share = f" = {100 * one['with a finding'] / one['refused']:.0f} %" if one["refused"] else ""
        lines.append(f"| {name} | {one['refused']} of {one['live']} | {one['with a finding']}{share} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Reads the arguments, measures, and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_arguments(parser)
    parser.add_argument("--binary", type=Path, required=True, help="the program `livecheck`")
    parser.add_argument("--faulty", type=int, default=100, help="portraits that get the faults (default: %(default)s)")
    parser.add_argument("--keep-limits", action="store_true", help="measure with the limits that notes/findings.json has")
    arguments = parser.parse_args()
    sets = {name: open_set(name, arguments.data, arguments.cache) for name in ("faces", "webcams", "pad_dev")}

    files = portraits(sets["faces"], sets["webcams"])
    answers = [(f, a) for f, a in zip(files, ask(arguments.binary, files, EVERYTHING + SMALL), strict=True) if a.box]
    seen = seen_faults()
    answers = [(file, without_seen(file, answer, seen)) for file, answer in answers]
    few = answers[:: max(1, len(answers) // arguments.faulty)][: arguments.faulty]
    faults = faulty(arguments.binary, few)
    chosen_by = {
        row["fault"].check: [a.values.get(row["fault"].check) for a in row["steps"][row["counts"]][::2]] for row in faults
    }
    if arguments.keep_limits:
        limits = json.loads(NOTES.read_text(encoding="utf-8"))["limits"]
    else:
        limits = choose([a for _, a in answers], chosen_by)
    one, other = [a for _, a in answers[::2]], [a for _, a in answers[1::2]]
    pad = [p.path for p in pad_photos(sets["pad_dev"]) if p.label == "live"]
    cams = [p.path for p in webcam_photos(sets["webcams"]) if p.label == "live"]
    low = ["--min-image-side", "240"]
    result = {
        "limits": limits,
        "untouched": false_findings([a for _, a in answers], limits),
        "untouched, by limits of the other half": false_findings(other, choose(one, chosen_by)),
        "faults": named(faults, limits),
        "refused": {
            "`pad_dev`": explained(arguments.binary, pad, limits, []),
            "`pad_dev`, `--min-image-side 240`": explained(arguments.binary, pad, limits, low),
            "`webcams` dev": explained(arguments.binary, cams, limits, []),
        },
    }
    NOTES.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if not arguments.keep_limits:
        LIMITS.write_text(rust(limits), encoding="utf-8")
        CAPTURE.write_text(capture(CAPTURE.read_text(encoding="utf-8"), limits), encoding="utf-8")
    head, mark, _ = PAGE.read_text(encoding="utf-8").partition(MARK)
    if not mark:
        raise SystemExit(f"{PAGE} lacks the line {MARK.strip()}")
    PAGE.write_text(head + mark + "\n" + table(result), encoding="utf-8")
    short = [row["check"] for row in result["faults"] if row["counts"]["named"] < NAMED * row["of"]]
    print(table(result))
    print("named too rarely: " + (", ".join(short) or "none"))


if __name__ == "__main__":
    main()
