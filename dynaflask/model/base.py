"""``dynaflask.Model``: PynamoDB's model, whose ``Meta`` and connection answer for the current app."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

import pynamodb.connection
import pynamodb.connection.base
import pynamodb.models

from dynaflask.client.patches import remember
from dynaflask.model.codec_lookup import FROM_RAW_DATA
from dynaflask.model.codec_lookup import codec_of
from dynaflask.model.conditions import ConditionMixin
from dynaflask.model.counts import CountMixin
from dynaflask.model.creation import GetOrCreateMixin
from dynaflask.model.fast_paths import FastPathMixin
from dynaflask.model.index_keys import IndexKeysMixin
from dynaflask.model.item_tenant import ItemTenantMixin
from dynaflask.model.lookups import GetOr404Mixin
from dynaflask.model.metaclass import ModelMeta
from dynaflask.model.pynamodb_internals import BATCH_WRITE
from dynaflask.model.simple_dict import SimpleDictMixin
from dynaflask.model.tenant_guard import TenantGuardMixin
from dynaflask.model.updates import UpdateFromMixin
from dynaflask.model.versions import VersionMixin
from dynaflask.registry.context import require_scope
from dynaflask.registry.declaration import DeclaredMeta

if t.TYPE_CHECKING:
    from dynaflask.client.table_connection import TableConnection
    from dynaflask.extension import Dynamo
    from dynaflask.model.batch import BatchWrite
    from dynaflask.model.codec.compiled import CompiledCodec
    from dynaflask.registry.scope import Scope


class Model(
    GetOr404Mixin,
    GetOrCreateMixin,
    ConditionMixin,
    FastPathMixin,
    TenantGuardMixin,
    CountMixin,
    IndexKeysMixin,
    UpdateFromMixin,
    VersionMixin,
    ItemTenantMixin,
    SimpleDictMixin,
    pynamodb.models.Model,
    metaclass=ModelMeta,
):
    """PynamoDB's model, bound to an app at each use instead of once per process.

    Inside an application context, everything in PynamoDB's documentation of models applies. The current app serves the
    model with its own settings, whichever ``Dynamo`` it was initialised with, unless ``init_app(models=[...])`` limits
    the app to other models. A subclass of ``db.Model`` belongs to apps of that ``db`` alone.
    """

    __dynamo__: t.ClassVar[Dynamo | None] = None
    __declaration__: t.ClassVar[DeclaredMeta | None] = None
    __codec__: t.ClassVar[CompiledCodec | None] = None

    @classmethod
    def query(cls, *args: t.Any, **kwargs: t.Any) -> t.Any:  # noqa: D417 - PynamoDB has the signature
        """The items of one hash key, in the order of the range key.

        Args:
            hash_key: The hash key of the table, or of the index.
            range_key_condition: A condition on the range key, such as ``Thread.subject.startswith("He")``.
            filter_condition: A condition on other attributes. DynamoDB reads an item, and charges for it, before it
                applies the filter.
            consistent_read: True to read what the last write left, for twice the capacity units. Global indexes cannot.
            index_name: Name of an index; by default the table.
            scan_index_forward: False for the descending order.
            limit: The most items to return.
            last_evaluated_key: The key to continue after: the attribute of this name of earlier results.
            attributes_to_get: Names of the attributes to read; by default all.
            page_size: The most items that one request reads. DynamoDB ends a page at 1 MB:
                https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html
            rate_limit: The most capacity units per second.

        Returns:
            An iterator, which sends a request for each page when its items are read.

        Raises:
            QueryError: DynamoDB refused, when the items are read.
            TenantMismatch: The query of an index would read the items of all tenants.
        """
        from dynaflask.model.pages import with_page_decoder  # noqa: PLC0415 - a declaration does not need it

        return with_page_decoder(cls, super().query(*args, **kwargs))

    @classmethod
    def scan(cls, *args: t.Any, **kwargs: t.Any) -> t.Any:  # noqa: D417 - PynamoDB has the signature
        """All items of the table or an index, in no order. DynamoDB reads each one, and charges for it.

        Args:
            filter_condition: A condition on attributes, applied after an item is read.
            segment: Number of the part to read, from 0, if several workers share the scan.
            total_segments: Number of parts.
            limit: The most items to return.
            last_evaluated_key: The key to continue after: the attribute of this name of earlier results.
            page_size: The most items that one request reads. DynamoDB ends a page at 1 MB:
                https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html
            consistent_read: True to read what the last write left, for twice the capacity units. Global indexes cannot.
            index_name: Name of an index; by default the table.
            rate_limit: The most capacity units per second.
            attributes_to_get: Names of the attributes to read; by default all.

        Returns:
            An iterator, which sends a request for each page when its items are read.

        Raises:
            ScanError: DynamoDB refused, when the items are read.
            TenantMismatch: The model has a ``TenantKey``: a scan would read the items of all tenants.
        """
        from dynaflask.model.pages import with_page_decoder  # noqa: PLC0415 - a declaration does not need it

        return with_page_decoder(cls, super().scan(*args, **kwargs))

    @classmethod
    def batch_get(  # noqa: D417 - PynamoDB has the signature
        cls, *args: t.Any, **kwargs: t.Any
    ) -> cabc.Iterator[t.Any]:
        """The items of many keys, in no order. A key without an item is left out.

        Every page comes from the destination that the call was made in.

        Args:
            items: The hash keys, or pairs of hash key and range key. A request takes 100 of them:
                https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
            consistent_read: True to read what the last write left, for twice the capacity units.
            attributes_to_get: Names of the attributes to read; by default all.

        Returns:
            An iterator, which sends the requests when its items are read.

        Raises:
            GetError: DynamoDB refused, when the items are read.
        """
        from dynaflask.model import pages  # noqa: PLC0415 - a declaration does not need it

        # A base between this class and PynamoDB's may override it.
        return pages.batch_get(cls, super().batch_get, args, kwargs, scope=_pinned_scope(cls))

    @classmethod
    def batch_write(  # noqa: D417 - PynamoDB has the signature
        cls, *args: t.Any, **options: t.Any
    ) -> BatchWrite[t.Any]:
        """A context manager that saves and deletes items, 25 in a request.

        All requests go to the destination that the call was made in. The writes of a batch are no transaction: some may
        be done when an error is raised.

        Args:
            auto_commit: False to send nothing before ``commit`` or the end of the block. Then a batch takes 25 items:
                https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
        """
        batch_write = t.cast("t.Any", super().batch_write)
        if getattr(batch_write, "__func__", batch_write) is not BATCH_WRITE:
            return t.cast("BatchWrite[t.Any]", batch_write(*args, **options))
        from dynaflask.model.batch import BatchWrite  # noqa: PLC0415 - a declaration does not need it

        return BatchWrite(cls, *args, **options, scope=_pinned_scope(cls))

    # PynamoDB's transactions call these four, and send the result over the connection that they were given.

    def get_save_kwargs_from_instance(self, *args: t.Any, **options: t.Any) -> dict[str, t.Any]:
        """Parameters of a write in a transaction; see PynamoDB.

        Only a connection to the same destination can read them.
        """
        return _transaction_item(self, super().get_save_kwargs_from_instance(*args, **options))

    def get_update_kwargs_from_instance(self, *args: t.Any, **options: t.Any) -> dict[str, t.Any]:
        """Parameters of an update in a transaction; see `get_save_kwargs_from_instance`."""
        return _transaction_item(self, super().get_update_kwargs_from_instance(*args, **options))

    def get_delete_kwargs_from_instance(self, *args: t.Any, **options: t.Any) -> dict[str, t.Any]:
        """Parameters of a deletion in a transaction; see `get_save_kwargs_from_instance`."""
        return _transaction_item(self, super().get_delete_kwargs_from_instance(*args, **options))

    @classmethod
    def get_operation_kwargs_from_class(cls, *args: t.Any, **options: t.Any) -> dict[str, t.Any]:
        """Parameters of a read or a check in a transaction; see `get_save_kwargs_from_instance`."""
        return _transaction_item(cls, super().get_operation_kwargs_from_class(*args, **options))

    from_raw_data = FROM_RAW_DATA

    @classmethod
    def _get_connection(cls) -> TableConnection:
        return require_scope(cls.__name__, cls.__dynamo__).model_table(cls)

    def _container_serialize(self, null_check: bool = True) -> dict[str, dict[str, t.Any]]:
        codec = codec_of(type(self)) if null_check else None
        serialize = None if codec is None else codec.serializer
        return super()._container_serialize(null_check=null_check) if serialize is None else serialize(self)

    def _container_deserialize(self, attribute_values: dict[str, dict[str, t.Any]]) -> None:
        codec = codec_of(type(self))
        deserializer = None if codec is None else codec.deserializer
        if deserializer is None:
            super()._container_deserialize(attribute_values)
        else:
            deserializer.fill(self, attribute_values)


# The modules of calls compare methods with what they are here, and are imported when an app is initialised.
remember(
    *Model.__mro__,
    pynamodb.connection.Connection,
    pynamodb.connection.TableConnection,
    pynamodb.connection.base.MetaTable,
)


def _transaction_item(model: t.Any, request: dict[str, t.Any]) -> dict[str, t.Any]:
    from dynaflask.model.transactions import transaction_item  # noqa: PLC0415 - a declaration does not need it

    return transaction_item(model, request)


def _pinned_scope(model: t.Any) -> Scope:
    return require_scope(model.__name__, model.__dynamo__).pinned_to(model)
