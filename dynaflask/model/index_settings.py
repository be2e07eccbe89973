"""What the ``Meta`` of a global index declares beside PynamoDB's settings."""

from __future__ import annotations

import typing as t

from pynamodb.indexes import GlobalSecondaryIndex

from dynaflask.config.fields import INDEX_VALIDATORS
from dynaflask.model.pynamodb_internals import table_indexes


def index_settings(model: t.Any) -> dict[str, dict[str, t.Any]]:
    """The settings of the global indexes of a model's table, checked, by the name of the index.

    Raises:
        ConfigurationError: A value is wrong.
    """
    return {
        index.Meta.index_name: {
            name: validator(f"{type(index).__name__}.Meta.{name}", value)
            for name, validator in INDEX_VALIDATORS.items()
            if (value := getattr(index.Meta, name, None)) is not None
        }
        for index in table_indexes(model)
        if isinstance(index, GlobalSecondaryIndex)
    }
