"""``flask dynamo migrate``: apply the migrations of a directory, or show how far they are."""

from __future__ import annotations

import pathlib
import typing as t

import click

from dynaflask.cli.output import print_records
from dynaflask.cli.output import progress
from dynaflask.registry.registry import Registry
from dynaflask.tables.migrations import Migration
from dynaflask.tables.migrations import apply_migration
from dynaflask.tables.migrations import migration_status
from dynaflask.tables.migrations import read_migrations
from dynaflask.tables.table import find_one


def apply_all(registry: Registry, directory: pathlib.Path, *, dry_run: bool, **options: t.Any) -> None:
    """Apply the migrations that are not applied yet, and print what each did.

    Args:
        registry: The app's registry, in a context of the app.
        directory: The directory of the migrations.
        dry_run: Only count the items that would change.
        **options: Further options of `apply_migration`.
    """
    verb, change = ("Would apply", "change") if dry_run else ("Applied", "changed")
    is_up_to_date = True
    for migration in read_migrations(registry, directory):
        with progress(migration.name, total=lambda: _item_count(registry, migration)) as report:  # noqa: B023 - now
            result = apply_migration(registry, migration, dry_run=dry_run, progress=report, **options)
        if result is not None:
            is_up_to_date = False
            counts = (
                "" if migration.model is None else f": {result.items_changed} of {result.items_read} items {change}"
            )
            click.echo(f"{verb} {migration.name} to {result.target}{counts}.")
    if is_up_to_date:
        click.echo("All migrations are applied.")


def show(registry: Registry, directory: pathlib.Path, *, as_json: bool) -> bool:
    """Print how far each migration is.

    Args:
        registry: The app's registry, in a context of the app.
        directory: The directory of the migrations.
        as_json: Print JSON.

    Returns:
        True if all are applied.
    """
    statuses = migration_status(registry, read_migrations(registry, directory))
    records = [
        {
            "migration": status.result.migration,
            "target": status.result.target,
            "tenant": status.result.tenant,
            "status": status.status,
            "items_read": status.result.items_read,
            "items_changed": status.result.items_changed,
            "applied_at": status.applied_at,
        }
        for status in statuses
    ]
    print_records(records, as_json=as_json)
    return all(status.is_applied for status in statuses)


def _item_count(registry: Registry, migration: Migration) -> int:
    # Approximate: DynamoDB updates the count about every six hours.
    return 0 if migration.model is None else int(find_one(registry, migration.model).require()["ItemCount"])
