"""What botocore finds the endpoint of a call by. What is the same in each call of an operation is worked out once.

botocore asks for each parameter of the service's ruleset anew, and most have nothing to do with the call.
"""

from __future__ import annotations

import typing as t

from botocore.regions import EndpointRulesetResolver
from botocore.utils import instance_cache

from dynaflask.client.botocore_internals import replace_resolver

# What the stock resolver keeps to itself and this one asks it for.
NEEDED = (
    "_param_definitions",
    "_get_customized_builtins",
    "_resolve_param_from_context",
    "_resolve_param_as_builtin",
    "_instance_cache",
)


class Parameter(t.NamedTuple):
    """One parameter of the ruleset, as an operation has it.

    Attributes:
        name: Its name.
        builtin: What of the client it is, unless the operation says something else.
        value: What the operation says in each call.
        depends_on_call: Whether the arguments of the call have a say.
    """

    name: str
    builtin: str | None
    value: t.Any = None
    depends_on_call: bool = False


class Resolver(EndpointRulesetResolver):
    """The stock resolver, which asks a call's arguments only for what depends on them."""

    # botocore calls this once per call. A version that does not will go through the parameters as ever.
    def _get_provider_params(
        self, operation_model: t.Any, call_args: t.Any, request_context: t.Any
    ) -> dict[str, t.Any]:
        stock: t.Any = self
        register = getattr(stock, "_register_endpoint_feature_ids", _ignore)
        builtins = stock._get_customized_builtins(operation_model, call_args, request_context)
        found = {}
        for name, builtin, said, depends_on_call in self._parameters(operation_model):
            value = stock._resolve_param_from_context(name, operation_model, call_args) if depends_on_call else said
            if value is None and builtin is not None:
                value = self._builtin(builtin, builtins)
            if value is not None:
                found[name] = value
                register(name, value)
        return found

    def _builtin(self, name: str, builtins: dict[str, t.Any]) -> t.Any:
        stock: t.Any = self
        value = builtins.get(name)
        return stock._resolve_param_as_builtin(name, builtins) if value is None or callable(value) else value

    @instance_cache
    def _parameters(self, operation_model: t.Any) -> list[Parameter]:
        stock: t.Any = self
        return [self._parameter(operation_model, *item) for item in stock._param_definitions.items()]

    def _parameter(self, operation_model: t.Any, name: str, definition: t.Any) -> Parameter:
        stock: t.Any = self
        try:
            value = stock._resolve_param_from_context(name, operation_model, _Unknown())
        except (LookupError, ValueError):  # jmespath's errors are the latter
            return Parameter(name, definition.builtin, depends_on_call=True)
        return Parameter(name, definition.builtin, value)


class _Unknown:
    """Arguments that cannot be looked at."""

    def __getattr__(self, name: str) -> t.NoReturn:
        raise LookupError(name)


def _ignore(name: str, value: t.Any) -> None:
    """botocore 1.35 does not register which features the endpoint uses."""


def install(client: t.Any) -> None:
    """Let a client resolve its endpoints with it.

    Args:
        client: A client of DynamoDB.
    """
    replace_resolver(client, stock=EndpointRulesetResolver, by=Resolver, needs=NEEDED)
