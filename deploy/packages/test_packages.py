"""The packages that ``cargo xtask dist`` made, as those who install them have them.

LIVECHECK_PACKAGES names the folder of the packages, LIVECHECK_ROOTFS the archive of a minimal Debian.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from livecheck_server import ROOT, environment

HERE = Path(__file__).resolve().parent
OWN_NAMESPACES = ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount"]
CONTAINERFILE = ROOT / "deploy/Containerfile"


def named(variable: str) -> Path:
    """The path in a variable."""
    path = os.environ.get(variable)
    if not path:
        pytest.skip(f"LEFT OUT: {variable} is not set, see `cargo xtask dist`")
    return Path(path).resolve()


@pytest.fixture(scope="session")
def packages() -> Path:
    return named("LIVECHECK_PACKAGES")


@pytest.fixture(scope="session")
def rootfs() -> Path:
    archive = named("LIVECHECK_ROOTFS")
    if os.geteuid() != 0:
        pytest.skip("LEFT OUT: a clean root folder can only be used as root")
    return archive


def one(folder: Path, pattern: str) -> Path:
    """The one file of that name."""
    found = list(folder.glob(pattern))
    assert len(found) == 1, f"{pattern}: {found}"
    return found[0]


@pytest.fixture(scope="session")
def program(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program out of the archive."""
    folder = tmp_path_factory.mktemp("archive")
    archive = one(packages, "livecheck-*-linux-gnu.tar.gz")
    subprocess.run(["tar", "--extract", "--file", archive, "--directory", folder], check=True)
    return one(folder, "*/livecheck")


def test_the_checksums_name_every_file(packages: Path) -> None:
    lines = (packages / "SHA256SUMS").read_text("utf-8").splitlines()
    sums = {name: digest for digest, name in (line.split("  ") for line in lines)}
    files = {path for path in packages.iterdir() if path.name != "SHA256SUMS"}
    assert sums == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_archive_has_the_program_and_its_pages(packages: Path, program: Path) -> None:
    with tarfile.open(one(packages, "livecheck-*-linux-gnu.tar.gz")) as archive:
        members = archive.getmembers()
    assert {(member.uid, member.gid) for member in members} == {(0, 0)}
    assert len({member.mtime for member in members}) == 1
    assert [member.name for member in members] == sorted(member.name for member in members)
    names = {member.name.partition("/")[2] for member in members}
    assert names >= {
        "livecheck", "LICENSE", "README.md", "CHANGELOG.md", "man/livecheck-serve.1",
        "completions/_livecheck", "completions/livecheck.bash", "completions/livecheck.fish",
    }  # fmt: skip
    said = subprocess.run([program, "version"], env=environment(), check=True, capture_output=True, text=True)
    assert said.stdout.startswith("livecheck ")


def test_the_debian_package_is_installed_started_asked_and_purged(packages: Path, rootfs: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    subprocess.run(["tar", "--extract", "--file", rootfs, "--directory", root], check=True)
    done = subprocess.run(
        [*OWN_NAMESPACES, sys.executable, HERE / "install_deb.py", root, one(packages, "*.deb")],
        capture_output=True,
        text=True,
    )
    shutil.rmtree(root)
    assert done.returncode == 0, done.stdout + done.stderr
    seen = json.loads(done.stdout)
    assert seen["status"] == "install ok installed"
    assert seen["user"] == "livecheck"
    assert seen["folder"] == "livecheck 700"
    assert seen["version"].startswith("livecheck ")
    assert seen["owner of the process"] == "livecheck"
    status, session = seen["session"]
    assert status == 200 and session["success"], session
    status, refused = seen["wrong key"]
    assert (status, refused["error_code"]) == (401, "001")
    assert seen["exit code"] == 0
    assert seen["keys after removal"] is True
    assert seen["keys after purge"] is False


def test_the_wheel_of_the_client_is_complete(packages: Path) -> None:
    wheel = zipfile.ZipFile(one(packages, "livecheck_client-*-py3-none-any.whl"))
    names = set(wheel.namelist())
    assert names >= {"livecheck_client/__init__.py", "livecheck_client/py.typed"}
    assert not [name for name in names if "test" in name]
    metadata = next(name for name in names if name.endswith(".dist-info/METADATA"))
    text = wheel.read(metadata).decode("utf-8")
    assert "License-Expression: Apache-2.0" in text
    assert re.search(r"^Requires-Dist: requests", text, re.MULTILINE)
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_wheel_of_the_client_is_installed_and_imported(packages: Path, tmp_path: Path) -> None:
    subprocess.run(
        [
            sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
            "--no-deps", "--no-index", "--target", tmp_path,
            one(packages, "livecheck_client-*.whl"),
        ],
        check=True,
    )  # fmt: skip
    code = "import livecheck_client as c; print(c.__file__, c.Livecheck.__name__)"
    bare = {**environment(), "PYTHONPATH": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=bare, check=True, cwd=tmp_path, capture_output=True, text=True
    )
    assert ran.stdout.startswith(str(tmp_path))


@pytest.mark.parametrize(
    ("pattern", "module", "export"),
    [
        ("livecheck-client-*.tgz", "livecheck-client", "Livecheck"),
        ("livecheck-capture-*.tgz", "livecheck-capture/texts/en.js", "default"),
    ],
    ids=["client", "capture"],
)
def test_an_npm_package_is_installed_and_imported(
    packages: Path, tmp_path: Path, pattern: str, module: str, export: str
) -> None:
    package = one(packages, pattern)
    with tarfile.open(package) as archive:
        assert "package/LICENSE" in archive.getnames()
    (tmp_path / "package.json").write_text('{"private": true, "type": "module"}')
    subprocess.run(
        ["npm", "install", "--offline", "--no-audit", "--no-fund", "--loglevel=error", package],
        cwd=tmp_path,
        check=True,
    )
    code = f"import * as m from '{module}'; console.log(Object.keys(m).join(' '))"
    ran = subprocess.run(
        ["node", "--input-type=module", "--eval", code], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert export in ran.stdout.split()


def test_the_lists_of_components_name_no_folder_and_no_moment(packages: Path) -> None:
    lists = list(packages.glob("*.cdx.json"))
    if not lists:
        pytest.skip("LEFT OUT: the lists of components (`cargo xtask dist` makes them)")
    for path in lists:
        text = path.read_text("utf-8")
        assert str(ROOT) not in text
        assert "serialNumber" not in json.loads(text)


class Buildah:
    """buildah with a store of its own, without a daemon and without a network."""

    def __init__(self, folder: Path) -> None:
        self._store = [
            "buildah", "--storage-driver", "vfs",
            "--root", str(folder / "storage"), "--runroot", str(folder / "run"),
        ]  # fmt: skip

    def __call__(self, *words: object) -> str:
        done = subprocess.run([*self._store, *map(str, words)], capture_output=True, text=True)
        assert done.returncode == 0, f"buildah {words}:\n{done.stdout}{done.stderr}"
        return done.stdout.strip()

    def command(self, *words: object) -> list[str]:
        """For what runs on."""
        return [*self._store, *map(str, words)]


@pytest.fixture
def buildah(tmp_path: Path) -> Iterator[Buildah]:
    if shutil.which("buildah") is None:
        pytest.skip("LEFT OUT: the container file is not built: buildah is not installed")
    yield Buildah(tmp_path)
    shutil.rmtree(tmp_path / "storage", ignore_errors=True)


def test_the_container_file_is_built_started_and_asked(
    rootfs: Path, program: Path, buildah: Buildah, tmp_path: Path
) -> None:
    """With this build's program and a minimal Debian in place of the images it names, which are on no
    package registry."""
    base = buildah("from", "scratch")
    buildah("add", base, rootfs, "/")
    buildah("commit", "--rm", base, "localhost/base")
    built = tmp_path / "build/image"
    (built / "data").mkdir(parents=True)
    (built / "usr/local/bin").mkdir(parents=True)
    shutil.copy(program, built / "usr/local/bin/livecheck")
    last = re.findall(r"^FROM (\S+)$", CONTAINERFILE.read_text("utf-8"), re.MULTILINE)[-1]
    buildah(
        "build", "--isolation", "chroot", "--format", "docker",
        "--build-context", f"build={tmp_path / 'build'}",
        "--build-context", f"{last}=container-image://localhost/base",
        "--file", CONTAINERFILE, "--tag", "livecheck", tmp_path,
    )  # fmt: skip
    config = json.loads(buildah("inspect", "--type", "image", "livecheck"))["Docker"]["config"]
    assert config["User"] == "65532:65532"
    assert config["Healthcheck"]["Test"] == ["CMD", "livecheck", "healthcheck"]
    container = buildah("from", "livecheck")
    command = [*config["Entrypoint"], *config["Cmd"]]
    run = buildah.command("run", "--isolation", "chroot", container, "--")
    driver = HERE / "ask_container.py"
    done = subprocess.run(
        [*OWN_NAMESPACES, sys.executable, driver, json.dumps(run), json.dumps(command)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    seen = json.loads(done.stdout)
    assert seen["ready"][0] == 200
    assert seen["session"][0] == 200 and seen["session"][1]["success"]
    assert seen["wrong key"][1]["error_code"] == "001"
