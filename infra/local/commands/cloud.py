"""AWS clients, and queries on a stack that the commands share.

They use the local emulator if AWS_ENDPOINT_URL is set, else the caller's AWS account.
"""

import functools
import os
import re
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from commands.template import Template

GONE = {"DELETE_COMPLETE", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"}


class Problem(Exception):
    """An error with a message for the user."""


# Control characters, separators of lines and paragraphs, and bidirectional controls.
CONTROLS = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]")


def visible(text, kept=""):
    """Makes text safe for a terminal: control characters and line separators are escaped as in JSON, so JSON stays
    valid."""
    return CONTROLS.sub(lambda found: found[0] if found[0] in kept else f"\\u{ord(found[0]):04x}", text)


def say(message):
    """Prints progress on standard error, since standard output is for results."""
    print(visible(message), file=sys.stderr, flush=True)


def is_local():
    return bool(os.environ.get("AWS_ENDPOINT_URL"))


@functools.cache
def client(service):
    # The response to an invocation may take as long as the function's timeout.
    config = Config(retries={"max_attempts": 3}, connect_timeout=5, read_timeout=120)
    # boto3 reads AWS_DEFAULT_REGION and profiles; other SDKs, and people, use AWS_REGION.
    return boto3.client(service, region_name=os.environ.get("AWS_REGION"), config=config)


def error_code(error):
    return error.response.get("Error", {}).get("Code", "")


class Stack:
    """A deployed stack."""

    def __init__(self, name, template_path):
        self.name = name
        self.template_path = template_path

    @functools.cached_property
    def template(self):
        """The template in the checkout, which contains the crate name of each function."""
        return Template.load(self.template_path)

    def describe(self):
        """The stack's description; None if the stack does not exist."""
        try:
            return client("cloudformation").describe_stacks(StackName=self.name)["Stacks"][0]
        except ClientError as error:
            if error_code(error) == "ValidationError" and "does not exist" in str(error):
                return None
            raise

    def outputs(self):
        description = self.describe()
        if description is None:
            raise Problem(f"the stack `{self.name}` does not exist" + (": run `cargo xtask up` first" if is_local() else ""))
        return {output["OutputKey"]: output["OutputValue"] for output in description.get("Outputs", [])}

    def parameters(self):
        """The deployed parameter values; empty if the stack does not exist."""
        description = self.describe() or {}
        return {p["ParameterKey"]: p.get("ParameterValue", "") for p in description.get("Parameters", [])}

    @functools.cached_property
    def resources(self):
        """Physical ids by (type, logical id)."""
        try:
            pages = client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=self.name)
            found = [resource for page in pages for resource in page["StackResourceSummaries"]]
        except ClientError as error:
            if "does not exist" in str(error):
                raise Problem(f"the stack `{self.name}` does not exist") from error
            raise
        return {(r["ResourceType"], r["LogicalResourceId"]): r.get("PhysicalResourceId", "") for r in found}

    def of_type(self, resource_type):
        return {name: physical for (kind, name), physical in self.resources.items() if kind == resource_type}

    def functions(self):
        """Deployed names by crate name."""
        deployed = self.of_type("AWS::Lambda::Function")
        binaries = self.template.functions()
        return {binaries.get(logical, logical): physical for logical, physical in deployed.items()}

    def function(self, name):
        """The deployed name of a function, given by its crate, logical id or deployed name."""
        functions = self.functions()
        known = {**functions, **self.of_type("AWS::Lambda::Function"), **{name: name for name in functions.values()}}
        if name not in known:
            raise Problem(f"unknown function `{name}`: the stack has {', '.join(sorted(functions))}")
        return known[name]
