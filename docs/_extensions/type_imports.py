"""Makes the imports that only type checkers see, so that the types of the API pages can be read and linked."""

from __future__ import annotations

import ast
import contextlib
import importlib
import pathlib
import types
import typing as t

from sphinx.application import Sphinx

import dynaflask

PACKAGE = pathlib.Path(dynaflask.__file__).parent
# Its name is that of Python's hook at start.
SKIPPED = {"__main__", "sitecustomize"}


def setup(app: Sphinx) -> dict[str, t.Any]:
    """Make the imports before the pages are read."""
    app.connect("builder-inited", make_imports)
    return {"parallel_read_safe": True}


def make_imports(app: Sphinx) -> None:
    """Give each module the names that it imports under ``TYPE_CHECKING``."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.stem in SKIPPED:
            continue
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        # The extra of an integration may be missing.
        with contextlib.suppress(ImportError):
            _complete(importlib.import_module(".".join(parts).removesuffix(".__init__")), path)


def _complete(module: types.ModuleType, path: pathlib.Path) -> None:
    for block in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(block, ast.If) and ast.unparse(block.test) == "t.TYPE_CHECKING":
            for statement in block.body:
                if isinstance(statement, ast.ImportFrom | ast.Import):
                    code = compile(ast.Module([statement], type_ignores=[]), str(path), "exec", dont_inherit=True)
                    # Some types exist for type checkers alone.
                    with contextlib.suppress(ImportError):
                        exec(code, vars(module))  # noqa: S102 - the package's own imports
