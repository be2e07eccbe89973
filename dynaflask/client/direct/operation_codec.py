"""Request and response bodies of the data-plane operations, without botocore's walk over their shapes."""

from __future__ import annotations

import typing as t
import uuid

from botocore.serialize import create_serializer

from dynaflask.client.botocore_internals import cached_property
from dynaflask.client.codec.json_codec import dump
from dynaflask.client.codec.passthrough import Predicate
from dynaflask.client.codec.passthrough import predicate_for
from dynaflask.client.codec.response_parser import PassthroughParser
from dynaflask.client.codec.response_parser import add_metadata
from dynaflask.client.codec.response_parser import parse_plain
from dynaflask.client.plain_requests import PlainRequest
from dynaflask.client.plain_requests import decoded
from dynaflask.client.service_data import CONTENT_TYPE
from dynaflask.client.service_data import SERVICE
from dynaflask.client.service_data import TARGET_PREFIX
from dynaflask.config.validators import is_arn
from dynaflask.operations.operation import READ_OPERATIONS
from dynaflask.operations.requests import requests_by_table

if t.TYPE_CHECKING:
    from dynaflask.client.direct.hooks import ClientHooks
    from dynaflask.client.direct.hooks import FutureHooks
    from dynaflask.client.direct.page_decoder import PageDecoder
    from dynaflask.client.direct.request_template import RequestTemplate
    from dynaflask.client.direct.response import Response


class OperationCodec:
    """Serializes the requests and parses the responses of one operation.

    Args:
        find_service_model: Returns botocore's description of the service. It takes six milliseconds to load, and plain
            requests need none of it.
        name: Name of the operation, such as ``GetItem``.

    Attributes:
        name: Name of the operation.
        is_read: True if the operation changes nothing, so that it can be repeated.
        templates: Request templates by the account of the credentials. botocore may choose the endpoint by the account.
    """

    _parser = PassthroughParser()
    _serializer = create_serializer("json", include_validation=False)

    def __init__(self, find_service_model: t.Callable[[], t.Any], name: str) -> None:
        self.name = name
        self.is_read = name in READ_OPERATIONS
        self.templates: dict[str | None, RequestTemplate] = {}
        self._find_service_model = find_service_model
        self._after_call = f"after-call.{SERVICE}.{name}"

    @cached_property
    def _model(self) -> t.Any:
        return self._find_service_model().operation_model(self.name)

    @cached_property
    def _is_plain(self) -> Predicate:
        return predicate_for(self._model.input_shape)

    def serialize(self, params: dict[str, t.Any]) -> bytes | None:
        """The body of a request, or ``None`` if only botocore can send or refuse it.

        Args:
            params: Parameters of the call. A missing ``ClientRequestToken`` is added, so that a retry writes only once.
        """
        if type(params) is PlainRequest:
            # It names no ARN. To look for one in the body of a batch write would take as long as to encode the body.
            body = dump(params)
            if body is not None:
                return body
            params = decoded(params)
        if not params.keys() <= self._model.input_shape.members.keys():
            return None
        for token in self._model.idempotent_members:
            params.setdefault(token, str(uuid.uuid4()))
        body = dump(params) if self._is_plain(params) else None
        # botocore's serializer encodes binary values, and raises the right error for a value that it does not accept.
        if body is None:
            body = t.cast("bytes", self._serializer.serialize_to_request(params, self._model)["body"])
        return None if b'"arn:' in body and names_an_arn(params) else body

    def constant_headers(self) -> dict[str, str]:
        """The headers by lower-case name that botocore's serializer gives to each request of the operation."""
        return {"x-amz-target": f"{TARGET_PREFIX}.{self.name}", "content-type": CONTENT_TYPE}

    def parse(
        self,
        response: Response,
        params: dict[str, t.Any],
        hooks: ClientHooks | FutureHooks,
        decoder: PageDecoder | None = None,
    ) -> dict[str, t.Any]:
        """The result of a call, from an intact response to its first attempt.

        Args:
            response: The response.
            params: Parameters of the call. A :class:`.PlainRequest` may know how to decode the response.
            hooks: Hooks of the client. The ``after-call`` event refills the token bucket of the retries.
            decoder: Makes objects of the items of a page. Without it, the result has DynamoDB's items.
        """
        parsed, is_kept = None, True
        if type(params) is PlainRequest:
            is_kept = params.is_result_kept
            params.response = response
            parsed = None if params.decode is None else params.decode(response.body)
        if parsed is None:
            parsed = parse_plain(response.body, f"{self.name}Output", decoder)
        if parsed is None:
            parsed = self.parse_stock(response)
        elif is_kept:
            add_metadata(parsed, response.headers)
        if is_kept:
            parsed["ResponseMetadata"]["RetryAttempts"] = 0
        event = self._after_call
        for handler in hooks.handlers(event):
            handler(event_name=event, http_response=response, parsed=parsed, model=self._model, context={})
        return parsed

    def parse_stock(self, response: Response) -> dict[str, t.Any]:
        """The result or the error that botocore's parser makes of a response.

        Args:
            response: The response.

        Raises:
            DamagedResponse: The body is JSON, but not what DynamoDB sends.
        """
        parts = {"status_code": response.status_code, "headers": response.headers, "body": response.body}
        return t.cast("dict[str, t.Any]", self._parser.parse_stock(parts, self._model.output_shape))


def names_an_arn(params: dict[str, t.Any]) -> bool:
    """True if the parameters name a table by its ARN.

    Args:
        params: Parameters of an operation.
    """
    return any(map(is_arn, requests_by_table(params)))
