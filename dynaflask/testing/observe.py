"""A pytest plugin that writes which calls the models of the tested apps make, for ``flask dynamo policy --observe``.

pytest -p dynaflask.testing.observe --observe-calls FILE
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import pathlib
import typing as t
import unittest.mock

from dynaflask.client.connection import Connection
from dynaflask.exceptions import DynaflaskError
from dynaflask.registry.context import current_scope
from dynaflask.registry.declaration import full_name
from dynaflask.tables.observed import ObservedCall
from dynaflask.tables.observed import actions_by_table
from dynaflask.tables.observed import format_call

if t.TYPE_CHECKING:
    import pytest

__all__ = ["observe_calls"]

OPTION = "--observe-calls"


@contextlib.contextmanager
def observe_calls(path: pathlib.Path) -> cabc.Iterator[None]:
    """Append the calls of the block to a file, each kind of call once.

    The calls of all apps and threads are observed, but not those of a client that the program got from dynaflask or
    made itself.

    Args:
        path: The file. Several processes may write to it.
    """
    make_call = Connection._make_call
    written: set[ObservedCall] = set()

    def observe(self: Connection, operation_name: str, operation_kwargs: dict[str, t.Any]) -> dict[str, t.Any]:
        for call in _calls(operation_name, operation_kwargs):
            if call not in written:
                written.add(call)
                # One write of a line at the end of the file: processes do not mix their lines.
                with path.open("a", encoding="utf-8") as file:
                    file.write(format_call(call))
        return make_call(self, operation_name, operation_kwargs)

    # Not _make_api_call: a plain call that nothing watches skips it.
    with unittest.mock.patch.object(Connection, "_make_call", observe):
        yield


def _calls(operation: str, params: dict[str, t.Any]) -> cabc.Iterator[ObservedCall]:
    scope = current_scope()
    actions = {} if scope is None else actions_by_table(operation, params)
    for table, names in actions.items():
        for model in _models_on(scope, table):
            for action in names:
                yield ObservedCall(model, params.get("IndexName"), action)


def _models_on(scope: t.Any, table: str) -> cabc.Iterator[str]:
    models = scope.registry.models
    for model in models.classes():
        # A model that this app cannot resolve is on no table of it.
        with contextlib.suppress(DynaflaskError, RuntimeError):
            if scope.resolve(models.declaration_of(model)).table_name == table:
                yield full_name(model)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.addoption(
        OPTION, metavar="FILE", type=pathlib.Path, help="Write the calls to DynamoDB into this file, for an IAM policy."
    )


def pytest_configure(config: pytest.Config) -> None:
    """Observe the calls of the session."""
    path: pathlib.Path | None = config.getoption(OPTION)
    if path is None:
        return
    # The workers of pytest-xdist add to the file of their controller.
    if not hasattr(config, "workerinput"):
        path.write_text("", encoding="utf-8")
    stack = contextlib.ExitStack()
    stack.enter_context(observe_calls(path.absolute()))
    config.add_cleanup(stack.close)
