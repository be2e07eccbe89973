"""What to check or do after an error of botocore or of DynamoDB, as the end of its message has it."""

from __future__ import annotations

import functools
import os
import typing as t
from urllib.parse import urlsplit

from botocore import exceptions as botocore
from botocore.exceptions import ClientError
from botocore.session import Session

from dynaflask import local
from dynaflask.client.call_timeout import CallTimeoutError
from dynaflask.client.key import LOCAL
from dynaflask.client.key import without_password
from dynaflask.config.bind import Bind
from dynaflask.config.settings import did_you_mean
from dynaflask.exceptions import DamagedResponse
from dynaflask.operations.error_codes import INVALID_REQUEST
from dynaflask.operations.error_codes import NOT_ALLOWED
from dynaflask.operations.error_codes import REJECTED_CREDENTIALS
from dynaflask.operations.error_codes import TABLE_NOT_FOUND
from dynaflask.operations.error_codes import THROTTLED
from dynaflask.operations.error_codes import UNKNOWN_KEY
from dynaflask.operations.error_codes import code_of
from dynaflask.operations.error_codes import failed_operation
from dynaflask.operations.error_codes import is_foreign

# The sources of botocore come first: most apps have no setting for their credentials.
CREDENTIALS: t.Final = (
    "the usual sources of AWS (AWS_PROFILE, AWS_ACCESS_KEY_ID, `aws configure`, the role of the machine), or"
    " DYNAMODB_PROFILE, DYNAMODB_AWS_ACCESS_KEY_ID, DYNAMODB_SESSION, DYNAMODB_ROLE_ARN"
)
# The settings to check, by botocore's exception classes. The first entry that matches is used.
SETTINGS_BY_ERROR: t.Final[tuple[tuple[tuple[type[Exception], ...], str], ...]] = (
    ((CallTimeoutError,), "DYNAMODB_CALL_TIMEOUT_SECONDS"),
    ((botocore.NoRegionError,), "DYNAMODB_REGION, AWS_DEFAULT_REGION"),
    ((botocore.InvalidRegionError,), "DYNAMODB_REGION"),
    ((botocore.ProxyConnectionError, botocore.InvalidProxiesConfigError), "DYNAMODB_CLIENT_CONFIG (proxies)"),
    ((botocore.SSLError,), "DYNAMODB_HOST, AWS_CA_BUNDLE"),
    ((botocore.EndpointConnectionError,), "DYNAMODB_HOST, DYNAMODB_REGION"),
    ((botocore.ConnectTimeoutError,), "DYNAMODB_HOST, DYNAMODB_REGION, DYNAMODB_CONNECT_TIMEOUT_SECONDS"),
    ((botocore.ReadTimeoutError,), "DYNAMODB_READ_TIMEOUT_SECONDS, DYNAMODB_MAX_RETRY_ATTEMPTS"),
    ((botocore.ConnectionClosedError, DamagedResponse), "DYNAMODB_HOST, DYNAMODB_MAX_RETRY_ATTEMPTS"),
    (
        (botocore.NoCredentialsError, botocore.PartialCredentialsError, botocore.CredentialRetrievalError),
        CREDENTIALS,
    ),
)

WRONG_KEYS: t.Final = (
    "Pass the hash key, and the range key if the table has one, with the types of the model. A model whose keys have"
    " changed needs a new table: `flask dynamo diff` compares them."
)
WRONG_TYPE: t.Final = (
    "A value has another type than its attribute: a UnicodeAttribute takes a str, a NumberAttribute a finite number."
)
# What to do, by a part of DynamoDB's message: it has one code for all mistakes in a request.
ADVICE_BY_MESSAGE: t.Final = {
    "does not have the specified index": "To add an index that a model declares, run `flask dynamo sync`.",
    "key element does not match": WRONG_KEYS,
    "Missing the key": WRONG_KEYS,
    "Type mismatch for key": WRONG_KEYS,
    "missed key schema element": (
        "A query takes a condition on the range key as its second argument, and any other as filter_condition."
    ),
    "AttributeValue is empty": WRONG_TYPE,
    "cannot be converted to": WRONG_TYPE,
    "can not be converted to": WRONG_TYPE,
    "exceeded the maximum allowed size": (
        "An item has at most 400 KB, with the names of its attributes. Keep large values elsewhere, such as in S3."
    ),
}

# The IAM actions of the operations that need others than the one of their name.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
ACTIONS_BY_OPERATION: t.Final = {
    "TransactGetItems": "dynamodb:GetItem",
    "TransactWriteItems": "dynamodb:PutItem, UpdateItem, DeleteItem or ConditionCheckItem",
}

ASSUME_ROLE: t.Final = "AssumeRole"
# Parts of DynamoDB's messages about a signature from another time.
WRONG_CLOCK: t.Final = ("Signature expired", "Signature not yet current")
# https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-regions.html
REGION_IS_OFF: t.Final = " They are unknown, too, in a region that the account has not enabled."

CONNECTION_ERRORS = (botocore.ConnectionError, botocore.HTTPClientError)

LOOPBACK = ("127.0.0.1", "localhost", "::1")


class CreateOptions(t.NamedTuple):
    """What `flask dynamo create` must be told to create the table of a call.

    Attributes:
        tenant: Tenant that the call was made for, or None.
        model: Name of the model, or None.
        needs_tenant: True if commands of the app need one of the options for tenants.
    """

    tenant: str | None = None
    model: str | None = None
    needs_tenant: bool = False


def find_advice(error: Exception, bind: Bind, operation: str, *, client: t.Any, create: CreateOptions) -> str:
    """What to check or do, between parentheses; empty if there is no advice.

    Args:
        error: Error of botocore, or the error of a client.
        bind: The bind that was called.
        operation: The operation that was called.
        client: The client that made the call, which knows the region and the endpoint; ``None`` if making it failed.
        create: What would create the table, if it does not exist.
    """
    setting = _setting_to_check(error, bind)
    if bind.host == LOCAL and isinstance(error, CONNECTION_ERRORS) and (failure := local.failure()):
        return f"(The bind is {bind.key!r}. {failure})"
    if setting == CREDENTIALS and bind.host is not None:
        # botocore does not name the endpoint. It may come from the Meta of a model that was written before.
        return f"({_destination(bind, client)} {_own_endpoint_advice()})"
    if setting is not None:
        meta = ", or the host in the model's Meta" if bind.host is not None and "DYNAMODB_HOST" in setting else ""
        hint = _unreachable_advice(bind, client) if isinstance(error, botocore.EndpointConnectionError) else ""
        return f"(The bind is {bind.key!r}. Check {setting}{meta}.{hint and ' '}{hint})"
    code = code_of(error)
    advice = _missing_table_advice(bind, create) if code == TABLE_NOT_FOUND else _code_advice(error, code, operation)
    return f"({_destination(bind, client)} {advice})" if advice else ""


def _own_endpoint_advice() -> str:
    return (
        "A local server accepts any key pair: set DYNAMODB_AWS_ACCESS_KEY_ID and DYNAMODB_AWS_SECRET_ACCESS_KEY. If"
        " this is not the endpoint that you want, check DYNAMODB_HOST, and the host in the model's Meta."
    )


def _unreachable_advice(bind: Bind, client: t.Any) -> str:
    url = urlsplit(str(_client_facts(bind, client)[1] or ""))
    if url.hostname in LOOPBACK and url.port:
        return f"If it is the local server, start it: python -m dynaflask.local --port {url.port}"
    return _region_advice(bind.region) if bind.region and bind.host is None else ""


@functools.lru_cache(maxsize=32)  # During an outage, each call fails.
def _region_advice(region: str) -> str:
    session = Session()
    names = [
        name
        for partition in session.get_available_partitions()
        for name in session.get_available_regions("dynamodb", partition)
    ]
    hint = did_you_mean(region, names)
    return f"botocore knows no region {region!r}.{hint}" if region not in names else ""


def _missing_table_advice(bind: Bind, create: CreateOptions) -> str:
    if bind.host == LOCAL:
        # The command is another process, with a local server of its own.
        return (
            "The table does not exist there. The local server belongs to this process: call db.create_all here, if a"
            f" model declares the table; or {local.SHARE}, and create it once."
        )
    options, where = "" if create.tenant is None else f" --tenant {create.tenant!r}", ""
    if create.tenant is None and create.needs_tenant:
        options = f"{'' if create.model is None else f' {create.model}'} --without-tenant"
        where = " in a `with db.without_tenant(reason=...):` block"
    return (
        f"The table does not exist there. To create it, run `flask dynamo create{options}` or call"
        f" db.create_all{where}, if a model declares it."
        " If it exists elsewhere, check DYNAMODB_REGION, DYNAMODB_HOST, DYNAMODB_TABLE_PREFIX."
    )


def _code_advice(error: Exception, code: str | None, operation: str) -> str:
    if code == NOT_ALLOWED:
        action = ACTIONS_BY_OPERATION.get(operation, f"dynamodb:{operation}")
        return f"The IAM policy of the credentials must allow {action} on the table, and on its indexes."
    if code in THROTTLED:
        return (
            "DynamoDB throttled the call. Check the capacity of the table, DYNAMODB_MAX_RETRY_ATTEMPTS and"
            " DYNAMODB_RETRY_CONFIGURATION."
        )
    if code in REJECTED_CREDENTIALS:
        return _credentials_advice(error, code)
    if is_foreign(code):
        return (
            "This response is not one of AWS. Check DYNAMODB_HOST, and the proxies: HTTPS_PROXY,"
            " DYNAMODB_CLIENT_CONFIG."
        )
    found = (advice for part, advice in ADVICE_BY_MESSAGE.items() if part in str(error))
    return next(found, "") if code in INVALID_REQUEST else ""


def _credentials_advice(error: Exception, code: str | None) -> str:
    if any(part in str(error) for part in WRONG_CLOCK):
        return "The clock of this machine is wrong. Set it, for example with chrony."
    region = REGION_IS_OFF if code == UNKNOWN_KEY else ""
    return f"AWS rejected these credentials. Check {CREDENTIALS}.{region}"


def _destination(bind: Bind, client: t.Any) -> str:
    region, url = _client_facts(bind, client)
    parts = [f"The bind is {bind.key!r}"]
    if region:
        parts.append(f"the region {region!r}")
    if url:
        parts.append(f"the endpoint {without_password(str(url))!r}")
    return f"{', '.join(parts)}."


def _client_facts(bind: Bind, client: t.Any) -> tuple[str | None, str | None]:
    # botocore may take the region and the endpoint from the environment. A factory's client may not have them.
    meta = getattr(client, "meta", None)
    return getattr(meta, "region_name", bind.region), getattr(meta, "endpoint_url", bind.host)


def _setting_to_check(error: Exception, bind: Bind) -> str | None:
    if isinstance(error, ClientError):
        return "DYNAMODB_ROLE_ARN" if failed_operation(error) == ASSUME_ROLE else None
    if bind.role_arn is not None and isinstance(error, CONNECTION_ERRORS) and _is_of_sts(error):
        return "DYNAMODB_ROLE_ARN, and that this machine reaches AWS STS"
    if isinstance(error, botocore.ProfileNotFound):
        return _origin_of_profile(bind)
    return next((setting for types, setting in SETTINGS_BY_ERROR if isinstance(error, types)), None)


def _is_of_sts(error: Exception) -> bool:
    url = getattr(error, "kwargs", {}).get("endpoint_url")
    return (urlsplit(str(url)).hostname or "").startswith("sts.")


def _origin_of_profile(bind: Bind) -> str:
    if bind.session is not None:
        return "DYNAMODB_SESSION"
    if bind.profile is not None:
        return "DYNAMODB_PROFILE"
    # botocore reads the first of these variables that is set.
    name = next((name for name in ("AWS_DEFAULT_PROFILE", "AWS_PROFILE") if name in os.environ), "AWS_PROFILE")
    return f"the environment variable {name}"
