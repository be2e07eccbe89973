"""Cursors: where a page ended, sealed. Whoever carries one can neither read nor change it, nor use it elsewhere."""

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
from dynaflask.exceptions import install_hint

if t.TYPE_CHECKING:
    import flask

# The key of an item, as DynamoDB writes it: {"subject": {"S": "Hello"}}.
ExclusiveStartKey = dict[str, dict[str, t.Any]]

PURPOSE = b"dynaflask cursor 1\0"
# A cursor's length tells the length of the keys no closer than this.
PADDED_BYTES = 64


class CursorCodec:
    """Makes and opens the cursors of one query of one app.

    A cursor is a Fernet token of the package cryptography: encrypted with AES and authenticated with HMAC-SHA256. Its
    keys are made of the app's ``SECRET_KEY`` and of what the cursor is bound to, so that no other query opens it.

    Args:
        app: The app, whose ``SECRET_KEY`` and ``SECRET_KEY_FALLBACKS`` are read.
        bound_to: What JSON can say of the query. Bytes may be in it.

    Raises:
        ConfigurationError: The app has no secret key.
        RuntimeError: cryptography is not installed.
    """

    def __init__(self, app: flask.Flask, *, bound_to: t.Any) -> None:
        context = PURPOSE + json.dumps(bound_to, sort_keys=True, default=_to_base64).encode()
        keys = [hmac.digest(secret, context, "sha256") for secret in _secrets(app)]
        fernet = _import_fernet()
        self._invalid: type[Exception] = fernet.InvalidToken
        self._fernet = fernet.MultiFernet([fernet.Fernet(base64.urlsafe_b64encode(key)) for key in keys])

    def close(self, position: ExclusiveStartKey) -> str:
        """The cursor of a position."""
        plain = json.dumps(position, default=_to_base64).encode()
        # JSON may end in spaces.
        padded = plain.ljust(-(-len(plain) // PADDED_BYTES) * PADDED_BYTES)
        return t.cast("str", self._fernet.encrypt(padded).decode().rstrip("="))

    def open(self, cursor: t.Any) -> ExclusiveStartKey:
        """The position of a cursor.

        Args:
            cursor: Whatever the client sent.

        Raises:
            BadCursor: It was not made here, or not for this query.
        """
        if not isinstance(cursor, str):
            raise BadCursor
        try:
            token = base64_decode(cursor)
            plain = self._fernet.decrypt(base64.urlsafe_b64encode(token))
        except (BadData, self._invalid) as error:
            raise BadCursor from error
        # Base64 leaves some freedom; a cursor is one string and no other.
        if base64_encode(token).decode() != cursor:
            raise BadCursor
        position: ExclusiveStartKey = json.loads(plain)
        return {name: _from_base64(value) for name, value in position.items()}


def _secrets(app: flask.Flask) -> list[bytes]:
    secrets = [app.secret_key, *(app.config.get("SECRET_KEY_FALLBACKS") or ())]
    if not app.secret_key:
        raise ConfigurationError(
            f"The app {app.name!r} has no SECRET_KEY, with which the cursors of its pages are encrypted. Set it, to the"
            " same value in all processes of the app."
        )
    return [want_bytes(secret) for secret in secrets if secret]


def _import_fernet() -> t.Any:
    try:
        from cryptography import fernet  # noqa: PLC0415 - an extra, needed by pages alone
    except ModuleNotFoundError as error:
        raise RuntimeError(f"db.paginate encrypts its cursors, and {install_hint(error, extra='pages')}") from error
    return fernet


def _to_base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _from_base64(value: dict[str, t.Any]) -> dict[str, t.Any]:
    return {kind: base64.b64decode(content) if kind == "B" else content for kind, content in value.items()}
