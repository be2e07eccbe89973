"""JSON between objects and bytes: by orjson where it is installed, and as the standard library's json has it."""

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
    """What the bytes say; ``None`` if that is nothing, or better left to botocore to find out."""
    try:
        return _loads(body)
    except ValueError:
        return None


def dump(value: t.Any) -> bytes | None:
    """A value as bytes; ``None`` if botocore shall say what is wrong with it."""
    try:
        return _dumps(value)
    except (TypeError, ValueError):  # a lone surrogate is botocore's to write
        return None


def _standard_loads(body: bytes) -> t.Any:
    # Not the bytes: json would take UTF-16, too.
    return json.loads(body.decode())


def _standard_dumps(value: t.Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


_loads: t.Callable[[bytes], t.Any]
_dumps: t.Callable[[t.Any], bytes]
if orjson is None:
    _loads, _dumps = _standard_loads, _standard_dumps
else:
    # orjson refuses some of what json takes, such as lone surrogates, and takes nothing that json refuses. What json
    # does not know is an error with either.
    _options = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
    _loads, _dumps = orjson.loads, functools.partial(orjson.dumps, option=_options)
