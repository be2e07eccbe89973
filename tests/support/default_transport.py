"""Runs the tests, and the programs that they start, with another default of ``DYNAMODB_TRANSPORT``.

DYNAFLASK_TEST_TRANSPORT=botocore pytest

Tests that are about one transport name it.
"""

from __future__ import annotations

import os

from dynaflask.client import key

VARIABLE = "DYNAFLASK_TEST_TRANSPORT"
OF_DYNAFLASK = key.DEFAULT_TRANSPORT


def apply() -> None:
    """Take the default from the environment, if the variable is set."""
    name = os.environ.get(VARIABLE, key.DEFAULT_TRANSPORT)
    if name not in {key.DIRECT, key.BOTOCORE, key.STOCK}:
        raise ValueError(f"{VARIABLE} must be 'direct', 'botocore' or 'stock', not {name!r}.")
    key.DEFAULT_TRANSPORT = name
