"""Every check of the project: ``nox`` runs them all, ``nox --session lint`` one of them."""

from __future__ import annotations

import configparser
import pathlib

import nox

nox.options.sessions = ["lint", "typing", "docs", "proof", "tests", "minimums", "newest"]

PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14"]


def run_tests(session: nox.Session) -> None:
    """Run pytest: all of the package must be covered, unless arguments choose what to run."""
    session.run("pytest", *(session.posargs or ["--cov-fail-under=100"]))


def read_requirements(section: str, option: str) -> list[str]:
    """Read the requirements that one option of setup.cfg lists."""
    config = configparser.ConfigParser()
    config.read(pathlib.Path(__file__).with_name("setup.cfg"))
    return config[section][option].split()


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests on each Python that is installed."""
    session.install("--editable", ".[tests]")
    run_tests(session)


@nox.session(python=PYTHONS[0])
def minimums(session: nox.Session) -> None:
    """Run the tests on the oldest Python with every dependency at its lower bound."""
    bounds = read_requirements("options", "install_requires") + read_requirements("options.extras_require", "tests")
    session.install("--editable", ".[tests]", *(bound.replace(">=", "==") for bound in bounds))
    run_tests(session)


@nox.session
def newest(session: nox.Session) -> None:
    """Run the tests on the newest dependencies, those not yet released among them."""
    names = [bound.partition(">=")[0] for bound in read_requirements("options", "install_requires")]
    session.install("--editable", ".[tests]")
    session.install("--upgrade", "--pre", *names)
    run_tests(session)


@nox.session
def typing(session: nox.Session) -> None:
    """Check the types with strict mypy."""
    session.install("--editable", ".[typing]")
    session.run("mypy", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check the code, its format and the floors that its imports keep to."""
    # A new minor version of ruff brings new rules and a new format; it is taken up on purpose, not by the calendar.
    session.install("ruff==0.17.*", "import-linter>=2.5")
    session.run("ruff", "check", "--quiet", *session.posargs)
    session.run("ruff", "format", "--check", "--quiet")
    session.run("lint-imports", "--no-logo")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a warning fails it."""
    session.install("--editable", ".[docs]")
    session.run("sphinx-build", "-W", "--keep-going", "--quiet", "docs", "docs/_build/html", *session.posargs)


@nox.session
def proof(session: nox.Session) -> None:
    """Make 50,000 calls for a hundred tenants at once, and look where each of them went."""
    session.install("--editable", ".[tests]")
    session.run("python", "tests/support/tenant_program.py", *session.posargs, env={"PYTHONPATH": "."})


@nox.session
def benchmarks(session: nox.Session) -> None:
    """Run every benchmark, or the scripts that the arguments name."""
    session.install("--editable", ".[tests]")
    for script in session.posargs or sorted(map(str, pathlib.Path("benchmarks").glob("[!_]*.py"))):
        session.run("python", script)
