"""What libraries read and compile again for each app or client, kept for all tests of the process."""

from __future__ import annotations

import functools
import inspect
import sys
import typing as t

import botocore.hooks
import botocore.session
import flask
import jinja2
import werkzeug.routing
from botocore.hooks import NodeList
from jinja2.bccache import Bucket


class Templates(jinja2.BytecodeCache):
    """Compiled templates by name, file and source. Flask-Admin's take longer to compile than its pages to render."""

    def __init__(self) -> None:
        self._code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill the bucket of a template, if it has been compiled."""
        if bucket.key in self._code:
            bucket.bytecode_from_string(self._code[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep a compiled template."""
        self._code[bucket.key] = bucket.bytecode_to_string()


TEMPLATES: t.Final = Templates()

Builder = t.Callable[..., tuple[str, str]]

_inspect_arguments = botocore.hooks.accepts_kwargs
_compile_builder = werkzeug.routing.Rule._compile_builder
_builders: dict[tuple[t.Any, ...], Builder] = {}
_make_aliaser = botocore.hooks.EventAliaser.__init__
_event_names: dict[str, str] = {}


def accepts_kwargs(function: t.Any) -> bool:
    """True if a handler has ``**kwargs``, as botocore asks for each of the 120 handlers of a session."""
    code = getattr(function, "__code__", None)
    return bool(code.co_flags & inspect.CO_VARKEYWORDS if code else _inspect_arguments(function))


def make_aliaser(aliaser: botocore.hooks.EventAliaser, emitter: t.Any, event_aliases: t.Any = None) -> None:
    """Make the part of a session that knows the older names of events, with the names that it has found for others."""
    _make_aliaser(aliaser, emitter, event_aliases)
    if aliaser._event_aliases == botocore.hooks.EVENT_ALIASES:
        aliaser._alias_name_cache = _event_names


def copy_node(trie: object, node: dict[str, t.Any]) -> dict[str, t.Any]:
    """Copy the handlers of a session for its client, as botocore does, without a call for each list."""
    return {
        name: copy_node(trie, value)
        if type(value) is dict
        else NodeList(*map(list, value))
        if type(value) is NodeList
        else value
        for name, value in node.items()
    }


def compile_builder(rule: werkzeug.routing.Rule, append_unknown: bool = True) -> Builder:
    """The function that builds the URLs of a rule, which is the same for all rules of the same parts.

    Each app has a rule for its static files. To compile it takes most of the time that Flask takes to make an app.
    """
    if rule.defaults:
        return _compile_builder(rule, append_unknown)
    parts = (append_unknown, rule.rule, *rule._trace)
    if parts not in _builders:
        _builders[parts] = _compile_builder(rule, append_unknown)
    return _builders[parts]


def share() -> None:
    """Share what is compiled and read: templates and rules between apps, files and names of events between sessions.

    A session of botocore then takes a quarter of the time, and most tests make one or more.
    """
    flask.Flask.jinja_options = {"bytecode_cache": TEMPLATES}
    werkzeug.routing.Rule._compile_builder = compile_builder
    botocore.hooks._PrefixTrie._recursive_copy = copy_node
    # PynamoDB makes a session for each model, which reads half a megabyte of JSON for its client.
    botocore.session.create_loader = functools.cache(botocore.session.create_loader)
    botocore.hooks.accepts_kwargs = accepts_kwargs
    botocore.hooks.EventAliaser.__init__ = make_aliaser
    if "coverage" in sys.modules:
        # pytest-cov makes two reports, which parse each module.
        control = sys.modules["coverage"].Coverage
        control._get_file_reporter = functools.cache(control._get_file_reporter)
