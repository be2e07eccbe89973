"""Runs in ministack's process, makes its server refuse the requests of web pages, and ends it with its watcher.

A page in the developer's browser can send requests to any port on loopback. ministack answers every ``Host`` and
``Origin``, so that a page could read the data, and delete it with one POST. The server therefore answers only requests
that name a loopback host, which a page whose name resolves to loopback does not, and that no browser has sent for a
page.

``ministack`` may be any executable, from any environment. Python imports this file there because its directory is the
first of ``PYTHONPATH``. It uses only the standard library.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import os
import re
import signal
import stat
import sys
import threading
import types
import typing as t

WATCHER_FD = "DYNAFLASK_WATCHER_FD"
APP_MODULE = "ministack.app"
LOOPBACK = re.compile(rb"(127\.0\.0\.1|localhost|\[::1\])(:\d+)?", re.IGNORECASE)
REFUSAL = b"The local server of dynaflask answers programs on this machine, and no web page."


def is_refused(headers: t.Iterable[tuple[bytes, bytes]]) -> bool:
    """True if a request is for another host, or comes from a web page.

    Args:
        headers: The request's headers, with names in lower case.
    """
    hosts = []
    for name, value in headers:
        if name == b"host":
            hosts.append(value)
        # A browser sends Origin with each POST and each request that a script may read, and Sec-Fetch-Site with every
        # request; its value is "none" if the user has typed the URL. https://www.w3.org/TR/fetch-metadata/
        elif name == b"origin" or (name == b"sec-fetch-site" and value != b"none"):
            return True
    return not hosts or not all(LOOPBACK.fullmatch(host) for host in hosts)


def guarded(app: t.Any) -> t.Any:
    """The ASGI application, behind a check of each request's headers."""

    async def guard(scope: t.Any, receive: t.Any, send: t.Any) -> None:
        if scope["type"] == "lifespan" or not is_refused(scope["headers"]):
            await app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            headers = [(b"content-type", b"text/plain"), (b"connection", b"close")]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": REFUSAL})

    return guard


def end_with_watcher() -> None:
    """Start a thread that ends this process when ``watcher.py`` has ended.

    The watcher may be killed. Without it the server would live on, and keep the lock of its data.
    """
    pipe = int(os.environ.get(WATCHER_FD, "-1"))
    try:
        is_pipe = stat.S_ISFIFO(os.fstat(pipe).st_mode)
    except OSError:
        is_pipe = False
    if is_pipe:
        threading.Thread(target=_wait_for_watcher, args=(pipe,), daemon=True).start()


def _wait_for_watcher(pipe: int) -> None:
    if os.read(pipe, 1):
        os._exit(1)  # the data must not be written
    os.kill(os.getpid(), signal.SIGTERM)


class GuardFinder(importlib.abc.MetaPathFinder):
    """Finds the module of ministack's application, and puts the guard in front of the application."""

    def find_spec(self, fullname: str, path: t.Any, target: t.Any = None) -> t.Any:
        """The spec of the module, with a loader that adds the guard; None for any other module."""
        if fullname != APP_MODULE:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def exec_module(module: types.ModuleType) -> None:
                load(module)
                vars(module)["app"] = guarded(vars(module)["app"])
                end_with_watcher()

            vars(spec.loader)["exec_module"] = exec_module
        return spec


def run_next() -> None:
    """Run the ``sitecustomize.py`` that this one hides, if there is one."""
    here = os.path.dirname(os.path.abspath(__file__))
    others = [directory for directory in sys.path if os.path.abspath(directory) != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


sys.meta_path.insert(0, GuardFinder())
run_next()
