"""``Tenants``: the tenants of one app, looked up and cached."""

from __future__ import annotations

import concurrent.futures
import contextlib
import pickle
import threading
import typing as t

import flask
import pytest

import dynaflask
from dynaflask import ConfigurationError
from dynaflask import UnknownTenant
from dynaflask.tenants import lookup
from tests.support.settings import MakeApp

EXPIRED_AT_ONCE = 1e-9


def prefix(app: flask.Flask, db: dynaflask.Dynamo, name: str) -> t.Any:
    """The table prefix of a tenant, read in a context of its own."""
    with app.app_context(), db.tenant(name):
        return db.connection.bind.table_prefix


@pytest.fixture
def calls(db: dynaflask.Dynamo) -> list[str]:
    """The names that were looked up. A name of three letters is a tenant, with its name as table prefix."""
    names: list[str] = []

    @db.tenant_settings
    def look_up(name: str) -> dict[str, t.Any] | None:
        names.append(name)
        return {"table_prefix": f"{name}-"} if len(name) == 3 else None

    return names


def test_a_tenant_is_looked_up_once(make_app: MakeApp, db: dynaflask.Dynamo, calls: list[str]) -> None:
    """The settings of a tenant are cached for other contexts."""
    app = make_app(region="us-east-1")
    assert [prefix(app, db, name) for name in ("abc", "xyz", "abc")] == ["abc-", "xyz-", "abc-"]
    assert calls == ["abc", "xyz"]


def test_a_tenant_is_looked_up_again_after_its_time(make_app: MakeApp, db: dynaflask.Dynamo, calls: list[str]) -> None:
    """After DYNAMODB_TENANT_TTL_SECONDS a tenant is looked up again."""
    app = make_app(region="us-east-1", tenant_ttl_seconds=EXPIRED_AT_ONCE)
    assert [prefix(app, db, "abc") for _ in range(2)] == ["abc-", "abc-"]
    assert calls == ["abc", "abc"]


def test_a_change_is_seen_by_the_next_context(make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
    """Changed settings apply in new contexts; a context that has begun keeps the old ones."""
    settings = iter([{"table_prefix": "old-"}, {"table_prefix": "new-"}])
    db.tenant_settings(lambda name: next(settings))
    app = make_app(region="us-east-1", tenant_ttl_seconds=EXPIRED_AT_ONCE)
    with app.app_context(), db.tenant("abc"):
        assert thread_model.Meta.table_name == "old-Thread"
        with app.app_context(), db.tenant("abc"):
            assert thread_model.Meta.table_name == "new-Thread"
        assert thread_model.Meta.table_name == "old-Thread"


def test_many_threads_look_a_tenant_up_once(make_app: MakeApp, db: dynaflask.Dynamo) -> None:
    """One thread calls the program's function; others wait only for the same tenant."""
    is_called, may_return, names = threading.Event(), threading.Event(), []

    @db.tenant_settings
    def look_up(name: str) -> dict[str, t.Any]:
        names.append(name)
        if name == "slow":
            is_called.set()
            assert may_return.wait(30)
        return {"table_prefix": f"{name}-"}

    app = make_app(region="us-east-1")
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        slow = [threads.submit(prefix, app, db, "slow") for _ in range(7)]
        assert is_called.wait(30)
        assert threads.submit(prefix, app, db, "fast").result(30) == "fast-"
        may_return.set()
        assert {future.result(30) for future in slow} == {"slow-"}
    assert sorted(names) == ["fast", "slow"]


def test_the_cache_is_bounded(
    make_app: MakeApp, db: dynaflask.Dynamo, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Above MAX_CACHED_TENANTS the tenants with the oldest look-up are evicted."""
    monkeypatch.setattr(lookup, "MAX_CACHED_TENANTS", 10)
    app = make_app(region="us-east-1")
    names = [f"t{number:02}" for number in range(11)]
    for name in [*names, *names[2:]]:
        prefix(app, db, name)
    assert calls == names
    prefix(app, db, names[0])
    assert calls == [*names, names[0]]


def test_an_unknown_tenant_is_looked_up_once(make_app: MakeApp, db: dynaflask.Dynamo, calls: list[str]) -> None:
    """That a name is unknown is cached, too, for each app alone; forget looks it up again."""
    app, other = make_app("app", region="us-east-1"), make_app("other", region="us-east-1")
    for user in (app, app, other):
        with pytest.raises(UnknownTenant):
            prefix(user, db, "unknown")
    assert calls == ["unknown", "unknown"]
    app.extensions["dynamo"].tenants.forget("unknown")
    db.tenant_settings(lambda name: {"table_prefix": "new-"})
    assert prefix(app, db, "unknown") == "new-"
    with pytest.raises(UnknownTenant):
        prefix(other, db, "unknown")


def test_an_unknown_tenant_is_looked_up_again_after_its_time(
    make_app: MakeApp, db: dynaflask.Dynamo, calls: list[str]
) -> None:
    """After DYNAMODB_TENANT_TTL_SECONDS an unknown name is looked up again, since it may have become a tenant."""
    app = make_app(region="us-east-1", tenant_ttl_seconds=EXPIRED_AT_ONCE)
    for _ in range(2):
        with pytest.raises(UnknownTenant):
            prefix(app, db, "unknown")
    assert calls == ["unknown", "unknown"]


def test_a_tenant_that_is_forgotten_is_looked_up_again(
    make_app: MakeApp, db: dynaflask.Dynamo, calls: list[str]
) -> None:
    """After a change of its settings, a program need not wait for the end of the tenant's time in the cache."""
    app = make_app(region="us-east-1")
    assert prefix(app, db, "abc") == "abc-"
    db.tenant_settings(lambda name: {"table_prefix": "moved-"})
    assert prefix(app, db, "abc") == "abc-"
    app.extensions["dynamo"].tenants.forget("abc")
    assert prefix(app, db, "abc") == "moved-"


@pytest.mark.parametrize("before", [{"table_prefix": "old-"}, None], ids=["known", "unknown"])
def test_a_tenant_is_forgotten_in_the_middle_of_its_look_up(
    make_app: MakeApp, db: dynaflask.Dynamo, before: dict[str, str] | None
) -> None:
    """What the look-up has read may have changed since: it is not cached. The other app's cache is not concerned."""
    app, other = make_app("app", region="us-east-1"), make_app("other", region="us-east-1")
    settings, calls = {"app": before, "other": {"table_prefix": "other-"}}, []

    @db.tenant_settings
    def look_up(name: str) -> dict[str, str] | None:
        calls.append(flask.current_app.name)
        found = settings[flask.current_app.name]
        if calls == ["other", "app"]:
            # Another thread moves the tenant, and tells the app.
            settings["app"] = {"table_prefix": "new-"}
            app.extensions["dynamo"].tenants.forget(name)
        return found

    assert prefix(other, db, "abc") == "other-"
    with pytest.raises(UnknownTenant) if before is None else contextlib.nullcontext():
        assert prefix(app, db, "abc") == "old-"
    assert [prefix(each, db, "abc") for each in (app, other, app)] == ["new-", "other-", "new-"]
    assert calls == ["other", "app", "app"]


def test_the_unknown_names_are_bounded(
    make_app: MakeApp, db: dynaflask.Dynamo, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that tries many names does not fill the memory: the oldest names are dropped."""
    monkeypatch.setattr(lookup, "MAX_CACHED_TENANTS", 10)
    app = make_app(region="us-east-1")
    for name in [*(f"name-{number}" for number in range(11)), "name-0", "name-10"]:
        with pytest.raises(UnknownTenant):
            prefix(app, db, name)
    assert calls[11:] == ["name-0"]


def test_an_error_of_the_program_is_not_cached(make_app: MakeApp, db: dynaflask.Dynamo) -> None:
    """The error passes through unchanged, and the next use calls the function again."""
    db.tenant_settings(lambda name: {}[name])
    app = make_app(region="us-east-1")
    with pytest.raises(KeyError, match="abc"):
        prefix(app, db, "abc")
    db.tenant_settings(lambda name: {"table_prefix": "now-"})
    assert prefix(app, db, "abc") == "now-"


def test_the_setting_wins_over_the_function(make_app: MakeApp, db: dynaflask.Dynamo, calls: list[str]) -> None:
    """The function is not called for a tenant of DYNAMODB_TENANTS."""
    app = make_app(region="us-east-1", tenants={"abc": {"table_prefix": "set-"}})
    assert [prefix(app, db, name) for name in ("abc", "xyz")] == ["set-", "xyz-"]
    assert calls == ["xyz"]


def test_without_either_any_name_is_a_tenant(make_app: MakeApp, db: dynaflask.Dynamo) -> None:
    """Without DYNAMODB_TENANTS and a function, each valid name is a tenant without settings."""
    app = make_app(region="us-east-1")
    assert prefix(app, db, "anyone") is None


def test_with_the_setting_alone_other_names_are_unknown(make_app: MakeApp, db: dynaflask.Dynamo) -> None:
    """If only DYNAMODB_TENANTS is set, also to an empty dict, all other names are unknown."""
    with pytest.raises(UnknownTenant):
        prefix(make_app(region="us-east-1", tenants={}), db, "anyone")


@pytest.mark.parametrize("name", ["", "a#b", "*", "a?", "${x}", 'a"b', "a\nb", "a\n", "x" * 257, "\x00", "a%b"])
def test_an_invalid_name_is_unknown(make_app: MakeApp, db: dynaflask.Dynamo, calls: list[str], name: str) -> None:
    """An invalid name is never looked up: it could end a key early, or be a wildcard in an IAM policy."""
    with pytest.raises(UnknownTenant):
        prefix(make_app(region="us-east-1"), db, name)
    assert calls == []


class TestUnknown:
    """``UnknownTenant``: its message, and its response."""

    @pytest.fixture
    def app(self, make_app: MakeApp) -> flask.Flask:
        """An app with one tenant."""
        return make_app("shop", region="us-east-1", tenants={"acme": {}})

    def test_it_says_what_to_do(self, app: flask.Flask, db: dynaflask.Dynamo) -> None:
        """The message says where to add the tenant, and suggests a similar name."""
        for name, hint in (("acmee", " Did you mean 'acme'?"), ("initech", "")):
            with pytest.raises(UnknownTenant) as caught:
                prefix(app, db, name)
            assert str(caught.value) == (
                f"The app 'shop' has no tenant {name!r}.{hint} Add it to DYNAMODB_TENANTS, or return its settings"
                " from @db.tenant_settings."
            )

    def test_it_says_which_names_are_valid(self, app: flask.Flask, db: dynaflask.Dynamo) -> None:
        """The message shows the first characters of an invalid name only."""
        with pytest.raises(UnknownTenant, match=r"at most 256 letters, .* not 'x{79}\.$"):
            prefix(app, db, "x" * 10_000)

    def test_it_names_tenants_of_its_app_only(self, app: flask.Flask, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """The message does not suggest a tenant of another app."""
        other = make_app("mall", region="us-east-1", tenants={"globex": {}})
        with pytest.raises(UnknownTenant, match="'mall' has no tenant 'acme'. Add"):
            prefix(other, db, "acme")
        with pytest.raises(UnknownTenant, match="'shop' has no tenant 'globex'. Add"):
            prefix(app, db, "globex")

    def test_in_a_request_it_is_a_bare_404(self, app: flask.Flask, db: dynaflask.Dynamo) -> None:
        """In a request the response is the same as for an unknown URL."""
        app.add_url_rule("/", view_func=db.tenant("acmee")(lambda: ""))
        answer, other = (app.test_client().get(path) for path in ("/", "/no-such-page"))
        assert (answer.status_code, answer.text) == (404, other.text)

    def test_a_handler_may_show_its_text(self, app: flask.Flask, db: dynaflask.Dynamo) -> None:
        """In a request the text of the error is werkzeug's text for 404."""
        app.add_url_rule("/", view_func=db.tenant("acmee")(lambda: ""))
        app.register_error_handler(404, lambda error: (str(error), 404))
        answer, other = (app.test_client().get(path) for path in ("/", "/no-such-page"))
        assert (answer.status_code, answer.text) == (404, other.text)

    def test_it_can_be_pickled(self, app: flask.Flask, db: dynaflask.Dynamo) -> None:
        """A pickled error keeps tenant, message and status code, and the message is optional."""
        with pytest.raises(UnknownTenant) as caught:
            prefix(app, db, "acmee")
        for copied in (pickle.loads(pickle.dumps(caught.value)), UnknownTenant(*caught.value.args)):  # noqa: S301 - ours
            assert (copied.tenant, str(copied), copied.code) == ("acmee", str(caught.value), 404)
        assert (UnknownTenant("acmee").tenant, UnknownTenant("acmee").code) == ("acmee", 404)


@pytest.mark.parametrize("name", ["acme", "Müller & Söhne".replace("&", "und"), "a.b_c:d/e=f+g-h@i", "42", "x" * 256])
def test_a_value_of_an_sts_tag_is_a_valid_name(make_app: MakeApp, db: dynaflask.Dynamo, name: str) -> None:
    """A name may have letters of any script, digits, spaces and _.:/=+-@."""
    with make_app(region="us-east-1").app_context(), db.tenant(name):
        assert db.current_tenant == name


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"region": 5.5}, r"db.tenant_settings\('abc'\)\['region'\] must be a string"),
        ({"regoin": "us-east-1"}, r"db.tenant_settings\('abc'\) has no setting 'regoin'. Did you mean 'region'"),
        ({"bind_key": "moon"}, r"db.tenant_settings\('abc'\)\['bind_key'\] is 'moon', which is not in DYNAMODB_BINDS"),
        ({"aws_access_key_id": "AKIA"}, r"db.tenant_settings\('abc'\)\['aws_access_key_id'\] is set without"),
        ("eu-west-1", r"db.tenant_settings\('abc'\) must be a dict"),
        ({"table_name": "x"}, "has no setting 'table_name'"),
    ],
)
def test_wrong_settings_of_a_tenant_are_an_error(
    make_app: MakeApp, db: dynaflask.Dynamo, values: t.Any, message: str
) -> None:
    """The message names db.tenant_settings, the tenant and the setting."""
    db.tenant_settings(lambda name: values)
    with pytest.raises(ConfigurationError, match=message):
        prefix(make_app(region="us-east-1"), db, "abc")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"abc": {"region": 5.5}}, r"DYNAMODB_TENANTS\['abc'\]\['region'\] must be a string"),
        ({"abc": {"bind_key": "moon"}}, r"DYNAMODB_TENANTS\['abc'\]\['bind_key'\] is 'moon'"),
        ({"a#b": {}}, r"DYNAMODB_TENANTS\['a#b'\] must have a name of"),
        (["abc"], "DYNAMODB_TENANTS must be a dict of dicts"),
    ],
)
def test_init_app_checks_the_tenants(make_app: MakeApp, value: t.Any, message: str) -> None:
    """A wrong value in DYNAMODB_TENANTS is an error of init_app."""
    with pytest.raises(ConfigurationError, match=message):
        make_app(tenants=value)


def test_a_secret_that_is_wrong_is_not_shown(make_app: MakeApp, db: dynaflask.Dynamo) -> None:
    """The message about a wrong secret shows its type and not its value."""
    db.tenant_settings(lambda name: {"aws_secret_access_key": b"hush"})
    with pytest.raises(ConfigurationError) as caught:
        prefix(make_app(region="us-east-1"), db, "abc")
    assert "hush" not in str(caught.value)


def test_a_role_may_be_named_by_the_app_and_its_session_by_the_tenant(make_app: MakeApp, db: dynaflask.Dynamo) -> None:
    """A tenant may set session_tags for the role of the app."""
    app = make_app(
        region="us-east-1", role_arn="arn:aws:iam::123456789012:role/r", tenants={"a": {"session_tags": {"t": "a"}}}
    )
    with app.app_context(), db.tenant("a"):
        bind = db.connection.bind
        assert (bind.role_arn, dict(bind.session_tags or {})) == ("arn:aws:iam::123456789012:role/r", {"t": "a"})


def test_session_tags_without_a_role_are_an_error(make_app: MakeApp, db: dynaflask.Dynamo) -> None:
    """Tags without any role would restrict nothing."""
    app = make_app(region="us-east-1", tenants={"a": {"session_tags": {"t": "a"}}})
    with app.app_context(), db.tenant("a"), pytest.raises(ConfigurationError, match="session_tags.*without.*role_arn"):
        _ = db.connection


def test_a_computed_prefix_is_computed_each_time(make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
    """A callable table_prefix of a tenant runs at each use."""
    numbers = iter(range(9))
    app = make_app(region="us-east-1", tenants={"a": {"table_prefix": lambda name: f"{next(numbers)}-{name}"}})
    with app.app_context(), db.tenant("a"):
        assert [thread_model.Meta.table_name for _ in range(2)] == ["0-Thread", "1-Thread"]


def test_the_binds_of_tenants_are_bounded(
    make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Above MAX_BINDS the binds of tenants are evicted, and resolved again when needed."""
    monkeypatch.setattr("dynaflask.registry.registry.MAX_BINDS", 3)
    app = make_app(region="us-east-1", tenants={f"t{n}": {"table_prefix": f"{n}-"} for n in range(7)})
    for number in [*range(7), *range(7)]:
        with app.app_context(), db.tenant(f"t{number}"):
            assert thread_model.Meta.table_name == f"{number}-Thread"


class TestLogging:
    """The logger ``dynaflask.tenants`` at DEBUG."""

    @pytest.fixture
    def app(self, make_app: MakeApp, db: dynaflask.Dynamo) -> flask.Flask:
        """An app whose loader returns the tenant of the header, and whose tenants expire at once."""
        db.tenant_loader(lambda: flask.request.headers.get("tenant"))
        db.tenant_settings(lambda name: {"table_prefix": f"{name}-"})
        return make_app("shop", region="us-east-1", tenant_ttl_seconds=EXPIRED_AT_ONCE)

    def use(self, app: flask.Flask, db: dynaflask.Dynamo, **headers: str) -> None:
        """Use the current tenant in a request."""
        with app.test_request_context(headers=headers):
            _ = db.connection

    def test_it_tells_of_look_ups(
        self, app: flask.Flask, db: dynaflask.Dynamo, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A message for each: the result of the loader, a look-up, an expired tenant."""
        caplog.set_level("DEBUG", "dynaflask.tenants")
        self.use(app, db, tenant="abc")
        self.use(app, db, tenant="abc")
        self.use(app, db)
        assert [record.getMessage() for record in caplog.records if record.name == "dynaflask.tenants"] == [
            "The loader of app 'shop' returned the tenant 'abc'",
            "App 'shop' looked up the tenant 'abc'",
            "The loader of app 'shop' returned the tenant 'abc'",
            "The tenant 'abc' has expired in app 'shop'",
            "App 'shop' looked up the tenant 'abc'",
            "The loader of app 'shop' returned the tenant None",
        ]


def test_the_last_known_tenant_is_not_looked_up(make_app: MakeApp, db: dynaflask.Dynamo) -> None:
    """A tenant is known as it was looked up last in this app, also after its time in the cache."""
    names = []
    db.tenant_settings(lambda name: names.append(name) or {"tenant_capacity": 7})
    us, eu = (make_app(name, tenant_ttl_seconds=1e-9) for name in ("us", "eu"))
    with us.app_context(), db.tenant("acme"):
        pass
    looked_up = names.copy()
    assert us.extensions["dynamo"].tenants.last_known("acme").limits == {"tenant_capacity": 7}
    assert eu.extensions["dynamo"].tenants.last_known("acme") is None
    assert names == looked_up
