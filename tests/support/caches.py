"""What libraries read and compile again for each app or client, kept for all tests of the process."""

from __future__ import annotations

import functools
import typing as t

import botocore.session
import flask
import jinja2
from jinja2.bccache import Bucket


class Templates(jinja2.BytecodeCache):
    """Compiled templates by name, file and source. Flask-Admin's take longer to compile than its pages to render."""

    def __init__(self) -> None:
        self._code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill the bucket of a template, if it has been compiled."""
        if bucket.key in self._code:
            bucket.bytecode_from_string(self._code[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep a compiled template."""
        self._code[bucket.key] = bucket.bytecode_to_string()


TEMPLATES: t.Final = Templates()


def share() -> None:
    """Share compiled templates between apps, and botocore's data files between sessions that have the same path."""
    flask.Flask.jinja_options = {"bytecode_cache": TEMPLATES}
    # PynamoDB makes a session for each model, which reads half a megabyte of JSON for its client.
    botocore.session.create_loader = functools.cache(botocore.session.create_loader)
