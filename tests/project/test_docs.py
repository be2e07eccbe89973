"""The documentation: its Python runs, its commands exist, and its reference is complete."""

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
from dynaflask.client.transport import Transport
from dynaflask.config.fields import MODEL_ONLY_SETTINGS
from dynaflask.config.fields import SETTINGS
from tests.support.paths import PROJECT
from tests.support.paths import environment

pytestmark = pytest.mark.unmeasured

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
ALL_SETTINGS = {f"DYNAMODB_{setting.name.upper()}" for setting in SETTINGS if setting.name not in MODEL_ONLY_SETTINGS}
ROLE = {"DYNAMODB_ROLE_ARN": "arn:aws:iam::111122223333:role/forum"}
KEY_PAIR = {"DYNAMODB_AWS_ACCESS_KEY_ID": "key", "DYNAMODB_AWS_SECRET_ACCESS_KEY": "secret"}


class Block(t.NamedTuple):
    """One fenced block of a page."""

    language: str
    file: str | None
    code: str
    line: int


def read_blocks(page: str) -> list[Block]:
    """The blocks of a page. A ``{code-block}`` with a caption is a file of that name."""
    fences = re.finditer(r"^```(\S.*)\n(?::caption: (\S+)\n\n)?((?:.*\n)*?)```$", PAGES[page], re.MULTILINE)
    return [Block(*fence.groups(), line=PAGES[page].count("\n", 0, fence.start(3))) for fence in fences]


def pages_with(*languages: str) -> list[str]:
    """The pages that have blocks in these languages."""
    return [page for page in PAGES if {block.language for block in read_blocks(page)} & set(languages)]


def lines_of(language: str) -> list[str]:
    """The lines of all blocks in a language."""
    blocks = [block for page in PAGES for block in read_blocks(page) if block.language == language]
    return [line for block in blocks for line in block.code.splitlines()]


@pytest.fixture
def reset_server() -> None:
    """Empty the local server, which may have tables of another page or test."""
    urllib3.PoolManager().request("POST", f"{local.endpoint()}/_ministack/reset")


@pytest.mark.usefixtures("reset_server")
@pytest.mark.parametrize("page", pages_with("python", "pycon"))
def test_the_python_of_a_page_runs_in_its_order(
    page: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The blocks of a page share one namespace, and print the values in their comments."""
    # A page that imports an example declares its models, as in a program that has imported nothing.
    for module in [name for name in sys.modules if name.partition(".")[0] == "examples"]:
        monkeypatch.delitem(sys.modules, module)
    namespace = {"__name__": page}
    for block in read_blocks(page):
        if block.language == "python":
            exec(compile("\n" * block.line + block.code, page, "exec", dont_inherit=True), namespace)  # noqa: S102
        elif block.language == "pycon":
            session = doctest.DocTestParser().get_doctest(block.code, {}, page, page, block.line)
            session.globs = namespace
            doctest.DebugRunner(optionflags=doctest.ELLIPSIS).run(session, clear_globs=False)
    code = "".join(block.code for block in read_blocks(page) if block.language == "python")
    assert capsys.readouterr().out.splitlines() == re.findall(r"^ *print\(.*\)  # (.+)$", code, re.MULTILINE)


@pytest.mark.parametrize("page", pages_with("{code-block} python"))
def test_the_files_of_a_page_pass_their_tests(page: str, tmp_path: pathlib.Path) -> None:
    """The files of a page, saved under their captions, pass their tests in any order, and in two processes."""
    for block in read_blocks(page):
        if block.file is not None:
            (tmp_path / block.file).write_text(block.code, encoding="utf-8")
    # By its module: where the project is installed for another clone, its entry points may be of before.
    plugins = ["dynaflask.integrations.pytest", "xdist", "randomly"]
    options = [option for plugin in plugins for option in ("-p", plugin)]
    command = [sys.executable, "-W", "error", "-m", "pytest", "--quiet", "-p", "no:cacheprovider", "-n2", *options]
    variables = environment(PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    process = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stdout + process.stderr


# Words that people search for.
WORDS = (
    *("deploy", "GSI", "health check", "metrics", "migrate", "multi-tenancy", "mypy", "OpenTelemetry", "pagination"),
    *("rate limit", "serverless", "subdomain"),
)


@pytest.mark.parametrize("word", WORDS)
def test_a_word_is_in_a_title_or_in_first_lines(word: str) -> None:
    """A how-to page has the word in its title or in its first paragraph, where a search shows it."""
    starts = [
        re.sub(r"^```(?:.*\n)*?```\n", "", text, flags=re.MULTILINE).split("\n\n")[:2]
        for name, text in PAGES.items()
        if name.startswith("docs/howto/")
    ]
    assert [start for start in starts if word.lower() in " ".join(start).lower()]


def test_no_block_escapes_the_tests() -> None:
    """Each block has a language that is run or checked, or contains no code."""
    run_or_checked = {"python", "pycon", "{code-block} python", "sh"}
    without_code = {"text", "console", "{toctree}", "{glossary}", "{eval-rst}", "{note}", "{settings-table}"}
    languages = {block.language for page in PAGES for block in read_blocks(page)}
    includes = ("{literalinclude}", "{confval}", "{include}", "{index}")
    assert {name for name in languages if not name.startswith(includes)} <= run_or_checked | without_code


def test_every_captioned_block_is_a_file() -> None:
    """Each Python ``{code-block}`` has a caption, its file name."""
    blocks = [block for page in PAGES for block in read_blocks(page)]
    assert all(block.file for block in blocks if block.language == "{code-block} python")


def test_a_caption_shows_the_name_of_its_file() -> None:
    """Markdown reads two underscores on each side as bold, and leaves them out: they are escaped."""
    captions = [caption for text in PAGES.values() for caption in re.findall(r"^:caption: (.+)$", text, re.MULTILINE)]
    assert [caption for caption in captions if "__" in caption] == []


def test_the_settings_page_names_every_setting_and_no_other() -> None:
    """The settings page has exactly the existing settings."""
    assert EXAMPLES.keys() == ALL_SETTINGS


@pytest.mark.parametrize("setting", sorted(EXAMPLES))
def test_the_example_of_a_setting_is_accepted(setting: str) -> None:
    """An app accepts the example of each setting."""
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


def test_the_documentation_names_only_existing_settings() -> None:
    """Every word in the documentation that looks like a setting is one."""
    assert set(re.findall(r"\bDYNAMODB_[A-Z_]+[A-Z]\b", ALL_PAGES)) - {"DYNAMODB_TEST_HOST"} <= EXAMPLES.keys()


def test_the_variables_of_the_environment_are_settings() -> None:
    """The environment variables in the examples are existing settings."""
    variables = dict(re.findall(r"\bFLASK_(DYNAMODB_\w+)=(\S+)", "\n".join(lines_of("sh"))))
    assert {variable.partition("__")[0] for variable in variables} <= EXAMPLES.keys()


def test_the_errors_page_shows_the_tree_of_errors() -> None:
    """The errors page shows every line of the tree in ``dynaflask.exceptions``."""
    assert dynaflask.exceptions.__doc__
    tree = [line.strip() for line in dynaflask.exceptions.__doc__.splitlines() if "──" in line]
    assert tree
    assert all(line in PAGES["docs/reference/errors.md"] for line in tree)


def test_measurements_are_in_the_results_alone() -> None:
    """No page of docs/ has a measured time or a ratio in its text: it includes the results of the benchmarks."""
    measurements = set()
    for page, text in PAGES.items():
        prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
        measurements |= {(page, found) for found in re.findall(r"\b\d[\d.,]* ?(?:us|ms|times)\b", prose)}
    # The lowest bound of a histogram, and the name of a row of the results.
    names = {("docs/howto/metrics.md", "1 ms"), ("docs/performance.md", "1 ms")}
    assert {(page, found) for page, found in measurements if page != "README.md"} == names


def test_the_troubleshooting_page_has_every_error() -> None:
    """The troubleshooting page has an entry for each class in the tree of ``dynaflask.exceptions``."""
    entries = re.findall(r"^### (\w+)", PAGES["docs/howto/troubleshooting.md"], re.MULTILINE)
    errors = re.findall(r"── (\w+) ", dynaflask.exceptions.__doc__ or "")
    assert errors
    assert [name for name in errors if name not in entries] == []


def test_the_troubleshooting_page_says_what_to_do() -> None:
    """Each entry ends with what to do, and comes after its cause."""
    entries = re.split(r"^##+ ", PAGES["docs/howto/troubleshooting.md"], flags=re.MULTILINE)[1:]
    assert [entry.partition("\n")[0] for entry in entries if "\n- Cause:" in entry and "\n- Fix:" not in entry] == []


def test_the_troubleshooting_page_quotes_existing_messages() -> None:
    """Each quoted message of dynaflask is in the source; those of AWS, botocore and boto3 are not."""
    modules = (PROJECT / "dynaflask").glob("**/*.py")
    source = "".join(re.sub(r'"\s*f?"', "", module.read_text(encoding="utf-8")) for module in modules)
    lines = re.findall(r"^- Message: (.+(?:\n  .+)*)", PAGES["docs/howto/troubleshooting.md"], re.MULTILINE)
    quoted = {message for line in lines for message in re.findall("`(.+?)`", line)}
    of_others = {
        "Connect timeout on endpoint URL",
        "Connection in use",
        "Could not connect to the endpoint URL",
        "Could not import 'app'",
        "Could not locate a Flask application",
        "No module named 'dynaflask'",
        "No such command 'dynamo'",
        "One or more parameter values were invalid: Missing the key",
        "Port 5000 is in use by another program",
        "Read timeout on endpoint URL",
        "Requested resource not found",
        "Supplied AttributeValue is empty",
        "The conditional request failed",
        "The parameter cannot be converted to a numeric value",
        "The provided key element does not match the schema",
        "The security token included in the request is expired",
        "The security token included in the request is invalid",
        "Type mismatch for key",
        "Unable to locate credentials",
        "WORKER TIMEOUT",
        "Working outside of application context",
        "cannot import name 'db' from partially initialized module",
        "is not authorized to perform: dynamodb:…",
        "missing 1 required positional argument: 'hash_key'",
    }
    assert of_others < quoted
    ours = quoted - of_others
    missing = [message for message in ours if not all(part in source for part in re.split(" ?… ?", message))]
    assert missing == []


def modules_in(layout: str) -> cabc.Iterator[str]:
    """The modules of a layout. A line belongs to the folders that are less indented, and may begin with one itself."""
    folders: list[tuple[int, str]] = []
    for line in filter(str.strip, layout.splitlines()):
        indent = len(line) - len(line.lstrip())
        folders = [folder for folder in folders if folder[0] < indent]
        if folder := re.match(r"\s*([\w/]+)/(?:\s|$)", line):
            folders.append((indent, folder[1]))
        for module in re.findall(r"\b[a-z][a-z0-9_]*\.py\b", line):
            yield "/".join([*(name for _, name in folders), module])


def test_the_architecture_page_shows_every_module() -> None:
    """The layout on the architecture page has every module exactly once, in its folder, and no other."""
    blocks = read_blocks("docs/explanation/architecture.md")
    (layout,) = (block.code for block in blocks if block.code.startswith("dynaflask/\n"))
    modules = [path.relative_to(PROJECT).as_posix() for path in (PROJECT / "dynaflask").rglob("[!_]*.py")]
    assert sorted(modules_in(layout)) == sorted(modules)


def test_the_commands_of_flask_dynamo_exist() -> None:
    """Each call of ``flask dynamo`` has an existing command and existing options."""
    calls = re.findall(r"^flask .*\bdynamo (.+)$", "\n".join(lines_of("sh")), re.MULTILINE)
    assert calls
    for name, *arguments in map(shlex.split, calls):
        commands.dynamo.commands[name].make_context(name, arguments)


def test_the_page_about_the_forum_names_each_file() -> None:
    """The table of the walk through the example has each of its files, or its folder, and no other."""
    page = PAGES["docs/tutorials/forum.md"]
    rows = re.findall(r"^\| (`.+?) \| \[", page, re.MULTILINE)
    names = {name for row in rows for name in re.findall("`(.+?)`", row)}
    folder = PROJECT / "examples/forum"
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*.*") if path.suffix != ".pyc"}
    assert [name for name in names if not (folder / name).exists()] == []
    assert {file for file in files if file not in names and f"{file.partition('/')[0]}/" not in names} == {
        "__init__.py"
    }


def read_extras() -> dict[str, str]:
    """The extras of setup.cfg that are for users, with their requirements."""
    config = configparser.ConfigParser()
    config.read(PROJECT / "setup.cfg", encoding="utf-8")
    extras = config["options.extras_require"]
    return {
        name: extras[name] for name in extras if name not in {"tests", "templates", "tracers", "docs", "typing", "dev"}
    }


def test_the_extras_exist() -> None:
    """Each extra in a ``pip install`` command is in the package's metadata."""
    extras = re.findall(r'pip install .*"(?:dynaflask|\.)\[([\w,]+)\]"', "\n".join(lines_of("sh")))
    assert extras
    assert set(",".join(extras).split(",")) <= {*read_extras(), "tests"}


def test_the_installation_page_lists_every_extra() -> None:
    """The table of the extras has a row for each one."""
    rows = re.findall(r"^\| `(\w+)` \|", PAGES["docs/installation.md"], re.MULTILINE)
    assert sorted(rows) == sorted(read_extras())


def test_the_extra_all_has_all_others_but_the_local_server() -> None:
    """``all`` names each other extra except ``local``, which pins botocore."""
    named = re.findall(r"dynaflask\[([\w,]+)\]", read_extras()["all"])
    assert sorted(",".join(named).split(",")) == sorted(read_extras().keys() - {"all", "local"})


def test_the_readme_has_two_commands() -> None:
    """The README has two shell blocks of one line each: one starts the example, one runs the tests."""
    commands = [block.code for block in read_blocks("README.md") if block.language == "sh"]
    assert [command.count("\n") for command in commands] == [1, 1]
    assert commands[0].endswith("&& .venv/forum/bin/python -m examples.forum\n")
    assert commands[1].endswith("&& .venv/bin/pytest\n")
    assert PAGES["README.md"].count(".venv/bin/pytest\n") == 1


@pytest.mark.parametrize("page", [page for page in PAGES if "](" in PAGES[page]])
def test_the_links_of_a_page_lead_to_files(page: str) -> None:
    """Relative links lead to existing files, so that they work in a clone too."""
    targets = re.findall(r"\]\((?!https?://)([^)#]+)", PAGES[page])
    folder = (PROJECT / page).parent
    assert all((folder / target).is_file() for target in targets), targets


def test_the_settings_page_names_the_attributes_of_a_transport() -> None:
    """The page names each attribute of ``meta.dynaflask_transport``, and no other."""
    sentence = PAGES["docs/reference/settings.md"].partition(".meta.dynaflask_transport`")[2].partition(".")[0]
    assert tuple(re.findall(r"`(\w+)`", sentence)) == Transport._fields
