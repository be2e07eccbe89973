"""The tables of an app as a document of an infrastructure tool: CloudFormation, SAM, Terraform or the CDK.

A document has the tables as they would be created, in a fixed order, so that the change of a model is a readable change
of the document.
"""

from __future__ import annotations

import collections.abc as cabc
import typing as t

from dynaflask.exceptions import ConfigurationError
from dynaflask.tables.export_cloudformation import cdk
from dynaflask.tables.export_cloudformation import cloudformation
from dynaflask.tables.export_cloudformation import sam
from dynaflask.tables.export_table import ExportedTable
from dynaflask.tables.export_table import exported
from dynaflask.tables.export_terraform import terraform
from dynaflask.tables.schema import Json
from dynaflask.tables.table import Models
from dynaflask.tables.table import Table
from dynaflask.tables.table import find_tables

if t.TYPE_CHECKING:
    from dynaflask.registry.registry import Registry

__all__ = ["export"]

#: The formats. Each function takes the prefix of the tables, and the tables.
FORMATS: t.Final[cabc.Mapping[str, cabc.Callable[[str, cabc.Sequence[ExportedTable]], Json]]] = {
    "cloudformation": cloudformation,
    "sam": sam,
    "terraform": terraform,
    "cdk-json": cdk,
}


def export(
    registry: Registry, document_format: str, *, bind_key: str | None = None, models: Models | None = None
) -> Json:
    """The tables of an app's models as a document, which is written as JSON. Makes no call.

    A table name that begins with the prefix of its bind is exported as the prefix, which is a parameter of the
    document, and the rest.

    Args:
        registry: The app's registry, in a context of the app.
        document_format: A key of `FORMATS`.
        bind_key: Limits the document to the tables of models on this bind.
        models: Limits the document to the tables of these models.

    Raises:
        ConfigurationError: There are no such tables, they are on several binds, or their names are too similar.
    """
    tables = find_tables(registry, bind_key=bind_key, models=models)
    prefix = _common_prefix(tables)
    resources = sorted((exported(table, prefix) for table in tables), key=lambda table: table.name)
    _check_ids(resources)
    return FORMATS[document_format](prefix, resources)


def _common_prefix(tables: cabc.Sequence[Table]) -> str:
    # A stack, or a provider, is for one region of one account.
    bind_keys = sorted({table.bind.key for table in tables})
    if not bind_keys:
        raise ConfigurationError("There are no tables to export: no model has a table_name in its Meta.")
    if len(bind_keys) > 1:
        raise ConfigurationError(
            f"A document has the tables of one bind, and these are on {', '.join(bind_keys)}: name one with --bind."
        )
    prefix = tables[0].bind.table_prefix
    return prefix if isinstance(prefix, str) else ""


def _check_ids(tables: cabc.Sequence[ExportedTable]) -> None:
    names: dict[str, str] = {}
    for table in tables:
        other = names.setdefault(table.id, table.name)
        if other != table.name:
            # A number after the id would change with the tables beside it, and a new id means a new, empty table.
            raise ConfigurationError(
                f"The tables {other!r} and {table.name!r} would both be the resource {table.id!r}. Export them into"
                " two documents: name the models."
            )
