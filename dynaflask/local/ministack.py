"""ministack: the executable, what configures it, and what must be true of its server."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import encodings.idna  # noqa: F401 - imported by each connection: a fork amid that import would deadlock the child
import http
import http.client
import json
import os
import pathlib
import re
import shutil
import sys

from dynaflask.exceptions import LocalServerError

ADDRESS = "127.0.0.1"
OLDEST_VERSION = "1.5.33"
GUARD = pathlib.Path(__file__).with_name("guard")
INSTALL = 'pip install "dynaflask[local]"'


def find_ministack() -> str:
    """Path of the executable.

    Raises:
        LocalServerError: It is not installed.
    """
    # A virtual environment need not be on PATH: look beside Python, too.
    path = shutil.which("ministack") or shutil.which("ministack", path=os.path.dirname(find_python()))
    if path is None:
        raise LocalServerError(
            f"The local server, ministack, is not installed. Run: {INSTALL}\n"
            "Or put a `ministack` on PATH, for example from a virtual environment of its own."
        )
    return path


def find_python() -> str:
    """Path of the Python that runs this program."""
    # Where a program embeds Python, sys.executable is that program: under uWSGI it is uwsgi.
    if os.path.basename(sys.executable or "").startswith(("python", "pypy")):
        return sys.executable
    return os.path.join(sys.prefix, "bin", "python3")


def environment_of(port: int, *, path: str | None) -> dict[str, str]:
    """The variables that configure a ministack.

    Args:
        port: The port that it listens on.
        path: Its data directory; None if the data is in memory.
    """
    return {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(GUARD), os.environ.get("PYTHONPATH")])),
        "BIND_HOST": ADDRESS,
        "GATEWAY_PORT": str(port),
        "SERVICES": "dynamodb,dynamodbstreams,sts",
        "LOG_LEVEL": "WARNING",
        "USE_SSL": "0",
        # Listeners of other services. They are on by default where cryptography is installed, and on all interfaces.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "PERSIST_STATE": "1" if path else "0",
        "STATE_DIR": path or "",
    }


def url_of(port: int) -> str:
    """The URL of the server on a port."""
    return f"http://{ADDRESS}:{port}"


def ask_version(port: int) -> str | None:
    """The version of the ministack that answers on a port, or None if none answers yet."""
    try:
        with _ask_health(port) as response:
            return str(json.load(response)["version"])
    except (OSError, http.client.HTTPException, ValueError, LookupError):
        return None


def check_version(version: str) -> None:
    """Refuse a version that is too old.

    Raises:
        LocalServerError: It is too old.
    """
    if _numbers(version) < _numbers(OLDEST_VERSION):
        raise LocalServerError(
            f"{find_ministack()} is ministack {version}, which is too old. It must be {OLDEST_VERSION} or newer."
            f" Run: {INSTALL}"
        )


def check_guard(port: int) -> None:
    """Refuse a server that answers the requests of web pages.

    Raises:
        LocalServerError: It answers them.
    """
    # Asked rather than assumed: an executable that starts Python with -I or -E does not read PYTHONPATH.
    with _ask_health(port, Origin="http://web.page") as response:
        if response.status == http.HTTPStatus.FORBIDDEN:
            return
    raise LocalServerError(
        f"{find_ministack()} would let any web page in your browser read and delete the data: it ignores PYTHONPATH,"
        " which dynaflask needs to protect it. Start its Python without -I and -E."
        f" To install ministack, run: {INSTALL}"
    )


@contextlib.contextmanager
def _ask_health(port: int, **headers: str) -> cabc.Iterator[http.client.HTTPResponse]:
    # Not urllib, which would use the proxy of the environment.
    connection = http.client.HTTPConnection(ADDRESS, port, timeout=1)
    try:
        connection.request("GET", "/_ministack/health", headers=headers)
        yield connection.getresponse()
    finally:
        connection.close()


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)[:3]]
