"""Documents and clients know exactly the error codes that the contract's one table has."""

import re

from livecheck_server import ROOT

import livecheck_client
from livecheck_client._errors import BY_CODE

ROW = re.compile(r'\(\s*"(\d{3})",\s*(\d{3}),\s*"([^"]+)",?\s*\)')


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def table() -> dict[str, tuple[str, str]]:
    """Code: HTTP status and message."""
    rows = ROW.findall(read("crates/contract/src/error_code.rs"))
    assert len(rows) == 10
    return {code: (status, message) for code, status, message in rows}


def test_the_api_guide_has_the_table() -> None:
    rows = re.findall(r"^\| `(\d{3})` \| (\d{3}) \| (.*?) \|", read("docs/reference/API.md"), re.MULTILINE)
    assert {code: (status, message) for code, status, message in rows} == table()


def test_the_advice_covers_every_code() -> None:
    assert set(re.findall(r"`(\d{3})`", read("docs/reference/ERRORS.md"))) == set(table())


def test_each_client_has_a_type_for_every_code() -> None:
    assert set(BY_CODE) == set(table())
    in_javascript = dict(re.findall(r'\["(\d{3})", (\w+)\]', read("clients/javascript/index.js")))
    assert in_javascript == {code: kind.__name__ for code, kind in BY_CODE.items()}
    assert {kind.__name__ for kind in BY_CODE.values()} <= set(livecheck_client.__all__)
