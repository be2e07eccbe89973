"""``diagnose``: each destination of an app, with a live server, a dead one, a hostile one and wrong keys."""

from __future__ import annotations

import threading
import typing as t

import botocore.session
import moto
import pytest

import dynaflask
from dynaflask.cli.doctor import Diagnosis
from dynaflask.cli.doctor import diagnose
from dynaflask.cli.doctor import probes
from tests.support import engines
from tests.support import hostile
from tests.support import models
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

SECRETS = ("hush", "AKIA0123456789012345")


def levels(diagnosis: Diagnosis) -> dict[str, str]:
    """The level of each check."""
    return {finding.check: finding.level for finding in diagnosis.findings}


def message(diagnosis: Diagnosis, check: str) -> str:
    """The message of one check."""
    (found,) = [finding.message for finding in diagnosis.findings if finding.check == check]
    return found


def test_two_apps_with_their_tables(
    db: dynaflask.Dynamo, make_app: MakeApp, ministack: engines.Engine, account: engines.Account
) -> None:
    """A table that fits is fine, one that is missing is an error, in each app its own."""
    thread = models.declare_thread(db)
    keys = {"aws_access_key_id": account.access_key_id, "aws_secret_access_key": "hush"}
    one, two = (
        make_app(name, host=ministack.url, region="us-east-1", table_prefix=f"{name}-", **keys)
        for name in ("one", "two")
    )
    with one.app_context():
        db.create_all(wait=True)
        (diagnosis,) = diagnose(db.registry)
        assert levels(diagnosis) == {
            "transport": "ok",
            "endpoint": "ok",
            "clock": "ok",
            "identity": "ok",
            "table one-Thread": "ok",
        }, diagnosis.findings
        assert (diagnosis.bind_key, diagnosis.tenant, diagnosis.models, diagnosis.is_ok) == (
            "default",
            None,
            ("Thread",),
            True,
        )
        assert thread.count() == 0
        db.drop_all()
    with two.app_context():
        (diagnosis,) = diagnose(db.registry)
        assert (levels(diagnosis)["table two-Thread"], diagnosis.is_ok) == ("error", False)
        assert "flask dynamo create" in message(diagnosis, "table two-Thread")
    assert "hush" not in str(diagnosis)


def test_an_app_without_models_gets_a_warning(
    db: dynaflask.Dynamo, make_app: MakeApp, recorder: recorders.Recorder
) -> None:
    """A model whose module is not imported is unknown. The warning says what to do, in the app without models alone."""
    empty, app = (
        make_app(name, host=recorder.url, region="us-east-1", allowed_models=allowed, **KEYS)
        for name, allowed in (("empty", []), ("app", None))
    )
    thread = models.declare_thread(db)
    with empty.app_context():
        (diagnosis,) = diagnose(db.registry)
        assert (levels(diagnosis)["models"], diagnosis.is_ok) == ("warning", True)
        assert "dynaflask.Model" in message(diagnosis, "models")
    with app.app_context():
        (diagnosis,) = diagnose(db.registry)
        assert ("models" in levels(diagnosis), diagnosis.models) == (False, (thread.__name__,))


def test_a_table_that_differs_is_named(
    db: dynaflask.Dynamo, make_app: MakeApp, ministack: engines.Engine, account: engines.Account
) -> None:
    """The parts that differ are in the message."""
    keys = {"aws_access_key_id": account.access_key_id, "aws_secret_access_key": "hush"}
    with make_app(host=ministack.url, region="us-east-1", **keys).app_context():
        models.declare_thread(db)
        db.create_all(wait=True)
        thread = models.declare_thread(db, billing_mode="PROVISIONED", read_capacity_units=1, write_capacity_units=1)
        (diagnosis,) = diagnose(db.registry)
        assert (
            message(diagnosis, "table Thread") == "It differs from its models in billing mode. See `flask dynamo diff`."
        )
        db.drop_all()
    assert thread is not None


def test_a_dead_a_silent_and_a_hostile_server(
    db: dynaflask.Dynamo, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is a finding of its own bind, in seconds, and the tables there are not asked for."""
    monkeypatch.setattr(probes, "READ_SECONDS", 0.5)
    silent, babbling = hostile.Hostile(), hostile.Hostile()
    with silent, babbling:
        silent.acts = [hostile.stall()]
        babbling.acts = [hostile.say(hostile.answer(b"\x1b[31m<html>hush", headers={"Date": "never"}))]
        binds = {"silent": {"host": silent.url}, "babbling": {"host": babbling.url}}
        thread = models.declare_thread(db)
        app = make_app(host="http://127.0.0.1:1", region="us-east-1", binds=binds, max_retry_attempts=9, **KEYS)
        with app.app_context():
            dead, silenced, babbled = diagnose(db.registry)
    for diagnosis in (dead, silenced, babbled):
        assert not diagnosis.is_ok
        assert levels(diagnosis) == {"transport": "ok", "endpoint": "error"}
    assert "Could not connect" in message(dead, "endpoint")
    assert "The bind is 'silent'" in message(silenced, "endpoint")
    assert "\x1b" not in str(babbled)
    assert thread is not None


def test_wrong_keys_are_an_error_without_the_keys(
    db: dynaflask.Dynamo, make_app: MakeApp, recorder: recorders.Recorder
) -> None:
    """The server's refusal is shown, with what to check, and no secret that it repeats."""
    text = "The security token AKIA0123456789012345 is invalid: hush."
    refusal = {"__type": "com.amazon.coral.service#UnrecognizedClientException", "message": text}
    recorder.answer = lambda request: (400, refusal)
    keys = {"aws_access_key_id": "AKIA0123456789012345", "aws_secret_access_key": "hush"}
    with make_app(host=recorder.url, region="us-east-1", **keys).app_context():
        (diagnosis,) = diagnose(db.registry)
    assert levels(diagnosis)["credentials"] == "error"
    assert "AKIA…2345 is invalid" in message(diagnosis, "credentials")
    assert not any(secret in str(diagnosis) for secret in SECRETS)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "NoRegionError"),
        ({"region": "us-east-1", "profile": "none"}, "ProfileNotFound"),
        ({"region": "us-east-1", "client_factory": lambda bind: None}, "returned no client"),
        ({"region": "us-east-1", "client_factory": lambda bind: object()}, "AttributeError"),
    ],
    ids=["region", "profile", "factory", "object"],
)
def test_a_client_that_cannot_be_made_is_an_error(
    db: dynaflask.Dynamo, make_app: MakeApp, settings: dict[str, t.Any], words: str
) -> None:
    """A missing region or profile, or a factory without a client, is a finding."""
    with make_app(**settings).app_context():
        (diagnosis,) = diagnose(db.registry)
    assert words in message(diagnosis, "client")


def test_a_client_of_the_program_is_used(
    db: dynaflask.Dynamo, make_app: MakeApp, ministack: engines.Engine, account: engines.Account
) -> None:
    """The calls of the doctor go to the client of a factory, which has credentials of its own."""

    def make_client(bind: dynaflask.Bind) -> t.Any:
        session = botocore.session.Session()
        keys = {"aws_access_key_id": account.access_key_id, "aws_secret_access_key": "hush"}
        return session.create_client("dynamodb", "eu-west-1", endpoint_url=ministack.url, **keys)

    with make_app(client_factory=make_client).app_context():
        (diagnosis,) = diagnose(db.registry)
    assert diagnosis.is_ok, diagnosis
    shown = {value.setting: value.value for value in diagnosis.values}
    assert (shown["region"], shown["endpoint"]) == ("eu-west-1", ministack.url)
    assert message(diagnosis, "transport") == "stock makes the calls: DYNAMODB_CLIENT_FACTORY made it."


def test_the_local_server_and_two_tenants(db: dynaflask.Dynamo, make_app: MakeApp) -> None:
    """STS of the local server tells the identity; each tenant has its own diagnosis."""
    app = make_app(host="local", tenants={"acme": {"table_prefix": "acme-"}, "globex": {"table_prefix": "globex-"}})
    thread = models.declare_thread(db)
    with app.app_context():
        for name in ("acme", "globex"):
            with db.tenant(name):
                (diagnosis,) = diagnose(db.registry)
                assert (diagnosis.tenant, levels(diagnosis)["identity"]) == (name, "ok")
                assert f"table {name}-Thread" in levels(diagnosis)
                assert "arn:aws:" in message(diagnosis, "identity")
    assert thread is not None


def test_aws_is_asked_who_signs(db: dynaflask.Dynamo, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials of the environment are named, and STS of AWS tells whose they are."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA0123456789012345")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    with moto.mock_aws(), make_app(region="eu-west-1").app_context():
        (diagnosis,) = diagnose(db.registry)
    identity = next(value for value in diagnosis.values if value.setting == "identity")
    assert identity.source == "environment variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    assert "123456789012" in message(diagnosis, "identity")
    assert not any(secret in str(diagnosis) for secret in SECRETS)


def test_models_elsewhere_have_a_diagnosis_of_their_own(
    db: dynaflask.Dynamo, make_app: MakeApp, recorder: recorders.Recorder
) -> None:
    """A model whose ``Meta`` names another region, and one that cannot be resolved, are shown."""
    thread = models.declare_thread(db, region="eu-west-1")
    lost = type(db.Model)("Lost", (db.Model,), {"Meta": type("Meta", (), {"table_name": "Lost", "bind_key": "mars"})})
    app = make_app(host=recorder.url, region="us-east-1", binds={"eu": {"host": "http://127.0.0.1:1"}}, **KEYS)
    with app.app_context():
        found = diagnose(db.registry)
        assert [(one.bind_key, one.models) for one in found] == [("default", ()), ("eu", ()), ("default", ("Thread",))]
        assert [one.label for one in found] == ["default", "eu", "default (Thread)"]
        assert "mars" in message(found[0], "model Lost")
        assert [one.bind_key for one in diagnose(db.registry, bind_key="eu")] == ["eu"]
        with pytest.raises(dynaflask.UnknownBind):
            diagnose(db.registry, bind_key="mars")
    assert (thread, lost) is not None


def test_a_table_that_cannot_be_described_is_an_error(
    db: dynaflask.Dynamo, make_app: MakeApp, recorder: recorders.Recorder
) -> None:
    """A hostile description, and a state in which no call works, are findings."""
    thread = models.declare_thread(db)
    keys = [{"AttributeName": "forum_name", "KeyType": "HASH"}]
    definitions = [{"AttributeName": "forum_name", "AttributeType": "S"}]
    archived = {"TableStatus": "ARCHIVED", "KeySchema": keys, "AttributeDefinitions": definitions}
    descriptions: list[t.Any] = [{"Table": archived}, {"Table": {"TableStatus": "ACTIVE", "KeySchema": 5}}]
    with make_app(host=recorder.url, region="us-east-1", **KEYS).app_context():
        for description in descriptions:
            recorder.answer = lambda request, description=description: (
                200,
                {"TableNames": []} if request.operation == "ListTables" else description,
            )
            (diagnosis,) = diagnose(db.registry)
            assert levels(diagnosis)["table Thread"] == "error"
            assert ("ARCHIVED" in message(diagnosis, "table Thread")) == (description["Table"] is archived)
    assert thread is not None


def test_a_table_without_a_result_ends_the_checks_in_time(
    db: dynaflask.Dynamo, make_app: MakeApp, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that answers ListTables alone is a finding, after the time of one table."""
    declared = [models.declare_thread(db, table_name=f"Thread{number}") for number in range(3)]
    end = threading.Event()
    recorder.answer = lambda request: (
        200,
        {"TableNames": []} if request.operation == "ListTables" else end.wait() or {},
    )
    bounded = probes.bounded
    with make_app(host=recorder.url, region="us-east-1", **KEYS).app_context():

        def limited(call: t.Any) -> t.Any:
            return bounded(call, seconds=0.2 if call.func is probes.check_table else probes.DEADLINE_SECONDS)

        monkeypatch.setattr(probes, "bounded", limited)
        (diagnosis,) = diagnose(db.registry)
        end.set()
        for thread in [thread for thread in threading.enumerate() if "(run)" in thread.name]:
            thread.join()
    assert [finding.check for finding in diagnosis.findings if finding.level == "error"] == ["tables"]
    assert "TimeoutError: There was no result" in message(diagnosis, "tables")
    assert len(declared) == 3
