"""The keys of a batch get: the requests, pages and errors of PynamoDB, in fewer steps."""

from __future__ import annotations

import typing as t
from unittest import mock

import flask
import pytest
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.attributes import UTCDateTimeAttribute
from pynamodb.models import Model

import dynaflask
from dynaflask.model import batch_keys
from tests.support import recorder as recorders
from tests.support.comparing import outcome
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


class Upper(UnicodeAttribute):
    """Overrides the conversion, and refuses some values."""

    def serialize(self, value: t.Any) -> t.Any:
        if value == "refused":
            raise ValueError(value)
        return value.upper()


def declare(base: t.Any, **meta: t.Any) -> list[t.Any]:
    """Models with each form of keys: texts, numbers, other types, an override, and one key alone."""
    keys = {
        "texts": (UnicodeAttribute(hash_key=True), UnicodeAttribute(range_key=True)),
        "numbers": (NumberAttribute(hash_key=True), NumberAttribute(range_key=True, attr_name="n")),
        "mixed": (UnicodeAttribute(hash_key=True), UTCDateTimeAttribute(range_key=True)),
        "upper": (Upper(hash_key=True), Upper(range_key=True)),
        "one text": (UnicodeAttribute(hash_key=True, attr_name="k"),),
        "one number": (NumberAttribute(hash_key=True),),
        "one upper": (Upper(hash_key=True),),
    }
    names = ("hash", "range")
    body = {"Meta": type("Meta", (), {"table_name": "Table", **meta}), "__module__": __name__}
    return [type(base)("Item", (base,), {**body, **dict(zip(names, pair, strict=False))}) for pair in keys.values()]


BATCHES: dict[str, t.Any] = {
    "pairs": lambda: [("a", "b"), ("a", "c"), ("a", "b")],
    "an iterator": lambda: iter([("a", "b")]),
    "three pages": lambda: [("a", f"{number}") for number in range(201)],
    "texts": lambda: ["ab", "ab"],
    "a letter": lambda: ["c"],
    "numbers": lambda: [1, 2.5, 1],
    "pairs of numbers": lambda: [(1, 2), (3, -4.50)],
    # On one page: which of two has the text depends on the order of a set.
    "texts and pairs": lambda: [*(("a", f"{number}") for number in range(20)), "ab"],
    "triples": lambda: [("a", "b", "c")],
    "pairs in another type": lambda: [frozenset({"a", "b"})],
    "half a pair": lambda: [("a", None)],
    "no pair": lambda: [("a",)],
    "none": lambda: [None],
    "refused": lambda: [("a", "refused")],
    "refused alone": lambda: ["refused"],
    "nothing": list,
    "lists": lambda: [["a", "b"]],
    "no iterable": lambda: 3,
}


def answer(request: recorders.Request) -> recorders.Answer:
    """Leaves the last of several keys unprocessed."""
    (table,) = request.body["RequestItems"]
    keys = request.body["RequestItems"][table]["Keys"]
    done, rest = (keys[:-1], keys[-1:]) if len(keys) > 1 else (keys, [])
    unprocessed = {table: {"Keys": rest}} if rest else {}
    return {"Responses": {table: done}, "UnprocessedKeys": unprocessed}


def sent(recorder: recorders.Recorder) -> list[t.Any]:
    """What was sent since the last look, with the keys of a request in order."""
    bodies = []
    for request in recorder.requests:
        ((table, content),) = request.body["RequestItems"].items()
        bodies.append((table, {**content, "Keys": sorted(map(repr, content["Keys"]))}))
    recorder.requests.clear()
    # Which keys are on which page depends on the order of a set: compare the sizes of the pages, and all keys.
    sizes = [len(content["Keys"]) for _, content in bodies]
    keys = sorted({key for _, content in bodies for key in content["Keys"]})
    return [sizes, keys, [(table, sorted(content)) for table, content in bodies]]


def both(db: dynaflask.Dynamo, recorder: recorders.Recorder) -> tuple[list[t.Any], list[t.Any]]:
    """The models of an extension, and those of PynamoDB alone."""
    return declare(db.Model), declare(Model, host=recorder.url, region="us-east-1", **KEYS)


def read(recorder: recorders.Recorder, model: t.Any, *arguments: t.Any, **options: t.Any) -> t.Any:
    """The items or the error of a batch get, and what was sent."""
    result = outcome(lambda: {str(item.attribute_values) for item in model.batch_get(*arguments, **options)})
    return result, sent(recorder)


@pytest.fixture
def apps(make_app: MakeApp, recorder: recorders.Recorder) -> list[flask.Flask]:
    """Two apps, whose tenants have a table each."""
    recorder.answer = answer
    tenants = {name: {"table_prefix": f"{name}-"} for name in ("acme", "globex")}
    return [
        make_app(region, host=recorder.url, region=region, tenants=tenants, **KEYS)
        for region in ("us-east-1", "eu-west-1")
    ]


@pytest.mark.parametrize("batch", BATCHES)
def test_it_does_what_pynamodb_does(
    apps: list[flask.Flask], recorder: recorders.Recorder, db: dynaflask.Dynamo, batch: str
) -> None:
    """Each batch gives the items, the requests and the error of PynamoDB, whatever the keys of the model are."""
    with apps[0].app_context():
        for ours, theirs in zip(*both(db, recorder), strict=True):
            assert read(recorder, ours, BATCHES[batch]()) == read(recorder, theirs, BATCHES[batch]())


@pytest.mark.parametrize(
    "options",
    [{"consistent_read": True}, {"consistent_read": "yes"}, {"attributes_to_get": ["hash"]}, {"bogus": 1}],
    ids=str,
)
def test_its_options_are_pynamodbs(
    apps: list[flask.Flask], recorder: recorders.Recorder, db: dynaflask.Dynamo, options: dict[str, t.Any]
) -> None:
    """Options are sent as PynamoDB sends them, and a wrong one is its error."""
    with apps[0].app_context():
        ours, theirs = (models[0] for models in both(db, recorder))
        assert read(recorder, ours, [("a", "b")], **options) == read(recorder, theirs, [("a", "b")], **options)
        assert read(recorder, ours) == read(recorder, theirs)


def test_a_page_is_sent_before_the_next_is_serialized(
    apps: list[flask.Flask], recorder: recorders.Recorder, db: dynaflask.Dynamo
) -> None:
    """A key of the second page that is refused does not lose the first page."""
    refused = [*(f"{number}" for number in range(100)), "refused"]
    with apps[0].app_context():
        model = both(db, recorder)[0][-1]
        with mock.patch.object(batch_keys, "set", lambda items: items, create=True):
            items = model.batch_get(refused)
            assert len([next(items) for _ in range(100)]) == 100
            with pytest.raises(ValueError, match="refused"):
                next(items)


def test_keys_are_those_of_the_app_and_tenant_of_the_call(
    apps: list[flask.Flask], recorder: recorders.Recorder, db: dynaflask.Dynamo
) -> None:
    """A ``TenantKey`` is serialized for the tenant of the call, in each app, also if another block reads the items."""

    class Post(db.Model):  # type: ignore[name-defined,misc]
        class Meta:
            table_name = "Post"

        id = dynaflask.TenantKey(hash_key=True)
        number = UnicodeAttribute(range_key=True)

    for app in apps:
        with app.app_context():
            for tenant, other in (("acme", "globex"), ("globex", "acme")):
                with db.tenant(tenant):
                    posts = Post.batch_get([("1", f"{number}") for number in range(150)])
                with db.tenant(other):
                    assert {post.id for post in posts} == {"1"}
                requests = [(request.region, request.body["RequestItems"]) for request in recorder.requests]
                recorder.requests.clear()
                assert {region for region, _ in requests} == {app.config["DYNAMODB_REGION"]}
                assert {table for _, items in requests for table in items} == {f"{tenant}-Post"}
                keys = [key for _, items in requests for key in items[f"{tenant}-Post"]["Keys"]]
                assert {key["id"]["S"] for key in keys} == {f"{tenant}#1"}


def test_an_override_of_the_model_serializes_its_keys(
    apps: list[flask.Flask], recorder: recorders.Recorder, thread_model: t.Any
) -> None:
    """A model that overrides PynamoDB's method gets each key."""

    class Shouting(thread_model):  # type: ignore[misc]
        @classmethod
        def _serialize_keys(cls, hash_key: str, range_key: str | None = None) -> t.Any:
            return f"{hash_key}!", f"{range_key}!"

    with apps[0].app_context():
        list(Shouting.batch_get([("a", "b")]))
    (request,) = recorder.requests
    assert request.body["RequestItems"]["Thread"]["Keys"] == [{"forum_name": {"S": "a!"}, "subject": {"S": "b!"}}]


def test_a_model_without_a_hash_key_is_pynamodbs_error(
    apps: list[flask.Flask], recorder: recorders.Recorder, db: dynaflask.Dynamo
) -> None:
    """A model without keys raises what PynamoDB raises, and sends nothing."""
    bodies = [{"Meta": type("Meta", (), {"table_name": "T", **meta})} for meta in ({}, {"region": "us-east-1"})]
    bases: tuple[t.Any, ...] = (db.Model, Model)
    ours, theirs = (type(base)("Item", (base,), body) for base, body in zip(bases, bodies, strict=True))
    with apps[0].app_context():
        assert read(recorder, ours, ["a"]) == read(recorder, theirs, ["a"])


def test_a_pynamodb_with_other_names_serializes_the_keys(
    apps: list[flask.Flask], recorder: recorders.Recorder, thread_model: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a private name of PynamoDB is gone, PynamoDB serializes the keys, and the items are the same."""
    monkeypatch.setattr(batch_keys, "BATCH_GET_PAGE", None)
    with apps[0].app_context():
        assert [thread.subject for thread in thread_model.batch_get([("forum", "one")])] == ["one"]
