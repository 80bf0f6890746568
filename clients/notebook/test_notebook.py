"""Runs the notebook against the real server, as its reader would."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from livecheck_server import Server
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).with_name("liveness.ipynb")
#: The requests of the reference API's own examples, with its header `x-session-key`.
REFERENCE = Path(__file__).with_name("reference.ipynb")


def printed(notebook: Any) -> str:
    """Everything the notebook printed and showed."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    shown = [output.get("text") or output["data"]["text/plain"] for output in outputs]
    return "\n".join(shown)


@pytest.mark.parametrize("flags", [[], ["--require-session"]], ids=["plain", "session"])
def test_the_notebook_runs(
    flags: list[str],
    server: Server,
    make_key: Callable[..., str],
    any_photo: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LIVECHECK_URL", server.url)
    monkeypatch.setenv("LIVECHECK_API_KEY", make_key(*flags))
    monkeypatch.setenv("LIVECHECK_PHOTO", str(any_photo))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=300).execute()
    text = printed(notebook)
    assert text.count("'success': ") == 4
    for line in (
        "not an image     002  ask for another photo",
        "no photo         004  ask the operator",
        "unknown session  061  open a new session",
        "wrong key        001  ask the operator",
    ):
        assert line in text


def test_the_reference_requests_run_with_a_key_that_requires_sessions(
    server: Server,
    make_key: Callable[..., str],
    any_photo: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LIVECHECK_URL", server.url)
    monkeypatch.setenv("LIVECHECK_API_KEY", make_key("--require-session"))
    monkeypatch.setenv("LIVECHECK_PHOTO", str(any_photo))
    notebook = nbformat.read(REFERENCE, as_version=4)
    NotebookClient(notebook, timeout=300).execute()
    lines = printed(notebook).splitlines()
    answers = dict(line.split(" ", 1) for line in lines if " {" in line)
    # The photo was judged, whatever it shows, and each time alike.
    assert len(answers) == 3
    for answer in answers.values():
        assert "'success': True" in answer or "'error_code': '051'" in answer
    assert len(set(answers.values())) == 1
    assert "used up 062" in lines
    assert "unknown 061" in lines


@pytest.mark.parametrize("path", [NOTEBOOK, REFERENCE], ids=lambda path: path.stem)
def test_the_notebook_is_stored_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
