"""Settings and secrets in SSM, as SecureString parameters below one path."""

import base64
import secrets

from botocore.exceptions import ClientError

from commands.cloud import Problem, client, error_code, say


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
    done = {}
    for name, value in wanted.items():
        if value == "":
            continue  # SSM stores no empty value; a setting that is not there has its default
        parameter = f"{path}/{name}"
        there = get(parameter)
        action = "kept" if value is None or value == there else "changed"
        if there is None:
            action = "created"
        stored = value if value is not None else there or generated(name)
        if action != "kept":
            client("ssm").put_parameter(Name=parameter, Value=stored, Type="SecureString", Overwrite=True)
            if not show:
                say(f"{action} {parameter}")
        done[name] = {"action": action, **({"value": stored} if show else {})}
    return done


def get(parameter):
    try:
        return client("ssm").get_parameter(Name=parameter, WithDecryption=True)["Parameter"]["Value"]
    except ClientError as error:
        if error_code(error) == "ParameterNotFound":
            return None
        raise
