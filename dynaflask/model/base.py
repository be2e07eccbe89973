"""``db.Model``: PynamoDB's model, whose ``Meta`` and connection answer for the current app."""

from __future__ import annotations

import collections.abc as cabc
import inspect
import typing as t
import warnings

import pynamodb.models
from pynamodb.models import MetaModel
from pynamodb.pagination import ResultIterator

from dynaflask.client.connection import TableConnection
from dynaflask.client.direct.page_decoder import DecodedItem
from dynaflask.client.key import DIRECT
from dynaflask.model import codec
from dynaflask.model.batch import BatchWrite
from dynaflask.model.lookups import GetOr404Mixin
from dynaflask.model.tenant_key import TenantGuardMixin
from dynaflask.model.tenant_key import has_tenant_key
from dynaflask.registry.context import current_scope
from dynaflask.registry.context import require_scope
from dynaflask.registry.context import reset
from dynaflask.registry.declaration import DeclaredMeta
from dynaflask.registry.declaration import has_own_declaration
from dynaflask.registry.declaration import own_attribute
from dynaflask.registry.meta import DECLARED
from dynaflask.registry.meta import Meta
from dynaflask.registry.scope import Scope

if t.TYPE_CHECKING:
    from dynaflask.extension import Dynamo
    from dynaflask.model.codec import Plan
    from dynaflask.model.codec import Reader
    from dynaflask.model.codec import Writer

M = t.TypeVar("M", bound=type[pynamodb.models.Model])


class ScopedMeta:
    """Stands in the class's namespace as ``Meta``, and answers with the current scope's copy.

    Args:
        declaration: What the user wrote.
    """

    def __init__(self, declaration: DeclaredMeta) -> None:
        self.declaration = declaration
        self._declared = Meta(declaration, DECLARED)

    def __get__(self, instance: object, owner: t.Any = None) -> Meta:
        scope = current_scope(owner.__dynamo__)
        return self._declared if scope is None else scope.meta(self.declaration)


class ModelMeta(MetaModel):
    """PynamoDB's metaclass, kept from writing its defaults into the ``Meta`` that the user wrote."""

    __dynamo__: Dynamo | None
    __declaration__: DeclaredMeta | None

    def __new__(  # noqa: D102
        cls, name: str, bases: tuple[type, ...], namespace: dict[str, t.Any], discriminator: t.Any = None
    ) -> t.Any:
        if inspect.isclass(namespace.get("Meta")):
            namespace = {**namespace, **_scoped(namespace["Meta"], name=name, namespace=namespace)}
        return super().__new__(cls, name, bases, namespace, discriminator)  # type: ignore[no-untyped-call]  # PynamoDB's

    def __init__(
        self, name: str, bases: tuple[type, ...], namespace: dict[str, t.Any], discriminator: t.Any = None
    ) -> None:
        without_meta = {key: value for key, value in namespace.items() if key != "Meta"}
        super().__init__(name, bases, without_meta, discriminator)
        register_model(t.cast("type[Model]", self))


def register_model(model: type[Model]) -> None:
    """Make a model known to its extension object, and its keys and indexes to its table."""
    model.__has_tenant_key__ = has_tenant_key(model)
    if model.__declaration__ is not None:
        model.__declaration__.schema.add(model)
    if model.__dynamo__ is not None:
        model.__dynamo__._add(model)


def _way(model: type[Model], direction: str) -> t.Any:
    """What to follow in place of PynamoDB's own steps; ``None`` if these are the ones to take.

    Args:
        model: The class of the objects.
        direction: ``"reading"`` or ``"writing"``.
    """
    scope = current_scope(model.__dynamo__)
    return _find_codec(model, direction, None) if scope is None else scope.codec_for(direction, model, _find_codec)


def _find_codec(model: type[Model], direction: str, scope: Scope | None) -> t.Any:
    kept = f"__{direction}__"
    plan: Plan[t.Any] | None = getattr(model, kept)
    if plan is None or plan.model is not model or not plan.holds():
        plan = getattr(codec, direction)(model, beneath=Model)
        setattr(model, kept, plan)
    declaration = model.__declaration__
    wants_stock = scope is not None and declaration is not None and scope.wants_stock(declaration)
    return None if wants_stock else t.cast("Plan[t.Any]", plan).way


class _FromRawData:
    """``Model.from_raw_data``: an object from an item. It picks the way once, for all that it is called for."""

    def __get__(self, instance: object, owner: type[Model]) -> t.Callable[..., t.Any]:
        make: t.Callable[[t.Any], t.Any] | None = None

        def from_raw_data(data: dict[str, t.Any] | None) -> t.Any:
            nonlocal make
            if make is None or data is None:
                reader: Reader | None = _way(owner, "reading")
                plain = t.cast("t.Any", super(Model, owner)).from_raw_data
                make = plain if reader is None or data is None else reader.make
            return make(data)

        return from_raw_data


class ModelResultIterator(ResultIterator[t.Any]):
    """A query's or a scan's results, whose items become objects as they are decoded. Its pages are PynamoDB's."""

    def _get_next_page(self) -> None:
        known: t.Any = self
        pages, fetch_items = known.page_iter, known.page_iter._operation
        pages._operation = known._fetch_objects
        try:
            super()._get_next_page()
        finally:
            pages._operation = fetch_items


class BatchGetAdapter:
    """A model as PynamoDB's ``batch_get`` sees it, which then gives pages of items in place of objects.

    Args:
        model: The model's class.
    """

    def __init__(self, model: type[Model]) -> None:
        self._model: t.Any = model
        # Asked for at each key.
        self._serialize_keys = model._serialize_keys

    def __getattr__(self, name: str) -> t.Any:
        return getattr(self._model, name)

    def _batch_get_page(self, *args: t.Any, **options: t.Any) -> tuple[list[t.Any], t.Any]:
        page, unprocessed = self._model._batch_get_page(*args, **options)
        return [list(page)], unprocessed

    def from_raw_data(self, page: t.Any) -> t.Any:
        """Leave a page as it is. A PynamoDB that fetches its pages otherwise gives one item at a time."""
        return page if type(page) is list else [page]


BATCH_GET: t.Any = t.cast("t.Any", pynamodb.models.Model.batch_get).__func__


class Model(GetOr404Mixin, TenantGuardMixin, pynamodb.models.Model, metaclass=ModelMeta):
    """PynamoDB's model, bound to an app at each use instead of once for the process.

    All that PynamoDB documents of its models holds inside an application context.
    """

    __dynamo__: t.ClassVar[Dynamo | None] = None
    __declaration__: t.ClassVar[DeclaredMeta | None] = None

    @classmethod
    def query(cls, *args: t.Any, **kwargs: t.Any) -> t.Any:
        """Items of one hash key; see PynamoDB."""
        return _with_page_decoder(cls, super().query(*args, **kwargs))

    @classmethod
    def scan(cls, *args: t.Any, **kwargs: t.Any) -> t.Any:
        """All items; see PynamoDB."""
        return _with_page_decoder(cls, super().scan(*args, **kwargs))

    @classmethod
    def batch_get(cls, *args: t.Any, **kwargs: t.Any) -> cabc.Iterator[t.Any]:
        """Items by their keys; see PynamoDB. The iterator stays on the destination that it was made for."""
        scope, found = _pinned_scope(cls), t.cast("t.Any", super().batch_get)
        if getattr(found, "__func__", found) is not BATCH_GET:
            return _in_scope(scope, found(*args, **kwargs))
        return _objects(cls, _in_scope(scope, BATCH_GET(BatchGetAdapter(cls), *args, **kwargs)), scope=scope)

    @classmethod
    def batch_write(cls, auto_commit: bool = True) -> BatchWrite:
        """Write items in batches; see PynamoDB. All go to the destination that the batch was made for."""
        return BatchWrite(cls, auto_commit=auto_commit, scope=_pinned_scope(cls))

    __reading__: t.ClassVar[Plan[Reader] | None] = None
    __writing__: t.ClassVar[Plan[Writer] | None] = None

    # Picked once for a page of items: PynamoDB looks it up before it turns to them.
    from_raw_data = _FromRawData()

    @classmethod
    def _get_connection(cls) -> TableConnection:
        return require_scope(cls.__name__, cls.__dynamo__).model_table(cls)

    def _container_serialize(self, null_check: bool = True) -> dict[str, dict[str, t.Any]]:
        write: Writer | None = _way(type(self), "writing") if null_check else None
        return super()._container_serialize(null_check=null_check) if write is None else write(self)

    def _container_deserialize(self, attribute_values: dict[str, dict[str, t.Any]]) -> None:
        reader: Reader | None = _way(type(self), "reading")
        if reader is None:
            super()._container_deserialize(attribute_values)
        else:
            reader.fill(self, attribute_values)


def make_base(dynamo: Dynamo, parent: type[Model]) -> type[Model]:
    """A base class for the models of one extension object."""
    namespace = {"__dynamo__": dynamo, "__module__": parent.__module__, "__doc__": parent.__doc__}
    return t.cast("type[Model]", ModelMeta("Model", (parent,), namespace))


def scope_existing_model(model: M, *, base: type[Model]) -> M:
    """Make an existing PynamoDB model, and the subclasses that it has, app-scoped in place.

    Args:
        model: The model's class. It stays the same object.
        base: The ``db.Model`` to adopt it for.

    Raises:
        TypeError: It is not a PynamoDB model.
        RuntimeError: Another extension object has it.
    """
    if not (inspect.isclass(model) and issubclass(model, pynamodb.models.Model)) or model is pynamodb.models.Model:
        raise TypeError(f"db.register takes a PynamoDB model class, not {model!r}.")
    owner = getattr(model, "__dynamo__", None)
    if owner is base.__dynamo__:
        if vars(model).get("Meta") is not None and not has_own_declaration(model):
            _scope_class(model)
        return model
    if owner is not None:
        raise RuntimeError(f"{model.__name__} is registered with another Dynamo already.")
    # A subclass of PynamoDB's Model becomes one of db.Model: every import of it, and its exceptions, stay valid.
    bases = tuple(base if parent is pynamodb.models.Model else parent for parent in model.__bases__)
    model.__bases__ = bases if base in bases else (*bases, base)
    for cls in _with_subclasses(model):
        _scope_class(cls)
    return model


def _with_page_decoder(model: type[Model], results: t.Any) -> t.Any:
    """The results of a query or a scan, whose items become objects as they are decoded, where that is the same."""
    # PynamoDB keeps these to itself.
    is_known = hasattr(ResultIterator, "_get_next_page") and hasattr(results.page_iter, "_operation")
    if type(results) is not ResultIterator or not is_known:
        return results
    fetch = results.page_iter._operation
    table = getattr(fetch, "__self__", None)
    if type(table) is not TableConnection or table.connection.bind.transport != DIRECT:
        return results
    reader: Reader | None = _way(model, "reading")
    if reader is not None and reader.is_closed and _has_own_from_raw_data(model):
        make = reader.make
        streamed = t.cast("t.Any", results)
        streamed.__class__ = ModelResultIterator
        streamed._fetch_objects = getattr(table.with_item_factory(make), fetch.__name__)
        streamed._map_fn = lambda item: item.instance if type(item) is DecodedItem else make(item)
    return results


def _pinned_scope(model: type[Model]) -> Scope:
    return require_scope(model.__name__, model.__dynamo__).pinned_to(model)


def _has_own_from_raw_data(model: type[Model]) -> bool:
    return own_attribute(model, "from_raw_data") is vars(Model)["from_raw_data"]


def _objects(model: type[Model], pages: cabc.Iterator[t.Any], *, scope: Scope) -> cabc.Iterator[t.Any]:
    # What the program does with an item it does in the scope. To enter that for each costs as much as to read it.
    is_own = _has_own_from_raw_data(model)
    for page in pages:
        reader: Reader | None = scope.codec_for("reading", model, _find_codec)
        if is_own and reader is not None and reader.is_closed:
            yield from map(reader.make, page)
        else:
            yield from _in_scope(scope, (model.from_raw_data(item) for item in page))


def _in_scope(scope: Scope, items: cabc.Iterator[t.Any]) -> cabc.Iterator[t.Any]:
    end = object()
    while True:
        resumption = scope.reenter()
        try:
            item = next(items, end)
        finally:
            reset(resumption)
        if item is end:
            return
        yield item


def _scope_class(model: type[pynamodb.models.Model]) -> None:
    if type(model) is MetaModel:
        model.__class__ = ModelMeta  # type: ignore[assignment]  # so that its later subclasses are scoped, too
    declared = own_attribute(model, "Meta")
    if inspect.isclass(declared):
        for name, value in _scoped(declared, name=model.__name__, namespace=vars(model)).items():
            setattr(model, name, value)
    register_model(t.cast("type[Model]", model))


def _scoped(meta_class: type, *, name: str, namespace: t.Any) -> dict[str, t.Any]:
    if hasattr(meta_class, "session_cls") or hasattr(meta_class, "request_timeout_seconds"):
        warnings.warn("The `session_cls` and `request_timeout_second` options are no longer supported", stacklevel=4)
    full = f"{namespace.get('__module__')}.{namespace.get('__qualname__', name)}"
    declaration = DeclaredMeta(meta_class, model_name=name, full_name=full)
    return {"Meta": ScopedMeta(declaration), "__declaration__": declaration}


def _with_subclasses(model: t.Any) -> list[t.Any]:
    found = [model]
    for subclass in model.__subclasses__():
        found.extend(cls for cls in _with_subclasses(subclass) if cls not in found)
    return found
