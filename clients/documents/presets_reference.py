"""Writes the table of presets in docs/guides/EVALUATION.md from the engine's file of operating points.

    python clients/documents/presets_reference.py
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testing"))

from livecheck_server import ROOT

PAGE = ROOT / "docs" / "guides" / "EVALUATION.md"
POINTS = ROOT / "crates" / "engine" / "models" / "operating-points.json"
START = "<!-- From here to the end of the section: clients/documents/presets_reference.py -->\n"
END = "<!-- The end of the section. -->\n"


def percent(rate: dict) -> str:
    low, high = (f"{rate[end] * 100:.1f}" for end in ("lower", "upper"))
    return f"{rate['errors']}/{rate['of']} = {rate['rate'] * 100:.1f} % [{low}, {high}]"


def table() -> str:
    """The presets and their figures, as Markdown."""
    points = json.loads(POINTS.read_text(encoding="utf-8"))
    kinds = sorted({kind for dataset in points["data"] for kind in dataset["attacks"]})
    head = ["preset", "face", "liveness", "mask", "measured on", "BPCER"]
    head += [f"APCER {kind}" for kind in kinds] + ["no verdict"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for preset in points["presets"]:
        thresholds = preset["thresholds"]
        for figures in preset["measured"]:
            cells = [f"`{preset['preset']}`"]
            cells += [f"{thresholds[name]:.2f}" for name in ("face", "liveness", "mask")]
            cells += [figures["source"], percent(figures["bpcer"])]
            cells += [
                percent(figures["apcer"][kind]) if kind in figures["apcer"] else "–"
                for kind in kinds
            ]
            lines.append("| " + " | ".join([*cells, percent(figures["no_response"])]) + " |")
    data = [
        f"{dataset['source']}: {dataset['subjects']} people, {dataset['bona_fide']} live, "
        + ", ".join(f"{count} {kind}" for kind, count in sorted(dataset["attacks"].items()))
        for dataset in points["data"]
    ]
    lines += [
        "",
        f"Intervals are 95 %, Clopper-Pearson. Measured on {'; '.join(data)}. Again:",
        "",
        "```console",
        f"$ {points['command']}",
        "```",
    ]
    return "\n".join(lines) + "\n"


def page() -> str:
    """The page as it must be."""
    before, rest = PAGE.read_text(encoding="utf-8").split(START)
    return before + START + "\n" + table() + "\n" + END + rest.split(END)[1]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
