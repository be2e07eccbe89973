"""botocore's data about DynamoDB, without a client."""

from __future__ import annotations

import pathlib
import typing as t
from urllib.parse import urlsplit

import botocore.session
import pytest

from dynaflask.client.key import client_key
from dynaflask.client.service_data import CONTENT_TYPE
from dynaflask.client.service_data import SERVICE
from dynaflask.client.service_data import TARGET_PREFIX
from dynaflask.client.service_data import default_loader
from dynaflask.client.service_data import is_of_aws
from dynaflask.client.service_data import regional_url
from dynaflask.client.service_data import service_model
from dynaflask.client.sessions import SessionCache
from dynaflask.config.bind import Bind
from tests.support.settings import KEYS


def test_the_operations_are_those_of_a_client() -> None:
    """The description is the one that botocore loads."""
    theirs = botocore.session.Session().get_service_model("dynamodb")
    assert service_model().operation_names == theirs.operation_names
    assert service_model().metadata == theirs.metadata
    assert service_model() is service_model()


def test_the_constant_headers_are_botocores() -> None:
    """A request that is sent without the description has the headers that botocore's serializer gives it."""
    metadata = service_model().metadata
    assert metadata["targetPrefix"] == TARGET_PREFIX
    assert f"application/x-amz-json-{metadata['jsonVersion']}" == CONTENT_TYPE
    assert service_model().service_id.hyphenize() == SERVICE


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1", "cn-north-1", "us-gov-west-1", "us-iso-east-1"])
def test_a_regions_url_is_that_of_a_client(region: str) -> None:
    """In each partition of AWS, the URL is the one that botocore's client has."""
    client = botocore.session.Session().create_client(
        "dynamodb", region, aws_access_key_id="AKIA", aws_secret_access_key="hush"
    )
    assert regional_url(region) == client.meta.endpoint_url


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-eusc"])
def test_the_endpoints_of_each_partition_are_aws(partition: str) -> None:
    """The domains are those of botocore's partitions. One that this botocore does not know has no region here."""
    for region in botocore.session.Session().get_available_regions("dynamodb", partition):
        assert is_of_aws(urlsplit(regional_url(region)).hostname or "")


@pytest.mark.parametrize("host", ["localhost", "amazonaws.com.example", "dynamodb.eu-west-1.notamazonaws.com", ""])
def test_other_hosts_are_not_aws(host: str) -> None:
    """A name that only looks like one of AWS is none."""
    assert not is_of_aws(host)


def test_the_loader_keeps_what_it_loads() -> None:
    """A client that is made later does not read the files again."""
    assert default_loader().load_data("partitions") is default_loader().load_data("partitions")


def test_a_data_path_of_the_program_has_a_loader_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    """A session with a data path has a loader of its own. All other sessions share one."""
    key = client_key(Bind(region="us-east-1", **KEYS))

    def loader() -> t.Any:
        return SessionCache().get(key).session.get_component("data_loader")

    assert loader() is default_loader()
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    assert loader() is not default_loader()
    assert str(tmp_path) in loader().search_paths
