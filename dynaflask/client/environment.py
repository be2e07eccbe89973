"""What botocore may read of the environment when it makes a client: variables and files.

A client can be made later than its first call only if its settings alone decide how its requests look. The lists below
name the variables that change nothing, and those that dynaflask reads itself. With any other variable, and with a
configuration file, the client is made at once.
"""

from __future__ import annotations

import functools
import hashlib
import os
import stat
import typing as t

# https://docs.aws.amazon.com/sdkref/latest/guide/file-location.html. botocore reads the file of boto 2 last.
CONFIG_FILES = (
    ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
    ("AWS_CONFIG_FILE", "~/.aws/config"),
    ("BOTO_CONFIG", "~/.boto"),
)
# botocore loads service descriptions from here, too.
MODELS_DIRECTORY = "~/.aws/models"
PREFIXES = ("AWS_", "BOTO")
# The home directory and the CA bundles, next to variables with these prefixes, and those whose name ends with _PROXY.
OTHER_VARIABLES = frozenset(
    {"HOME", "USERPROFILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"}
)

# AWS sets it in each function of Lambda, and botocore looks for it, too.
LAMBDA_VARIABLE: t.Final = "AWS_LAMBDA_FUNCTION_NAME"
# "on-demand", or a kind of function that starts before its requests: with provisioned concurrency, or by SnapStart.
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
INITIALIZATION_VARIABLE, ON_DEMAND = "AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"
KEY_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
# botocore reads the first one, and other AWS SDKs the second one.
REGION_VARIABLES = ("AWS_DEFAULT_REGION", "AWS_REGION")
# botocore reads the one of the service first.
ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL")
# The paths of a CA bundle. botocore takes the first one.
CA_BUNDLE_VARIABLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE")
# Variables that do not change a request, and those that the code of destinations reads. Proxies are looked up.
KNOWN_VARIABLES = frozenset(
    {
        *KEY_VARIABLES,
        *REGION_VARIABLES,
        "AWS_EXECUTION_ENV",  # botocore's user agent reads it
        # For credentials that are looked for if there are no static keys.
        "AWS_EC2_METADATA_DISABLED",
        "AWS_ROLE_ARN",
        "AWS_ROLE_SESSION_NAME",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_STS_REGIONAL_ENDPOINTS",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_CONFIG_FILE",
        "BOTO_CONFIG",
        "HOME",
        "USERPROFILE",
        *CA_BUNDLE_VARIABLES,
        "CURL_CA_BUNDLE",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
    }
)
# A Lambda function describes itself by the first two. botocore reads its name for the trace id of each request. The
# third are for the credentials of a container.
KNOWN_PREFIXES = ("AWS_LAMBDA_", "AWS_XRAY_", "AWS_CONTAINER_")


def is_lambda_function() -> bool:
    """True in a function of AWS Lambda."""
    return LAMBDA_VARIABLE in os.environ


def starts_on_demand() -> bool:
    """True in a function of AWS Lambda that starts while a request waits."""
    return is_lambda_function() and os.environ.get(INITIALIZATION_VARIABLE, ON_DEMAND) == ON_DEMAND


def environment_digest() -> str:
    """Digest of the variables and the versions of the files that botocore may read when it makes a client."""
    variables = sorted((name, os.environ[name]) for name in os.environ if _is_read_by_botocore(name))
    files = [_file_version(path) for path in _config_paths()]
    return hashlib.sha256(repr((variables, files)).encode()).hexdigest()


def has_known_environment() -> bool:
    """True if no variable and no file but the known ones can change a client. Proxies are not looked at."""
    names = (name for name in os.environ if _is_read_by_botocore(name) and not name.upper().endswith("_PROXY"))
    if not all(map(_is_known, names)) or not all(map(_is_empty, _config_paths())):
        return False
    return not os.path.exists(os.path.expanduser(MODELS_DIRECTORY))


def environment_keys() -> tuple[str, str, str | None] | None:
    """The static keys of the variables, as botocore takes them; ``None`` if they are not complete."""
    access_key_id, secret_access_key, session_token = map(os.environ.get, KEY_VARIABLES)
    return (access_key_id, secret_access_key, session_token or None) if access_key_id and secret_access_key else None


def environment_verify() -> str | bool:
    """botocore's option ``verify``: path of the CA bundle of the variables, or True for botocore's own bundle.

    As in botocore, an empty string counts as a path.
    """
    return next((os.environ[name] for name in CA_BUNDLE_VARIABLES if name in os.environ), True)


def environment_region() -> str | None:
    """The region of the variables; ``None`` if there is none, or two of them differ."""
    region, other_sdks_region = map(os.environ.get, REGION_VARIABLES)
    return region if other_sdks_region in {None, region} else None


def _config_paths() -> t.Iterator[str]:
    return (os.path.expanduser(os.environ.get(variable) or default) for variable, default in CONFIG_FILES)


# Each new app and tenant looks at all variables.
@functools.lru_cache(1000)
def _is_read_by_botocore(variable: str) -> bool:
    # `str.upper`: proxies are configured in either case, and botocore reads both.
    name = variable.upper()
    return name.startswith(PREFIXES) or name.endswith("_PROXY") or name in OTHER_VARIABLES


def _is_known(variable: str) -> bool:
    return variable in KNOWN_VARIABLES or variable.startswith(KNOWN_PREFIXES)


def _is_empty(path: str) -> bool:
    """True if a file does not exist, or has no contents."""
    if path == os.devnull:
        return True
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return True
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size == 0


def _file_version(path: str) -> tuple[object, ...]:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return (path,)
    return path, status.st_mtime_ns, status.st_size, status.st_ino
