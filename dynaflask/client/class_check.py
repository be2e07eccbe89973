"""A check of the attributes of classes that is repeated only after an attribute of one of them was set.

Tests and tracers patch methods at any time, so that each call must look for a patch. CPython 3.10 to 3.12 know the
answer: a class has a flag that says that no attribute of it, nor of a base, was set since its last look-up. Setting one
clears the flag in all subclasses. A subclass that is never used, the witness, keeps its flag until then. In other
versions of Python, each call makes the check, which takes up to a tenth of the time of a read.
"""

from __future__ import annotations

import collections.abc as cabc
import typing as t

# CPython's Py_TPFLAGS_VALID_VERSION_TAG.
IS_UNCHANGED: t.Final = 1 << 19


def _witness_of(classes: cabc.Iterable[type]) -> type:
    # A base beside one of its subclasses would be an inconsistent order.
    bases = [cls for cls in classes if not any(cls is not other and issubclass(other, cls) for other in classes)]
    witness = type("Witness", tuple(bases), {"__slots__": ()})
    # The flag is set by the first look-up.
    getattr(witness, "any_name", None)
    return witness


def _is_plain(cls: type) -> bool:
    return type(cls) is type and not any("__init_subclass__" in vars(base) for base in cls.__mro__[:-1])


def _has_flag() -> bool:
    base = type("Base", (), {})
    witness = _witness_of([base])
    was_set = bool(witness.__flags__ & IS_UNCHANGED)
    base.any_name = None  # type: ignore[attr-defined]
    return was_set and not witness.__flags__ & IS_UNCHANGED


#: True if this Python tells that the attributes of a class are unchanged.
HAS_FLAG: t.Final = _has_flag()


class ClassCheck:
    """Remembers that a check is true, until an attribute of one of some classes is set.

    Args:
        check: The check. It reads nothing else than attributes of the classes.
        classes: The classes. If one has a metaclass or ``__init_subclass__``, each call makes the check: to make a
            witness would run the program's code.
    """

    def __init__(self, check: cabc.Callable[[], bool], classes: cabc.Iterable[type]) -> None:
        self._check = check
        self._classes = list(dict.fromkeys(classes))
        self._can_watch = HAS_FLAG and all(map(_is_plain, self._classes))
        # Never looked up again: the flag would be set for attributes that the check has not seen.
        self._witness: type | None = None

    def passes(self) -> bool:
        """True if the check is true."""
        witness = self._witness
        if witness is not None and witness.__flags__ & IS_UNCHANGED:
            return True
        return self._repeat()

    def _repeat(self) -> bool:
        if not self._check():
            return False
        # Threads need no lock: a change clears the flags of all witnesses, and each was made before its check.
        witness = self._make_witness()
        if witness is None:
            return True
        is_true = self._check()
        self._witness = witness if is_true else None
        return is_true

    def _make_witness(self) -> type | None:
        try:
            return _witness_of(self._classes) if self._can_watch else None
        except TypeError:  # no class can inherit from all of them
            self._can_watch = False
            return None
