"""Runs every program in docs/guides/EXAMPLES.md against the real server."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from livecheck_server import ROOT, Server

#: Language of a code block: file name, command before the photo's path, the tool it needs.
LANGUAGES = {
    "bash": ("example.sh", ["bash", "-euo", "pipefail", "example.sh"], "curl"),
    "python": ("example.py", ["python", "example.py"], "python"),
    "javascript": ("example.mjs", ["node", "example.mjs"], "node"),
    "go": ("example.go", ["go", "run", "example.go"], "go"),
    "java": ("Liveness.java", ["java", "Liveness.java"], "java"),
}


def programs() -> dict[str, str]:
    text = (ROOT / "docs" / "guides" / "EXAMPLES.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^```(\w+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE))


def run(language: str, folder: Path, server: Server, key: str, photo: Path) -> str:
    name, command, tool = LANGUAGES[language]
    if shutil.which(tool) is None:
        pytest.skip(f"LEFT OUT: {tool} is not installed")
    (folder / name).write_text(programs()[language], encoding="utf-8")
    settings = {"LIVECHECK_URL": server.url, "LIVECHECK_API_KEY": key}
    ran = subprocess.run(
        [*command, str(photo)],
        cwd=folder,
        env=os.environ | settings,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_every_language_is_there() -> None:
    assert set(programs()) == set(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_photo_without_a_face(
    language: str, tmp_path: Path, server: Server, api_key: str, faceless: bytes
) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(faceless)
    output = run(language, tmp_path, server, api_key, photo)
    assert output.count("051") == 4, output


# Without bash: the lines for curl tell no errors apart.
@pytest.mark.parametrize("language", sorted(LANGUAGES.keys() - {"bash"}))
def test_a_wrong_key(language: str, tmp_path: Path, server: Server, faceless: bytes) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(faceless)
    output = run(language, tmp_path, server, "lck_wrong", photo)
    assert output.count("failed: 001") == 4, output


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_live_face(
    language: str, tmp_path: Path, server: Server, api_key: str, live_photo: bytes
) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(live_photo)
    output = run(language, tmp_path, server, api_key, photo)
    said = r'"liveness":(true|false)' if language == "bash" else r"\b(not )?live\b"
    assert len(re.findall(said, output)) == 4, output
