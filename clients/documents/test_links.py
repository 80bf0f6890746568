"""Links between the documents lead somewhere."""

import re
from pathlib import Path

import pytest
from livecheck_server import ROOT

FOLDERS = ("docs", "clients", "crates", "deploy", "fuzz", "training", "web")
PAGES = sorted(
    path
    for path in [*ROOT.glob("*.md"), *(p for name in FOLDERS for p in (ROOT / name).rglob("*.md"))]
    if not {"node_modules", "target", ".pytest_cache"} & set(path.parts)
)
LINK = re.compile(r"\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]*))?\)")
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """What GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for target, anchor in LINK.findall(text):
        found = (page.parent / target) if target else page
        assert found.exists(), f"{target} does not exist"
        if anchor and found.suffix == ".md":
            assert anchor in anchors(found), f"{target} has no heading #{anchor}"
