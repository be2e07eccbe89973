"""What a call needs of the scope that its connection belongs to."""

from __future__ import annotations

import typing as t

from dynaflask.client.lease import Lease
from dynaflask.config.bind import Bind
from dynaflask.exceptions import TenantMismatch
from dynaflask.operations.recorder import OperationRecorder
from dynaflask.registry.context import block_error
from dynaflask.registry.context import current_scope
from dynaflask.registry.scope_tenant import ScopeTenant

if t.TYPE_CHECKING:
    from dynaflask.registry.scope import Scope


class ScopeCalls(ScopeTenant):
    """The part of a scope that calls use: they have its app's clients, and are refused in another context."""

    # Of Scope.
    pushes: t.Any
    # True if the program pushed the context again after its end, and it had state.
    is_pushed_again: bool = False

    if t.TYPE_CHECKING:

        @property
        def root(self) -> Scope:
            """Of Scope."""

    # Of a connection: client.connection_context.ConnectionContext.

    def require_open(self) -> None:
        """Refuse further use of an object whose context has ended.

        Raises:
            RuntimeError: The context has ended.
        """
        if self.root.pushes:
            return
        if self.root.is_pushed_again:
            raise RuntimeError(
                f"This application context of {self.registry.app_name!r} was pushed again after its end. What it has"
                " done before, for a tenant or with a changed Meta, must not go on. Push a new one: `with"
                " app.app_context():`."
            )
        raise RuntimeError(
            f"This belongs to an application context of {self.registry.app_name!r} that has ended. Get it again inside"
            " the context that uses it; in a streamed response, wrap the generator in flask.stream_with_context."
        )

    @property
    def running_scope(self) -> Scope | None:
        """The scope that the running code is in: this one, or a block."""
        return current_scope(self.registry.dynamo)

    def require_running_scope(self, scope: object, model: str) -> None:
        """Refuse to go on if code of the program has entered or left a block in the middle of a call.

        Args:
            scope: What :attr:`running_scope` was at the start.
            model: Name of the model of the call.

        Raises:
            RuntimeError: The running code is in another scope.
        """
        if self.running_scope is not scope:
            raise block_error(model)

    def lease(self, bind: Bind) -> Lease:
        """The app's claim on the client of a destination.

        Raises:
            RuntimeError: The context has ended.
        """
        self.require_open()
        return self.registry.leases.get(bind)

    def dedicated_client(self, bind: Bind) -> t.Any:
        """The app's own client for a destination."""
        return self.registry.leases.dedicated_client(bind)

    @property
    def recorder(self) -> OperationRecorder:
        """The app's recorder of operations."""
        return self.registry.recorder

    @property
    def needs_tenant(self) -> bool:
        """True if a command of the app needs one of the options for tenants."""
        return self.registry.tenants.has_callbacks or self.registry.tenants.is_required

    # Of a transaction: client.transaction_item.

    def require_current(self, model: str) -> None:
        """Refuse a transaction that is sent in another context or for another tenant than this scope's.

        Args:
            model: Name of the model that was added to it in this scope.

        Raises:
            RuntimeError: The current context is another one.
            TenantMismatch: The current tenant is another one.
        """
        if not self._is_in_current_context():
            raise RuntimeError(
                f"A transaction belongs to one application context: {model} was added in a context of"
                f" {self.registry.app_name!r}, which is not the current one. Send the transaction in that context."
            )
        scope = t.cast("Scope", current_scope(self.registry.dynamo))
        if scope.known_tenant != self.known_tenant:
            added_for, sent_for = (
                repr(str(name)) if name else "no tenant" for name in (self.known_tenant, scope.known_tenant)
            )
            raise TenantMismatch(
                f"A transaction is for one tenant: {model} was added for {added_for}, and the transaction is sent for"
                f" {sent_for}. Send it in the block that its models were added in, or make it with"
                " db.transact_write() or db.transact_get()."
            )

    def _is_in_current_context(self) -> bool:
        current = current_scope(self.registry.dynamo)
        return current is not None and current.root is self.root
