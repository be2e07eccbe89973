"""State of one process: after a fork, the child starts with its own.

A forked child has its parent's memory and only one of its threads. It must not use the parent's sockets, because two
processes on one socket read each other's answers, and it must not wait for the parent's locks, because the thread that
holds one may not exist in the child.

The process id is compared at each use, which takes 0.1 to 0.2 us. A hook of ``os.register_at_fork`` is not enough: it
does not run in a server that forks in C, such as uWSGI (https://docs.python.org/3/library/os.html#os.register_at_fork).
"""

from __future__ import annotations

import collections.abc as cabc
import typing as t
from os import getpid

T = t.TypeVar("T")


class ProcessLocal(t.Generic[T]):
    """One object per process, like ``threading.local`` for threads.

    Args:
        make: Makes the object of a process. Threads may make several at once; one is kept.
        abandon: Called in a child with its parent's object, once. It must take no lock.
    """

    def __init__(self, make: cabc.Callable[[], T], *, abandon: cabc.Callable[[T], object] | None = None) -> None:
        self._make = make
        self._abandon = abandon
        self._by_pid: dict[int, T] = {}

    def get(self) -> T:
        """The object of this process, made on first use."""
        value = self._by_pid.get(getpid())
        return self._start() if value is None else value

    def _start(self) -> T:
        # Without a lock, because the parent's may be held by a thread that the child does not have. setdefault and pop
        # are atomic: all threads of the child get the same object, and one of them abandons the parent's.
        # https://docs.python.org/3/faq/library.html#what-kinds-of-global-value-mutation-are-thread-safe
        pid = getpid()
        value = self._by_pid.setdefault(pid, self._make())
        for other in [other for other in list(self._by_pid) if other != pid]:
            inherited = self._by_pid.pop(other, None)
            if inherited is not None and self._abandon is not None:
                self._abandon(inherited)
        return value
