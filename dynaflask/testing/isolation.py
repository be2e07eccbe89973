"""Proof that no request of one tenant goes where another's belong."""

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
from dynaflask.registry.context import EXTENSION
from dynaflask.registry.registry import Registry
from dynaflask.testing.intercept import acting
from dynaflask.testing.intercept import recorded
from dynaflask.testing.recorder import Answer
from dynaflask.testing.recorder import Request
from dynaflask.testing.targets import KeyNames
from dynaflask.testing.targets import Observation
from dynaflask.testing.targets import Target
from dynaflask.testing.targets import seen_in

SHOWN = 10
SEPARATOR = "#"

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
    """Fail if a request of one tenant goes where another's belong.

    Each tenant does the exercise alone, on clients of its own. So it is found out which endpoint, region, identity and
    tables are its. Then all do it at once, in threads, on clients that they share, and each request must go where its
    tenant's went before. Where two tenants have a table in common, each key that a request names must begin with its
    tenant, as a ``TenantKey`` does.

    Nothing is sent to the endpoints that the app has. All requests, those to STS among them, go to an engine on
    loopback, which records them, and answers that there is an item of each key, and none for any search.

    Args:
        app: The app of all tenants; or, with an app for each tenant, the apps by tenant.
        tenants: The tenants' names, two or more.
        exercise: Called with a tenant's name, in an app context for that tenant. It makes calls, and is the same for
            all tenants. What it raises is raised.
        threads: How many do it at once.
        rounds: How often each tenant does it.
        in_context: ``False`` if the exercise enters its contexts itself, such as those of a test client's requests.
        shared: Tables, by their real names, that all tenants have in common on purpose, such as one of prices.
        answer: Answers a request in place of the engine; ``None`` leaves it to the engine.

    Returns:
        How many requests to DynamoDB were looked at.

    Raises:
        AssertionError: A request went astray, or a tenant made none.
    """
    cast = _TenantRuns(app, list(tenants), exercise, in_context=in_context)
    with recorded(answer, connections=threads) as recorder:
        for tenant in cast.tenants:
            cast.begin_anew()
            cast.act(tenant)
        count = len(recorder.requests)
        cast.begin_anew()
        cast.act_at_once(threads=threads, rounds=rounds)
        names = cast.key_names()
    looked_at = [
        (position < count, seen)
        for position, request in enumerate(recorder.requests)
        if request.operation
        for seen in seen_in(request, names)
    ]
    findings = _Violations(cast.tenants, [seen for was_alone, seen in looked_at if was_alone], shared=frozenset(shared))
    findings.judge([seen for _, seen in looked_at])
    return len(looked_at)


class _TenantRuns:
    """Who does what."""

    def __init__(self, app: Apps, tenants: list[str], exercise: Exercise, *, in_context: bool) -> None:
        if len(set(tenants)) < 2:  # noqa: PLR2004 - one alone cannot go astray
            raise ValueError("assert_isolated takes the names of two tenants or more.")
        self.tenants = tenants
        self._apps = app if isinstance(app, cabc.Mapping) else dict.fromkeys(tenants, app)
        self._has_tenants = not isinstance(app, cabc.Mapping)
        self._exercise = exercise
        self._in_context = in_context

    def begin_anew(self) -> None:
        """Let the apps' clients go."""
        for app in {id(app): app for app in self._apps.values()}.values():
            self._registry(app).close()

    def act(self, tenant: str) -> None:
        """Do the exercise as a tenant."""
        with acting(tenant), self._context(tenant) if self._in_context else contextlib.nullcontext():
            self._exercise(tenant)

    def act_at_once(self, *, threads: int, rounds: int) -> None:
        """Do the exercise as all tenants, in no order."""
        turns = self.tenants * rounds
        random.shuffle(turns)
        with concurrent.futures.ThreadPoolExecutor(threads) as executor:
            for _ in executor.map(self.act, turns):
                pass

    def key_names(self) -> KeyNames:
        """The names of the leading keys of the models' tables, and of their indexes."""
        names: dict[tuple[str, str | None], str] = {}
        for tenant in self.tenants:
            with self._context(tenant):
                for model in self._registry(self._apps[tenant])._models():
                    names |= _key_names(model)
        return names

    @contextlib.contextmanager
    def _context(self, tenant: str) -> cabc.Iterator[None]:
        app = self._apps[tenant]
        with app.app_context(), contextlib.ExitStack() as stack:
            if self._has_tenants:
                stack.enter_context(self._registry(app).dynamo.tenant(tenant))
            yield

    def _registry(self, app: flask.Flask) -> Registry:
        return t.cast("Registry", app.extensions[EXTENSION])


class _Violations:
    """What is whose, and what was wrong."""

    def __init__(self, tenants: list[str], alone: list[Observation], *, shared: frozenset[str]) -> None:
        self._places: dict[str, set[Target]] = collections.defaultdict(set)
        self._tenants_at: dict[Target, set[str]] = collections.defaultdict(set)
        self._shared = shared
        for seen in alone:
            self._places[seen.actor].add(seen.place)
            self._tenants_at[seen.place].add(seen.actor)
        idle = [tenant for tenant in tenants if tenant not in self._places]
        assert not idle, f"The exercise made no request for {', '.join(map(repr, idle))}."  # noqa: S101 - a test's

    def judge(self, all_seen: list[Observation]) -> None:
        """Fail if something is wrong."""
        wrong = [f"- {seen.operation} for {seen.actor!r}: {why}" for seen in all_seen if (why := self._why(seen))]
        shown = "\n".join(list(dict.fromkeys(wrong))[:SHOWN])
        if wrong:
            raise AssertionError(f"{len(wrong)} of {len(all_seen)} requests went astray:\n{shown}")

    def _why(self, seen: Observation) -> str | None:
        if not seen.actor:
            return "it was made in a thread that does not know for whom. Run it in contextvars.copy_context()."
        if seen.place not in self._places[seen.actor]:
            return "; ".join(self._strange(seen)) or f"{seen.place} is a mixture of its own."
        others = self._tenants_at[seen.place] - {seen.actor}
        if others and seen.leading is not None and seen.place.table not in self._shared:
            return self._why_in_common(seen, min(others))
        return None

    def _strange(self, seen: Observation) -> cabc.Iterator[str]:
        """What of a place is not the tenant's, and whose it is."""
        for name, value in seen.place._asdict().items():
            owners = sorted(
                tenant for tenant, places in self._places.items() if any(getattr(p, name) == value for p in places)
            )
            if seen.actor not in owners:
                yield f"the {name} {value!r} belongs to {repr(owners[0]) if owners else 'nobody'}"

    def _why_in_common(self, seen: Observation, other: str) -> str | None:
        table, prefix = seen.place.table, f"{seen.actor}{SEPARATOR}"
        for keys in seen.leading or ():
            if not keys:
                return f"it goes through the whole table {table!r}, which {other!r} has as well"
            if not any(key.startswith(prefix) for key in keys):
                return (
                    f"the key {keys[0]!r} does not begin with {prefix!r}, and {other!r} has the table {table!r} as well"
                )
        return None


def _key_names(model: t.Any) -> dict[tuple[str, str | None], str]:
    table = model.Meta.table_name
    return {
        (table, None): hash_key_attribute(model).attr_name,
        **{(table, name): hash_key_attribute(index).attr_name for name, index in indexes(model).items()},
    }
