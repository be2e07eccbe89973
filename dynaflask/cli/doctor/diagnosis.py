"""``diagnose``: look at each destination of an app in the current context."""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from dynaflask.cli.doctor import probes
from dynaflask.cli.doctor import sources
from dynaflask.cli.doctor.report import ERROR
from dynaflask.cli.doctor.report import WARNING
from dynaflask.cli.doctor.report import Diagnosis
from dynaflask.cli.doctor.report import Finding
from dynaflask.cli.doctor.sources import Client
from dynaflask.config.bind import Bind
from dynaflask.registry.registry import Registry
from dynaflask.tables.manage import NO_MODELS
from dynaflask.tables.table import find_tables


@dataclasses.dataclass(slots=True)
class Destination:
    """A destination of calls.

    Attributes:
        bind: A bind of the destination.
        models: The models whose tables are there.
        declared_by: The model that declares the destination; ``None`` for a bind of the app.
    """

    bind: Bind
    models: list[t.Any] = dataclasses.field(default_factory=list)
    declared_by: t.Any = None


def diagnose(registry: Registry, *, bind_key: str | None = None) -> list[Diagnosis]:
    """Where each setting of an app's destinations comes from, and what does not work there.

    It makes one call to each destination, one to STS where there is one, and one or more for each table. The calls have
    a limited time. A destination that does not answer is a finding, and raises nothing.

    Args:
        registry: The app's registry, in a context of the app. In a tenant's block, the destinations are the tenant's.
        bind_key: Limits the result to this bind.

    Returns:
        A diagnosis of each bind, and of each other destination that a model's ``Meta`` or ``DYNAMODB_MODELS`` declares.

    Raises:
        UnknownBind: The app has no such bind.
        TenantRequired: ``DYNAMODB_REQUIRE_TENANT`` is set, and there is no tenant.
        RuntimeError: The current context is not one of this app.
    """
    if bind_key is not None:
        registry.settings.own_values(bind_key)  # raises UnknownBind
    unresolved = [] if registry.models.classes() else [Finding("models", WARNING, NO_MODELS)]
    diagnoses = [
        _diagnose(registry, destination)
        for destination in _destinations(registry, unresolved)
        if bind_key in {None, destination.bind.key}
    ]
    if unresolved and diagnoses:
        diagnoses[0] = dataclasses.replace(diagnoses[0], findings=(*diagnoses[0].findings, *unresolved))
    return diagnoses


def _destinations(registry: Registry, unresolved: list[Finding]) -> list[Destination]:
    """The destinations of the binds, then those that models declare. A model without one becomes a finding."""
    binds = _plain_binds(registry)
    destinations = {_destination_key(bind): Destination(bind) for bind in binds}
    for model in registry.models.classes():
        with probes.reported(f"model {model.__name__}", binds[0], unresolved):
            bind = registry.scope.resolve(registry.models.declaration_of(model)).bind
            destination = destinations.setdefault(_destination_key(bind), Destination(bind, declared_by=model))
            destination.models.append(model)
    return list(destinations.values())


def _plain_binds(registry: Registry) -> list[Bind]:
    scope = registry.scope
    # A tenant has one bind, and refuses the others.
    return [scope.bind()] if scope.tenant is not None else [scope.bind(key) for key in registry.binds]


def _destination_key(bind: Bind) -> tuple[t.Any, ...]:
    return bind.key, bind.destination, bind.table_prefix, bind.transport


def _diagnose(registry: Registry, destination: Destination) -> Diagnosis:
    bind, models = destination.bind, destination.models
    client, findings = _check_destination(registry, bind)
    if not any(finding.level == ERROR and finding.check in probes.FATAL for finding in findings):
        _check_tables(registry, bind, models, findings)
    return Diagnosis(
        bind.key,
        registry.scope.tenant,
        tuple(model.__name__ for model in models),
        sources.values_of(bind, sources.layers_of(registry, bind, destination.declared_by), client),
        tuple(findings),
        destination.declared_by and destination.declared_by.__name__,
    )


def _check_destination(registry: Registry, bind: Bind) -> tuple[Client, list[Finding]]:
    """What the client knows, and the findings about it, about the endpoint and about who signs."""
    probing, findings = probes.probing_bind(bind), list[Finding]()
    client = Client()
    with probes.reported("client", bind, findings):
        client = probes.bounded(functools.partial(probes.look_up_client, registry, probing))
        findings.append(probes.check_transport(client, bind))
        with probes.reported("endpoint", bind, findings):
            findings += probes.bounded(functools.partial(probes.ask_endpoint, registry, probing))
            with probes.reported("identity", bind, findings):
                findings.append(probes.bounded(functools.partial(probes.ask_identity, probing, client.endpoint_url)))
    with probes.reported("client", bind, findings):
        registry.leases.get(probing).close()
    return client, findings


def _check_tables(registry: Registry, bind: Bind, models: list[t.Any], findings: list[Finding]) -> None:
    # After a table without a result in time, the others are left out: each would take as long.
    with probes.reported("tables", bind, findings):
        for table in find_tables(registry, models=models):
            findings.append(probes.bounded(functools.partial(probes.check_table, table)))  # noqa: PERF401 - see above
