"""Where the project's files are, and the environment that the tests' programs run in."""

from __future__ import annotations

import os
import pathlib

SUPPORT = pathlib.Path(__file__).parent
PROJECT = SUPPORT.parents[1]
PACKAGE = PROJECT / "dynaflask"


def environment(**variables: str) -> dict[str, str]:
    """The environment of a program in ``tests/support``, which finds the package and the tests' helpers."""
    return {**os.environ, "PYTHONPATH": str(PROJECT), **variables}
