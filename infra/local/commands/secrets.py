"""Settings and secrets in SSM, as SecureString parameters below one path."""

import base64
import difflib
import json
import secrets

from botocore.exceptions import ClientError

from commands.cloud import Problem, client, error_code, say
from commands.settings import MEMBERS, NAMES, OPTIONS


def generated(name):
    """A new random value in the form of this secret."""
    if name == "API_KEYS":
        return "rk_" + secrets.token_hex(20)
    if name == "WEBHOOK_SECRET_KEY":
        # The form of Standard Webhooks, whose libraries accept it unchanged.
        return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    return secrets.token_hex(32)


def put(path, values, show):
    """Stores each value; null keeps the existing value, or generates one. Returns the actions by name, with the values
    if `show` is set."""
    if not path.startswith("/") or path.endswith("/"):
        raise Problem(f"the path must begin with / and not end with / (got `{path}`)")
    for name in values:
        if name not in NAMES:
            near = difflib.get_close_matches(name.upper(), NAMES, 1)
            raise Problem(f"unknown setting `{name}`: " + (f"did you mean `{near[0]}`?" if near else "docs/settings.md lists the settings"))
    optional = {name: value for name, value in values.items() if name in MEMBERS}
    if optional and OPTIONS in values:
        raise Problem(f"pass either {OPTIONS} or {', '.join(optional)}, not both")
    combined = uses_options(path)
    done = {}
    for name, value in values.items():
        if value == "" or (combined and name in optional):
            continue  # SSM stores no empty value; a missing setting has its default
        parameter = f"{path}/{name}"
        existing = get(parameter)
        action = "kept" if value is None or value == existing else "changed"
        if existing is None:
            action = "created"
        stored = value if value is not None else existing or generated(name)
        if action != "kept":
            store(parameter, stored)
            if not show:
                say(f"{action} {parameter}")
        done[name] = {"action": action, **({"value": stored} if show else {})}
    if combined and OPTIONS not in values:
        done |= put_options(path, optional, show)
    return done


def uses_options(path):
    """Whether settings are part of the options: true for a new stack, false if some have separate parameters."""
    if get(f"{path}/{OPTIONS}") is not None:
        return True
    separate = separate_settings(path)
    if separate:
        names = ", ".join(separate)
        say(f"{names} are separate parameters, so others will be, too: docs/settings.md explains how to combine them in {OPTIONS}")
    return not separate


def separate_settings(path):
    """The optional settings that have separate parameters."""
    found = set()
    for start in range(0, len(MEMBERS), 10):
        names = [f"{path}/{name}" for name in MEMBERS[start : start + 10]]
        found |= {parameter["Name"].rsplit("/", 1)[-1] for parameter in client("ssm").get_parameters(Names=names)["Parameters"]}
    return sorted(found)


def put_options(path, values, show):
    """Changes these settings in the options; an empty value removes one, so that it has its default."""
    parameter = f"{path}/{OPTIONS}"
    existing = get(parameter)
    try:
        before = json.loads(existing or "{}")
    except ValueError:
        before = None
    if not isinstance(before, dict):
        raise Problem(f"{parameter} must be a JSON object: correct it, or delete it with `aws ssm delete-parameter`")
    options = {name: value for name, value in {**before, **values}.items() if value != ""}
    if existing is None or options != before:
        store(parameter, json.dumps(options, ensure_ascii=False))
        if not show:
            say(f"{'created' if existing is None else 'changed'} {parameter}")
    done = {}
    for name, value in values.items():
        action = "created" if name not in before else "kept" if before[name] == value else "changed"
        done[name] = {"action": action if value != "" else "removed", **({"value": value} if show else {})}
    return done


def store(parameter, value):
    client("ssm").put_parameter(Name=parameter, Value=value, Type="SecureString", Overwrite=True)


def get(parameter):
    try:
        return client("ssm").get_parameter(Name=parameter, WithDecryption=True)["Parameter"]["Value"]
    except ClientError as error:
        if error_code(error) == "ParameterNotFound":
            return None
        raise
