"""Local servers in tests: start them in processes of their own, and see whether they answer."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import http.client
import json
import os
import pathlib
import socket
import subprocess
import sys
import textwrap
import time
import typing as t

import botocore.session

from tests.support.paths import PROJECT
from tests.support.paths import environment
from tests.support.paths import measured_environment

START = "from dynaflask import local; print(local.endpoint(), flush=True);"
START_ON = "import sys; from dynaflask import local; print(local.endpoint(sys.argv[1]), flush=True);"


def python(code: str, *arguments: str, is_measured: bool = False) -> subprocess.Popen[str]:
    """Run the code in a process of its own, in development mode, which shows what is left open.

    Coverage measures it only if it alone runs some lines: to start that takes four times as long as all else.
    """
    return subprocess.Popen(
        [sys.executable, "-X", "dev", "-c", textwrap.dedent(code), *arguments],
        env=measured_environment() if is_measured else environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def printed(program: str, environment: cabc.Mapping[str, str]) -> t.Any:
    """The JSON that a program prints in a process of its own."""
    process = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=PROJECT, env=environment
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


def finish(process: subprocess.Popen[str]) -> str:
    """The output of a process that ends with exit code 0 and writes nothing to standard error."""
    output, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, "")
    return output


def answers(url: str) -> bool:
    with contextlib.suppress(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port_of(url))).close()
        return True
    return False


def status(url: str, path: str, *, method: str = "GET", **headers: str) -> int:
    """The status of the answer to a request, with these headers besides Host."""
    connection = http.client.HTTPConnection("127.0.0.1", port_of(url), timeout=60)
    try:
        connection.request(method, path, headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def eventually(claim: cabc.Callable[[], object]) -> bool:
    """True if the claim becomes true within 60 seconds, which is far more than any of them takes."""
    deadline = time.monotonic() + 60
    while not (holds := claim()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return bool(holds)


def client(url: str) -> t.Any:
    return botocore.session.get_session().create_client(
        "dynamodb", "us-east-1", endpoint_url=url, aws_access_key_id="key", aws_secret_access_key="secret"
    )


def create_table(url: str, name: str) -> None:
    client(url).create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


def listeners(session: int) -> set[str]:
    """Addresses and ports, in hexadecimal, on which the processes of a session listen, as Linux lists them."""
    inodes = {inode for process in pathlib.Path("/proc").glob("[0-9]*") for inode in _sockets(process, session)}
    rows = [
        line.split() for name in ("tcp", "tcp6") for line in pathlib.Path("/proc/net", name).read_text().splitlines()
    ]
    return {row[1] for row in rows if row[3] == "0A" and row[9] in inodes}


def _sockets(process: pathlib.Path, session: int) -> list[str]:
    with contextlib.suppress(OSError):
        if os.getsid(int(process.name)) == session:
            links = [os.readlink(link) for link in process.joinpath("fd").iterdir()]
            return [link[8:-1] for link in links if link.startswith("socket:")]
    return []
