"""Proof that no request of one tenant goes to the data of another."""

from __future__ import annotations

import collections
import collections.abc as cabc
import concurrent.futures
import contextlib
import random
import typing as t

import flask

from dynaflask.model.pynamodb_internals import hash_key_attribute
from dynaflask.model.pynamodb_internals import indexes
from dynaflask.model.tenant_key import SEPARATOR
from dynaflask.registry.context import registry_of
from dynaflask.testing.intercept import acting
from dynaflask.testing.intercept import recorded
from dynaflask.testing.recorder import Answer
from dynaflask.testing.recorder import Request
from dynaflask.testing.targets import KeyNames
from dynaflask.testing.targets import Observation
from dynaflask.testing.targets import Target
from dynaflask.testing.targets import observe

MAX_REPORTED = 10

Apps = flask.Flask | cabc.Mapping[str, flask.Flask]
Exercise = t.Callable[[str], object]


def assert_isolated(
    app: Apps,
    tenants: cabc.Iterable[str],
    exercise: Exercise,
    *,
    threads: int = 8,
    rounds: int = 10,
    in_context: bool = True,
    shared: cabc.Iterable[str] = (),
    answer: t.Callable[[Request], Answer] | None = None,
) -> int:
    """Fail if a request of one tenant goes to the data of another.

    First each tenant runs the exercise alone, on clients of its own. These requests show which endpoint, region,
    identity and tables belong to the tenant. Then all tenants run it concurrently, in threads, on shared clients, and
    each request must go to a target of its tenant. If two tenants share a table, each key that a request names must
    begin with its tenant, as a ``TenantKey`` does.

    No request reaches the app's endpoints. All requests, including those to STS, go to a server on loopback that
    records them. The server has an item for each key and no item for a query or a scan. It reports no consumed
    capacity, so that ``DYNAMODB_TENANT_CAPACITY`` refuses no call.

    Args:
        app: The app of all tenants; or, with an app for each tenant, the apps by tenant.
        tenants: The tenants' names, two or more.
        exercise: Called with a tenant's name, in an app context for that tenant. It makes the same calls for each
            tenant. Its exceptions propagate.
        threads: The number of threads.
        rounds: How often each tenant runs the exercise concurrently.
        in_context: ``False`` if the exercise enters its contexts itself, such as those of a test client's requests.
        shared: The real names of tables that all tenants share on purpose, such as a price list.
        answer: Answers a request instead of the server; ``None`` leaves the request to the server. Its exceptions
            propagate.

    Returns:
        The number of requests to DynamoDB that were checked.

    Raises:
        AssertionError: A request went to another tenant's data, or a tenant made no request.
    """
    runs = _TenantRuns(app, list(tenants), exercise, in_context=in_context)
    with recorded(answer, connections=threads) as recorder:
        for tenant in runs.tenants:
            runs.close_clients()
            runs.run(tenant)
        alone_count = len(recorder.requests)
        runs.close_clients()
        runs.run_concurrently(threads=threads, rounds=rounds)
        names = runs.key_names()
    alone, concurrent = (
        [observation for request in requests if request.operation for observation in observe(request, names)]
        for requests in (recorder.requests[:alone_count], recorder.requests[alone_count:])
    )
    _Violations(runs.tenants, alone, shared=frozenset(shared)).check(alone + concurrent)
    return len(alone) + len(concurrent)


class _TenantRuns:
    """Runs the exercise for each tenant, alone and concurrently."""

    def __init__(self, app: Apps, tenants: list[str], exercise: Exercise, *, in_context: bool) -> None:
        if len(set(tenants)) < 2:  # noqa: PLR2004 - one tenant has no other to be isolated from
            raise ValueError("assert_isolated takes the names of two tenants or more.")
        self.tenants = tenants
        self._apps = app if isinstance(app, cabc.Mapping) else dict.fromkeys(tenants, app)
        self._has_tenants = not isinstance(app, cabc.Mapping)
        self._exercise = exercise
        self._in_context = in_context

    def close_clients(self) -> None:
        """Close the apps' clients and forget their leases, so that the next run shares nothing with the last one."""
        for app in {id(app): app for app in self._apps.values()}.values():
            registry_of(app).close()
            registry_of(app).leases.forget()

    def run(self, tenant: str) -> None:
        """Run the exercise for one tenant."""
        with acting(tenant), self._context(tenant) if self._in_context else contextlib.nullcontext():
            self._exercise(tenant)

    def run_concurrently(self, *, threads: int, rounds: int) -> None:
        """Run the exercise for all tenants at once, in random order."""
        turns = self.tenants * rounds
        random.shuffle(turns)
        with concurrent.futures.ThreadPoolExecutor(threads) as executor:
            for _ in executor.map(self.run, turns):
                pass

    def key_names(self) -> KeyNames:
        """The names of the leading keys of the models' tables and indexes."""
        names: dict[tuple[str, str | None], str] = {}
        for tenant in self.tenants:
            with self._context(tenant):
                for model in registry_of(self._apps[tenant]).models.classes():
                    names |= _key_names(model)
        return names

    @contextlib.contextmanager
    def _context(self, tenant: str) -> cabc.Iterator[None]:
        app = self._apps[tenant]
        with app.app_context(), contextlib.ExitStack() as stack:
            if self._has_tenants:
                stack.enter_context(registry_of(app).dynamo.tenant(tenant))
            yield


class _Violations:
    """Compares observations with the targets that each tenant used alone."""

    def __init__(self, tenants: list[str], alone: list[Observation], *, shared: frozenset[str]) -> None:
        self._targets: dict[str, set[Target]] = collections.defaultdict(set)
        self._tenants_at: dict[Target, set[str]] = collections.defaultdict(set)
        self._shared = shared
        for observation in alone:
            self._targets[observation.actor].add(observation.target)
            self._tenants_at[observation.target].add(observation.actor)
        idle = [tenant for tenant in tenants if tenant not in self._targets]
        assert not idle, f"The exercise made no request for {', '.join(map(repr, idle))}."  # noqa: S101 - an assertion of the user's test

    def check(self, observations: list[Observation]) -> None:
        """Fail if an observation violates the isolation of tenants."""
        violations = [
            f"- {observation.operation} for {observation.actor!r}: {reason}"
            for observation in observations
            if (reason := self._reason(observation))
        ]
        report = "\n".join(list(dict.fromkeys(violations))[:MAX_REPORTED])
        if violations:
            raise AssertionError(
                f"{len(violations)} of {len(observations)} requests violate the isolation of tenants:\n{report}"
            )

    def _reason(self, observation: Observation) -> str | None:
        target = observation.target
        if not observation.actor:
            return "its tenant is unknown in the thread that made it. Run the thread in contextvars.copy_context()."
        if target not in self._targets[observation.actor]:
            return "; ".join(self._foreign_parts(observation)) or f"{target} combines parts of several targets."
        others = self._tenants_at[target] - {observation.actor}
        if others and observation.leading_keys is not None and target.table not in self._shared:
            return self._foreign_key(observation, min(others))
        return None

    def _foreign_parts(self, observation: Observation) -> cabc.Iterator[str]:
        """The parts of the target that do not belong to the tenant, each with its owner."""
        for name, value in observation.target._asdict().items():
            owners = sorted(
                tenant
                for tenant, targets in self._targets.items()
                if any(getattr(target, name) == value for target in targets)
            )
            if observation.actor not in owners:
                yield f"the {name} {value!r} belongs to {repr(owners[0]) if owners else 'no tenant'}"

    def _foreign_key(self, observation: Observation, other: str) -> str | None:
        """The first access to a shared table that is not limited to the tenant's own keys."""
        table, prefix = observation.target.table, f"{observation.actor}{SEPARATOR}"
        uses = f"{other!r} uses too. If it has no items of tenants, name it in shared={[table]}."
        for keys in observation.leading_keys or ():
            if not keys:
                return f"it reads the whole table {table!r}, which {uses}"
            if not any(key.startswith(prefix) for key in keys):
                return f"the key {keys[0]!r} does not begin with {prefix!r}, in the table {table!r}, which {uses}"
        return None


def _key_names(model: t.Any) -> dict[tuple[str, str | None], str]:
    table = model.Meta.table_name
    return {
        (table, None): hash_key_attribute(model).attr_name,
        **{(table, name): hash_key_attribute(index).attr_name for name, index in indexes(model).items()},
    }
