"""The documentation: its Python runs, its commands exist, and its reference names what there is."""

from __future__ import annotations

import collections.abc as cabc
import configparser
import doctest
import pathlib
import re
import shlex
import subprocess
import sys
import typing as t

import boto3
import botocore.config
import flask
import pytest
import urllib3

import dynaflask
from dynaflask import local
from dynaflask.cli import commands
from dynaflask.config.bind import BIND_FIELDS
from tests.support.paths import PROJECT

PAGES = {
    path.relative_to(PROJECT).as_posix(): path.read_text(encoding="utf-8")
    for path in (PROJECT / "README.md", *sorted(PROJECT.glob("docs/**/*.md")))
}
ALL_PAGES = "\n".join(PAGES.values())

# The settings page has a directive for each setting, which ends with an example.
EXAMPLES = dict(
    re.findall(
        r"^```{confval} (DYNAMODB_\w+)\n(?:.*\n)*?Example: `(.+)`\n```$",
        PAGES["docs/reference/settings.md"],
        re.MULTILINE,
    )
)
APP_SETTINGS = {
    "DYNAMODB_BINDS",
    "DYNAMODB_MODELS",
    "DYNAMODB_MAX_CLIENTS",
    "DYNAMODB_CLIENT_IDLE_SECONDS",
    "DYNAMODB_ERROR_HANDLERS",
    "DYNAMODB_METER",
    "DYNAMODB_METER_MAX_TENANTS",
    "DYNAMODB_TENANT_CAPACITY",
    "DYNAMODB_TENANTS",
    "DYNAMODB_TENANT_TTL_SECONDS",
    "DYNAMODB_REQUIRE_TENANT",
}
BIND_SETTINGS = {f"DYNAMODB_{name.upper()}" for name in BIND_FIELDS}
ROLE = {"DYNAMODB_ROLE_ARN": "arn:aws:iam::111122223333:role/forum"}
KEY_PAIR = {"DYNAMODB_AWS_ACCESS_KEY_ID": "key", "DYNAMODB_AWS_SECRET_ACCESS_KEY": "secret"}


class Block(t.NamedTuple):
    """One fenced block of a page."""

    kind: str
    file: str | None
    code: str
    line: int


def read_blocks(page: str) -> list[Block]:
    """The blocks of a page. One of ``{code-block}`` with a caption is a file of that name."""
    fences = re.finditer(r"^```(\S.*)\n(?::caption: (\S+)\n\n)?((?:.*\n)*?)```$", PAGES[page], re.MULTILINE)
    return [Block(*fence.groups(), line=PAGES[page].count("\n", 0, fence.start(3))) for fence in fences]


def pages_with(*kinds: str) -> list[str]:
    """The pages that have blocks of these kinds."""
    return [page for page in PAGES if {block.kind for block in read_blocks(page)} & set(kinds)]


def lines_of(kind: str) -> list[str]:
    """The lines of all blocks of a kind."""
    return [
        line for page in PAGES for block in read_blocks(page) if block.kind == kind for line in block.code.splitlines()
    ]


@pytest.fixture
def empty_engine() -> cabc.Iterator[None]:
    """What a page leaves on the local server is gone before the next."""
    yield
    urllib3.PoolManager().request("POST", f"{local.endpoint()}/_ministack/reset")


@pytest.mark.usefixtures("empty_engine")
@pytest.mark.parametrize("page", pages_with("python", "pycon"))
def test_the_python_of_a_page_runs_in_its_order(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    """All blocks share one namespace, and print what the page says that they print."""
    namespace = {"__name__": page}
    for block in read_blocks(page):
        if block.kind == "python":
            exec(compile("\n" * block.line + block.code, page, "exec", dont_inherit=True), namespace)  # noqa: S102
        elif block.kind == "pycon":
            session = doctest.DocTestParser().get_doctest(block.code, {}, page, page, block.line)
            session.globs = namespace
            doctest.DebugRunner(optionflags=doctest.ELLIPSIS).run(session, clear_globs=False)
    code = "".join(block.code for block in read_blocks(page) if block.kind == "python")
    assert capsys.readouterr().out.splitlines() == re.findall(r"^ *print\(.*\)  # (.+)$", code, re.MULTILINE)


@pytest.mark.parametrize("page", pages_with("{code-block} python"))
def test_the_files_of_a_page_pass_their_tests(page: str, tmp_path: pathlib.Path) -> None:
    """Whoever saves the files under their captions and calls pytest sees the tests pass."""
    for block in read_blocks(page):
        if block.file is not None:
            (tmp_path / block.file).write_text(block.code, encoding="utf-8")
    command = [sys.executable, "-W", "error", "-m", "pytest", "--quiet", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_block_escapes_the_tests() -> None:
    """Each block is of a kind that is run or checked, or has no code of its own."""
    run_or_checked = {"python", "pycon", "{code-block} python", "sh"}
    without_code = {"text", "console", "{toctree}", "{glossary}", "{eval-rst}", "{note}"}
    kinds = {block.kind for page in PAGES for block in read_blocks(page)}
    assert {
        kind for kind in kinds if not kind.startswith(("{literalinclude}", "{confval}", "{include}"))
    } <= run_or_checked | without_code


def test_every_captioned_block_is_a_file() -> None:
    """A block that pytest is to find under its caption has one."""
    blocks = [block for page in PAGES for block in read_blocks(page)]
    assert all(block.file for block in blocks if block.kind == "{code-block} python")


def test_the_settings_page_names_every_setting_and_no_other() -> None:
    """A setting that is added, renamed or removed has its row."""
    assert EXAMPLES.keys() == APP_SETTINGS | BIND_SETTINGS


@pytest.mark.parametrize("setting", sorted(EXAMPLES))
def test_the_example_of_a_setting_is_accepted(setting: str) -> None:
    """What the settings page shows can be copied."""
    example = eval(EXAMPLES[setting], {"boto3": boto3, "Config": botocore.config.Config})  # noqa: S307
    app = flask.Flask(setting)
    needed = (
        KEY_PAIR
        if setting.startswith("DYNAMODB_AWS_")
        else ROLE
        if re.search("_ROLE_|EXTERNAL_ID|SESSION_TAGS|SESSION_POLICY", setting)
        else {}
    )
    app.config.update(needed, **{setting: example})
    dynaflask.Dynamo(app)


def test_the_documentation_names_no_setting_that_is_not_there() -> None:
    """Every word that looks like a setting is one."""
    assert set(re.findall(r"\bDYNAMODB_[A-Z_]+[A-Z]\b", ALL_PAGES)) - {"DYNAMODB_TEST_HOST"} <= EXAMPLES.keys()


def test_the_variables_of_the_environment_are_settings() -> None:
    """The examples of ``from_prefixed_env`` configure an app without a warning."""
    variables = dict(re.findall(r"\bFLASK_(DYNAMODB_\w+)=(\S+)", "\n".join(lines_of("sh"))))
    assert {variable.partition("__")[0] for variable in variables} <= EXAMPLES.keys()


def test_the_api_page_names_every_public_name() -> None:
    """What can be imported from ``dynaflask`` is documented."""
    directives = r"^\.\. auto(?:class|exception|data):: dynaflask\.(\w+)(?:\(\))?$"
    assert sorted(re.findall(directives, PAGES["docs/reference/api.md"], re.MULTILINE)) == sorted(dynaflask.__all__)


def test_the_errors_page_shows_the_tree_of_errors() -> None:
    """It is the one that the module draws."""
    assert dynaflask.exceptions.__doc__
    tree = [line.strip() for line in dynaflask.exceptions.__doc__.splitlines() if "──" in line]
    assert tree
    assert all(line in PAGES["docs/reference/errors.md"] for line in tree)


def test_the_errors_page_quotes_messages_that_there_are() -> None:
    """Whoever searches it for the message that they got finds it."""
    modules = (PROJECT / "dynaflask").glob("**/*.py")
    source = "".join(re.sub(r'"\s*f?"', "", module.read_text(encoding="utf-8")) for module in modules)
    quoted = re.findall(r"^\| `\w+Error` \| (.+?) \|", PAGES["docs/reference/errors.md"], re.MULTILINE)
    assert quoted
    assert [message for message in quoted if not all(part in source for part in message.split(" … "))] == []


def test_the_architecture_page_shows_every_module() -> None:
    """Whoever adds a module says on which floor it stands."""
    modules = {path.name for path in (PROJECT / "dynaflask").glob("**/[!_]*.py")}
    shown = set(re.findall(r"\b[a-z_0-9]+\.py\b", PAGES["docs/explanation/architecture.md"]))
    assert modules <= shown


def test_the_commands_of_flask_dynamo_are_there() -> None:
    """Each is called with a command's name and options."""
    calls = re.findall(r"^flask .*\bdynamo (.+)$", "\n".join(lines_of("sh")), re.MULTILINE)
    assert calls
    for name, *arguments in map(shlex.split, calls):
        commands.dynamo.commands[name].make_context(name, arguments)


def test_the_extras_are_there() -> None:
    """What ``pip install`` is told to install is in the package's metadata."""
    config = configparser.ConfigParser()
    config.read(PROJECT / "setup.cfg", encoding="utf-8")
    asked = re.findall(r'pip install .*"(?:dynaflask|\.)\[([\w,]+)\]"', "\n".join(lines_of("sh")))
    assert asked
    assert set(",".join(asked).split(",")) <= config["options.extras_require"].keys()


def test_the_readme_has_two_commands() -> None:
    """One runs the example, the other the tests; each is one line in a block of its own."""
    commands = [block.code for block in read_blocks("README.md") if block.kind == "sh"]
    assert [command.count("\n") for command in commands] == [1, 1]
    assert commands[0].endswith("&& .venv/forum/bin/python -m examples.forum\n")
    assert commands[1].endswith("&& .venv/bin/pytest\n")
    assert PAGES["README.md"].count(".venv/bin/pytest\n") == 1


@pytest.mark.parametrize("page", [page for page in PAGES if "](" in PAGES[page]])
def test_the_links_of_a_page_lead_to_files(page: str) -> None:
    """They are relative, so that they work in a clone too."""
    targets = re.findall(r"\]\((?!https?://)([^)#]+)", PAGES[page])
    folder = (PROJECT / page).parent
    assert all((folder / target).is_file() for target in targets), targets
