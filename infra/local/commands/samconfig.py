"""What samconfig.toml gives the template's parameters in one environment. Python has a reader of TOML from 3.11 on, and
3.10 is enough for the rest, so this reads what that file has: one list of `NAME=VALUE` for each environment."""

import json
import pathlib
import re

from commands.cloud import Problem

SECTION = re.compile(r"^\[([A-Za-z0-9_-]+)\.([a-z]+)\.parameters\][ \t]*$", re.MULTILINE)
NAME = re.compile(r'^stack_name[ \t]*=[ \t]*"([^"]+)"', re.MULTILINE)
OVERRIDES = re.compile(r"^parameter_overrides[ \t]*=[ \t]*(\[.*?\])", re.MULTILINE | re.DOTALL)


def overrides(path, environment):
    """The values by the parameters' names."""
    listed = OVERRIDES.search(read(path, environment).get("deploy", ""))
    if not listed:
        return {}
    return pairs(json.loads(re.sub(r",\s*\]$", "]", listed.group(1))))


def stack_name(path, environment):
    """The stack that an environment is deployed as; None where it names none."""
    named = NAME.search(read(path, environment).get("global", ""))
    return named and named.group(1)


def read(path, environment):
    """The parts of an environment, by the command that each is for."""
    text = re.sub(r"^[ \t]*#.*$", "", pathlib.Path(path).read_text(encoding="utf-8"), flags=re.MULTILINE)
    parts = SECTION.split(text)[1:]
    sections = {(name, command): body for name, command, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True)}
    names = sorted({name for name, _ in sections})
    if environment not in names:
        raise Problem(f"samconfig.toml has no environment `{environment}`: it has {', '.join(names)}")
    return {command: body for (name, command), body in sections.items() if name == environment}


def pairs(texts):
    """`NAME=VALUE` as a dictionary."""
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise Problem(f"expected NAME=VALUE, not `{text}`")
        found[name] = value
    return found
