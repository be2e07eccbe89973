"""Log lines in JSON. Each names its app, its tenant and its bind."""

from __future__ import annotations

import json
import logging

from flask import Flask

from dynaflask.integrations.logging import ContextFilter

STANDARD = vars(logging.makeLogRecord({})).keys() | {"asctime", "message", "taskName"}


class JSONFormatter(logging.Formatter):
    """One object per line: the level, the logger, the message, and the fields of the record."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON."""
        fields = {name: value for name, value in vars(record).items() if name not in STANDARD}
        line = {"level": record.levelname, "logger": record.name, "message": record.getMessage(), **fields}
        return json.dumps(line, default=str)


# One for the process, as its output is. The filter finds the app of each line.
handler = logging.StreamHandler()
handler.setFormatter(JSONFormatter())
handler.addFilter(ContextFilter(absent=None))


def add_to(_: Flask) -> None:
    """Write the lines of dynaflask, for all sites of the process. A further call changes nothing."""
    logging.getLogger("dynaflask").addHandler(handler)
