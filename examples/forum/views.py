"""The JSON API of a site. No line of it says which site: the app that serves the request does."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import re
import typing as t

from flask import Blueprint
from flask import abort
from flask import request
from flask import url_for
from pynamodb.exceptions import DeleteError
from pynamodb.exceptions import PutError
from pynamodb.exceptions import UpdateError

from examples.forum.models import Thread

Item = dict[str, t.Any]

# A name is part of an address, so that it has no slash.
NAME = re.compile(r"[^/\x00-\x1f\x7f\ud800-\udfff]{1,100}")
FORUM = "/threads/<string(maxlength=100):forum_name>"
THREAD = f"{FORUM}/<string(maxlength=100):subject>"
MOST = 100

threads = Blueprint("threads", __name__)


@threads.post("/threads")
def create() -> tuple[Item, int, dict[str, str]]:
    """Create a thread from ``{"forum_name": ..., "subject": ...}``; 409 if there is one."""
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        abort(400, "The body must be a JSON object with forum_name and subject.")
    thread = add_thread(body)
    address = url_for(".read", forum_name=thread.forum_name, subject=thread.subject)
    return thread.to_simple_dict(), 201, {"Location": address}


@threads.get("/threads")
def list_by_views() -> list[Item]:
    """The threads that were viewed ``?views=`` times, the first 100 of them."""
    views = request.args.get("views", "")
    if not re.fullmatch("[0-9]{1,18}", views):
        abort(400, "views must be a whole number: /threads?views=0")
    return [thread.to_simple_dict() for thread in Thread.view_index.query(int(views), limit=MOST)]


@threads.get(FORUM)
def list_forum(forum_name: str) -> list[Item]:
    """The threads of a forum by subject, the first 100 of them."""
    return [thread.to_simple_dict() for thread in Thread.query(forum_name, limit=MOST)]


@threads.get(THREAD)
def read(forum_name: str, subject: str) -> Item:
    """A thread, or 404."""
    try:
        return Thread.get(forum_name, subject).to_simple_dict()
    except Thread.DoesNotExist:
        abort(404, "There is no such thread.")


@threads.post(f"{THREAD}/views")
def view(forum_name: str, subject: str) -> Item:
    """Count a view of a thread, or 404. However many come at once, each is counted."""
    thread = Thread(forum_name, subject)
    with abort_unless_met(404, "There is no such thread."):
        thread.update([Thread.views.add(1)], condition=Thread.subject.exists())
    return thread.to_simple_dict()


@threads.delete(THREAD)
def delete(forum_name: str, subject: str) -> tuple[str, int]:
    """Delete a thread, or 404."""
    with abort_unless_met(404, "There is no such thread."):
        Thread(forum_name, subject).delete(condition=Thread.subject.exists())
    return "", 204


def add_thread(fields: cabc.Mapping[str, t.Any]) -> Thread:
    """Create a thread in the current app; 400 if a field is wrong, 409 if there is such a thread."""
    thread = Thread(_name(fields, "forum_name"), _name(fields, "subject"))
    with abort_unless_met(409, "There is such a thread already: choose another subject."):
        thread.save(Thread.subject.does_not_exist())
    return thread


@contextlib.contextmanager
def abort_unless_met(status: int, message: str) -> cabc.Iterator[None]:
    """Answer with this status if the condition of the write in the block is not met."""
    try:
        yield
    except (PutError, UpdateError, DeleteError) as error:
        if error.cause_response_code != "ConditionalCheckFailedException":
            raise
        abort(status, message)


def _name(fields: cabc.Mapping[str, t.Any], field: str) -> str:
    value = fields.get(field)
    name = value.strip() if isinstance(value, str) else ""
    if not NAME.fullmatch(name):
        abort(400, f"{field} must be one line of 1 to 100 characters, without a slash.")
    return name
