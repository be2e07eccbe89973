"""Kill a migration while another process writes: ``migration_program.py ITEMS KILLS DIRECTORY SETTINGS``.

The settings are JSON. The program fills a table, starts a process that edits and deletes items, and starts runs of the
migration in DIRECTORY that it kills at random moments. Two last runs, at the same time, complete it. Then it compares
the table with what the other process has written, and prints the result as JSON.
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import json
import multiprocessing
import os
import pathlib
import random
import signal
import sys
import time
import traceback
import typing as t

import flask
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.exceptions import DeleteError
from pynamodb.exceptions import UpdateError

import dynaflask
from dynaflask.tables.migrations import migrate
from dynaflask.tables.migrations import migration_status
from dynaflask.tables.migrations import read_migrations

MIGRATION = """
from __main__ import calls
model = "Note"

def forwards(item):
    calls.value += 1
    if item.slug is None:
        item.slug = item.title.lower()
"""
# Of a run that is killed: the next one waits for its end.
SHORT_LEASE_SECONDS = 1
# Of the last runs, which must not lose it on a loaded machine.
LONG_LEASE_SECONDS = 60
RANDOM = random.Random()  # noqa: S311 - no secret

db = dynaflask.Dynamo()
# Without a lock, which a killed process would keep. It need not be exact.
calls = multiprocessing.RawValue("i", 0)


class Note(dynaflask.Model):
    """An item with a title, and a slug that must always fit it."""

    class Meta:
        """The table."""

        table_name = "Note"

    id = UnicodeAttribute(hash_key=True)
    title = UnicodeAttribute()
    slug = UnicodeAttribute(null=True)
    edits = NumberAttribute(default=0)


class Editor:
    """The other process. It remembers what each item must be."""

    def __init__(self, items: int) -> None:
        self.expected: dict[str, t.Any] = {str(number): [f"Title {number}", 0] for number in range(items)}
        self._is_stopped = False

    def run(self, path: pathlib.Path) -> None:
        """Edit items until SIGTERM, and write what they must be into a file."""
        signal.signal(signal.SIGTERM, self._stop)
        while not self._is_stopped:
            self._edit(RANDOM.choice(list(self.expected)))
            time.sleep(0.001)
        path.write_text(json.dumps(self.expected), encoding="utf-8")

    def _stop(self, *_: object) -> None:
        self._is_stopped = True

    def _edit(self, key: str) -> None:
        note, state, kind = Note(key), self.expected[key], RANDOM.random()
        if state is None:
            return
        with contextlib.suppress(UpdateError, DeleteError):
            if kind < 0.05:
                note.delete(condition=Note.id.exists())
                self.expected[key] = None
            elif kind < 0.5:
                title = f"New {RANDOM.random()}"
                note.update([Note.title.set(title), Note.slug.set(title.lower())], condition=Note.id.exists())
                state[0] = title
            else:
                note.update([Note.edits.add(1)], condition=Note.id.exists())
                state[1] += 1


def main(items: str, kills: str, directory: str, settings: str) -> None:
    """Run all of it."""
    app = flask.Flask(__name__)
    app.config.from_mapping(json.loads(settings))
    db.init_app(app)
    path = pathlib.Path(directory)
    (path / "0001_add_slug.py").write_text(MIGRATION, encoding="utf-8")
    with app.app_context():
        fill(int(items))
    sys.stdout.write(json.dumps(prove(app, path, items=int(items), kills=int(kills))))


def prove(app: flask.Flask, path: pathlib.Path, *, items: int, kills: int) -> dict[str, t.Any]:
    """Kill and complete the migration in a directory, while another process writes."""
    started = time.monotonic()
    editor = fork(app, lambda: Editor(items).run(path / "expected.json"))
    killed = kill_runs(app, path, count=kills, items=items)
    with app.app_context():
        [before] = migration_status(db.registry, read_migrations(db.registry, path))
    last = [fork(app, lambda: run(path, lease_seconds=LONG_LEASE_SECONDS)) for _ in range(2)]
    codes = [os.waitpid(pid, 0)[1] for pid in last]
    seconds = time.monotonic() - started
    os.kill(editor, signal.SIGTERM)
    os.waitpid(editor, 0)
    with app.app_context():
        [after] = migration_status(db.registry, read_migrations(db.registry, path))
        expected = json.loads((path / "expected.json").read_text(encoding="utf-8"))
        problems = compare(expected)
    result = {"killed": killed, "before": before.status, "after": after.status, "codes": codes, "problems": problems}
    left = sum(state is not None for state in expected.values())
    counts = {
        "left": left,
        "read": after.result.items_read,
        "changed": after.result.items_changed,
        "seconds": round(seconds, 1),
    }
    return result | counts


def fill(items: int) -> None:
    """Create the items, each with an attribute that the model does not know."""
    db.create_all(wait=True)
    for start in range(0, items, 25):
        requests = [
            {
                "PutRequest": {
                    "Item": {
                        "id": {"S": str(number)},
                        "title": {"S": f"Title {number}"},
                        "edits": {"N": "0"},
                        "unknown": {"S": "kept"},
                    }
                }
            }
            for number in range(start, min(start + 25, items))
        ]
        db.client.batch_write_item(RequestItems={Note.Meta.table_name: requests})


def fork(app: flask.Flask, function: cabc.Callable[[], object]) -> int:
    """The id of a process that runs a function in a context of the app."""
    if pid := os.fork():
        return pid
    code = 1
    try:
        RANDOM.seed()
        with app.app_context():
            function()
        code = 0
    except Exception:  # noqa: BLE001 - the process ends here
        traceback.print_exc()
    finally:
        os._exit(code)


def run(directory: pathlib.Path, *, lease_seconds: float) -> None:
    """One run of the migration."""
    migrate(db.registry, directory, wait=True, lease_seconds=lease_seconds)


def kill_runs(app: flask.Flask, directory: pathlib.Path, *, count: int, items: int) -> int:
    """Kill runs at random moments. All of them together get no more than a part of the items."""
    killed = 0
    # A run on a loaded machine may lose its lease before it is killed: it does not count.
    for _ in range(5 * count):
        pid = fork(app, lambda: run(directory, lease_seconds=SHORT_LEASE_SECONDS))
        # forwards() is called twice for an item that it changes.
        enough = calls.value + RANDOM.randint(0, 2 * items // (count + 2))
        while calls.value < enough and os.waitpid(pid, os.WNOHANG) == (0, 0):
            time.sleep(0.001)
        time.sleep(RANDOM.uniform(0, 0.03))
        try:
            os.kill(pid, signal.SIGKILL)
            killed += os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL
        except (ProcessLookupError, ChildProcessError):
            continue
        if killed == count:
            break
    return killed


def compare(expected: dict[str, t.Any]) -> list[str]:
    """How the items differ from what they must be."""
    pages = db.client.get_paginator("scan").paginate(TableName=Note.Meta.table_name, ConsistentRead=True)
    stored = {item["id"]["S"]: item for page in pages for item in page["Items"]}
    problems = []
    for key, state in expected.items():
        item = stored.pop(key, None)
        wanted = None
        if state is not None:
            title, edits = state
            wanted = {
                "id": {"S": key},
                "title": {"S": title},
                "slug": {"S": title.lower()},
                "edits": {"N": str(edits)},
                "unknown": {"S": "kept"},
            }
        if item != wanted:
            problems.append(f"{item} instead of {wanted}")
    return problems + [f"{key} is there" for key in stored]


if __name__ == "__main__":
    main(*sys.argv[1:])
