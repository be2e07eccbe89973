"""``TenantCommand``: a click command that runs for one tenant, for several, or for all."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import typing as t
import weakref

import click
import flask
from flask.cli import ScriptInfo
from pynamodb.exceptions import PynamoDBException

from dynaflask.exceptions import TenantRequired
from dynaflask.exceptions import UnknownTenant
from dynaflask.registry.context import registry_of
from dynaflask.registry.tenant_tables import tenants_listed_once

NO_VALUES: t.Final[cabc.Mapping[str | None, t.Any]] = {}
# The values of the options, by the context of the command. Not in `ctx.meta`, which all commands of a chain share: each
# would run for the tenants of the last one.
_values: t.Final[weakref.WeakKeyDictionary[click.Context, dict[str | None, t.Any]]] = weakref.WeakKeyDictionary()


class TenantCommand(click.Command):
    """A command with the options ``--tenant NAME``, which may be repeated, ``--all-tenants`` and ``--without-tenant``.

    It runs once for each tenant, in an app context of its own. With several tenants, a failure for one does not stop
    the others: the failed tenants are named at the end, and the exit code is 1. ``--without-tenant`` runs it in a
    ``db.without_tenant`` block, and the command is logged. Without the options the command runs once, for the tenant
    that ``db.tenant_loader`` returns. If it then needs a tenant and has none, the error names the options, and the
    exit code is 2.

    Use it for a command of your own with ``@app.cli.command(cls=TenantCommand)``.
    """

    def __init__(self, *args: t.Any, **options: t.Any) -> None:
        super().__init__(*args, **options)
        self.params += [
            _option("--tenant", multiple=True, metavar="NAME", help="For this tenant. May be repeated."),
            _option("--all-tenants", is_flag=True, help="For each tenant."),
            _option("--without-tenant", is_flag=True, help="For data that belongs to no tenant, or to all."),
        ]

    def invoke(self, ctx: click.Context) -> t.Any:
        """Run the command for the tenants of its options.

        Args:
            ctx: The context of click.

        Returns:
            What the command returns.

        Raises:
            UsageError: The options contradict each other.
        """
        values = _values.get(ctx, NO_VALUES)
        names, for_all, for_none = map(values.get, ("tenant", "all_tenants", "without_tenant"))
        used = [option for option in (names, for_all, for_none) if option]
        if not used:
            return self._invoke_without_options(ctx)
        if len(used) > 1:
            raise click.UsageError("Use one of --tenant, --all-tenants and --without-tenant, not both.", ctx=ctx)
        app = ctx.ensure_object(ScriptInfo).load_app()
        if for_none:
            reason = f"{ctx.command_path} --without-tenant"
            with app.app_context(), registry_of(app).dynamo.without_tenant(reason=reason):
                return super().invoke(ctx)
        if names and len(names) == 1:
            return self._invoke_for(names[0], app, ctx)
        with tenants_listed_once():
            return self._invoke_for_each(names or _tenant_names(app), app, ctx)

    def _invoke_without_options(self, ctx: click.Context) -> t.Any:
        script = ctx.find_object(ScriptInfo)
        app = None if script is None else script.load_app()
        try:
            with contextlib.ExitStack() as stack:
                if app is not None and flask.has_app_context() and flask.current_app != app:
                    # Flask runs a command in the context that is pushed already, whichever app it is of.
                    stack.enter_context(app.app_context())
                return super().invoke(ctx)
        except TenantRequired as error:
            raise click.UsageError(
                "This command needs a tenant. Name one with --tenant NAME, or run it for each with --all-tenants."
                " If it is for data that belongs to no tenant, add --without-tenant.",
                ctx=ctx,
            ) from error

    def _invoke_for(self, name: str, app: flask.Flask, ctx: click.Context) -> t.Any:
        with app.app_context():
            try:
                block = registry_of(app).scope.for_tenant(name)
            except UnknownTenant as error:
                raise click.UsageError(str(error), ctx=ctx) from error
            with block:
                return super().invoke(ctx)

    def _invoke_for_each(self, names: cabc.Sequence[str], app: flask.Flask, ctx: click.Context) -> None:
        failed = []
        for name in names:
            click.echo(f"Tenant {name}:", err=True)
            try:
                self._invoke_for(name, app, ctx)
            except click.Abort:
                # Ctrl-C, or a question that was answered with no: it means all tenants.
                raise
            except SystemExit as error:
                if error.code:
                    failed.append(name)
            except Exception as error:  # noqa: BLE001 - a failure for one tenant must not stop the others
                failed.append(name)
                click.echo(f"Error: {_message(error)}", err=True)
        if failed:
            raise click.ClickException(
                f"The command failed for {len(failed)} of {len(names)} tenants: {', '.join(failed)}."
            )


def runs_for_several_tenants(ctx: click.Context) -> bool:
    """True if the options of the current command name more than one tenant."""
    values = _values_around(ctx)
    return bool(values.get("all_tenants")) or len(values.get("tenant") or ()) > 1


def _values_around(ctx: click.Context | None) -> cabc.Mapping[str | None, t.Any]:
    """The values of a command, or of the command that has invoked it by ``ctx.invoke``."""
    return NO_VALUES if ctx is None else _values.get(ctx) or _values_around(ctx.parent)


def _option(name: str, **options: t.Any) -> click.Option:
    """An option that is no argument of the command's function."""
    return click.Option([name], expose_value=False, callback=_store_option, **options)


def _store_option(ctx: click.Context, option: click.Parameter, value: t.Any) -> t.Any:
    _values.setdefault(ctx, {})[option.name] = value
    return value


def _tenant_names(app: flask.Flask) -> list[str]:
    with app.app_context():
        scope = registry_of(app).scope
        try:
            names = scope.registry.tenants.names(scope.lookup_scope)
        except PynamoDBException as error:
            raise click.ClickException(f"@db.tenant_lister cannot read the names of the tenants. {error}") from error
    if not names:
        click.echo(f"The app {app.name!r} has no tenants, so that there is nothing to do.", err=True)
    return names


def _message(error: Exception) -> str:
    return error.format_message() if isinstance(error, click.ClickException) else f"{type(error).__name__}: {error}"
