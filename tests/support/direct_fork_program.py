"""Forks in C, as uWSGI does, so that no hook of Python runs, and calls DynamoDB from both processes.

python direct_fork_program.py URL
"""

from __future__ import annotations

import ctypes
import logging
import os
import sys
import typing as t

import botocore.session

from dynaflask.client.direct.transport import DirectTransport
from tests.support import forks

opened: list[str] = []


class Recorder(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage().startswith("Opening"):
            opened.append(record.getMessage())


def call() -> t.Any:
    return transport._make_api_call("GetItem", {"TableName": "Thread", "Key": {"id": {"S": "a"}}})


logger = logging.getLogger("dynaflask.direct")
logger.setLevel("DEBUG")
logger.addHandler(Recorder())
client = botocore.session.Session().create_client(
    "dynamodb", "us-east-1", endpoint_url=sys.argv[1], aws_access_key_id="AKIA", aws_secret_access_key="hush"
)
transport = DirectTransport(client)
call()
call()
# The only thread forks, so that the child gets the GIL.
pid = ctypes.CDLL(None).fork()
if pid == 0:
    idle_before_call = len(transport)
    call()
    call()
    is_right = (idle_before_call, len(transport), len(opened)) == (0, 1, 2)
    transport.close()
    os._exit(0 if is_right else 1)
code = forks.exit_code(pid)
call()
sys.exit(f"child: {code}, parent: {opened}" if code or (len(transport), len(opened)) != (1, 1) else 0)
