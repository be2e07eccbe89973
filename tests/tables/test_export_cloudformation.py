"""Tables for CloudFormation, SAM and the CDK. cfn-lint checks them with AWS's own schemas."""

from __future__ import annotations

import importlib.util
import json
import typing as t

import pytest

from dynaflask.tables.export_cloudformation import cdk
from dynaflask.tables.export_cloudformation import cloudformation
from dynaflask.tables.export_cloudformation import properties
from dynaflask.tables.export_cloudformation import sam
from tests.support import exports

TABLES = [exports.provisioned_table(), exports.full_table()]


def findings(template: dict[str, t.Any]) -> list[str]:
    """The errors and warnings of cfn-lint for a template."""
    import cfnlint.api  # here, because only its session has it: nox --session templates

    return [str(finding) for finding in cfnlint.api.lint(json.dumps(template), regions=["eu-west-1"])]


@pytest.mark.unmeasured
@pytest.mark.skipif(importlib.util.find_spec("cfnlint") is None, reason="needs cfn-lint: nox --session templates")
@pytest.mark.parametrize("document", [cloudformation, sam])
def test_cfn_lint_finds_nothing(document: t.Any) -> None:
    """The template of a table with every option passes cfn-lint; a wrong one does not."""
    template = document("forum-", TABLES)
    assert findings(template) == []
    template["Resources"]["ThreadTable"]["Properties"]["StreamEnabled"] = True
    assert "StreamEnabled" in str(findings(template))


def test_what_the_api_calls_otherwise_is_translated() -> None:
    """Stream, encryption and resource policy have the names of CloudFormation; all else is as in the request."""
    translated = properties(exports.EVERYTHING)
    changed = {name: value for name, value in translated.items() if value != exports.EVERYTHING[name]}
    assert changed == {
        "StreamSpecification": {"StreamViewType": "NEW_IMAGE"},
        "SSESpecification": {
            "SSEEnabled": True,
            "SSEType": "KMS",
            "KMSMasterKeyId": "arn:aws:kms:eu-west-1:123456789012:key/1",
        },
        "ResourcePolicy": {"PolicyDocument": exports.POLICY},
    }
    assert list(translated) == list(exports.EVERYTHING)


def test_a_template_has_parameters_for_prefix_and_environment() -> None:
    """The prefix of the app is the default of ``TablePrefix``. ``Environment`` is a tag, and has no default."""
    template = cloudformation("forum-", TABLES)
    assert template["Parameters"]["TablePrefix"]["Default"] == "forum-"
    assert "Default" not in template["Parameters"]["Environment"]
    names = [resource["Properties"]["TableName"] for resource in template["Resources"].values()]
    assert names == ["Post", {"Fn::Sub": "${TablePrefix}Thread"}]
    tags = template["Resources"]["ThreadTable"]["Properties"]["Tags"]
    assert tags == [*exports.EVERYTHING["Tags"], {"Key": "Environment", "Value": {"Ref": "Environment"}}]


def test_the_parameter_replaces_a_tag_of_the_model() -> None:
    """A table has one tag ``Environment``, also if its model declares it."""
    request = {**exports.EVERYTHING, "Tags": [{"Key": "Environment", "Value": "test"}]}
    table = exports.ExportedTable("ThreadTable", "Thread", has_prefix=True, request=request)
    template = cloudformation("", [table])
    assert template["Resources"]["ThreadTable"]["Properties"]["Tags"] == [
        {"Key": "Environment", "Value": {"Ref": "Environment"}}
    ]


def test_no_template_deletes_a_table() -> None:
    """Tables stay when the stack is deleted, and when a change replaces them."""
    for resource in cloudformation("", TABLES)["Resources"].values():
        assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_tables_with_indexes_are_created_one_after_another() -> None:
    """Each table with indexes depends on the one before it. A table without indexes depends on none."""
    plain = {name: value for name, value in exports.EVERYTHING.items() if "Indexes" not in name}
    table = exports.ExportedTable("PlainTable", "Plain", has_prefix=True, request=plain)
    resources = cloudformation("", [TABLES[0], table, TABLES[1]])["Resources"]
    assert {name: resource.get("DependsOn") for name, resource in resources.items()} == {
        "PostTable": None,
        "PlainTable": None,
        "ThreadTable": "PostTable",
    }


def test_a_template_for_sam_is_that_of_cloudformation_with_the_transform() -> None:
    """The transform is the only difference."""
    template = sam("forum-", TABLES)
    assert template.pop("Transform") == "AWS::Serverless-2016-10-31"
    assert template == cloudformation("forum-", TABLES)


def test_the_cdk_has_names_of_its_own() -> None:
    """Names begin with a small letter, abbreviations are small, and a policy keeps the names of IAM."""
    document = cdk("forum-", TABLES)
    props = document["tables"]["ThreadTable"]
    assert document["tablePrefix"] == "forum-"
    assert [table["tableName"] for table in document["tables"].values()] == ["Post", "${TablePrefix}Thread"]
    assert props["sseSpecification"] == {
        "sseEnabled": True,
        "sseType": "KMS",
        "kmsMasterKeyId": "arn:aws:kms:eu-west-1:123456789012:key/1",
    }
    assert props["resourcePolicy"] == {"policyDocument": exports.POLICY}
    assert props["keySchema"][0] == {"attributeName": "forum", "keyType": "HASH"}
    assert props["tags"] == [{"key": "team", "value": "${forum} at 5 %{"}]
