"""``change_of``: what a migration changes in an item, as a write that cannot overwrite a newer value."""

from __future__ import annotations

import dataclasses
import typing as t

from dynaflask.exceptions import DynaflaskError
from dynaflask.exceptions import MigrationError
from dynaflask.model.codec.sets import sort_sets
from dynaflask.model.pynamodb_internals import value_key
from dynaflask.model.pynamodb_internals import version_attribute
from dynaflask.tables.migrations.expressions import Placeholders
from dynaflask.tables.migrations.files import Migration
from dynaflask.tables.schema import Json

# A condition has at most 300 operators, and n attributes take 2n - 1 of them.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-expression-parameters
MAX_ATTRIBUTES = 150


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """The change of one item.

    The condition names every attribute that ``forwards`` could see. If one of them has changed since it was read, the
    write fails: the new values may have been computed from the old ones.

    Attributes:
        item: The item as it was read.
        new_item: The item as it is to be.
        seen: The attributes of the model by name, as they were read; ``None`` for one that was missing.
        keys: The names of the table's key.
    """

    item: Json
    new_item: Json
    seen: dict[str, Json | None]
    keys: tuple[str, ...]

    @property
    def is_move(self) -> bool:
        """True if the key changes. DynamoDB then needs a new item."""
        return self.key != {name: self.new_item.get(name) for name in self.keys}

    @property
    def key(self) -> Json:
        """The key of the item."""
        return {name: self.item[name] for name in self.keys}

    def update(self, table_name: str) -> Json:
        """The request of ``UpdateItem``. Attributes that the model does not have stay as they are."""
        placeholders = Placeholders()
        changed = {name: value for name, value in self.new_item.items() if self.item.get(name) != value}
        removed = [placeholders.name(name) for name in self.item if name not in self.new_item]
        clauses = [
            *([f"SET {placeholders.assign(changed)}"] if changed else []),
            *([f"REMOVE {', '.join(removed)}"] if removed else []),
        ]
        return {
            "TableName": table_name,
            "Key": self.key,
            "UpdateExpression": " ".join(clauses),
            "ConditionExpression": placeholders.equal(self.seen),
            **placeholders.request,
        }

    def move(self, table_name: str) -> Json:
        """The request of ``TransactWriteItems`` that writes the item under its new key, which must be free."""
        put, delete = Placeholders(), Placeholders()
        return {
            "TransactItems": [
                {
                    "Put": {
                        "TableName": table_name,
                        "Item": self.new_item,
                        "ConditionExpression": put.equal({self.keys[0]: None}),
                        **put.request,
                    }
                },
                {
                    "Delete": {
                        "TableName": table_name,
                        "Key": self.key,
                        "ConditionExpression": delete.equal(self.seen),
                        **delete.request,
                    }
                },
            ]
        }


def change_of(migration: Migration, item: Json, *, keys: tuple[str, ...]) -> Change | None:
    """What a migration changes in an item; ``None`` if nothing.

    Args:
        migration: The migration of a model.
        item: The item, in DynamoDB's JSON.
        keys: The names of the table's key.

    Raises:
        MigrationError: ``forwards`` failed, or would change the item again the next time, or removes its key.
    """
    instance, changed, removed = _apply(migration, item, keys)
    if not changed and not removed:
        return None
    new_item = {name: value for name, value in {**item, **changed}.items() if name not in removed}
    if missing := [name for name in keys if name not in new_item]:
        raise MigrationError(
            f"{migration.name} removes the key {missing[0]!r} of {_label(item, keys)}. Let forwards() give it a value."
        )
    # A run that is killed repeats the items since its last record.
    _, *again = _apply(migration, new_item, keys)
    if any(again):
        raise MigrationError(
            f"{migration.name} would change {_label(item, keys)} again the next time, and after a kill it gets some"
            " items twice. Let forwards() change only what is not changed yet: `if item.slug is None: item.slug = ...`."
        )
    seen = {attribute.attr_name: item.get(attribute.attr_name) for attribute in instance.get_attributes().values()}
    if len(seen) > MAX_ATTRIBUTES:
        raise MigrationError(
            f"{type(instance).__name__} has more than {MAX_ATTRIBUTES} attributes, which no condition of DynamoDB"
            " covers. Migrate with a function: a file without `model`."
        )
    return Change(item, _with_next_version(instance, item, new_item), seen, keys)


def _apply(migration: Migration, item: Json, keys: tuple[str, ...]) -> tuple[t.Any, Json, set[str]]:
    """An object of the item after ``forwards``, the values that it changed, and the names of those that it removed."""
    try:
        instance = _stored(migration.model, item)
        before = instance.serialize(null_check=False)
        result = migration.forwards(instance)
        after = instance.serialize(null_check=False)
    except DynaflaskError:
        raise
    except Exception as error:
        raise MigrationError(
            f"{migration.name} failed for {_label(item, keys)}: {type(error).__name__}: {error}"
        ) from error
    if result is not None:
        raise MigrationError(
            f"forwards() of {migration.name} returned {type(result).__name__}. Let it change the item that it gets, and"
            " return nothing."
        )
    changed = {
        name: value
        for name, value in after.items()
        if name not in before or sort_sets(before[name]) != sort_sets(value)
    }
    return instance, changed, before.keys() - after.keys()


def _stored(model: t.Any, item: Json) -> t.Any:
    """An object of what the item has: an attribute that it lacks is None, also if the model has a default."""
    instance = model.from_raw_data(item)
    for attribute in instance.get_attributes().values():
        if attribute.attr_name not in item:
            instance.attribute_values.pop(value_key(type(instance), attribute), None)
    return instance


def _with_next_version(instance: t.Any, item: Json, new_item: Json) -> Json:
    attribute = version_attribute(instance)
    if attribute is None:
        return new_item
    # A program that read the item before must not save its copy over the change.
    version = int(item.get(attribute.attr_name, {"N": "0"})["N"]) + 1
    return {**new_item, attribute.attr_name: {"N": str(version)}}


def _label(item: Json, keys: tuple[str, ...]) -> str:
    return f"the item {', '.join(f'{name}={next(iter(item[name].values()))!r}' for name in keys)}"
