"""Loops of functions and queues, which Lambda detects and stops unless the template allows them."""

from rules.access import statements
from rules.model import as_list
from rules.queues import QUEUE


def recursive_loop(model):
    """A function whose messages can come back to it says `RecursiveLoop: Allow`, and no other does: what is stopped there
    is a mistake. Lambda follows a chain of requests through SQS, SNS, S3 and calls of functions, and not through tables."""
    leads_to = {function: reached(model, function) for function, _ in model.of_type("AWS::Lambda::Function")}
    for function, properties in model.of_type("AWS::Lambda::Function"):
        loops, allowed = comes_back(function, leads_to), properties.get("RecursiveLoop") == "Allow"
        if loops and not allowed:
            sentence = "gets messages back that it sends, and does not say `RecursiveLoop: Allow`: Lambda drops them"
            yield "recursive-loop", function, properties.get("RecursiveLoop"), sentence
        if allowed and not loops:
            yield "recursive-loop", function, "Allow", "allows a recursive loop, and is in none"


def reached(model, function):
    """The functions that this one can have run: through a queue that it may send to, or by calling them."""
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


def comes_back(function, leads_to):
    """Whether a way leads from a function to itself."""
    seen, left = set(), list(leads_to[function])
    while left:
        following = left.pop()
        if following == function:
            return True
        if following not in seen:
            seen.add(following)
            left += leads_to.get(following, ())
    return False
