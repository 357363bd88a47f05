"""Publishes the layer of the render function through S3, since it exceeds the 50 MB that Lambda accepts directly."""

import base64
import contextlib
import hashlib
import pathlib
import secrets
import threading
import zipfile

from botocore.exceptions import ClientError

from commands.cloud import Problem, client, error_code, say

# The stack that SAM creates for `resolve_s3`.
SAM_STACK, SAM_OUTPUT = "aws-sam-cli-managed-default", "SourceBucket"
# Lambda's limit for a function with its layers, and the part that is reserved for the render function itself.
UNPACKED_BYTES, FUNCTION_BYTES = 262_144_000, 30_000_000
NEEDED = ("bin/ffmpeg", "fonts/", "NOTICE.txt", "licences/")
LICENCES = "GPL-3.0-or-later (bin/ffmpeg) and OFL-1.1 (fonts)"
# Number of the newest versions that are compared before another one is published.
COMPARED_VERSIONS = 5


def publish(stack, file, architecture, name, bucket):
    """Publishes a version of the layer. Returns its ARN, the template parameter, and whether it is new."""
    file = pathlib.Path(file)
    check_content(file)
    check_architecture(stack, architecture)
    digest = base64.b64encode(hashlib.sha256(file.read_bytes()).digest()).decode()
    arn = published(name, architecture, digest)
    if arn:
        say(f"this layer is already published: {arn}")
        return {"arn": arn, "parameter": f"RenderLayerArn={arn}", "new": False}
    with upload_bucket(bucket) as chosen, uploaded(file, chosen, f"{name}-{architecture}-{secrets.token_hex(4)}.zip") as key:
        say("publishing the layer")
        response = client("lambda").publish_layer_version(
            LayerName=name,
            Description="ffmpeg and fonts for the render function of Reelhook",
            Content={"S3Bucket": chosen, "S3Key": key},
            CompatibleArchitectures=[architecture],
            CompatibleRuntimes=["provided.al2023"],
            LicenseInfo=LICENCES,
        )
    arn = response["LayerVersionArn"]
    return {"arn": arn, "parameter": f"RenderLayerArn={arn}", "new": True}


def check_content(file):
    """Raises a Problem if the layer cannot work."""
    try:
        with zipfile.ZipFile(file) as packed:
            entries = packed.infolist()
    except zipfile.BadZipFile:
        raise Problem(f"{file} is not a zip: build it with infra/layer.sh") from None
    names = [entry.filename for entry in entries]
    for required in NEEDED:
        if not any(name == required or (required.endswith("/") and name.startswith(required)) for name in names):
            raise Problem(f"{file} has no `{required}`: build it with infra/layer.sh")
    size = sum(entry.file_size for entry in entries)
    if size > UNPACKED_BYTES - FUNCTION_BYTES:
        limit = (UNPACKED_BYTES - FUNCTION_BYTES) // 2**20
        raise Problem(f"{file} must not exceed {limit} MiB unpacked, beside the function (got {size // 2**20} MiB)")


def check_architecture(stack, architecture):
    """Raises a Problem if the stack exists and has another processor architecture than the layer."""
    deployed = stack.parameters().get("Architecture", architecture)
    if deployed != architecture:
        raise Problem(f"the functions of the stack `{stack.name}` are for {deployed}: pass --arch {deployed}")


def published(name, architecture, digest):
    """The ARN of a published version with these bytes; None if none of the newest versions has them."""
    functions = client("lambda")
    try:
        listed = functions.list_layer_versions(LayerName=name, CompatibleArchitecture=architecture, MaxItems=COMPARED_VERSIONS)
        for version in listed.get("LayerVersions", []):
            found = functions.get_layer_version(LayerName=name, VersionNumber=version["Version"])
            if found["Content"].get("CodeSha256") == digest:
                return found["LayerVersionArn"]
    except ClientError as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
    return None


@contextlib.contextmanager
def upload_bucket(bucket):
    """The bucket for the upload: the given one, else SAM's, else a temporary one."""
    s3 = client("s3")
    if bucket:
        check_bucket(bucket)
        yield bucket
    elif found := sams_bucket():
        say(f"uploading to SAM's bucket {found}")
        yield found
    else:
        account, region = client("sts").get_caller_identity()["Account"], s3.meta.region_name
        made = f"reelhook-layer-{account}-{region}-{secrets.token_hex(4)}"
        say(f"SAM has no bucket in this region yet: uploading to the temporary bucket {made}")
        constraint = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=made, **constraint)
        try:
            yield made
        finally:
            s3.delete_bucket(Bucket=made)


def check_bucket(bucket):
    try:
        response = client("s3").head_bucket(Bucket=bucket)
    except ClientError as error:
        reason = {"404": "does not exist", "403": "is not yours, or you may not read it"}.get(error_code(error))
        if reason is None:
            raise
        raise Problem(f"the bucket `{bucket}` {reason}: pass another one with --bucket, or none") from None
    region, own = response.get("BucketRegion"), client("s3").meta.region_name
    if region and region != own:
        raise Problem(f"the bucket `{bucket}` is in {region}, but the layer in {own}: Lambda requires both in one region")


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
    """Uploads the file temporarily, since Lambda copies it; the value is its key in the bucket."""
    s3 = client("s3")
    s3.upload_file(str(file), bucket, key, Callback=Progress(file.stat().st_size))
    # In a versioned bucket, a deletion without the version would keep this version.
    version = s3.head_object(Bucket=bucket, Key=key).get("VersionId")
    try:
        yield key
    finally:
        s3.delete_object(Bucket=bucket, Key=key, **({"VersionId": version} if version else {}))


class Progress:
    """Prints the progress of an upload in steps of 10 %. boto3 calls it from several threads."""

    def __init__(self, size, report=say):
        self.size, self.report = max(size, 1), report
        self.sent, self.reported = 0, 0
        self.lock = threading.Lock()

    def __call__(self, count):
        with self.lock:
            self.sent += count
            tenth = min(10 * self.sent // self.size, 10)
            if tenth > self.reported:
                self.reported = tenth
                self.report(f"uploaded {10 * tenth:3} % of {self.size / 2**20:.0f} MiB")
