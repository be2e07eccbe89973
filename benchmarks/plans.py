"""Items to objects and back, by plan and by PynamoDB, with no call in between: ``python benchmarks/plans.py``."""

from __future__ import annotations

import datetime as dt
import statistics
import time
import typing as t

from pynamodb.attributes import AttributeContainer
from pynamodb.attributes import BooleanAttribute
from pynamodb.attributes import MapAttribute
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.attributes import UnicodeSetAttribute
from pynamodb.attributes import UTCDateTimeAttribute

import dynaflask

db = dynaflask.Dynamo()
ROUNDS, ITEMS = 60, 100


class Address(MapAttribute[t.Any, t.Any]):
    """A map with declared attributes."""

    city = UnicodeAttribute()
    zip_code = NumberAttribute()


class Person(db.Model):  # type: ignore[misc,name-defined]
    """Eleven attributes, with a map, a set, numbers and a UTC datetime."""

    class Meta:
        """Read only the name."""

        table_name = "people"

    id = UnicodeAttribute(hash_key=True)
    name = UnicodeAttribute()
    mail = UnicodeAttribute(null=True)
    street = UnicodeAttribute(null=True)
    visits = NumberAttribute(default=0)
    balance = NumberAttribute()
    rank = NumberAttribute()
    is_active = BooleanAttribute(default=True)
    tags = UnicodeSetAttribute(null=True)
    created = UTCDateTimeAttribute()
    address = Address(null=True)


def make_person() -> t.Any:
    """An object with a value in each attribute."""
    return Person(
        "p-1",
        name="Ada",
        mail="ada@example.com",
        street="Main Street",
        visits=12,
        balance=99.5,
        rank=3,
        tags={"a", "b", "c"},
        created=dt.datetime(2026, 11, 22, 12, 30, tzinfo=dt.timezone.utc),
        address=Address(city="London", zip_code=12345),
    )


def measure() -> dict[str, list[float]]:
    """CPU seconds of each way for a hundred items, in turn, as often as there are rounds."""
    person = make_person()
    item = person.serialize()
    plain_read: t.Any = t.cast("t.Any", AttributeContainer._instantiate).__func__

    def read() -> None:
        make = Person.from_raw_data
        for _ in range(ITEMS):
            make(item)

    ways = {
        "read by PynamoDB": lambda: [plain_read(Person, item) for _ in range(ITEMS)],
        "read by plan": read,
        "written by PynamoDB": lambda: [AttributeContainer._container_serialize(person) for _ in range(ITEMS)],
        "written by plan": lambda: [person.serialize() for _ in range(ITEMS)],
    }
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            start = time.process_time()
            way()
            spent[name].append(time.process_time() - start)
    return spent


def main() -> None:
    """Print what a plan takes of PynamoDB's time."""
    spent = measure()
    for verb in ("read", "written"):
        ours, theirs = spent[f"{verb} by plan"], spent[f"{verb} by PynamoDB"]
        ratios = sorted(one / other for one, other in zip(ours, theirs, strict=True))
        low, high = ratios[len(ratios) // 10], ratios[-len(ratios) // 10]
        print(
            f"{verb}: {statistics.median(ratios):.3f} of PynamoDB's CPU ({low:.3f} to {high:.3f}),"
            f" {min(ours) / ITEMS * 1e6:.1f} us against {min(theirs) / ITEMS * 1e6:.1f} us"
        )


if __name__ == "__main__":
    main()
