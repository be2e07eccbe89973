"""Responses that become objects by structs are what PynamoDB alone makes of them: equal values, types and errors."""

from __future__ import annotations

import base64
import functools
import gc
import json
import typing as t
import weakref

import botocore.session
import pytest
from hypothesis import example
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from pynamodb.attributes import BinaryAttribute
from pynamodb.attributes import BooleanAttribute
from pynamodb.attributes import JSONAttribute
from pynamodb.attributes import ListAttribute
from pynamodb.attributes import MapAttribute
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import NumberSetAttribute
from pynamodb.attributes import TTLAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.attributes import UnicodeSetAttribute
from pynamodb.attributes import UTCDateTimeAttribute
from pynamodb.attributes import VersionAttribute

from dynaflask import DamagedResponse
from dynaflask.client.codec.response_parser import PassthroughParser
from dynaflask.client.codec.response_parser import parse_plain
from dynaflask.client.direct.page_decoder import DecodedPage
from dynaflask.model.base import Model
from dynaflask.model.codec import responses
from dynaflask.model.codec.compiled import CompiledCodec
from dynaflask.model.codec.responses import ResponseDecoder
from tests.support import strategies
from tests.support.accelerators import remove_msgspec
from tests.support.codecs import pynamodb_deserialize
from tests.support.comparing import outcome
from tests.support.comparing import shape
from tests.support.strategies import Place
from tests.support.strategies import thing

SERVICE = botocore.session.Session().get_service_model("dynamodb")
OUTPUTS = {name: SERVICE.operation_model(name).output_shape for name in ("Query", "GetItem", "BatchGetItem")}
CAPACITY = {"TableName": "things", "CapacityUnits": 1.5}


class Shouting(UnicodeAttribute):
    """A subclass that overrides nothing."""


class Journey(MapAttribute[t.Any, t.Any]):
    place = Place(null=True)
    stops = ListAttribute(of=Place, null=True)
    tags = UnicodeSetAttribute(default=set)


def make_thing() -> t.Any:
    """A model with an attribute of each type that structs have."""
    return thing(
        name=UnicodeAttribute(hash_key=True, attr_name="the name"),
        number=NumberAttribute(default=0),
        flag=BooleanAttribute(null=True),
        words=UnicodeSetAttribute(null=True),
        numbers=NumberSetAttribute(null=True),
        at=UTCDateTimeAttribute(null=True),
        data=JSONAttribute(null=True),
        expires=TTLAttribute(null=True),
        version=VersionAttribute(),
        raw=MapAttribute(null=True),  # type: ignore[no-untyped-call]
        raw_list=ListAttribute(null=True),
        places=ListAttribute(of=Place, null=True),
        maps=ListAttribute(of=MapAttribute, null=True),
        lists=ListAttribute(of=ListAttribute, null=True),
        counts=ListAttribute(of=NumberAttribute, null=True),
        trip=Journey(null=True),
        other_trip=Journey(null=True),
        shouting=Shouting(null=True),
    )


THING = make_thing()
ITEM: dict[str, t.Any] = {
    "the name": {"S": "Zürich"},
    "number": {"N": "7"},
    "flag": {"BOOL": False},
    "words": {"SS": ["a", "b"]},
    "numbers": {"NS": ["1", "2.5"]},
    "at": {"S": "2026-11-22T12:30:00.000000+0000"},
    "data": {"S": '{"a": [1, null]}'},
    "expires": {"N": "1700000000"},
    "version": {"N": "3"},
    "raw": {"M": {"x": {"L": [{"N": "1"}, {"NULL": True}, {"BOOL": True}]}}},
    "raw_list": {"L": [{"S": "a"}, {"M": {"b": {"N": "1e3"}}}]},
    "places": {"L": [{"M": {"city": {"S": "x"}, "zip": {"N": "2"}}}]},
    "maps": {"L": [{"M": {"a": {"SS": ["x"]}}}]},
    "lists": {"L": [{"L": [{"S": "x"}]}]},
    "counts": {"L": [{"N": "1"}, {"N": "-2.5"}]},
    "trip": {"M": {"place": {"M": {"city": {"S": "x"}}}}},
    "other_trip": {"M": {}},
    "shouting": {"S": "a"},
    "unknown": {"L": [{"NULL": True}]},
}

DECLARED = {name: value for name, value in ITEM.items() if name != "unknown"}

# Attributes whose members that no attribute declares are skipped.
MAPS = {"trip", "other_trip", "places"}


def dump(value: t.Any, *, escapes: bool = False) -> bytes:
    """JSON as DynamoDB writes it, or with escapes for all but ASCII."""
    text = json.dumps(
        value, separators=(",", ":"), ensure_ascii=escapes, default=lambda data: base64.b64encode(data).decode()
    )
    return text.encode(errors="replace")


@functools.lru_cache(maxsize=1)
def decoder_of(model: t.Any) -> ResponseDecoder | None:
    """A new decoder that has seen enough of its model's responses."""
    decoder = CompiledCodec(model, base=Model).responses
    if decoder is not None:
        decoder._bytes = responses.MIN_BYTES
    return decoder


def parse(operation: str, body: bytes, decoder: t.Any = None) -> t.Any:
    """The result of an operation, as the direct transport makes it."""
    parsed = parse_plain(body, f"{operation}Output", decoder)
    if parsed is None:
        parsed = PassthroughParser().parse_stock({"status_code": 200, "headers": {}, "body": body}, OUTPUTS[operation])
        del parsed["ResponseMetadata"]
    return parsed


def items_of(content: t.Any) -> t.Any:
    """The items of the result of a query or a batch get."""
    return content["Responses"]["things"] if "Responses" in content else content["Items"]


def objects(model: t.Any, operation: str, body: bytes, decoder: t.Any) -> t.Any:
    """All objects of a response, and the rest of it."""
    content = parse(operation, body, decoder)
    page = items_of(content)
    rest = {name: value for name, value in content.items() if name not in {"Items", "Responses"}}
    if type(page) is DecodedPage:
        return list(page), rest
    return [pynamodb_deserialize(model, item) for item in page], rest


def agrees(model: t.Any, operation: str, body: bytes, *, has_undeclared: bool = False) -> bool:
    """Assert that a response becomes the same with a decoder as with PynamoDB alone.

    Something malformed that a model or a map does not declare: botocore raises, and structs skip it.
    """
    decoder = decoder_of(model)
    plain = outcome(lambda: objects(model, operation, body, None))
    ours = outcome(lambda: objects(model, operation, body, decoder))
    assert ours == plain or (has_undeclared and plain[0] is DamagedResponse)
    return True


def has_structs(model: t.Any, body: bytes) -> bool:
    """True if structs decode a response, and it does not take the plain way."""
    decoder = decoder_of(model)
    return decoder is not None and decoder.decode(body) is not None


def page_of(*items: t.Any, escapes: bool = False) -> bytes:
    """The response to a query."""
    content = {"Items": items, "Count": len(items), "ScannedCount": 7, "ConsumedCapacity": CAPACITY}
    return dump(content, escapes=escapes)


class TestPages:
    """Pages of items of any kind."""

    @pytest.mark.parametrize("operation", ["Query", "BatchGetItem"])
    def test_a_page_becomes_objects(self, operation: str) -> None:
        """Each of DynamoDB's types but the binary ones becomes PynamoDB's value."""
        tables = {"Responses": {"things": [ITEM, ITEM]}, "UnprocessedKeys": {}, "ConsumedCapacity": [CAPACITY]}
        body = dump(tables) if operation == "BatchGetItem" else page_of(ITEM, ITEM)
        assert has_structs(THING, body)
        agrees(THING, operation, body)

    @settings(max_examples=300, deadline=None)
    @given(st.data())
    def test_any_model_and_any_item_agree(self, data: st.DataObject) -> None:
        """For any schema and any items, valid or not, the result is PynamoDB's."""
        model = data.draw(strategies.schemas())
        items = data.draw(st.lists(strategies.items(model), max_size=2))
        declared = {attribute.attr_name for attribute in model.get_attributes().values()}
        body = page_of(*items, escapes=data.draw(st.booleans()))
        agrees(model, "Query", body, has_undeclared=any(item.keys() - declared for item in items))

    @settings(max_examples=300, deadline=None)
    @given(st.sampled_from(sorted(ITEM.keys() - {"unknown"})), strategies.stored, st.booleans())
    def test_any_value_of_any_attribute_agrees(self, name: str, value: t.Any, escapes: bool) -> None:
        """A value of another type than the declared one takes the plain way."""
        agrees(THING, "Query", page_of({**ITEM, name: value}, escapes=escapes), has_undeclared=name in MAPS)

    @pytest.mark.parametrize("name", ["number", "version", "expires"])
    @pytest.mark.parametrize(
        "text",
        [
            *("0", "-0", "-0.0", "1.0", "1E5", "1e5", "1e400", "-1e400", " 1", "1 ", "1\n", "NaN", "nan", "Infinity"),
            *(
                "inf",
                "1_0",
                "0x1",
                "\uff11",
                "1" * 40,
                "9" * 5000,
                "01",
                "+1",
                "1.",
                ".5",
                "-",
                "",
                "null",
                "true",
                "[1]",
            ),
            *('"1"', "18446744073709551616", "123456789012345678901234567890.1", "5e-324", "1,2", "\x00", "1\x00"),
        ],
    )
    def test_a_number_is_what_json_says(self, name: str, text: str) -> None:
        """A number is the int or the float that ``json.loads`` makes of its text, or its error."""
        body = page_of({**ITEM, name: {"N": text}})
        agrees(THING, "Query", body)
        body = page_of({**ITEM, "numbers": {"NS": [text]}, "trip": {"M": {"place": {"M": {"zip": {"N": text}}}}}})
        agrees(THING, "Query", body)

    @pytest.mark.parametrize(
        "value",
        [
            *(b"{}", b'{"S":5}', b'{"S":null}', b'{"S":true}', b'{"N":5}', b'{"S":"a","N":"1"}', b'{"NULL":true}'),
            *(b'{"S":"a","NULL":true}', b'{"S":"a","S":"b"}', b'{"S":5,"S":"b"}', b'{"S":"b","S":5}', b'{"X":"a"}'),
            *(b'{"BOOL":"true"}', b'{"BOOL":1}', b'{"BOOL":null}', b'{"SS":["a",1]}', b'{"SS":[]}', b'{"SS":"ab"}'),
            *(
                b'{"NS":[1]}',
                b'{"B":"AAEC"}',
                b'{"B":"A"}',
                b'{"BS":["AAEC"]}',
                b"5",
                b"null",
                b'"null"',
                b"[]",
                b"NaN",
            ),
            *(b'{"S":"\\ud83d\\ude00"}', b'{"S":"\\ud800"}', b'{"S":"\\u0000"}', b'{"S":"\x00"}', b'{"S":"a\tb"}'),
            *(b'{"S":"\xff"}', b'{"S":"\\x"}', b'{ "S" : "a" }', b'\n{"\\u0053":"a"}\t', b'{"M":{}}', b'{"L":{}}'),
            *(b'{"M":[]}', b'{"M":{"a":5}}', b'{"L":[5]}', b'{"M":{"a":{"B":"AAEC"}}}', b'{"L":[{"B":"AAEC"}]}'),
            *(
                b'{"L":[{"NULL":true}]}',
                b'{"L":[{"S":"a"},{"N":"1"}]}',
                b'{"M":{"self":{"S":"a"},"attr_name":{"S":"b"}}}',
            ),
            *(b'{"M":{"city":{"S":"a"},"city":{"S":"b"}}}', b'{"L":' * 200 + b"[" + b"]" + b"}" * 200),
            b'{"L":[' * 3000 + b"]}" * 3000,
        ],
    )
    def test_a_value_that_is_odd_agrees(self, value: bytes) -> None:
        """An odd value, for whichever attribute, gives PynamoDB's value or PynamoDB's error."""
        for name in ITEM.keys() - {"unknown"}:
            body = page_of(ITEM, {**ITEM, name: "HERE"}).replace(b'"HERE"', value)
            agrees(THING, "Query", body, has_undeclared=name in MAPS)

    @pytest.mark.parametrize(
        "value", [b'{"S":"\\ud800"}', b'{"S":"\xff"}', b'{"N":01}', b"[", b"NaN", b'{"S":"a\tb"}', b"{} {}"]
    )
    def test_malformed_json_in_an_attribute_that_is_not_declared_agrees(self, value: bytes) -> None:
        """The JSON of an attribute that the model ignores is checked, too."""
        agrees(THING, "Query", page_of({**ITEM, "unknown": "HERE"}).replace(b'"HERE"', value))
        agrees(THING, "Query", page_of({**ITEM, "HERE": {"S": "a"}}).replace(b"HERE", value.partition(b":")[2][1:-2]))

    @pytest.mark.parametrize(
        "body",
        [
            b'{"Items":[],"Count":0,"ScannedCount":0}',
            b' { "Items" : [ ] , "Count" : 0 } ',
            b'{"Items":[],"Items":[{"the name":{"S":"a"}}],"Count":1}',
            b'{"Items":[],"Count":1.0,"ScannedCount":99999999999999999999}',
            b'{"Items":[],"Count":"1"}',
            b'{"Items":[],"New":1}',
            b'{"Items":[],"Item":{}}',
            b'{"Items":[],"LastEvaluatedKey":{"the name":{"S":"a"}}}',
            b'{"Items":[],"LastEvaluatedKey":{"the name":{"B":"AAEC"}}}',
            b'{"Items":[],"ConsumedCapacity":{"CapacityUnits":1.5,"TableName":"things"}}',
            b'{"Items":[],"ConsumedCapacity":{"Table":{"CapacityUnits":1}}}',
            b'{"Items":[1]}',
            b'{"Items":{}}',
            b'{"Items":null}',
            b"[]",
            b"null",
            b"",
            b"\xef\xbb\xbf{}",
            b'{"Items":[]}}',
        ],
    )
    def test_the_rest_of_a_response_agrees(self, body: bytes) -> None:
        """The other members of a page are PynamoDB's, in its order, and so are the errors."""
        decoder = decoder_of(THING)

        def rest(decoder: t.Any) -> t.Any:
            content = parse("Query", body, decoder)
            return [(name, shape(value)) for name, value in content.items() if name != "Items"]

        assert outcome(lambda: rest(decoder)) == outcome(lambda: rest(None))

    def test_unprocessed_keys_are_left_to_botocore(self) -> None:
        """A batch get with unprocessed keys returns them as botocore does, with its items."""
        keys = {"things": {"Keys": [{"the name": {"S": "a"}}]}}
        agrees(THING, "BatchGetItem", dump({"Responses": {"things": [ITEM]}, "UnprocessedKeys": keys}))


class TestItem:
    """``decode_item``: the object of a response to ``GetItem``."""

    def test_an_item_becomes_an_object(self) -> None:
        """The object and the consumed capacity are those of the plain way."""
        decoder: t.Any = decoder_of(THING)
        content = decoder.decode_item(dump({"ConsumedCapacity": CAPACITY, "Item": ITEM}))
        assert list(content) == ["Item", "ConsumedCapacity"]
        assert shape(content["Item"]) == shape(pynamodb_deserialize(THING, ITEM))
        assert list(content["ConsumedCapacity"].items()) == list(CAPACITY.items())

    def test_no_item(self) -> None:
        """A response without an item gives no object. An empty item is left to the caller."""
        decoder: t.Any = decoder_of(THING)
        assert decoder.decode_item(b"{}") == {}
        for body in (b'{"Item":{}}', b'{ "Item" : { } }', b'{"Item":\n{\n}}'):
            assert decoder.decode_item(body) is None

    @pytest.mark.parametrize(
        "content",
        [
            {"Item": {**ITEM, "number": {"N": "x"}}},
            {"Item": {**ITEM, "flag": {"NULL": True}}},
            {"Item": ITEM, "ConsumedCapacity": {**CAPACITY, "Table": {}}},
            {"Item": ITEM, "Count": 1},
            {"Items": [ITEM]},
            {"Responses": {}},
            [],
        ],
    )
    def test_an_odd_response_is_left_to_the_caller(self, content: t.Any) -> None:
        """A response that is not usual gives None, and the plain way finds its value or its error."""
        decoder: t.Any = decoder_of(THING)
        assert decoder.decode_item(dump(content)) is None


class TestUpdate:
    """``decode_update``: the object and the item of a response to ``UpdateItem``."""

    @pytest.mark.parametrize("rest", [{}, {"ConsumedCapacity": CAPACITY}], ids=["alone", "with a capacity"])
    def test_an_item_is_returned_in_both_forms(self, rest: dict[str, t.Any]) -> None:
        """The content is that of the plain way, in its order, and the object is PynamoDB's."""
        decoder: t.Any = decoder_of(THING)
        body = dump({**rest, "Attributes": DECLARED})
        content, made = decoder.decode_update(body)
        assert shape(made) == shape(pynamodb_deserialize(THING, DECLARED))
        assert json.dumps(content) == json.dumps({"Attributes": DECLARED, **rest})

    @pytest.mark.parametrize(
        "content",
        [
            {},
            {"Attributes": {**DECLARED, "undeclared": {"S": "x"}}},
            {"Attributes": {**DECLARED, "undeclared": {"B": "AAEC"}}},
            {"Attributes": {**DECLARED, "number": {"N": "x"}}},
            {"Attributes": {**DECLARED, "flag": {"NULL": True}}},
            {"Attributes": DECLARED, "ConsumedCapacity": {**CAPACITY, "Table": {}}},
            {"Attributes": DECLARED, "ItemCollectionMetrics": {}},
        ],
    )
    def test_an_odd_response_is_left_to_the_caller(self, content: t.Any) -> None:
        """A response that is not usual gives None: botocore may change a value of it, or refuse it."""
        decoder: t.Any = decoder_of(THING)
        assert decoder.decode_update(dump(content)) is None

    def test_maps_have_no_undeclared_values(self) -> None:
        """A binary value is found in a map, too."""

        class Author(MapAttribute[str, t.Any]):
            name = UnicodeAttribute()

        model = thing(name=UnicodeAttribute(hash_key=True), author=Author(), data=MapAttribute(null=True))
        decoder: t.Any = decoder_of(model)
        usual = {"name": {"S": "x"}, "author": {"M": {"name": {"S": "Ada"}}}, "data": {"M": {"a": {"N": "1"}}}}
        assert decoder.decode_update(dump({"Attributes": usual}))[0] == {"Attributes": usual}
        for name in ("author", "data"):
            odd = {**usual, name: {"M": {**usual[name]["M"], "photo": {"B": "AAEC"}}}}
            assert decoder.decode_update(dump({"Attributes": odd})) is None


class TestStructs:
    """When a model has structs, and for how long."""

    def test_they_are_compiled_after_some_responses(self) -> None:
        """A model's first responses take the plain way: a model that is read once does not pay for its structs."""
        decoder: t.Any = CompiledCodec(THING, base=Model).responses
        body = page_of(*[ITEM] * 20)
        results = [decoder.decode(body) for _ in range(responses.MIN_BYTES // len(body) + 2)]
        assert results[0] is None
        assert results[-1] is not None

    def test_without_msgspec_there_are_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without msgspec, small responses are left to the caller."""
        remove_msgspec(monkeypatch)
        decoder: t.Any = decoder_of(THING)
        assert (decoder.decode(page_of(ITEM)), decoder.decode_item(dump({"Item": ITEM}))) == (None, None)
        agrees(THING, "Query", page_of(ITEM))

    @pytest.mark.parametrize(
        "model",
        [
            thing(data=BinaryAttribute(legacy_encoding=False, null=True)),
            thing(one=UnicodeAttribute(attr_name="same"), two=UnicodeAttribute(attr_name="same")),
            thing(quoted=UnicodeAttribute(attr_name='"'), null=True),
            thing(lone=UnicodeAttribute(attr_name="\ud800"), null=True),
            thing(datas=ListAttribute(of=BinaryAttribute, null=True)),
        ],
        ids=["binary", "one name twice", "a quote in a name", "no text of UTF-8 as a name", "binary elements"],
    )
    def test_some_models_have_none(self, model: t.Any) -> None:
        """A model with a binary attribute, or with a name that msgspec does not take, has no structs."""
        decoder: t.Any = decoder_of(model)
        assert decoder is None or decoder.decode(page_of({})) is None
        agrees(model, "Query", page_of({}))

    def test_each_class_has_its_own(self) -> None:
        """A subclass with other attributes has other structs, also if the name of the class is the same."""
        parent = thing(name=UnicodeAttribute(hash_key=True), extra=UnicodeAttribute(null=True))
        child = thing(base=parent, extra=NumberAttribute(null=True))
        for model, value in ((parent, {"S": "a"}), (child, {"N": "1"})):
            body = page_of({"name": {"S": "x"}, "extra": value})
            assert has_structs(model, body)
            agrees(model, "Query", body)

    def test_they_end_with_their_class(self) -> None:
        """A model that is declared in a function leaves nothing behind."""

        def declare() -> weakref.ref[t.Any]:
            model = make_thing()
            decoder: t.Any = CompiledCodec(model, base=Model).responses
            decoder._bytes = responses.MIN_BYTES
            assert decoder.decode(page_of(ITEM)) is not None
            return weakref.ref(decoder._structs)

        structs = declare()
        for _ in range(3):
            gc.collect()
        assert structs() is None

    @settings(max_examples=100, deadline=None)
    @given(st.binary(max_size=20), st.integers(0, 400))
    @example(b"", 0)
    def test_damaged_bytes_agree(self, damage: bytes, position: int) -> None:
        """Bytes of any kind in any place give what PynamoDB gives. An error may be in what the model ignores."""
        body = page_of({name: value for name, value in ITEM.items() if name != "unknown"})
        damaged = body[:position] + damage + body[position + len(damage) :]
        plain = outcome(lambda: objects(THING, "Query", damaged, None))
        is_error = issubclass(plain[0], Exception)
        assert is_error or outcome(lambda: objects(THING, "Query", damaged, decoder_of(THING))) == plain
