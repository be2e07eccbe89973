"""A bind, and which of two layers says what of it."""

from __future__ import annotations

import copy
import inspect
import pickle
import re

import pytest

from dynaflask.config.bind import BIND_FIELDS
from dynaflask.config.bind import Bind
from tests.support.settings import KEYS
from tests.support.settings import bind


def test_a_bind_takes_the_plain_keys_for_what_it_does_not_name() -> None:
    """DYNAMODB_BINDS[bind_key] goes over the plain keys."""
    eu = bind("eu", region="us-east-1", max_retry_attempts=7, binds={"eu": {"region": "eu-west-1"}})
    assert (eu.region, eu.max_retry_attempts) == ("eu-west-1", 7)


def test_a_bind_may_unset_a_plain_key() -> None:
    """None in a bind leaves to botocore what the plain keys set."""
    assert bind("aws", host="http://localhost:8000", binds={"aws": {"host": None}}).host is None


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


def test_a_bind_shows_what_identifies_it_and_no_secret() -> None:
    """The repr has the key, region and endpoint."""
    shown = repr(bind(**KEYS, region="eu-west-1"))
    assert shown == "<Bind 'default' region='eu-west-1' host=None>"


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
