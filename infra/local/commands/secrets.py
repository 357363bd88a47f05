"""Settings and secrets in SSM, as SecureString parameters below one path."""

import base64
import difflib
import json
import secrets

from botocore.exceptions import ClientError

from commands.cloud import Problem, client, error_code, say

# The parameter in which settings stand together, so that a function that starts reads them in one call.
OPTIONS = "WEBHOOK_OPTIONS"
# Those that may stand in the options, which `dispatcher` and `webhooks-admin` read.
OPTIONAL = (
    "WEBHOOK_HEADERS",
    "WEBHOOK_TIMEOUT",
    "WEBHOOK_SCHEDULE",
    "WEBHOOK_PERMANENT_STATUSES",
    "WEBHOOK_MAX_RETRIES",
    "WEBHOOK_RETRY_DELAY",
    "WEBHOOK_MAX_RETRY_DELAY",
    "WEBHOOK_RATE_LIMIT_WINDOW",
    "WEBHOOK_RATE_LIMIT_MAX",
    "WEBHOOK_ENDPOINT_POLICIES",
    "WEBHOOK_CONCURRENCY",
    "WEBHOOK_CIRCUIT_FAILURES",
    "WEBHOOK_CIRCUIT_DELAY",
    "WEBHOOK_CIRCUIT_MAX_DELAY",
    "WEBHOOK_DISABLE_AFTER",
    "WEBHOOK_DISABLE_AFTER_FAILURES",
)
# Those that have a parameter of their own always.
SINGLE = {
    "API_KEYS",
    "API_USERNAME",
    "API_PASSWORD",
    "SESSION_SECRET",
    "CALLBACK_TOKEN_SECRET",
    "WEBHOOK_SECRET_KEY",
    "ENDPOINT_SECRETS_KEY",
    "OPERATOR_CALLBACK_TOKEN",
    "STEP_WEBHOOK_SECRET",
    "EDGE_SECRET",
    "CREATOMATE_API_KEY",
    "WEBHOOK_URLS",
    "WEBHOOK_EVENTS",
}
KNOWN = {OPTIONS, *OPTIONAL, *SINGLE}


def generated(name):
    """A new random value, in the form that this secret has."""
    if name == "API_KEYS":
        return "rk_" + secrets.token_hex(20)
    if name == "WEBHOOK_SECRET_KEY":
        # The form of Standard Webhooks: its libraries take it as it is.
        return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    return secrets.token_hex(32)


def put(path, wanted, show):
    """Stores each value of `wanted`; null keeps what is there, or generates it. Returns what was done by name,
    with the values where `show`."""
    if not path.startswith("/") or path.endswith("/"):
        raise Problem(f"the path `{path}` must begin with / and not end with it")
    for name in wanted:
        if name not in KNOWN:
            near = difflib.get_close_matches(name.upper(), KNOWN, 1)
            raise Problem(f"there is no setting `{name}`: " + (f"is it `{near[0]}`?" if near else "README.md lists them"))
    optional = {name: value for name, value in wanted.items() if name in OPTIONAL}
    if optional and OPTIONS in wanted:
        raise Problem(f"give {OPTIONS} as a whole, or {', '.join(optional)} for themselves, and not both")
    together = stands_together(path)
    done = {}
    for name, value in wanted.items():
        if value == "" or (together and name in optional):
            continue  # SSM stores no empty value; a setting that is not there has its default
        parameter = f"{path}/{name}"
        there = get(parameter)
        action = "kept" if value is None or value == there else "changed"
        if there is None:
            action = "created"
        stored = value if value is not None else there or generated(name)
        if action != "kept":
            store(parameter, stored)
            if not show:
                say(f"{action} {parameter}")
        done[name] = {"action": action, **({"value": stored} if show else {})}
    if together and OPTIONS not in wanted:
        done |= put_options(path, optional, show)
    return done


def stands_together(path):
    """Whether settings stand in the options: yes in a new stack, and no in one that has some on their own."""
    if get(f"{path}/{OPTIONS}") is not None:
        return True
    alone = on_their_own(path)
    if alone:
        say(f"{', '.join(alone)} stand on their own, so others will too: README.md says how to put them into {OPTIONS}")
    return not alone


def on_their_own(path):
    """Those of the optional settings that have a parameter of their own."""
    found = set()
    for start in range(0, len(OPTIONAL), 10):
        names = [f"{path}/{name}" for name in OPTIONAL[start : start + 10]]
        found |= {parameter["Name"].rsplit("/", 1)[-1] for parameter in client("ssm").get_parameters(Names=names)["Parameters"]}
    return sorted(found)


def put_options(path, wanted, show):
    """Changes these of the options; an empty value takes one out, so that it has its default."""
    parameter = f"{path}/{OPTIONS}"
    there = get(parameter)
    try:
        before = json.loads(there or "{}")
    except ValueError:
        before = None
    if not isinstance(before, dict):
        raise Problem(f"{parameter} is no JSON object: mend it, or delete it with `aws ssm delete-parameter`")
    options = {name: value for name, value in {**before, **wanted}.items() if value != ""}
    if there is None or options != before:
        store(parameter, json.dumps(options, ensure_ascii=False))
        if not show:
            say(f"{'created' if there is None else 'changed'} {parameter}")
    done = {}
    for name, value in wanted.items():
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
