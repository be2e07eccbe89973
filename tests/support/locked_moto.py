"""Serve moto on a port of loopback, one request at a time.

python locked_moto.py PORT
"""

from __future__ import annotations

import sys
import threading
import typing as t

import moto.server
import werkzeug.serving

_app = moto.server.DomainDispatcherApplication(moto.server.create_backend_app)
_lock = threading.Lock()


def locked_app(environ: dict[str, t.Any], start_response: t.Any) -> list[bytes]:
    """moto behind a lock: moto updates an item without one, so that concurrent requests lose updates."""
    with _lock:
        return list(_app(environ, start_response))


if __name__ == "__main__":
    werkzeug.serving.run_simple("127.0.0.1", int(sys.argv[1]), locked_app, threaded=True)
