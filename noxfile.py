"""The checks of the project: ``nox`` runs all of them, ``nox --session quick`` the fast tests."""

from __future__ import annotations

import configparser
import os
import pathlib
import shutil
import tempfile

import nox

nox.options.sessions = [
    "lint",
    "typing",
    "docs",
    "dist",
    "proof",
    "templates",
    "benchmarks_smoke",
    "transports",
    "tests",
    "minimums",
    "newest",
]

PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14"]
DIST = pathlib.Path(__file__).with_name("dist")
# Without the options for coverage and several processes, and so without their packages.
PLAIN_PYTEST = ["--override-ini=addopts=", "--import-mode=importlib", "-pno:dynaflask", "-q"]


def run_tests(session: nox.Session) -> None:
    """Run pytest with the session's arguments; without any, require full coverage."""
    session.run("pytest", *(session.posargs or ["--cov-fail-under=100"]))


def read_requirements(section: str, option: str) -> list[str]:
    """The requirements in one option of setup.cfg."""
    config = configparser.ConfigParser()
    config.read(pathlib.Path(__file__).with_name("setup.cfg"))
    return config[section][option].split()


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests on each Python that is installed."""
    session.install("--editable", ".[tests]")
    run_tests(session)


@nox.session
def quick(session: nox.Session) -> None:
    """Run the fast tests on one Python, without coverage: under a minute on two cores."""
    session.install("--editable", ".[tests]")
    session.run("pytest", "--no-cov", "-m", "not slow", *session.posargs)


@nox.session
def transports(session: nox.Session) -> None:
    """Run the tests whose calls depend on the default transport with each other one, without coverage."""
    session.install("--editable", ".[tests]")
    for transport in ("botocore", "stock"):
        environment = {"DYNAFLASK_TEST_TRANSPORT": transport}
        session.run("pytest", "--no-cov", "-m", "not slow", *session.posargs, env=environment)


@nox.session
def tracers(session: nox.Session) -> None:
    """Run the tests of tracers with Datadog and New Relic, too."""
    session.install("--editable", ".[tests,tracers]")
    session.run("pytest", "--no-cov", "-n0", "-p", "no:ddtrace", "tests/client/test_tracer_patches.py")


@nox.session(python=PYTHONS[0])
def minimums(session: nox.Session) -> None:
    """Run the tests on the oldest Python with every dependency at its lower bound."""
    bounds = read_requirements("options", "install_requires") + read_requirements("options.extras_require", "tests")
    session.install("--editable", ".[tests]", *(bound.replace(">=", "==") for bound in bounds))
    # Without coverage: some code is for names that only newer versions have.
    session.run("pytest", "--no-cov", *session.posargs)


@nox.session
def newest(session: nox.Session) -> None:
    """Run the tests on the newest dependencies, including pre-releases."""
    names = [bound.partition(">=")[0] for bound in read_requirements("options", "install_requires")]
    session.install("--editable", ".[tests]")
    session.install("--upgrade", "--pre", *names)
    run_tests(session)


@nox.session
def typing(session: nox.Session) -> None:
    """Check the types with strict mypy, and those of programs that use dynaflask with mypy, pyright and ty."""
    # Not editable: pyright finds only what is installed as a user installs it.
    session.install(".[typing,restx]")
    session.run("mypy", *session.posargs)
    session.run("mypy", "examples/forum")
    # For information: ty is not finished.
    session.install("ty", success_codes=[0, 1])
    session.run("python", "tests/typing/check.py")


@nox.session
def lint(session: nox.Session) -> None:
    """Check the code, its format and the layers of its imports."""
    # Pinned, because a new minor version of ruff brings new rules and a new format.
    session.install("ruff==0.17.*", "import-linter>=2.5")
    session.run("ruff", "check", "--quiet", *session.posargs)
    session.run("ruff", "format", "--check", "--quiet")
    session.run("lint-imports", "--no-logo")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation with warnings as errors, and test the site: its search, and its pages in Chromium."""
    session.install("--editable", ".[docs,tests]")
    site = "docs/_build/html"
    session.run("sphinx-build", "-W", "--keep-going", "--quiet", "docs", site, *session.posargs)
    session.run("pytest", "--no-cov", "-n0", "tests/project/test_site.py", env={"DYNAFLASK_TEST_SITE": site})


@nox.session
def dist(session: nox.Session) -> None:
    """Build the sdist and the wheel, and check both: their contents, the tests of the sdist, and the wheel's use."""
    shutil.rmtree(DIST, ignore_errors=True)
    session.install("build", "check-wheel-contents", "twine")
    session.run("python", "-m", "build")
    (sdist,) = DIST.glob("*.tar.gz")
    (wheel,) = DIST.glob("*.whl")
    session.run("twine", "check", "--strict", str(sdist), str(wheel))
    session.run("check-wheel-contents", str(wheel))
    session.install(str(sdist), "boto3", "hypothesis", "pytest")
    session.run("pytest", *PLAIN_PYTEST, "--noconftest", "tests/release/contents.py")
    with tempfile.TemporaryDirectory() as folder:
        shutil.unpack_archive(sdist, folder)
        with session.chdir(pathlib.Path(folder, sdist.name.removesuffix(".tar.gz"))):
            # These tests need no local server, so that none is installed for them.
            session.run("pytest", *PLAIN_PYTEST, "tests/config", env={"DYNAFLASK_TEST_MINISTACK": os.devnull})
    for python in PYTHONS:
        session.notify(f"installed-{python}")


@nox.session(python=PYTHONS)
def installed(session: nox.Session) -> None:
    """Use the wheel that `dist` has built as its users do, on each Python that is installed."""
    session.install(*map(str, DIST.glob("*.whl")), "pytest")
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy("tests/release/installed.py", folder)
        with session.chdir(folder):
            session.run("pytest", "-W", "error", "installed.py")


@nox.session
def lock(session: nox.Session) -> None:
    """Renew constraints.txt, the versions that CI installs, and check that the lower bounds fit together."""
    session.install("uv")
    solve = ["uv", "pip", "compile", "--quiet", f"--python-version={PYTHONS[0]}", "--extra=all", "--extra=tests"]
    session.run(*solve, "--resolution=lowest-direct", "setup.cfg", silent=True)
    # For each Python and platform, and without the server of the extra `local`, which pins botocore.
    extras = ["--extra=docs", "--extra=typing", "--extra=templates", "--universal", "--upgrade", "--no-annotate"]
    command = "--custom-compile-command=nox --session lock"
    session.run(*solve, *extras, command, "--output-file=constraints.txt", "setup.cfg", silent=True)


@nox.session
def proof(session: nox.Session) -> None:
    """Make 50,000 calls for a hundred concurrent tenants, and check the destination of each."""
    session.install("--editable", ".[tests]")
    session.run("python", "tests/support/tenant_program.py", *session.posargs, env={"PYTHONPATH": "."})


@nox.session
def templates(session: nox.Session) -> None:
    """Check exported CloudFormation templates with cfn-lint."""
    session.install("--editable", ".[templates]", "pytest")
    session.run("pytest", *PLAIN_PYTEST, "--noconftest", "tests/tables/test_export_cloudformation.py")


@nox.session
def benchmarks(session: nox.Session) -> None:
    """Run every benchmark, or the scripts in the arguments."""
    session.install("--editable", ".[tests]")
    scripts = sorted(str(path) for path in pathlib.Path("benchmarks").glob("[!_]*.py") if path.stem != "test_smoke")
    for script in session.posargs or scripts:
        session.run("python", script)


@nox.session
def benchmarks_smoke(session: nox.Session) -> None:
    """Run every benchmark at its smallest sizes, and compare its table with the recorded results."""
    session.install("--editable", ".[tests]")
    session.run("pytest", "--no-cov", "-n0", "benchmarks/test_smoke.py", *session.posargs)
