"""JSON between objects and bytes: by msgspec if it is installed, else by the standard library, with equal results."""

from __future__ import annotations

import json
import typing as t

# The one accelerator, which `dynaflask[fast]` installs. Code that uses it looks it up here at each use, so that a
# program without it, and a test that removes it, use the standard library everywhere.
msgspec: t.Any
try:
    import msgspec
except ImportError:  # also of an installed one: a subinterpreter refuses its extension module
    msgspec = None

# What msgspec raises for malformed JSON. Before version 0.21, it is no ValueError.
MsgspecError: type[Exception] = ValueError if msgspec is None else msgspec.MsgspecError


def load(body: bytes) -> t.Any:
    """The value of a JSON text. ``None`` for ``null``, and for a text that botocore must decode or refuse."""
    try:
        # `decode` first: from bytes, json would also accept UTF-16. msgspec refuses some texts that json accepts, such
        # as lone surrogates and NaN, and accepts no text that json refuses.
        return json.loads(body.decode()) if msgspec is None else msgspec.json.decode(body)
    except (ValueError, MsgspecError):
        return None


def dump(value: t.Any) -> bytes | None:
    """The JSON text of a value, or ``None`` if botocore must write or refuse the value.

    Args:
        value: Plain values, as :mod:`.passthrough` finds them. msgspec also writes others, which JSON does not have.
    """
    try:
        return _standard_dump(value) if msgspec is None else msgspec.json.encode(value)
    except (TypeError, ValueError):  # such as a lone surrogate, which botocore can write
        return None


def _standard_dump(value: t.Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
