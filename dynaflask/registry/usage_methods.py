"""What the calls of an app consumed, and which they were, as methods of ``db`` and of the registry."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

if t.TYPE_CHECKING:
    from dynaflask.operations.operation import Operation
    from dynaflask.operations.usage import Usage
    from dynaflask.operations.usage import UsageKey
    from dynaflask.registry.registry import Registry


class UsageMethodsMixin:
    """Methods that read the app's recorder."""

    if t.TYPE_CHECKING:

        def _registry(self, what: str) -> Registry: ...  # of the extension object and of the registry

    @t.overload
    def usage(
        self, *, by: None = None, reset: bool = False, string_keys: t.Literal[False] = False
    ) -> dict[UsageKey, Usage]: ...

    @t.overload
    def usage(
        self, *, by: str, reset: bool = False, string_keys: t.Literal[False] = False
    ) -> dict[str | None, Usage]: ...

    @t.overload
    def usage(
        self, *, by: str | None = None, reset: bool = False, string_keys: t.Literal[True]
    ) -> dict[str, Usage]: ...

    def usage(
        self, *, by: str | None = None, reset: bool = False, string_keys: bool = False
    ) -> cabc.Mapping[t.Any, Usage]:
        """What the app's calls consumed in this process since its start, or since the last reset.

        Args:
            by: Sum up by ``"tenant"``, ``"model"`` or ``"operation"``.
            reset: Start again from zero. Each call is counted exactly once, before or after the reset.
            string_keys: Return strings as keys, as ``jsonify`` needs them: ``"tenant/model/operation"``, or with ``by``
                the name. No tenant and no model are the empty string.

        Returns:
            The counts by tenant, model and operation; with ``by``, by that one alone.

        Raises:
            RuntimeError: The app has no ``DYNAMODB_METER``.
            ValueError: ``by`` is another word.
        """
        registry = self._registry("db.usage")
        meter = registry.recorder.meter
        if meter is None:
            raise RuntimeError(f"The app {registry.app_name!r} counts no usage. Set DYNAMODB_METER = True.")
        counts: cabc.Mapping[t.Any, Usage] = meter.read(reset=reset)
        if by is not None:
            from dynaflask.operations.usage import summed  # noqa: PLC0415 - an app without a meter does not need it

            counts = summed(counts, by)
        return {"" if key is None else str(key): usage for key, usage in counts.items()} if string_keys else counts

    def recorded_operations(self) -> list[Operation]:
        """The operations of the current request, or of the current context without a request, the oldest first.

        At most the last 1,000 are kept.

        Raises:
            RuntimeError: The app has no ``DYNAMODB_RECORD_OPERATIONS``.
        """
        registry = self._registry("db.recorded_operations")
        if not registry.recorder.keeps_operations:
            raise RuntimeError(
                f"The app {registry.app_name!r} keeps no operations. Set DYNAMODB_RECORD_OPERATIONS = True."
            )
        return registry.recorder.recorded_operations()
