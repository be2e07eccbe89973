"""A bind, and how two layers of settings merge into one."""

from __future__ import annotations

import copy
import pickle

import pytest

from dynaflask.config.bind import Bind
from tests.support.settings import KEYS
from tests.support.settings import bind


def test_a_bind_inherits_the_plain_keys() -> None:
    """A setting of DYNAMODB_BINDS[bind_key] wins over its plain key, which applies if the bind lacks it."""
    eu = bind("eu", region="us-east-1", max_retry_attempts=7, binds={"eu": {"region": "eu-west-1"}})
    assert (eu.region, eu.max_retry_attempts) == ("eu-west-1", 7)


def test_a_bind_may_unset_a_plain_key() -> None:
    """None in a bind unsets the value of the plain key."""
    assert bind("aws", host="http://localhost:8000", binds={"aws": {"host": None}}).host is None


def test_credentials_of_two_layers_are_never_mixed() -> None:
    """A bind with its own key pair does not inherit the plain session token."""
    eu = bind("eu", **KEYS, aws_session_token="plain", binds={"eu": {**KEYS, "aws_access_key_id": "EU"}})
    assert (eu.aws_access_key_id, eu.aws_session_token) == ("EU", None)


def test_a_bind_with_keys_drops_the_plain_role() -> None:
    """A bind with its own credentials does not inherit the plain role or its settings."""
    eu = bind("eu", role_arn="arn:aws:iam::123456789012:role/r", external_id="42", binds={"eu": KEYS})
    assert (eu.role_arn, eu.external_id) == (None, None)


def test_a_role_is_assumed_with_the_plain_credentials() -> None:
    """A bind that sets only a role inherits the plain credentials, and not the settings of the plain role."""
    role = {"role_arn": "arn:aws:iam::123456789012:role/r"}
    eu = bind("eu", **KEYS, role_arn="arn:plain", role_session_name="plain", binds={"eu": role})
    assert (eu.aws_access_key_id, eu.role_arn, eu.role_session_name) == ("AKIA", role["role_arn"], None)


def test_binds_of_one_factory_are_two_destinations() -> None:
    """A client factory may choose the client by the bind's key. Without one, two keys with equal values are one."""
    one, other = (bind(key, client_factory=min, binds={"one": {}, "other": {}}) for key in ("one", "other"))
    assert one.destination != other.destination
    assert bind("one", binds={"one": {}}).destination == bind("other", binds={"other": {}}).destination


def test_a_bind_shows_what_identifies_it_and_no_secret() -> None:
    """The repr shows the key, the region and the endpoint only."""
    shown = repr(bind(**KEYS, region="eu-west-1"))
    assert shown == "<Bind 'default' region='eu-west-1' host=None>"


def test_a_bind_is_frozen() -> None:
    """Setting or deleting an attribute raises an error that names db.using."""
    frozen = bind(region="us-east-1")
    with pytest.raises(AttributeError, match=r"is frozen. Enter other values with `with db.using\(region=...\):`"):
        frozen.region = "eu-west-1"
    with pytest.raises(AttributeError, match="is frozen"):
        del frozen.region
    assert frozen.region == "us-east-1"


def test_an_unknown_field_is_an_error() -> None:
    """A misspelt name raises TypeError, so that no value is lost."""
    with pytest.raises(TypeError, match="regoin"):
        Bind(regoin="eu-west-1")  # type: ignore[call-arg]


def test_a_copy_of_a_bind_is_equal() -> None:
    """copy, deepcopy and pickle return a bind that is equal and has the same hash."""
    original = bind(region="eu-west-1", extra_headers={"X-Team": "forum"})
    copies = copy.copy(original), copy.deepcopy(original), pickle.loads(pickle.dumps(original))  # noqa: S301 - it is our own
    assert {original, *copies} == {original}
    assert original not in {Bind(), "default"}


def test_a_pickled_bind_carries_no_hash() -> None:
    """Each process hashes strings with another seed, so that a copied hash would be wrong there."""
    hashed = bind(region="eu-west-1")
    hash(hashed)
    assert pickle.loads(pickle.dumps(hashed))._hash is None  # noqa: S301 - it is our own
