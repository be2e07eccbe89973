"""Whether DynamoDB returns the item that a condition was false for: ``ReturnValuesOnConditionCheckFailure``."""

from __future__ import annotations

import typing as t

from dynaflask.operations.block_value import BlockValue
from dynaflask.operations.block_value import BlockVariable

OPTION: t.Final = "return_values_on_condition_failure"

# PynamoDB's methods of an object do not pass such an option on: the request reads it from this variable.
_values: t.Final[BlockVariable[str | None]] = BlockVariable(f"dynaflask_{OPTION}", None)


def asking_for(values: str | None) -> BlockValue[str | None]:
    """A block whose conditional requests ask for the item.

    Args:
        values: ``"ALL_OLD"`` or ``"NONE"``; None for the setting of the bind.
    """
    return _values.block(values)


#: What the block asks for, or None.
asked_for: t.Final = _values.get
