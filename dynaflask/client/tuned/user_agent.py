"""The header ``User-Agent``, put together once: botocore cleans it character by character, twice a call."""

from __future__ import annotations

import typing as t

from botocore.useragent import UserAgentString

from dynaflask.client.botocore_internals import call_features


class UserAgent(UserAgentString):
    """A session's component ``user_agent_creator``: the stock one, which remembers what it has said for a client."""

    _said: dict[frozenset[str], str] | None = None

    def with_client_config(self, client_config: t.Any) -> t.Any:
        """The one of a client.

        Args:
            client_config: The client's ``Config``.
        """
        agent = super().with_client_config(client_config)
        agent._said = {}
        return agent

    def to_string(self) -> str:
        """The header's value, which tells of the features of botocore's that the call uses and of nothing else new."""
        features = call_features()
        if self._said is None or features is None:
            return super().to_string()
        if features not in self._said:
            self._said[features] = super().to_string()
        return self._said[features]
