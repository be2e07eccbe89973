"""Optional packages: those that an extra of dynaflask installs."""

from __future__ import annotations

import collections.abc as cabc
import contextlib


@contextlib.contextmanager
def required_extra(extra: str, *, reason: str) -> cabc.Iterator[None]:
    """A block that imports an optional package.

    Args:
        extra: The extra of dynaflask that installs the package.
        reason: What the package is needed for, as the beginning of a sentence.

    Raises:
        ModuleNotFoundError: The package is not installed. The message has the command that installs it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        # The quotes are for zsh, which reads brackets as a pattern.
        raise ModuleNotFoundError(
            f'{reason}, and {error.name} is not installed: pip install "dynaflask[{extra}]"', name=error.name
        ) from error
