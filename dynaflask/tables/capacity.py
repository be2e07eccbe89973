"""``Capacity``: read and write units, of a provisioned table, as a maximum, or as warm throughput."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

from dynaflask.config.table_validators import UNLIMITED

Units = dict[str, int]


class Capacity(t.NamedTuple):
    """Units per second. ``None`` is unspecified."""

    read: int | None = None
    write: int | None = None

    @classmethod
    def of_setting(cls, units: cabc.Mapping[str, int] | None) -> Capacity:
        """The capacity of a setting such as ``{"read": 100}``."""
        return cls(**units) if units else UNSPECIFIED

    def with_defaults(self, other: Capacity) -> Capacity:
        """This capacity, with its unspecified units taken from the other."""
        return Capacity(
            other.read if self.read is None else self.read, other.write if self.write is None else self.write
        )

    @property
    def request(self) -> Units:
        """The ``ProvisionedThroughput`` of a request."""
        return self._named("ReadCapacityUnits", "WriteCapacityUnits")

    @property
    def maximum_request(self) -> Units:
        """The ``OnDemandThroughput`` of a request."""
        return self._named("MaxReadRequestUnits", "MaxWriteRequestUnits")

    @property
    def warm_request(self) -> Units:
        """The ``WarmThroughput`` of a request."""
        return self._named("ReadUnitsPerSecond", "WriteUnitsPerSecond")

    def _named(self, read: str, write: str) -> Units:
        return {name: value for name, value in ((read, self.read), (write, self.write)) if value is not None}

    def __str__(self) -> str:
        read, write = ("unlimited" if units == UNLIMITED else units for units in self)
        return f"{read} read, {write} write"


UNSPECIFIED: t.Final = Capacity()


def described_capacity(entry: cabc.Mapping[str, t.Any]) -> Capacity:
    """The capacity of a table or an index in the response of ``DescribeTable``."""
    # Zero units are how DynamoDB describes a table with on-demand billing.
    units = entry.get("ProvisionedThroughput") or {}
    return Capacity(units.get("ReadCapacityUnits") or None, units.get("WriteCapacityUnits") or None)


def described_maximum(entry: cabc.Mapping[str, t.Any]) -> Capacity:
    """Its maximum, as `described_capacity`. Without one, all units are ``UNLIMITED``."""
    units = entry.get("OnDemandThroughput") or {}
    return Capacity(units.get("MaxReadRequestUnits", UNLIMITED), units.get("MaxWriteRequestUnits", UNLIMITED))


def described_warm(entry: cabc.Mapping[str, t.Any]) -> Capacity:
    """Its warm throughput, as `described_capacity`. A server that has none shows 0."""
    units = entry.get("WarmThroughput") or {}
    return Capacity(units.get("ReadUnitsPerSecond", 0), units.get("WriteUnitsPerSecond", 0))
