"""The direct transport: the data-plane operations outside botocore's machinery, on connections of its own.

A call renders a signed request from a template, sends it once, and reads the response. Any response other than an
intact 200 goes to botocore as the result of attempt 1. botocore's retry policy then decides which error it is, whether
to try again, how long to wait, and what the token bucket pays. botocore's further attempts use the same connections. So
does the first call of each operation, from which the template is captured.

If a hook listens to the client, or the client uses a feature that is not supported here, botocore makes the whole call.
"""

from __future__ import annotations

import collections.abc as cabc
import functools
import logging
import types
import typing as t
import urllib.parse

from botocore.awsrequest import AWSResponse
from botocore.exceptions import BotoCoreError
from botocore.exceptions import ConnectionClosedError

from dynaflask.client.botocore_internals import frozen_credentials
from dynaflask.client.botocore_internals import has_proxy
from dynaflask.client.botocore_internals import make_silenced_call
from dynaflask.client.botocore_internals import missing_name
from dynaflask.client.botocore_internals import socket_options
from dynaflask.client.codec.parts import DIFFERENCE
from dynaflask.client.direct.head_pattern import CHECKSUM
from dynaflask.client.direct.head_pattern import OK
from dynaflask.client.direct.hooks import ClientHooks
from dynaflask.client.direct.hooks import FutureHooks
from dynaflask.client.direct.hooks import future_hooks
from dynaflask.client.direct.http_pool import ConnectionPool
from dynaflask.client.direct.http_pool import Origin
from dynaflask.client.direct.http_pool import connection_closed_error
from dynaflask.client.direct.operation_codec import OperationCodec
from dynaflask.client.direct.operation_codec import names_an_arn
from dynaflask.client.direct.page_decoder import MALFORMED
from dynaflask.client.direct.page_decoder import PageDecoder
from dynaflask.client.direct.pending_call import AttemptResult
from dynaflask.client.direct.pending_call import PendingCall
from dynaflask.client.direct.pending_call import pending_call
from dynaflask.client.direct.process_state import ProcessState
from dynaflask.client.direct.request_template import INVOCATION_ID
from dynaflask.client.direct.request_template import RequestTemplate
from dynaflask.client.direct.request_template import ascii_headers
from dynaflask.client.direct.request_template import request_line
from dynaflask.client.fallback_log import log_fallback
from dynaflask.client.key import BOTOCORE
from dynaflask.client.key import DIRECT
from dynaflask.client.plain_requests import decoded
from dynaflask.client.service_data import service_model
from dynaflask.client.tls import hostname_checking_context
from dynaflask.operations.operation import DATA_PLANE_OPERATIONS
from dynaflask.operations.tracing import traced_modules
from dynaflask.process_local import ProcessLocal

if t.TYPE_CHECKING:
    import ssl

    from dynaflask.client.destination import Destination

_log = logging.getLogger("dynaflask.direct")


class DirectTransport:
    """Makes the data-plane calls of one client.

    With a destination, it needs no client until a hook listens, a response is not an intact 200, or the program calls
    another operation.

    Args:
        client: A new client that no other code uses yet; ``None`` with a destination.
        destination: Destination of a client that is not made yet.
        make_client: Makes the client of the destination, and calls :meth:`attach` with it; or returns the one that an
            earlier call has made.

    Attributes:
        unsupported_reason: Reason why botocore makes all calls of the client; ``None`` if there is none.
    """

    def __init__(
        self,
        client: t.Any = None,
        *,
        destination: Destination | None = None,
        make_client: cabc.Callable[[], t.Any] | None = None,
    ) -> None:
        self._destination = destination
        self._make_client = make_client
        self._operations: dict[str, OperationCodec] = {}
        # A child keeps its parent's state. If it were dropped, the finalizers of the sockets would warn in the child.
        self._inherited: list[ProcessState] = []
        self._state = ProcessLocal(ProcessState, abandon=self._inherited.append)
        self._is_open = True
        self._attached: t.Any = None
        self.unsupported_reason: str | None = None
        self._hooks: ClientHooks | FutureHooks = future_hooks
        # Those of a client may change at each call.
        self._fixed_credentials: t.Any = None if destination is None else destination.credentials
        if client is not None:
            self.attach(client)

    def attach(self, client: t.Any) -> None:
        """Make the calls of a client from now on.

        Args:
            client: A new client that no other code uses yet.

        Raises:
            RuntimeError: The client differs from the destination of the earlier calls.
        """
        if self._destination is not None:
            self._destination.check(client)
        self.unsupported_reason = _find_unsupported_reason(client)
        self._hooks = ClientHooks(client, operations=DATA_PLANE_OPERATIONS)
        self._attached, self._fixed_credentials = client, None
        service = client.meta.service_model.service_id.hyphenize()
        client.meta.events.register_first(f"provide-client-params.{service}", self._tell_apart)
        client.meta.events.register_last(f"before-call.{service}", self._set_invocation_id)
        # Last, so that it gets the request as all other handlers leave it.
        client.meta.events.register_last("before-send", self._send)

    @property
    def reason(self) -> str | None:
        """Reason why botocore makes the next call, or ``None`` if this transport makes it."""
        return self.unsupported_reason or self._hooks.blocking_reason(traced_modules())

    @property
    def mode(self) -> str:
        """Transport of the next call: ``"direct"``, or ``"botocore"`` if botocore makes it."""
        return DIRECT if self.reason is None else BOTOCORE

    def __repr__(self) -> str:
        return f"<DirectTransport mode={self.mode!r} reason={self.reason!r}>"

    def __len__(self) -> int:
        return sum(map(len, list(self._state.get().pools.values())))

    # PynamoDB calls a client by this name.
    def _make_api_call(
        self, operation_name: str, params: dict[str, t.Any], decoder: PageDecoder | None = None
    ) -> t.Any:
        operation = self._operations.get(operation_name)
        if operation is None or self.unsupported_reason or self._hooks.blocking_reason(traced_modules()):
            operation = self._operation_for(operation_name)
            if operation is None:
                return make_silenced_call(self._client, operation_name, decoded(params))
        state = self._state.get()
        invocation_id = state.invocation_ids.next()
        result: AttemptResult | None = None
        request, url = self._signed_request(operation, params, invocation_id)
        if request is not None:
            pool = state.pools.get(url)
            try:
                result = (self._pool_for(url, state) if pool is None else pool).send(request)
            except BotoCoreError as error:
                result = error
            else:
                if result.status_code == OK and result.is_intact:
                    return operation.parse(result, params, self._hooks, decoder)
        return self._fall_back_to_botocore(PendingCall(self, operation, decoded(params), invocation_id, result))

    def with_page_decoder(self, decoder: PageDecoder) -> t.Any:
        """A client for PynamoDB whose pages have objects in place of plain items.

        Args:
            decoder: Decodes the pages. It must not run user code.
        """
        return types.SimpleNamespace(_make_api_call=functools.partial(self._make_api_call, decoder=decoder))

    def close(self) -> None:
        """Close the connections of this process. A forked child may call it: its parent's connections stay open."""
        self._is_open = False
        for pool in list(self._state.get().pools.values()):
            pool.close()

    def _operation_for(self, operation_name: str) -> OperationCodec | None:
        """The codec of an operation; None if botocore must make the call. The client is made if a hook needs it."""
        reason = self._reason_for(operation_name)
        if reason is not None and self._attached is None:
            _log.debug("%s needs botocore's client: %s.", operation_name, reason)
            t.cast("t.Any", self._make_client)()
            reason = self._reason_for(operation_name)
        if reason is not None:
            _log.debug("%s falls back to botocore: %s.", operation_name, reason)
            if operation_name in DATA_PLANE_OPERATIONS:
                log_fallback(_log, DIRECT, instead=BOTOCORE, reason=reason)
            return None
        # `setdefault`: threads that get here at once share one codec, and with it the templates.
        return self._operations.get(operation_name) or self._operations.setdefault(
            operation_name, OperationCodec(self._find_service_model, operation_name)
        )

    def _reason_for(self, operation_name: str) -> str | None:
        return self.reason if operation_name in DATA_PLANE_OPERATIONS else "it is not a data-plane operation"

    @property
    def _client(self) -> t.Any:
        """The client, which is made now if there is none."""
        client = self._attached
        return client if client is not None else t.cast("t.Any", self._make_client)()

    def _find_service_model(self) -> t.Any:
        return service_model() if self._attached is None else self._attached.meta.service_model

    def _signed_request(
        self, operation: OperationCodec, params: dict[str, t.Any], invocation_id: str
    ) -> tuple[bytes | None, str]:
        """Attempt 1 of a call and its URL; ``None`` in its place if botocore must make the attempt."""
        credentials = self._fixed_credentials or frozen_credentials(self._attached)
        account = getattr(credentials, "account_id", None)
        template = operation.templates.get(account) or self._captured_template(operation, account)
        if template is None:
            _log_reason(operation, "it has no request template")
            return None, ""
        body = operation.serialize(params) if credentials else None
        if body is None:
            _log_reason(operation, "botocore must check it or find its endpoint")
            return None, ""
        request = template.render(body, credentials, invocation_id)
        if request is None:
            _log_reason(operation, "a credential is not printable ASCII")
        return request, template.url

    def _captured_template(self, operation: OperationCodec, account: str | None) -> RequestTemplate | None:
        """The template of the first call. A destination has one without a call, unless an account chooses the URL."""
        if self._destination is None or account is not None:
            return None
        template = operation.templates[None] = self._destination.template(operation)
        return template

    def _fall_back_to_botocore(self, pending: PendingCall) -> t.Any:
        if pending.first_result is not None and _log.isEnabledFor(logging.DEBUG):
            outcome = _outcome(pending.first_result)
            _log.debug("%s: botocore's retry policy takes over after attempt 1: %s.", pending.operation.name, outcome)
        try:
            with pending_call.block(pending):
                result = make_silenced_call(self._client, pending.operation.name, pending.params)
        except (ConnectionClosedError, *MALFORMED):
            # botocore raises a ValueError for a checksum that is not a number, and others for a body that is not an
            # object. Both are faults of the response only if it shows them: code that refreshes credentials may raise
            # such errors, too.
            pending.check_response()
            if pending.response is not None:
                pending.operation.parse_stock(pending.response)
            raise
        pending.check_response()
        return result

    def _pending_call_for(self, event_name: str) -> PendingCall | None:
        pending = pending_call.get()
        if pending is None or pending.transport is not self:
            return None
        return pending if event_name.endswith(f".{pending.operation.name}") else None

    def _tell_apart(self, params: dict[str, t.Any], context: dict[str, t.Any], event_name: str, **_: t.Any) -> None:
        """Handler of ``provide-client-params``: a call in the middle of a pending one gets an id of its own.

        The handler of a signal, a finalizer, or what refreshes credentials may call the same operation of the client.
        It must not get the response to the pending call.
        """
        pending = self._pending_call_for(event_name)
        if pending is not None and params != pending.params:
            other_id = self._state.get().invocation_ids.next()
            pending.other_ids.add(other_id)
            context["retries"] = {"invocation-id": other_id}

    def _set_invocation_id(self, context: dict[str, t.Any], event_name: str, **_: t.Any) -> None:
        """Handler of ``before-call``: give botocore's attempts the invocation id of attempt 1."""
        pending = self._pending_call_for(event_name)
        if pending is not None:
            context.setdefault("retries", {"invocation-id": pending.invocation_id})

    def _send(self, request: t.Any, event_name: str, **_: t.Any) -> AWSResponse | None:
        """Handler of ``before-send``: the response that botocore takes in place of one from urllib3.

        If the transport has made attempt 1, botocore gets its result here, so that no attempt is sent twice. Otherwise
        the request is sent, once.
        """
        pending = self._pending_call_for(event_name)
        headers = ascii_headers(request) if pending else None
        if pending is None or headers is None or headers.get(INVOCATION_ID) in pending.other_ids:
            return None  # urllib3 sends it
        pending.attempts += 1
        result, pending.first_result, pending.response = pending.first_result, None, None
        if result is None:
            self._capture(pending, request, headers)
            head = f"{request_line(request.url, headers)}\r\n".encode()
            result = self._pool_for(request.url, self._state.get()).send(head + request.body)
        if isinstance(result, BotoCoreError):
            raise result
        pending.response, pending.url = result, request.url
        # botocore retries after a wrong checksum. Without a checksum, it takes a response that is cut short for a
        # success. A read can be repeated; a write may have been applied, so that `check_response` raises.
        if pending.operation.is_read and CHECKSUM not in result.headers and pending.is_damaged:
            raise connection_closed_error(request.url, "The response is cut short or damaged.")
        return AWSResponse(request.url, result.status_code, t.cast("t.Any", result.headers), result)

    def _capture(self, pending: PendingCall, request: t.Any, headers: dict[str, str]) -> None:
        # Another attempt has another `amz-sdk-request` header. A table's ARN may lead to an endpoint of its own.
        if pending.attempts > 1 or names_an_arn(pending.params):
            return
        credentials = frozen_credentials(self._client)
        if not credentials:
            return
        template = RequestTemplate.capture(
            request, headers, credentials=credentials, invocation_id=pending.invocation_id
        )
        if template is None:
            reason = f"{pending.operation.name} has no request template, because botocore adds or signs other headers"
            log_fallback(_log, DIRECT, instead=BOTOCORE, reason=reason)
            return
        if self._destination is not None:
            self._destination.check_template(template)
        pending.operation.templates[getattr(credentials, "account_id", None)] = template
        _log.debug("Captured the request template of %s to %s.", pending.operation.name, template.url)

    def _pool_for(self, url: str, state: ProcessState) -> ConnectionPool:
        pool = state.pools.get(url)
        if pool is None:
            pool = state.pools.setdefault(url, ConnectionPool(self._origin(url)))
            # `close` in another thread may not have seen this pool.
            if not self._is_open:
                pool.close()
        return pool

    def _origin(self, url: str) -> Origin:
        parts, is_secure = urllib.parse.urlsplit(url), url.startswith("https:")
        destination = self._destination
        config = destination or self._client.meta.config
        return Origin(
            url=url,
            host=t.cast("str", parts.hostname),
            port=parts.port or (443 if is_secure else 80),
            context=self._tls_context() if is_secure else None,
            connect_timeout=config.connect_timeout,
            read_timeout=config.read_timeout,
            options=socket_options(self._client) if destination is None else destination.socket_options,
            max_idle=config.max_pool_connections,
        )

    def _tls_context(self) -> ssl.SSLContext | None:
        return hostname_checking_context(self._client) if self._destination is None else self._destination.tls_context


def _log_reason(operation: OperationCodec, reason: str) -> None:
    _log.debug("%s falls back to botocore: %s.", operation.name, reason)


def _find_unsupported_reason(client: t.Any) -> str | None:
    missing = missing_name(client)
    if missing is not None:
        return f"{DIFFERENCE}{missing}"
    if has_proxy(client):
        return "the client uses a proxy"
    if client.meta.endpoint_url.startswith("https") and hostname_checking_context(client) is None:
        return "the client has TLS settings of its own"
    return None


def _outcome(result: AttemptResult) -> str:
    # Not the result itself: the body of a response has the application's data.
    if isinstance(result, BotoCoreError):
        return type(result).__name__
    return "an incomplete or damaged response" if result.status_code == OK else f"status {result.status_code}"
