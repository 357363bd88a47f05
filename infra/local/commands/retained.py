"""Finds what a deleted stack has retained (tables, the bucket, the failure queue), and writes the files with which
CloudFormation imports it into a new stack: a template with only these resources, and a list of their identifiers."""

import json
import pathlib

from botocore.exceptions import ClientError

from commands.cloud import Problem, client, say

# The identifiers of resources in an import.
IDENTIFIERS = {"AWS::DynamoDB::Table": "TableName", "AWS::S3::Bucket": "BucketName", "AWS::SQS::Queue": "QueueUrl"}
ENDED = ["DELETE_COMPLETE", "DELETE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"]


def retained(stack, given, directory):
    """Writes template.json and resources.json. Returns their paths and the found resources."""
    types = retained_types(stack.template)
    unknown = sorted(set(given) - set(types))
    if unknown:
        raise Problem(f"{', '.join(f'`{name}`' for name in unknown)} is not retained: only {', '.join(types)} are")
    if stack.describe():
        raise Problem(
            f"the stack `{stack.name}` exists, but retained resources can be imported only into a new one. Choose another "
            "name with --stack, or delete that stack first, which retains its tables, too"
        )
    found = given or {name: physical for name, physical in retained_by(stack.name).items() if name in types}
    if not found:
        raise Problem(
            f"no stack `{stack.name}` was deleted within the last 90 days. Pass the resources: "
            "--resource Jobs=reelhook-Jobs-1ABC, for each of " + ", ".join(types)
        )
    missing = sorted(set(types) - set(found))
    if missing:
        say(f"note {', '.join(missing)} were not found: the next `sam deploy` creates new, empty ones")
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    files = {"template": directory / "template.json", "resources": directory / "resources.json"}
    files["template"].write_text(json.dumps(template_of(stack.template, found), indent=1), encoding="utf-8")
    files["resources"].write_text(json.dumps(import_list(types, found), indent=1), encoding="utf-8")
    return {**{name: str(path) for name, path in files.items()}, "found": found}


def retained_types(template):
    """The types of the resources that outlive the stack, by logical id."""
    resources = template.resources().items()
    return {name: r["Type"] for name, r in resources if r.get("DeletionPolicy", "Delete") != "Delete"}


def retained_by(name):
    """Physical ids of the resources that the newest deleted stack of this name has retained, by logical id."""
    cloudformation = client("cloudformation")
    pages = cloudformation.get_paginator("list_stacks").paginate(StackStatusFilter=ENDED)
    stacks = [one for page in pages for one in page["StackSummaries"] if one["StackName"] == name]
    # A stack that retained nothing is skipped: the previous one may have retained resources.
    for one in sorted(stacks, key=lambda stack: stack["CreationTime"], reverse=True):
        try:
            pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=one["StackId"])
            events = [event for page in pages for event in page["StackEvents"]]
        except ClientError as error:
            if "does not exist" in str(error):
                continue
            raise
        found = {}
        # Events are sorted newest first; resources that were replaced earlier were retained as well, and are ignored.
        for event in events:
            if event["ResourceStatus"] == "DELETE_SKIPPED":
                found.setdefault(event["LogicalResourceId"], event["PhysicalResourceId"])
        if found:
            return found
    return {}


def template_of(template, found):
    """A template with these resources, and the conditions and parameters and mappings that they use."""
    resources = template.resources()
    resources = {name: resources[name] for name in sorted(found)}
    conditions = conditions_of(resources, template.data.get("Conditions", {}))
    text = json.dumps([resources, conditions])
    named = {name: what for name, what in template.parameters().items() if json.dumps({"Ref": name}) in text}
    looked_up = {name: of for name, of in template.data.get("Mappings", {}).items() if f'"Fn::FindInMap": ["{name}"' in text}
    parts = {"Parameters": named, "Mappings": looked_up, "Conditions": conditions, "Resources": resources}
    return {"AWSTemplateFormatVersion": "2010-09-09"} | {name: part for name, part in parts.items() if part}


def conditions_of(resources, conditions):
    """The conditions that decide about properties of these resources."""
    text = json.dumps(resources)
    return {name: what for name, what in conditions.items() if '{"Fn::If": [' + json.dumps(name) + "," in text}


def import_list(types, found):
    """CloudFormation's list of resources to import."""
    return [
        {
            "ResourceType": types[name],
            "LogicalResourceId": name,
            "ResourceIdentifier": {IDENTIFIERS[types[name]]: physical},
        }
        for name, physical in sorted(found.items())
    ]
