"""Publishes the layer of the render function. It goes by S3: Lambda takes 50 MB with the call itself, and this is more."""

import base64
import contextlib
import hashlib
import pathlib
import secrets
import threading
import zipfile

from botocore.exceptions import ClientError

from commands.cloud import Problem, client, error_code, say

# What SAM makes for `resolve_s3`.
SAM_STACK, SAM_OUTPUT = "aws-sam-cli-managed-default", "SourceBucket"
# Lambda's limit for a function and its layers, and what the render function itself may take of it.
UNPACKED_BYTES, FUNCTION_BYTES = 262_144_000, 30_000_000
NEEDED = ("bin/ffmpeg", "fonts/")
LICENCES = "GPL-3.0-or-later (bin/ffmpeg) and OFL-1.1 (fonts)"
# Versions that are compared before another one is published.
LOOKED_AT = 5


def publish(stack, file, architecture, name, bucket):
    """Returns the ARN of the layer's version, as the template's parameter, and whether it is new."""
    file = pathlib.Path(file)
    check(file)
    fits(stack, architecture)
    digest = base64.b64encode(hashlib.sha256(file.read_bytes()).digest()).decode()
    arn = known(name, architecture, digest)
    if arn:
        say(f"this layer is published already: {arn}")
        return {"arn": arn, "parameter": f"RenderLayerArn={arn}", "new": False}
    with place(bucket) as chosen, uploaded(file, chosen, f"{name}-{architecture}-{secrets.token_hex(4)}.zip") as key:
        say("publishing the layer, for which Lambda copies the file")
        made = client("lambda").publish_layer_version(
            LayerName=name,
            Description="ffmpeg and fonts for the render function of Reelhook",
            Content={"S3Bucket": chosen, "S3Key": key},
            CompatibleArchitectures=[architecture],
            CompatibleRuntimes=["provided.al2023"],
            LicenseInfo=LICENCES,
        )
    arn = made["LayerVersionArn"]
    return {"arn": arn, "parameter": f"RenderLayerArn={arn}", "new": True}


def check(file):
    """Refuses a layer that cannot work, before the first video would fail."""
    try:
        with zipfile.ZipFile(file) as packed:
            entries = packed.infolist()
    except zipfile.BadZipFile:
        raise Problem(f"{file} is no zip: build it with infra/layer.sh") from None
    names = [entry.filename for entry in entries]
    for wanted in NEEDED:
        if not any(name == wanted or (wanted.endswith("/") and name.startswith(wanted)) for name in names):
            raise Problem(f"{file} has no `{wanted}`: build it with infra/layer.sh")
    size = sum(entry.file_size for entry in entries)
    if size > UNPACKED_BYTES - FUNCTION_BYTES:
        limit = (UNPACKED_BYTES - FUNCTION_BYTES) // 2**20
        raise Problem(f"{file} has {size // 2**20} MiB unpacked; beside the function {limit} MiB are left for it")


def fits(stack, architecture):
    """The layer's ffmpeg has to run on the processor of the stack, where there is one already."""
    deployed = stack.parameters().get("Architecture", architecture)
    if deployed != architecture:
        raise Problem(f"the functions of the stack `{stack.name}` are {deployed}: pass --arch {deployed}")


def known(name, architecture, digest):
    """The ARN of a version with these bytes; None if there is none among the newest."""
    functions = client("lambda")
    try:
        listed = functions.list_layer_versions(LayerName=name, CompatibleArchitecture=architecture, MaxItems=LOOKED_AT)
        for version in listed.get("LayerVersions", []):
            found = functions.get_layer_version(LayerName=name, VersionNumber=version["Version"])
            if found["Content"].get("CodeSha256") == digest:
                return found["LayerVersionArn"]
    except ClientError as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
    return None


@contextlib.contextmanager
def place(bucket):
    """A bucket that the file goes through: the one that is named, else SAM's, else one that is removed afterwards."""
    s3 = client("s3")
    if bucket:
        there(bucket)
        yield bucket
    elif found := sams_bucket():
        say(f"the file goes through SAM's bucket, {found}")
        yield found
    else:
        account, region = client("sts").get_caller_identity()["Account"], s3.meta.region_name
        made = f"reelhook-layer-{account}-{region}-{secrets.token_hex(4)}"
        say(f"SAM has no bucket here yet: the file goes through {made}, which is removed afterwards")
        constraint = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=made, **constraint)
        try:
            yield made
        finally:
            s3.delete_bucket(Bucket=made)


def there(bucket):
    try:
        answer = client("s3").head_bucket(Bucket=bucket)
    except ClientError as error:
        why = {"404": "does not exist", "403": "is not yours, or you may not read it"}.get(error_code(error))
        if why is None:
            raise
        raise Problem(f"the bucket `{bucket}` {why}: name another with --bucket, or none") from None
    region, own = answer.get("BucketRegion"), client("s3").meta.region_name
    if region and region != own:
        raise Problem(f"the bucket `{bucket}` is in {region}, and the layer goes to {own}: Lambda wants both in one region")


def sams_bucket():
    try:
        found = client("cloudformation").describe_stacks(StackName=SAM_STACK)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    outputs = {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}
    return outputs.get(SAM_OUTPUT)


@contextlib.contextmanager
def uploaded(file, bucket, key):
    """The file's key in the bucket; the object is removed afterwards, since a layer keeps a copy of its own."""
    s3 = client("s3")
    s3.upload_file(str(file), bucket, key, Callback=Progress(file.stat().st_size))
    # Where old versions are kept, deleting without the version's name would keep this one.
    version = s3.head_object(Bucket=bucket, Key=key).get("VersionId")
    try:
        yield key
    finally:
        s3.delete_object(Bucket=bucket, Key=key, **({"VersionId": version} if version else {}))


class Progress:
    """Prints the progress of an upload, in steps of 10 %. boto3 calls it from several threads."""

    def __init__(self, size, tell=say):
        self.size, self.tell = max(size, 1), tell
        self.sent, self.reported = 0, 0
        self.lock = threading.Lock()

    def __call__(self, count):
        with self.lock:
            self.sent += count
            tenth = min(10 * self.sent // self.size, 10)
            if tenth > self.reported:
                self.reported = tenth
                self.tell(f"uploaded {10 * tenth:3} % of {self.size / 2**20:.0f} MiB")
