"""The local DynamoDB server, for ``DYNAMODB_HOST = "local"``.

    endpoint()       its URL
      ServerProcess    the server that this process started
      ParentServer     the server that the parent process started

A process has one server. It starts on first use and ends with the process.
"""

from __future__ import annotations

from dynaflask.local.data_lock import SHARE as SHARE
from dynaflask.local.process import endpoint
from dynaflask.local.process import failure
from dynaflask.local.process import run
from dynaflask.local.process import stop

__all__ = ["endpoint", "failure", "run", "stop"]
