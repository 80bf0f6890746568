"""Runs the programs in the clients' READMEs against the real server."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from livecheck_server import ROOT, Server, environment

MakeKey = Callable[..., str]

PYTHON = ROOT / "clients/python"
JAVASCRIPT = ROOT / "clients/javascript"


def programs(readme: Path, language: str) -> list[str]:
    """The code blocks in a language."""
    text = readme.read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def run(command: list[str], folder: Path, **variables: str) -> str:
    """What a program prints."""
    ran = subprocess.run(command, cwd=folder, env={**environment(), **variables}, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def run_python(code: str, folder: Path) -> str:
    (folder / "example.py").write_text(code, "utf-8")
    return run([sys.executable, "example.py"], folder, PYTHONPATH=str(PYTHON / "src"))


def run_javascript(code: str, folder: Path) -> str:
    if shutil.which("node") is None:
        pytest.skip("LEFT OUT: node is not installed")
    (folder / "node_modules").mkdir()
    (folder / "node_modules/livecheck-client").symlink_to(JAVASCRIPT)
    (folder / "example.mjs").write_text(code, "utf-8")
    return run(["node", "example.mjs"], folder)


CLIENTS: list[tuple[Path, str, Callable[[str, Path], str]]] = [
    (PYTHON, "python", run_python),
    (JAVASCRIPT, "javascript", run_javascript),
]


@pytest.mark.parametrize(("client", "language", "runner"), CLIENTS, ids=["python", "javascript"])
@pytest.mark.parametrize("kind", ["live", "faceless"])
def test_the_programs_of_a_readme_run(
    client: Path,
    language: str,
    runner: Callable[[str, Path], str],
    kind: str,
    tmp_path: Path,
    server: Server,
    make_key: MakeKey,
    faceless: bytes,
) -> None:
    blocks = programs(client / "README.md", language)
    assert len(blocks) >= 2
    # A photo without a face ends the first program in its error branch; a sandbox key passes it.
    code, flags = (blocks[0], []) if kind == "faceless" else ("\n".join(blocks), ["--sandbox"])
    assert '"http://127.0.0.1:8080"' in code and '"lck_…"' in code
    code = code.replace("http://127.0.0.1:8080", server.url).replace("lck_…", make_key(*flags))
    (tmp_path / "selfie.jpg").write_bytes(faceless)
    output = runner(code, tmp_path)
    if kind == "faceless":
        assert output.strip() == "ask the user for another photo: 051"
    else:
        assert re.match(r"true 0\.\d+", output, re.IGNORECASE), output
