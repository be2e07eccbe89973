"""Iterators over the items of a query, a scan or a batch get."""

from __future__ import annotations

import typing as t

import flask
import pynamodb.models
import pytest
from pynamodb.attributes import UnicodeAttribute
from pynamodb.pagination import PageIterator
from pynamodb.pagination import ResultIterator

import dynaflask
from dynaflask.model import pages
from dynaflask.model.results import BatchGetAdapter
from dynaflask.model.results import ModelResultIterator
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


@pytest.fixture
def apps(make_app: MakeApp, recorder: recorders.Recorder) -> list[flask.Flask]:
    """Two apps, in two regions, whose requests go to the recorder."""
    return [
        make_app(region, host=recorder.url, region=region, table_prefix=f"{region}-", **KEYS)
        for region in ("us-west-2", "eu-west-1")
    ]


def answer_pages(request: recorders.Request) -> recorders.Answer:
    """Three pages of two items each."""
    page = int(request.body.get("ExclusiveStartKey", {}).get("subject", {}).get("S", "0"))
    items = [{"forum_name": {"S": "forum"}, "subject": {"S": str(page + number)}} for number in (1, 2)]
    more = {"LastEvaluatedKey": items[-1]} if page < 4 else {}
    return {"Items": items, "Count": 2, "ScannedCount": 2, "ConsumedCapacity": {"CapacityUnits": 1}, **more}


@pytest.fixture
def direct_app(make_app: MakeApp, recorder: recorders.Recorder) -> flask.Flask:
    """An app on the direct transport, whose requests get three pages."""
    recorder.answer = answer_pages
    return make_app(host=recorder.url, region="us-east-1", transport="direct", **KEYS)


class TestModelResultIterator:
    """The results of a query or a scan on the direct transport."""

    def test_it_is_a_result_iterator_of_pynamodb(self, direct_app: flask.Flask, thread_model: t.Any) -> None:
        """Code that checks for PynamoDB's iterators accepts ours."""
        with direct_app.app_context():
            for results in (thread_model.query("forum"), thread_model.scan()):
                assert type(results) is ModelResultIterator
                assert isinstance(results, ResultIterator)
                assert isinstance(results.page_iter, PageIterator)

    def test_its_attributes_are_pynamodbs(self, direct_app: flask.Flask, thread_model: t.Any) -> None:
        """The last evaluated key names the last returned item, and the counts cover the fetched pages."""
        with direct_app.app_context():
            results = thread_model.query("forum", limit=3)
            assert (results.last_evaluated_key, results.total_count) == (None, 0)
            assert [thread.subject for thread in results] == ["1", "2", "3"]
            assert results.last_evaluated_key == {"forum_name": {"S": "forum"}, "subject": {"S": "3"}}
            assert (results.total_count, results.page_iter.total_scanned_count) == (4, 4)
            rest = thread_model.query("forum", last_evaluated_key=results.page_iter.last_evaluated_key)
            assert [thread.subject for thread in rest] == ["5", "6"]

    def test_the_last_page_names_no_key(self, direct_app: flask.Flask, thread_model: t.Any) -> None:
        """In the middle of the last page, the key's names come from the table's schema."""
        with direct_app.app_context():
            results = thread_model.query(
                "forum", last_evaluated_key={"forum_name": {"S": "forum"}, "subject": {"S": "4"}}, limit=1
            )
            assert next(results).subject == "5"
            assert results.last_evaluated_key == {"forum_name": {"S": "forum"}, "subject": {"S": "5"}}

    def test_the_rate_limit_stays(
        self, direct_app: flask.Flask, recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """A query with a rate limit asks for the consumed capacity, as in PynamoDB, and waits."""
        with direct_app.app_context():
            assert len(list(thread_model.query("forum", rate_limit=1000, page_size=2))) == 6
        assert {request.body["ReturnConsumedCapacity"] for request in recorder.requests} == {"TOTAL"}
        assert {request.body["Limit"] for request in recorder.requests} == {2}

    def test_a_pynamodb_with_other_names_keeps_its_own_iterator(
        self, direct_app: flask.Flask, thread_model: t.Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """If a private name of PynamoDB is gone, the results are PynamoDB's, and their items the same."""

        def page_request(results: t.Any) -> t.NoReturn:
            raise AttributeError

        monkeypatch.setattr(pages, "page_request", page_request)
        with direct_app.app_context():
            results = thread_model.query("forum")
            assert type(results) is ResultIterator
            assert [thread.subject for thread in results] == ["1", "2", "3", "4", "5", "6"]


class TestBatchGet:
    """``batch_get`` reads every page from the destination that it was called for."""

    KEYS: t.ClassVar = [("forum", str(number)) for number in range(150)]

    def test_pages_are_fetched_lazily(
        self, apps: list[flask.Flask], recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """A page of 100 items is fetched when its first item is needed."""
        with apps[0].app_context():
            items = thread_model.batch_get(self.KEYS)
            assert recorder.requests == []
            first = next(items)
            assert len(recorder.requests) == 1
            assert sorted(thread.subject for thread in [first, *items]) == sorted(subject for _, subject in self.KEYS)
            assert len(recorder.requests) == 2

    def test_a_pynamodb_without_the_private_method(
        self, apps: list[flask.Flask], recorder: recorders.Recorder, thread_model: t.Any, monkeypatch: t.Any
    ) -> None:
        """A PynamoDB that does not call ``_batch_get_page`` gives the same items, one by one."""
        monkeypatch.delattr(BatchGetAdapter, "_batch_get_page")
        with apps[0].app_context():
            assert len(list(thread_model.batch_get(self.KEYS))) == len(self.KEYS)

    def test_a_response_without_the_table_is_pynamodbs_error(
        self, apps: list[flask.Flask], recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """A response that does not name the table raises PynamoDB's TypeError."""
        recorder.answer = lambda request: {"Responses": {}, "UnprocessedKeys": {}}
        with apps[0].app_context(), pytest.raises(TypeError, match="'NoneType' object is not iterable"):
            list(thread_model.batch_get(self.KEYS))

    def test_it_continues_only_in_its_own_context(
        self, apps: list[flask.Flask], recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """In another app's context, the next step raises an error, and no request is sent."""
        with apps[0].app_context():
            items = thread_model.batch_get(self.KEYS)
            next(items)
            with apps[1].app_context(), pytest.raises(RuntimeError, match="begun in .* context of 'us-west-2'"):
                list(items)
        assert [request.region for request in recorder.requests] == ["us-west-2"]

    def test_a_users_attribute_runs_in_the_scope_of_the_call(
        self, apps: list[flask.Flask], recorder: recorders.Recorder, db: dynaflask.Dynamo
    ) -> None:
        """An attribute that reads ``Meta`` sees the scope that ``batch_get`` was called in, for every item."""

        class RegionAttribute(UnicodeAttribute):
            def deserialize(self, value: str) -> str:
                return f"{value} from {Post.Meta.region}"

        class Post(db.Model):  # type: ignore[name-defined,misc]
            class Meta:
                table_name = "Post"

            key = RegionAttribute(hash_key=True)

        with apps[0].app_context():
            with db.using(region="sa-east-1"):
                items = Post.batch_get(["1", "2"])
            with db.using(region="eu-north-1"):
                assert sorted(post.key for post in items) == ["1 from sa-east-1", "2 from sa-east-1"]

    def test_a_users_from_raw_data_is_called(
        self, apps: list[flask.Flask], recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """A model's own ``from_raw_data`` makes each object, in the scope of the call."""

        class Raw(thread_model):  # type: ignore[misc]
            @classmethod
            def from_raw_data(cls, data: t.Any) -> t.Any:
                return data["subject"]["S"], cls.Meta.region

        for app in apps:
            with app.app_context():
                assert list(Raw.batch_get([("forum", "one")])) == [("one", app.name)]

    def test_a_batch_get_of_a_later_base_is_called(
        self, apps: list[flask.Flask], recorder: recorders.Recorder, db: dynaflask.Dynamo
    ) -> None:
        """An override in a base after db.Model gets the model as ``cls``, and runs in the scope of the call."""

        class Named(pynamodb.models.Model):
            @classmethod
            def batch_get(cls, *args: t.Any, **kwargs: t.Any) -> t.Any:
                for item in super().batch_get(*args, **kwargs):
                    yield cls.__name__, item.key

        class Post(db.Model, Named):  # type: ignore[name-defined,misc]
            class Meta:
                table_name = "Post"

            key = UnicodeAttribute(hash_key=True)

        with apps[0].app_context():
            with db.using(region="sa-east-1"):
                items = Post.batch_get(["1"])
            assert list(items) == [("Post", "1")]
        assert [request.region for request in recorder.requests] == ["sa-east-1"]
