"""A mapping that makes its values on access."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

V = t.TypeVar("V")


class LazyMapping(cabc.Mapping[str, V]):
    """A mapping whose values are made on access, and not stored.

    Args:
        keys: Returns the keys.
        get: Makes the value of a key.
    """

    def __init__(self, keys: t.Callable[[], cabc.Collection[str]], get: t.Callable[[str], V]) -> None:
        self._keys = keys
        self._get = get

    def __getitem__(self, key: str) -> V:
        return self._get(key)

    def __iter__(self) -> cabc.Iterator[str]:
        return iter(self._keys())

    def __len__(self) -> int:
        return len(self._keys())

    def __repr__(self) -> str:
        return f"<LazyMapping {list(self)}>"
