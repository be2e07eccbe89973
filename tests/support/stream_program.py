"""Handle the stream of ``Note`` and die on the way: ``stream_program.py PATH RECORDS SETTINGS``.

Each record adds the number of its item to the file. After RECORDS records the process kills itself with SIGKILL, in the
middle of a page. The settings are JSON.
"""

from __future__ import annotations

import json
import os
import pathlib
import signal
import sys
import typing as t

import flask

import dynaflask
from dynaflask.tables.streams import follow
from tests.support import default_transport
from tests.support import streams

default_transport.apply()
db = dynaflask.Dynamo()
note = streams.declare_note(db)


def main(path: str, records: str, settings: str) -> None:
    """Handle the stream until the process kills itself, or until the end."""
    records_left = int(records)

    def handle(record: t.Any) -> None:
        nonlocal records_left
        if not records_left:
            os.kill(os.getpid(), signal.SIGKILL)
        records_left -= 1
        with pathlib.Path(path).open("a", encoding="utf-8") as file:
            file.write(f"{record.new.number}\n")

    app = flask.Flask("app")
    app.config.from_mapping(json.loads(settings))
    db.init_app(app)
    with app.app_context():
        follow(db.registry, note, handle, consumer="index", once=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
