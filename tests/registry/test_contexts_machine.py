"""Contexts, blocks and changes of Meta in any order, compared with a model of plain dicts and lists."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import dataclasses
import typing as t

import flask
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine
from hypothesis.stateful import initialize
from hypothesis.stateful import invariant
from hypothesis.stateful import precondition
from hypothesis.stateful import rule
from pynamodb.attributes import UnicodeAttribute

import dynaflask

db = dynaflask.Dynamo()

Layer = dict[str, t.Any]

KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
NAMES = ("region", "host", "table_name", "table_prefix", "bind_key", *KEYS)
DEFAULTS: Layer = {"region": None, "host": None, **dict.fromkeys(KEYS)}
ABSENT = "absent"
WRONG = "ConfigurationError"
ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/Elsewhere"


def identity(name: str, *, token: bool = False) -> Layer:
    """Keys, with or without a session token."""
    keys = {"aws_access_key_id": f"{name}-id", "aws_secret_access_key": f"{name}-secret"}
    return {**keys, "aws_session_token": f"{name}-token"} if token else keys


class Thread(db.Model):  # type: ignore[name-defined]
    """A model that declares only its table."""

    class Meta:
        """Its table."""

        table_name = "Thread"

    id = UnicodeAttribute(hash_key=True)


class Note(db.Model):  # type: ignore[name-defined]
    """A model that declares its table, bind, region and keys."""

    class Meta:
        """Its table, bind, region and keys."""

        table_name = "Note"
        bind_key = "x"
        region = "ap-south-1"
        aws_access_key_id = "note-id"
        aws_secret_access_key = "note-secret"

    id = UnicodeAttribute(hash_key=True)


class Elsewhere(db.Model):  # type: ignore[name-defined]
    """A model whose table name is an ARN."""

    class Meta:
        """Its table."""

        table_name = ARN

    id = UnicodeAttribute(hash_key=True)


MODELS: dict[str, t.Any] = {"Thread": Thread, "Note": Note, "Elsewhere": Elsewhere}
DECLARED: dict[str, Layer] = {
    "Thread": {"table_name": "Thread"},
    "Note": {"table_name": "Note", "bind_key": "x", "region": "ap-south-1", **identity("note")},
    "Elsewhere": {"table_name": ARN},
}


class Config(t.NamedTuple):
    """The configuration of an app."""

    plain: Layer
    binds: dict[str, Layer]
    models: dict[str, Layer]


CONFIGS = {
    "rich": Config(
        plain={"region": "us-west-2", "host": "http://rich:1", "table_prefix": "rich-", **identity("rich", token=True)},
        binds={"x": {"region": "eu-west-1", **identity("rich-x")}, "y": {"host": "http://rich:2", "table_prefix": ""}},
        models={"Thread": {"region": "sa-east-1", "table_name": "Topic"}, "Note": {"bind_key": "y"}},
    ),
    "poor": Config(plain={}, binds={"x": {"table_prefix": "x-"}, "y": {"region": "us-east-1"}}, models={}),
    "default": Config(
        plain={"region": "us-west-2", "table_prefix": "plain-"},
        binds={"default": {"region": "us-east-2", "table_prefix": "default-"}, "x": {}, "y": identity("y", token=True)},
        models={"Elsewhere": {"bind_key": "y", **identity("elsewhere")}},
    ),
}


# The rules, in dicts and lists.


def over(lower: Layer, upper: Layer) -> Layer:
    """The upper values over the lower ones. Credentials of two layers are never mixed."""
    if any(key in upper for key in KEYS):
        lower = {name: value for name, value in lower.items() if name not in KEYS}
    return {**lower, **upper}


def above(values: Layer, config: Config, bind_key: str, context: list[Layer]) -> Layer:
    """The values of a bind under the layers of a context.

    From the innermost layer that names the bind on, region, host and credentials come only from the bind and from the
    layers inside.
    """
    for_this = [layer for layer in context if layer.get("bind_key") in (None, bind_key)]
    naming = [position for position, layer in enumerate(for_this) if layer.get("bind_key")]
    for position, layer in enumerate(for_this):
        if naming and position < naming[-1]:
            values = over(values, {name: layer[name] for name in layer if name not in (*KEYS, "region", "host")})
            continue
        if naming and position == naming[-1]:
            values = over(values, config.binds.get(bind_key, {}))
        values = over(values, layer)
    return values


def expected_meta(model: str, config: Config, context: list[Layer]) -> Layer | str:
    """The values of a model's Meta."""
    declared, configured = DECLARED[model], config.models.get(model, {})
    named = [layer["bind_key"] for layer in (declared, configured, *context) if layer.get("bind_key")]
    bind_key = named[-1] if named else "default"
    values: Layer = {}
    for layer in (config.plain, config.binds.get(bind_key, {}), declared, configured):
        values = over(values, layer)
    to_prefix = values.pop("table_name")
    values = above(values, config, bind_key, context)
    if is_half(values):
        return WRONG
    prefix = "" if to_prefix.startswith("arn:") else values.get("table_prefix") or ""
    values.setdefault("table_name", prefix + to_prefix)
    return seen({**DEFAULTS, **values, "bind_key": bind_key})


def expected_bind(bind_key: str | None, config: Config, context: list[Layer]) -> Layer | str:
    """The destination of a connection to a bind."""
    named = [layer["bind_key"] for layer in context if layer.get("bind_key")]
    bind_key = bind_key or (named[-1] if named else "default")
    values = above(over(config.plain, config.binds.get(bind_key, {})), config, bind_key, context)
    return WRONG if is_half(values) else {**DEFAULTS, **values, "bind_key": bind_key}


def is_half(values: Layer) -> bool:
    """True if there are keys, but not both of the pair."""
    is_set = [values.get(key) is not None for key in KEYS]
    return any(is_set) and not (is_set[0] and is_set[1])


def seen(values: Layer) -> Layer:
    """The readable values of a Meta: a value of None is missing, unless PynamoDB has a default."""
    return {name: ABSENT if values.get(name) is None and name not in DEFAULTS else values.get(name) for name in NAMES}


# The values to compare.


def actual_meta(meta: t.Any) -> Layer | str:
    """The values of a model's Meta."""
    try:
        return {name: getattr(meta, name, ABSENT) for name in NAMES}
    except dynaflask.ConfigurationError:
        return WRONG


def actual_bind(connection: t.Callable[[], t.Any]) -> Layer | str:
    """The destination of a connection."""
    try:
        bind = connection().bind
    except dynaflask.ConfigurationError:
        return WRONG
    return {"bind_key": bind.key, **{name: getattr(bind, name) for name in DEFAULTS}}


@dataclasses.dataclass
class Block:
    """A context's own level, or a ``db.using`` block in it."""

    reset: cabc.Callable[[], object]
    entered: Layer = dataclasses.field(default_factory=dict)
    changes: dict[str, Layer] = dataclasses.field(default_factory=lambda: {model: {} for model in MODELS})
    metas: dict[str, t.Any] = dataclasses.field(default_factory=lambda: {name: MODELS[name].Meta for name in MODELS})


@dataclasses.dataclass
class Context:
    """A pushed context: the app's name, and its levels."""

    app: str
    blocks: list[Block]

    def layers(self, model: str | None = None) -> list[Layer]:
        """The layers of the context, for a model or for none, the innermost last."""
        both = [(block.entered, block.changes[model] if model else {}) for block in self.blocks]
        return [layer for pair in both for layer in pair if layer]


REGIONS = st.sampled_from([None, "us-west-1", "eu-north-1"])
HOSTS = st.sampled_from([None, "http://changed:1", "http://changed:2"])
PREFIXES = st.sampled_from(["", "changed-"])
BINDS = st.sampled_from(["default", "x", "y"])
IDENTITIES = st.sampled_from([{}, identity("one"), identity("two", token=True)])
CHANGES = st.one_of(
    st.tuples(st.just("region"), REGIONS),
    st.tuples(st.just("host"), HOSTS),
    st.tuples(st.just("table_prefix"), PREFIXES),
    st.tuples(st.just("bind_key"), BINDS),
    st.tuples(st.just("table_name"), st.sampled_from(["Changed", ARN])),
    *(st.tuples(st.just(key), st.sampled_from([None, f"changed-{key}"])) for key in KEYS),
)
SETTINGS = st.builds(
    lambda others, keys: {**others, **keys},
    st.fixed_dictionaries({}, optional={"region": REGIONS, "host": HOSTS, "table_prefix": PREFIXES}),
    IDENTITIES,
)


class Contexts(RuleBasedStateMachine):
    """After any pushes, blocks and changes, the innermost context has the expected values, and no other changes."""

    def __init__(self) -> None:
        super().__init__()
        self.apps: dict[str, flask.Flask] = {}
        self.contexts: list[Context] = []

    @initialize()
    def make_apps(self) -> None:
        """Make an app of each configuration."""
        for name, config in CONFIGS.items():
            self.apps[name] = flask.Flask(name)
            self.apps[name].config.from_mapping(
                {f"DYNAMODB_{key.upper()}": value for key, value in config.plain.items()}
            )
            self.apps[name].config.from_mapping(DYNAMODB_BINDS=config.binds, DYNAMODB_MODELS=config.models)
            db.init_app(self.apps[name])

    @precondition(lambda self: len(self.contexts) < 4)
    @rule(app=st.sampled_from(sorted(CONFIGS)), is_request=st.booleans())
    def push(self, app: str, is_request: bool) -> None:
        """Push a context of an app, which may have others pushed already."""
        # Up to Flask 3.1 a request joins the app context that is pushed, if it is of the same app.
        is_request = is_request and not (self.contexts and self.contexts[-1].app == app)
        context = self.apps[app].test_request_context() if is_request else self.apps[app].app_context()
        context.push()
        self.contexts.append(Context(app, [Block(context.pop)]))

    @precondition(lambda self: self.contexts and len(self.contexts[-1].blocks) < 5)
    @rule(bind_key=st.one_of(st.none(), BINDS), entered=SETTINGS)
    def enter(self, bind_key: str | None, entered: Layer) -> None:
        """Enter a block."""
        stack = contextlib.ExitStack()
        stack.enter_context(db.using(bind_key, **entered))
        named = {"bind_key": bind_key} if bind_key else {}
        self.contexts[-1].blocks.append(Block(stack.close, {**entered, **named}))

    @precondition(lambda self: self.contexts)
    @rule()
    def reset(self) -> None:
        """Leave the innermost block, or pop the context that has no more of them."""
        block = self.contexts[-1].blocks.pop()
        block.reset()
        if not self.contexts[-1].blocks:
            self.contexts.pop()
            for meta in block.metas.values():
                with pytest.raises(RuntimeError, match="has ended"):
                    getattr(meta, "region")  # noqa: B009 - it is the reading that raises

    @precondition(lambda self: self.contexts)
    @rule(model=st.sampled_from(sorted(MODELS)), change=CHANGES)
    def change(self, model: str, change: tuple[str, t.Any]) -> None:
        """Set a value of a model's Meta."""
        setattr(MODELS[model].Meta, *change)
        self.contexts[-1].blocks[-1].changes[model].update([change])

    @precondition(lambda self: self.contexts)
    @rule(model=st.sampled_from(sorted(MODELS)), change=CHANGES, data=st.data())
    def change_an_outer_meta(self, model: str, change: tuple[str, t.Any], data: st.DataObject) -> None:
        """Set a value of an outer block's Meta. The inner blocks of that context see it."""
        block = data.draw(st.sampled_from(data.draw(st.sampled_from(self.contexts)).blocks))
        setattr(block.metas[model], *change)
        block.changes[model].update([change])

    @precondition(lambda self: self.contexts)
    @rule(model=st.sampled_from(sorted(MODELS)), keys=IDENTITIES)
    def change_keys(self, model: str, keys: Layer) -> None:
        """Set all keys of a model's Meta."""
        for name, value in keys.items():
            setattr(MODELS[model].Meta, name, value)
        self.contexts[-1].blocks[-1].changes[model].update(keys)

    @precondition(lambda self: self.contexts)
    @rule(model=st.sampled_from(sorted(MODELS)), name=st.sampled_from(NAMES))
    def take_back(self, model: str, name: str) -> None:
        """Take back a change of this block, and not one of an outer block."""
        changes = self.contexts[-1].blocks[-1].changes[model]
        try:
            delattr(MODELS[model].Meta, name)
        except AttributeError:
            assert name not in changes
        else:
            del changes[name]

    @invariant()
    def the_innermost_context_sees_its_own(self) -> None:
        """Metas, tables and connections have the expected values."""
        for context in self.contexts[-1:]:
            config, registry = CONFIGS[context.app], self.apps[context.app].extensions["dynamo"]
            for name, model in MODELS.items():
                expected = expected_meta(name, config, context.layers(name))
                assert actual_meta(model.Meta) == expected
                assert actual_meta(registry.meta(model)) == expected
                assert actual_bind(lambda model=model: model._get_connection().connection) == destination(expected)
                if expected != WRONG:
                    assert model._get_connection().table_name == expected["table_name"]
            for bind_key in (None, "default", "x", "y"):
                expected = expected_bind(bind_key, config, context.layers())
                assert actual_bind(lambda key=bind_key: db.get_connection(key)) == destination(expected)

    @invariant()
    def the_others_see_nothing(self) -> None:
        """The other apps and the declared Meta are unchanged."""
        for name, app in self.apps.items():
            if not self.contexts or self.contexts[-1].app != name:
                for model_name, model in MODELS.items():
                    actual = actual_meta(app.extensions["dynamo"].meta(model))
                    assert actual == expected_meta(model_name, CONFIGS[name], [])
        if not self.contexts:
            assert all(model.Meta.table_name == DECLARED[name]["table_name"] for name, model in MODELS.items())

    def teardown(self) -> None:
        """Leave all blocks and contexts."""
        while self.contexts:
            for block in reversed(self.contexts.pop().blocks):
                block.reset()


def destination(values: Layer | str) -> Layer | str:
    """The values of a Meta that decide the destination of a connection."""
    return values if isinstance(values, str) else {name: values[name] for name in ("bind_key", *DEFAULTS)}


TestContexts = Contexts.TestCase
TestContexts.settings = settings(max_examples=150, stateful_step_count=30)
