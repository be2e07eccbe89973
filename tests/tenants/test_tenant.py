"""``Tenant``, its name and its settings; and ``Principal``, who a scope acts for."""

from __future__ import annotations

import copy
import pickle
import typing as t

import pytest

import dynaflask
from dynaflask.tenants.tenant import NO_TENANT
from dynaflask.tenants.tenant import UNRESTRICTED
from dynaflask.tenants.tenant import Principal
from dynaflask.tenants.tenant import Tenant
from dynaflask.tenants.tenant import TenantName
from tests.support.settings import MakeApp


def acme(app_name: str = "app", **changes: object) -> Tenant:
    return Tenant("acme", changes, mark=TenantName("acme", app_name))


def test_the_repr_shows_the_name_alone() -> None:
    """The repr shows no setting, which may be a secret."""
    assert repr(acme(aws_secret_access_key="hush")) == "<Tenant 'acme'>"


def test_tenants_compare_by_identity() -> None:
    """Two apps may have a tenant of one name with the same settings: a cache has an entry for each."""
    assert len({acme("one"), acme("two")}) == 2


def pickled(value: t.Any) -> t.Any:
    """The value as the same process unpickles it."""
    return pickle.loads(pickle.dumps(value))  # noqa: S301 - the test's own


@pytest.mark.parametrize("copied", [copy.deepcopy, pickled], ids=lambda copied: copied.__name__)
def test_a_copy_of_a_name_knows_its_app(
    make_app: MakeApp, db: dynaflask.Dynamo, copied: t.Callable[[t.Any], t.Any]
) -> None:
    """In the process of its app, a copied or unpickled name refers to the registry of that app, not of its namesake."""
    apps = [make_app("twin", region="us-east-1", tenants={"acme": {}}) for _ in range(2)]
    for app in apps:
        with app.app_context(), db.tenant("acme"):
            name = copied(db.registry.scope.known_tenant)
        assert (name, name.app_name) == ("acme", "twin")
        assert name.registry() is app.extensions["dynamo"]


def test_what_a_tenant_decides_cannot_be_changed() -> None:
    """A context that sets one of the tenant's settings to another value is refused. The message does not show it."""
    tenant = acme(table_prefix="acme-")
    tenant.check_conflicts([{"table_prefix": "acme-"}, {"max_retry_attempts": 0}])
    with pytest.raises(
        dynaflask.TenantMismatch, match="sets 'table_prefix', which the tenant 'acme' decides"
    ) as caught:
        tenant.check_conflicts([{}, {"table_prefix": "other-"}])
    assert "other-" not in str(caught.value)


def test_settings_of_one_group_belong_together() -> None:
    """A tenant that decides the region decides the host, too: the two name one destination."""
    with pytest.raises(dynaflask.TenantMismatch, match="sets 'host'"):
        acme(region="eu-west-1").check_conflicts([{"host": "http://localhost:8000"}])


def test_a_principal_has_the_name_of_its_tenant() -> None:
    """Without a tenant there is no name, on purpose or not."""
    assert [principal.name for principal in (Principal(acme()), NO_TENANT, UNRESTRICTED)] == ["acme", None, None]
