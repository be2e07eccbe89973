"""Expressions of raw requests: placeholders for names and values of any kind."""

from __future__ import annotations

import collections.abc as cabc

from dynaflask.tables.schema import Json


class Placeholders:
    """The names and values of one request. Any name may be a reserved word of DynamoDB, so that each is replaced."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._values: Json = {}

    def name(self, name: str) -> str:
        """The placeholder of an attribute's name."""
        return self._names.setdefault(name, f"#{len(self._names)}")

    def value(self, value: Json) -> str:
        """The placeholder of a value, in DynamoDB's JSON."""
        placeholder = f":{len(self._values)}"
        self._values[placeholder] = value
        return placeholder

    def assign(self, values: cabc.Mapping[str, Json]) -> str:
        """Assignments, for the SET of an update."""
        return ", ".join(f"{self.name(name)} = {self.value(value)}" for name, value in values.items())

    def equal(self, values: cabc.Mapping[str, Json | None]) -> str:
        """A condition: each attribute has this value, or does not exist if the value is None."""
        return " AND ".join(
            f"attribute_not_exists({self.name(name)})" if value is None else f"{self.name(name)} = {self.value(value)}"
            for name, value in values.items()
        )

    @property
    def request(self) -> Json:
        """The parameters of the request."""
        # DynamoDB refuses an empty dict.
        values = {"ExpressionAttributeValues": self._values} if self._values else {}
        return {"ExpressionAttributeNames": {placeholder: name for name, placeholder in self._names.items()}, **values}
