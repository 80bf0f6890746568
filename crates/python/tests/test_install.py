"""The wheel, as somebody installs it who has no Rust."""

import os
import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from photos import ROOT, SAMPLE

README = (ROOT / "crates/python/README.md").read_text("utf-8")


@pytest.fixture(scope="session")
def wheel() -> Path:
    """The file that LIVECHECK_WHEEL names."""
    named = os.environ.get("LIVECHECK_WHEEL")
    if not named:
        pytest.skip("LEFT OUT: LIVECHECK_WHEEL does not name the wheel")
    return Path(named).resolve()


def test_it_is_installed_without_rust_and_the_lines_of_the_readme_run(
    wheel: Path, tmp_path: Path
) -> None:
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    # No cargo and no compiler can be found.
    bare = {
        name: value
        for name, value in os.environ.items()
        if name.startswith("PIP_") or name.lower().endswith("_proxy") or name in ("HOME", "LANG")
    } | {"PATH": str(environment / "bin")}
    subprocess.run(
        [
            python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
            "--only-binary", ":all:",
            "--constraint", ROOT / "crates/python/requirements-test.lock",
            wheel,
        ],
        check=True,
        env=bare,
    )  # fmt: skip
    folder = tmp_path / "work"
    (folder / "photos").mkdir(parents=True)
    (folder / "selfie.jpg").write_bytes(SAMPLE)
    (folder / "photos" / "a.jpg").write_bytes(SAMPLE)
    (folder / "photos" / "b.jpg").write_bytes(b"no photo")
    block = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert block is not None
    lines = block[1]
    assert len(lines.splitlines()) == 6
    ran = subprocess.run(
        [python, "-c", lines], check=True, env=bare, cwd=folder, stdout=subprocess.PIPE, text=True
    )
    first, second = ran.stdout.splitlines()
    assert first.startswith("Answer(liveness=True, score=0.9")
    assert "'file': 'photos/b.jpg'" in second and "'error_code': '002'" in second


def test_it_has_what_it_should_have(wheel: Path) -> None:
    assert re.fullmatch(r"livecheck_engine-[\d.]+-cp310-abi3-.*\.whl", wheel.name)
    names = zipfile.ZipFile(wheel).namelist()
    for name in ("__init__.py", "_native.abi3.so", "_native.pyi", "py.typed"):
        assert f"livecheck_engine/{name}" in names
    metadata = next(name for name in names if name.endswith(".dist-info/METADATA"))
    text = zipfile.ZipFile(wheel).read(metadata).decode("utf-8")
    assert "License-Expression: Apache-2.0" in text
    assert "Requires-Dist: pyarrow" in text


def test_the_module_in_the_tests_is_the_installed_one() -> None:
    import livecheck_engine

    assert Path(livecheck_engine.__file__).is_relative_to(sys.prefix)
