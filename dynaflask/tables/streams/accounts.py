"""``Accounts``: whether a bind's credentials belong to the AWS account of a stream's table.

Two accounts may have a table of one name in one region, and a Lambda function may get the streams of both. A role names
its account. Other credentials do not: DynamoDB is asked for the ARN of the table, once for each of them.
"""

from __future__ import annotations

import typing as t
from urllib.parse import urlsplit

import flask
from botocore.exceptions import BotoCoreError
from botocore.exceptions import ClientError

from dynaflask.client.service_data import is_of_aws
from dynaflask.config.bind import Bind
from dynaflask.config.validators import account_of_arn
from dynaflask.exceptions import StreamError
from dynaflask.operations.error_codes import TABLE_NOT_FOUND
from dynaflask.operations.error_codes import code_of
from dynaflask.registry.context import registry_of
from dynaflask.tables.table import account_of

# In app.extensions: the account of each client's credentials. A Lambda function is called for each batch.
ACCOUNTS: t.Final = "dynamo.stream_accounts"


class StreamedTable(t.NamedTuple):
    """The table of a stream, as the stream's ARN names it."""

    region: str
    account: str
    name: str

    @classmethod
    def of_arn(cls, arn: str) -> StreamedTable:
        """The table in ``arn:aws:dynamodb:<region>:<account>:table/<name>/stream/<label>``.

        Raises:
            StreamError: It is not the ARN of a stream of DynamoDB.
        """
        # The label has colons, too.
        match arn.split(":", 5):
            case [_, _, "dynamodb", region, account, resource] if resource.count("/") == 3:  # noqa: PLR2004 - as above
                return cls(region, account, resource.split("/")[1])
        raise StreamError(
            f"{arn!r} is not the ARN of a stream of DynamoDB. Give this function only the event source mappings of"
            " DynamoDB streams."
        )

    def __str__(self) -> str:
        return f"table {self.name} in {self.region} of account {self.account}"


class Accounts:
    """The accounts of an app's credentials.

    Args:
        app: The app.
    """

    def __init__(self, app: flask.Flask) -> None:
        self._registry = registry_of(app)
        self._known: dict[t.Any, str] = app.extensions.setdefault(ACCOUNTS, {})

    def has_table(self, bind: Bind, table: StreamedTable) -> bool:
        """True if the table belongs to the account of the bind's credentials.

        Args:
            bind: A bind that reaches the region of the table, and has a table of this name.
            table: The table of a stream.

        Raises:
            StreamError: DynamoDB did not say which account it is.
        """
        if bind.role_arn is not None:
            return account_of_arn(bind.role_arn) == table.account
        if not _is_aws(bind.host):
            # A local server: its accounts protect nothing, and the events of tests have accounts of their own.
            return True
        key = self._registry.leases.get(bind).key
        if key not in self._known:
            account = self._ask(bind, table)
            if account is None:
                return False
            self._known[key] = account
        return self._known[key] == table.account

    def _ask(self, bind: Bind, table: StreamedTable) -> str | None:
        """The account of the bind's own table of this name; ``None`` if there is none."""
        try:
            with self._registry.leases.get(bind).call() as client:
                description = client.describe_table(TableName=table.name)["Table"]
        except (BotoCoreError, ClientError) as error:
            if code_of(error) == TABLE_NOT_FOUND:
                return None
            raise StreamError(
                f"It is not known if the {table} is one of the bind {bind.key!r}, because DescribeTable failed: {error}"
                " (Allow dynamodb:DescribeTable, or set DYNAMODB_ROLE_ARN, which names the account.)"
            ) from error
        return account_of(description)


def _is_aws(host: str | None) -> bool:
    """True for AWS. An endpoint of an unknown name with TLS may be one, such as that of a VPC."""
    parts = urlsplit(host or "https:")
    return parts.scheme == "https" or is_of_aws(parts.hostname or "")
