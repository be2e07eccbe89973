"""Objects of pages remember the tenant of the call, wherever they are consumed."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

import pytest

from dynaflask import TenantMismatch
from dynaflask.model.codec import responses
from dynaflask.model.tenant_pages import TenantPageDecoder
from dynaflask.model.tenant_pages import with_tenant
from dynaflask.model.tenant_pages import with_tenant_of_results
from tests.support import two_apps
from tests.support.two_apps import World

READS: dict[str, t.Callable[[t.Any], t.Any]] = {
    "query": lambda model: model.query("forum"),
    "scan": lambda model: model.scan(),
    "batch_get": lambda model: model.batch_get([("forum", "subject")]),
}


@pytest.fixture(params=["direct", "botocore", "stock"])
def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> cabc.Iterator[World]:
    """Two apps, by each transport. Short pages are decoded to objects, too."""
    monkeypatch.setattr(responses, "MIN_BYTES", 0)
    with two_apps.two_apps(transport=request.param) as world:
        yield world


@pytest.mark.parametrize("read", READS.values(), ids=READS.keys())
def test_results_are_of_the_tenant_of_the_call(world: World, read: t.Any) -> None:
    """What is consumed in another tenant's block is an object of the first tenant, and of the first app."""
    with world.one.app_context():
        with world.db.tenant("acme"):
            results = iter(read(world.Thread))
        with world.db.tenant("globex"):
            item = next(results)
            with pytest.raises(TenantMismatch):
                item.save()
        with world.two.app_context(), world.db.tenant("acme"), pytest.raises(TenantMismatch):
            item.save()
        with world.db.tenant("acme"):
            item.save()
    assert world.sent() == ["one acme-Thread"] * 2


def test_without_a_tenant_nothing_is_added() -> None:
    """A function and a page stay as they are."""
    page: dict[str, t.Any] = {"Items": [object()]}

    class Pages:
        def decode(self, body: bytes) -> dict[str, t.Any] | None:
            return page if body else None

    assert with_tenant(dict, None) is dict
    assert TenantPageDecoder(Pages(), None).decode(b"{}") is page
    assert TenantPageDecoder(Pages(), "acme").decode(b"") is None


def test_a_result_that_is_no_object_of_a_model_has_no_tenant() -> None:
    """A program's function may make anything of an item."""
    assert with_tenant_of_results(dict, "acme")([("a", 1)]) == {"a": 1}
