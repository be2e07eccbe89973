"""The base classes of models, and the signatures that ``help()`` and completion show."""

from __future__ import annotations

import ast
import inspect
import typing as t

import pynamodb.models
import pytest

import dynaflask
from dynaflask.model import base
from dynaflask.model import typed
from dynaflask.model.typed import make_base

PUBLIC_METHODS = [name for name, value in inspect.getmembers(pynamodb.models.Model, callable) if name[0] != "_"]


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
    """Each method shows PynamoDB's parameters, also where dynaflask overrides it."""
    shown, upstream = (inspect.signature(getattr(model, name)) for model in (dynaflask.Model, pynamodb.models.Model))
    assert shown == upstream


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
