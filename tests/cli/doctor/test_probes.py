"""The doctor's calls: limited in time, with any failure as a finding."""

from __future__ import annotations

import datetime as dt
import email.utils
import threading
import typing as t

import flask
import pytest
from botocore.exceptions import ClientError

from dynaflask.cli.doctor import probes
from dynaflask.cli.doctor.report import Finding
from dynaflask.cli.doctor.sources import Client
from tests.support.settings import bind


def test_a_call_is_limited_in_time() -> None:
    """A call that takes too long is a TimeoutError; its thread does not keep the process alive."""
    end = threading.Event()
    with pytest.raises(TimeoutError, match=r"no result in 0\.05 s"):
        probes.bounded(end.wait, seconds=0.05)
    (thread,) = [thread for thread in threading.enumerate() if thread is not threading.main_thread() and thread.daemon]
    end.set()
    thread.join()


def test_a_call_runs_in_the_context() -> None:
    """The result and the error of a call are those of its thread, in the caller's app."""
    with flask.Flask("app").app_context():
        assert probes.bounded(lambda: flask.current_app.name) == "app"
    with pytest.raises(RuntimeError, match="outside of application context"):
        probes.bounded(lambda: flask.current_app.name)


def test_an_error_is_a_finding() -> None:
    """The finding has the type and the text of the error."""
    findings: list[Finding] = []
    with probes.reported("endpoint", bind(), findings):
        raise KeyError("Table")
    assert findings == [Finding("endpoint", "error", "KeyError: 'Table'")]


@pytest.mark.parametrize(
    ("skew", "level", "words"),
    [
        (0, "ok", "right"),
        (120, "warning", "behind the server's"),
        (-120, "warning", "ahead of the server's"),
        (4000, "error", "synchronize"),
    ],
)
def test_the_clock_is_compared_with_the_header(skew: int, level: str, words: str) -> None:
    """Above five minutes, which AWS refuses, a difference is an error."""
    server = dt.datetime.now(dt.timezone.utc) + dt.timedelta(seconds=skew)
    finding = probes.check_clock(email.utils.format_datetime(server))
    assert (finding.level, words in finding.message) == (level, True)


@pytest.mark.parametrize("date", [None, "", "yesterday", "Mon, 99 Feb 99999999999 00:00:00 GMT", "1 Jan 2026 00:00:00"])
def test_a_header_that_is_no_time_is_a_warning(date: str | None) -> None:
    """A server may send anything as its ``Date``; the doctor goes on."""
    assert probes.check_clock(date).level == "warning"


@pytest.mark.parametrize(
    ("client", "level", "words"),
    [
        (Client(), "warning", "makes its calls itself"),
        (Client(transport="direct"), "ok", "direct makes the calls."),
        (Client(transport="botocore", transport_reason="a hook"), "warning", "botocore makes the calls: a hook."),
    ],
)
def test_the_transport_in_use_is_named(client: Client, level: str, words: str) -> None:
    """With the reason why the requested transport is not in use."""
    finding = probes.check_transport(client, bind())
    assert (finding.level, words in finding.message) == (level, True)


def test_a_bind_is_asked_with_short_timeouts() -> None:
    """The destination stays the same; the timeouts and retries do not."""
    slow = bind(
        region="eu-west-1", read_timeout_seconds=900, max_retry_attempts=9, retry_configuration={"mode": "adaptive"}
    )
    probing = probes.probing_bind(slow)
    assert probing.destination == slow.destination
    assert (probing.read_timeout_seconds, probing.max_retry_attempts, probing.retry_configuration) == (5, 0, None)


def test_a_missing_permission_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """An identity that may not list tables can be right all the same; other refusals are errors."""
    for code, level in (("AccessDeniedException", "warning"), ("UnrecognizedClientException", "error")):

        def refuse(*_: t.Any, code: str = code) -> t.NoReturn:
            metadata = {"HTTPHeaders": {"Date": "now"}}
            response: t.Any = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": metadata}
            raise ClientError(response, "ListTables")

        monkeypatch.setattr(probes.health, "list_tables", refuse)
        findings = probes.ask_endpoint(t.cast("t.Any", None), bind())
        assert {finding.check: finding.level for finding in findings} == {
            "endpoint": "ok",
            "credentials": level,
            "clock": "warning",
        }


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "https://amazonaws.com.evil.example", None])
def test_keys_of_another_endpoint_are_not_shown_to_aws(url: str | None) -> None:
    """STS is asked for AWS's endpoints and for the local server alone."""
    assert "Not asked" in probes.ask_identity(bind(region="eu-west-1"), url).message
