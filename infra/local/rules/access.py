"""Rules for the permissions and the configuration of functions."""

import re

from rules.model import as_list, flat, size


def own_role(model):
    """Each function has its own role."""
    owners = {}
    for function, properties in model.of_type("AWS::Lambda::Function"):
        role = model.target(properties.get("Role"))
        if role is None:
            yield "own-role", function, None, "has a role that is not in this template"
        elif role in owners:
            yield "own-role", function, role, f"shares the role {role} with {owners[role]}"
        owners.setdefault(role, function)


def statements(model):
    """(resource of the policy, statement) of every inline policy of a role, including conditional ones."""
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
    """A statement names its actions and resources, as far as there are types of resources for its actions."""
    unnamed = model.settings.get("without_resources", {})
    for role, statement in statements(model):
        if "NotAction" in statement or "NotResource" in statement:
            yield "no-wildcards", role, None, "allows everything except the listed actions or resources"
        for action in as_list(statement.get("Action", [])):
            if "*" in action:
                yield "no-wildcards", role, action, f"allows the action `{action}`"
        if all(action in unnamed for action in as_list(statement.get("Action", []))):
            continue
        for resource in as_list(statement.get("Resource", [])):
            text = flat(resource)
            if is_wildcard(text):
                yield "no-wildcards", role, text, f"allows {', '.join(as_list(statement['Action']))} on `{text}`"


def is_wildcard(resource):
    """Whether an ARN covers resources that it does not name: all, all of one type, or all indexes of a table. Objects
    of a bucket and streams of a log group are excepted, since their names are not known in advance."""
    part = resource if ":" not in resource else resource.split(":", 5)[-1]
    if part == "*" or re.fullmatch(r"[a-z-]+[/:]\*", part):
        return True
    return part.endswith("/index/*") or bool(re.search(r"^[^/{]*\*[^/]*$", part))


def managed_policies(model):
    """A managed policy is attached only if the settings contain its reason."""
    allowed = model.settings.get("managed_policies", {})
    for role, properties in model.of_type("AWS::IAM::Role"):
        for policy in properties.get("ManagedPolicyArns", []):
            name = flat(policy).rsplit("/", 1)[-1]
            if name not in allowed:
                yield "managed-policies", role, name, f"has the managed policy {name}"


def environment_size(model):
    """Lambda refuses an environment of more than 4 KB; the emulator does not."""
    limit, parameters = model.settings["environment_bytes"], model.template.get("Parameters", {})
    for function, properties in model.of_type("AWS::Lambda::Function"):
        variables = properties.get("Environment", {}).get("Variables", {})
        total = sum(len(name) + size(value, parameters) for name, value in variables.items())
        if total > limit:
            yield "environment-size", function, total, f"the environment must not exceed {limit} bytes (got up to {total})"


def rate_limit(model):
    """A function that API Gateway calls has the variable of a rate limit."""
    limits, permissions = model.settings["rate_limits"], model.of_type("AWS::Lambda::Permission")
    called = {model.target(p["FunctionName"]) for _, p in permissions if p["Principal"] == "apigateway.amazonaws.com"}
    for function in sorted(called):
        variables = model.properties(function).get("Environment", {}).get("Variables", {})
        if not any(limit in variables for limit in limits):
            yield "rate-limit", function, None, f"API Gateway calls it, and it has none of {', '.join(limits)}"


def public_url(model):
    """Nothing limits the calls of a public Function URL but its function's reserved concurrency, so that can be set. Since
    October 2025 Lambda requires two permissions for such a URL."""
    granted = {
        (model.target(properties["FunctionName"]), properties["Action"])
        for _, properties in model.of_type("AWS::Lambda::Permission")
        if properties["Principal"] == "*"
    }
    for url, properties in model.of_type("AWS::Lambda::Url"):
        if properties["AuthType"] != "NONE":
            continue
        function = model.target(properties["TargetFunctionArn"])
        if "ReservedConcurrentExecutions" not in model.properties(function):
            yield "public-url", url, function, f"makes {function} public, whose concurrency no parameter limits"
        for action in ("lambda:InvokeFunctionUrl", "lambda:InvokeFunction"):
            if (function, action) not in granted:
                yield "public-url", url, action, f"answers 403 to everyone: nobody may use {action} on {function}"


def reserved_concurrency(model):
    """Reserved concurrency is optional, since new accounts have only ten concurrent executions."""
    for function, properties in model.of_type("AWS::Lambda::Function"):
        reserved = properties.get("ReservedConcurrentExecutions")
        if reserved is not None and not (isinstance(reserved, dict) and "Fn::If" in reserved):
            yield "reserved-concurrency", function, reserved, "reserves concurrency without a condition"
