"""Forks before, between and during the first calls: each process goes on for its own apps and tenants."""

from __future__ import annotations

import subprocess
import sys

from tests.support.paths import SUPPORT
from tests.support.paths import environment
from tests.support.recorder import Recorder

STEPS = {"first": 4, "second": 4, "client": 4, "generators": 4, "made": 4}


def test_each_request_belongs_to_its_process_app_and_tenant() -> None:
    """No child waits for the parent's thread, and none sends to another place, with or without a client of botocore."""
    with Recorder() as one, Recorder() as two:
        command = [sys.executable, str(SUPPORT / "sequence_fork_program.py"), one.url, two.url]
        finished = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=240, check=False)
        assert finished.returncode == 0, finished.stderr
        seen: dict[str, int] = {}
        for name, region, server in (("one", "eu-west-1", one), ("two", "us-west-2", two)):
            for request in server.requests:
                app, tenant = request.body["Item"]["forum_name"]["S"].split()
                assert (app, f"{tenant}-Thread") == (name, request.body["TableName"])
                assert (request.access_key_id, request.region) == (name, region)
                subject = request.body["Item"]["subject"]["S"]
                seen[subject] = seen.get(subject, 0) + 1
    expected = {f"{step}-{process}": count for step, count in STEPS.items() for process in ("child", "parent")}
    # In the generators' step all is app one's.
    assert seen == {**expected, "thread": 4}
