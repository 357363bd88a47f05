"""Reads the template's parameters in samconfig.toml: a list of `NAME=VALUE` for each environment. Python's own TOML
parser needs 3.11, but 3.10 must suffice."""

import json
import pathlib
import re

from commands.cloud import Problem

SECTION = re.compile(r"^\[([A-Za-z0-9_-]+)\.([a-z]+)\.parameters\][ \t]*$", re.MULTILINE)
NAME = re.compile(r'^stack_name[ \t]*=[ \t]*"([^"]+)"', re.MULTILINE)
OVERRIDES = re.compile(r"^parameter_overrides[ \t]*=[ \t]*(\[.*?\])", re.MULTILINE | re.DOTALL)


def overrides(path, environment):
    """The parameter values of an environment by name."""
    listed = OVERRIDES.search(read(path, environment).get("deploy", ""))
    if not listed:
        return {}
    return pairs(json.loads(re.sub(r",\s*\]$", "]", listed.group(1))))


def stack_name(path, environment):
    """The stack name of an environment; None if it has none."""
    named = NAME.search(read(path, environment).get("global", ""))
    return named and named.group(1)


def read(path, environment):
    """The sections of an environment, by command."""
    text = re.sub(r"^[ \t]*#.*$", "", pathlib.Path(path).read_text(encoding="utf-8"), flags=re.MULTILINE)
    parts = SECTION.split(text)[1:]
    sections = {(name, command): body for name, command, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True)}
    names = sorted({name for name, _ in sections})
    if environment not in names:
        raise Problem(f"samconfig.toml has no environment `{environment}`: it has {', '.join(names)}")
    return {command: body for (name, command), body in sections.items() if name == environment}


def pairs(texts):
    """Parses `NAME=VALUE` texts into a dictionary."""
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise Problem(f"expected NAME=VALUE (got `{text}`)")
        found[name] = value
    return found
