"""The data operations: their bodies, written and read without botocore's walks over the shapes."""

from __future__ import annotations

import typing as t
import uuid

from botocore.serialize import create_serializer

from dynaflask.client.tuned.json_codec import dump
from dynaflask.client.tuned.response_parser import Parser
from dynaflask.client.tuned.response_parser import read
from dynaflask.client.tuned.response_parser import with_metadata
from dynaflask.client.tuned.shapes import check_of
from dynaflask.operations.requests import requests_by_table

if t.TYPE_CHECKING:
    from dynaflask.client.direct.hooks import Listeners
    from dynaflask.client.direct.http11 import Response
    from dynaflask.client.direct.page_decoder import ItemFactory
    from dynaflask.client.direct.request_template import RequestTemplate


class OperationCodec:
    """One operation of a client's service, as far as a call needs to know it.

    Args:
        client: The client.
        name: Its name, such as ``GetItem``.

    Attributes:
        name: Its name.
        letterheads: By the account that the credentials are of, because botocore may choose the endpoint by it.
    """

    _parser = Parser()
    _serializer = create_serializer("json", include_validation=False)

    def __init__(self, client: t.Any, name: str) -> None:
        self.name = name
        self.templates: dict[str | None, RequestTemplate] = {}
        self._model = client.meta.service_model.operation_model(name)
        self._fits = check_of(self._model.input_shape)
        self._members = self._model.input_shape.members.keys()
        self._tokens = self._model.idempotent_members
        self._after_call = f"after-call.{client.meta.service_model.service_id.hyphenize()}.{name}"

    def write(self, params: dict[str, t.Any]) -> bytes | None:
        """The body of a request; ``None`` if botocore shall say what is wrong with it."""
        if not params.keys() <= self._members:
            return None
        for token in self._tokens:
            params.setdefault(token, str(uuid.uuid4()))
        body = dump(params) if self._fits(params) else None
        # Only botocore tells what is a binary value and not yet encoded, and what is wrong with any other.
        if body is None:
            body = t.cast("bytes", self._serializer.serialize_to_request(params, self._model)["body"])
        return None if b'"arn:' in body and names_an_arn(params) else body

    def read(self, answer: Response, *, listeners: Listeners, make: ItemFactory | None = None) -> dict[str, t.Any]:
        """The result of a call, from a sound answer to its first attempt.

        Args:
            answer: The answer.
            listeners: Who hears of it: the token bucket of the retries gets its due.
            make: What makes objects of the items, if somebody wants them so.
        """
        parsed = read(answer.body, self._model.output_shape, make)
        parsed = self._parse(answer) if parsed is None else with_metadata(parsed, answer.headers)
        parsed["ResponseMetadata"]["RetryAttempts"] = 0
        listeners.emit(self._after_call, http_response=answer, parsed=parsed, model=self._model, context={})
        return parsed

    def _parse(self, answer: Response) -> dict[str, t.Any]:
        response = {"status_code": answer.status_code, "headers": answer.headers, "body": answer.body}
        return t.cast("dict[str, t.Any]", self._parser.walk(response, self._model.output_shape))


def names_an_arn(params: dict[str, t.Any]) -> bool:
    """True if a request names a table by its ARN, by which botocore may choose the endpoint.

    Args:
        params: What an operation is called with.
    """
    return any(table.startswith("arn:") for table in requests_by_table(params))
