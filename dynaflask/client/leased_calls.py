"""A call of a connection on the client of the pool, while its context is open."""

from __future__ import annotations

import typing as t

from dynaflask.client.api_call import ApiCall
from dynaflask.client.call_timeout import TimedCaller
from dynaflask.client.direct.page_decoder import PageDecoder
from dynaflask.client.error_advice import CreateOptions
from dynaflask.client.error_context import CALL_ERRORS
from dynaflask.client.error_context import annotate
from dynaflask.client.lease import Lease
from dynaflask.client.plain_requests import decoded
from dynaflask.client.pooled_client import PooledClient
from dynaflask.client.table_calls import TableCalls
from dynaflask.client.traced_caller import TracedCaller
from dynaflask.client.traced_caller import make_traced_call
from dynaflask.operations.recorder import OperationRecorder
from dynaflask.operations.tracing import Endpoint


class LeasedCalls(TableCalls):
    """PynamoDB's connection on a client that the app leases.

    Attributes:
        tenant: Tenant that the connection acts for, or None.
    """

    tenant: str | None
    _recorder: OperationRecorder
    _lease: Lease | None
    _page_decoder: PageDecoder | None
    # The client or its transport makes the calls, and nothing around it.
    _is_bare: bool
    # URL and region of the client, once a traced call has got it.
    _endpoint: Endpoint
    _endpoint_of: PooledClient | None

    def _make_call(self, operation_name: str, operation_kwargs: dict[str, t.Any]) -> dict[str, t.Any]:
        recorder, lease, pooled = self._recorder, self._lease, None
        if lease is None or not self._owner.pushes:
            lease = self._lease = self._owner.lease(self.bind)
        try:
            while True:
                pooled = lease.pooled_client()
                try:
                    pooled.active_calls.append(None)
                    # If it is not open, another thread evicted the client before it could see this call.
                    if pooled.is_open:
                        is_bare = self._is_bare and recorder.interceptor is None and not recorder.tracing.tracers
                        if is_bare and pooled.is_direct:
                            return pooled.api_call._make_api_call(operation_name, operation_kwargs)
                        return self._make_call_on(pooled, operation_name, operation_kwargs)
                finally:
                    pooled.active_calls.pop()
        except CALL_ERRORS as error:
            self._annotate(error, operation_name, pooled)
            raise

    def _make_call_on(
        self, pooled: PooledClient, operation_name: str, operation_kwargs: dict[str, t.Any]
    ) -> dict[str, t.Any]:
        """Make a call that has a tracer, a time limit, a page decoder or an interceptor, or that botocore makes."""
        recorder, api_call = self._recorder, pooled.api_call
        is_bare = self._is_bare and recorder.interceptor is None
        if is_bare and pooled.is_direct:
            self._remember_endpoint(pooled)
            return make_traced_call(api_call, recorder.tracing, operation_name, operation_kwargs)
        if not is_bare or recorder.tracing.tracers:
            api_call = ApiCall(self._api_caller(operation_name, pooled))
        return api_call._make_api_call(operation_name, decoded(operation_kwargs))

    def _annotate(self, error: Exception, operation_name: str, pooled: PooledClient | None) -> None:
        client = None if pooled is None else pooled.made_client
        create = CreateOptions(self.tenant, self._model, self._owner.needs_tenant)
        annotate(error, bind=self.bind, operation=operation_name, client=client, create=create)

    def _api_caller(self, operation_name: str, pooled: PooledClient) -> t.Any:
        """What makes a call: the client or its direct transport, with what this connection and the app add to it."""
        api_caller, is_direct, recorder = pooled.api_caller, pooled.is_direct, self._recorder
        if self._page_decoder is not None and is_direct:
            api_caller = api_caller.with_page_decoder(self._page_decoder)
        if recorder.interceptor is not None:
            intercepting = recorder.interceptor(operation_name, pooled.client, self.bind)
            api_caller, is_direct = intercepting or api_caller, is_direct and intercepting is None
        if self.bind.call_timeout_seconds is not None:
            api_caller = TimedCaller(api_caller, self.bind.call_timeout_seconds)
        if recorder.tracing.tracers:
            self._remember_endpoint(pooled)
            api_caller = TracedCaller(api_caller, recorder.tracing, is_direct=is_direct)
        return api_caller

    def _remember_endpoint(self, pooled: PooledClient) -> None:
        if pooled is not self._endpoint_of:
            # In this order: a thread that shares the connection must not find the endpoint of an earlier client.
            self._endpoint, self._endpoint_of = pooled.endpoint, pooled
