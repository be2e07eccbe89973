"""Type checks of programs that use dynaflask, as its users run them: in a folder of their own, with strict settings.

The programs are ``forum.py`` here, those of the documentation, and ``examples/``. The script needs an installed
dynaflask, mypy and pyright. ty runs for information.
"""

from __future__ import annotations

import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

PROJECT = pathlib.Path(__file__).parents[2]
# The programs of a page: all of its blocks, or the files that it names.
PAGES = {
    "readme.py": ("README.md", r"^```python\n(.*?)^```$"),
    "type_checking.py": ("docs/howto/type-checking.md", r"^```python\n(.*?)^```$"),
    "quickstart.py": ("docs/tutorials/quickstart.md", r"^```{code-block} python\n:caption: app.py\n(.*?)^```$"),
}
# What the page on type checking tells the reader to write.
MYPY = """
[mypy]
strict = True
warn_unused_ignores = True
untyped_calls_exclude = pynamodb
# Flask-RESTX and Flask-Admin have no types.
[mypy-flask_restx.*,flask_admin.*]
ignore_missing_imports = True
[mypy-examples.forum.views]
disallow_subclassing_any = False
disallow_untyped_decorators = False
# OpenTelemetry's instrumentation of Flask has no types either.
[mypy-examples.forum.operations.traces]
disallow_untyped_calls = False
"""
PYRIGHT = {
    "typeCheckingMode": "standard",
    "strict": ["*.py"],
    # It infers wrong types from the source of Flask-RESTX, which has none, and Flask-Admin is not installed.
    "ignore": ["examples/forum/views.py", "examples/forum/operations/admin.py"],
    # Only here: mypy's comments stand in the same lines.
    "enableTypeIgnoreComments": False,
    "reportUnnecessaryTypeIgnoreComment": "error",
}
# See the page on type checking.
IGNORED_BY_TY = ("--ignore", "incompatible-attribute-override")


def write_programs(folder: pathlib.Path) -> None:
    """Put the programs and the checkers' settings into a folder."""
    for name, (page, block) in PAGES.items():
        blocks = re.findall(block, (PROJECT / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
        if not blocks:
            raise SystemExit(f"{page} has no block of the program {name}: change PAGES in {__file__}.")
        (folder / name).write_text("\n\n".join(blocks), encoding="utf-8")
    shutil.copy(pathlib.Path(__file__).with_name("forum.py"), folder)
    shutil.copytree(PROJECT / "examples", folder / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "mypy.ini").write_text(MYPY, encoding="utf-8")
    (folder / "pyrightconfig.json").write_text(json.dumps(PYRIGHT), encoding="utf-8")


def run(checker: str, *arguments: str, folder: pathlib.Path) -> bool:
    """True if a checker accepts the programs."""
    print(f"{checker}:", flush=True)  # noqa: T201 - for the person who runs it
    command = [sys.executable, "-m", checker, *arguments]
    return subprocess.run(command, cwd=folder, check=False).returncode == 0


def main() -> int:
    """Run the checkers, and return the exit code."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_programs(folder)
        accepted = [
            run("mypy", ".", folder=folder),
            run("pyright", "--pythonpath", sys.executable, folder=folder),
        ]
        # ty is not finished: what it says is for information.
        run(
            "ty",
            "check",
            "--python",
            sys.executable,
            "--output-format",
            "concise",
            "--exit-zero",
            *IGNORED_BY_TY,
            folder=folder,
        )
    return 0 if all(accepted) else 1


if __name__ == "__main__":
    sys.exit(main())
