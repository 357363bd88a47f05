"""The part of the `aws` command line that the runbook uses, for a local stack: the command line itself is not installed
with the tools of this repository. Services, operations and options are those of botocore, of which `aws` is made too.

    python infra/local/aws.py SERVICE OPERATION [--option VALUE…]… [--query JMESPATH] [--output json|text]
"""

import json
import os
import pathlib
import sys

import boto3
import botocore.session
import jmespath
from botocore import xform_name
from botocore.exceptions import UnknownServiceError

# Options of every command.
COMMON = {"query", "output", "region", "no-cli-pager"}
# `aws` has other commands under the first name, and the operations of these under the others.
RENAMED = {"s3": "", "s3api": "s3", "deploy": "codedeploy"}
# Options that have another name than their member.
OPTIONS = {("sns", "subscribe"): {"endpoint": "notification-endpoint"}}
NUMBERS = {"integer": int, "long": int, "float": float, "double": float}


class Usage(ValueError):
    """A command that `aws` does not have."""


def operation(words):
    """The model of the operation, and the name of its method."""
    if len(words) < 2:
        raise Usage("a command has a service and an operation")
    try:
        model = botocore.session.get_session().get_service_model(RENAMED.get(words[0], words[0]))
    except UnknownServiceError as error:
        raise Usage(f"there is no service `{words[0]}`") from error
    for name in model.operation_names:
        if xform_name(name, "-") == words[1]:
            return model.operation_model(name), xform_name(name)
    raise Usage(f"`{words[0]}` has no operation `{words[1]}`")


def arguments(words):
    """The arguments of the operation by name, and the common options."""
    model, _ = operation(words)
    members = model.input_shape.members if model.input_shape else {}
    renamed = OPTIONS.get(tuple(words[:2]), {})
    known = {renamed.get(xform_name(name, "-"), xform_name(name, "-")): (name, shape) for name, shape in members.items()}
    given, common = {}, {}
    for option, values in options(words[2:]):
        if option in COMMON:
            common[option] = values[0] if values else True
            continue
        name, shape = known.get(option) or known.get(option.removeprefix("no-")) or (None, None)
        if name is None:
            raise Usage(f"`{words[0]} {words[1]}` has no option `--{option}`")
        given[name] = value(option, values, shape)
    missing = [xform_name(name, "-") for name in getattr(model.input_shape, "required_members", []) if name not in given]
    if missing:
        raise Usage(f"`{words[0]} {words[1]}` requires `--{missing[0]}`")
    return given, common


def options(words):
    found = []
    for word in words:
        if word.startswith("--"):
            name, equal, first = word[2:].partition("=")
            found.append((name, [first] if equal else []))
        elif found:
            found[-1][1].append(word)
        else:
            raise Usage(f"`{word}` belongs to no option")
    return found


def value(option, values, shape):
    """What the texts of an option mean: JSON, the shorthand Key=Value,…, or the text itself."""
    if shape.type_name == "boolean":
        return not option.startswith("no-")
    if not values:
        raise Usage(f"`--{option}` has no value")
    if values[0].startswith("file://"):
        values = [pathlib.Path(values[0].removeprefix("file://")).read_text(encoding="utf-8")]
    if shape.type_name == "list":
        if values[0].startswith("["):
            return json.loads(values[0])
        return [member(one, shape.member) for one in values]
    return member(values[0], shape)


def member(text, shape):
    if shape.type_name in NUMBERS:
        return NUMBERS[shape.type_name](text)
    if shape.type_name not in ("structure", "map"):
        return text
    if text.startswith("{"):
        return json.loads(text)
    pairs = dict(part.split("=", 1) for part in text.split(","))
    if shape.type_name == "map":
        return pairs
    unknown = set(pairs) - set(shape.members)
    if unknown:
        raise Usage(f"`{text}`: there is no `{min(unknown)}`")
    return {name: member(part, shape.members[name]) for name, part in pairs.items()}


def shown(result, common):
    """The answer as `aws` prints it."""
    result.pop("ResponseMetadata", None)
    if "query" in common:
        result = jmespath.search(common["query"], result)
    if common.get("output") != "text":
        return json.dumps(result, indent=4, default=str)
    rows = result if isinstance(result, list) else [result]
    if rows and not isinstance(rows[0], list):
        rows = [rows]
    return "\n".join("\t".join("None" if one is None else str(one) for one in row) for row in rows)


def main():
    words = sys.argv[1:]
    try:
        given, common = arguments(words)
        _, method = operation(words)
    except Usage as error:
        sys.exit(f"aws: {error}")
    if not os.environ.get("AWS_ENDPOINT_URL"):
        sys.exit("aws.py is for local stacks: AWS_ENDPOINT_URL is not set")
    client = boto3.client(RENAMED.get(words[0], words[0]), region_name=os.environ.get("AWS_REGION"))
    result = getattr(client, method)(**given)
    if (text := shown(result, common)) not in ("", "{}"):
        print(text)


if __name__ == "__main__":
    main()
