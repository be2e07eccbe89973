"""``app.config`` becomes binds: every setting, its check and its message."""

from __future__ import annotations

import copy
import inspect
import json
import pickle
import re
import typing as t

import boto3
import botocore.config
import botocore.session
import flask
import pytest

from dynaflask import ConfigurationError
from dynaflask import UnknownBind
from dynaflask.settings import BIND_CHECKS
from dynaflask.settings import BIND_FIELDS
from dynaflask.settings import ROLE_SETTINGS
from dynaflask.settings import Bind
from dynaflask.settings import Settings
from dynaflask.settings import make_bind
from dynaflask.settings import read_settings

GOOD = {
    "region": "eu-west-1",
    "host": "http://localhost:8000",
    "connect_timeout_seconds": 0.5,
    "read_timeout_seconds": 5,
    "max_retry_attempts": 0,
    "retry_configuration": {"mode": "standard", "max_attempts": 2},
    "max_pool_connections": 20,
    "extra_headers": {"X-Team": "forum"},
    "aws_session_token": "token",
    "profile": "dev",
    "session": botocore.session.Session(),
    "role_arn": "arn:aws:iam::123456789012:role/forum",
    "role_session_name": "forum",
    "external_id": "42",
    "role_duration_seconds": 900,
    "session_tags": {"tenant": "acme"},
    "session_policy": '{"Version":"2012-10-17","Statement":[]}',
    "client_factory": lambda bind: None,
    "client_config": botocore.config.Config(),
    "share_client": False,
    "transport": "direct",
    "table_prefix": "test-",
    "read_capacity_units": 5,
    "write_capacity_units": 5,
    "billing_mode": "PAY_PER_REQUEST",
}
KEYS = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "hush"}


def read(**config: t.Any) -> Settings:
    return read_settings("app", {f"DYNAMODB_{name.upper()}": value for name, value in config.items()})


def bind(key: str = "default", **config: t.Any) -> Bind:
    return make_bind(key, read(**config).values_of(key))


@pytest.mark.parametrize("name", sorted(GOOD.keys() - {"aws_session_token"}))
def test_a_good_value_arrives_as_it_is(name: str) -> None:
    """Each setting reaches the bind under its own name."""
    needed = {"role_arn": GOOD["role_arn"]} if name in ROLE_SETTINGS else {}
    assert getattr(bind(**{**needed, name: GOOD[name]}), name) == GOOD[name]


def test_a_retry_configuration_may_be_a_word() -> None:
    """PynamoDB has two of them."""
    assert [bind(retry_configuration=word).retry_configuration for word in ("LEGACY", "UNSET")] == ["LEGACY", "UNSET"]


def test_every_setting_is_tried() -> None:
    """The list above is whole."""
    assert GOOD.keys() | KEYS.keys() == BIND_CHECKS.keys()


@pytest.mark.parametrize("name", BIND_CHECKS)
def test_a_setting_of_none_is_unset(name: str) -> None:
    """None leaves a setting to botocore, as if it were missing."""
    assert getattr(bind(**{name: None}), name) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("region", ["eu-west-1"]),
        ("region", ""),
        ("region", True),
        ("region", "eu west 1"),
        ("region", "eu-west-1\n"),
        ("host", 8000.5),
        ("host", "localhost:8000"),
        ("host", "http://"),
        ("host", "http://[::1"),
        ("host", "http://localhost:port"),
        ("host", "http://localhost:99999"),
        ("host", "http://local host"),
        ("host", "http://localhost\n"),
        ("host", "http://user:hush@localhost"),
        ("connect_timeout_seconds", "5"),
        ("connect_timeout_seconds", True),
        ("connect_timeout_seconds", 0),
        ("read_timeout_seconds", -1),
        ("read_timeout_seconds", float("nan")),
        ("read_timeout_seconds", float("inf")),
        ("max_retry_attempts", -1),
        ("max_retry_attempts", 1.5),
        ("max_retry_attempts", False),
        ("retry_configuration", "STANDARD"),
        ("retry_configuration", {"mode": "brave"}),
        ("retry_configuration", {"attempts": 3}),
        ("retry_configuration", []),
        ("max_pool_connections", 0),
        ("extra_headers", "X-Team: forum"),
        ("extra_headers", {"X-Team": 7}),
        ("extra_headers", {7: "forum"}),
        ("extra_headers", {"X-Team": "a\r\nb"}),
        ("aws_access_key_id", b"AKIA"),
        ("profile", 1.5),
        ("session", "default"),
        ("role_arn", {}),
        ("role_arn", "forum"),
        ("role_duration_seconds", 60),
        ("session_tags", "tenant=acme"),
        ("session_tags", {"tenant": 7}),
        ("session_tags", {"": "acme"}),
        ("session_tags", {"x" * 129: "acme"}),
        ("session_tags", {"tenant": "x" * 257}),
        ("session_tags", {"tenant": "*"}),
        ("session_tags", {f"tag-{number}": "x" for number in range(51)}),
        ("session_policy", "Version: 2012"),
        ("session_policy", "[]"),
        ("session_policy", {"Statement": {1, 2}}),
        ("session_policy", {"Statement": "x" * 2048}),
        ("share_client", 0),
        ("transport", "fast"),
        ("transport", ["direct"]),
        ("client_factory", "factory"),
        ("client_config", {"region_name": "eu-west-1"}),
        ("table_prefix", 1.5),
        ("read_capacity_units", 0),
        ("write_capacity_units", "5"),
        ("billing_mode", "FREE"),
        ("billing_mode", ["PROVISIONED"]),
        ("local_path", 7),
        ("error_handlers", "yes"),
        ("require_tenant", "yes"),
        ("tenant_ttl_seconds", 0),
        ("tenants", ["acme"]),
        ("meter", 1),
        ("meter_max_tenants", 0),
        ("tenant_capacity", "100"),
        ("tenant_capacity", True),
        ("tenant_capacity", 0),
        ("tenant_capacity", float("inf")),
        ("tenant_capacity", {"acme": "100"}),
        ("tenant_capacity", {"acme": -1}),
        ("tenant_capacity", {"": 100}),
        ("binds", ["eu"]),
        ("binds", {"eu": "eu-west-1"}),
        ("binds", {"": {}}),
        ("models", {"Thread": "Thread"}),
    ],
)
def test_a_wrong_value_names_its_key(name: str, value: object) -> None:
    """A wrong value is a ConfigurationError that begins with the key as it was typed."""
    with pytest.raises(ConfigurationError, match=f"DYNAMODB_{name.upper()}"):
        read(**{name: value})


@pytest.mark.parametrize("secret", ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"])
def test_no_message_shows_a_secret(secret: str) -> None:
    """A message about a secret gives its type and never its value."""
    with pytest.raises(ConfigurationError, match="must be a string, not list") as caught:
        read(**{secret: ["hush-hush"]})
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "given", [["aws_access_key_id"], ["aws_secret_access_key"], ["aws_session_token"], ["aws_session_token", "profile"]]
)
def test_half_a_key_pair_is_an_error(given: list[str]) -> None:
    """Keys come in pairs; the message names what is missing and shows no value."""
    with pytest.raises(ConfigurationError, match="is set without DYNAMODB_AWS_.* Set both, or neither") as caught:
        read(**dict.fromkeys(given, "hush-hush"))
    assert "hush" not in str(caught.value)


def test_a_roles_settings_without_the_role_are_an_error() -> None:
    """They would go unheard."""
    with pytest.raises(ConfigurationError, match="DYNAMODB_EXTERNAL_ID is set without DYNAMODB_ROLE_ARN"):
        read(external_id="42")


def test_two_identities_are_an_error() -> None:
    """Keys and a profile at once would leave it to chance who calls."""
    with pytest.raises(ConfigurationError, match="DYNAMODB_PROFILE name more than one identity"):
        read(**KEYS, profile="dev")


def test_an_unknown_key_is_a_warning_with_the_nearest() -> None:
    """A misspelt key is no error, as other code may own it, but it does not go by in silence."""
    with pytest.warns(UserWarning, match="DYNAMODB_REGOIN is not a setting .* 'DYNAMODB_REGION'"):
        read(regoin="eu-west-1")


def test_an_unknown_key_like_no_other_is_a_warning_too() -> None:
    """No nearest key is offered where none is near."""
    with pytest.warns(UserWarning, match=r"DYNAMODB_ZZZ is not a setting of dynaflask\.$"):
        read(zzz=1)


@pytest.mark.filterwarnings("error")
def test_a_key_of_others_is_left_alone() -> None:
    """Only keys of our own prefix are looked at."""
    read_settings("app", {"SECRET_KEY": "x", "AWS_REGION": 7, "DYNAMO_TABLES": []})


def test_an_unknown_setting_of_a_bind_is_an_error() -> None:
    """What stands inside DYNAMODB_BINDS is ours alone."""
    with pytest.raises(ConfigurationError, match=r"DYNAMODB_BINDS\['eu'\] has no setting 'regoin'. .* 'region'"):
        read(binds={"eu": {"regoin": "eu-west-1"}})


def test_a_setting_that_is_there_twice_is_an_error() -> None:
    """Nobody could tell which of the two counts."""
    with pytest.raises(ConfigurationError, match=r"DYNAMODB_BINDS\['eu'\] has 'region' twice"):
        read(binds={"eu": {"region": "eu-west-1", "REGION": "us-east-1"}})


def test_a_session_that_cannot_be_hashed_is_an_error() -> None:
    """Two apps with one session are told by it."""

    class Session(botocore.session.Session):
        __hash__ = None  # type: ignore[assignment]

    with pytest.raises(ConfigurationError, match="DYNAMODB_SESSION must be hashable"):
        read(session=Session())


def test_an_error_inside_a_bind_names_the_place() -> None:
    """The message leads to the very value."""
    with pytest.raises(ConfigurationError, match=r"DYNAMODB_BINDS\['eu'\]\['Host'\] must be a URL"):
        read(binds={"eu": {"Host": "localhost"}})


def test_half_a_key_pair_inside_a_bind_names_the_place() -> None:
    """A bind's own keys come in pairs as well."""
    with pytest.raises(ConfigurationError, match=r"DYNAMODB_BINDS\['eu'\]\['aws_access_key_id'\] is set without"):
        read(binds={"eu": {"aws_access_key_id": "AKIA"}})


def test_a_bind_takes_the_plain_keys_for_what_it_does_not_name() -> None:
    """DYNAMODB_BINDS[bind_key] goes over the plain keys."""
    eu = bind("eu", region="us-east-1", max_retry_attempts=7, binds={"eu": {"region": "eu-west-1"}})
    assert (eu.region, eu.max_retry_attempts) == ("eu-west-1", 7)


def test_a_bind_may_unset_a_plain_key() -> None:
    """None in a bind leaves to botocore what the plain keys set."""
    assert bind("aws", host="http://localhost:8000", binds={"aws": {"host": None}}).host is None


def test_the_default_bind_may_be_named() -> None:
    """DYNAMODB_BINDS["default"] goes over the plain keys like any other."""
    assert bind(region="us-east-1", binds={"default": {"region": "eu-west-1"}}).region == "eu-west-1"


def test_an_identity_is_taken_whole() -> None:
    """A bind with keys of its own never sends the plain session token along."""
    eu = bind("eu", **KEYS, aws_session_token="plain", binds={"eu": {**KEYS, "aws_access_key_id": "EU"}})
    assert (eu.aws_access_key_id, eu.aws_session_token) == ("EU", None)


def test_a_bind_with_keys_drops_the_plain_role() -> None:
    """Who names keys means to call with these, not with a role that something else assumes."""
    eu = bind("eu", role_arn="arn:aws:iam::123456789012:role/r", external_id="42", binds={"eu": KEYS})
    assert (eu.role_arn, eu.external_id) == (None, None)


def test_a_role_is_assumed_with_the_plain_identity() -> None:
    """A bind that names a role alone assumes it as whoever the plain keys say."""
    role = {"role_arn": "arn:aws:iam::123456789012:role/r"}
    eu = bind("eu", **KEYS, role_arn="arn:plain", role_session_name="plain", binds={"eu": role})
    assert (eu.aws_access_key_id, eu.role_arn, eu.role_session_name) == ("AKIA", role["role_arn"], None)


def test_an_unknown_bind_lists_the_known() -> None:
    """UnknownBind says which binds there are."""
    with pytest.raises(UnknownBind, match="'app' has no bind 'eu'. .* use one of 'default', 'us'") as caught:
        read(binds={"us": {}}).named_by("eu")
    assert (caught.value.bind_key, caught.value.known) == ("eu", ("default", "us"))


def test_a_model_on_an_unknown_bind_is_an_error() -> None:
    """DYNAMODB_MODELS may name the binds of DYNAMODB_BINDS alone."""
    with pytest.raises(ConfigurationError, match=r"DYNAMODB_MODELS\['Thread'\]\['bind_key'\] is 'eu'"):
        read(models={"Thread": {"bind_key": "eu"}})


def test_settings_from_the_environment_work_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flask reads numbers, nested keys and JSON from the environment: an account id of 12 digits is a number then."""
    environment = {
        "DYNAMODB_REGION": "us-east-1",
        "DYNAMODB_AWS_ACCESS_KEY_ID": "123456789012",
        "DYNAMODB_AWS_SECRET_ACCESS_KEY": "7",
        "DYNAMODB_CONNECT_TIMEOUT_SECONDS": "2.5",
        "DYNAMODB_EXTRA_HEADERS": json.dumps({"X-Team": "forum"}),
        "DYNAMODB_BINDS__eu__REGION": "eu-west-1",
        "DYNAMODB_MODELS__Thread__bind_key": "eu",
    }
    for name, value in environment.items():
        monkeypatch.setenv(f"FLASK_{name}", value)
    app = flask.Flask("app")
    app.config.from_prefixed_env()
    settings = read_settings("app", app.config)
    eu = make_bind("eu", settings.values_of("eu"))
    assert (eu.region, eu.aws_access_key_id, eu.aws_secret_access_key) == ("eu-west-1", "123456789012", "7")
    assert (eu.connect_timeout_seconds, eu.extra_headers) == (2.5, {"X-Team": "forum"})
    assert settings.models["Thread"]["bind_key"] == "eu"


def test_what_the_caller_passed_is_copied() -> None:
    """A dict that is changed after init_app changes no bind."""
    headers, binds = {"X-Team": "forum"}, {"eu": {"extra_headers": {"X-Team": "eu"}}}
    settings = read(extra_headers=headers, binds=binds)
    headers["X-Team"] = binds["eu"]["extra_headers"]["X-Team"] = "other"
    assert settings.plain["extra_headers"] == {"X-Team": "forum"}
    assert settings.binds["eu"]["extra_headers"] == {"X-Team": "eu"}


def test_two_apps_share_nothing() -> None:
    """The settings of one app are no start for the next one's."""
    read(region="us-west-2", **KEYS, binds={"eu": {"region": "eu-west-1"}})
    assert bind() == Bind()


def test_a_boto3_session_will_do() -> None:
    """DYNAMODB_SESSION takes a session of boto3's as well as of botocore's."""
    session = boto3.session.Session(region_name="eu-west-1")
    assert bind(session=session).session is session


def test_a_path_may_be_a_path_object(tmp_path: t.Any) -> None:
    """DYNAMODB_LOCAL_PATH takes what open() takes."""
    assert bind(local_path=tmp_path).local_path == str(tmp_path)


def test_a_bind_shows_what_identifies_it_and_no_secret() -> None:
    """The repr has the key, region and endpoint."""
    shown = repr(bind(**KEYS, region="eu-west-1"))
    assert shown == "<Bind 'default' region='eu-west-1' host=None>"


def test_settings_show_no_secret() -> None:
    """Error trackers record what they can see."""
    assert "hush" not in repr(read(**KEYS))


def test_a_callable_object_of_the_users_will_do() -> None:
    """Also one that cannot be hashed, as binds are."""

    class Prefix:
        __hash__ = None  # type: ignore[assignment]

        def __call__(self, name: str) -> str:
            return f"x-{name}"

    prefixed = bind(table_prefix=Prefix())
    assert hash(prefixed)
    assert callable(prefixed.table_prefix)
    assert prefixed.table_prefix("Thread") == "x-Thread"


def test_a_bind_is_frozen() -> None:
    """No code can turn a bind elsewhere."""
    frozen = bind(region="us-east-1")
    with pytest.raises(AttributeError, match=r"is frozen. Enter other values with `with db.using\(region=...\):`"):
        frozen.region = "eu-west-1"
    with pytest.raises(AttributeError, match="is frozen"):
        del frozen.region
    assert frozen.region == "us-east-1"


def test_a_bind_has_the_fields_of_the_settings_alone() -> None:
    """A name that is misspelt is not a value that is lost."""
    with pytest.raises(TypeError, match="A bind has no 'regoin'"):
        Bind(regoin="eu-west-1")


def test_every_field_of_a_bind_is_described() -> None:
    """What type checkers and the reference know is what there is."""
    described = re.findall(r"^    (\w+): ", str(inspect.getdoc(Bind)), flags=re.MULTILINE)
    assert ["key", *sorted(BIND_FIELDS)] == ["key", *sorted(described[1:])]
    assert {"key", *BIND_FIELDS} == {name for name in Bind.__annotations__ if not name.startswith("_")}


def test_a_copy_of_a_bind_is_equal() -> None:
    """By the copy module and by pickle."""
    original = bind(region="eu-west-1", extra_headers={"X-Team": "forum"})
    copies = copy.copy(original), copy.deepcopy(original), pickle.loads(pickle.dumps(original))  # noqa: S301 - it is our own
    assert {original, *copies} == {original}
    assert original not in {Bind(), "default"}


@pytest.mark.parametrize("capacity", [100, 0.5, {"*": 100, "acme": 500.5, "internal": None}])
def test_a_tenants_capacity_is_a_number_or_numbers_by_tenant(capacity: t.Any) -> None:
    """None is no limit."""
    assert read(tenant_capacity=capacity).plain["tenant_capacity"] == capacity


def test_a_dict_of_capacities_is_copied() -> None:
    """What becomes of the app's own has no effect."""
    capacity = {"acme": 500}
    settings = read(tenant_capacity=capacity)
    capacity["acme"] = 1
    assert settings.plain["tenant_capacity"] == {"acme": 500}
