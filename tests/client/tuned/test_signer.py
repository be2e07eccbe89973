"""The signer, compared with botocore's and with AWS's published test vectors."""

from __future__ import annotations

import calendar
import time
import typing as t

import botocore.auth
import botocore.session
import hypothesis
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import NoCredentialsError
from hypothesis import strategies as st

from dynaflask.client.tuned import signer
from dynaflask.client.tuned.signer import Signer

EXAMPLE = ReadOnlyCredentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None)
NOON = "20150830T123600Z"
TOKEN = (
    "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7"
    "mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d"
    "+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="
)
FORM = "application/x-www-form-urlencoded"
# Name, path, headers, body and signature: from aws-sig-v4-test-suite, those of a POST to /.
VECTORS = [
    ("post-vanilla", "/", {}, b"", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    (
        "post-header-key-sort",
        "/",
        {"My-Header1": "value1"},
        b"",
        "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
    ),
    (
        "post-header-value-case",
        "/",
        {"My-Header1": "VALUE1"},
        b"",
        "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d",
    ),
    (
        "post-sts-header-before",
        "/",
        {"X-Amz-Security-Token": TOKEN},
        b"",
        "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
    ),
    (
        "post-x-www-form-urlencoded",
        "/",
        {"Content-Type": FORM},
        b"Param1=value1",
        "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
    ),
    (
        "post-x-www-form-urlencoded-parameters",
        "/",
        {"Content-Type": FORM + "; charset=utf8"},
        b"Param1=value1",
        "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe",
    ),
]

tokens = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=":"), min_size=1, max_size=10)
header_names = st.sampled_from(
    [
        "X-Amz-Target",
        "x-amz-target",
        "Content-Type",
        "User-Agent",
        "Host",
        "Expect",
        "X-Amzn-Trace-Id",
        "Authorization",
        "Date",
        "X-Amz-Date",
        "X-Amz-Security-Token",
        "X-Amz-Content-SHA256",
    ]
)
header_values = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=20) | st.sampled_from(
    ["  two  spaces ", "", "café", "\ud800", 7, b"bytes"]
)
urls = st.sampled_from(
    [
        "https://dynamodb.eu-west-1.amazonaws.com/",
        "https://dynamodb.eu-west-1.amazonaws.com",
        "http://localhost:8000/",
        "http://LOCALHOST:80/",
        "https://host:443/",
        "https://me:secret@host/",
        "http://[::1]:8000/",
        "http://localhost:8000/a%20path/../x",
        "http://localhost:8000//",
        "http://localhost:8000/?b=2&a=1",
        "http://localhost:8000/#part",
        "http://localhost:99999/",
        "localhost",
        "",
    ]
)
contexts = st.sampled_from(
    [
        {},
        {},
        {"payload_signing_enabled": True},
        {"payload_signing_enabled": False},
        {"checksum": {}},
        {"checksum": {"request_algorithm": {"in": "trailer", "algorithm": "crc32"}}},
        {"checksum": {"request_algorithm": {"in": "header", "algorithm": "crc32"}}},
    ]
)
bodies = st.binary(max_size=50) | st.sampled_from(["text", {"a": "form"}, None, b'{"TableName": "Thread"}'])
requests = st.fixed_dictionaries(
    {
        "method": st.sampled_from(["POST", "POST", "POST", "post", "GET", "PUT"]),
        "url": urls,
        "headers": st.lists(st.tuples(header_names | tokens, header_values), max_size=5),
        "data": bodies,
        "params": st.sampled_from([None, None, {}, {"b": 2, "a": "x y"}]),
        "context": contexts,
    }
)
credentials = st.builds(ReadOnlyCredentials, tokens, tokens, st.none() | tokens)


def make(
    method: str, url: str, headers: t.Any, data: t.Any, *, params: t.Any = None, context: t.Any = None
) -> AWSRequest:
    request = AWSRequest(method=method, url=url, data=data, params=params)
    for name, value in headers:
        request.headers[name] = value  # adds another one of the same name
    request.context.update(context or {})
    return request


def sign(kind: type[SigV4Auth], request: AWSRequest, *scope: t.Any) -> tuple[str, t.Any]:
    """The timestamp and the headers after a signer signed a request, or the error."""
    try:
        kind(*scope).add_auth(request)
    except Exception as error:  # noqa: BLE001 - any error is compared
        return request.context.get("timestamp", ""), repr(error)
    return request.context["timestamp"], [(name, str(value)) for name, value in request.headers.raw_items()]


@hypothesis.given(
    requests, credentials, st.sampled_from(["us-east-1", "eu-west-1"]), st.sampled_from(["dynamodb", "x"])
)
@hypothesis.settings(max_examples=500, deadline=None)
def test_any_request_is_signed_as_botocore_does(parts: t.Any, keys: t.Any, region: str, service: str) -> None:
    """Headers and errors are the same, byte for byte, for random requests."""
    stock, ours = (sign(kind, make(**parts), keys, service, region) for kind in (SigV4Auth, Signer))
    hypothesis.assume(stock[0] == ours[0])  # within one second
    assert ours == stock


@pytest.mark.parametrize("url", ["https://dynamodb.eu-west-1.amazonaws.com/", "http://localhost:8000"])
@pytest.mark.parametrize("token", [None, "token"])
@hypothesis.given(st.data())
@hypothesis.settings(max_examples=50, deadline=None)
def test_the_requests_of_dynamodb_are_signed_as_botocore_does(url: str, token: str | None, data: st.DataObject) -> None:
    """Requests on the fast path are signed the same."""
    headers = [("X-Amz-Target", data.draw(tokens)), ("Content-Type", "application/x-amz-json-1.0"), ("User-Agent", "x")]
    parts = {"method": "POST", "url": url, "headers": headers, "data": data.draw(st.binary(min_size=1))}
    keys = ReadOnlyCredentials(data.draw(tokens), data.draw(tokens), token)
    stock, ours = (sign(kind, make(**parts), keys, "dynamodb", "eu-west-1") for kind in (SigV4Auth, Signer))
    hypothesis.assume(stock[0] == ours[0])
    assert ours == stock
    assert "Signature=" in str(ours)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> t.Callable[[str], None]:
    """Sets the time."""

    def set_to(moment: str) -> None:
        seconds = calendar.timegm(time.strptime(moment, "%Y%m%dT%H%M%SZ"))
        monkeypatch.setattr("dynaflask.client.tuned.signer.time.time", lambda: seconds + 0.9)

    return set_to


@pytest.mark.parametrize(
    ("path", "headers", "body", "signature"), [pytest.param(*rest, id=name) for name, *rest in VECTORS]
)
def test_a_published_vector(
    clock: t.Callable[[str], None], path: str, headers: dict[str, str], body: bytes, signature: str
) -> None:
    """AWS's test vectors of a ``POST`` to ``/`` have the published signature."""
    clock(NOON)
    other_headers = {**headers}
    keys = EXAMPLE._replace(token=other_headers.pop("X-Amz-Security-Token", None))
    request = make("POST", f"https://example.amazonaws.com{path}", other_headers.items(), body)
    Signer(keys, "service", "us-east-1").add_auth(request)
    assert request.headers["X-Amz-Date"] == NOON
    assert request.headers["Authorization"].endswith(f", Signature={signature}")


CHANGES: dict[str, t.Callable[[t.Any], object]] = {
    "date": lambda request: request.headers.add_header("Date", "today"),
    "dated": lambda request: request.headers.add_header("X-Amz-Date", NOON),
    "hashed": lambda request: request.headers.add_header("X-Amz-Content-SHA256", "UNSIGNED-PAYLOAD"),
    "header twice": lambda request: request.headers.add_header("x-amz-target", "another"),
    "surrogate": lambda request: request.headers.add_header("X-Number", "\ud800"),
    "blanks": lambda request: request.headers.add_header(" Blank ", "x"),
    "host": lambda request: request.headers.add_header("Host", "other"),
    "dict": lambda request: setattr(request, "headers", {"X-Amz-Target": "in a dict", "Authorization": "old"}),
    "text": lambda request: setattr(request, "data", "text"),
    "no body": lambda request: setattr(request, "data", b""),
    "method": lambda request: setattr(request, "method", "PUT"),
    "parameters": lambda request: setattr(request, "params", {"a": "b"}),
    "path": lambda request: setattr(request, "url", "https://host/path"),
    "no url": lambda request: setattr(request, "url", "http://["),
    "no port": lambda request: setattr(request, "url", "http://host:99999"),
    "unsigned body": lambda request: request.context.update(payload_signing_enabled=False),
    "nothing": lambda request: None,
}


@pytest.mark.parametrize("token", [None, "token", "t\u00f6ken", "\ud800", b"bytes", ""])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_handler_may_have_changed_anything(change: t.Callable[[t.Any], object], token: t.Any) -> None:
    """A request that a handler changed is signed the same, in the first attempt and in a retry."""
    keys = EXAMPLE._replace(token=token)
    stock, ours = in_one_second(lambda: [twice(kind, change, keys) for kind in (SigV4Auth, Signer)])
    assert ours == stock


def in_one_second(step: t.Callable[[], t.Any]) -> t.Any:
    """The result of a step that runs within one second of the clock."""
    while True:
        began = int(time.time())
        result = step()
        if int(time.time()) == began:
            return result


def twice(kind: type[SigV4Auth], change: t.Callable[[t.Any], object], keys: t.Any) -> t.Any:
    request = make("POST", "https://host/", [("X-Amz-Target", "DynamoDB.GetItem"), ("User-Agent", "x")], b"{}")
    change(request)
    return [signed(kind, request, keys, "dynamodb", "us-east-1") for _ in range(2)]


def signed(kind: type[SigV4Auth], request: t.Any, *scope: t.Any) -> t.Any:
    """The error, the timestamp and the headers after a signer signed a request."""
    error = None
    try:
        kind(*scope).add_auth(request)
    except Exception as failure:  # noqa: BLE001 - any error is compared
        error = repr(failure)
    return error, request.context.get("timestamp"), repr(list(getattr(request.headers, "_headers", request.headers)))


def test_what_is_signed_is_logged_as_botocore_does(caplog: pytest.LogCaptureFixture) -> None:
    """At DEBUG, botocore's own signer signs and logs the string to sign."""
    logs = in_one_second(lambda: [logged(kind, caplog) for kind in (SigV4Auth, Signer)])
    assert logs[1] == logs[0]
    assert len(logs[1]) == 4


def logged(kind: type[SigV4Auth], caplog: pytest.LogCaptureFixture) -> list[str]:
    caplog.clear()
    with caplog.at_level("DEBUG", logger="botocore.auth"):
        sign(kind, make("POST", "https://host/", [("X-Amz-Target", "x")], b"{}"), EXAMPLE, "dynamodb", "us-east-1")
    return caplog.messages


def test_a_signing_key_is_made_under_the_interpreter_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """``hmac.digest`` releases it: a process that another thread forks meanwhile could not sign."""
    monkeypatch.delattr("hmac.digest")
    assert len(signer.signing_key("secret", "20150830", "us-east-1", "iam")) == 32


def test_a_signing_key_is_of_one_day_region_service_and_secret() -> None:
    """The key changes with each of secret, day, region and service. AWS's documentation has the first one."""
    scope = ("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20120215", "us-east-1", "iam")
    keys = {signer.signing_key(*scope[:place], "other", *scope[place + 1 :]) for place in range(len(scope))}
    assert signer.signing_key(*scope).hex() == "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d"
    assert len(keys | {signer.signing_key(*scope)}) == 5


def test_a_key_is_derived_once_a_day(clock: t.Callable[[str], None]) -> None:
    """The key is derived once per day, in UTC."""
    auth = Signer(ReadOnlyCredentials("AKIDEXAMPLE", "of this test", None), "service", "us-east-1")
    before = signer.keyed_mac.cache_info().misses
    for moment in (NOON, "20150830T235959Z", "20150831T000000Z"):
        clock(moment)
        auth.add_auth(make("POST", "https://host/", [], b"{}"))
    assert signer.keyed_mac.cache_info().misses - before == 2


def test_the_kept_keys_are_bounded() -> None:
    """At most ``MAX_KEYS`` keys are cached: the session of a role has a new secret every hour."""
    for number in range(signer.MAX_KEYS + 10):
        signer.keyed_mac(f"secret{number}", "20150830", "us-east-1", "dynamodb")
    assert signer.keyed_mac.cache_info().currsize == signer.MAX_KEYS


def test_no_repr_shows_a_secret() -> None:
    """No repr of a signer or its cache shows a secret."""
    auth = Signer(EXAMPLE, "service", "us-east-1")
    auth.add_auth(make("POST", "https://host/", [], b"{}"))
    shown = repr([auth, signer.keyed_mac, signer.keyed_mac.cache_info(), botocore.auth.AUTH_TYPE_MAPS])
    assert EXAMPLE.secret_key not in shown


def test_without_credentials_it_says_so() -> None:
    """Without credentials, it raises botocore's error."""
    with pytest.raises(NoCredentialsError):
        Signer(None, "dynamodb", "us-east-1").add_auth(make("POST", "https://host/", [], b"{}"))


@pytest.fixture
def client() -> t.Any:
    """A client with this signer, which sends nothing."""
    return make_client()


def make_client(**options: t.Any) -> t.Any:
    session = botocore.session.Session()
    keys = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "hush"}
    client = session.create_client("dynamodb", region_name="us-east-1", config=Config(**options), **keys)
    signer.install(client)
    return client


def signers(client: t.Any) -> list[str]:
    """The signature versions that a call of the client uses."""
    seen = []

    def send(request: t.Any, **_: t.Any) -> AWSResponse:
        return AWSResponse(request.url, 200, {}, Raw())

    client.meta.events.register("before-sign", lambda signature_version, **_: seen.append(signature_version))
    client.meta.events.register("before-send", send)
    client.list_tables()
    return seen


class Raw:
    def stream(self) -> t.Iterator[bytes]:
        yield b"{}"


def test_a_client_signs_with_it(client: t.Any) -> None:
    """A client uses the signer after ``install``."""
    assert signers(client) == [signer.OWN_VERSION]


def test_the_choice_of_another_counts(client: t.Any) -> None:
    """The program's own handler of ``choose-signer`` comes first."""
    client.meta.events.register("choose-signer.dynamodb", lambda **_: "v4")
    assert signers(client) == ["v4"]


def test_another_signature_version_is_left() -> None:
    """A client with another signature version keeps its signer."""
    assert signers(make_client(signature_version=botocore.UNSIGNED)) == [botocore.UNSIGNED]


def test_a_presigned_url_is_stock(client: t.Any) -> None:
    """A presigned URL is signed by botocore's own signer."""
    assert "X-Amz-Signature=" in client.generate_presigned_url("list_tables")


def test_another_stock_signer_is_left(client: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the stock signer is another one, such as that of awscrt, the client keeps it."""
    monkeypatch.setitem(botocore.auth.AUTH_TYPE_MAPS, "v4", type("CrtSigV4Auth", (SigV4Auth,), {}))
    assert signers(client) == ["v4"]


def test_a_retry_is_signed_anew() -> None:
    """A retry has one ``Authorization`` header, the new one."""
    request = make("POST", "https://host/", [], b"{}")
    for _ in range(2):
        Signer(EXAMPLE, "dynamodb", "us-east-1").add_auth(request)
    assert len(request.headers.get_all("Authorization")) == 1
