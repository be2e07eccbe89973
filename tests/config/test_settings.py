"""``read_settings``: ``app.config``, checked and frozen."""

from __future__ import annotations

import json

import flask
import pytest

from dynaflask import ConfigurationError
from dynaflask import UnknownBind
from dynaflask.config.bind import Bind
from dynaflask.config.bind import make_bind
from dynaflask.config.settings import read_settings
from tests.support.settings import KEYS
from tests.support.settings import bind
from tests.support.settings import read


@pytest.mark.parametrize(
    "names", [["aws_access_key_id"], ["aws_secret_access_key"], ["aws_session_token"], ["aws_session_token", "profile"]]
)
def test_half_a_key_pair_is_an_error(names: list[str]) -> None:
    """Each part of a key pair needs the others; the message names the missing ones and shows no value."""
    with pytest.raises(ConfigurationError, match="is set without DYNAMODB_AWS_.* Set both, or neither") as caught:
        read(**dict.fromkeys(names, "hush-hush"))
    assert "hush" not in str(caught.value)


def test_a_roles_settings_without_the_role_are_an_error() -> None:
    """A setting of the role without DYNAMODB_ROLE_ARN would have no effect."""
    with pytest.raises(ConfigurationError, match="DYNAMODB_EXTERNAL_ID is set without DYNAMODB_ROLE_ARN"):
        read(external_id="42")


def test_two_identities_are_an_error() -> None:
    """A key pair and a profile together are refused: it would not be clear which of them signs."""
    with pytest.raises(ConfigurationError, match="DYNAMODB_PROFILE name more than one identity"):
        read(**KEYS, profile="dev")


def test_an_unknown_key_is_a_warning_with_the_nearest() -> None:
    """A misspelt key is a warning, not an error, since other code may own the key."""
    with pytest.warns(UserWarning, match="DYNAMODB_REGOIN is not a setting .* 'DYNAMODB_REGION'"):
        read(regoin="eu-west-1")


def test_an_unknown_key_in_another_case_is_a_warning_with_the_nearest() -> None:
    """Flask's keys are in upper case. The warning about another spelling names the setting."""
    with pytest.warns(
        UserWarning, match="DYNAMODB_Region is not a setting of dynaflask. Did you mean 'DYNAMODB_REGION'"
    ):
        read_settings("app", {"DYNAMODB_Region": "eu-west-1"})


def test_an_unknown_key_like_no_other_is_a_warning_too() -> None:
    """The warning suggests no key if no valid key is similar."""
    with pytest.warns(UserWarning, match=r"DYNAMODB_ZZZ is not a setting of dynaflask\. Remove it, or look up"):
        read(zzz=1)


@pytest.mark.parametrize(("name", "setting"), [("endpoint_url", "HOST"), ("region_name", "REGION")])
def test_the_name_that_boto3_has_for_a_setting_is_met_with_its_name(name: str, setting: str) -> None:
    """A setting under the name that it has in boto3 or in AWS's environment variables gets the right suggestion."""
    with pytest.warns(UserWarning, match=f"DYNAMODB_{name.upper()} is not a setting .* 'DYNAMODB_{setting}'"):
        read(**{name: "x"})
    with pytest.raises(ConfigurationError, match=f"has no setting '{name}'. Did you mean '{setting.lower()}'"):
        read(binds={"eu": {name: "x"}})


@pytest.mark.filterwarnings("error")
def test_a_key_without_the_prefix_is_ignored() -> None:
    """Only keys that begin with DYNAMODB_ are checked."""
    read_settings("app", {"SECRET_KEY": "x", "AWS_REGION": 7, "DYNAMO_TABLES": []})


def test_an_unknown_setting_of_a_bind_is_an_error() -> None:
    """An unknown name inside DYNAMODB_BINDS raises an error that suggests the most similar one."""
    with pytest.raises(ConfigurationError, match=r"DYNAMODB_BINDS\['eu'\] has no setting 'regoin'. .* 'region'"):
        read(binds={"eu": {"regoin": "eu-west-1"}})


def test_a_setting_in_upper_and_lower_case_is_an_error() -> None:
    """One dict may contain a setting once, in either case."""
    with pytest.raises(ConfigurationError, match=r"DYNAMODB_BINDS\['eu'\] has 'region' twice"):
        read(binds={"eu": {"region": "eu-west-1", "REGION": "us-east-1"}})


def test_an_error_inside_a_bind_names_the_place() -> None:
    """The message names the dict, the bind and the setting as it was typed."""
    with pytest.raises(ConfigurationError, match=r"DYNAMODB_BINDS\['eu'\]\['Host'\] must be a URL"):
        read(binds={"eu": {"Host": "localhost"}})


def test_half_a_key_pair_inside_a_bind_names_the_place() -> None:
    """Half a key pair in a bind is an error that names the bind."""
    with pytest.raises(ConfigurationError, match=r"DYNAMODB_BINDS\['eu'\]\['aws_access_key_id'\] is set without"):
        read(binds={"eu": {"aws_access_key_id": "AKIA"}})


def test_the_default_bind_may_be_named() -> None:
    """DYNAMODB_BINDS["default"] takes precedence over the plain keys, as any other bind does."""
    assert bind(region="us-east-1", binds={"default": {"region": "eu-west-1"}}).region == "eu-west-1"


def test_an_unknown_bind_lists_the_binds_of_the_app() -> None:
    """UnknownBind has the key and the keys of all binds."""
    with pytest.raises(UnknownBind, match="'app' has no bind 'eu'. .* use one of 'default', 'us'") as caught:
        read(binds={"us": {}}).own_values("eu")
    assert (caught.value.bind_key, caught.value.known) == ("eu", ("default", "us"))


def test_a_model_on_an_unknown_bind_is_an_error() -> None:
    """A bind_key in DYNAMODB_MODELS must be a key of DYNAMODB_BINDS. The message lists the keys."""
    message = r"DYNAMODB_MODELS\['Thread'\]\['bind_key'\] is 'eu'.* The binds are 'default', 'us'"
    with pytest.raises(ConfigurationError, match=message):
        read(binds={"us": {}}, models={"Thread": {"bind_key": "eu"}})


def test_settings_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values that from_prefixed_env reads are valid: numbers, nested keys, JSON, and an account id as a number."""
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
    eu = make_bind("eu", settings.effective_values("eu"))
    assert (eu.region, eu.aws_access_key_id, eu.aws_secret_access_key) == ("eu-west-1", "123456789012", "7")
    assert (eu.connect_timeout_seconds, eu.extra_headers) == (2.5, {"X-Team": "forum"})
    assert settings.models["Thread"]["bind_key"] == "eu"


def test_dicts_are_copied() -> None:
    """A dict of app.config that changes later changes no setting."""
    headers, binds = {"X-Team": "forum"}, {"eu": {"extra_headers": {"X-Team": "eu"}}}
    settings = read(extra_headers=headers, binds=binds)
    headers["X-Team"] = binds["eu"]["extra_headers"]["X-Team"] = "other"
    assert settings.plain["extra_headers"] == {"X-Team": "forum"}
    assert settings.binds["eu"]["extra_headers"] == {"X-Team": "eu"}


def test_two_apps_share_nothing() -> None:
    """The settings of one app do not become defaults of the next."""
    read(region="us-west-2", **KEYS, binds={"eu": {"region": "eu-west-1"}})
    assert bind() == Bind()


def test_settings_show_no_secret() -> None:
    """The repr shows no value, since error trackers record it."""
    assert "hush" not in repr(read(**KEYS))
