"""The endpoint resolver, compared with botocore's."""

from __future__ import annotations

import contextlib
import copy
import importlib
import typing as t

import botocore.session
import hypothesis
import pytest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.regions import EndpointResolverBuiltins
from botocore.regions import EndpointRulesetResolver
from hypothesis import strategies as st

from dynaflask.client.tuned import endpoint_resolver as endpoints
from tests.support import recorder as recorders
from tests.support.comparing import outcome
from tests.support.settings import KEYS
from tests.support.settings import MakeApp
from tests.support.strategies import Shapes

EVENT = "before-endpoint-resolution.dynamodb"
ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/Thread"
MODES = ["preferred", "disabled", "required"] if hasattr(EndpointResolverBuiltins, "ACCOUNT_ID") else [None]
session = botocore.session.Session()
API = session.get_service_model("dynamodb")

tables = st.sampled_from(["Thread", ARN, ARN.replace("123456789012", "000000000001"), "arn:", "", "é"])
others = st.none() | st.integers() | tables | st.lists(tables, max_size=2) | st.dictionaries(tables, tables, max_size=2)
ARGUMENTS = Shapes(names=tables, scalars=others, blobs=st.just(b""), anything=others)


def make_client(*, account: str | None = None, mode: str | None = None, **options: t.Any) -> t.Any:
    config = {"account_id_endpoint_mode": mode} if mode else {}
    own = botocore.session.Session()
    own.register_component("data_loader", session.get_component("data_loader"))
    own.set_credentials("AKIA", "hush")
    if account:
        own._credentials = Credentials("AKIA", "hush", account_id=account)
    return own.create_client("dynamodb", region_name="eu-west-1", config=Config(**config), **options)


def make_pair(**options: t.Any) -> tuple[t.Any, t.Any]:
    """A stock client, and one with the replaced resolver."""
    stock, ours = make_client(**options), make_client(**options)
    endpoints.install(ours)
    assert type(stock._ruleset_resolver) is EndpointRulesetResolver
    assert type(ours._ruleset_resolver) is endpoints.CachingResolver
    return stock, ours


def resolve(client: t.Any, operation: str, arguments: t.Any) -> t.Any:
    """Parameters and endpoint of a call, or the error, and the botocore features that it registers."""
    request = {"operation_model": client.meta.service_model.operation_model(operation), "call_args": arguments}
    with features() as used:
        resolver = client._ruleset_resolver
        parameters = outcome(lambda: resolver._get_provider_params(**request, request_context={}))
        endpoint = outcome(lambda: resolver.construct_endpoint(**request, request_context={}))
        return repr(parameters), repr(endpoint), used()


@contextlib.contextmanager
def features() -> t.Iterator[t.Callable[[], t.Any]]:
    """The context of a call, if this botocore has one."""
    try:
        context = importlib.import_module("botocore.context")
    except ModuleNotFoundError:
        yield lambda: None
        return
    with context.start_as_current_context():
        yield lambda: sorted(context.get_context().features)


def assert_same(pair: tuple[t.Any, t.Any], operation: str, arguments: t.Any) -> t.Any:
    stock, ours = (resolve(client, operation, copy.deepcopy(arguments)) for client in pair)
    assert ours == stock
    return ours


PAIRS = [
    *(make_pair(mode=mode, account=account) for mode in MODES for account in (None, "123456789012" if mode else None)),
    make_pair(endpoint_url="http://localhost:8000"),
    make_pair(use_ssl=False),
]


@hypothesis.given(st.sampled_from(PAIRS), st.sampled_from(sorted(API.operation_names)), st.data())
@hypothesis.settings(max_examples=300, deadline=None)
def test_any_call_goes_where_botocore_sends_it(pair: t.Any, operation: str, data: st.DataObject) -> None:
    """Parameters, their order, and errors are the same for random calls."""
    shape = API.operation_model(operation).input_shape
    assert_same(pair, operation, data.draw(ARGUMENTS.of(shape) | others))


@pytest.mark.parametrize("operation", sorted(API.operation_names))
def test_each_operation_goes_where_botocore_sends_it(operation: str) -> None:
    """Each operation resolves to the same endpoint, with and without arguments, the first time and later."""
    arguments = {
        **dict.fromkeys(("TableName", "ResourceArn", "SourceTableArn"), ARN),
        "RequestItems": {ARN: [], "Thread": []},
        "TransactItems": [{"Get": {"TableName": ARN}}, {"Put": {"TableName": ARN}}],
    }
    for pair in PAIRS:
        for call_args in (arguments, {}, None, arguments):
            assert_same(pair, operation, call_args)


@pytest.mark.skipif(MODES == [None], reason="this botocore knows no accounts")
@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("GetItem", {"TableName": ARN}),
        ("BatchGetItem", {"RequestItems": {ARN: {}}}),
        ("TransactWriteItems", {"TransactItems": [{"Put": {"TableName": ARN}}]}),
    ],
)
def test_the_account_in_an_arn_counts(operation: str, arguments: t.Any) -> None:
    """The account in an ARN decides the endpoint of that call only."""
    pair = make_pair(mode="preferred", account="000000000001")
    for call_args in (arguments, {}, arguments):
        resolved = "".join(assert_same(pair, operation, call_args)[:2])
        assert ("123456789012.ddb" in resolved) == (call_args == arguments)


def test_a_handler_changes_what_botocore_knows() -> None:
    """A handler runs once per call with its arguments, and its changes apply to that call only."""
    seen = []

    def change(builtins: t.Any, model: t.Any, params: t.Any, context: t.Any, **_: t.Any) -> None:
        seen.append((builtins["AWS::Region"], model.name, params, context))
        builtins["AWS::Region"] = "us-west-1"
        builtins["SDK::Endpoint"] = "https://elsewhere" if params else None

    pair = make_pair()
    for client in pair:
        client.meta.events.register(EVENT, change)
    for arguments in ({"TableName": "a"}, {}, {"TableName": "b"}):
        seen.clear()
        assert ("elsewhere" in assert_same(pair, "GetItem", arguments)[1]) == bool(arguments)
        assert seen == [("eu-west-1", "GetItem", arguments, {})] * 4  # each of the two is asked twice here


def test_a_callable_is_asked_in_each_call() -> None:
    """A builtin that is a function is called in each call, because its value may change."""
    _, client = make_pair()
    regions = iter(["us-east-1", "us-west-2"])
    client.meta.events.register(EVENT, lambda builtins, **_: builtins.update({"AWS::Region": lambda: next(regions)}))
    if MODES != [None]:
        assert ["us-" in resolve_url(client) for _ in range(2)] == [True, True]
        assert list(regions) == []


def resolve_url(client: t.Any) -> str:
    model = client.meta.service_model.operation_model("ListTables")
    url: str = client._ruleset_resolver.construct_endpoint(model, {}, {}).url
    return url


def test_what_is_found_is_nobody_elses() -> None:
    """A caller that changes the parameters of one call does not change those of the next."""
    _, client = make_pair()
    model = API.operation_model("GetItem")
    client._ruleset_resolver._get_provider_params(model, {}, {}).clear()
    assert client._ruleset_resolver._get_provider_params(model, {}, {})["Region"] == "eu-west-1"


@pytest.mark.parametrize("name", endpoints.NEEDED)
def test_a_botocore_without_a_private_name_keeps_its_own(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """If a private name is gone, the client keeps its own resolver."""
    client = make_client()
    resolver = client._ruleset_resolver
    monkeypatch.delattr(resolver if name in vars(resolver) else EndpointRulesetResolver, name)
    endpoints.install(client)
    assert client._ruleset_resolver is resolver


def test_a_botocore_that_asks_otherwise_is_let_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    """If botocore does not call the overridden method, the endpoint is the same."""
    ways = EndpointRulesetResolver._get_provider_params
    monkeypatch.setattr(EndpointRulesetResolver, "_of_another_name", ways, raising=False)
    monkeypatch.delattr(EndpointRulesetResolver, "_get_provider_params")
    monkeypatch.setattr(endpoints.CachingResolver, "_get_provider_params", None)
    monkeypatch.setattr(
        EndpointRulesetResolver,
        "construct_endpoint",
        lambda self, model, arguments, context: self._provider.resolve_endpoint(
            **self._of_another_name(model, arguments, context)
        ),
    )
    stock, ours = make_pair()
    assert resolve_url(ours) == resolve_url(stock)


def test_a_client_without_a_ruleset_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client without a resolver, or with the program's own, is left unchanged."""
    client = make_client()
    for resolver in (None, type("Mine", (EndpointRulesetResolver,), {})):
        monkeypatch.setattr(client, "_ruleset_resolver", resolver)
        endpoints.install(client)
        assert client._ruleset_resolver is resolver


def test_stock_is_botocores_own(make_app: MakeApp, recorder: recorders.Recorder) -> None:
    """The stock transport keeps the stock resolver."""
    options = {"host": recorder.url, "region": "us-east-1", **KEYS}
    clients = [
        make_app(transport, transport=transport, **options).extensions["dynamo"].client
        for transport in ("botocore", "stock")
    ]
    assert [type(client._ruleset_resolver) for client in clients] == [
        endpoints.CachingResolver,
        EndpointRulesetResolver,
    ]


def test_two_apps_keep_apart(make_app: MakeApp) -> None:
    """Each app calls the endpoint of its own region and of its own handlers."""
    with recorders.Recorder() as one, recorders.Recorder() as other:
        apps = [make_app(server.url, host=server.url, region="us-east-1", **KEYS) for server in (one, other)]
        clients = [app.extensions["dynamo"].client for app in apps]
        clients[1].meta.events.register(EVENT, lambda builtins, **_: builtins.update({"SDK::Endpoint": one.url}))
        for client in (*clients, *clients):
            client.list_tables()
        assert (len(one.requests), len(other.requests)) == (4, 0)
    regions = [
        make_app(region, region=region, **KEYS).extensions["dynamo"].client for region in ("eu-west-1", "us-east-1")
    ]
    assert [".eu-west-1." in resolve_url(client) for client in (*regions, *regions)] == [True, False] * 2
