"""Helpers for the tests of an app: proof that no tenant reaches the data of another.

isolation.py     assert_isolated
targets.py       where a request goes, and which keys it names
intercept.py     sends every request of botocore to one recording server
recorder.py      the recording server
observe.py       a pytest plugin that writes which calls the tests make
"""

from __future__ import annotations

from dynaflask.testing.intercept import assumed_role
from dynaflask.testing.isolation import assert_isolated
from dynaflask.testing.recorder import Recorder
from dynaflask.testing.recorder import Request
from dynaflask.testing.recorder import plain_answer

__all__ = ["Recorder", "Request", "assert_isolated", "assumed_role", "plain_answer"]
