"""Helpers for the tests of an app.

config.py        settings of an account of its own
tables.py        the tables of an app under test
counts.py        count_operations, assert_operations
faults.py        fail_next, slow_next, unprocessed
fault_plan.py    carries out the faults of an app
apps.py          the app under test
isolation.py     assert_isolated
targets.py       where a request goes, and which keys it names
intercept.py     sends every request of both HTTP clients to one recording server
recorder.py      the recording server
observe.py       a pytest plugin that writes which calls the tests make
"""

from __future__ import annotations

from dynaflask.testing.config import account_config
from dynaflask.testing.counts import OperationCounts
from dynaflask.testing.counts import assert_operations
from dynaflask.testing.counts import count_operations
from dynaflask.testing.fault_plan import Fault
from dynaflask.testing.faults import fail_next
from dynaflask.testing.faults import slow_next
from dynaflask.testing.faults import unprocessed
from dynaflask.testing.intercept import assumed_role
from dynaflask.testing.isolation import assert_isolated
from dynaflask.testing.recorder import Recorder
from dynaflask.testing.recorder import Request
from dynaflask.testing.recorder import plain_answer
from dynaflask.testing.tables import AppTables
from dynaflask.testing.tables import Snapshot

__all__ = [
    "AppTables",
    "Fault",
    "OperationCounts",
    "Recorder",
    "Request",
    "Snapshot",
    "account_config",
    "assert_isolated",
    "assert_operations",
    "assumed_role",
    "count_operations",
    "fail_next",
    "plain_answer",
    "slow_next",
    "unprocessed",
]
