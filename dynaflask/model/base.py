"""``dynaflask.Model``: PynamoDB's model, whose ``Meta`` and connection answer for the current app."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

import pynamodb.models
from pynamodb.pagination import ResultIterator

from dynaflask.client.connection import Connection
from dynaflask.client.connection import TableConnection
from dynaflask.client.connection import TransactionItem
from dynaflask.client.direct.page_decoder import DecodedPage
from dynaflask.client.key import DIRECT
from dynaflask.client.key import transport_of
from dynaflask.model import batch_keys
from dynaflask.model.batch import BatchWrite
from dynaflask.model.batch_items import BatchItems
from dynaflask.model.batch_items import usual_steps
from dynaflask.model.codec.compiled import CompiledCodec
from dynaflask.model.codec.responses import ResponseDecoder
from dynaflask.model.codec.serializer import CheckedSerializer
from dynaflask.model.conditions import ConditionMixin
from dynaflask.model.counts import CountMixin
from dynaflask.model.creation import GetOrCreateMixin
from dynaflask.model.index_keys import IndexKeysMixin
from dynaflask.model.item_lane import ItemLane
from dynaflask.model.item_tenant import ItemTenantMixin
from dynaflask.model.item_tenant import TenantPageDecoder
from dynaflask.model.item_tenant import with_tenant
from dynaflask.model.item_tenant import with_tenant_of_results
from dynaflask.model.lane_steps import STEPS
from dynaflask.model.lane_steps import LaneSteps
from dynaflask.model.lanes import ItemLanesMixin
from dynaflask.model.lookups import GetOr404Mixin
from dynaflask.model.metaclass import ModelMeta
from dynaflask.model.pynamodb_internals import BATCH_GET
from dynaflask.model.pynamodb_internals import BATCH_WRITE
from dynaflask.model.pynamodb_internals import page_request
from dynaflask.model.pynamodb_internals import wrap_map_function
from dynaflask.model.results import BatchGetAdapter
from dynaflask.model.results import ModelResultIterator
from dynaflask.model.results import iterate_in_scope
from dynaflask.model.simple_dict import SimpleDictMixin
from dynaflask.model.tenant_guard import TenantGuardMixin
from dynaflask.model.updates import UpdateFromMixin
from dynaflask.model.versions import VersionMixin
from dynaflask.registry.context import current_scope
from dynaflask.registry.context import require_scope
from dynaflask.registry.declaration import DeclaredMeta
from dynaflask.registry.declaration import own_attribute
from dynaflask.registry.scope import Scope

if t.TYPE_CHECKING:
    from dynaflask.extension import Dynamo


class _FromRawData:
    """``Model.from_raw_data``: makes an object from an item.

    PynamoDB looks it up once for all items of a query. So does each look-up here find the codec once.
    """

    def __get__(self, instance: object, owner: type[Model]) -> t.Callable[..., t.Any]:
        make: t.Callable[[t.Any], t.Any] | None = None
        # The scope of the look-up is the scope of the query; its items may be read in another tenant's block.
        scope = current_scope(owner.__dynamo__)

        def from_raw_data(data: dict[str, t.Any] | None) -> t.Any:
            nonlocal make
            if make is not None and data is not None:
                return make(data)
            # A program may keep the method of a class, which it looked up outside of contexts.
            used_in = scope or current_scope(owner.__dynamo__)
            codec = _codec_in(used_in, owner)
            deserializer = None if codec is None or data is None else codec.deserializer
            # PynamoDB's own method is looked up only if it is needed: that takes as long as a codec.
            plain = deserializer.make if deserializer else t.cast("t.Any", super(Model, owner)).from_raw_data
            made = with_tenant(plain, None if used_in is None else used_in.known_tenant)
            if scope is not None and scope.known_principal is not None:
                make = made
            return made(data)

        return from_raw_data


class Model(
    GetOr404Mixin,
    GetOrCreateMixin,
    ConditionMixin,
    ItemLanesMixin,
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
        return _with_page_decoder(cls, super().query(*args, **kwargs))

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
        return _with_page_decoder(cls, super().scan(*args, **kwargs))

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
        scope, batch_get = _pinned_scope(cls), t.cast("t.Any", super().batch_get)
        # A base between this class and PynamoDB's may override it.
        if getattr(batch_get, "__func__", batch_get) is not BATCH_GET:
            items = batch_get(*args, **kwargs)
            return iterate_in_scope(scope, items) if isinstance(items, cabc.Iterator) else items
        adapter = BatchGetAdapter(cls, connect=lambda: _connection_for_pages(cls, scope))
        pages = iterate_in_scope(scope, batch_keys.batch_get(adapter, *args, **kwargs))
        return _objects_of_pages(cls, pages, scope=scope)

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
        items = BatchItems(_BATCH_STEPS, _checked_serializer_of)
        return BatchWrite(cls, *args, **options, scope=_pinned_scope(cls), items=items)

    # PynamoDB's transactions call these four, and send the result over the connection that they were given.

    def get_save_kwargs_from_instance(self, *args: t.Any, **options: t.Any) -> dict[str, t.Any]:
        """Parameters of a write in a transaction; see PynamoDB. Only a connection to the same place can read them."""
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

    from_raw_data = _FromRawData()

    @classmethod
    def _get_connection(cls) -> TableConnection:
        return require_scope(cls.__name__, cls.__dynamo__).model_table(cls)

    @classmethod
    def _item_lane(cls, scope: Scope) -> ItemLane | None:
        codec = scope.codec_for(cls, _find_codec)
        if codec is None:
            return None
        lane: ItemLane | None = codec.lane
        # Two threads may each make one here. Both are right, and the later one stays.
        if lane is None:
            lane = codec.lane = ItemLane(cls, codec=codec, steps=_LANE_STEPS, safe_responses=_safe_responses)
        return lane

    def _container_serialize(self, null_check: bool = True) -> dict[str, dict[str, t.Any]]:
        codec = _codec_of(type(self)) if null_check else None
        serialize = None if codec is None else codec.serializer
        return super()._container_serialize(null_check=null_check) if serialize is None else serialize(self)

    def _container_deserialize(self, attribute_values: dict[str, dict[str, t.Any]]) -> None:
        codec = _codec_of(type(self))
        deserializer = None if codec is None else codec.deserializer
        if deserializer is None:
            super()._container_deserialize(attribute_values)
        else:
            deserializer.fill(self, attribute_values)


_FROM_RAW_DATA: t.Final = vars(Model)["from_raw_data"]
_BATCH_STEPS: t.Final = usual_steps(Model)
_LANE_STEPS: t.Final = {operation: LaneSteps(Model, operation, lanes=ItemLanesMixin) for operation in STEPS}


def _transaction_item(model: t.Any, request: dict[str, t.Any]) -> dict[str, t.Any]:
    connection = model._get_connection().connection
    # A program may put a connection of its own in place of the model's.
    if not isinstance(connection, Connection):
        return request
    declaration = model.__declaration__
    is_shared = declaration is not None and declaration.is_shared
    scope = None if is_shared else current_scope(model.__dynamo__)
    return TransactionItem(request, connection, scope=scope)


def _codec_of(model: type[Model]) -> CompiledCodec | None:
    """The codec that converts a model's items in the current scope; None if PynamoDB does."""
    return _codec_in(current_scope(model.__dynamo__), model)


def _codec_in(scope: Scope | None, model: type[Model]) -> CompiledCodec | None:
    return _find_codec(model, None) if scope is None else scope.codec_for(model, _find_codec)


def _checked_serializer_of(model: type[Model]) -> CheckedSerializer | None:
    codec = _codec_of(model)
    return None if codec is None else codec.checked_serializer


def _find_codec(model: type[Model], scope: Scope | None) -> CompiledCodec | None:
    declaration = model.__declaration__
    if scope is not None and declaration is not None and scope.wants_stock(declaration):
        return None
    codec = model.__codec__
    # Two threads may each make one here. Both are right, and the later one stays.
    if codec is None or codec.model is not model:
        codec = model.__codec__ = CompiledCodec(model, base=Model)
    return codec


def _with_page_decoder(model: type[Model], results: t.Any) -> t.Any:
    """The results of a query or a scan. If no user code can see the difference, a page is decoded into objects."""
    if not isinstance(results, ResultIterator):
        return results
    scope = current_scope(model.__dynamo__)
    tenant = None if scope is None else scope.known_tenant
    if tenant is not None and not _has_own_from_raw_data(model):
        # It may call Model's when the items are read, in another tenant's block.
        wrap_map_function(results, lambda make: with_tenant_of_results(make, tenant))
    if type(results) is not ResultIterator:
        return results
    try:
        request = page_request(results)
    except AttributeError:
        return results
    table = getattr(request.operation, "__self__", None)
    responses = _safe_responses(model, _codec_in(scope, model))
    if responses is None or not _is_direct(table):
        return results
    return ModelResultIterator(request, TenantPageDecoder(responses, tenant), make=with_tenant(responses.make, tenant))


def _connection_for_pages(model: type[Model], scope: Scope) -> TableConnection:
    """The model's table, on a connection that decodes pages to objects if no user code can see the difference."""
    table = model._get_connection()
    responses = _safe_responses(model, scope.codec_for(model, _find_codec))
    if responses is None or not _is_direct(table):
        return table
    return table.with_page_decoder(TenantPageDecoder(responses, scope.known_tenant))


def _is_direct(table: t.Any) -> t.TypeGuard[TableConnection]:
    return type(table) is TableConnection and transport_of(table.connection.bind) == DIRECT


def _objects_of_pages(model: type[Model], pages: cabc.Iterator[list[t.Any]], *, scope: Scope) -> cabc.Iterator[t.Any]:
    # Entering the scope for each item would take as long as deserializing the item.
    for page in pages:
        responses = _safe_responses(model, scope.codec_for(model, _find_codec))
        if type(page) is DecodedPage:
            yield from page
        elif responses is None:
            yield from iterate_in_scope(scope, (model.from_raw_data(item) for item in page))
        else:
            yield from map(with_tenant(responses.make, scope.known_tenant), page)


def _safe_responses(model: type[Model], codec: CompiledCodec | None) -> ResponseDecoder | None:
    """A decoder that runs no user code, and can run at any time in any scope; or None."""
    return codec.responses if codec is not None and _has_own_from_raw_data(model) else None


def _has_own_from_raw_data(model: type[Model]) -> bool:
    # The program may override from_raw_data, or patch it at any time, also Model's own.
    return own_attribute(model, "from_raw_data") is _FROM_RAW_DATA


def _pinned_scope(model: type[Model]) -> Scope:
    return require_scope(model.__name__, model.__dynamo__).pinned_to(model)
