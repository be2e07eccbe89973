"""How a model class is declared, or adopted, without being tied to one destination."""

from __future__ import annotations

import inspect
import typing as t
import warnings

import pynamodb.models
from pynamodb.models import MetaModel

from dynaflask.model.expired import declare_expiry
from dynaflask.model.index_keys import prepare_indexes
from dynaflask.model.index_settings import index_settings
from dynaflask.model.tenant_key import has_tenant_key
from dynaflask.registry.context import current_scope
from dynaflask.registry.declaration import DeclaredMeta
from dynaflask.registry.declaration import has_own_declaration
from dynaflask.registry.declaration import own_attribute
from dynaflask.registry.meta import DECLARED
from dynaflask.registry.meta import Meta
from dynaflask.registry.models import STATIC_MODELS

if t.TYPE_CHECKING:
    from dynaflask.extension import Dynamo

M = t.TypeVar("M", bound=type[pynamodb.models.Model])

FLASK_SQLALCHEMY_NAMES: t.Final = {"__bind_key__": "bind_key", "__tablename__": "table_name"}


class ScopedMeta:
    """Descriptor behind ``Model.Meta``: the current scope's copy, or the declared values outside a scope.

    Args:
        declaration: What the user declared.
    """

    def __init__(self, declaration: DeclaredMeta) -> None:
        self.declaration = declaration
        self._declared = Meta(declaration, DECLARED)

    def __get__(self, instance: object, owner: t.Any = None) -> Meta:
        scope = current_scope(owner.__dynamo__)
        return self._declared if scope is None else scope.meta(self.declaration)


class ModelMeta(MetaModel):
    """PynamoDB's metaclass, which here does not write its defaults into the user's ``Meta``."""

    __dynamo__: Dynamo | None
    __declaration__: DeclaredMeta | None

    def __new__(  # noqa: D102
        cls, name: str, bases: tuple[type, ...], namespace: dict[str, t.Any], discriminator: t.Any = None
    ) -> t.Any:
        for foreign, ours in FLASK_SQLALCHEMY_NAMES.items():
            if foreign in namespace:
                # Ignored, it would send the items to another place than the class says.
                raise TypeError(
                    f"{name}.{foreign} is a name of Flask-SQLAlchemy. Set {ours} in the class Meta instead."
                )
        if inspect.isclass(namespace.get("Meta")):
            namespace = {**namespace, **_scoped_attributes(namespace["Meta"], name=name, namespace=namespace)}
        return super().__new__(cls, name, bases, namespace, discriminator)  # type: ignore[no-untyped-call]  # PynamoDB's

    def __init__(
        self, name: str, bases: tuple[type, ...], namespace: dict[str, t.Any], discriminator: t.Any = None
    ) -> None:
        # PynamoDB's __init__ writes its defaults into the Meta that it finds in the namespace.
        without_meta = {key: value for key, value in namespace.items() if key != "Meta"}
        super().__init__(name, bases, without_meta, discriminator)
        register_model(self)


def register_model(model: t.Any) -> None:
    """Register a model with its extension object, if it has one, and its keys and indexes with its table's schema.

    Raises:
        TypeError: As of prepare_indexes, has_tenant_key and declare_expiry.
        ConfigurationError: A setting of an index is wrong.
    """
    model.__wide_indexes__ = prepare_indexes(model)
    index_settings(model)
    model.__has_tenant_key__ = has_tenant_key(model)
    declare_expiry(model)
    if model.__declaration__ is not None:
        model.__declaration__.schema.add(model)
    declared = STATIC_MODELS if model.__dynamo__ is None else model.__dynamo__._declared
    declared.add(model)


def scope_existing_model(model: M, *, base: t.Any) -> M:
    """Make an existing PynamoDB model and its subclasses app-scoped, in place.

    Args:
        model: The model's class. It stays the same object.
        base: The ``db.Model`` that becomes its base class.

    Raises:
        TypeError: It is not a PynamoDB model, or DynamoDB does not allow the keys of an index.
        RuntimeError: It is registered with another extension object.
    """
    if not (inspect.isclass(model) and issubclass(model, pynamodb.models.Model)) or model is pynamodb.models.Model:
        raise TypeError(f"db.register takes a PynamoDB model class, not {model!r}.")
    # A model of PynamoDB has no such attribute. It is None for a subclass of dynaflask.Model, which has no owner.
    owner = getattr(model, "__dynamo__", model)
    if owner in (None, base.__dynamo__):
        if vars(model).get("Meta") is not None and not has_own_declaration(model):
            _scope_class(model)
        return model
    if owner is not model:
        raise RuntimeError(f"{model.__name__} is registered with another Dynamo already.")
    for cls in _with_subclasses(model):
        prepare_indexes(cls)
    # A new class would leave every `from models import Thread`, and its DoesNotExist, with the old one.
    bases = tuple(base if parent is pynamodb.models.Model else parent for parent in model.__bases__)
    model.__bases__ = bases if base in bases else (*bases, base)
    for cls in _with_subclasses(model):
        _scope_class(cls)
    return model


def _scope_class(model: t.Any) -> None:
    # A metaclass of the user's stays. Then each later subclass must be registered, too.
    if type(model) is MetaModel:
        model.__class__ = ModelMeta
    declared = own_attribute(model, "Meta")
    if inspect.isclass(declared):
        for name, value in _scoped_attributes(declared, name=model.__name__, namespace=vars(model)).items():
            setattr(model, name, value)
    register_model(model)


def _scoped_attributes(meta_class: type, *, name: str, namespace: t.Any) -> dict[str, t.Any]:
    """The class attributes that make a model with this ``Meta`` app-scoped."""
    if hasattr(meta_class, "session_cls") or hasattr(meta_class, "request_timeout_seconds"):
        warnings.warn("The `session_cls` and `request_timeout_second` options are no longer supported", stacklevel=4)
    full_name = f"{namespace.get('__module__')}.{namespace.get('__qualname__', name)}"
    declaration = DeclaredMeta(meta_class, model_name=name, full_name=full_name)
    return {"Meta": ScopedMeta(declaration), "__declaration__": declaration}


def _with_subclasses(model: t.Any) -> list[t.Any]:
    classes = [model]
    for subclass in model.__subclasses__():
        classes.extend(cls for cls in _with_subclasses(subclass) if cls not in classes)
    return classes
