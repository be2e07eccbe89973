"""``app.config`` becomes settings."""

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


def test_an_error_inside_a_bind_names_the_place() -> None:
    """The message leads to the very value."""
    with pytest.raises(ConfigurationError, match=r"DYNAMODB_BINDS\['eu'\]\['Host'\] must be a URL"):
        read(binds={"eu": {"Host": "localhost"}})


def test_half_a_key_pair_inside_a_bind_names_the_place() -> None:
    """A bind's own keys come in pairs as well."""
    with pytest.raises(ConfigurationError, match=r"DYNAMODB_BINDS\['eu'\]\['aws_access_key_id'\] is set without"):
        read(binds={"eu": {"aws_access_key_id": "AKIA"}})


def test_the_default_bind_may_be_named() -> None:
    """DYNAMODB_BINDS["default"] goes over the plain keys like any other."""
    assert bind(region="us-east-1", binds={"default": {"region": "eu-west-1"}}).region == "eu-west-1"


def test_an_unknown_bind_lists_the_known() -> None:
    """UnknownBind says which binds there are."""
    with pytest.raises(UnknownBind, match="'app' has no bind 'eu'. .* use one of 'default', 'us'") as caught:
        read(binds={"us": {}}).own_values("eu")
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
    eu = make_bind("eu", settings.effective_values("eu"))
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


def test_settings_show_no_secret() -> None:
    """Error trackers record what they can see."""
    assert "hush" not in repr(read(**KEYS))
