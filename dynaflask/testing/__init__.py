"""What the tests of an app need of this package's own: proof that its tenants are kept apart.

isolation.py   assert_isolated
places.py        where a request goes, and whose keys it names
wire.py          every request, wherever it is meant to go, to one recording engine
recorder.py        the engine
"""

from __future__ import annotations

from dynaflask.testing.intercept import assumed_role
from dynaflask.testing.isolation import assert_isolated
from dynaflask.testing.recorder import Recorder
from dynaflask.testing.recorder import Request
from dynaflask.testing.recorder import plain_answer

__all__ = ["Recorder", "Request", "assert_isolated", "assumed_role", "plain_answer"]
