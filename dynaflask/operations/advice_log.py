"""The log of advice: once for each line and rule."""

from __future__ import annotations

import collections.abc as cabc
import logging

from dynaflask.operations.advisor import Advice
from dynaflask.operations.advisor import advise
from dynaflask.operations.caller import Caller
from dynaflask.operations.operation import Operation

# Lines of generated code could be without number.
MAX_ADVICE = 1000

logger = logging.getLogger("dynaflask.advice")


class AdviceLog:
    """Logs the advice on the operations of each context of an app."""

    def __init__(self) -> None:
        self._logged: dict[tuple[str, Caller], Advice] = {}

    def add(self, operations: cabc.Sequence[Operation]) -> None:
        """Log the advice on the operations of a context that ends, unless it was logged before.

        Args:
            operations: The operations.
        """
        for advice in advise(operations):
            # setdefault is atomic: of two requests that end at once, one logs the line. A lock could stay locked in a
            # forked child.
            is_known = len(self._logged) >= MAX_ADVICE or self._logged.setdefault(advice[:2], advice) is not advice
            if not is_known:
                logger.warning("%s", advice, extra={"rule": advice.rule, "line": str(advice.caller)})

    def logged(self) -> list[Advice]:
        """The advice that was logged in this process, the newest last."""
        # A copy in one step: another thread may log meanwhile.
        return list(self._logged.values())
