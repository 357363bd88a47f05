"""Deploys template.yaml to the local emulator: packages changed functions, and creates or updates the stack."""

import base64
import hashlib
import io
import json
import os
import pathlib
import shutil
import subprocess
import time
import zipfile
from dataclasses import dataclass

from botocore.exceptions import ClientError

from commands.cloud import GONE, Problem, client, error_code, say

BUCKET = "local-artifacts"
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
DEPLOY_SECONDS = 300


@dataclass
class Package:
    """A function's zip."""

    path: pathlib.Path

    @property
    def key(self):
        return self.path.name

    @property
    def code_sha256(self):
        """Lambda's CodeSha256."""
        return base64.b64encode(hashlib.sha256(self.path.read_bytes()).digest()).decode()


def deploy(stack, binaries, cache, parameters):
    """Returns the action, the stack's outputs, and the functions' deployed names by crate."""
    template = stack.template
    unknown = sorted(set(parameters) - set(template.parameters()))
    if unknown:
        raise Problem(f"template.yaml has no parameter {', '.join(f'`{name}`' for name in unknown)}")
    packages = {logical: package(name, binaries, cache) for logical, name in template.functions().items()}
    uploaded = [one for one in packages.values() if upload(one)]
    if uploaded:
        size = sum(one.path.stat().st_size for one in uploaded) / 2**20
        say(f"uploaded the code of {len(uploaded)} functions ({size:.0f} MiB)")
    located = template.with_code({logical: f"s3://{BUCKET}/{made.key}" for logical, made in packages.items()})
    action = create_or_update(stack, located, template.digest(parameters), parameters)
    changed = update_code(stack, packages)
    if action == "unchanged" and changed:
        action = "code updated"
    return {"action": action, "updated": changed, "outputs": stack.outputs(), "functions": stack.functions()}


def package(name, binaries, cache):
    """The zip of a binary, created again if the binary has changed."""
    binary = pathlib.Path(binaries, name)
    if not binary.is_file():
        raise Problem(f"the binary `{binary}` of the function `{name}` does not exist: build it with `cargo build`")
    status = binary.stat()
    cache = pathlib.Path(cache)
    cache.mkdir(parents=True, exist_ok=True)
    note = cache / f"{name}.json"
    stamp = [status.st_mtime_ns, status.st_size]
    if note.exists():
        known = json.loads(note.read_text())
        if known["stamp"] == stamp and (cache / known["zip"]).exists():
            return Package(cache / known["zip"])
    content = zipped(stripped(binary, cache))
    made = cache / f"{name}-{hashlib.sha256(content).hexdigest()[:32]}.zip"
    for old in cache.glob(f"{name}-{'?' * 32}.zip"):
        old.unlink()
    made.write_bytes(content)
    note.write_text(json.dumps({"stamp": stamp, "zip": made.name}))
    return Package(made)


def stripped(binary, cache):
    """The binary, without symbols if this machine has `strip`."""
    if not shutil.which("strip"):
        return binary.read_bytes()
    copy = cache / f"{binary.name}.{os.getpid()}"
    try:
        subprocess.run(["strip", "-s", "-o", copy, binary], check=True, capture_output=True)
        return copy.read_bytes()
    except subprocess.CalledProcessError:  # a script, not an ELF file
        return binary.read_bytes()
    finally:
        copy.unlink(missing_ok=True)


def zipped(binary):
    """A reproducible zip."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as file:
        entry = zipfile.ZipInfo("bootstrap", date_time=(1980, 1, 1, 0, 0, 0))
        entry.external_attr = 0o755 << 16
        file.writestr(entry, binary)
    return out.getvalue()


def upload(package):
    """Uploads a package unless it exists. Returns whether it was uploaded."""
    s3 = client("s3")
    try:
        s3.head_object(Bucket=BUCKET, Key=package.key)
        return False
    except ClientError:
        s3.create_bucket(Bucket=BUCKET)  # creating an existing bucket of ours is not an error
        s3.put_object(Bucket=BUCKET, Key=package.key, Body=package.path.read_bytes())
        return True


def create_or_update(stack, template, digest, parameters):
    cloudformation, s3 = client("cloudformation"), client("s3")
    description = stack.describe()
    if description and description["StackStatus"] in GONE - {"DELETE_COMPLETE"}:
        say(f"deleting the stack {stack.name}, whose status is {description['StackStatus']}")
        cloudformation.delete_stack(StackName=stack.name)
        wait(stack, {None, "DELETE_COMPLETE"})
        description = None
    exists = description is not None and description["StackStatus"] != "DELETE_COMPLETE"
    deployed_key = f"{stack.name}.deployed"
    if exists and read(deployed_key) == digest:
        return "unchanged"
    key = f"{stack.name}.template.json"
    s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(template.data).encode())
    request = {
        "StackName": stack.name,
        "TemplateURL": f"{os.environ['AWS_ENDPOINT_URL']}/{BUCKET}/{key}",
        "Capabilities": CAPABILITIES,
        "Parameters": [{"ParameterKey": k, "ParameterValue": str(v)} for k, v in parameters.items()],
    }
    began = time.monotonic()
    try:
        (cloudformation.update_stack if exists else cloudformation.create_stack)(**request)
        wait(stack, {"UPDATE_COMPLETE" if exists else "CREATE_COMPLETE"})
    except ClientError as error:
        if "No updates are to be performed" not in str(error):
            raise Problem(f"the emulator rejected template.yaml: {error.response['Error'].get('Message')}") from error
    s3.put_object(Bucket=BUCKET, Key=deployed_key, Body=digest.encode())
    action = "updated" if exists else "created"
    say(f"{action} the stack {stack.name} in {time.monotonic() - began:.1f} s")
    return action


def read(key):
    try:
        return client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read().decode()
    except ClientError as error:
        if error_code(error) in ("NoSuchKey", "NoSuchBucket"):
            return None
        raise


def wait(stack, statuses):
    """Waits until the stack has one of these statuses; another final status is a problem that names the failures."""
    deadline = time.monotonic() + DEPLOY_SECONDS
    while time.monotonic() < deadline:
        description = stack.describe()
        status = description and description["StackStatus"]
        if status in statuses:
            return
        if status is None or not status.endswith("IN_PROGRESS"):
            raise Problem(f"the stack {stack.name} ended with the status {status}:\n{failures(stack)}")
        time.sleep(0.1)
    raise Problem(f"the stack {stack.name} still has the status {status} after {DEPLOY_SECONDS} s")


def failures(stack):
    events = client("cloudformation").describe_stack_events(StackName=stack.name)["StackEvents"]
    failed = [event for event in reversed(events) if event["ResourceStatus"].endswith("FAILED")]
    lines = [f"  {e['LogicalResourceId']} ({e.get('ResourceType')}): {e.get('ResourceStatusReason')}" for e in failed]
    return "\n".join(lines) or "  no resource has a reason: see the emulator's log"


def update_code(stack, packages):
    """Updates each function whose code differs from its package. Returns their crate names."""
    functions, changed = client("lambda"), []
    names = stack.template.functions()
    deployed = stack.of_type("AWS::Lambda::Function")
    # A condition may leave out a function.
    for logical, made in packages.items():
        name = deployed.get(logical)
        if name is None:
            continue
        if functions.get_function_configuration(FunctionName=name)["CodeSha256"] != made.code_sha256:
            functions.update_function_code(FunctionName=name, S3Bucket=BUCKET, S3Key=made.key)
            changed.append(names[logical])
            say(f"updated the code of {names[logical]}")
    return changed
