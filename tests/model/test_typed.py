"""The base classes of models, and the signatures that ``help()`` and completion show."""

from __future__ import annotations

import ast
import inspect
import typing as t

import pynamodb.models
import pytest
from pynamodb.indexes import GlobalSecondaryIndex
from pynamodb.transactions import Transaction
from pynamodb.transactions import TransactWrite

import dynaflask
from dynaflask.model import base
from dynaflask.model import typed
from dynaflask.model.typed import make_base

PUBLIC_METHODS = [name for name, value in inspect.getmembers(pynamodb.models.Model, callable) if name[0] != "_"]

CONDITIONAL = {"save", "update", "delete"}
# What a look-up decides itself.
DECIDED = {"limit", "last_evaluated_key", "segment", "total_segments"}


def parameters_of(*methods: t.Any) -> set[str]:
    """The names of the parameters of some methods."""
    return {name for method in methods for name in inspect.signature(method).parameters}


def test_the_public_base_is_the_base_of_every_model(db: dynaflask.Dynamo) -> None:
    """``dynaflask.Model`` is the class that works, and ``db.Model`` a subclass for each extension object."""
    assert t.cast("t.Any", dynaflask.Model) is base.Model
    assert (db.Model.__mro__[1], db.Model.__dynamo__) == (dynaflask.Model, db)
    assert dynaflask.Model.__dynamo__ is None


def test_a_base_is_made_for_one_extension_object() -> None:
    """Two extension objects have two bases, whose models belong to their own object."""
    one, two = dynaflask.Dynamo(), dynaflask.Dynamo()
    bases = [make_base(db, dynaflask.Model) for db in (one, two)]
    assert [made.__dynamo__ for made in bases] == [one, two]


@pytest.mark.parametrize("name", [name for name in PUBLIC_METHODS if name not in {"DoesNotExist", "from_raw_data"}])
def test_a_method_has_the_parameters_of_pynamodb(name: str) -> None:
    """Each method shows PynamoDB's parameters, also where dynaflask overrides it, and the one that it adds."""
    shown, upstream = (inspect.signature(getattr(model, name)) for model in (dynaflask.Model, pynamodb.models.Model))
    further = {"return_values_on_condition_failure"} if name in CONDITIONAL else set()
    assert shown.parameters.keys() - upstream.parameters.keys() == further
    for parameter in upstream.parameters.values():
        same = shown.parameters[parameter.name]
        assert (same.kind, same.default) == (parameter.kind, parameter.default)


def test_a_look_up_has_the_parameters_of_pynamodb(db: dynaflask.Dynamo) -> None:
    """Each option of PynamoDB's method is a named parameter of the look-up, of a page and of an index."""
    model = pynamodb.models.Model
    both = parameters_of(model.query, model.scan)
    own = {"description"}
    assert parameters_of(dynaflask.Model.get_or_404) == parameters_of(model.get) | own
    assert parameters_of(dynaflask.Model.first_or_404) == both - DECIDED | own
    assert parameters_of(dynaflask.Model.one_or_404) == both - DECIDED - {"scan_index_forward"} | own
    paging = {"method", "args", "per_page", "cursor", "max_per_page", "max_reads", "keys"}
    assert parameters_of(db.paginate) == both - {"hash_key", "limit", "last_evaluated_key", "page_size"} | paging
    for name in ("query", "count"):
        index, upstream = (getattr(cls, name) for cls in (dynaflask.GlobalSecondaryIndex, GlobalSecondaryIndex))
        assert parameters_of(index) == parameters_of(upstream) | {"keys"}
    writes = parameters_of(dynaflask.Model.update_from) - {"self", "body", "only", "exclude"}
    assert writes == parameters_of(dynaflask.Model.update) - {"self", "actions"}


@pytest.mark.parametrize("name", ["get_or_404", "first_or_404", "one_or_404"])
def test_a_look_up_of_the_extension_has_the_parameters_of_the_model(db: dynaflask.Dynamo, name: str) -> None:
    """``db.get_or_404(Thread, ...)`` has the parameters of ``Thread.get_or_404(...)`` after the model."""
    model, *parameters = inspect.signature(getattr(db, name)).parameters.values()
    assert model.name == "model"
    assert parameters == list(inspect.signature(getattr(dynaflask.Model, name)).parameters.values())


def test_a_transaction_has_the_parameters_of_pynamodb(db: dynaflask.Dynamo) -> None:
    """``db.transact_write`` and ``db.transact_get`` have PynamoDB's options, without the connection."""
    common = parameters_of(Transaction.__init__) - {"self", "connection"}
    assert parameters_of(db.transact_get) == common
    assert parameters_of(db.transact_write) == common | parameters_of(TransactWrite.__init__) - {"self", "kwargs"}


def test_checkers_see_every_method_that_dynaflask_adds() -> None:
    """Each mixin with a public method that PynamoDB does not have is a base of the class that checkers see."""
    module = ast.parse(inspect.getsource(typed))
    seen = next(node for node in ast.walk(module) if isinstance(node, ast.ClassDef) and node.name == "Model")
    adding = {
        cls.__name__
        for cls in base.Model.__mro__
        if any(name[0] != "_" and not hasattr(pynamodb.models.Model, name) for name in vars(cls))
    }
    assert adding
    assert adding <= {node.id for node in seen.bases if isinstance(node, ast.Name)}


def test_the_help_of_a_method_is_our_own() -> None:
    """The docstring stays dynaflask's: it says where the requests go."""
    assert "destination" in (inspect.getdoc(dynaflask.Model.batch_write) or "")
