"""Writes the tables of docs/reference/SETTINGS.md from `livecheck serve --help`.

    python clients/documents/settings_reference.py
"""

import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testing"))

from livecheck_server import ROOT, binary, environment

PAGE = ROOT / "docs" / "reference" / "SETTINGS.md"
#: Everything below this line of the page is written by this program.
MARK = "<!-- From here on: clients/documents/settings_reference.py -->\n"

TITLES = {
    "network": "Network",
    "times": "Times",
    "pool": "Judging threads",
    "access": "Keys and sessions",
    "engine": "Photos and thresholds",
    "endpoints": "Operations endpoints",
    "audit": "Audit log",
    "log": "Log",
}

GROUP = re.compile(r"Settings: (?P<group>\w+):")
SETTING = re.compile(
    r"\s+--(?P<flag>[\w-]+) <VALUE>\s+(?P<help>.*?) "
    r"\[(?P<allowed>.*?)(?:; default (?P<default>.*?))?; also: LIVECHECK_\w+\]"
)


def tables() -> str:
    """The settings of the program, as Markdown."""
    shown = subprocess.run(
        [str(binary()), "serve", "--help"],
        env=environment(),
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    lines = []
    # Where one flag is long, the help puts every setting's words on a line of their own.
    for line in re.sub(r"<VALUE>\n +", "<VALUE>  ", shown).splitlines():
        if group := GROUP.fullmatch(line):
            title = TITLES.get(group["group"], group["group"].capitalize())
            lines += ["", f"## {title}", "", "| setting | default | allowed | what it does |"]
            lines += ["|---|---|---|---|"]
        elif setting := SETTING.fullmatch(line):
            name = setting["flag"].replace("-", "_")
            default = f"`{setting['default']}`" if setting["default"] else ""
            cells = [f"`{name}`", default, setting["allowed"], setting["help"]]
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        elif "LIVECHECK_" in line and "--config" not in line:
            raise ValueError(f"a setting in an unknown form: {line}")
    return "\n".join(lines) + "\n"


def page() -> str:
    """The page as it must be."""
    return PAGE.read_text(encoding="utf-8").split(MARK)[0] + MARK + tables()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
