"""A server for pages that a browser opens."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import threading
import typing as t

import werkzeug.serving


class Handler(werkzeug.serving.WSGIRequestHandler):
    """Ends the connections that a browser opens in advance and does not use."""

    timeout = 1

    def log(self, *_: t.Any) -> None:
        """Write nothing."""


@contextlib.contextmanager
def served(app: t.Any) -> cabc.Iterator[str]:
    """The URL of an app on a threaded server."""
    server = werkzeug.serving.make_server("127.0.0.1", 0, app, threaded=True, request_handler=Handler)
    # The server waits for the threads of its requests.
    server.daemon_threads = False  # type: ignore[attr-defined]
    with server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.port}"
        finally:
            server.shutdown()
            serving.join()
