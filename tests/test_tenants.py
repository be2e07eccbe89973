"""One app's tenants: what each changes, looked up once and kept for a time."""

from __future__ import annotations

import concurrent.futures
import pickle
import threading
import typing as t

import flask
import pytest

import dynaflask
from dynaflask import ConfigurationError
from dynaflask import UnknownTenant
from dynaflask import tenants
from tests.support.settings import MakeApp

AT_ONCE = 1e-9


def prefix(app: flask.Flask, db: dynaflask.Dynamo, name: str) -> t.Any:
    """The table prefix of a tenant, in a context of its own."""
    with app.app_context(), db.tenant(name):
        return db.connection.bind.table_prefix


@pytest.fixture
def calls(db: dynaflask.Dynamo) -> list[str]:
    """The names that the program was asked for. Each tenant has its name as its prefix, and is one of three letters."""
    asked: list[str] = []

    @db.tenant_settings
    def look_up(name: str) -> dict[str, t.Any] | None:
        asked.append(name)
        return {"table_prefix": f"{name}-"} if len(name) == 3 else None

    return asked


def test_a_tenant_is_looked_up_once(make_app: MakeApp, db: dynaflask.Dynamo, calls: list[str]) -> None:
    """What it changes is kept for other contexts."""
    app = make_app(region="us-east-1")
    assert [prefix(app, db, name) for name in ("abc", "xyz", "abc")] == ["abc-", "xyz-", "abc-"]
    assert calls == ["abc", "xyz"]


def test_a_tenant_is_looked_up_again_after_its_time(make_app: MakeApp, db: dynaflask.Dynamo, calls: list[str]) -> None:
    """So that a change of it is seen."""
    app = make_app(region="us-east-1", tenant_ttl_seconds=AT_ONCE)
    assert [prefix(app, db, "abc") for _ in range(2)] == ["abc-", "abc-"]
    assert calls == ["abc", "abc"]


def test_a_change_is_seen_by_the_next_context(make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
    """The one that is under way goes on as it began."""
    answers = iter([{"table_prefix": "old-"}, {"table_prefix": "new-"}])
    db.tenant_settings(lambda name: next(answers))
    app = make_app(region="us-east-1", tenant_ttl_seconds=AT_ONCE)
    with app.app_context(), db.tenant("abc"):
        assert thread_model.Meta.table_name == "old-Thread"
        with app.app_context(), db.tenant("abc"):
            assert thread_model.Meta.table_name == "new-Thread"
        assert thread_model.Meta.table_name == "old-Thread"


def test_many_threads_look_a_tenant_up_once(make_app: MakeApp, db: dynaflask.Dynamo) -> None:
    """One asks the program while the others wait, and nobody waits for another tenant."""
    is_asked, may_answer, asked = threading.Event(), threading.Event(), []

    @db.tenant_settings
    def look_up(name: str) -> dict[str, t.Any]:
        asked.append(name)
        if name == "slow":
            is_asked.set()
            assert may_answer.wait(30)
        return {"table_prefix": f"{name}-"}

    app = make_app(region="us-east-1")
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        slow = [threads.submit(prefix, app, db, "slow") for _ in range(7)]
        assert is_asked.wait(30)
        assert threads.submit(prefix, app, db, "fast").result(30) == "fast-"
        may_answer.set()
        assert {found.result(30) for found in slow} == {"slow-"}
    assert sorted(asked) == ["fast", "slow"]


def test_what_is_kept_is_bounded(
    make_app: MakeApp, db: dynaflask.Dynamo, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that were looked up the longest ago are forgotten."""
    monkeypatch.setattr(tenants, "MAX_TENANTS", 10)
    app = make_app(region="us-east-1")
    names = [f"t{number:02}" for number in range(11)]
    for name in [*names, *names[2:]]:
        prefix(app, db, name)
    assert calls == names
    prefix(app, db, names[0])
    assert calls == [*names, names[0]]


def test_an_unknown_tenant_is_asked_for_each_time(make_app: MakeApp, db: dynaflask.Dynamo, calls: list[str]) -> None:
    """It may have signed up meanwhile."""
    app = make_app(region="us-east-1")
    for _ in range(2):
        with pytest.raises(UnknownTenant):
            prefix(app, db, "nobody")
    assert calls == ["nobody", "nobody"]


def test_what_the_program_raises_is_not_kept(make_app: MakeApp, db: dynaflask.Dynamo) -> None:
    """The error is the program's own."""
    db.tenant_settings(lambda name: {}[name])
    app = make_app(region="us-east-1")
    with pytest.raises(KeyError, match="abc"):
        prefix(app, db, "abc")
    db.tenant_settings(lambda name: {"table_prefix": "now-"})
    assert prefix(app, db, "abc") == "now-"


def test_the_setting_is_asked_before_the_program(make_app: MakeApp, db: dynaflask.Dynamo, calls: list[str]) -> None:
    """A tenant that is in both is as the setting says."""
    app = make_app(region="us-east-1", tenants={"abc": {"table_prefix": "set-"}})
    assert [prefix(app, db, name) for name in ("abc", "xyz")] == ["set-", "xyz-"]
    assert calls == ["xyz"]


def test_without_either_any_name_is_a_tenant(make_app: MakeApp, db: dynaflask.Dynamo) -> None:
    """One that changes nothing: a pool needs no more."""
    app = make_app(region="us-east-1")
    assert prefix(app, db, "whoever") is None


def test_with_the_setting_alone_other_names_are_unknown(make_app: MakeApp, db: dynaflask.Dynamo) -> None:
    """An empty setting knows nobody."""
    with pytest.raises(UnknownTenant):
        prefix(make_app(region="us-east-1", tenants={}), db, "whoever")


@pytest.mark.parametrize("name", ["", "a#b", "*", "a?", "${x}", 'a"b', "a\nb", "a\n", "x" * 257, "\x00", "a%b"])
def test_what_may_not_be_a_name_is_unknown(
    make_app: MakeApp, db: dynaflask.Dynamo, calls: list[str], name: str
) -> None:
    """The program is not even asked: no name can end a key early, or be a wildcard in a policy."""
    with pytest.raises(UnknownTenant):
        prefix(make_app(region="us-east-1"), db, name)
    assert calls == []


class TestUnknown:
    """What the error of an unknown tenant says, and to whom."""

    @pytest.fixture
    def app(self, make_app: MakeApp) -> flask.Flask:
        """An app of one tenant."""
        return make_app("shop", region="us-east-1", tenants={"acme": {}})

    def test_it_says_what_to_do(self, app: flask.Flask, db: dynaflask.Dynamo) -> None:
        """With the name that was meant, if it was misspelt."""
        for name, hint in (("acmee", " Did you mean 'acme'?"), ("initech", "")):
            with pytest.raises(UnknownTenant) as caught:
                prefix(app, db, name)
            assert str(caught.value) == (
                f"The app 'shop' has no tenant {name!r}.{hint} Add it to DYNAMODB_TENANTS, or return its settings"
                " from @db.tenant_settings."
            )

    def test_it_says_what_may_be_a_name(self, app: flask.Flask, db: dynaflask.Dynamo) -> None:
        """Of one that may not be one it shows no more than its beginning."""
        with pytest.raises(UnknownTenant, match=r"at most 256 letters, .* not 'x{79}\.$"):
            prefix(app, db, "x" * 10_000)

    def test_each_app_speaks_for_itself(self, app: flask.Flask, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """Neither offers a tenant of the other."""
        other = make_app("mall", region="us-east-1", tenants={"globex": {}})
        with pytest.raises(UnknownTenant, match="'mall' has no tenant 'acme'. Add"):
            prefix(other, db, "acme")
        with pytest.raises(UnknownTenant, match="'shop' has no tenant 'globex'. Add"):
            prefix(app, db, "globex")

    def test_in_a_request_it_is_a_bare_404(self, app: flask.Flask, db: dynaflask.Dynamo) -> None:
        """With the page of any other."""
        app.add_url_rule("/", view_func=db.tenant("acmee")(lambda: ""))
        answer, other = (app.test_client().get(path) for path in ("/", "/no-such-page"))
        assert (answer.status_code, answer.text) == (404, other.text)

    def test_a_handler_may_show_its_text(self, app: flask.Flask, db: dynaflask.Dynamo) -> None:
        """As Flask's documentation has it, and as werkzeug words it."""
        app.add_url_rule("/", view_func=db.tenant("acmee")(lambda: ""))
        app.register_error_handler(404, lambda error: (str(error), 404))
        answer, other = (app.test_client().get(path) for path in ("/", "/no-such-page"))
        assert (answer.status_code, answer.text) == (404, other.text)

    def test_it_can_be_taken_to_another_process(self, app: flask.Flask, db: dynaflask.Dynamo) -> None:
        """With its name and its text; as it has always been made, too."""
        with pytest.raises(UnknownTenant) as caught:
            prefix(app, db, "acmee")
        for copied in (pickle.loads(pickle.dumps(caught.value)), UnknownTenant(*caught.value.args)):  # noqa: S301 - ours
            assert (copied.tenant, str(copied), copied.code) == ("acmee", str(caught.value), 404)
        assert (UnknownTenant("acmee").tenant, UnknownTenant("acmee").code) == ("acmee", 404)


@pytest.mark.parametrize("name", ["acme", "Müller & Söhne".replace("&", "und"), "a.b_c:d/e=f+g-h@i", "42", "x" * 256])
def test_what_sts_takes_as_a_tag_may_be_a_name(make_app: MakeApp, db: dynaflask.Dynamo, name: str) -> None:
    """Letters of any script, digits, spaces and a few signs."""
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
def test_a_wrong_answer_names_tenant_and_key(
    make_app: MakeApp, db: dynaflask.Dynamo, values: t.Any, message: str
) -> None:
    """As a wrong setting does."""
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
def test_a_wrong_setting_is_refused_by_init_app(make_app: MakeApp, value: t.Any, message: str) -> None:
    """Before any request."""
    with pytest.raises(ConfigurationError, match=message):
        make_app(tenants=value)


def test_a_secret_that_is_wrong_is_not_shown(make_app: MakeApp, db: dynaflask.Dynamo) -> None:
    """By its type alone."""
    db.tenant_settings(lambda name: {"aws_secret_access_key": b"hush"})
    with pytest.raises(ConfigurationError) as caught:
        prefix(make_app(region="us-east-1"), db, "abc")
    assert "hush" not in str(caught.value)


def test_a_role_may_be_named_by_the_app_and_its_session_by_the_tenant(make_app: MakeApp, db: dynaflask.Dynamo) -> None:
    """One role for all, with tags of each tenant's own."""
    app = make_app(
        region="us-east-1", role_arn="arn:aws:iam::123456789012:role/r", tenants={"a": {"session_tags": {"t": "a"}}}
    )
    with app.app_context(), db.tenant("a"):
        bind = db.connection.bind
        assert (bind.role_arn, dict(bind.session_tags or {})) == ("arn:aws:iam::123456789012:role/r", {"t": "a"})


def test_a_session_without_a_role_is_refused(make_app: MakeApp, db: dynaflask.Dynamo) -> None:
    """It would be nobody's, and its limits nobody's limits."""
    app = make_app(region="us-east-1", tenants={"a": {"session_tags": {"t": "a"}}})
    with app.app_context(), db.tenant("a"), pytest.raises(ConfigurationError, match="session_tags.*without.*role_arn"):
        _ = db.connection


def test_a_computed_prefix_is_computed_each_time(make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
    """As of any bind."""
    numbers = iter(range(9))
    app = make_app(region="us-east-1", tenants={"a": {"table_prefix": lambda name: f"{next(numbers)}-{name}"}})
    with app.app_context(), db.tenant("a"):
        assert [thread_model.Meta.table_name for _ in range(2)] == ["0-Thread", "1-Thread"]


def test_the_repr_shows_the_name_alone() -> None:
    """What a tenant changes may be a secret."""
    assert repr(tenants.Tenant("acme", {"aws_secret_access_key": "hush"})) == "<Tenant 'acme'>"


def test_what_is_resolved_for_tenants_is_bounded(
    make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is forgotten is worked out anew, and right."""
    monkeypatch.setattr("dynaflask.registry.registry.MAX_BINDS", 3)
    app = make_app(region="us-east-1", tenants={f"t{n}": {"table_prefix": f"{n}-"} for n in range(7)})
    for number in [*range(7), *range(7)]:
        with app.app_context(), db.tenant(f"t{number}"):
            assert thread_model.Meta.table_name == f"{number}-Thread"
