"""The part of a direct transport that belongs to one process: its connections and its invocation ids.

A forked child shares its parent's sockets: if both processes read one, each gets parts of the other's responses. It
would also repeat its parent's invocation ids. So the child must not use either.
"""

from __future__ import annotations

import itertools
import uuid

from dynaflask.client.direct.http_pool import ConnectionPool

# Number of values of the last twelve hexadecimal digits of a UUID.
ID_NUMBERS = 16**12


class InvocationIds:
    """Invocation ids, one for each call. The first one is a random UUID; the others count up from it.

    botocore makes a random UUID for each call, which takes longer.

    Args:
        first: The first id.
    """

    def __init__(self, first: str) -> None:
        self._prefix, self._numbers = first[:-12], itertools.count(int(first[-12:], 16))

    def next(self) -> str:
        """An id that no other call has."""
        # `itertools.count` is atomic, so threads need no lock.
        return f"{self._prefix}{next(self._numbers) % ID_NUMBERS:012x}"


class ProcessState:
    """State of a transport in one process.

    Attributes:
        invocation_ids: Ids of the calls.
        pools: Connection pools by URL.
    """

    __slots__ = ("invocation_ids", "pools")

    def __init__(self) -> None:
        self.invocation_ids = InvocationIds(str(uuid.uuid4()))
        self.pools: dict[str, ConnectionPool] = {}
