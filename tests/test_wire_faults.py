"""What went wrong on the way, told by the bind and the setting that can mend it."""

from __future__ import annotations

import pathlib
import typing as t

import botocore.exceptions
import flask
import pytest
from botocore.config import Config
from pynamodb.exceptions import GetError

import dynaflask
import recorder as recorders

Make = t.Callable[..., flask.Flask]
KEYS = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "hush"}
ROLE = "arn:aws:iam::123456789012:role/forum"
DEAD = "http://127.0.0.1:1"


@pytest.fixture
def app(make_app: Make, recorder: recorders.Recorder, tmp_path: pathlib.Path) -> t.Iterator[flask.Flask]:
    """An app with a bind for each fault, in a context."""
    (tmp_path / "empty.pem").touch()
    binds = {
        "dead": {"host": DEAD},
        "profile": {"profile": "nobody"},
        "nobody": {"aws_access_key_id": None, "aws_secret_access_key": None},
        "role": {"role_arn": ROLE},
        "proxy": {"host": "http://example.com", "client_config": Config(proxies={"http": DEAD})},
    }
    app = make_app(host=recorder.url, region="us-east-1", max_retry_attempts=0, binds=binds, **KEYS)
    with app.app_context():
        yield app


CASES = [
    ("dead", botocore.exceptions.EndpointConnectionError, "DYNAMODB_HOST"),
    ("profile", botocore.exceptions.ProfileNotFound, "DYNAMODB_PROFILE"),
    ("nobody", botocore.exceptions.NoCredentialsError, "DYNAMODB_AWS_ACCESS_KEY_ID"),
    ("proxy", botocore.exceptions.ProxyConnectionError, "DYNAMODB_CLIENT_CONFIG"),
    ("role", botocore.exceptions.ClientError, "DYNAMODB_ROLE_ARN"),
]


@pytest.mark.usefixtures("app")
@pytest.mark.parametrize(("bind_key", "error", "setting"), CASES, ids=[case[0] for case in CASES])
class TestFaults:
    """Each kind, raised where the call is made, with its own type."""

    @pytest.fixture(autouse=True)
    def refusing_sts(self, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
        """The recorder is STS as well, and lets nobody assume a role."""
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", recorder.url)
        refusal = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"
        recorder.answer = lambda request: None if request.operation else (403, refusal)

    def test_a_ping_names_the_bind_and_the_setting(
        self, app: flask.Flask, bind_key: str, error: type[Exception], setting: str
    ) -> None:
        """And warm() raises the same, after it has warmed the others."""
        registry: dynaflask.Registry = app.extensions["dynamo"]
        for use in (registry.ping, lambda key: registry.warm(key, "default")):
            with pytest.raises(error, match=rf"\(The bind is '{bind_key}'; see .*{setting}"):
                use(bind_key)

    def test_a_models_call_raises_pynamodbs_error_of_it(
        self, db: dynaflask.Dynamo, thread_model: t.Any, bind_key: str, error: type[Exception], setting: str
    ) -> None:
        """What PynamoDB wraps stays wrapped, with the bind in the message; other binds go on."""
        with db.using(bind_key), pytest.raises(GetError, match=rf"The bind is '{bind_key}'; see .*{setting}") as caught:
            thread_model.get("forum", "subject")
        assert isinstance(caught.value.cause, error)
        assert thread_model.get("forum", "subject").subject == "subject"


def test_another_error_is_left_as_it_is(app: flask.Flask, recorder: recorders.Recorder, thread_model: t.Any) -> None:
    """What DynamoDB itself refuses is no fault of a setting."""
    recorder.answer = lambda request: (400, {"__type": "x#ValidationException", "message": "no"})
    with pytest.raises(GetError) as caught:
        thread_model.get("forum", "subject")
    assert "The bind is" not in str(caught.value)
    assert app is not None


def test_a_ping_gives_its_latency(app: flask.Flask) -> None:
    """In seconds."""
    assert 0 < app.extensions["dynamo"].ping() < 60


def test_warm_opens_a_connection_for_each_bind(make_app: Make, recorder: recorders.Recorder) -> None:
    """The first request finds them open."""
    app = make_app(host=recorder.url, region="us-east-1", binds={"eu": {"region": "eu-west-1"}}, **KEYS)
    app.extensions["dynamo"].warm()
    assert [request.region for request in recorder.requests] == ["us-east-1", "eu-west-1"]


def test_warm_refuses_an_unknown_bind(app: flask.Flask) -> None:
    """Like everything that takes a bind key."""
    with pytest.raises(dynaflask.UnknownBind):
        app.extensions["dynamo"].warm("mars")
