"""What the project says about versions, sessions and extras is the same everywhere."""

from __future__ import annotations

import collections.abc as cabc
import configparser
import os
import pathlib
import re
import shutil
import subprocess
import typing as t

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.paths import PROJECT

NOXFILE = (PROJECT / "noxfile.py").read_text(encoding="utf-8")
PYTHONS = re.findall(r'"([\d.]+)"', NOXFILE.partition("PYTHONS = [")[2].partition("]")[0])
SESSIONS = set(re.findall(r"^def (\w+)\(session", NOXFILE, re.MULTILINE))
FOR_DEVELOPERS = {"tests", "templates", "tracers", "docs", "typing", "dev"}
BASH = shutil.which("bash")
WORKFLOWS = PROJECT / ".github" / "workflows"
in_a_clone = pytest.mark.skipif(not WORKFLOWS.exists(), reason="the sdist has no workflows")


def read_page(name: str) -> str:
    return (PROJECT / name).read_text(encoding="utf-8")


def read_setup() -> configparser.ConfigParser:
    config = configparser.ConfigParser()
    config.read(PROJECT / "setup.cfg", encoding="utf-8")
    return config


def requirements(*extras: str) -> dict[str, Requirement]:
    """The requirements of the package, or those of extras, by name."""
    config = read_setup()
    lines = [config["options.extras_require"][extra] for extra in extras] or [config["options"]["install_requires"]]
    parsed = [Requirement(line) for text in lines for line in text.split("\n") if line]
    return {canonicalize_name(requirement.name): requirement for requirement in parsed}


def lower_bounds() -> dict[str, str]:
    """Python and the packages that dynaflask needs, with the minor version that is the oldest."""
    bounds = {"python": read_setup()["options"]["python_requires"]}
    bounds |= {name: str(requirement.specifier) for name, requirement in requirements().items()}
    return {name: ".".join(bound.removeprefix(">=").split(".")[:2]) for name, bound in bounds.items()}


def read_workflow(name: str) -> dict[str, t.Any]:
    workflow: dict[str, t.Any] = yaml.safe_load((WORKFLOWS / name).read_text(encoding="utf-8"))
    return workflow


def test_each_supported_python_is_tested() -> None:
    """The classifiers name the Pythons of nox, from the lower bound on."""
    classifiers = re.findall(r"Python :: (3\.\d+)$", read_setup()["metadata"]["classifiers"], re.MULTILINE)
    assert classifiers == PYTHONS
    assert PYTHONS[0] == lower_bounds()["python"]


@in_a_clone
def test_the_workflow_tests_each_supported_python() -> None:
    """The tests, and the use of the wheel, run on each Python of nox."""
    jobs = read_workflow("tests.yaml")["jobs"]
    assert jobs["tests"]["strategy"]["matrix"]["python"] == PYTHONS
    (setup,) = [step for step in jobs["dist"]["steps"] if step.get("uses", "").startswith("actions/setup-python")]
    assert setup["with"]["python-version"].split() == PYTHONS


@pytest.mark.parametrize("page", ["README.md", "docs/installation.md"])
def test_a_page_says_what_is_supported(page: str) -> None:
    """The sentence has the Pythons of nox, and the lower bounds of setup.cfg."""
    oldest = lower_bounds()
    sentence = (
        f"dynaflask runs on Python {PYTHONS[0]} to {PYTHONS[-1]}, with Flask {oldest['flask']},"
        f" PynamoDB {oldest['pynamodb']} and botocore {oldest['botocore']}, or newer."
    )
    assert sentence in " ".join(read_page(page).split())


def test_the_changes_say_what_the_first_release_needs() -> None:
    """The first lines of the changes have the lower bounds of setup.cfg."""
    oldest = lower_bounds()
    sentence = f"Python {oldest['python']}, Flask {oldest['flask']}, PynamoDB {oldest['pynamodb']} and botocore"
    assert f"It needs {sentence} {oldest['botocore']}, or newer." in read_page("CHANGES.md")


def test_the_upgrade_policy_has_the_supported_versions() -> None:
    """The table has the oldest Python and packages, and the newest Python."""
    rows = re.findall(r"^\| (\w+) \| ([\d.]+).*? \| (.+?) \|$", read_page("docs/upgrading.md"), re.MULTILINE)
    oldest = {name.lower(): old for name, old, _ in rows}
    assert oldest == {name: bound for name, bound in lower_bounds().items() if name != "werkzeug"}
    assert {name: new for name, _, new in rows}["Python"] == PYTHONS[-1]


def test_the_tools_check_for_the_oldest_python() -> None:
    """ruff and mypy check the code for the lower bound."""
    oldest = lower_bounds()["python"]
    settings = read_page("pyproject.toml")
    assert f'target-version = "py{oldest.replace(".", "")}"' in settings
    assert f'python_version = "{oldest}"' in settings


def test_the_version_is_that_of_the_changes() -> None:
    """The version is in setup.cfg. The newest changes are of that version, and security fixes go into its minor."""
    version = read_setup()["metadata"]["version"]
    assert re.findall(r"^## \[(.+?)\]", read_page("CHANGES.md"), re.MULTILINE)[0] == version
    assert f"| {version.rpartition('.')[0]} | yes |" in read_page("SECURITY.md")


def test_the_sessions_of_the_instructions_exist() -> None:
    """CONTRIBUTING.md names sessions of the noxfile."""
    named = re.findall(r"nox (?:-s|--session) (\w+)", read_page("CONTRIBUTING.md"))
    assert named
    assert set(named) <= SESSIONS


@in_a_clone
def test_the_sessions_of_the_workflows_exist() -> None:
    """CI runs sessions of the noxfile. A release publishes what the workflow of the tests has built."""
    matrices = [job.get("strategy", {}).get("matrix", {}) for job in read_workflow("tests.yaml")["jobs"].values()]
    named = {name for matrix in matrices for name in matrix.get("session", [])}
    named |= {entry["session"] for matrix in matrices for entry in matrix.get("include", [])}
    script = (PROJECT / ".ci" / "run").read_text(encoding="utf-8")
    named |= {name for line in re.findall(r'"\$\{nox\[@\]\}".*--session ([\w ]+)', script) for name in line.split()}
    assert {"lint", "minimums", "proof"} <= named <= SESSIONS
    jobs = read_workflow("publish.yaml")["jobs"]
    assert (jobs["tests"]["uses"], jobs["publish"]["needs"]) == ("./.github/workflows/tests.yaml", "tests")


@in_a_clone
@pytest.mark.skipif(BASH is None, reason="the step is a script for bash")
def test_the_index_gets_a_readme_with_absolute_links(tmp_path: pathlib.Path) -> None:
    """Before a release is built, each link of the README to a file becomes one to the repository at that commit."""
    (script,) = [step["run"] for step in read_workflow("tests.yaml")["jobs"]["dist"]["steps"] if "sed" in str(step)]
    (tmp_path / "README.md").write_text(read_page("README.md"), encoding="utf-8")
    repository = "https://git.example.com/forum/dynaflask"
    environment = {"PATH": os.environ["PATH"], "REPOSITORY": repository, "GITHUB_SHA": "c0ffee"}
    subprocess.run([str(BASH), "-euc", script], cwd=tmp_path, env=environment, check=True)
    link = re.compile(r"(!?)\[[^]]*\]\(([^)]+)\)")
    before = link.findall(read_page("README.md"))
    after = link.findall((tmp_path / "README.md").read_text(encoding="utf-8"))
    files = [target for _, target in before if "://" not in target]
    assert files
    assert all((PROJECT / target).is_file() for target in files)
    folder = {"!": "raw", "": "blob"}
    assert after == [
        (mark, target if "://" in target else f"{repository}/{folder[mark]}/c0ffee/{target}") for mark, target in before
    ]


@in_a_clone
def test_only_the_upload_may_ask_for_an_identity() -> None:
    """No job but the one that uploads has a permission beyond reading."""
    for name in ("tests.yaml", "publish.yaml"):
        workflow = read_workflow(name)
        assert workflow["permissions"] == {"contents": "read"}
        allowed = {key: job["permissions"] for key, job in workflow["jobs"].items() if "permissions" in job}
        assert allowed == ({"publish": {"id-token": "write"}} if name == "publish.yaml" else {})


@in_a_clone
def test_the_site_is_built_with_an_existing_extra() -> None:
    """Read the Docs installs the extra of the documentation."""
    (install,) = yaml.safe_load(read_page(".readthedocs.yaml"))["python"]["install"]
    assert install["extra_requirements"] == ["docs"]
    assert "docs" in read_setup()["options.extras_require"]


def locked_versions() -> cabc.Iterator[Requirement]:
    """The lines of constraints.txt. A package has several if its version depends on the Python."""
    for line in read_page("constraints.txt").splitlines():
        if not line.startswith("#"):
            yield Requirement(line)


def test_the_constraints_have_each_requirement() -> None:
    """Each requirement has versions in constraints.txt, and all of them fit it. ``nox --session lock`` renews them."""
    locked: dict[str, list[str]] = {}
    for line in locked_versions():
        locked.setdefault(canonicalize_name(line.name), []).append(str(line.specifier).removeprefix("=="))
    extras = read_setup()["options.extras_require"].keys() - {"all", "local", "tracers", "dev"}
    for name, requirement in {**requirements(), **requirements(*extras)}.items():
        assert locked.get(name), f"{name} is not in constraints.txt"
        assert all(requirement.specifier.contains(version) for version in locked[name]), f"{name} is too old"


def test_the_constraints_name_no_index() -> None:
    """The versions are of any index: the file has no URL and no option."""
    assert all(line.url is None for line in locked_versions())


def test_the_tests_have_the_packages_of_the_extras() -> None:
    """The extra ``tests`` has each package that an extra for users installs, with the same bound."""
    extras = read_setup()["options.extras_require"].keys() - FOR_DEVELOPERS - {"all", "local"}
    of_tests = requirements("tests")
    missing = {name: str(each) for name, each in requirements(*extras).items() if of_tests.get(name) != each}
    # Those of opentelemetry-instrumentation-botocore and opentelemetry-sdk, and the sentry-sdk with its Flask.
    assert missing.keys() == {"opentelemetry-api", "opentelemetry-instrumentation", "sentry-sdk"}


@pytest.mark.parametrize("extra", sorted(read_setup()["options.extras_require"].keys() - FOR_DEVELOPERS - {"all"}))
def test_the_table_of_the_extras_names_the_packages(extra: str) -> None:
    """The row of an extra on the installation page has the packages that it installs."""
    row = re.search(rf"^\| `{extra}` \| (.+?) \|", read_page("docs/installation.md"), re.MULTILINE)
    assert row
    assert {canonicalize_name(name) for name in row[1].split(", ")} == requirements(extra).keys()
