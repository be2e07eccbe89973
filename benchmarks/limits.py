"""The wait of one tenant while another reads full pages as fast as it can, with a rate limit and without.

python benchmarks/limits.py [--quick] [--write]

All requests go to one Flask app in one process. The loud tenant has eight threads, each of which sends its next
request a hundredth of a second after the last response, also after a refusal. The quiet tenant reads a hundred items,
one request after another. The benchmark measures how long the quiet tenant waits for a response.
"""

from __future__ import annotations

import statistics
import threading
import time
import typing as t

import flask
from _canned import HUNDRED
from _canned import PAGE
from _common import Figure
from _common import Figures
from _common import Row
from _common import Runs
from _common import declare
from _common import main
from _common import make_app

import dynaflask

REQUESTS = 500
LOUD_THREADS = 8
PAUSE_SECONDS = 0.01
# Capacity units per second. A page takes 125, so the loud tenant gets two pages per second.
CAPACITY = 250


def report(runs: Runs) -> list[Row]:
    """The rows of the table."""
    requests = runs.size(REQUESTS, quick=5)
    alone, limited, unlimited = runs.of(
        {
            "quiet_alone": {"requests": requests},
            "quiet_beside_a_limited": {"requests": requests},
            "quiet_beside_an_unlimited": {"requests": requests},
        },
        count=3,
    )
    rows = [
        quiet_row("half of the answers come within", *(figures["median"] for figures in (alone, unlimited, limited))),
        quiet_row("99 % of the answers come within", *(figures["p99"] for figures in (alone, unlimited, limited))),
    ]
    served = [figures["served"].show() for figures in (unlimited, limited)]
    refused = limited["refused"].show()
    return [
        *rows,
        Row("requests of the loud one that were served, per second", "", served[0], "", served[1], None),
        Row("requests of the loud one that were refused, per second", "", "", "", refused, None),
    ]


def quiet_row(what: str, alone: Figure, unlimited: Figure, limited: Figure) -> Row:
    """A row about the wait of the quiet tenant."""
    longer = f"{unlimited.median / alone.median:.1f} times"
    ratio = limited.median / alone.median
    shown = f"{limited.show('ms')}, {ratio:.1f} times"
    return Row(
        what, alone.show("ms"), unlimited.show("ms"), longer, shown, is_reached=limited.median < unlimited.median
    )


def quiet_alone(requests: int) -> Figures:
    """No other tenant sends requests."""
    return serve(requests, loud=0)


def quiet_beside_an_unlimited(requests: int) -> Figures:
    """A loud tenant takes all it can."""
    return serve(requests, loud=LOUD_THREADS)


def quiet_beside_a_limited(requests: int) -> Figures:
    """A loud tenant is limited to its capacity."""
    return serve(requests, loud=LOUD_THREADS, tenant_capacity={"loud": CAPACITY})


def serve(requests: int, *, loud: int, **more: t.Any) -> Figures:
    """Send requests of the quiet tenant, while threads of the loud tenant send theirs."""
    app, is_over, statuses = make_forum(**more), threading.Event(), list[int]()
    threads = [threading.Thread(target=be_loud, args=(app, is_over, statuses)) for _ in range(loud)]
    visit(app, "quiet", HUNDRED)
    for thread in threads:
        thread.start()
    started = time.perf_counter()
    waits = [timed(app) for _ in range(requests)]
    seconds = time.perf_counter() - started
    is_over.set()
    for thread in threads:
        thread.join()
    refused = statuses.count(429)
    centiles = statistics.quantiles(waits, n=100)
    return {
        "median": statistics.median(waits),
        "p99": centiles[98],
        "served": (len(statuses) - refused) / seconds,
        "refused": refused / seconds,
    }


def make_forum(**more: t.Any) -> flask.Flask:
    """An app with one view, which counts the items of a query."""
    db = dynaflask.Dynamo()
    db.tenant_loader(lambda: flask.request.headers["tenant"])
    model = declare(db.Model, "Thread")
    app = make_app("forum", db, **more)
    app.add_url_rule("/<key>", view_func=lambda key: {"found": sum(1 for _ in model.query(key))}, endpoint="show")
    return app


def be_loud(app: flask.Flask, is_over: threading.Event, statuses: list[int]) -> None:
    """Read full pages until the event is set."""
    while not is_over.wait(PAUSE_SECONDS):
        statuses.append(visit(app, "loud", PAGE))


def timed(app: flask.Flask) -> float:
    """Seconds that the quiet tenant waits for a response."""
    started = time.perf_counter()
    visit(app, "quiet", HUNDRED)
    return time.perf_counter() - started


def visit(app: flask.Flask, tenant: str, key: str) -> int:
    """The status of the response to a request."""
    return app.test_client().get(f"/{key}", headers={"tenant": tenant}).status_code


COLUMNS = ("the quiet tenant", "alone", "beside a loud one", "how much longer", "beside one with a limit", "reached")
VARIANTS = [quiet_alone, quiet_beside_an_unlimited, quiet_beside_a_limited]

if __name__ == "__main__":
    main(__file__, variants=VARIANTS, report=report, columns=COLUMNS)
