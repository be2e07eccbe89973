"""The ``User-Agent`` header, built once per client. botocore builds it twice per call, character by character."""

from __future__ import annotations

import typing as t

from botocore.useragent import UserAgentString

from dynaflask.client.botocore_internals import call_features


class UserAgent(UserAgentString):
    """The session component ``user_agent_creator``: the stock one, which caches the header of a client."""

    _cached_headers: dict[frozenset[str], str] | None = None

    def with_client_config(self, client_config: t.Any) -> t.Any:
        """The user agent of one client.

        Args:
            client_config: The client's ``Config``.
        """
        agent = super().with_client_config(client_config)
        agent._cached_headers = {}
        return agent

    def to_string(self) -> str:
        """Value of the header. In a call, only the botocore features that the call uses change it."""
        features = call_features()
        if self._cached_headers is None or features is None:
            return super().to_string()
        if features not in self._cached_headers:
            self._cached_headers[features] = super().to_string()
        return self._cached_headers[features]
