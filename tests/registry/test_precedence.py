"""Which value wins: each line of the order of precedence."""

from __future__ import annotations

import typing as t

import flask
import pytest

import dynaflask
from dynaflask import ConfigurationError
from dynaflask import UnknownBind
from tests.support import models
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


class TestPrecedence:
    """Highest first: the context, DYNAMODB_MODELS, the model's Meta, the bind, PynamoDB's defaults.

    The tenant, which wins over all of them, is tested in ``tests/registry/test_tenant_methods.py``.
    """

    def test_line_6_is_pynamodbs_default(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """A setting that is not set has PynamoDB's default."""
        with make_app().app_context():
            assert (thread_model.Meta.region, thread_model.Meta.read_timeout_seconds) == (None, 30)

    def test_line_5_the_plain_keys_win_over_the_default(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """The app's plain keys apply to every model."""
        with make_app(region="us-east-1", read_timeout_seconds=5).app_context():
            assert (thread_model.Meta.region, thread_model.Meta.read_timeout_seconds) == ("us-east-1", 5)

    def test_line_5_the_bind_wins_over_the_plain_keys(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """The bind that a model's bind_key names wins over the plain keys."""
        thread = models.declare_thread(db, bind_key="eu")
        with make_app(region="us-east-1", binds={"eu": {"region": "eu-west-1"}}).app_context():
            assert (thread.Meta.bind_key, thread.Meta.region) == ("eu", "eu-west-1")

    def test_line_4_the_declared_wins_over_the_bind(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """A value in the model's Meta wins over the bind, even if it is PynamoDB's default."""
        thread = models.declare_thread(db, region="ap-south-1", read_timeout_seconds=30)
        with make_app(region="us-east-1", read_timeout_seconds=5).app_context():
            assert (thread.Meta.region, thread.Meta.read_timeout_seconds) == ("ap-south-1", 30)

    def test_line_3_dynamodb_models_wins_over_the_declared(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """DYNAMODB_MODELS wins over Meta."""
        thread = models.declare_thread(db, region="ap-south-1")
        with make_app(models={"Thread": {"region": "eu-west-1", "table_name": "Topic"}}).app_context():
            assert (thread.Meta.region, thread.Meta.table_name) == ("eu-west-1", "Topic")

    def test_line_2_a_change_of_the_context_wins_over_all(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """A change of Meta in a context wins over all settings."""
        thread = models.declare_thread(db, region="ap-south-1")
        with make_app(region="us-east-1", models={"Thread": {"region": "eu-west-1"}}).app_context():
            thread.Meta.region = "sa-east-1"
            assert thread.Meta.region == "sa-east-1"
            assert thread._get_connection().connection.region == "sa-east-1"

    def test_line_2_a_block_wins_over_all(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """db.using wins over the model, the app and earlier changes of the context, until the block ends."""
        thread = models.declare_thread(db, region="ap-south-1")
        with make_app(models={"Thread": {"region": "eu-west-1"}}).app_context():
            thread.Meta.region = "us-east-1"
            with db.using(region="sa-east-1"):
                assert thread.Meta.region == "sa-east-1"
            assert thread.Meta.region == "us-east-1"

    def test_the_innermost_wins(self, make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """A change of Meta in a block wins over the block's settings, and ends with the block."""
        with make_app().app_context(), db.using(region="sa-east-1"):
            thread_model.Meta.region = "us-east-1"
            with db.using(read_timeout_seconds=1):
                assert thread_model.Meta.region == "us-east-1"
                thread_model.Meta.region = "eu-west-1"
                assert thread_model.Meta.region == "eu-west-1"
            assert thread_model.Meta.region == "us-east-1"


class TestBinds:
    """A bind that a context selects brings its own settings along."""

    BINDS: t.ClassVar = {"eu": {"region": "eu-west-1"}, "us": {"region": "us-west-2", "max_pool_connections": 3}}

    def test_a_block_on_a_bind_wins_over_the_declared(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """Inside db.using("eu") a model runs in the region of eu, even if the model declares another."""
        thread = models.declare_thread(db, region="ap-south-1", max_pool_connections=7)
        with make_app(binds=self.BINDS).app_context(), db.using("eu"):
            assert (thread.Meta.region, thread.Meta.max_pool_connections) == ("eu-west-1", 7)

    def test_a_bind_key_set_on_meta_does_the_same(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """Meta.bind_key set in a context has the effect of a block on that bind, for one model."""
        thread = models.declare_thread(db, region="ap-south-1")
        with make_app(binds=self.BINDS).app_context():
            thread.Meta.bind_key = "eu"
            assert (thread.Meta.bind_key, thread.Meta.region) == ("eu", "eu-west-1")

    def test_settings_beside_the_bind_win_over_it(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """db.using("eu", region=...) uses the bind eu in the named region."""
        thread = models.declare_thread(db)
        with make_app(binds=self.BINDS).app_context(), db.using("eu", region="eu-north-1"):
            assert thread.Meta.region == "eu-north-1"

    def test_a_block_on_another_bind_ignores_settings_of_the_outer_bind(
        self, make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """Settings entered for the bind us have no effect in a block on eu."""
        app = make_app(region="us-east-1", binds=self.BINDS)
        with app.app_context(), db.using("us", region="us-west-1", host="http://localhost:1"):
            with db.using("eu"):
                assert (thread_model.Meta.region, thread_model.Meta.host) == ("eu-west-1", None)
            with db.using("default"):
                assert (thread_model.Meta.region, thread_model.Meta.max_pool_connections) == ("us-east-1", 10)

    def test_credentials_are_never_mixed(self, make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """Keys entered in a block are not combined with the app's session token."""
        with make_app(**KEYS, aws_session_token="plain").app_context(), db.using(**{**KEYS, "aws_access_key_id": "B"}):
            meta = thread_model.Meta
            assert (meta.aws_access_key_id, meta.aws_session_token) == ("B", None)

    def test_one_key_of_a_pair_set_on_meta_is_refused_at_use(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """An access key without a secret is refused, and not combined with the app's secret."""
        with make_app(**KEYS).app_context():
            thread_model.Meta.aws_access_key_id = "B"
            with pytest.raises(ConfigurationError, match=r"Thread.Meta\['aws_access_key_id'\] is set without"):
                thread_model._get_connection()
            thread_model.Meta.aws_secret_access_key = "b"
            assert thread_model._get_connection().connection.bind.aws_access_key_id == "B"

    def test_an_unknown_bind_is_refused_where_it_is_set(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """Meta.bind_key can only be set to a bind of the app."""
        with make_app(binds=self.BINDS).app_context(), pytest.raises(UnknownBind):
            thread_model.Meta.bind_key = "mars"

    def test_an_unknown_bind_in_the_class_is_refused_at_use(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """A bind_key that the app lacks is an error at the first use, not a call to the default bind."""
        thread = models.declare_thread(db, bind_key="mars")
        with make_app(binds=self.BINDS).app_context(), pytest.raises(UnknownBind, match="'mars'"):
            thread._get_connection()


class TestTableName:
    """DYNAMODB_TABLE_PREFIX and the real table name."""

    def test_a_string_is_added_in_front(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """The real name is the prefix and the declared name."""
        with make_app(table_prefix="test-").app_context():
            assert thread_model.Meta.table_name == "test-Thread"

    def test_it_is_added_to_a_configured_name(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """A name in DYNAMODB_MODELS gets the prefix, too."""
        with make_app(table_prefix="test-", models={"Thread": {"table_name": "Topic"}}).app_context():
            assert thread_model.Meta.table_name == "test-Topic"

    def test_a_name_set_in_a_context_is_the_real_one(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """A name set in a context gets no prefix."""
        with make_app(table_prefix="test-").app_context():
            thread_model.Meta.table_name = "Topic"
            assert thread_model.Meta.table_name == "Topic"

    def test_a_callable_is_called_at_each_use(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """The result of a callable prefix is not cached, since it may depend on the request."""
        with make_app(table_prefix=lambda name: f"{flask.g.tenant}.{name}").app_context():
            for tenant in ("acme", "umbrella"):
                flask.g.tenant = tenant
                assert thread_model.Meta.table_name == f"{tenant}.Thread"
                assert thread_model._get_connection().table_name == f"{tenant}.Thread"

    @pytest.mark.parametrize("answer", [None, "", 7])
    def test_a_callable_that_gives_no_name_is_an_error(
        self, make_app: MakeApp, thread_model: t.Any, answer: t.Any
    ) -> None:
        """A callable that does not return a name is an error before anything is sent."""
        with make_app(table_prefix=lambda name: answer).app_context():
            with pytest.raises(ConfigurationError, match="DYNAMODB_TABLE_PREFIX .* 'Thread' as a string"):
                thread_model._get_connection()

    @pytest.mark.parametrize("prefix", ["test-", lambda name: f"test-{name}"])
    def test_an_arn_is_left_alone(self, make_app: MakeApp, db: dynaflask.Dynamo, prefix: t.Any) -> None:
        """A table ARN gets no prefix."""
        arn = "arn:aws:dynamodb:us-east-1:123456789012:table/Thread"
        thread = models.declare_thread(db, table_name=arn)
        with make_app(table_prefix=prefix).app_context():
            assert thread.Meta.table_name == arn
