"""The sdist and the wheel in ``dist/``, checked by ``nox --session dist``: what is in them, and what is not."""

from __future__ import annotations

import collections.abc as cabc
import configparser
import email.message
import email.parser
import pathlib
import tarfile
import zipfile

import pytest

PROJECT = pathlib.Path(__file__).parents[2]
LEFT_BY_TOOLS = {"__pycache__", "_build", ".hypothesis", ".pytest_cache"}


@pytest.fixture(scope="module")
def version() -> str:
    """The one place of the version."""
    return read_setup()["metadata"]["version"]


@pytest.fixture(scope="module")
def sdist(version: str) -> cabc.Iterator[tarfile.TarFile]:
    """The sdist of this version."""
    with tarfile.open(PROJECT / "dist" / f"dynaflask-{version}.tar.gz") as archive:
        yield archive


@pytest.fixture(scope="module")
def wheel(version: str) -> cabc.Iterator[zipfile.ZipFile]:
    """The wheel of this version."""
    with zipfile.ZipFile(PROJECT / "dist" / f"dynaflask-{version}-py3-none-any.whl") as archive:
        yield archive


@pytest.fixture(scope="module")
def information(version: str) -> str:
    """The folder of the wheel with its metadata."""
    return f"dynaflask-{version}.dist-info"


def read_setup() -> configparser.ConfigParser:
    """The metadata in setup.cfg."""
    config = configparser.ConfigParser()
    config.read(PROJECT / "setup.cfg", encoding="utf-8")
    return config


def read_metadata(wheel: zipfile.ZipFile, information: str) -> email.message.Message:
    """The metadata of the wheel."""
    return email.parser.BytesParser().parsebytes(wheel.read(f"{information}/METADATA"))


def files_in(folder: str) -> set[str]:
    """The files of a folder of the project, without what tools have left there."""
    paths = (path.relative_to(PROJECT) for path in (PROJECT / folder).rglob("*") if path.is_file())
    return {path.as_posix() for path in paths if LEFT_BY_TOOLS.isdisjoint(path.parts)}


def files_of(sdist: tarfile.TarFile) -> set[str]:
    """The files of an sdist, by their names in the project."""
    return {member.name.partition("/")[2] for member in sdist.getmembers() if member.isfile()}


def test_there_is_one_sdist_and_one_wheel(sdist: tarfile.TarFile, wheel: zipfile.ZipFile) -> None:
    """``dist/`` has the sdist and the wheel of this version, and nothing else."""
    names = {pathlib.Path(str(name)) for name in (sdist.name, wheel.filename)}
    assert set((PROJECT / "dist").iterdir()) == names


@pytest.mark.parametrize("folder", ["benchmarks", "docs", "dynaflask", "examples", "tests"])
def test_the_sdist_has_the_files_of_the_folder(sdist: tarfile.TarFile, folder: str) -> None:
    """The sdist has each file of the folder, and no cache or built page."""
    assert {name for name in files_of(sdist) if name.startswith(f"{folder}/")} == files_in(folder)


def test_the_sdist_has_the_files_of_the_project(sdist: tarfile.TarFile) -> None:
    """Beside the folders, the sdist has the files that build and describe the project, and no others."""
    rest = {name for name in files_of(sdist) if "/" not in name} - {"PKG-INFO"}
    pages = {path.name for path in PROJECT.glob("*.md")}
    assert rest == pages | {"LICENSE", "MANIFEST.in", "constraints.txt", "noxfile.py", "pyproject.toml", "setup.cfg"}


def test_the_wheel_has_the_package_and_no_other_file(wheel: zipfile.ZipFile, information: str) -> None:
    """The wheel has each file of ``dynaflask/``, with ``py.typed`` and the templates, and its metadata."""
    names = set(wheel.namelist())
    metadata = {name for name in names if name.startswith(f"{information}/")}
    assert names - metadata == files_in("dynaflask")
    assert "dynaflask/py.typed" in names


def test_the_wheel_has_the_licence(wheel: zipfile.ZipFile, information: str) -> None:
    """The wheel has the text of the licence, and its metadata names it."""
    assert wheel.read(f"{information}/licenses/LICENSE") == (PROJECT / "LICENSE").read_bytes()
    metadata = read_metadata(wheel, information)
    assert (metadata["License-Expression"], metadata["License-File"]) == ("MIT", "LICENSE")


def test_the_wheel_names_its_entry_points(wheel: zipfile.ZipFile, information: str) -> None:
    """The commands of Flask and the plugin of pytest are in the metadata of the wheel."""
    entry_points = configparser.ConfigParser()
    entry_points.read_string(wheel.read(f"{information}/entry_points.txt").decode())
    assert {section: dict(entry_points[section]) for section in entry_points.sections()} == {
        "flask.commands": {"dynamo": "dynaflask.cli.group:dynamo"},
        "pytest11": {"dynaflask": "dynaflask.integrations.pytest"},
    }


def test_the_wheel_names_each_extra(wheel: zipfile.ZipFile, information: str) -> None:
    """The metadata of the wheel has the extras of setup.cfg."""
    extras = read_metadata(wheel, information).get_all("Provides-Extra", [])
    assert sorted(extras) == sorted(read_setup()["options.extras_require"])
