"""The cost of a start: the first use of each model, a context, a connection, a cold process, the import.

python benchmarks/startup.py [--quick] [--write]
"""

from __future__ import annotations

import collections.abc as cabc
import os
import statistics
import subprocess
import sys
import threading
import time
import typing as t

import botocore.session
from _common import HERE
from _common import KEY
from _common import Figures
from _common import Row
from _common import Runs
from _common import bounded
from _common import compared
from _common import declare
from _common import main
from _common import make_app
from _common import measured
from _common import settings
from pynamodb.models import Model

import dynaflask

MODELS = 30
THREADS = 8
ROUNDS = 100
ANSWER = {"Item": {"id": {"S": KEY}, "title": {"S": "What is a bind?"}, "views": {"N": "7"}, "tags": {"SS": ["aws"]}}}
IMPORTS = """
import time
started = time.process_time()
import flask, pynamodb.models, pynamodb.attributes
theirs = time.process_time()
from dynaflask import Dynamo
added = time.process_time()
app = flask.Flask("app")
begun = time.process_time()
Dynamo(app)
print(theirs - started, added - theirs, time.process_time() - begun)
"""


def report(runs: Runs) -> list[Row]:
    """The rows of the table."""
    return [
        *first_use(runs),
        *a_context(runs),
        a_connection(runs),
        cold_process(runs),
        *imports_of(runs),
        a_cold_start(runs, "a cold start: imports, one app, the first answer"),
        a_cold_start(runs, "the same in a function of AWS Lambda", in_lambda=True),
    ]


def first_use(runs: Runs) -> list[Row]:
    """A process calls each of its models once."""
    given = {"models": runs.size(MODELS, quick=2)}
    ours, theirs = runs.of({"dynaflask_models": given, "pynamodb_models": given}, count=3)
    question = f"{MODELS} models, first use of each"
    return [
        compared(question, ours["cpu"], theirs["cpu"], unit="ms", least=25, better="faster"),
        compared(f"{question}, wall time", ours["wall"], theirs["wall"], unit="ms", least=25, better="faster"),
        compared(f"{question}, memory", ours["memory"], theirs["memory"], unit="MB", least=20, better="less"),
    ]


def a_context(runs: Runs) -> list[Row]:
    """A call in a new context, and in an open one."""
    given = {"rounds": runs.size(ROUNDS, quick=2)}
    found, real = runs.of({"contexts": given, "contexts_over_a_socket": given}, count=3)
    question = "an app context that makes one call, over the call alone"
    beside, beside_cold = (f"empty, of plain Flask: {figures['empty'].show('us')}" for figures in (found, real))
    cold = f"{real['added'].show('us')}; the call takes {real['call'].show('us')}"
    return [
        bounded(question, found["added"], unit="us", most=15, beside=beside),
        Row("the same on cold caches, as calls over a socket leave them", cold, beside_cold, "", "", None),
    ]


def a_connection(runs: Runs) -> Row:
    """The first step of each call: finding the connection of the model."""
    (found,) = runs.of({"connections": {"rounds": runs.size(ROUNDS, quick=2)}}, count=3)
    question = "`Model._get_connection()` warm, over PynamoDB's"
    return bounded(question, found["added"], unit="us", most=1.5, beside=found["theirs"].show("us"))


def cold_process(runs: Runs) -> Row:
    """Several threads make the first call of a model at once."""
    given = {"threads": runs.size(THREADS, quick=2)}
    ours, theirs = runs.of({"dynaflask_threads": given, "pynamodb_threads": given}, count=3)
    question = f"{THREADS} threads on a cold process, clients"
    made, theirs_made = ours["clients"], theirs["clients"]
    return Row(question, made.show(), theirs_made.show(), "", "1", is_reached=made.high == 1)


def imports_of(runs: Runs) -> list[Row]:
    """``import dynaflask`` in a program that has imported flask and pynamodb, and what the first app imports."""
    runs.start("imports", {})  # compiles
    (found,) = runs.of({"imports": {}}, count=11)
    share, beside = found["share"], f"flask and pynamodb: {found['theirs'].show('ms')}"
    question = "`import dynaflask`, over both others"
    return [
        Row(question, found["added"].show("ms"), beside, share.show("%"), "at most 12 %", share.median <= 0.12),
        Row("the first `init_app`, which imports what calls need", found["first"].show("ms"), "", "", "", None),
    ]


def a_cold_start(runs: Runs, question: str, *, in_lambda: bool = False) -> Row:
    """From the first import to the first answer."""
    given = {"in_lambda": in_lambda}
    ours, theirs = runs.of({"dynaflask_start": given, "pynamodb_start": given}, count=11)
    ratio = ours["cpu"].median / theirs["cpu"].median
    cells = (ours["cpu"].show("ms"), theirs["cpu"].show("ms"), f"{ratio:.2f}", "at most 1")
    return Row(question, *cells, is_reached=ratio <= 1)


def dynaflask_models(models: int) -> Figures:
    db = dynaflask.Dynamo()
    declared = [declare(db.Model, f"Model{number}") for number in range(models)]
    make_app("first", db)  # imports what calls need
    with measured() as figures, make_app("benchmark", db).app_context():
        get_each(declared)
    return figures


def pynamodb_models(models: int) -> Figures:
    declared = [declare(Model, f"Model{number}", **settings()) for number in range(models)]
    with measured() as figures:
        get_each(declared)
    return figures


def get_each(models: cabc.Iterable[t.Any]) -> None:
    for model in models:
        model.get(KEY)


def contexts(rounds: int) -> Figures:
    """With a client that returns at once: the time of a call over a socket varies more than a context costs."""
    return compare_contexts(rounds, calls=100, client_factory=CannedClient)


def contexts_over_a_socket(rounds: int) -> Figures:
    """One call per context, so that each context starts with the CPU caches that a call leaves."""
    return compare_contexts(10 * rounds, calls=1)


def compare_contexts(rounds: int, *, calls: int, **more: t.Any) -> Figures:
    db = dynaflask.Dynamo()
    model, app, plain = declare(db.Model, "Model"), make_app("benchmark", db, **more), make_app("plain")

    def alone() -> None:
        model.get(KEY)

    def inside() -> None:
        with app.app_context():
            model.get(KEY)

    def empty() -> None:
        with plain.app_context():
            pass

    with app.app_context():
        call, with_context, nothing = in_turn([alone, inside, empty], rounds=rounds, calls=calls)
    return {"call": call, "added": with_context - call, "empty": nothing}


class CannedClient:
    """The one method of a client that PynamoDB calls.

    Args:
        bind: Bind of the client.
    """

    def __init__(self, bind: t.Any) -> None:
        self.bind = bind

    def _make_api_call(self, operation: str, arguments: t.Any) -> t.Any:
        return ANSWER


def connections(rounds: int) -> Figures:
    db = dynaflask.Dynamo()
    ours, theirs = declare(db.Model, "Ours"), declare(Model, "Theirs", **settings())
    with make_app("benchmark", db).app_context():
        our_time, their_time = in_turn([ours._get_connection, theirs._get_connection], rounds=rounds, calls=2000)
    return {"ours": our_time, "theirs": their_time, "added": our_time - their_time}


def in_turn(functions: cabc.Sequence[t.Callable[[], t.Any]], *, rounds: int, calls: int) -> list[float]:
    """CPU seconds of one call of each function: the medians of several rounds, in which they take turns."""
    series: list[list[int]] = [[] for _ in functions]
    for _ in range(rounds):
        for function, nanoseconds in zip(functions, series, strict=True):
            started = time.thread_time_ns()
            for _ in range(calls):
                function()
            nanoseconds.append(time.thread_time_ns() - started)
    return [statistics.median(nanoseconds) / calls / 1e9 for nanoseconds in series]


def dynaflask_threads(threads: int) -> Figures:
    db = dynaflask.Dynamo()
    model, app = declare(db.Model, "Model"), make_app("benchmark", db)

    def get() -> None:
        with app.app_context():
            model.get(KEY)

    return {"clients": count_clients(get, threads=threads)}


def pynamodb_threads(threads: int) -> Figures:
    model = declare(Model, "Model", **settings())
    return {"clients": count_clients(lambda: model.get(KEY), threads=threads)}


def count_clients(get: cabc.Callable[[], None], *, threads: int) -> int:
    """Number of clients that botocore makes while threads call at once."""
    made, together = [], threading.Barrier(threads)
    create_client = botocore.session.Session.create_client

    def counted(*args: t.Any, **options: t.Any) -> t.Any:
        made.append(1)
        return create_client(*args, **options)

    def start() -> None:
        together.wait()
        get()

    botocore.session.Session.create_client = counted
    started = [threading.Thread(target=start) for _ in range(threads)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    return len(made)


def dynaflask_start(*, in_lambda: bool) -> Figures:
    return start(
        "import dynaflask, _common as c; db = dynaflask.Dynamo(); model = c.declare(db.Model, 'Model');"
        " c.make_app('benchmark', db, transport='direct').app_context().push()",
        in_lambda=in_lambda,
    )


def pynamodb_start(*, in_lambda: bool) -> Figures:
    return start(
        "import _common as c; from pynamodb.models import Model; c.make_app('benchmark').app_context().push();"
        " model = c.declare(Model, 'Model', **c.settings())",
        in_lambda=in_lambda,
    )


def start(preparation: str, *, in_lambda: bool) -> Figures:
    """CPU seconds of a process that imports, prepares a model, and makes one call."""
    code = f"import time; {preparation}; model.get('{KEY}'); print(time.process_time())"
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(HERE), os.environ.get("PYTHONPATH", "")))}
    if in_lambda:
        environment["AWS_LAMBDA_FUNCTION_NAME"] = "benchmark"
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603
    return {"cpu": float(done.stdout)}


def imports() -> Figures:
    """The import in a process that has imported nothing else."""
    done = subprocess.run([sys.executable, "-c", IMPORTS], stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603
    theirs, added, first = map(float, done.stdout.split())
    return {"theirs": theirs, "added": added, "share": added / theirs, "first": first}


VARIANTS = [
    dynaflask_models,
    pynamodb_models,
    contexts,
    contexts_over_a_socket,
    connections,
    dynaflask_threads,
    pynamodb_threads,
    dynaflask_start,
    pynamodb_start,
    imports,
]

if __name__ == "__main__":
    main(__file__, variants=VARIANTS, report=report)
