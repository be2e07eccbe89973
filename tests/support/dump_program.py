"""Dump the table ``Thing`` and die on the way: ``dump_program.py PATH PAGES SETTINGS``.

The settings are JSON. After PAGES pages the process kills itself with SIGKILL, between a page's items and its state.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import typing as t

import flask
from pynamodb.attributes import NumberAttribute

import dynaflask
from dynaflask.tables import partial_dump
from dynaflask.tables.dump import dump
from tests.support import default_transport

default_transport.apply()
db = dynaflask.Dynamo()


class Thing(db.Model):  # type: ignore[name-defined,misc]
    """An item with a number."""

    class Meta:
        """The table."""

        table_name = "Thing"

    number = NumberAttribute(hash_key=True)


def main(path: str, pages: str, settings: str) -> None:
    """Start a dump that kills the process."""
    pages_left = int(pages)
    write_state = partial_dump.write_safely

    def write_and_die(*arguments: t.Any) -> None:
        nonlocal pages_left
        pages_left -= 1
        if pages_left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        write_state(*arguments)

    partial_dump.write_safely = write_and_die
    app = flask.Flask(__name__)
    app.config.from_mapping(json.loads(settings))
    db.init_app(app)
    with app.app_context():
        dump(db.registry, Thing, path, segments=3)


if __name__ == "__main__":
    main(*sys.argv[1:])
