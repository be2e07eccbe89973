"""What a connection needs of the context that it belongs to."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from dynaflask.client.lease import Lease
    from dynaflask.config.bind import Bind
    from dynaflask.operations.recorder import OperationRecorder


class ConnectionContext(t.Protocol):
    """What a connection needs of its scope.

    Attributes:
        pushes: True as long as the context is open.
    """

    pushes: t.Any

    def require_open(self) -> None:
        """Raise if the scope has ended."""

    @property
    def running_scope(self) -> object:
        """The scope that the running code is in."""

    def require_running_scope(self, scope: object, model: str) -> None:
        """Raise if the running code is in another scope."""

    def lease(self, bind: Bind) -> Lease:
        """The app's claim on the client of a destination. Raise if the scope has ended."""

    def dedicated_client(self, bind: Bind) -> t.Any:
        """A client for a destination that serves this app alone."""

    @property
    def recorder(self) -> OperationRecorder:
        """Records the app's operations."""

    @property
    def needs_tenant(self) -> bool:
        """True if a command of the app needs one of the options for tenants."""
