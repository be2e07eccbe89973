"""Dumps the table ``Thing``, and is killed in the middle: ``dump_program.py PATH PAGES SETTINGS``.

The settings are JSON. After so many pages it kills itself, as ``kill -9`` does, with a page that is written in part.
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
from dynaflask.tables import partial_dump as parts
from dynaflask.tables import transfer

db = dynaflask.Dynamo()


class Thing(db.Model):  # type: ignore[name-defined,misc]
    """An item with a number."""

    class Meta:
        """The table."""

        table_name = "Thing"

    number = NumberAttribute(hash_key=True)


def main(path: str, pages: str, settings: str) -> None:
    """Dump, and die."""
    left = int(pages)
    write_state = parts.write_safely

    def write_and_die(*arguments: t.Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        write_state(*arguments)

    parts.write_safely = write_and_die
    app = flask.Flask(__name__)
    app.config.from_mapping(json.loads(settings))
    db.init_app(app)
    with app.app_context():
        transfer.dump(db.registry, Thing, path, segments=3)


if __name__ == "__main__":
    main(*sys.argv[1:])
