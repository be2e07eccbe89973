"""Update expressions, compared with PynamoDB's."""

from __future__ import annotations

import functools
import typing as t
from unittest import mock

import flask
import pynamodb.connection
import pytest
from hypothesis import example
from hypothesis import given
from hypothesis import strategies as st
from pynamodb.attributes import ListAttribute
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.attributes import UnicodeSetAttribute
from pynamodb.expressions.operand import Path
from pynamodb.expressions.update import SetAction
from pynamodb.expressions.update import Update

from dynaflask.client.codec import update_expression
from dynaflask.client.codec.update_expression import serialize_update
from tests.support import recorder as recorders
from tests.support.comparing import outcome
from tests.support.recorder import Request
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

ATTRIBUTES = [
    NumberAttribute(attr_name="views"),
    UnicodeAttribute(attr_name="language"),
    UnicodeSetAttribute(attr_name="tags"),
    ListAttribute(attr_name="replies"),
]
# Some are no paths.
SEGMENTS = st.sampled_from(["views", "a", "a[0]", "a[1][2]", "a[", "]", "", "ä\n", "#0", "a b"])
PATHS = st.one_of(
    st.sampled_from(ATTRIBUTES).map(Path),
    SEGMENTS.filter(bool).map(Path),
    st.lists(SEGMENTS, min_size=1, max_size=3).map(Path),
)
PLAIN = [None, True, {"x"}, {1}, [1], {"m": 1}, {"S": "x"}, ""]
VALUES = st.one_of(st.integers(), st.text(max_size=3), st.sampled_from(PLAIN))


class Other(SetAction):
    """The program's own class of action."""


class OtherPath(Path):
    """The program's own class of operand."""


def action(path: t.Any, step: str, value: t.Any, other: t.Any) -> t.Any:
    """An action that PynamoDB makes, or None if PynamoDB refuses it."""
    steps: dict[str, t.Callable[[], t.Any]] = {
        "set": lambda: path.set(value),
        "copy": lambda: path.set(other),
        "increment": lambda: path.set(other + value),
        "decrement": lambda: path.set(value - other),
        "default": lambda: path.set(other | value),
        "both": lambda: path.set((other | 0) + 1),
        "append": lambda: path.set(other.append([value])),
        "prepend": lambda: path.set(other.prepend([value])),
        "remove": path.remove,
        "add": lambda: path.add(value),
        "delete": lambda: path.delete(value),
        "other": lambda: Other(path, other),
    }
    try:
        return steps[step]()
    except (AttributeError, TypeError, ValueError):
        return None


SETS = ["set", "copy", "increment", "decrement", "default", "both", "append", "prepend"]
STEPS = st.sampled_from([*SETS, "remove", "add", "delete", "other"])
ACTIONS = st.lists(
    st.builds(action, PATHS, STEPS, VALUES, PATHS).filter(lambda candidate: candidate is not None), max_size=5
)


def forget_forms() -> None:
    """As in a new process."""
    update_expression._forms.clear()


def theirs(actions: t.Any) -> dict[str, t.Any]:
    """PynamoDB's parameters of an update."""
    names: dict[str, str] = {}
    values: dict[str, t.Any] = {}
    request: dict[str, t.Any] = {"UpdateExpression": Update(*actions).serialize(names, values)}
    if names:
        request["ExpressionAttributeNames"] = {placeholder: name for name, placeholder in names.items()}
    if values:
        request["ExpressionAttributeValues"] = values
    return request


@given(st.lists(ACTIONS, min_size=1, max_size=3))
@example([[Path("a").set(Path("b") + 1), Path("a").set(2), Path(["a", "b"]).remove(), Path("c").add(1)]])
@example([[Path("a").set(1)], [Path("a[").set(1)], [Path("]").set(1)], [Path(["a", ""]).set(1)]])
@example([[Path("a[0]").set(Path("b"))], [Path("a[1]").set(Path("b"))], [Path("[0]").set(Path("b"))]])
@example([[Path("a").set(Path("b"))], [Path("a").set(Path("a"))], [Path(["a", "b"]).set(Path("a"))]])
@example([[Path("a").remove(), Path("a").set(1)], [Path("a").remove(), Path("b").set(2)]])
def test_any_updates_are_pynamodbs(updates: list[list[t.Any]]) -> None:
    """Text, names, values, order and errors equal PynamoDB's, also after other updates, or the result is None."""
    forget_forms()
    for actions in [*updates, *updates]:
        ours = outcome(functools.partial(serialize_update, actions))
        expected = outcome(functools.partial(theirs, actions))
        is_refused = not actions or expected[0] is ValueError or any(type(one) is Other for one in actions)
        assert ours == expected or (is_refused and ours == outcome(lambda: None))


def test_one_form_for_all_names_and_values() -> None:
    """What is kept of an update has no names and no values. PynamoDB writes another one of its form no more."""
    forget_forms()
    serialize_update([Path(["a", "b"]).set(Path("c") + 1), Path("a").remove()])
    actions = [Path(["x", "y"]).set(Path("z") + 2.5), Path("x").remove()]
    with mock.patch.object(Update, "serialize", side_effect=AssertionError):
        ours = serialize_update(actions)
    assert ours == theirs(actions)
    [form] = update_expression._forms.values()
    assert form == ("SET #0.#1 = #2 + :0 REMOVE #0", ("#0", "#1", "#2"), (":0",))
    assert not {"a", "b", "c"}.intersection(*update_expression._forms)


def test_the_number_of_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths with any number of indexes do not fill the memory."""
    monkeypatch.setattr(update_expression, "MAX_FORMS", 3)
    forget_forms()
    for index in range(10):
        actions = [Path(f"a[{index}]").set(1)]
        assert serialize_update(actions) == theirs(actions)
        assert 1 <= len(update_expression._forms) <= 3


def test_another_order_of_placeholders() -> None:
    """If a release of PynamoDB numbers names or values in another order, it writes the updates."""

    def serialize(_: t.Any, names: dict[str, str], values: dict[str, t.Any]) -> str:
        names |= {"b": "#0", "a": "#1"}
        values |= {":0": {"N": "1"}}
        return "SET #1 = #0 + :0"

    forget_forms()
    with mock.patch.object(Update, "serialize", serialize):
        assert serialize_update([Path("a").set(Path("b") + 1)]) is None
    assert not update_expression._forms


def test_names_that_are_no_texts() -> None:
    """PynamoDB writes or refuses a path of other types. A form that is known does not hide them."""

    class Name(str):
        """The program's own text."""

    forget_forms()
    assert serialize_update([Path(["a", "b"]).set(1)]) is not None
    for segment in (Name("b"), b"b", 1, True, ["b"], None):
        assert serialize_update([Path(["a", segment]).set(1)]) is None


def test_an_update_without_values() -> None:
    """It has no parameter for values, as from PynamoDB."""
    actions = [Path("a").remove(), Path("b").remove()]
    assert serialize_update(actions) == theirs(actions)
    assert "ExpressionAttributeValues" not in theirs(actions)


def test_actions_in_any_order() -> None:
    """PynamoDB sorts the actions by their clauses, and numbers the names and values after that."""
    actions = [Path("a").add(1), Path("b").remove(), Path("c").set(2), Path("d").remove(), Path("b").set(3)]
    assert outcome(lambda: serialize_update(actions)) == outcome(lambda: theirs(actions))


def test_a_path_of_several_parts() -> None:
    """A path with an index or an inner name, and one of a name that is no identifier, are as from PynamoDB."""
    actions = [Path("a[0]").set(1), Path(["a", "b"]).remove(), Path("c d").add(1)]
    assert serialize_update(actions) == theirs(actions)


@pytest.mark.parametrize(
    "actions", [None, (), [], "actions", [1], iter([])], ids=["none", "tuple", "empty", "text", "numbers", "iterator"]
)
def test_what_is_no_list_of_actions_is_left(actions: t.Any) -> None:
    """Anything but a list of actions gives None, so that PynamoDB raises its error."""
    assert serialize_update(actions) is None


def test_operands_of_a_program_are_left() -> None:
    """An operand of another class gives None: PynamoDB calls its methods."""
    assert serialize_update([Path("a").set(OtherPath("b"))]) is None


class TestRequests:
    """Requests equal those of PynamoDB."""

    @pytest.fixture
    def app(self, make_app: MakeApp, recorder: recorders.Recorder) -> t.Iterator[flask.Flask]:
        """An app in a context."""
        app = make_app(host=recorder.url, region="us-east-1", **KEYS)
        with app.app_context():
            yield app

    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"return_values": "all_new", "return_consumed_capacity": "TOTAL"},
            {"condition": Path("b").exists()},
            {"attributes_to_get": ["b"]},
            {"condition": None, "attributes_to_get": None, "consistent_read": None, "key": "Key"},
            {"condition": "none"},
            {"return_values": "none of them"},
        ],
        ids=repr,
    )
    @pytest.mark.usefixtures("app")
    def test_with_whatever_else(self, thread_model: t.Any, options: dict[str, t.Any]) -> None:
        """Further options, such as a condition, number their names and values together with those of the update."""
        connection = thread_model._get_connection().connection
        arguments = ("Thread", "forum", "subject")
        actions = [Path("a").set(1), Path("b").remove()]
        stock = pynamodb.connection.Connection.get_operation_kwargs
        ours = outcome(lambda: connection.get_operation_kwargs(*arguments, actions=actions, **options))
        assert ours == outcome(lambda: stock(connection, *arguments, actions=actions, **options))

    @pytest.mark.usefixtures("app")
    def test_by_position(self, thread_model: t.Any) -> None:
        """Positional arguments work as in PynamoDB."""
        connection = thread_model._get_connection().connection
        arguments = ("Thread", "forum", "subject", "Key", None, None, [Path("a").set(1)])
        stock = pynamodb.connection.Connection.get_operation_kwargs
        assert connection.get_operation_kwargs(*arguments) == stock(connection, *arguments)

    def test_two_apps_update_tables_of_their_own(
        self, make_app: MakeApp, thread_model: t.Any, recorder: recorders.Recorder
    ) -> None:
        """Two apps use the same actions on their own tables."""
        updates: list[tuple[str, str]] = []

        def answer(request: Request) -> tuple[int, t.Any]:
            updates.append((request.body["TableName"], request.body["UpdateExpression"]))
            return 200, {"Attributes": {"forum": {"S": "f"}, "subject": {"S": "s"}}}

        recorder.answer = answer
        actions = [thread_model.views.set(thread_model.views + 1)]
        for prefix in ("a-", "b-"):
            app = make_app(prefix, host=recorder.url, region="us-east-1", table_prefix=prefix, **KEYS)
            with app.app_context():
                thread_model("f", "s").update(actions=actions)
        assert updates == [("a-Thread", "SET #0 = #0 + :0"), ("b-Thread", "SET #0 = #0 + :0")]

    def test_stock_is_pynamodbs_own(
        self, make_app: MakeApp, thread_model: t.Any, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With the stock transport, PynamoDB writes the expressions."""
        monkeypatch.setattr("dynaflask.client.table_calls.serialize_update", pytest.fail)
        app = make_app(host=recorder.url, region="us-east-1", transport="stock", **KEYS)
        with app.app_context():
            connection = thread_model._get_connection().connection
            request = connection.get_operation_kwargs("Thread", "f", "s", actions=[Path("a").set(1)])
        assert request["UpdateExpression"] == "SET #0 = :0"
