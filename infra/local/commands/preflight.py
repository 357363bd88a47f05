"""Checks before a deployment: messages that say what is wrong and what to set.

It changes nothing and reads no secret. A check that the caller's permissions do not allow is a note.
"""

import os
import pathlib
import re
import shlex
import shutil
import subprocess

import boto3
from botocore.exceptions import ClientError

from commands import checks, samconfig
from commands.cloud import GONE, Problem, client, error_code, is_local, say
from commands.concurrency import concurrency
from commands.settings import MEMBERS, OPTIONS, SETTINGS

NEEDED = {setting.name: setting.without for setting in SETTINGS if setting.without}
# The first version of the SAM CLI that supports the loops of template.yaml.
LEAST_SAM = (1, 160)
# Offset and values of the machine in the header of an ELF file.
MACHINE_OFFSET, MACHINES = 18, {0xB7: "arm64", 0x3E: "x86_64"}
TABLES = ("Jobs", "Projects", "Clips", "Credits", "JobEvents", "Deliveries", "Endpoints", "Errors", "Catalog", "Counters")


class Deployment:
    """The deployment to check."""

    def __init__(self, stack, root, environment, given):
        template = stack.template
        self.stack, self.root, self.environment, self.given = stack, pathlib.Path(root), environment, given
        self.description = stack.describe()
        # As in SAM, parameters that neither the command line nor samconfig.toml names keep their deployed values.
        self.deployed = stack.parameters()
        requested = self.listed(environment) | given
        unknown = sorted(set(requested) - set(template.parameters()))
        if unknown:
            raise Problem(f"template.yaml has no parameter {', '.join(f'`{name}`' for name in unknown)}")
        defaults = {name: str(parameter.get("Default", "")) for name, parameter in template.parameters().items()}
        self.parameters = defaults | {n: v for n, v in self.deployed.items() if n in defaults} | requested
        self.crates = sorted(set(template.functions().values()))

    def number(self, name):
        return int(self.parameters.get(name) or 0)

    @property
    def is_first(self):
        return self.description is None or self.description["StackStatus"] == "REVIEW_IN_PROGRESS"

    def listed(self, environment):
        """The parameters in an environment of samconfig.toml."""
        return samconfig.overrides(self.root / "samconfig.toml", environment)

    def sams_stack(self):
        """The stack that SAM deploys by default."""
        named = samconfig.stack_name(self.root / "samconfig.toml", self.environment)
        return self.stack.name if named is None or is_local() else named

    def command(self, more=None, environment=None):
        """The deployment command with more parameters. They replace the environment's, so it repeats those as well."""
        environment = environment or self.environment
        named = self.given | (more or {})
        values = self.listed(environment) | named if named else {}
        # SAM refuses `NAME=`: an empty value is written `NAME=""`.
        pairs = [shlex.quote(f'{name}=""' if value == "" else f"{name}={value}") for name, value in values.items()]
        flag = "" if environment == "default" else f" --config-env {environment}"
        flag += "" if self.sams_stack() == self.stack.name else f" --stack-name {self.stack.name}"
        return f"sam deploy{flag}" + (f" --parameter-overrides {' '.join(pairs)}" if pairs else "")


def preflight(stack, root, environment, given):
    """Runs the checks and prints their results. Raises a Problem if a deployment would fail."""
    identity = client("sts").get_caller_identity()
    region = client("lambda").meta.region_name
    say(f"ok    {identity['Arn']} deploys to {region} of the account {identity['Account']}")
    deployment = Deployment(stack, root, environment, given)
    obstacles = checks.run(CHECKS, deployment)["stop"]
    if obstacles:
        count = "one problem prevents" if obstacles == 1 else f"{obstacles} problems prevent"
        raise Problem(f"{count} a deployment: the lines that begin with `stop` say what to do")
    return {"account": identity["Account"], "region": region, "deploy": deployment.command()}


def regions(_):
    """The region."""
    region, sams = os.environ.get("AWS_REGION"), boto3.Session().region_name
    if region and region != sams:
        effect = f"would deploy to {sams}" if sams else "would find no region"
        yield "stop", f"AWS_REGION is {region}, which `sam` does not read: it {effect}. Set AWS_DEFAULT_REGION={region} too"


def sam(_):
    """The SAM CLI."""
    if is_local():
        return
    version, least = sam_version(), ".".join(str(number) for number in LEAST_SAM)
    if version is None:
        yield "note", f"`sam` was not found on PATH: deploying needs the SAM CLI {least} or later"
    elif version < LEAST_SAM:
        found = ".".join(str(number) for number in version)
        yield "stop", f"the SAM CLI is {found}, which does not support the loops of template.yaml: install {least} or later"
    else:
        yield "ok", "the SAM CLI supports the template"


def sam_version():
    """The version of the SAM CLI on PATH, for example (1, 170, 0); None without one."""
    program = shutil.which("sam")
    if program is None:
        return None
    environment = {**os.environ, "SAM_CLI_TELEMETRY": "0"}
    printed = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, env=environment).stdout
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", printed)
    return tuple(int(number) for number in found.groups()) if found else None


def state(deployment):
    """The stack."""
    name, sams = deployment.stack.name, deployment.sams_stack()
    if sams != name and deployment.environment != "default":
        yield "stop", f"samconfig.toml deploys `{sams}` with --config-env {deployment.environment}: pass --stack {sams}"
        return
    if deployment.is_first:
        yield "ok", f"the stack `{name}` does not exist yet: this is its first deployment"
        yield from retained_tables(name)
        return
    status = deployment.description["StackStatus"]
    if status in GONE - {"DELETE_COMPLETE"}:
        yield (
            "stop",
            f"the stack `{name}` has the status {status} and can't be deployed to: delete it first with "
            f"`aws cloudformation delete-stack --stack-name {name}`, which keeps nothing of a failed first deployment",
        )
    elif status.endswith("IN_PROGRESS"):
        yield "stop", f"the stack `{name}` is being changed ({status}): wait until the change has ended"
    else:
        yield "ok", f"the stack `{name}` exists ({status}) and will be updated"


def retained_tables(name):
    """The tables that a deleted stack of this name has retained."""
    pages = client("dynamodb").get_paginator("list_tables").paginate()
    kept = re.compile(rf"{re.escape(name)}-({'|'.join(TABLES)})-[A-Z0-9]+")
    found = [table for page in pages for table in page["TableNames"] if kept.fullmatch(table)]
    if found:
        yield (
            "note",
            f"an earlier stack retained {len(found)} tables ({', '.join(found)}): a new stack starts with empty ones. "
            "To use the retained ones, see docs/retained-resources.md",
        )


def settings(deployment):
    """The secrets."""
    path, name = deployment.parameters["SettingsPath"], deployment.stack.name
    required = dict(NEEDED)
    if deployment.parameters["Renderer"] == "creatomate":
        required["CREATOMATE_API_KEY"] = "Creatomate renders nothing"
    found = existing(path, [*required, "WEBHOOK_URLS", OPTIONS])
    missing = {one: effect for one, effect in required.items() if one not in found}
    if deployment.parameters["Auth"] == "none":
        missing = {}
    if missing:
        listed = "; ".join(f"{one} ({effect} without it)" for one, effect in missing.items())
        # The command generates all secrets except the keys of third parties.
        given = "".join(f" --secret {one}=…" for one in missing if one == "CREATOMATE_API_KEY")
        yield (
            "stop",
            f"these secrets are missing below {path}: {listed}. "
            f"Run `cargo xtask secrets --stack {name} --path {path}{given}`",
        )
    else:
        yield "ok", f"the secrets below {path} exist"
    if "WEBHOOK_URLS" not in found:
        yield "note", "WEBHOOK_URLS is not set: webhooks are sent only to endpoints that are registered over the API"
    separate = existing(path, MEMBERS)
    if separate and OPTIONS in found:
        yield "note", f"{', '.join(separate)} are not read, since {OPTIONS} exists: delete them, or add them to it"


def existing(path, names):
    """The names of those parameters that exist; their values are not decrypted."""
    found, names = set(), list(names)
    for start in range(0, len(names), 10):
        requested = [f"{path}/{name}" for name in names[start : start + 10]]
        found |= {p["Name"].rsplit("/", 1)[-1] for p in client("ssm").get_parameters(Names=requested)["Parameters"]}
    return sorted(found)


def packages(deployment):
    """The functions' packages."""
    if is_local():
        return
    architecture, missing, other = deployment.parameters["Architecture"], [], []
    for crate in deployment.crates:
        bootstrap = deployment.root / "target" / "lambda" / crate / "bootstrap"
        if not bootstrap.is_file():
            missing.append(crate)
        elif machine(bootstrap) != architecture:
            other.append(crate)
    package = f"cargo xtask package --arch {architecture}"
    if missing:
        yield "stop", f"target/lambda has no bootstrap of {', '.join(missing)}: run `{package}`"
    if other:
        yield (
            "stop",
            f"{', '.join(other)} in target/lambda are not for {architecture}, the parameter Architecture: run `{package}`, "
            "or pass the other architecture to `preflight` (`--parameter Architecture=…`) and to `sam deploy`",
        )
    if not missing and not other:
        yield "ok", f"the packages of {len(deployment.crates)} functions exist for {architecture}"


def machine(bootstrap):
    """AWS's name of a program's processor architecture; None if the file is not an ELF file."""
    with open(bootstrap, "rb") as file:
        header = file.read(MACHINE_OFFSET + 2)
    if header[:4] != b"\x7fELF":
        return None
    return MACHINES.get(int.from_bytes(header[MACHINE_OFFSET:], "little"))


def layer(deployment):
    """The layer."""
    parameters = deployment.parameters
    arn = parameters["RenderLayerArn"]
    if parameters["Renderer"] != "own":
        return
    if not arn:
        yield (
            "note",
            "RenderLayerArn is not set: everything works except videos, and jobs that run without a worker. "
            "`cargo xtask layer` publishes the layer, before or after the deployment",
        )
        return
    region = client("lambda").meta.region_name
    parts = arn.split(":")
    if len(parts) != 8 or parts[5] != "layer" or not parts[7].isdecimal():
        yield "stop", f"RenderLayerArn must be the ARN of a layer version and end in `:layer:NAME:NUMBER` (got `{arn}`)"
    elif parts[3] != region:
        yield "stop", f"the layer is in {parts[3]}, but the stack in {region}: run `cargo xtask layer` in {region}"
    else:
        yield from layer_version(arn, parameters["Architecture"])


def layer_version(arn, architecture):
    try:
        found = client("lambda").get_layer_version_by_arn(Arn=arn)
    except ClientError as error:
        if error_code(error) not in ("ResourceNotFoundException", "AccessDeniedException"):
            raise
        yield "stop", f"the layer `{arn}` does not exist, or you may not use it: run `cargo xtask layer --arch {architecture}`"
        return
    compatible = found.get("CompatibleArchitectures") or [architecture]
    if architecture not in compatible:
        supported = ", ".join(compatible)
        yield (
            "stop",
            f"the layer is for {supported}, but the functions for {architecture}: "
            f"run `cargo xtask layer --arch {architecture}`",
        )
    else:
        yield "ok", "the layer with ffmpeg and fonts exists"


def quotas(deployment):
    """Quotas of the account."""
    if not deployment.is_first:
        return
    summary = client("iam").get_account_summary()["SummaryMap"]
    roles, most, new = summary.get("Roles", 0), summary.get("RolesQuota", 0), len(deployment.stack.template.functions())
    if most and roles + new > most:
        yield (
            "stop",
            f"the account has {roles} of {most} roles, and this stack adds {new}: delete some, or request a higher quota "
            "(`aws service-quotas request-service-quota-increase --service-code iam --quota-code L-FE177D64 "
            f"--desired-value {roles + 10 * new}`)",
        )
    elif most:
        yield "ok", f"the account has {roles} of {most} roles, and this stack adds {new}"
    size = sum(file.stat().st_size for file in (deployment.root / "target" / "lambda").glob("*/bootstrap"))
    used, limit = code_storage()
    if used + size > limit:
        yield (
            "stop",
            f"Lambda stores at most {limit / 2**30:.0f} GiB of code per account, and {used / 2**30:.1f} GiB are used: delete "
            "unused versions of functions and layers",
        )


def code_storage():
    """The bytes of code that Lambda stores for the account, and the most that it stores."""
    settings = client("lambda").get_account_settings()
    return settings["AccountUsage"]["TotalCodeSize"], settings["AccountLimit"]["TotalCodeSize"]


CHECKS = (regions, sam, state, concurrency, settings, packages, layer, quotas)
