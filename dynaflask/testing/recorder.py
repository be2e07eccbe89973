"""A server that records each DynamoDB request and sends a minimal answer.

with Recorder() as server:
    ...                                      # calls to server.url
    server.requests[0].region                # "us-west-2"
    server.answer = lambda request: (400, {"__type": "ValidationException", "message": "no"})
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import dataclasses
import json
import re
import socket
import socketserver
import ssl
import threading
import typing as t
import uuid
import zlib

from dynaflask.client.botocore_internals import cached_property
from dynaflask.operations.requests import requests_by_table

Json = dict[str, t.Any]
Answer = Json | str | tuple[int, Json | str] | None

_CREDENTIAL = re.compile(r"Credential=(\S*)/(\d{8})/([^/]+)/([^/]+)/aws4_request")


@dataclasses.dataclass(frozen=True)
class Request:
    """One recorded request. Its access key, date, region and service come from the signature.

    Attributes:
        headers: The headers, by lower-case name.
        body: The parsed JSON body; empty for a request to another service than DynamoDB.
        raw_body: The body's bytes.
    """

    headers: cabc.Mapping[str, str]
    body: Json
    raw_body: bytes

    @property
    def host(self) -> str:
        """The host and port in the ``Host`` header."""
        return self.headers["host"]

    @property
    def operation(self) -> str:
        """The operation, such as ``GetItem``; empty for a request to another service than DynamoDB."""
        return self.headers.get("x-amz-target", "").rpartition(".")[2]

    @property
    def session_token(self) -> str | None:
        """The session token of temporary credentials, or None."""
        return self.headers.get("x-amz-security-token")

    @property
    def access_key_id(self) -> str:
        """The access key id of the credentials that signed the request."""
        return self._credential[0]

    @property
    def date(self) -> str:
        """The date in the signature: ``YYYYMMDD``."""
        return self._credential[1]

    @property
    def region(self) -> str:
        """The region in the signature."""
        return self._credential[2]

    @property
    def service(self) -> str:
        """The service in the signature, such as ``dynamodb``."""
        return self._credential[3]

    @cached_property
    def _credential(self) -> tuple[str, ...]:
        match = _CREDENTIAL.search(self.headers.get("authorization", ""))
        return match.groups() if match else ("", "", "", "")


class Recorder:
    """The server. Within its ``with`` block it listens on a free port of loopback.

    Args:
        tls: Serve TLS with this context. By default the server speaks plain HTTP.

    Attributes:
        requests: All requests in order of arrival.
        answer: Called with each request. It returns the body, or the status and the body. A string is sent unchanged;
            None sends ``plain_answer``. The ``with`` block ends with the first exception that it raised.
        port: The server's port.
        url: The server's URL.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.answer: cabc.Callable[[Request], Answer] = plain_answer
        self._errors: list[Exception] = []
        self._server = _Server(self, tls=tls)
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Recorder:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.close_connections()
        self._server.server_close()
        self._thread.join()
        if self._errors:
            raise self._errors[0]

    def respond(self, request: Request) -> tuple[int, Json | str]:
        """Record a request.

        Args:
            request: The request.

        Returns:
            The status and the body of the answer.

        Raises:
            ConnectionError: The answer closes the connection.
        """
        self.requests.append(request)
        try:
            answer = self.answer(request)
        except ConnectionError:
            raise  # the answer closes the connection
        except Exception as error:  # noqa: BLE001 - raised where the server ends, in place of what follows from it
            self._errors.append(error)
            return 400, {"__type": f"com.amazon.coral.service#{type(error).__name__}", "message": str(error)}
        answer = t.cast("Json", plain_answer(request)) if answer is None else answer
        return answer if isinstance(answer, tuple) else (200, answer)


def plain_answer(request: Request) -> Answer:
    """The smallest valid answer: a read of a key returns an item of that key alone, a query returns no items.

    Args:
        request: The request.
    """
    answer = _ANSWERS.get(request.operation)
    if answer is None:
        return 400, {"__type": "com.amazon.coral.service#UnknownOperationException"}
    return answer(request.body) | _consumed(request.body)


def _table(body: Json) -> Json:
    return {
        "TableName": body["TableName"],
        "TableStatus": "ACTIVE",
        "TableArn": f"arn:aws:dynamodb:us-east-1:000000000000:table/{body['TableName']}",
        "KeySchema": body.get("KeySchema", [{"AttributeName": "id", "KeyType": "HASH"}]),
        "AttributeDefinitions": body.get("AttributeDefinitions", [{"AttributeName": "id", "AttributeType": "S"}]),
        "ItemCount": 0,
    }


def _batch_get(body: Json) -> Json:
    items = {table: batch["Keys"] for table, batch in body["RequestItems"].items()}
    return {"Responses": items, "UnprocessedKeys": {}}


def _transact_get(body: Json) -> Json:
    return {"Responses": [{"Item": item["Get"]["Key"]} for item in body["TransactItems"]]}


_ANSWERS: dict[str, cabc.Callable[[Json], Json]] = {
    "GetItem": lambda body: {"Item": body["Key"]},
    "PutItem": lambda body: {},
    "UpdateItem": lambda body: {"Attributes": body["Key"]},
    "DeleteItem": lambda body: {},
    "Query": lambda body: {"Items": [], "Count": 0, "ScannedCount": 0},
    "Scan": lambda body: {"Items": [], "Count": 0, "ScannedCount": 0},
    "BatchGetItem": _batch_get,
    "BatchWriteItem": lambda body: {"UnprocessedItems": {}},
    "TransactGetItems": _transact_get,
    "TransactWriteItems": lambda body: {},
    "DescribeTable": lambda body: {"Table": _table(body)},
    "CreateTable": lambda body: {"TableDescription": _table(body)},
    "UpdateTable": lambda body: {"TableDescription": _table(body)},
    "DeleteTable": lambda body: {"TableDescription": _table(body) | {"TableStatus": "DELETING"}},
    "UpdateTimeToLive": lambda body: {"TimeToLiveSpecification": body["TimeToLiveSpecification"]},
    "ListTables": lambda body: {"TableNames": []},
}


def _consumed(body: Json) -> Json:
    """One capacity unit for each table, if the request asks for its consumption."""
    if body.get("ReturnConsumedCapacity", "NONE") == "NONE":
        return {}
    if "TableName" in body:
        return {"ConsumedCapacity": _unit(body["TableName"])}
    return {"ConsumedCapacity": [_unit(table) for table in sorted(requests_by_table(body))]}


def _unit(table: str) -> Json:
    return {"TableName": table, "CapacityUnits": 1.0}


def read_request(stream: t.Any) -> Request | None:
    """The next request on a connection, or None at its end."""
    if not stream.readline():
        return None
    headers = {}
    while (line := stream.readline().decode("latin-1").strip()) != "":
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", 0)))
    is_dynamodb = "x-amz-target" in headers
    return Request(headers, json.loads(body) if is_dynamodb else {}, body)


class _Server(socketserver.ThreadingTCPServer):
    request_queue_size = 128

    def __init__(self, recorder: Recorder, *, tls: ssl.SSLContext | None) -> None:
        self.recorder = recorder
        self._tls = tls
        self._connections: list[socket.socket] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    def get_request(self) -> tuple[socket.socket, t.Any]:
        connection, address = super().get_request()
        if self._tls:
            # The first read performs the handshake, in the connection's thread. Here it would block the accept loop.
            connection = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def process_request(self, request: t.Any, client_address: t.Any) -> None:
        self._connections.append(request)
        super().process_request(request, client_address)

    def close_connections(self) -> None:
        for connection in self._connections:
            with contextlib.suppress(OSError):  # the client may have closed it already
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(socketserver.StreamRequestHandler):
    """One persistent connection. ``http.server`` is about five times slower."""

    server: _Server
    disable_nagle_algorithm = True

    def handle(self) -> None:
        try:
            while request := read_request(self.rfile):
                self._write(*self.server.recorder.respond(request))
        except (ConnectionError, ssl.SSLError):
            pass  # the client closed the connection

    def _write(self, status: int, body: Json | str) -> None:
        content = (body if isinstance(body, str) else json.dumps(body)).encode()
        head = (
            f"HTTP/1.1 {status} -\r\n"
            "Content-Type: application/x-amz-json-1.0\r\n"
            f"Content-Length: {len(content)}\r\n"
            f"x-amz-crc32: {zlib.crc32(content)}\r\n"
            f"x-amzn-RequestId: {uuid.uuid4()}\r\n\r\n"
        )
        self.wfile.write(head.encode() + content)
