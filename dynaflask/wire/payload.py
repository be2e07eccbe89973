"""JSON between objects and bytes: by orjson where it is installed, and as the standard library's json has it."""

from __future__ import annotations

import functools
import json
import typing as t

from dynaflask.late import module


@functools.cache
def _codec() -> tuple[t.Callable[[bytes], t.Any], t.Callable[[t.Any], bytes]]:
    # Not at the top: who makes no call needs neither.
    try:
        orjson = module("orjson")
    except ModuleNotFoundError:
        return _loads, _dumps
    # orjson refuses some of what json takes, such as lone surrogates, and takes nothing that json refuses. What json
    # does not know is an error with either.
    options = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
    return orjson.loads, functools.partial(orjson.dumps, option=options)


def load(body: bytes) -> t.Any:
    """What the bytes say; ``None`` if that is nothing, or better left to botocore to find out."""
    try:
        return _codec()[0](body)
    except ValueError:
        return None


def dump(value: t.Any) -> bytes | None:
    """A value as bytes; ``None`` if botocore shall say what is wrong with it."""
    try:
        return _codec()[1](value)
    except (TypeError, ValueError):  # a lone surrogate is botocore's to write
        return None


def _loads(body: bytes) -> t.Any:
    # Not the bytes: json would take UTF-16, too.
    return json.loads(body.decode())


def _dumps(value: t.Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
