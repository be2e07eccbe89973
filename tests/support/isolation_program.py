"""The proofs of isolation. The program exits with 0 if each request went to its own app's destination.

python isolation_program.py PROOF [greenlets]
"""

from __future__ import annotations

import sys

if sys.argv[2:] == ["greenlets"]:
    # Before all other imports, which would keep references to the unpatched functions.
    from gevent import monkey

    monkey.patch_all()

import asyncio
import contextlib
import contextvars
import functools
import typing as t

import flask

from tests.support import isolation
from tests.support.isolation import Side
from tests.support.isolation import Worker

Job = t.Callable[[], None]
# Threads take turns anywhere, by chance. Greenlets do so only where they wait: they need fewer calls for all turns.
COUNT, AT_LEAST = (80, 5_000) if sys.argv[2:] == ["greenlets"] else (160, 10_000)


def many_contexts() -> None:
    """Eight threads of each app push contexts of all kinds, and change them."""
    with isolation.world() as world:
        workers = world.workers()
        isolation.run_at_once([functools.partial(worker.in_many_contexts, COUNT) for worker in workers])
        isolation.run_at_once([functools.partial(worker.in_one_context, COUNT) for worker in workers])
        isolation.run_at_once([worker.in_changed_contexts for worker in workers])
        world.check(workers, at_least=AT_LEAST)


def one_context() -> None:
    """All threads of an app share one context."""
    in_threads(
        lambda side: side.app.app_context(),
        hand_over=lambda job: functools.partial(contextvars.copy_context().run, job),
    )


def one_request() -> None:
    """All threads of an app have copies of one request's context, made by Flask."""
    in_threads(lambda side: side.app.test_request_context(), hand_over=flask.copy_current_request_context)


def in_threads(
    open_context: t.Callable[[Side], contextlib.AbstractContextManager[object]], *, hand_over: t.Callable[[Job], Job]
) -> None:
    """Eight threads of each app make calls in the context that is handed over to them."""
    with isolation.world() as world, contextlib.ExitStack() as stack:
        workers = world.workers()
        jobs = []
        for side in world.sides:
            stack.enter_context(open_context(side))
            mine = [worker for worker in workers if worker.side is side]
            jobs += [hand_over(functools.partial(worker.in_this_context, 80)) for worker in mine]
        isolation.run_at_once(jobs)
        world.check(workers, at_least=1_000)


def async_views() -> None:
    """Async views of both apps at once, whose tasks, and their threads, have the view's context."""
    with isolation.world(at_once=4) as world:
        workers = world.workers(per_app=2)
        for worker in workers:
            worker.side.app.add_url_rule(f"/{worker.name}", worker.name, functools.partial(view, worker))
        isolation.run_at_once([functools.partial(visit, worker) for worker in workers])
        world.check(workers, at_least=1_000)


async def view(worker: Worker) -> str:
    """Make many calls at once."""
    await asyncio.gather(*(make(worker, *task, position) for position, task in enumerate(worker.tasks(200))))
    return "done"


async def make(worker: Worker, situation: isolation.Situation, call: isolation.Call, position: int) -> None:
    """Make a call, after all other tasks have entered their situation."""
    with situation(worker) as intended:
        await asyncio.sleep(0)
        if position % 2:
            worker.make(call, intended)
        else:
            await asyncio.to_thread(worker.make, call, intended)


def visit(worker: Worker) -> None:
    """Send a request to the worker's view."""
    response = worker.side.app.test_client().get(f"/{worker.name}")
    assert response.text == "done", response.text


PROOFS = {proof.__name__: proof for proof in (many_contexts, one_context, one_request, async_views)}

if __name__ == "__main__":
    PROOFS[sys.argv[1]]()
