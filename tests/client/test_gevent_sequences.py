"""Greenlets that switch inside of their tenants' blocks each go on for their own app and tenant."""

from __future__ import annotations

import collections
import subprocess
import sys

from tests.support.paths import SUPPORT
from tests.support.paths import environment
from tests.support.recorder import Recorder


def test_each_request_belongs_to_its_greenlets_app_and_tenant() -> None:
    """A generator that a greenlet passes to another one, in a context of the other app, is refused."""
    with Recorder() as one, Recorder() as two:
        command = [sys.executable, str(SUPPORT / "gevent_sequence_program.py"), one.url, two.url]
        finished = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=240, check=False)
        assert finished.returncode == 0, finished.stderr
        seen: collections.Counter[str] = collections.Counter()
        for name, server in (("one", one), ("two", two)):
            for request in server.requests:
                seen[f"{name} {request.access_key_id} {request.body['TableName']}"] += 1
                assert request.body["Item"]["forum_name"]["S"] == f"{name} {request.body['TableName'][:-7]}"
    assert seen == {
        "one one acme-Thread": 6,
        "one one globex-Thread": 5,
        "two two acme-Thread": 5,
        "two two globex-Thread": 5,
    }
