"""Cursors: the end of a page, encrypted. A client can neither read, change nor use it for another query."""

from __future__ import annotations

import base64
import hmac
import json
import typing as t

from itsdangerous.encoding import base64_decode
from itsdangerous.encoding import base64_encode
from itsdangerous.encoding import want_bytes
from itsdangerous.exc import BadData

from dynaflask.exceptions import BadCursor
from dynaflask.exceptions import ConfigurationError
from dynaflask.extras import required_extra

if t.TYPE_CHECKING:
    import flask

# The key of the last item read, in DynamoDB's format: {"subject": {"S": "Hello"}}.
ExclusiveStartKey = dict[str, dict[str, t.Any]]

PURPOSE = b"dynaflask cursor 1\0"
# Positions are padded to a multiple of this, so that a cursor's length does not reveal the length of the keys.
PADDING_BLOCK_BYTES = 64


class CursorCodec:
    """Encodes and decodes the cursors of one query of one app.

    A cursor is a Fernet token of the package cryptography: encrypted with AES and authenticated with HMAC-SHA256. The
    encryption keys derive from the app's ``SECRET_KEY`` and from the context of the query, so that a cursor of another
    query does not decode.

    Args:
        app: The app whose ``SECRET_KEY`` and ``SECRET_KEY_FALLBACKS`` are used.
        context: Everything that identifies the query: a JSON value, which may contain bytes.

    Raises:
        ConfigurationError: The app has no secret key.
        ModuleNotFoundError: cryptography is not installed.
    """

    def __init__(self, app: flask.Flask, *, context: t.Any) -> None:
        message = PURPOSE + json.dumps(context, sort_keys=True, default=_to_base64).encode()
        # Not `hmac.digest`, which releases the interpreter lock: see `signing_key` in client/direct/signature.py.
        keys = [hmac.new(secret, message, "sha256").digest() for secret in _secrets(app)]
        fernet = _import_fernet()
        self._invalid_token: type[Exception] = fernet.InvalidToken
        self._fernet = fernet.MultiFernet([fernet.Fernet(base64.urlsafe_b64encode(key)) for key in keys])

    def encode(self, position: ExclusiveStartKey) -> str:
        """The cursor of a position."""
        plain = json.dumps(position, default=_to_base64).encode()
        # JSON may end in spaces, so the padding needs no removal.
        padded = plain.ljust(-(-len(plain) // PADDING_BLOCK_BYTES) * PADDING_BLOCK_BYTES)
        return t.cast("str", self._fernet.encrypt(padded).decode().rstrip("="))

    def decode(self, cursor: t.Any) -> ExclusiveStartKey:
        """The position of a cursor.

        Args:
            cursor: Any value that a client sent.

        Raises:
            BadCursor: This codec did not encode it.
        """
        if not isinstance(cursor, str):
            raise BadCursor
        try:
            token = base64_decode(cursor)
            plain = self._fernet.decrypt(base64.urlsafe_b64encode(token))
        except (BadData, self._invalid_token) as error:
            raise BadCursor from error
        # Several Base64 strings decode to the same bytes. Only the canonical one is a cursor.
        if base64_encode(token).decode() != cursor:
            raise BadCursor
        position: ExclusiveStartKey = json.loads(plain)
        return {name: _decode_binary(value) for name, value in position.items()}


def _secrets(app: flask.Flask) -> list[bytes]:
    if not app.secret_key:
        raise ConfigurationError(
            f"The app {app.name!r} has no SECRET_KEY, which encrypts the cursors of its pages. Set it to the same value"
            " in all processes of the app."
        )
    secrets = [app.secret_key, *(app.config.get("SECRET_KEY_FALLBACKS") or ())]
    return [want_bytes(secret) for secret in secrets if secret]


def _import_fernet() -> t.Any:
    with required_extra("pages", reason="db.paginate encrypts its cursors"):
        from cryptography import fernet  # noqa: PLC0415 - only pages need it
    return fernet


def _to_base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _decode_binary(value: dict[str, t.Any]) -> dict[str, t.Any]:
    return {tag: base64.b64decode(content) if tag == "B" else content for tag, content in value.items()}
