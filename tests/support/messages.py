"""The messages of the package, read from its source: of its errors, its warnings and its log from WARNING on."""

from __future__ import annotations

import ast
import builtins
import collections.abc as cabc
import functools
import inspect
import pathlib
import re
import typing as t

import click
import werkzeug.exceptions

from dynaflask import exceptions
from tests.support.paths import PACKAGE

# Stands for a part that differs.
GAP = "…"
ERRORS = {
    name
    for module in (builtins, exceptions, werkzeug.exceptions, click)
    for name, value in vars(module).items()
    if inspect.isclass(value) and issubclass(value, BaseException)
} | {"InvalidValue", "StopValidation", "TableError"}
# Functions and classes of the package that take a message, and its position.
OTHERS = {"_batch_error": 0, "Advice": 2, "UnknownModel": 1, "TransferError": 1, "UnclearBlockError": 0}
# Methods of loggers, of `warnings` and of the base class of an error.
METHODS = {"critical": 0, "error": 0, "exception": 0, "log": 1, "warn": 0, "warning": 0, "__init__": 0}
# A sentence with fewer characters of its own says nothing without the next one.
SHORTEST = 8


class Message(t.NamedTuple):
    """A message, with ``…`` for each part that differs, and where it is made."""

    text: str
    place: str

    @property
    def start(self) -> str:
        """See :func:`start_of`."""
        return start_of(self.text)


def start_of(text: str) -> str:
    """The first sentence of a message, or more if it says nothing alone, without a gap at its end."""
    start = ""
    for sentence in re.split(r"(?<=[.!?])\s+|\n+", text):
        start = f"{start} {sentence}".strip()
        if len(re.sub(r"\W", "", start)) >= SHORTEST:
            break
    return re.sub(rf"[:.]? ?(?:{GAP}\.?)+$", "", start)


@functools.cache
def read_messages(package: pathlib.Path = PACKAGE) -> list[Message]:
    """Every message of a package, by module and line. One without words of its own is not a message."""
    messages = [message for path in sorted(package.rglob("*.py")) for message in _read_module(path)]
    return [message for message in messages if " " in message.text and len(re.sub(r"\W", "", message.text)) >= SHORTEST]


def _read_module(path: pathlib.Path) -> cabc.Iterator[Message]:
    module = ast.parse(path.read_text(encoding="utf-8"))
    of_module = _variables(module)
    for scope in ast.walk(module):
        if not isinstance(scope, ast.FunctionDef | ast.ClassDef | ast.Module):
            continue
        variables = of_module | _variables(scope)
        for node in _own_nodes(scope):
            for expression in _messages_in(node, scope):
                for text in _texts(expression, variables):
                    yield Message(text, f"{path}:{expression.lineno}")


def _own_nodes(scope: ast.AST) -> cabc.Iterator[ast.AST]:
    # Those of the functions and classes inside belong to these.
    for child in ast.iter_child_nodes(scope):
        if not isinstance(child, ast.FunctionDef | ast.ClassDef):
            yield child
            yield from _own_nodes(child)


def _variables(scope: ast.AST) -> dict[str, list[ast.expr]]:
    variables: dict[str, list[ast.expr]] = {}
    if isinstance(scope, ast.FunctionDef):
        defaults = zip(scope.args.kwonlyargs, scope.args.kw_defaults, strict=True)
        variables.update((argument.arg, [default]) for argument, default in defaults if default is not None)
    for node in _own_nodes(scope):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            variables.setdefault(node.targets[0].id, []).append(node.value)
    return variables


def _messages_in(node: ast.AST, scope: ast.AST) -> list[ast.expr]:
    """The expressions of messages that a node makes."""
    if isinstance(node, ast.Return):
        is_message = getattr(scope, "name", "").endswith(("_advice", "_message"))
        return [node.value] if is_message and node.value else []
    if isinstance(node, ast.Assign):
        # The text of a response.
        is_description = isinstance(scope, ast.ClassDef) and getattr(node.targets[0], "id", "") == "description"
        return [node.value] if is_description else []
    return _messages_of_call(node) if isinstance(node, ast.Call) else []


def _messages_of_call(call: ast.Call) -> list[ast.expr]:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name == "wrong_type":
        return [call]
    if isinstance(call.func, ast.Attribute) and name in METHODS:
        return call.args[METHODS[name] :][:1]
    if name not in ERRORS and name not in OTHERS:
        return []
    keywords = [keyword.value for keyword in call.keywords if keyword.arg in {"message", "error", "description"}]
    return keywords or call.args[OTHERS.get(name, 0) :][:1]


def _texts(node: ast.expr, variables: dict[str, list[ast.expr]]) -> list[str]:  # noqa: PLR0911, PLR0912 - a table
    """What an expression may be, with gaps."""
    match node:
        case ast.Constant(value=str(text)):
            return [re.sub(r"%[-+.\d]*[a-z]", GAP, text)]
        case ast.JoinedStr(values=parts):
            return ["".join(str(part.value) if isinstance(part, ast.Constant) else GAP for part in parts)]
        case ast.IfExp(body=body, orelse=orelse):
            return [*_texts(body, variables), *_texts(orelse, variables)]
        case ast.BinOp(left=left, right=right):
            ends = _texts(right, variables) or [GAP]
            return [start + end for start in _texts(left, variables) for end in ends]
        case ast.Name(id=name):
            others = {other: values for other, values in variables.items() if other != name}
            return [text for value in variables.get(name, ()) for text in _texts(value, others)]
        case ast.Call(func=ast.Name(id="wrong_type"), args=[_, wanted, _]):
            return [f"{GAP} must be {text}, not {GAP}." for text in _texts(wanted, variables) or [GAP]]
        case ast.Call(func=ast.Attribute(attr="gettext"), args=[text]):
            return _texts(text, variables)
        case _:
            return []
