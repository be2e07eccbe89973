"""Which value wins: each line of the order of precedence, and what a model's ``Meta`` answers."""

from __future__ import annotations

import copy
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
    """Highest first: the context, DYNAMODB_MODELS, the model's Meta, the bind, PynamoDB's defaults."""

    def test_line_5_is_pynamodbs_default(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """What nobody says is as PynamoDB has it."""
        with make_app().app_context():
            assert (thread_model.Meta.region, thread_model.Meta.read_timeout_seconds) == (None, 30)

    def test_line_4_the_plain_keys_go_over_the_default(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """The app's plain keys reach every model."""
        with make_app(region="us-east-1", read_timeout_seconds=5).app_context():
            assert (thread_model.Meta.region, thread_model.Meta.read_timeout_seconds) == ("us-east-1", 5)

    def test_line_4_the_bind_goes_over_the_plain_keys(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """A model's bind_key names what goes over the plain keys."""
        thread = models.declare_thread(db, bind_key="eu")
        with make_app(region="us-east-1", binds={"eu": {"region": "eu-west-1"}}).app_context():
            assert (thread.Meta.bind_key, thread.Meta.region) == ("eu", "eu-west-1")

    def test_line_3_the_declared_goes_over_the_bind(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """What the user wrote in Meta goes over the bind."""
        thread = models.declare_thread(db, region="ap-south-1", read_timeout_seconds=30)
        with make_app(region="us-east-1", read_timeout_seconds=5).app_context():
            assert (thread.Meta.region, thread.Meta.read_timeout_seconds) == ("ap-south-1", 30)

    def test_line_2_the_apps_word_on_a_model_goes_over_the_declared(
        self, make_app: MakeApp, db: dynaflask.Dynamo
    ) -> None:
        """DYNAMODB_MODELS goes over Meta."""
        thread = models.declare_thread(db, region="ap-south-1")
        with make_app(models={"Thread": {"region": "eu-west-1", "table_name": "Topic"}}).app_context():
            assert (thread.Meta.region, thread.Meta.table_name) == ("eu-west-1", "Topic")

    def test_line_1_what_the_context_set_goes_over_all(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """A change of Meta in a context is the last word."""
        thread = models.declare_thread(db, region="ap-south-1")
        with make_app(region="us-east-1", models={"Thread": {"region": "eu-west-1"}}).app_context():
            thread.Meta.region = "sa-east-1"
            assert thread.Meta.region == "sa-east-1"
            assert thread._get_connection().connection.region == "sa-east-1"

    def test_line_1_what_a_block_entered_goes_over_all(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """db.using goes over what the model and the app say of it, and over what the context set before."""
        thread = models.declare_thread(db, region="ap-south-1")
        with make_app(models={"Thread": {"region": "eu-west-1"}}).app_context():
            thread.Meta.region = "us-east-1"
            with db.using(region="sa-east-1"):
                assert thread.Meta.region == "sa-east-1"
            assert thread.Meta.region == "us-east-1"

    def test_the_last_word_is_the_innermosts(
        self, make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """What a block sets on Meta goes over what the block entered, and ends with it."""
        with make_app().app_context(), db.using(region="sa-east-1"):
            thread_model.Meta.region = "us-east-1"
            with db.using(read_timeout_seconds=1):
                assert thread_model.Meta.region == "us-east-1"
                thread_model.Meta.region = "eu-west-1"
                assert thread_model.Meta.region == "eu-west-1"
            assert thread_model.Meta.region == "us-east-1"


class TestBinds:
    """A bind that a context names brings what it names itself along."""

    BINDS: t.ClassVar = {"eu": {"region": "eu-west-1"}, "us": {"region": "us-west-2", "max_pool_connections": 3}}

    def test_a_block_on_a_bind_goes_over_the_declared(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """A block on the bind eu runs in its region, whatever region a model declares."""
        thread = models.declare_thread(db, region="ap-south-1", max_pool_connections=7)
        with make_app(binds=self.BINDS).app_context(), db.using("eu"):
            assert (thread.Meta.region, thread.Meta.max_pool_connections) == ("eu-west-1", 7)

    def test_a_bind_key_set_on_meta_does_the_same(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """Meta.bind_key set in a context is as a block on that bind, for one model."""
        thread = models.declare_thread(db, region="ap-south-1")
        with make_app(binds=self.BINDS).app_context():
            thread.Meta.bind_key = "eu"
            assert (thread.Meta.bind_key, thread.Meta.region) == ("eu", "eu-west-1")

    def test_settings_beside_the_bind_go_over_it(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """db.using("eu", region=...) is on the bind eu in another region."""
        thread = models.declare_thread(db)
        with make_app(binds=self.BINDS).app_context(), db.using("eu", region="eu-north-1"):
            assert thread.Meta.region == "eu-north-1"

    def test_an_inner_block_on_another_bind_leaves_the_outers_settings(
        self, make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """What was said for the bind us does not leak into a block on eu."""
        app = make_app(region="us-east-1", binds=self.BINDS)
        with app.app_context(), db.using("us", region="us-west-1", host="http://localhost:1"):
            with db.using("eu"):
                assert (thread_model.Meta.region, thread_model.Meta.host) == ("eu-west-1", None)
            with db.using("default"):
                assert (thread_model.Meta.region, thread_model.Meta.max_pool_connections) == ("us-east-1", 10)

    def test_an_identity_is_never_mixed(self, make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """Keys entered in a block do not go out with the app's session token."""
        with make_app(**KEYS, aws_session_token="plain").app_context(), db.using(**{**KEYS, "aws_access_key_id": "B"}):
            meta = thread_model.Meta
            assert (meta.aws_access_key_id, meta.aws_session_token) == ("B", None)

    def test_half_an_identity_set_on_meta_is_refused_at_use(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """An access key that is set alone is not joined with the app's secret."""
        with make_app(**KEYS).app_context():
            thread_model.Meta.aws_access_key_id = "B"
            with pytest.raises(ConfigurationError, match=r"Thread.Meta\['aws_access_key_id'\] is set without"):
                thread_model._get_connection()
            thread_model.Meta.aws_secret_access_key = "b"
            assert thread_model._get_connection().connection.bind.aws_access_key_id == "B"

    def test_an_unknown_bind_is_refused_where_it_is_set(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """Meta.bind_key takes a bind of the app alone."""
        with make_app(binds=self.BINDS).app_context(), pytest.raises(UnknownBind):
            thread_model.Meta.bind_key = "mars"

    def test_an_unknown_bind_in_the_class_is_refused_at_use(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """A bind_key that this app lacks is an error when the model is used, not a call to the default bind."""
        thread = models.declare_thread(db, bind_key="mars")
        with make_app(binds=self.BINDS).app_context(), pytest.raises(UnknownBind, match="'mars'"):
            thread._get_connection()


class TestTableName:
    """DYNAMODB_TABLE_PREFIX, and the real name that Meta answers with."""

    def test_a_string_goes_in_front(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """The prefix and the declared name make the real one."""
        with make_app(table_prefix="test-").app_context():
            assert thread_model.Meta.table_name == "test-Thread"

    def test_it_goes_in_front_of_a_configured_name(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """A name in DYNAMODB_MODELS stands for the declared one."""
        with make_app(table_prefix="test-", models={"Thread": {"table_name": "Topic"}}).app_context():
            assert thread_model.Meta.table_name == "test-Topic"

    def test_a_name_set_in_a_context_is_the_real_one(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """What is set is what is read, prefix or not."""
        with make_app(table_prefix="test-").app_context():
            thread_model.Meta.table_name = "Topic"
            assert thread_model.Meta.table_name == "Topic"

    def test_a_callable_is_asked_at_each_use(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """A prefix that depends on the request, as on a tenant in flask.g, is never remembered."""
        with make_app(table_prefix=lambda name: f"{flask.g.tenant}.{name}").app_context():
            for tenant in ("acme", "umbrella"):
                flask.g.tenant = tenant
                assert thread_model.Meta.table_name == f"{tenant}.Thread"
                assert thread_model._get_connection().table_name == f"{tenant}.Thread"

    @pytest.mark.parametrize("answer", [None, "", 7])
    def test_a_callable_that_gives_no_name_is_an_error(
        self, make_app: MakeApp, thread_model: t.Any, answer: t.Any
    ) -> None:
        """It is said before anything is sent."""
        with make_app(table_prefix=lambda name: answer).app_context():
            with pytest.raises(ConfigurationError, match="DYNAMODB_TABLE_PREFIX .* 'Thread' as a string"):
                thread_model._get_connection()

    @pytest.mark.parametrize("prefix", ["test-", lambda name: f"test-{name}"])
    def test_an_arn_is_left_alone(self, make_app: MakeApp, db: dynaflask.Dynamo, prefix: t.Any) -> None:
        """A table ARN is a real name already."""
        arn = "arn:aws:dynamodb:us-east-1:123456789012:table/Thread"
        thread = models.declare_thread(db, table_name=arn)
        with make_app(table_prefix=prefix).app_context():
            assert thread.Meta.table_name == arn

    def test_a_class_property_is_read_at_each_use(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """A Meta that computes its table name, as PynamoDB allows, is never remembered."""

        class Computed(type):
            @property
            def table_name(cls) -> str:
                return f"Thread-{flask.g.tenant}"

        thread = models.declare_thread(db)
        computed = t.cast("t.Any", type(db.Model))(
            "Computed", (thread,), {"Meta": Computed("Meta", (), {}), "__module__": __name__}
        )
        with make_app(table_prefix="x-").app_context():
            for tenant in ("acme", "umbrella"):
                flask.g.tenant = tenant
                assert computed._get_connection().table_name == f"x-Thread-{tenant}"


class TestMeta:
    """What Model.Meta is inside a context, and outside."""

    def test_model_and_instance_agree(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """self.Meta and Model.Meta are one object."""
        with make_app().app_context():
            assert thread_model("forum", "subject").Meta is thread_model.Meta

    def test_a_change_is_seen_by_its_context_alone(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """The next context of the app, and every other app, see what was declared."""
        app = make_app()
        with app.app_context():
            thread_model.Meta.table_name = "Mine"
            with make_app("other").app_context():
                assert thread_model.Meta.table_name == "Thread"
            assert thread_model.Meta.table_name == "Mine"
        with app.app_context():
            assert thread_model.Meta.table_name == "Thread"

    def test_a_change_can_be_taken_back(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """del Meta.region gives back what was before; there is nothing more to take back then."""
        with make_app(region="us-east-1").app_context():
            thread_model.Meta.region = "eu-west-1"
            del thread_model.Meta.region
            assert thread_model.Meta.region == "us-east-1"
            with pytest.raises(AttributeError, match="has not set Thread.Meta.region"):
                del thread_model.Meta.region

    def test_a_wrong_change_names_itself(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """A value is checked where it is set."""
        with make_app().app_context(), pytest.raises(ConfigurationError, match="Thread.Meta.host must be a URL"):
            thread_model.Meta.host = "localhost"

    def test_a_wrong_declaration_names_itself(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """A value in the class is checked at first use."""
        thread = models.declare_thread(db, max_retry_attempts="many")
        with make_app().app_context(), pytest.raises(ConfigurationError, match="Thread.Meta.max_retry_attempts"):
            thread._get_connection()

    def test_a_setting_that_nobody_gave_is_missing(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """PynamoDB asks with hasattr whether Meta has a capacity."""
        with make_app().app_context():
            assert not hasattr(thread_model.Meta, "read_capacity_units")
        with make_app("provisioned", read_capacity_units=3).app_context():
            assert thread_model.Meta.read_capacity_units == 3

    def test_attributes_of_the_users_own_are_there(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """Meta answers for whatever else the class has, and takes more for this context."""
        thread = models.declare_thread(db, owner="forum team")
        with make_app().app_context():
            thread.Meta.reviewed = None
            assert (thread.Meta.owner, thread.Meta.reviewed, thread.Meta.__name__) == ("forum team", None, "Meta")
            assert {"owner", "reviewed", "table_name"} <= set(dir(thread.Meta))
        assert not hasattr(thread.Meta, "reviewed")

    def test_a_value_changed_in_place_is_this_contexts_copy(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """Lists and dicts in the class stay as they were written."""
        declared = {"team": "forum"}
        thread = models.declare_thread(db, tags=declared, notes=[])
        with make_app().app_context():
            thread.Meta.tags["team"] = "other"
            thread.Meta.notes.append("seen")
            assert (thread.Meta.tags, thread.Meta.notes) == ({"team": "other"}, ["seen"])
            with db.using(region="eu-west-1"):
                thread.Meta.notes.append("in the block")
            assert thread.Meta.notes == ["seen"]
        assert (declared, thread.Meta.tags, thread.Meta.notes) == ({"team": "forum"}, {"team": "forum"}, [])

    def test_extra_headers_are_read_only(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """Headers belong to a client that others may share: they are set whole, never in place."""
        with make_app(extra_headers={"X-Team": "forum"}).app_context():
            with pytest.raises(TypeError, match="immutable"):
                thread_model.Meta.extra_headers["X-Team"] = "other"

    def test_it_can_be_read_outside_of_a_context(self, thread_model: t.Any) -> None:
        """There it says what was declared, over PynamoDB's defaults."""
        meta = thread_model.Meta
        assert (meta.table_name, meta.region, meta.max_retry_attempts) == ("Thread", None, 3)

    def test_it_cannot_be_changed_outside_of_a_context(self, thread_model: t.Any) -> None:
        """Such a change would reach every app."""
        with pytest.raises(RuntimeError, match="Thread.Meta.region was set outside of an application context"):
            thread_model.Meta.region = "eu-west-1"
        with pytest.raises(AttributeError):
            del thread_model.Meta.region

    def test_it_is_inherited_as_declared(self, make_app: MakeApp, thread_model: t.Any, db: dynaflask.Dynamo) -> None:
        """class Meta(Base.Meta), written in a context, takes nothing of that context along."""
        with make_app(region="us-east-1").app_context():
            thread_model.Meta.billing_mode = "PROVISIONED"

            class Topic(thread_model):  # type: ignore[misc]
                class Meta(thread_model.Meta):  # type: ignore[misc]
                    table_name = "Topic"

        with make_app("eu", region="eu-west-1").app_context():
            assert (Topic.Meta.table_name, Topic.Meta.region, Topic.Meta.billing_mode) == (
                "Topic",
                "eu-west-1",
                "PAY_PER_REQUEST",
            )

    def test_the_users_class_is_never_written_to(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """PynamoDB's defaults and the app's settings go elsewhere."""

        class Meta:
            table_name = "Thread"

        before = dict(vars(Meta))
        thread = models.declare_thread(db)
        topic = t.cast("t.Any", type(db.Model))("Topic", (thread,), {"Meta": Meta, "__module__": __name__})
        with make_app(region="us-east-1").app_context():
            topic.Meta.region = "eu-west-1"
        assert dict(vars(Meta)) == before

    def test_an_empty_string_in_the_class_is_unset(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """As an environment variable that is empty gives it, and as PynamoDB takes it."""
        thread = models.declare_thread(db, host="", region="", aws_session_token="")
        with make_app(region="us-east-1").app_context():
            assert (thread.Meta.region, thread.Meta.host) == ("us-east-1", None)

    def test_it_can_be_copied(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """The copy is of the same scope."""
        with make_app().app_context():
            for copied in (copy.copy(thread_model.Meta), copy.deepcopy(thread_model.Meta)):
                assert copied.table_name == "Thread"

    def test_the_repr_shows_no_secret(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """It names the model, and so does that of what its settings come to."""
        with make_app(**KEYS).app_context() as context:
            assert repr(thread_model.Meta).startswith("<Meta of tests.support.models.declare_thread.")
            resolved = context.app.extensions["dynamo"].resolve(thread_model.__declaration__)
            assert repr(resolved) == "<EffectiveSettings 'Thread' on <Bind 'default' region=None host=None>>"
