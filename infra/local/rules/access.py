"""What each function may do, and what it is given."""

import re

from rules.model import as_list, flat, size


def own_role(model):
    """Each function has a role that no other has."""
    owners = {}
    for function, properties in model.of_type("AWS::Lambda::Function"):
        role = model.target(properties.get("Role"))
        if role is None:
            yield "own-role", function, None, "has a role from outside this template"
        elif role in owners:
            yield "own-role", function, role, f"shares the role {role} with {owners[role]}"
        owners.setdefault(role, function)


def statements(model):
    """(policy's resource, statement) of every inline policy of a role, those under a condition too."""
    documents = [
        (role, policy["PolicyDocument"])
        for role, properties in model.of_type("AWS::IAM::Role")
        for policy in properties.get("Policies", [])
    ]
    policies = model.of_type("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")
    documents += [(name, properties["PolicyDocument"]) for name, properties in policies]
    for name, document in documents:
        for listed in as_list(document["Statement"]):
            yield from ((name, statement) for statement in model.values(listed))


def no_wildcards(model):
    """A statement names its actions and its resources."""
    for role, statement in statements(model):
        if "NotAction" in statement or "NotResource" in statement:
            yield "no-wildcards", role, None, "grants everything except what it names"
        for action in as_list(statement.get("Action", [])):
            if "*" in action:
                yield "no-wildcards", role, action, f"allows the action `{action}`"
        for resource in as_list(statement.get("Resource", [])):
            text = flat(resource)
            if unnamed(text):
                yield "no-wildcards", role, text, f"allows {', '.join(as_list(statement['Action']))} on `{text}`"


def unnamed(resource):
    """Whether this covers resources that it does not name: everything, all of a kind, or all indexes of a table.
    Objects of a bucket and streams of a log group have no names before they are there."""
    part = resource if ":" not in resource else resource.split(":", 5)[-1]
    if part == "*" or re.fullmatch(r"[a-z-]+[/:]\*", part):
        return True
    return part.endswith("/index/*") or bool(re.search(r"^[^/{]*\*[^/]*$", part))


def managed_policies(model):
    """A managed policy is only attached where its reason is written down."""
    allowed = model.settings.get("managed_policies", {})
    for role, properties in model.of_type("AWS::IAM::Role"):
        for policy in properties.get("ManagedPolicyArns", []):
            name = flat(policy).rsplit("/", 1)[-1]
            if name not in allowed:
                yield "managed-policies", role, name, f"has the managed policy {name}"


def environment_size(model):
    """Lambda refuses more than 4 KB; the emulator does not."""
    limit = model.settings["environment_bytes"]
    for function, properties in model.of_type("AWS::Lambda::Function"):
        variables = properties.get("Environment", {}).get("Variables", {})
        total = sum(len(name) + size(value) for name, value in variables.items())
        if total > limit:
            yield "environment-size", function, total, f"has up to {total} bytes of environment, {limit} are allowed"


def reserved_concurrency(model):
    """New accounts have ten executions in all: reserving some must be a choice."""
    for function, properties in model.of_type("AWS::Lambda::Function"):
        reserved = properties.get("ReservedConcurrentExecutions")
        if reserved is not None and not (isinstance(reserved, dict) and "Fn::If" in reserved):
            yield "reserved-concurrency", function, reserved, "reserves concurrency without a condition"
