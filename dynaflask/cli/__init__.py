"""``flask dynamo``, and the command class for commands of the program's own."""

from __future__ import annotations

from dynaflask.cli.tenant_command import TenantCommand

__all__ = ["TenantCommand"]
