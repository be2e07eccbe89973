"""The rows of the page, as plain values."""

from __future__ import annotations

import collections
import collections.abc as cabc
import typing as t

from dynaflask.client.key import transport_of
from dynaflask.client.key import without_password
from dynaflask.client.transport import describe
from dynaflask.integrations.dashboard.activity import Window
from dynaflask.integrations.dashboard.slot import Counts
from dynaflask.integrations.dashboard.slot import Totals
from dynaflask.integrations.dashboard.throttling import what_to_do
from dynaflask.operations.rate_limits import UNSET
from dynaflask.operations.tenant_lru import OTHERS
from dynaflask.operations.tracing import active
from dynaflask.operations.usage import Usage
from dynaflask.operations.usage import summed

if t.TYPE_CHECKING:
    from dynaflask.client.lease import Lease
    from dynaflask.client.pooled_client import PooledClient
    from dynaflask.integrations.dashboard.checks import Check
    from dynaflask.operations.operation import Operation
    from dynaflask.registry.registry import Registry

MAX_SHOWN_TENANTS = 20
MAX_CALLS = 50
MAX_THROTTLES = 20
MAX_OPERATIONS = 10
MAX_ADVICE = 20
MAX_LEASES = 50
SHOWN_ERRORS = 3

K = t.TypeVar("K")


class Tenant(t.NamedTuple):
    """A tenant in the last minutes.

    Attributes:
        name: Name of the tenant; ``None`` for calls without one, ``"*"`` for all tenants without a row.
        rate: Units per second.
        share: Its share in the units of all.
        limit: Units per second that it may use in each worker; ``None`` for no limit.
        seen: What was counted in the last minutes.
        bars: Units in each slot.
        total: What was counted since the start of the worker; ``None`` if the app counts no usage.
    """

    name: str | None
    rate: float
    share: float
    limit: float | None
    seen: Totals
    bars: list[float]
    total: Usage | None

    @property
    def used(self) -> float | None:
        """The part of the limit that is used; ``None`` without a limit."""
        return None if self.limit is None else self.rate / self.limit


def tenants(registry: Registry, window: Window) -> list[Tenant]:
    """The tenants with the most units, and one row for all others."""
    by_tenant = window.total.tenants
    by_units = sorted(by_tenant, key=lambda name: -by_tenant[name].units)
    # The counts of tenants that are not counted separately are no tenant's.
    shown = [name for name in by_units if name != OTHERS][:MAX_SHOWN_TENANTS]
    others = [name for name in by_units if name not in shown]
    meter = registry.recorder.meter
    totals = None if meter is None else summed(meter.read(), "tenant")
    units = sum(counts.units for counts in by_tenant.values())
    rows = []
    for name, members in [*((name, [name]) for name in shown), *([(OTHERS, others)] if others else [])]:
        seen = Totals()
        for member in members:
            seen.merge(by_tenant[t.cast("str", member)])
        rows.append(
            Tenant(
                name,
                rate=seen.units / window.seconds,
                share=seen.units / units if units else 0.0,
                limit=None if name is None or name == OTHERS else _limit(registry, name),
                seen=seen,
                bars=window.series(*members),
                total=None if totals is None else sum((totals.get(member, Usage()) for member in members), Usage()),
            )
        )
    return rows


def _limit(registry: Registry, name: str) -> float | None:
    tenant = registry.tenants.last_known(name)
    own = UNSET if tenant is None else tenant.limits.get("tenant_capacity", UNSET)
    return registry.recorder.limits.units_per_second(name, own)


class ModelCall(t.NamedTuple):
    """A model and an operation in the last minutes.

    Attributes:
        model: Name of the model, the table or the bind.
        operation: Name of the operation.
        counts: What was counted.
        median: Duration in seconds that half of the calls did not exceed.
        p95: Duration in seconds that 95 % of the calls did not exceed.
        units: Units of one call on average.
        errors: The most frequent error codes with their numbers.
    """

    model: str
    operation: str
    counts: Counts
    median: float
    p95: float
    units: float
    errors: list[tuple[str, int]]


def model_calls(window: Window) -> list[ModelCall]:
    """The models and operations with the most calls."""
    by_operation: dict[tuple[str, str], Counts] = collections.defaultdict(Counts)
    for key, counts in window.total.counts.items():
        by_operation[key.model, key.operation].merge(counts)
    return [
        ModelCall(
            *key,
            counts,
            counts.percentile(0.5),
            counts.percentile(0.95),
            counts.units / counts.calls,
            _largest(counts.errors, SHOWN_ERRORS),
        )
        for key, counts in sorted(by_operation.items(), key=lambda item: -item[1].calls)[:MAX_CALLS]
    ]


class Throttled(t.NamedTuple):
    """A reason for throttling.

    Attributes:
        reason: DynamoDB's reason, or its error code.
        resource: ARN or name of the table or index.
        number: Number of throttled calls.
        advice: What to do.
    """

    reason: str
    resource: str
    number: int
    advice: str


def throttles(window: Window) -> list[Throttled]:
    """The most frequent reasons for throttling."""
    return [
        Throttled(*throttle, number, what_to_do(throttle.reason))
        for throttle, number in _largest(window.total.throttles, MAX_THROTTLES)
    ]


class Worst(t.NamedTuple):
    """The slowest and the costliest operations.

    Attributes:
        slowest: The slowest operations.
        costliest: The operations with the most units.
    """

    slowest: list[Operation]
    costliest: list[Operation]


def worst(window: Window) -> Worst:
    """The slowest and the costliest operations, one of each model, operation and route."""
    all_counts = window.total.counts.values()
    slowest = [counts.slowest for counts in all_counts if counts.slowest is not None]
    costliest = [counts.costliest for counts in all_counts if counts.costliest is not None]
    return Worst(
        sorted(slowest, key=lambda operation: -operation.duration_seconds)[:MAX_OPERATIONS],
        sorted(costliest, key=lambda operation: -operation.units)[:MAX_OPERATIONS],
    )


def _largest(counts: cabc.Mapping[K, int], number: int) -> list[tuple[K, int]]:
    return sorted(counts.items(), key=lambda item: -item[1])[:number]


class Destination(t.NamedTuple):
    """A bind of the app, or a destination of a block, a tenant or a model.

    Attributes:
        key: Key of the bind.
        is_bind: False for a destination of a block, a tenant or a model.
        region: Region, if the settings name one.
        endpoint: Host of the endpoint; that of the settings before the first call.
        transport: Transport of the next call, with the reason if it is not that of the settings; that of the settings
            before the first call.
        clients: Number of clients.
        sockets: Number of open connections.
        checks: The checks on the bind: of its tables, or of the bind itself.
    """

    key: str
    is_bind: bool
    region: str | None
    endpoint: str
    transport: str
    clients: int
    sockets: int
    checks: list[Check]

    @property
    def errors(self) -> list[Check]:
        """The checks that failed."""
        return [check for check in self.checks if check.error is not None]


def destinations(registry: Registry, checks: cabc.Iterable[Check]) -> list[Destination]:
    """The app's binds, then its further destinations."""
    # A forked child drops its parent's clients at the first use of the pool.
    registry.pool.stats()
    by_bind: dict[str, list[Check]] = collections.defaultdict(list)
    for check in checks:
        by_bind[check.bind.key].append(check)
    binds = {key: registry.leases.get(bind) for key, bind in registry.binds.items()}
    known = set(map(id, binds.values()))
    others = [lease for lease in registry.leases.all() if id(lease) not in known and lease.has_client]
    # The calls of a traced app leave out its tracers' patches of botocore.
    with active(registry.recorder.tracing):
        return [
            *(_destination(key, lease, by_bind[key], is_bind=True) for key, lease in binds.items()),
            *(_destination(lease.bind.key, lease, [], is_bind=False) for lease in others[:MAX_LEASES]),
        ]


def _destination(key: str, lease: Lease, checks: list[Check], *, is_bind: bool) -> Destination:
    clients = lease.open_clients()
    return Destination(
        key,
        is_bind,
        lease.key.region,
        lease.host or without_password(lease.key.endpoint_url) or "AWS",
        _transport(clients[0]) if clients else transport_of(lease.bind),
        len(clients),
        sum(pooled.count_sockets() for pooled in clients),
        checks,
    )


def _transport(pooled: PooledClient) -> str:
    caller = pooled.api_caller
    if not pooled.is_direct:
        return describe(caller)
    return str(caller.mode) if caller.reason is None else f"{caller.mode}: {caller.reason}"
