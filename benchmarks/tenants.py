"""The cost of one more app in a process with a thousand apps, and of one more tenant in an app with ten thousand.

python benchmarks/tenants.py [--quick] [--write]

An app's cost: to make and initialise the app, to get a connection for each of its models in a context, and the extra
time of a first call over a second one. With PynamoDB, each model makes a first call, because each makes a client.

A tenant's cost: its first block, with one call. A switch to a known tenant: enter its block, get a model's connection,
and leave the block.
"""

from __future__ import annotations

import collections.abc as cabc
import time
import typing as t

import flask
from _common import KEY
from _common import Figure
from _common import Figures
from _common import Row
from _common import Runs
from _common import bounded
from _common import declare
from _common import main
from _common import make_app
from _common import measured
from _common import settings
from pynamodb.models import Model

import dynaflask
from dynaflask.client.pool import pool

APPS = 1000
MODELS = 20
BOUNDED_APPS = 300
MAX_CLIENTS = 100
TENANTS = 10_000
DESTINATIONS = 50
RECENT_TENANTS = 20
SWITCHES = 20_000

Answers = dict[str, Figure]


def report(runs: Runs) -> list[Row]:
    """The rows of the table."""
    models, apps = runs.size(MODELS, quick=2), runs.size(APPS, quick=3)
    plain, theirs, one, many, kept, tenants = runs.of(
        {
            "flask_apps": {"apps": apps},
            "pynamodb_apps": {"apps": 1, "models": models},  # it takes seconds
            "dynaflask_apps": {"apps": apps, "models": models},
            "dynaflask_accounts": {"apps": apps, "models": models},
            "dynaflask_bounded": {"apps": runs.size(BOUNDED_APPS, quick=3), "models": models},
            "dynaflask_tenants": {"tenants": runs.size(TENANTS, quick=60), "models": models},
        },
        count=3,
    )
    by_bound = f"{BOUNDED_APPS} apps, `DYNAMODB_MAX_CLIENTS = {MAX_CLIENTS}`"
    return [
        *rows(f"{APPS:,} apps x {MODELS} models, one destination", one, theirs, most=(2, 100), clients=1),
        *rows(f"{APPS:,} apps x {MODELS} models, {APPS:,} destinations", many, theirs, most=(3, 60), clients=APPS),
        *rows(f"{by_bound}, {BOUNDED_APPS} destinations", kept, theirs, most=(12, 350), clients=MAX_CLIENTS),
        Row("Flask's part in each of these, CPU time", plain["cpu"].show("ms"), "", "", "", None),
        Row("Flask's part in each of these, memory", plain["memory"].show("kB"), "", "", "", None),
        *tenant_rows(tenants),
    ]


def rows(question: str, ours: Answers, theirs: Answers, *, most: tuple[float, float], clients: int) -> list[Row]:
    """Rows about the CPU time and memory of an app, and the number of clients.

    Args:
        question: Number of apps, and their destinations.
        ours: Figures of dynaflask.
        theirs: Figures of PynamoDB.
        most: Maximum milliseconds and kilobytes per app.
        clients: Maximum number of clients.
    """
    milliseconds, kilobytes = most
    faster, less = (f"{theirs[name].median / ours[name].median:,.0f} times" for name in ("cpu", "memory"))
    made = Row(f"{question}, clients", ours["clients"].show(), "", "", f"at most {clients:,}", True)
    return [
        bounded(f"{question}, CPU time per app", ours["cpu"], unit="ms", most=milliseconds,
                beside=theirs["cpu"].show("ms"), ratio=f"{faster} faster"),
        bounded(f"{question}, memory per app", ours["memory"], unit="kB", most=kilobytes,
                beside=theirs["memory"].show("kB"), ratio=f"{less} less"),
        made._replace(is_reached=ours["clients"].high <= clients),
    ]  # fmt: skip


def tenant_rows(ours: Answers) -> list[Row]:
    """Rows about the cost of a tenant."""
    question = f"{TENANTS:,} tenants of one app, {DESTINATIONS} destinations"
    return [
        bounded(f"{question}, CPU time per tenant, with its first call", ours["cpu"], unit="ms", most=2),
        bounded(f"{question}, memory per tenant", ours["memory"], unit="kB", most=10),
        bounded("to switch to a tenant that was met before", ours["switch"], unit="us", most=30),
    ]


def flask_apps(apps: int) -> Figures:
    with measured() as figures:
        kept = [make_app(f"app{number}") for number in range(apps)]
    return {name: figure / len(kept) for name, figure in figures.items()}


def pynamodb_apps(apps: int, models: int) -> Figures:
    """Each app has its own model classes, because a ``Meta`` applies to all users of a class."""
    kept: list[t.Any] = []

    def add(number: int) -> float:
        kept.append(make_app(f"app{number}"))
        declared = [declare(Model, f"Model{position}", **settings()) for position in range(models)]
        kept.extend(declared)
        return sum(repeated(lambda model=model: model.get(KEY)) for model in declared)

    return per_app(add, apps=apps)


def dynaflask_apps(apps: int, models: int) -> Figures:
    """All apps use one account."""
    return serve(models, more=[{}] * apps)


def dynaflask_accounts(apps: int, models: int) -> Figures:
    """Each app uses its own account, so that each has a destination."""
    return serve(models, more=[account(number) | {"transport": "direct"} for number in range(apps)])


def dynaflask_bounded(apps: int, models: int) -> Figures:
    """Each app uses its own account, and there are fewer clients than accounts."""
    return serve(models, more=[account(number) | {"max_clients": MAX_CLIENTS} for number in range(apps)])


def dynaflask_tenants(tenants: int, models: int) -> Figures:
    """One app has all tenants."""
    db = dynaflask.Dynamo()
    db.tenant_settings(lambda name: tenant(int(name)))
    declared = [declare(db.Model, f"Model{number}") for number in range(models)]
    app = make_app("app", db)
    names = [str(number) for number in range(tenants)]
    for name in names[:DESTINATIONS]:
        first_call(app, db, name, model=declared[0])
    with measured() as figures:
        for name in names[DESTINATIONS:]:
            first_call(app, db, name, model=declared[0])
    count = tenants - DESTINATIONS
    per_tenant = {"cpu": figures["cpu"] / count, "memory": figures["memory"] / count}
    return {**per_tenant, "switch": switch(app, db, names[-RECENT_TENANTS:], model=declared[0])}


def tenant(number: int) -> dict[str, t.Any]:
    return {**settings(), **account(number % DESTINATIONS), "table_prefix": f"{number}-"}


def first_call(app: flask.Flask, db: t.Any, name: str, *, model: t.Any) -> None:
    """The first call of a tenant, in a new context, as a request has it."""
    with app.app_context(), db.tenant(name):
        model.get(KEY)


def switch(app: flask.Flask, db: t.Any, names: list[str], *, model: t.Any) -> float:
    """CPU seconds to switch to another tenant and back."""
    turns = names * (SWITCHES // len(names))
    with app.app_context():
        for warming in (True, False):
            started = time.process_time()
            for name in names if warming else turns:
                with db.tenant(name):
                    model._get_connection()
        return (time.process_time() - started) / len(turns)


def account(number: int) -> dict[str, t.Any]:
    return {"aws_access_key_id": f"account{number}"}


def serve(models: int, *, more: cabc.Sequence[dict[str, t.Any]]) -> Figures:
    """The cost of one app for each of these settings."""
    db = dynaflask.Dynamo()
    declared = [declare(db.Model, f"Model{number}") for number in range(models)]
    kept = [make_app("first", db)]  # imports what calls need

    def add(number: int) -> float:
        kept.append(make_app(f"app{number}", db, **more[number]))
        with kept[-1].app_context():
            for model in declared:
                model._get_connection()
            return repeated(lambda: declared[-1].get(KEY))

    return {**per_app(add, apps=len(more)), "clients": pool.stats().clients}


def per_app(add: cabc.Callable[[int], float], *, apps: int) -> Figures:
    """The cost of an app, without the CPU time that ``add`` returns because it is not the app's."""
    with measured() as figures:
        others = sum(map(add, range(apps)))
    return {"cpu": (figures["cpu"] - others) / apps, "memory": figures["memory"] / apps}


def repeated(call: cabc.Callable[[], object]) -> float:
    """Make a first and a second call, and return twice the CPU seconds of the second.

    They are subtracted from the cost of the app: once for the first call, whose surplus alone is the app's, and once
    for the second.
    """
    call()
    started = time.process_time()
    call()
    return 2 * (time.process_time() - started)


VARIANTS = [flask_apps, pynamodb_apps, dynaflask_apps, dynaflask_accounts, dynaflask_bounded, dynaflask_tenants]

if __name__ == "__main__":
    main(__file__, variants=VARIANTS, report=report)
