"""Serve moto on a port of loopback, one request at a time.

python locked_moto.py PORT
"""

from __future__ import annotations

import io
import socketserver
import sys
import threading
import typing as t
import urllib.parse

import moto.server

_app = moto.server.DomainDispatcherApplication(moto.server.create_backend_app)
_lock = threading.Lock()


class Handler(socketserver.StreamRequestHandler):
    """The requests of one connection, one after the other.

    The servers of werkzeug and of the standard library have a new connection and a new thread for each request, which
    takes as long as moto takes to answer.
    """

    disable_nagle_algorithm = True
    wbufsize = -1  # one packet for each response

    def handle(self) -> None:
        """Answer until the client closes the connection."""
        try:
            while line := self.rfile.readline():
                self._answer(*line.decode("latin-1").split())
                self.wfile.flush()
        except ConnectionError:
            self.wfile = io.BytesIO()  # what is left in its buffer has no reader

    def _answer(self, method: str, target: str, protocol: str) -> None:
        path, _, query = target.partition("?")
        environ: dict[str, t.Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": urllib.parse.unquote(path, "latin-1"),
            "QUERY_STRING": query,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": sys.argv[1],
            "SERVER_PROTOCOL": protocol,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            **self._headers(),
        }
        length = int(environ.get("CONTENT_LENGTH", 0))
        environ["wsgi.input"] = io.BytesIO(self.rfile.read(length))
        # moto updates an item without a lock, so that concurrent requests lose updates.
        with _lock:
            body = b"".join(_app(environ, self._start))
        self.wfile.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)

    def _headers(self) -> dict[str, str]:
        headers = {}
        while line := self.rfile.readline().decode("latin-1").strip():
            name, _, value = line.partition(":")
            headers["HTTP_" + name.upper().replace("-", "_")] = value.strip()
        for name in ("CONTENT_LENGTH", "CONTENT_TYPE"):
            if value := headers.pop(f"HTTP_{name}", ""):
                headers[name] = value
        return headers

    def _start(self, status: str, headers: list[tuple[str, str]], *_: object) -> None:
        lines = [f"{name}: {value}" for name, value in headers if name.lower() != "content-length"]
        self.wfile.write("\r\n".join([f"HTTP/1.1 {status}", *lines, ""]).encode("latin-1"))


class Server(socketserver.ThreadingTCPServer):
    """One thread for each connection."""

    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
