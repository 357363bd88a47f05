"""Rules for loops of functions and queues, which Lambda detects and stops unless the template allows them."""

from rules.access import statements
from rules.model import as_list
from rules.queues import QUEUE


def recursive_loop(model):
    """A function whose messages can return to it has `RecursiveLoop: Allow`, and no other function has it. Lambda
    follows a chain of requests through SQS, SNS, S3 and invocations, but not through tables."""
    successors = {function: reached(model, function) for function, _ in model.of_type("AWS::Lambda::Function")}
    for function, properties in model.of_type("AWS::Lambda::Function"):
        loops, allowed = is_in_loop(function, successors), properties.get("RecursiveLoop") == "Allow"
        if loops and not allowed:
            description = "receives messages that it has sent, but has no `RecursiveLoop: Allow`: Lambda drops them"
            yield "recursive-loop", function, properties.get("RecursiveLoop"), description
        if allowed and not loops:
            yield "recursive-loop", function, "Allow", "allows a recursive loop, but is in none"


def reached(model, function):
    """The functions that a function can trigger: through a queue that it may send to, or by invoking them."""
    role = model.target(model.properties(function).get("Role"))
    found = set()
    for owner, statement in statements(model):
        if owner != role:
            continue
        actions = as_list(statement.get("Action", []))
        targets = {model.target(resource) for resource in as_list(statement.get("Resource", []))}
        if "sqs:SendMessage" in actions:
            found |= {reader for _, _, queue, reader in model.mappings(QUEUE) if queue in targets}
        if "lambda:InvokeFunction" in actions:
            found |= targets
    return found


def is_in_loop(function, successors):
    """Whether a path leads from a function to itself."""
    seen, left = set(), list(successors[function])
    while left:
        following = left.pop()
        if following == function:
            return True
        if following not in seen:
            seen.add(following)
            left += successors.get(following, ())
    return False
