"""The recording server, under the name that the tests use."""

from __future__ import annotations

from dynaflask.testing.recorder import Answer
from dynaflask.testing.recorder import Json
from dynaflask.testing.recorder import Recorder
from dynaflask.testing.recorder import Request
from dynaflask.testing.recorder import plain_answer
from dynaflask.testing.recorder import read_request

__all__ = ["Answer", "Json", "Recorder", "Request", "plain_answer", "read_request"]
