"""Checks before a deployment: sentences that say what is wrong and what to set.

It changes nothing, and reads no secret. What the caller may not look at is said, and is no obstacle.
"""

import os
import pathlib
import re
import shlex

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from commands import samconfig, secrets
from commands.cloud import GONE, Problem, client, error_code, is_local, say
from commands.concurrency import concurrency

NEEDED = {
    "API_KEYS": "every call is refused",
    "SESSION_SECRET": "no function that asks for a key starts",
    "CALLBACK_TOKEN_SECRET": "`worker`, `render`, `videos`, `job-stream` and the functions for callbacks do not start",
    "WEBHOOK_SECRET_KEY": "`dispatcher`, `worker` and `webhooks-admin` do not start",
    "ENDPOINT_SECRETS_KEY": "`dispatcher` and `webhooks-admin` do not start",
}
# The processor in an ELF file's header, at this place.
MACHINE_AT, MACHINES = 18, {0xB7: "arm64", 0x3E: "x86_64"}
TABLES = ("Jobs", "JobEvents", "Deliveries", "Endpoints", "Catalog", "Counters")


class Deployment:
    """What is to be deployed, and where."""

    def __init__(self, stack, root, environment, given):
        template = stack.template
        self.stack, self.root, self.environment, self.given = stack, pathlib.Path(root), environment, given
        self.description = stack.describe()
        # As SAM does: what neither the command line nor samconfig.toml names stays as it is deployed.
        self.deployed = stack.parameters()
        asked = self.listed(environment) | given
        unknown = sorted(set(asked) - set(template.parameters()))
        if unknown:
            raise Problem(f"template.yaml has no parameter {', '.join(f'`{name}`' for name in unknown)}")
        defaults = {name: str(parameter.get("Default", "")) for name, parameter in template.parameters().items()}
        self.parameters = defaults | {n: v for n, v in self.deployed.items() if n in defaults} | asked
        self.crates = sorted(set(template.functions().values()))

    def number(self, name):
        return int(self.parameters.get(name) or 0)

    @property
    def is_first(self):
        return self.description is None or self.description["StackStatus"] == "REVIEW_IN_PROGRESS"

    def listed(self, environment):
        """What an environment of samconfig.toml gives the parameters."""
        return samconfig.overrides(self.root / "samconfig.toml", environment)

    def sams_stack(self):
        """The stack that SAM deploys by default."""
        named = samconfig.stack_name(self.root / "samconfig.toml", self.environment)
        return self.stack.name if named is None or is_local() else named

    def command(self, more=None, environment=None):
        """How it is deployed, with these parameters besides. Named ones replace an environment's, so those are named too."""
        environment = environment or self.environment
        named = self.given | (more or {})
        pairs = [shlex.quote(f"{name}={value}") for name, value in (self.listed(environment) | named).items()] if named else []
        flag = "" if environment == "default" else f" --config-env {environment}"
        flag += "" if self.sams_stack() == self.stack.name else f" --stack-name {self.stack.name}"
        return f"sam deploy{flag}" + (f" --parameter-overrides {' '.join(pairs)}" if pairs else "")


def preflight(stack, root, environment, given):
    """Prints what it finds; a Problem if a deployment would fail."""
    identity = client("sts").get_caller_identity()
    region = client("lambda").meta.region_name
    say(f"ok    you are {identity['Arn']}, and deploy to {region} of the account {identity['Account']}")
    deployment = Deployment(stack, root, environment, given)
    obstacles = 0
    for look in LOOKS:
        try:
            found = list(look(deployment))
        except (ClientError, BotoCoreError) as error:
            found = [("note", f"could not look at {look.__doc__.splitlines()[0].rstrip('.').lower()}: {error}")]
        for kind, sentence in found:
            say(f"{kind:<5} {sentence}")
            obstacles += kind == "stop"
    if obstacles:
        things = "one thing stands" if obstacles == 1 else f"{obstacles} things stand"
        raise Problem(f"{things} in the way of a deployment: the lines that begin with `stop` say what to do")
    return {"account": identity["Account"], "region": region, "deploy": deployment.command()}


def regions(_):
    """The region."""
    asked, sams = os.environ.get("AWS_REGION"), boto3.Session().region_name
    if asked and asked != sams:
        other = f"would deploy to {sams}" if sams else "would find none"
        yield "stop", f"AWS_REGION is {asked}, which `sam` does not read: it {other}. Set AWS_DEFAULT_REGION={asked} too"


def state(deployment):
    """The stack."""
    name, sams = deployment.stack.name, deployment.sams_stack()
    if sams != name and deployment.environment != "default":
        yield "stop", f"samconfig.toml deploys `{sams}` with --config-env {deployment.environment}: pass --stack {sams}"
        return
    if deployment.is_first:
        yield "ok", f"there is no stack `{name}` yet: this is its first deployment"
        yield from left(name)
        return
    status = deployment.description["StackStatus"]
    if status in GONE - {"DELETE_COMPLETE"}:
        yield (
            "stop",
            f"the stack `{name}` is left in {status} and can't be deployed to: delete it first with "
            f"`aws cloudformation delete-stack --stack-name {name}`, which keeps nothing of a first deployment that failed",
        )
    elif status.endswith("IN_PROGRESS"):
        yield "stop", f"the stack `{name}` is being changed ({status}): wait until that is done"
    else:
        yield "ok", f"the stack `{name}` is there ({status}), and is updated"


def left(name):
    """Tables of a stack of this name that was deleted."""
    pages = client("dynamodb").get_paginator("list_tables").paginate()
    kept = re.compile(rf"{re.escape(name)}-({'|'.join(TABLES)})-[A-Z0-9]+")
    found = [table for page in pages for table in page["TableNames"] if kept.fullmatch(table)]
    if found:
        yield (
            "note",
            f"an earlier stack left {len(found)} tables ({', '.join(found)}): a new one begins with empty ones. "
            "To go on with those, see docs/retained-resources.md",
        )


def settings(deployment):
    """The secrets."""
    path, name = deployment.parameters["SettingsPath"], deployment.stack.name
    wanted = dict(NEEDED)
    if deployment.parameters["Renderer"] == "creatomate":
        wanted["CREATOMATE_API_KEY"] = "Creatomate draws nothing"
    found = names(path, [*wanted, "WEBHOOK_URLS", secrets.OPTIONS])
    missing = {one: why for one, why in wanted.items() if one not in found}
    if deployment.parameters["Auth"] == "none":
        missing = {}
    if missing:
        sentence = "; ".join(f"{one} ({why} without it)" for one, why in missing.items())
        # It generates all except third parties' keys.
        made = "".join(f" --secret {one}=…" for one in missing if one == "CREATOMATE_API_KEY")
        yield (
            "stop",
            f"below {path} these secrets are missing: {sentence}. "
            f"Run `cargo xtask secrets --stack {name} --path {path}{made}`",
        )
    else:
        yield "ok", f"the secrets below {path} are there"
    if "WEBHOOK_URLS" not in found:
        yield "note", "there is no WEBHOOK_URLS: webhooks go only to endpoints that are registered over the API"
    alone = names(path, secrets.OPTIONAL)
    if alone and secrets.OPTIONS in found:
        yield "note", f"{', '.join(alone)} are not read, since there is {secrets.OPTIONS}: delete them, or put them into it"


def names(path, wanted):
    """Which of these parameters exist; their values are not decrypted."""
    found, wanted = set(), list(wanted)
    for start in range(0, len(wanted), 10):
        asked = [f"{path}/{name}" for name in wanted[start : start + 10]]
        found |= {p["Name"].rsplit("/", 1)[-1] for p in client("ssm").get_parameters(Names=asked)["Parameters"]}
    return sorted(found)


def packages(deployment):
    """The functions' packages."""
    if is_local():
        return
    wanted, missing, other = deployment.parameters["Architecture"], [], []
    for crate in deployment.crates:
        bootstrap = deployment.root / "target" / "lambda" / crate / "bootstrap"
        if not bootstrap.is_file():
            missing.append(crate)
        elif machine(bootstrap) != wanted:
            other.append(crate)
    package = f"cargo xtask package --arch {wanted}"
    if missing:
        yield "stop", f"target/lambda has no bootstrap of {', '.join(missing)}: run `{package}`"
    if other:
        yield (
            "stop",
            f"{', '.join(other)} in target/lambda are not for {wanted}, the parameter Architecture: run `{package}`, or name "
            "the other processor to `preflight` (`--parameter Architecture=…`) and to `sam deploy`",
        )
    if not missing and not other:
        yield "ok", f"the packages of {len(deployment.crates)} functions are there, for {wanted}"


def machine(bootstrap):
    """The processor that a program is for, as AWS names it; None for anything else than an ELF file."""
    with open(bootstrap, "rb") as file:
        header = file.read(MACHINE_AT + 2)
    if header[:4] != b"\x7fELF":
        return None
    return MACHINES.get(int.from_bytes(header[MACHINE_AT:], "little"))


def layer(deployment):
    """The layer."""
    parameters = deployment.parameters
    arn = parameters["RenderLayerArn"]
    if parameters["Renderer"] != "own":
        return
    if not arn:
        yield (
            "note",
            "there is no RenderLayerArn: everything works but videos and jobs that run here. "
            "`cargo xtask layer` brings it, now or after the deployment",
        )
        return
    region = client("lambda").meta.region_name
    parts = arn.split(":")
    if len(parts) != 8 or parts[5] != "layer" or not parts[7].isdecimal():
        yield "stop", f"RenderLayerArn is no layer's version: `{arn}`. It ends in `:layer:NAME:NUMBER`"
    elif parts[3] != region:
        yield "stop", f"the layer is in {parts[3]}, and the stack in {region}: run `cargo xtask layer` there"
    else:
        yield from version(arn, parameters["Architecture"])


def version(arn, architecture):
    try:
        found = client("lambda").get_layer_version_by_arn(Arn=arn)
    except ClientError as error:
        if error_code(error) not in ("ResourceNotFoundException", "AccessDeniedException"):
            raise
        yield "stop", f"there is no layer `{arn}` that you may use: run `cargo xtask layer --arch {architecture}`"
        return
    fits = found.get("CompatibleArchitectures") or [architecture]
    if architecture not in fits:
        yield "stop", f"the layer is for {', '.join(fits)}, the functions for {architecture}: run `cargo xtask layer --arch {architecture}`"
    else:
        yield "ok", "the layer with ffmpeg and fonts is there"


def quotas(deployment):
    """Quotas of the account."""
    if not deployment.is_first:
        return
    summary = client("iam").get_account_summary()["SummaryMap"]
    roles, most, wanted = summary.get("Roles", 0), summary.get("RolesQuota", 0), len(deployment.stack.template.functions())
    if most and roles + wanted > most:
        yield (
            "stop",
            f"the account has {roles} of {most} roles, and this stack makes {wanted}: delete some, or ask for more "
            "(`aws service-quotas request-service-quota-increase --service-code iam --quota-code L-FE177D64 "
            f"--desired-value {roles + 10 * wanted}`)",
        )
    elif most:
        yield "ok", f"the account has {roles} of {most} roles, and this stack makes {wanted}"
    stored = client("lambda").get_account_settings()
    size = sum(file.stat().st_size for file in (deployment.root / "target" / "lambda").glob("*/bootstrap"))
    used, limit = stored["AccountUsage"]["TotalCodeSize"], stored["AccountLimit"]["TotalCodeSize"]
    if used + size > limit:
        yield (
            "stop",
            f"Lambda keeps {limit / 2**30:.0f} GiB of code for the account, and {used / 2**30:.1f} GiB are used: delete "
            "versions of functions and layers that nothing uses",
        )


LOOKS = (regions, state, concurrency, settings, packages, layer, quotas)
