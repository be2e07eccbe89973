"""JSON between objects and bytes: by orjson if it is installed, else by the standard library, with the same results."""

from __future__ import annotations

import functools
import json
import typing as t

orjson: t.Any
try:
    import orjson
except ImportError:
    orjson = None


def load(body: bytes) -> t.Any:
    """The value of a JSON text. ``None`` for ``null``, and for a text that botocore must decode or refuse."""
    try:
        return _loads(body)
    except ValueError:
        return None


def dump(value: t.Any) -> bytes | None:
    """The JSON text of a value, or ``None`` if botocore must write or refuse the value."""
    try:
        return _dumps(value)
    except (TypeError, ValueError):  # such as a lone surrogate, which botocore can write
        return None


def _standard_loads(body: bytes) -> t.Any:
    # `decode` first: from bytes, json would also accept UTF-16.
    return json.loads(body.decode())


def _standard_dumps(value: t.Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


_loads: t.Callable[[bytes], t.Any]
_dumps: t.Callable[[t.Any], bytes]
if orjson is None:
    _loads, _dumps = _standard_loads, _standard_dumps
else:
    # orjson refuses some texts that json accepts, such as lone surrogates, and accepts no text that json refuses. The
    # options make it refuse the types that json does not write either.
    _options = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
    _loads, _dumps = orjson.loads, functools.partial(orjson.dumps, option=_options)
