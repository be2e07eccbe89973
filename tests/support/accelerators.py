"""Programs without the optional package that makes the work faster."""

from __future__ import annotations

import pytest

from dynaflask.client.codec import json_codec


def remove_msgspec(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everything in a test take the standard library, as a program does that has no msgspec."""
    for name in ("msgspec", "_decode", "_encode"):
        monkeypatch.setattr(json_codec, name, getattr(json_codec, name))  # to be restored
    json_codec.use(None)
