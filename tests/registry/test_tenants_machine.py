"""Tenants, blocks and contexts of two apps in any order, compared with a model of plain dicts and lists."""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

import flask
from hypothesis import HealthCheck
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

Layer = dict[str, str]

# The settings of each tenant, by app.
TENANTS: dict[str, dict[str, Layer]] = {
    "eu": {
        "pool": {},
        "prefixed": {"table_prefix": "p-"},
        "abroad": {"region": "eu-north-1"},
        "bound": {"bind_key": "x"},
    },
    "us": {
        "pool": {},
        "prefixed": {"table_prefix": "q-", "region": "us-west-2"},
        "abroad": {"region": "ap-south-1"},
        "bound": {"bind_key": "x", "table_prefix": "b-"},
    },
}
BINDS: dict[str, dict[str, Layer]] = {
    "eu": {"x": {"region": "eu-west-3", "table_prefix": "x-"}},
    "us": {"x": {"table_prefix": "x-"}},
}
PLAIN: dict[str, Layer] = {"eu": {"region": "eu-west-1"}, "us": {"region": "us-east-1", "table_prefix": "us-"}}
NAMES = sorted(TENANTS["eu"])
GROUPS = ({"bind_key", "region", "host"}, {"table_prefix", "table_name"})
MISMATCH = "TenantMismatch"

current_tenants: list[str | None] = []


class Thread(db.Model):  # type: ignore[name-defined]
    """A model that declares only its table."""

    class Meta:
        """Its table."""

        table_name = "Thread"

    id = UnicodeAttribute(hash_key=True)


@db.tenant_loader
def load() -> str | None:
    """The tenant of the innermost context."""
    return current_tenants[-1]


def make_app(name: str) -> flask.Flask:
    """An app of that name."""
    app = flask.Flask(name)
    config = {f"DYNAMODB_{key.upper()}": value for key, value in PLAIN[name].items()}
    app.config.update(config, DYNAMODB_BINDS=BINDS[name], DYNAMODB_TENANTS=TENANTS[name])
    db.init_app(app)
    return app


@dataclasses.dataclass
class Level:
    """A context or a block: its settings and changes, and its tenant if it selects one."""

    exit: contextlib.ExitStack
    app: str
    is_context: bool = False
    selects_tenant: bool = False
    tenant: str | None = None
    settings: Layer = dataclasses.field(default_factory=dict)
    changes: Layer = dataclasses.field(default_factory=dict)


def expected(levels: list[Level]) -> tuple[str | None, tuple[str, str] | str]:
    """The tenant, the region and the table's name, by the rules."""
    layers: list[Layer] = []
    for level in reversed(levels):
        layers = [layer for layer in (level.settings, level.changes) if layer] + layers
        if level.selects_tenant or level.is_context:
            break
    tenant, app = level.tenant, level.app
    overrides = dict(TENANTS[app][tenant]) if tenant else {}
    overrides = {**BINDS[app].get(overrides.get("bind_key", ""), {}), **overrides}
    protected = set(overrides).union(*(group for group in GROUPS if group & overrides.keys()))
    if any(name in protected and overrides.get(name) != value for layer in layers for name, value in layer.items()):
        return tenant, MISMATCH
    bind_key = overrides.get("bind_key") or next((la["bind_key"] for la in reversed(layers) if "bind_key" in la), "")
    values = {**PLAIN[app], **BINDS[app].get(bind_key, {})}
    named = max((n for n, layer in enumerate(layers) if "bind_key" in layer), default=-1)
    for number, layer in enumerate(layers):
        if number == named:
            values |= BINDS[app].get(bind_key, {})
        values |= {name: value for name, value in layer.items() if name != "region" or number >= named}
    values |= overrides
    return tenant, (values["region"], values.get("table_name") or f"{values.get('table_prefix', '')}Thread")


class TenantsMachine(RuleBasedStateMachine):
    """After any pushes, blocks and changes, tenant and destination are as expected."""

    @initialize()
    def begin(self) -> None:
        """Make two apps."""
        self.apps = {name: make_app(name) for name in TENANTS}
        self.levels: list[Level] = []
        self.push("eu", None)

    @rule(app=st.sampled_from(sorted(TENANTS)), tenant=st.sampled_from([None, *NAMES]))
    def push(self, app: str, tenant: str | None) -> None:
        """Push a context whose tenant comes from the loader."""
        stack = contextlib.ExitStack()
        stack.enter_context(self.apps[app].app_context())
        current_tenants.append(tenant)
        stack.callback(current_tenants.pop)
        self.levels.append(Level(stack, app, is_context=True, tenant=tenant))
        assert db.current_tenant == tenant

    @rule(tenant=st.sampled_from(NAMES))
    def enter_tenant(self, tenant: str) -> None:
        """Enter a block for a tenant."""
        self.enter(db.tenant(tenant), selects_tenant=True, tenant=tenant)

    @rule()
    def enter_without_tenant(self) -> None:
        """Enter a block for no tenant."""
        self.enter(db.without_tenant(reason="test"), selects_tenant=True)

    @rule(
        entered=st.sampled_from(
            [{"region": "sa-east-1"}, {"region": "eu-north-1"}, {"table_prefix": "z-"}, {"table_prefix": "p-"}]
        )
    )
    def enter_settings(self, entered: Layer) -> None:
        """Enter a block on other settings."""
        self.enter(db.using(**entered), settings=entered)

    @rule()
    def enter_bind(self) -> None:
        """Enter a block on another bind."""
        self.enter(db.using("x"), settings={"bind_key": "x"})

    @rule(name=st.sampled_from(["One", "Other"]))
    def rename(self, name: str) -> None:
        """Set the table's name for this scope."""
        Thread.Meta.table_name = name
        self.levels[-1].changes["table_name"] = name

    @precondition(lambda self: len(self.levels) > 1)
    @rule()
    def reset(self) -> None:
        """Leave the innermost block or context."""
        self.levels.pop().exit.close()

    @invariant()
    def tenant_and_destination_are_as_expected(self) -> None:
        """The tenant, and the model's destination by its Meta and by its connection, are as expected."""
        tenant, destination = expected(self.levels)
        assert db.current_tenant == tenant
        assert observed(lambda: (Thread.Meta.region, Thread.Meta.table_name)) == destination
        assert observed(lambda: connected(Thread._get_connection())) == destination

    def enter(self, block: t.Any, **level: t.Any) -> None:
        """Enter a block of the current context."""
        stack = contextlib.ExitStack()
        stack.enter_context(block)
        self.levels.append(Level(stack, self.levels[-1].app, **level))

    def teardown(self) -> None:
        """Leave all blocks and contexts."""
        while getattr(self, "levels", None):
            self.levels.pop().exit.close()


def observed(look: t.Callable[[], t.Any]) -> t.Any:
    """The observed value, or the name of the error."""
    try:
        return look()
    except dynaflask.TenantMismatch:
        return MISMATCH


def connected(table: t.Any) -> tuple[str, str]:
    """The region and the name of a table's connection."""
    return table.connection.region, table.table_name


TestTenants = TenantsMachine.TestCase
TestTenants.settings = settings(
    max_examples=100,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
