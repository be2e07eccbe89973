"""The JSON API of a site. The code names no site: the current app decides which one serves the request."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import re
import typing as t

from flask import Flask
from flask import Response
from flask import abort
from flask_restx import Api
from flask_restx import Namespace
from flask_restx import Resource
from flask_restx import inputs

from dynaflask import ConditionFailed
from dynaflask import InvalidBody
from dynaflask.integrations import flask_restx as restx
from dynaflask.views import load_item
from examples.forum.models import Thread

# A name is part of a URL path, so it contains no slash.
NAME = re.compile(r"[^/\x00-\x1f\x7f\ud800-\udfff]{1,100}")
FORUM = "/threads/<string(maxlength=100):forum_name>"
THREAD = f"{FORUM}/<string(maxlength=100):subject>"
LIMIT = 100

# For the decorators only. Added to an app, a namespace would keep that app in memory.
forum = Namespace("forum")
thread = restx.model_of(forum, Thread)
NEW_FIELDS = ("forum_name", "subject")
new_thread = restx.model_of(forum, Thread, name="NewThread", only=NEW_FIELDS)
by_views = forum.parser()
by_views.add_argument("views", location="args", required=True, type=inputs.int_range(0, 10**18), help="number of views")


class Threads(Resource):
    """All threads."""

    @forum.expect(new_thread, validate=True)
    @forum.response(409, "The thread already exists.")
    @forum.marshal_with(thread, code=201)
    def post(self) -> tuple[Thread, int, dict[str, str]]:
        """Create a thread."""
        added = add_thread(self.api.payload)
        address = self.api.url_for(OneThread, forum_name=added.forum_name, subject=added.subject)
        return added, 201, {"Location": address}

    @forum.expect(by_views)
    @forum.marshal_list_with(thread)
    def get(self) -> list[Thread]:
        """The first 100 threads with this number of views."""
        return list(Thread.view_index.query(by_views.parse_args().views, limit=LIMIT))


class Forum(Resource):
    """The threads of a forum."""

    @forum.marshal_list_with(thread)
    def get(self, forum_name: str) -> list[Thread]:
        """The first 100 threads of a forum, by subject."""
        return list(Thread.query(forum_name, limit=LIMIT))


@forum.response(404, "There is no such thread.")
class OneThread(Resource):
    """A thread."""

    @forum.marshal_with(thread)
    def get(self, forum_name: str, subject: str) -> Thread:
        """A thread."""
        return Thread.get_or_404(forum_name, subject, description="There is no such thread.")

    @forum.response(204, "The thread is deleted.")
    def delete(self, forum_name: str, subject: str) -> Response:
        """Delete a thread."""
        with abort_unless_met(404, "There is no such thread."):
            Thread(forum_name, subject).delete(condition=Thread.subject.exists())
        return Response(status=204)


@forum.response(404, "There is no such thread.")
class Views(Resource):
    """The number of views of a thread."""

    @forum.marshal_with(thread)
    def post(self, forum_name: str, subject: str) -> Thread:
        """Count a view of a thread. Concurrent views are all counted."""
        viewed = Thread(forum_name, subject)
        with abort_unless_met(404, "There is no such thread."):
            viewed.update([Thread.views.add(1)], condition=Thread.subject.exists())
        return viewed


def add_api(app: Flask) -> None:
    """Add the API to an app, with its Swagger page at the app's root."""
    api = Api(app, title=app.config["FORUM_TITLE"], description="Threads and their views.")
    # A busy or unreachable database is a 503, and no fault of the forum.
    restx.pass_errors_on(api)
    for name, model in forum.models.items():
        api.add_model(name, model)
    for resource, address in ((Threads, "/threads"), (Forum, FORUM), (OneThread, THREAD), (Views, f"{THREAD}/views")):
        api.add_resource(resource, address)


def add_thread(fields: cabc.Mapping[str, t.Any]) -> Thread:
    """Create a thread in the current app. A wrong field is a 400, an existing thread a 409."""
    added = load_item(Thread, fields, only=NEW_FIELDS)
    added.forum_name, added.subject = _name("forum_name", added.forum_name), _name("subject", added.subject)
    with abort_unless_met(409, "The thread already exists. Choose another subject."):
        added.save(Thread.subject.does_not_exist())
    return added


@contextlib.contextmanager
def abort_unless_met(status: int, message: str) -> cabc.Iterator[None]:
    """Abort with this status if the condition of the block's write is not met."""
    try:
        yield
    except ConditionFailed:
        abort(status, message)


def _name(field: str, text: str) -> str:
    name = text.strip()
    if not NAME.fullmatch(name):
        raise InvalidBody({field: "The value must be one line of 1 to 100 characters, without a slash."})
    return name
