"""CPU time to turn items into objects and back: compiled codecs beside PynamoDB, without any call.

python benchmarks/model_codecs.py
"""

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
        """Only the name: nothing is sent."""

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
    """CPU seconds of each codec for a hundred items. The codecs take turns, once per round."""
    person = make_person()
    item = person.serialize()
    plain_read: t.Any = t.cast("t.Any", AttributeContainer._instantiate).__func__

    def read() -> None:
        make = Person.from_raw_data
        for _ in range(ITEMS):
            make(item)

    codecs = {
        "read by PynamoDB": lambda: [plain_read(Person, item) for _ in range(ITEMS)],
        "read compiled": read,
        "written by PynamoDB": lambda: [AttributeContainer._container_serialize(person) for _ in range(ITEMS)],
        "written compiled": lambda: [person.serialize() for _ in range(ITEMS)],
    }
    spent: dict[str, list[float]] = {name: [] for name in codecs}
    for _ in range(ROUNDS):
        for name, run in codecs.items():
            start = time.process_time()
            run()
            spent[name].append(time.process_time() - start)
    return spent


def main() -> None:
    """Print the CPU time of the compiled codec as a share of PynamoDB's."""
    spent = measure()
    for verb in ("read", "written"):
        ours, theirs = spent[f"{verb} compiled"], spent[f"{verb} by PynamoDB"]
        ratios = sorted(one / other for one, other in zip(ours, theirs, strict=True))
        low, high = ratios[len(ratios) // 10], ratios[-len(ratios) // 10]
        print(
            f"{verb}: {statistics.median(ratios):.3f} of PynamoDB's CPU ({low:.3f} to {high:.3f}),"
            f" {min(ours) / ITEMS * 1e6:.1f} us against {min(theirs) / ITEMS * 1e6:.1f} us"
        )


if __name__ == "__main__":
    main()
