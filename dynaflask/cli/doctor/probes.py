"""The doctor's calls: each is limited in time, and any failure is a finding."""

from __future__ import annotations

import collections.abc as cabc
import concurrent.futures
import contextlib
import contextvars
import datetime as dt
import email.utils
import threading
import time
import typing as t
import urllib.parse

from botocore.config import Config
from botocore.exceptions import ClientError

from dynaflask import local
from dynaflask.cli.doctor.report import ERROR
from dynaflask.cli.doctor.report import OK
from dynaflask.cli.doctor.report import WARNING
from dynaflask.cli.doctor.report import Finding
from dynaflask.cli.doctor.report import safe_text
from dynaflask.cli.doctor.sources import Client
from dynaflask.client.key import LOCAL
from dynaflask.client.key import client_key
from dynaflask.client.service_data import is_of_aws
from dynaflask.client.sessions import LOCAL_REGION
from dynaflask.client.sessions import LockedSession
from dynaflask.client.sessions import new_session
from dynaflask.config.bind import Bind
from dynaflask.config.bind import make_bind
from dynaflask.config.fields import BIND_FIELDS
from dynaflask.operations.error_codes import NOT_ALLOWED
from dynaflask.operations.error_codes import code_of
from dynaflask.operations.tracing import active
from dynaflask.registry import health
from dynaflask.registry.registry import Registry
from dynaflask.tables import drift
from dynaflask.tables.table import Table

T = t.TypeVar("T")

CREDENTIALS = "credentials"
# After an error of one of these checks, it makes no sense to ask for the tables.
FATAL: t.Final = frozenset({"client", "endpoint", CREDENTIALS})

CONNECT_SECONDS = 3
READ_SECONDS = 5
# Longer than one attempt of a call. It limits what has no timeout of its own: a process that provides credentials,
# a client of the program's, or the start of the local server.
DEADLINE_SECONDS = 30
# AWS refuses a signature whose time differs by more than five minutes:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
MAX_SKEW_SECONDS = 300
NOTABLE_SKEW_SECONDS = 30


def probing_bind(bind: Bind) -> Bind:
    """The same destination, with short timeouts and without retries."""
    values = {name: getattr(bind, name) for name in BIND_FIELDS} | {
        "connect_timeout_seconds": CONNECT_SECONDS,
        "read_timeout_seconds": READ_SECONDS,
        "max_retry_attempts": 0,
        "retry_configuration": None,
    }
    return make_bind(bind.key, values)


def bounded(call: cabc.Callable[[], T], *, seconds: float = DEADLINE_SECONDS) -> T:
    """The result of a call, in the current context.

    Raises:
        TimeoutError: The call takes longer. It goes on in its thread, which does not keep the process alive.
    """
    future: concurrent.futures.Future[T] = concurrent.futures.Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - it is raised in the caller's thread
            future.set_exception(error)

    # Not an executor: Python waits for its threads at the end of the process.
    thread = threading.Thread(target=contextvars.copy_context().run, args=(run,), daemon=True)
    thread.start()
    thread.join(seconds)
    if not future.done():
        raise TimeoutError(f"There was no result in {seconds:g} s.")
    return future.result()


@contextlib.contextmanager
def reported(check: str, bind: Bind, findings: list[Finding]) -> cabc.Iterator[None]:
    """Make a finding of any error of the block."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - the doctor reports every failure, also those of a hostile server
        findings.append(Finding(check, ERROR, safe_text(f"{type(error).__name__}: {error}", bind)))


def look_up_client(registry: Registry, bind: Bind) -> Client:
    """What the client of a bind knows. A factory of the program makes its client here."""
    with registry.leases.get(bind).call() as client, active(registry.recorder.tracing):
        meta = client.meta
        transport = getattr(meta, "dynaflask_transport", None)
        known = Client(
            region=meta.region_name,
            endpoint_url=meta.endpoint_url,
            transport=getattr(transport, "mode", None),
            transport_reason=getattr(transport, "reason", None),
        )
    if bind.client_factory is not None or bind.session is not None or bind.role_arn is not None:
        return known
    session = new_session(client_key(bind))
    credentials = session.get_credentials()
    return known._replace(
        scoped_config=session.get_scoped_config(),
        method=getattr(credentials, "method", None),
        access_key_id=getattr(credentials, "access_key", None),
    )


def ask_endpoint(registry: Registry, bind: Bind) -> list[Finding]:
    """Make one signed call, ListTables with a limit of one, and compare the clock with the response."""
    started = time.perf_counter()
    try:
        response: t.Any = health.list_tables(registry, bind)
    except ClientError as error:
        answers = Finding("endpoint", OK, "The endpoint answers.")
        return [answers, _refusal(error, bind), check_clock(_date(error.response))]
    seconds = time.perf_counter() - started
    return [Finding("endpoint", OK, f"DynamoDB answers in {seconds:.3f} s."), check_clock(_date(response))]


def check_clock(date: str | None) -> Finding:
    """Compare the clock with the header ``Date`` of a response."""
    try:
        server = email.utils.parsedate_to_datetime(date or "")
        skew = (server - dt.datetime.now(dt.timezone.utc)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return Finding("clock", WARNING, "The response has no time to compare the clock with.")
    # The header has whole seconds.
    if abs(skew) <= NOTABLE_SKEW_SECONDS:
        return Finding("clock", OK, "The clock is right.")
    direction = "behind" if skew > 0 else "ahead of"
    level = ERROR if abs(skew) > MAX_SKEW_SECONDS else WARNING
    return Finding(
        "clock",
        level,
        f"The clock is {abs(skew):.0f} s {direction} the server's. AWS refuses signatures from {MAX_SKEW_SECONDS} s on:"
        " synchronize it with NTP.",
    )


def ask_identity(bind: Bind, endpoint_url: str | None) -> Finding:
    """Ask STS who signs the calls. No permission is needed for that.

    Args:
        bind: The bind.
        endpoint_url: The endpoint that its client has.
    """
    key = client_key(bind)
    is_local = key.endpoint_url == LOCAL
    is_aws = is_of_aws(urllib.parse.urlsplit(endpoint_url or "").hostname or "")
    if bind.client_factory is not None or not (is_local or is_aws):
        # The keys are for that endpoint: AWS's STS must not see them.
        return Finding("identity", OK, "Not asked: this endpoint has no STS that is known.")
    client = LockedSession(new_session(key)).create_client(
        "sts",
        region_name=key.region or (LOCAL_REGION if is_local else None),
        endpoint_url=local.endpoint(key.local_path) if is_local else None,
        config=Config(connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, retries={"total_max_attempts": 1}),
    )
    try:
        caller = client.get_caller_identity()
    finally:
        client.close()
    return Finding("identity", OK, safe_text(f"{caller['Arn']} in the account {caller['Account']}.", bind))


def check_transport(client: Client, bind: Bind) -> Finding:
    """Tell which transport makes the calls, and why it is not the requested one."""
    if client.transport is None:
        return Finding("transport", WARNING, "The client makes its calls itself.")
    if client.transport_reason is None:
        return Finding("transport", OK, f"{client.transport} makes the calls.")
    return Finding(
        "transport", WARNING, safe_text(f"{client.transport} makes the calls: {client.transport_reason}.", bind)
    )


def check_table(table: Table) -> Finding:
    """Compare a table with what its models declare."""
    findings: list[Finding] = []
    with reported(f"table {table.name}", table.bind, findings):
        findings.append(_compared(table, f"table {table.name}"))
    return findings[0]


def _compared(table: Table, name: str) -> Finding:
    status = drift.status_of(table)
    if status.state is None:
        return Finding(name, ERROR, f"It does not exist. {status.differences[0].blocked_reason}")
    if status.state not in health.USABLE_STATES:
        return Finding(name, ERROR, safe_text(f"It cannot be used: its status is {status.state}.", table.bind))
    if status.differences:
        parts = ", ".join(difference.what for difference in status.differences)
        message = f"It differs from its models in {parts}. See `flask dynamo diff`."
        return Finding(name, ERROR, safe_text(message, table.bind))
    return Finding(name, OK, f"It fits {', '.join(table.model_names)}.")


def _refusal(error: ClientError, bind: Bind) -> Finding:
    if code_of(error) == NOT_ALLOWED:
        # The tables may still be allowed.
        return Finding(CREDENTIALS, WARNING, safe_text(error, bind))
    return Finding(CREDENTIALS, ERROR, safe_text(error, bind))


def _date(response: t.Any) -> str | None:
    headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return {name.lower(): value for name, value in headers.items()}.get("date")
