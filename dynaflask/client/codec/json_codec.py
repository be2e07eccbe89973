"""JSON between objects and bytes: by msgspec if it is installed, else by the standard library, with equal results.

An app imports msgspec when it is initialised. In a function of AWS Lambda that starts while a request waits, the import
comes with the first use of msgspec, or after some bodies: it takes 5 ms, which msgspec saves on a thousand small ones.
"""

from __future__ import annotations

import itertools
import json
import typing as t

# Bodies that the standard library reads and writes first.
FIRST_BODIES: t.Final = 100
_bodies: t.Final = itertools.count(1)

# The one accelerator, which `dynaflask[fast]` installs, or None. Code that uses it looks it up here at each use,
# so that a program without it, and a test that removes it, use the standard library everywhere.
if t.TYPE_CHECKING:
    msgspec: t.Any
else:

    def __getattr__(name: str) -> t.Any:
        if name != "msgspec":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        load_msgspec()
        return msgspec


def load_msgspec() -> None:
    """Import msgspec, if this was not tried before."""
    if "msgspec" not in globals():
        use(_import_msgspec())


def load(body: bytes) -> t.Any:
    """The value of a JSON text. ``None`` for ``null``, and for a text that botocore must decode or refuse."""
    try:
        # msgspec refuses some texts that json accepts, such as lone surrogates and NaN, and accepts no text that json
        # refuses.
        return _decode(body)
    except ValueError:
        return None


def dump(value: t.Any) -> bytes | None:
    """The JSON text of a value, or ``None`` if botocore must write or refuse the value.

    Args:
        value: Plain values, as :mod:`.passthrough` finds them. msgspec also writes others, which JSON does not have.
    """
    try:
        return _encode(value)
    except (TypeError, ValueError):  # such as a lone surrogate, which botocore can write
        return None


def use(accelerator: t.Any) -> None:
    """Read and write bodies by msgspec from now on, or by the standard library.

    Args:
        accelerator: The module ``msgspec``, or ``None``.
    """
    global msgspec, _decode, _encode  # noqa: PLW0603 - a call looks up one global
    msgspec = accelerator
    _decode = _standard_decode if msgspec is None else msgspec.json.decode
    _encode = _standard_encode if msgspec is None else msgspec.json.encode


def _import_msgspec() -> t.Any:
    try:
        import msgspec  # noqa: PLC0415 - see above
    except ImportError:  # also of an installed one: a subinterpreter refuses its extension module
        return None
    # Before version 0.21, a text that it refuses is no ValueError.
    return msgspec if issubclass(msgspec.DecodeError, ValueError) else None


def _standard_decode(body: bytes) -> t.Any:
    # `decode` first: from bytes, json would also accept UTF-16.
    return json.loads(body.decode())


def _standard_encode(value: t.Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _first_decode(body: bytes) -> t.Any:
    _count_body()
    return _standard_decode(body)


def _first_encode(value: t.Any) -> bytes:
    _count_body()
    return _standard_encode(value)


def _count_body() -> None:
    if next(_bodies) == FIRST_BODIES:
        load_msgspec()


_decode: t.Callable[[bytes], t.Any] = _first_decode
_encode: t.Callable[[t.Any], bytes] = _first_encode
