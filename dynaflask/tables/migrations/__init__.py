"""Migrations of items: numbered Python files that are applied once per table and tenant. The import applies none."""

from __future__ import annotations

from dynaflask.tables.migrations.files import Migration
from dynaflask.tables.migrations.files import read_migrations
from dynaflask.tables.migrations.runner import MigrationResult
from dynaflask.tables.migrations.runner import MigrationStatus
from dynaflask.tables.migrations.runner import apply_migration
from dynaflask.tables.migrations.runner import migrate
from dynaflask.tables.migrations.runner import migration_status

__all__ = [
    "Migration",
    "MigrationResult",
    "MigrationStatus",
    "apply_migration",
    "migrate",
    "migration_status",
    "read_migrations",
]
