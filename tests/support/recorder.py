"""The recording engine, as the tests call it."""

from __future__ import annotations

from dynaflask.testing.recorder import Answer
from dynaflask.testing.recorder import Json
from dynaflask.testing.recorder import Recorder
from dynaflask.testing.recorder import Request
from dynaflask.testing.recorder import plain_answer
from dynaflask.testing.recorder import read_request

__all__ = ["Answer", "Json", "Recorder", "Request", "plain_answer", "read_request"]
