"""The effect on a server: requests per second of a view that reads one item, and CPU time of gunicorn's workers.

python benchmarks/throughput.py [--quick] [--write]

Each client has a gunicorn with gthread workers, all on one core. They take turns; the others are idle. The DynamoDB
server and the source of the requests run on another core, if there are two.
"""

from __future__ import annotations

import asyncio
import collections.abc as cabc
import contextlib
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import time
import typing as t

from _canned import AwakeSelector
from _canned import take_core
from _common import HERE
from _common import PACKAGES
from _common import Figure
from _common import Figures
from _common import Runs
from _common import main

THEIRS = "PynamoDB"
CLIENTS = (THEIRS, "stock", "botocore", "direct", "Flask alone")
COLUMNS = ("", *CLIENTS)
WORKERS, THREADS = 2, 4
CONNECTIONS = WORKERS * THREADS
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
TICKS = os.sysconf("SC_CLK_TCK")


class Row(t.NamedTuple):
    """One question about all clients."""

    question: str
    figures: cabc.Mapping[str, Figure]
    key: str
    unit: str

    @property
    def cells(self) -> list[str]:
        """The cells of the row, as Markdown."""
        return [self.question, *(self.figures[f"{client}/{self.key}"].show(self.unit) for client in CLIENTS)]


def report(runs: Runs) -> list[Row]:
    """A row for each question."""
    options = {"rounds": runs.size(5, quick=1), "requests": runs.size(1000, quick=20)}
    (figures,) = runs.of({"all_clients": options}, count=3)
    return [
        Row("requests per second", figures, "rate", ""),
        Row("as a multiple of PynamoDB's", figures, "gain", ""),
        Row("CPU time of the workers per request", figures, "cpu", "us"),
        Row("as a share of PynamoDB's", figures, "share", ""),
    ]


class Measured(t.NamedTuple):
    """One turn of a client.

    Attributes:
        rate: Requests per second.
        cpu: Seconds of the workers per request.
    """

    rate: float
    cpu: float


def all_clients(rounds: int, requests: int) -> Figures:
    """The medians of several rounds. In each round, all clients take a turn."""
    with contextlib.ExitStack() as stack:
        started = {client: stack.enter_context(gunicorn(client)) for client in CLIENTS}
        take_core(last=True)
        servers = {client: Server(port, workers_of(process)) for client, (port, process) in started.items()}
        for server in servers.values():
            turn(server, requests=requests)  # each thread opens its connections
        turns = [{client: turn(server, requests=requests) for client, server in servers.items()} for _ in range(rounds)]
    return {f"{client}/{key}": figure for client in CLIENTS for key, figure in of_client(client, turns).items()}


def of_client(client: str, turns: list[dict[str, Measured]]) -> Figures:
    """The medians of a client's turns, and their ratios to PynamoDB's turns of the same round."""
    pairs = [(measured[client], measured[THEIRS]) for measured in turns]
    return {
        "rate": statistics.median(ours.rate for ours, _ in pairs),
        "cpu": statistics.median(ours.cpu for ours, _ in pairs),
        "gain": statistics.median(ours.rate / theirs.rate for ours, theirs in pairs),
        # In a quick run, the CPU clock may not have ticked.
        "share": statistics.median(ours.cpu / max(theirs.cpu, 1e-9) for ours, theirs in pairs),
    }


class Server(t.NamedTuple):
    """A running gunicorn."""

    port: int
    workers: list[int]

    def cpu(self) -> float:
        """CPU seconds of its workers so far."""
        return sum(map(cpu_of, self.workers))


def cpu_of(process: int) -> float:
    """CPU seconds of all threads of a process, in user and kernel mode (Linux)."""
    fields = pathlib.Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


@contextlib.contextmanager
def gunicorn(client: str) -> cabc.Iterator[tuple[int, int]]:
    """A gunicorn that serves the view with a client: its port, and the id of the parent of its workers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = [sys.executable, "-m", "gunicorn", "_view:application", f"--bind=fd://{listener.fileno()}"]
        command += [f"--workers={WORKERS}", f"--threads={THREADS}", "--worker-class=gthread", "--keep-alive=600"]
        command += ["--preload", "--log-level=error", f"--chdir={HERE}"]
        environment = {**os.environ, "BENCHMARK_CLIENT": client}
        with subprocess.Popen(command, env=environment, pass_fds=[listener.fileno()]) as process:  # noqa: S603
            try:
                yield listener.getsockname()[1], process.pid
            finally:
                process.terminate()


def workers_of(process: int) -> list[int]:
    """The process ids of the workers, once all have started."""
    children = pathlib.Path(f"/proc/{process}/task/{process}/children")
    for _ in range(3000):
        workers = [int(child) for child in children.read_text(encoding="ascii").split()]
        if len(workers) == WORKERS:
            return workers
        time.sleep(0.01)
    raise RuntimeError("gunicorn has not started its workers.")


def turn(server: Server, *, requests: int) -> Measured:
    """Send requests over kept connections, each as soon as the last response is there."""
    cpu, started = server.cpu(), time.perf_counter()
    with contextlib.closing(asyncio.SelectorEventLoop(AwakeSelector())) as loop:
        loop.run_until_complete(ask(server.port, times=requests // CONNECTIONS))
    wall, asked = time.perf_counter() - started, requests // CONNECTIONS * CONNECTIONS
    return Measured(asked / wall, (server.cpu() - cpu) / asked)


async def ask(port: int, *, times: int) -> None:
    """Send a number of requests on each connection."""
    loop = asyncio.get_running_loop()
    askers = [Asker(times, loop.create_future()) for _ in range(CONNECTIONS)]
    for asker in askers:
        await loop.create_connection(lambda asker=asker: asker, "127.0.0.1", port)
    await asyncio.gather(*(asker.done for asker in askers))


class Asker(asyncio.Protocol):
    """One connection, which sends the next request when it has the last response.

    Args:
        times: Number of requests.
        done: Future that is set at the end.
    """

    def __init__(self, times: int, done: asyncio.Future[None]) -> None:
        self.done = done
        self._left = times
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - it is one of TCP
        self._transport = transport
        transport.write(REQUEST)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end or len(body) < int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0]):
            return
        self._received = b""
        self._left -= 1
        if not head.startswith(b"HTTP/1.1 200 "):
            self._transport.close()
        elif self._left:
            self._transport.write(REQUEST)
        else:
            self.done.set_result(None)
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(RuntimeError("The view has failed."))


if __name__ == "__main__":
    main(
        __file__,
        variants=[all_clients],
        report=report,
        columns=COLUMNS,
        packages=[*PACKAGES, "gunicorn", "msgspec"],
        is_awake=True,
    )
