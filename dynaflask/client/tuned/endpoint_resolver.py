"""botocore's endpoint resolver, which computes once per operation what does not depend on the arguments of a call.

botocore computes each parameter of the service's ruleset in each call. Most of them do not depend on the call.
"""

from __future__ import annotations

import typing as t

from botocore.regions import EndpointRulesetResolver
from botocore.utils import instance_cache

from dynaflask.client.botocore_internals import replace_resolver

# Private names of the stock resolver. If one is gone, `install` leaves the client as it is.
NEEDED = (
    "_param_definitions",
    "_get_customized_builtins",
    "_resolve_param_from_context",
    "_resolve_param_as_builtin",
    "_instance_cache",
)


class RulesetParameter(t.NamedTuple):
    """One parameter of the ruleset for one operation.

    Attributes:
        name: Name of the parameter.
        builtin: Name of the client's value that the parameter has by default.
        value: Value that the operation sets in each call.
        depends_on_call: True if the arguments of the call decide the value.
    """

    name: str
    builtin: str | None
    value: t.Any = None
    depends_on_call: bool = False


class CachingResolver(EndpointRulesetResolver):
    """The stock resolver, but only the parameters that depend on the arguments are computed in each call."""

    # A private method: botocore calls it once per call. A botocore without it computes all parameters itself.
    def _get_provider_params(
        self, operation_model: t.Any, call_args: t.Any, request_context: t.Any
    ) -> dict[str, t.Any]:
        stock: t.Any = self
        register = getattr(stock, "_register_endpoint_feature_ids", _ignore)
        builtins = stock._get_customized_builtins(operation_model, call_args, request_context)
        values = {}
        for name, builtin, constant, depends_on_call in self._parameters(operation_model):
            value = constant
            if depends_on_call:
                value = stock._resolve_param_from_context(name, operation_model, call_args)
            if value is None and builtin is not None:
                value = self._builtin(builtin, builtins)
            if value is not None:
                values[name] = value
                register(name, value)
        return values

    def _builtin(self, name: str, builtins: dict[str, t.Any]) -> t.Any:
        stock: t.Any = self
        value = builtins.get(name)
        return stock._resolve_param_as_builtin(name, builtins) if value is None or callable(value) else value

    @instance_cache
    def _parameters(self, operation_model: t.Any) -> list[RulesetParameter]:
        stock: t.Any = self
        return [self._parameter(operation_model, *item) for item in stock._param_definitions.items()]

    def _parameter(self, operation_model: t.Any, name: str, definition: t.Any) -> RulesetParameter:
        stock: t.Any = self
        try:
            value = stock._resolve_param_from_context(name, operation_model, _UnreadableArguments())
        except (LookupError, ValueError):  # jmespath's errors are ValueErrors
            return RulesetParameter(name, definition.builtin, depends_on_call=True)
        return RulesetParameter(name, definition.builtin, value)


class _UnreadableArguments:
    """Arguments that raise when they are read. A parameter that raises depends on the arguments."""

    def __getattr__(self, name: str) -> t.NoReturn:
        raise LookupError(name)


def _ignore(name: str, value: t.Any) -> None:
    """Replacement for a method that botocore 1.35 lacks: it does not register endpoint features."""


def install(client: t.Any) -> None:
    """Replace the endpoint resolver of a client.

    Args:
        client: A client of DynamoDB.
    """
    replace_resolver(client, stock=EndpointRulesetResolver, by=CachingResolver, needs=NEEDED)
