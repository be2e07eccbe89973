"""PynamoDB's private names: this module is the only one that reads them.

Each function says what stops working if a release of PynamoDB drops its name. Two uses are elsewhere:

- Methods that PynamoDB calls by a private name, such as ``_get_connection``, are overridden in the class of a model.
- The codec's guards list the private methods that a compiled codec skips. Generated code calls two of them.
"""

from __future__ import annotations

import collections.abc as cabc
import typing as t

import pynamodb.models
from pynamodb import attributes
from pynamodb.attributes import Attribute
from pynamodb.attributes import AttributeContainer
from pynamodb.attributes import DiscriminatorAttribute
from pynamodb.attributes import ListAttribute
from pynamodb.attributes import UTCDateTimeAttribute

if t.TYPE_CHECKING:
    # For the types of transactions.
    ModelFuture = pynamodb.models._ModelFuture

Item = cabc.Mapping[str, t.Any]


class PageRequest(t.NamedTuple):
    """The arguments that a ``ResultIterator`` was made with.

    Attributes:
        operation: The bound method that fetches a page: ``query`` or ``scan`` of a ``TableConnection``.
        args: Its positional arguments.
        kwargs: Its keyword arguments. The iterator changes them from page to page.
        map_fn: Turns an item into an object.
        limit: Number of items that are still to be returned, or None for all.
        rate_limit: Read capacity units per second, or None.
    """

    operation: t.Any
    args: tuple[t.Any, ...]
    kwargs: dict[str, t.Any]
    map_fn: t.Callable[[t.Any], t.Any]
    limit: int | None
    rate_limit: float | None


def page_request(results: t.Any) -> PageRequest:
    """The arguments that a ``ResultIterator`` was made with.

    Raises:
        AttributeError: This PynamoDB names them differently. Then a model's query and scan return PynamoDB's own
            iterator, which decodes a whole page before the first item. ``db.paginate``, a count with a limit, and a
            tenant's query of an index with the table's hash key do not work.
    """
    pages = results.page_iter
    limiter = pages._rate_limiter
    return PageRequest(
        operation=pages._operation,
        args=pages._args,
        kwargs=pages._kwargs,
        map_fn=results._map_fn,
        limit=results._limit,
        rate_limit=None if limiter is None else limiter.rate_limit,
    )


def wrap_map_function(results: t.Any, wrap: t.Callable[[t.Any], t.Any]) -> None:
    """Wrap the function that makes the objects of a ``ResultIterator``.

    Without the name, a tenant's query of a model that overrides ``from_raw_data`` fails.

    Args:
        results: The iterator.
        wrap: Returns the function to use in place of its argument.
    """
    results._map_fn = wrap(results._map_fn)


def current_item(results: t.Any) -> tuple[t.Any, int] | None:
    """The items of a ``ResultIterator``'s page and the index of the last one that it returned; None between two pages.

    Without the names, ``last_evaluated_key`` of a model's query or scan raises an AttributeError.
    """
    return None if results._index == results._count else (results._items, results._index - 1)


def hash_key_attribute(model_or_index: t.Any) -> t.Any:
    """The hash key of a model or of an index. Without the name, no model with a ``TenantKey`` can be used."""
    return model_or_index._hash_key_attribute()


def range_key_attribute(model: t.Any) -> t.Any:
    """The range key of a model, or None. Without the name, no model can be used."""
    return model._range_key_attribute()


def serializes_keys(model: t.Any) -> bool:
    """True if PynamoDB's own method serializes the keys of a model. Without the name, ``batch_get`` takes longer."""
    method = getattr(model, "_serialize_keys", None)
    return SERIALIZE_KEYS is not None and getattr(method, "__func__", None) is SERIALIZE_KEYS


def hash_key_name(model: t.Any) -> str | None:
    """The hash key's name in the class, or None. Without the name, no model can be declared."""
    return t.cast("str | None", model._hash_keyname)


def indexes(model: t.Any) -> dict[str, t.Any]:
    """A model's indexes by name. Without the name, no model can be declared."""
    return t.cast("dict[str, t.Any]", model._indexes)


def table_indexes(model: t.Any) -> list[t.Any]:
    """A model's indexes, and those of the classes that its discriminator knows: the indexes of ``table_schema``."""
    discriminator = discriminator_attribute(model)
    classes = () if discriminator is None else discriminator.get_registered_subclasses(pynamodb.models.Model)
    return list({name: index for cls in (model, *classes) for name, index in indexes(cls).items()}.values())


def model_of_index(index: t.Any) -> t.Any:
    """The model that an index belongs to, or None. Without the name, ``db.paginate`` refuses the queries of indexes."""
    return getattr(index, "_model", None)


def table_schema(model: t.Any) -> dict[str, list[t.Any]]:
    """The keys and indexes that a model declares. Without the name, the table commands do not work."""
    return t.cast("dict[str, list[t.Any]]", model._get_schema())


def ttl_attribute(model: t.Any) -> t.Any:
    """A model's ``TTLAttribute``, or None. Without the name, the table commands do not work."""
    return model._ttl_attribute()


def version_attribute(model: t.Any) -> t.Any:
    """A model's ``VersionAttribute``, or None. Without the name, no object can be updated."""
    name = model._version_attribute_name
    return None if name is None else model.get_attributes()[name]


def count_version(instance: t.Any, item: dict[str, t.Any]) -> None:
    """Put the next version of an object into its item, if it has one. Without the name, a batch cannot save."""
    instance._handle_version_attribute(attributes=item)


def serialized_keys(instance: t.Any) -> dict[str, t.Any]:
    """An object's keys, serialized, by their names in DynamoDB. Without the name, a batch cannot delete."""
    return t.cast("dict[str, t.Any]", instance._get_keys())


def discriminator_attribute(container: t.Any) -> DiscriminatorAttribute | None:
    """The discriminator of a model or a map, or None. Without the name, no model can be deserialized."""
    return t.cast("DiscriminatorAttribute | None", container._get_discriminator_attribute())


def has_discriminator(container: t.Any) -> bool:
    """True if a model or a map has a discriminator. Without the name, no codec can be compiled."""
    return container._discriminator is not None


def discriminated_class(model: t.Any, item: Item) -> t.Any:
    """The class that an item's discriminator names, or None. Without the name, discriminators do not work."""
    return model._get_discriminator_class(item)


def value_key(cls: t.Any, attribute: Attribute[t.Any]) -> str:
    """The key of an attribute in ``attribute_values``. Without the name, no codec can be compiled."""
    return t.cast("str", cls._dynamo_to_python_attrs.get(attribute.attr_name, attribute.attr_name))


def instantiate(model: t.Any, item: Item) -> t.Any:
    """An object from an item, by PynamoDB itself. Without the name, discriminators do not work."""
    return t.cast("t.Any", AttributeContainer._instantiate).__func__(model, item)


def parse_utc(text: t.Any) -> t.Any:
    """A datetime from PynamoDB's format. Without the name, an irregular value raises an AttributeError."""
    return UTCDateTimeAttribute._fast_parse_utc_date_string(text)


def attribute_for(value: t.Any) -> t.Any:
    """The attribute that serializes a value of a raw map. Without the name, only the common types are serialized."""
    return t.cast("t.Any", attributes)._get_class_for_serialize(value)


def element_attribute_for(attribute: ListAttribute[t.Any], value: t.Any) -> t.Any:
    """The attribute that serializes an element of a list. Without the name, only the declared type is serialized."""
    return t.cast("t.Any", attribute)._get_serialize_class(value)


def set_transaction_connection(transaction: t.Any, connection: t.Any) -> None:
    """Send a transaction over another connection. Without the name, it goes to the default bind."""
    transaction._connection = connection


#: The function behind ``Model.batch_get``. A model whose base overrides it calls the override.
BATCH_GET: t.Any = t.cast("t.Any", pynamodb.models.Model.batch_get).__func__
#: The function that fetches a page of it. Without the name, PynamoDB deserializes its items one by one.
BATCH_GET_PAGE: t.Any = getattr(getattr(pynamodb.models.Model, "_batch_get_page", None), "__func__", None)
#: The function that serializes its keys, for the same comparison.
SERIALIZE_KEYS: t.Any = getattr(getattr(pynamodb.models.Model, "_serialize_keys", None), "__func__", None)
#: The function behind ``Model.batch_write``, for the same comparison.
BATCH_WRITE: t.Any = t.cast("t.Any", pynamodb.models.Model.batch_write).__func__
#: The commit of PynamoDB's batch. A test that patches it sees each commit.
BATCH_COMMIT: t.Any = pynamodb.models.BatchWrite.commit
