"""What a deleted stack left (tables, the bucket, the failure queue), and the files with which CloudFormation takes it into a
new stack: an import needs a template with nothing else in it, and a list of what each resource is."""

import json
import pathlib

from botocore.exceptions import ClientError

from commands.cloud import Problem, client, say

# How an import names a resource.
IDENTIFIERS = {"AWS::DynamoDB::Table": "TableName", "AWS::S3::Bucket": "BucketName", "AWS::SQS::Queue": "QueueUrl"}
ENDED = ["DELETE_COMPLETE", "DELETE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"]


def retained(stack, given, directory):
    """Writes template.json and resources.json; returns where they are and what is in them."""
    kept = outliving(stack.template)
    unknown = sorted(set(given) - set(kept))
    if unknown:
        raise Problem(f"{', '.join(f'`{name}`' for name in unknown)} outlives no stack: {', '.join(kept)} do")
    if stack.describe():
        raise Problem(
            f"there is a stack `{stack.name}`: what was left is imported into a new one. Choose another name with --stack, "
            "or delete that one first, which keeps its tables too"
        )
    found = given or {name: physical for name, physical in left(stack.name).items() if name in kept}
    if not found:
        raise Problem(
            f"no stack `{stack.name}` was deleted within the last 90 days. Name what there is: "
            "--resource Jobs=reelhook-Jobs-1ABC, for each of " + ", ".join(kept)
        )
    missing = sorted(set(kept) - set(found))
    if missing:
        say(f"note {', '.join(missing)} are not among it: the next `sam deploy` makes new ones, which are empty")
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    files = {"template": directory / "template.json", "resources": directory / "resources.json"}
    files["template"].write_text(json.dumps(template_of(stack.template.data, found), indent=1), encoding="utf-8")
    files["resources"].write_text(json.dumps(listed(kept, found), indent=1), encoding="utf-8")
    return {**{name: str(path) for name, path in files.items()}, "found": found}


def outliving(template):
    """Types of what outlives the stack, by logical id."""
    resources = template.data["Resources"].items()
    return {name: r["Type"] for name, r in resources if r.get("DeletionPolicy", "Delete") != "Delete"}


def left(name):
    """Physical ids of what the newest stack of this name left when it ended, by logical id."""
    cloudformation = client("cloudformation")
    pages = cloudformation.get_paginator("list_stacks").paginate(StackStatusFilter=ENDED)
    stacks = [one for page in pages for one in page["StackSummaries"] if one["StackName"] == name]
    # A stack that ended without having had anything leaves nothing: the one before it may have.
    for one in sorted(stacks, key=lambda stack: stack["CreationTime"], reverse=True):
        try:
            pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=one["StackId"])
            events = [event for page in pages for event in page["StackEvents"]]
        except ClientError as error:
            if "does not exist" in str(error):
                continue
            raise
        found = {}
        # The newest first: what was replaced earlier was left too, and is older.
        for event in events:
            if event["ResourceStatus"] == "DELETE_SKIPPED":
                found.setdefault(event["LogicalResourceId"], event["PhysicalResourceId"])
        if found:
            return found
    return {}


def template_of(data, found):
    """The part of the template that has these resources, with the parameters that they name."""
    resources = {name: data["Resources"][name] for name in sorted(found)}
    text = json.dumps(resources)
    named = {name: what for name, what in data["Parameters"].items() if json.dumps({"Ref": name}) in text}
    return {"AWSTemplateFormatVersion": "2010-09-09", "Parameters": named, "Resources": resources}


def listed(kept, found):
    """What CloudFormation calls resources to import."""
    return [
        {
            "ResourceType": kept[name],
            "LogicalResourceId": name,
            "ResourceIdentifier": {IDENTIFIERS[kept[name]]: physical},
        }
        for name, physical in sorted(found.items())
    ]
