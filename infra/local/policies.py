"""Compares the permissions that documents list for their commands with the calls that these make."""

import json
import pathlib
import re

DOCUMENTS = pathlib.Path(__file__).resolve().parents[2] / "docs"
# Actions that are not called as the operation is.
ACTIONS = {
    ("lambda", "invoke"): ["lambda:InvokeFunction"],
    # It says who asks, and needs no permission.
    ("sts", "get_caller_identity"): [],
    ("s3", "list_objects_v2"): ["s3:ListBucket"],
    ("s3", "list_object_versions"): ["s3:ListBucketVersions"],
    ("s3", "upload_fileobj"): ["s3:PutObject"],
    ("s3", "delete_objects"): ["s3:DeleteObject", "s3:DeleteObjectVersion"],
    # What the link is for: signing calls nothing.
    ("s3", "generate_presigned_url"): ["s3:GetObject"],
    # DynamoDB writes the new table with the caller's permissions (DynamoDB, Using IAM with DynamoDB backup and restore).
    ("dynamodb", "restore_table_to_point_in_time"): [
        "dynamodb:RestoreTableToPointInTime",
        *(f"dynamodb:{name}Item" for name in ("Put", "Update", "Delete", "Get", "BatchWrite")),
        *(f"dynamodb:{name}" for name in ("Query", "Scan")),
    ],
}
# The actions of the runbook's policy that are allowed on `*`, with their reasons: those that take no resource (Service
# Authorization Reference, *Actions, resources, and condition keys for* each service), and those whose resource a command
# can't name.
NO_RESOURCE = "it takes no resource"
AMONG_ALL = "the command finds the deployments of a stack among all of the account"
ON_ALL = {
    "ce:GetCostAndUsage": "it takes a billing view, and the command names none",
    "cloudwatch:DescribeAlarms": "alarms that are listed by a prefix are asked for as `alarm:*`",
    "codedeploy:GetDeployment": AMONG_ALL,
    "codedeploy:ListDeployments": AMONG_ALL,
    # The *CodeDeploy permissions reference* of its user guide names a deployment group, which would deny it.
    "codedeploy:StopDeployment": NO_RESOURCE,
    "events:ListRuleNamesByTarget": NO_RESOURCE,
    "events:ListRules": NO_RESOURCE,
    "lambda:GetAccountSettings": NO_RESOURCE,
    "lambda:ListEventSourceMappings": NO_RESOURCE,
    "logs:DescribeQueryDefinitions": NO_RESOURCE,
    "logs:GetQueryResults": "it takes log groups, and the command names a query by its id, which only its caller has",
}


def of_calls(calls):
    """The actions that calls of services need."""
    return {action for call in calls for action in ACTIONS.get(call, [f"{call[0]}:{camel(call[1])}"])}


def camel(operation):
    return "".join(part.capitalize() for part in operation.split("_"))


def documented(what, document="backup.md"):
    """The actions in the block of a document below the comment that names it: a list, or a policy."""
    found = block(what, document)
    return set(found) if isinstance(found, list) else {action for one in found["Statement"] for action in one["Action"]}


def block(what, document):
    """The block of a document below the comment that names it."""
    text = (DOCUMENTS / document).read_text(encoding="utf-8")
    found = re.search(rf"<!-- permissions: {re.escape(what)} -->\n+```json\n(.*?)```", text, re.DOTALL)
    return json.loads(found[1])
