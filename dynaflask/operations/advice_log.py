"""The log of advice: once for each line and rule."""

from __future__ import annotations

import collections.abc as cabc
import logging
import threading

from dynaflask.operations.advisor import advise
from dynaflask.operations.caller import Caller
from dynaflask.operations.operation import Operation

# Lines of generated code could be without number.
MAX_ADVICE = 1000

logger = logging.getLogger("dynaflask.advice")


class AdviceLog:
    """Logs the advice on the operations of each context of an app."""

    def __init__(self) -> None:
        self._logged: set[tuple[str, Caller]] = set()
        # Protects the set: two requests that end at once must not log one line twice.
        self._lock = threading.Lock()

    def add(self, operations: cabc.Sequence[Operation]) -> None:
        """Log the advice on the operations of a context that ends, unless it was logged before.

        Args:
            operations: The operations.
        """
        for advice in advise(operations):
            key = (advice.rule, advice.caller)
            with self._lock:
                is_new = key not in self._logged and len(self._logged) < MAX_ADVICE
                if is_new:
                    self._logged.add(key)
            if is_new:
                logger.warning("%s", advice, extra={"rule": advice.rule, "line": str(advice.caller)})
