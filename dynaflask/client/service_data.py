"""botocore's data about DynamoDB, without a client: operations, shapes and endpoints. Loaded once per process."""

from __future__ import annotations

import functools
import typing as t

from botocore.endpoint_provider import EndpointProvider
from botocore.loaders import create_loader
from botocore.model import ServiceModel

SERVICE = "dynamodb"
# Headers of each request, by the one version of DynamoDB's API. A request that needs
# nothing else of the description is sent without it.
TARGET_PREFIX = "DynamoDB_20120810"
CONTENT_TYPE = "application/x-amz-json-1.0"
MAX_REGIONS = 100
# Of partitions that an old botocore does not know: the European Sovereign Cloud.
LATER_DOMAINS: t.Final = (".amazonaws.eu", ".amazonwebservices.eu")


@functools.lru_cache(maxsize=1)
def default_loader() -> t.Any:
    """The loader of botocore's data files, for sessions without a data path of their own. It caches what it loads."""
    return create_loader()


@functools.lru_cache(maxsize=1)
def service_model() -> ServiceModel:
    """The description of DynamoDB's operations."""
    return ServiceModel(_load("service-2"), service_name=SERVICE)


@functools.lru_cache(maxsize=MAX_REGIONS)
def regional_url(region: str) -> str:
    """The URL of DynamoDB in a region, by botocore's rules.

    Args:
        region: Name of a region.

    Raises:
        EndpointProviderError: The rules give no endpoint.
    """
    return _rules().resolve_endpoint(Region=region, UseDualStack=False, UseFIPS=False).url


def is_of_aws(host: str) -> bool:
    """True if a host is in one of AWS's domains, such as ``amazonaws.com``, in any partition that botocore knows.

    Args:
        host: Name of the host, in lower case.
    """
    return f".{host}".endswith(_aws_domains())


@functools.lru_cache(maxsize=1)
def _aws_domains() -> tuple[str, ...]:
    outputs = (partition["outputs"] for partition in _partitions()["partitions"])
    names = (f".{output[name]}" for output in outputs for name in ("dnsSuffix", "dualStackDnsSuffix"))
    return (*LATER_DOMAINS, *names)


@functools.lru_cache(maxsize=1)
def _rules() -> EndpointProvider:
    return EndpointProvider(_load("endpoint-rule-set-1"), _partitions())


def _partitions() -> t.Any:
    return default_loader().load_data("partitions")


def _load(type_name: str) -> t.Any:
    # Not `load_service_model`, which lists the directories of all services first.
    loader = default_loader()
    version = loader.determine_latest_version(SERVICE, type_name)
    return loader.load_data(f"{SERVICE}/{version}/{type_name}")
