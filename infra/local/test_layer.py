"""How `cargo xtask layer` checks and publishes a zip, with a fake AWS, and the notice that the zip contains."""

import json
import pathlib
import tempfile
import types
import unittest
import zipfile
from unittest import mock

import imageio_ffmpeg
from botocore.exceptions import ClientError

import layer_notice
from commands import layer
from commands.cloud import Problem

CONTENT = ("bin/ffmpeg", "fonts/a.ttf", "NOTICE.txt", "licences/GPL-3.0.txt")
FONTS = [name.partition("/")[2] for name in json.loads(layer_notice.FONT_LIST.read_text(encoding="utf-8"))["dependencies"]]
CONFIGURATION = "--enable-gpl --enable-version3 --disable-debug --enable-libx264"


def refused(code, message=""):
    return ClientError({"Error": {"Code": code, "Message": message}}, "AnyCall")


class Aws:
    """A fake of CloudFormation, S3, STS and Lambda that records the calls."""

    def __init__(self, region="eu-west-1", sams=None, published=()):
        self.meta = types.SimpleNamespace(region_name=region)
        self.sams, self.published, self.calls = sams, list(published), []

    def __call__(self, _service):
        return self

    def describe_stacks(self, StackName):
        if self.sams is None:
            raise refused("ValidationError", f"Stack with id {StackName} does not exist")
        return {"Stacks": [{"Outputs": [{"OutputKey": "SourceBucket", "OutputValue": self.sams}]}]}

    def get_caller_identity(self):
        return {"Account": "123456789012"}

    def create_bucket(self, **given):
        self.calls.append(("create", given))

    def delete_bucket(self, Bucket):
        self.calls.append(("remove", Bucket))

    def head_bucket(self, Bucket):
        if Bucket == "missing":
            raise refused("404")
        if Bucket == "foreign":
            raise refused("403")
        return {"BucketRegion": "us-east-1" if Bucket == "elsewhere" else self.meta.region_name}

    def upload_file(self, file, bucket, key, Callback):
        self.calls.append(("upload", bucket))
        Callback(pathlib.Path(file).stat().st_size)

    def head_object(self, Bucket, Key):
        return {"VersionId": "v1"} if Bucket == self.sams else {}

    def delete_object(self, Bucket, Key, VersionId=None):
        self.calls.append(("delete", Bucket, VersionId))

    def list_layer_versions(self, **given):
        return {"LayerVersions": [{"Version": number + 1} for number in range(len(self.published))]}

    def get_layer_version(self, LayerName, VersionNumber):
        return {"LayerVersionArn": f"arn:{VersionNumber}", "Content": {"CodeSha256": self.published[VersionNumber - 1]}}

    def publish_layer_version(self, **given):
        self.calls.append(("publish", given["Content"]["S3Bucket"], given["CompatibleArchitectures"]))
        return {"LayerVersionArn": "arn:new"}


class Layers(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.zip = pathlib.Path(directory.name, "layer.zip")
        self.pack(*CONTENT)
        self.stack = types.SimpleNamespace(name="reelhook", parameters=dict)

    def pack(self, *names):
        with zipfile.ZipFile(self.zip, "w") as packed:
            for name in names:
                packed.writestr(name, "x" * 100)

    def publish(self, aws, bucket=None, architecture="arm64"):
        with mock.patch.object(layer, "client", aws), mock.patch.object(layer, "say"):
            return layer.publish(self.stack, self.zip, architecture, "reelhook-render", bucket)

    def test_the_upload_uses_sams_bucket_and_is_removed(self):
        aws = Aws(sams="sams")
        self.assertEqual(self.publish(aws)["parameter"], "RenderLayerArn=arn:new")
        kinds = [("upload", "sams"), ("publish", "sams", ["arm64"]), ("delete", "sams", "v1")]
        self.assertEqual(aws.calls, kinds)

    def test_without_sams_bucket_the_upload_uses_a_temporary_one(self):
        for region, constraint in (("eu-west-1", True), ("us-east-1", False)):
            aws = Aws(region)
            self.publish(aws)
            made = aws.calls[0][1]
            self.assertEqual("CreateBucketConfiguration" in made, constraint)
            self.assertLessEqual(len(made["Bucket"]), 63)
            self.assertEqual([call[0] for call in aws.calls], ["create", "upload", "publish", "delete", "remove"])

    def test_the_bucket_is_removed_when_publishing_fails(self):
        aws = Aws()
        aws.publish_layer_version = mock.Mock(side_effect=refused("AccessDeniedException"))
        with self.assertRaises(ClientError):
            self.publish(aws)
        self.assertEqual([call[0] for call in aws.calls], ["create", "upload", "delete", "remove"])

    def test_a_given_bucket_must_exist_in_the_same_region(self):
        for bucket, reason in (("missing", "does not exist"), ("foreign", "not yours"), ("elsewhere", "one region")):
            with self.assertRaisesRegex(Problem, reason):
                self.publish(Aws(), bucket)
        aws = Aws()
        self.publish(aws, "mine")
        self.assertEqual(aws.calls[0], ("upload", "mine"))

    def test_the_same_bytes_are_published_once(self):
        digest = layer.base64.b64encode(layer.hashlib.sha256(self.zip.read_bytes()).digest()).decode()
        aws = Aws(published=["other", digest])
        self.assertEqual(self.publish(aws), {"arn": "arn:2", "parameter": "RenderLayerArn=arn:2", "new": False})
        self.assertEqual(aws.calls, [])

    def test_a_layer_for_another_architecture_than_the_stacks_is_refused(self):
        self.stack.parameters = lambda: {"Architecture": "arm64"}
        with self.assertRaisesRegex(Problem, "pass --arch arm64"):
            self.publish(Aws(), architecture="x86_64")

    def test_an_incomplete_or_large_zip_is_refused(self):
        for missing in CONTENT:
            self.pack(*(name if name != missing else f"opt/{name}" for name in CONTENT))
            required = missing if missing in layer.NEEDED else missing.partition("/")[0] + "/"
            with self.assertRaisesRegex(Problem, f"has no `{required}`"):
                layer.check_content(self.zip)
        self.zip.write_text("not a zip", encoding="utf-8")
        with self.assertRaisesRegex(Problem, "is not a zip"):
            layer.check_content(self.zip)
        self.pack(*CONTENT)
        with mock.patch.object(layer, "FUNCTION_BYTES", layer.UNPACKED_BYTES), self.assertRaisesRegex(Problem, "unpacked"):
            layer.check_content(self.zip)

    def test_the_progress_of_an_upload_is_reported_in_tenths(self):
        reported = []
        progress = layer.Progress(1000, reported.append)
        for count in (50, 40, 10, 400, 500):
            progress(count)
        self.assertEqual([line.split("%")[0].split()[-1] for line in reported], ["10", "50", "100"])


class Notices(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.layer = pathlib.Path(directory.name)
        (self.layer / "bin").mkdir()
        (self.layer / "fonts/licences").mkdir(parents=True)
        self.binary()
        for name in FONTS:
            text = f"Copyright 2020 The Authors of {name}\n\nunder the {layer_notice.FONT_LICENCE}.\n"
            self.font(name, text)

    def binary(self, configuration=CONFIGURATION, version="7.0.2-static https://johnvansickle.com/ffmpeg/ "):
        content = b"\x7fELF\0%s\0\x01--\0%s\0" % (version.encode(), configuration.encode())
        (self.layer / "bin/ffmpeg").write_bytes(content)

    def font(self, name, text):
        (self.layer / f"fonts/licences/{name}.txt").write_text(text, encoding="utf-8")

    def test_the_notice_names_versions_licences_and_sources(self):
        layer_notice.main(self.layer, "imageio-ffmpeg==0.6.0")
        text = (self.layer / "NOTICE.txt").read_text(encoding="utf-8")
        for part in (
            "FFmpeg 7.0.2,",
            "imageio-ffmpeg 0.6.0.",
            "https://ffmpeg.org/releases/ffmpeg-7.0.2.tar.xz",
            f"Configuration: {CONFIGURATION}\n",
            "x264  GPL-2.0-or-later  https://",
            "Copyright 2020 The Authors of inter",
        ):
            self.assertIn(part, text)
        licence = (self.layer / "licences/GPL-3.0.txt").read_text(encoding="utf-8")
        self.assertIn("Version 3, 29 June 2007", licence)
        self.assertIn("6. Conveying Non-Source Forms", licence)

    def test_the_pinned_ffmpeg_is_described(self):
        folder = pathlib.Path(imageio_ffmpeg.__file__).parent / "binaries"
        version, configuration = layer_notice.of_ffmpeg(next(folder.glob("ffmpeg-*")).read_bytes())
        self.assertRegex(version, r"^\d+\.\d+")
        self.assertIn("libx264", configuration)
        self.assertGreater(len(layer_notice.libraries(configuration)), 20)

    def test_what_the_notice_does_not_cover_is_refused(self):
        cases = [
            (lambda: self.binary(version="7.0.2"), "is not a static build by John Van Sickle"),
            (lambda: self.binary(configuration=""), "is not a static build by John Van Sickle"),
            (lambda: self.binary(f"{CONFIGURATION} --enable-nonfree"), "is not the GPL, version 3"),
            (lambda: self.binary("--enable-gpl --enable-libx264"), "is not the GPL, version 3"),
            (lambda: self.binary(f"{CONFIGURATION} --enable-libnew"), "name the licences of libnew"),
            (lambda: self.font("inter", "Copyright\nunder another licence"), "of the font inter is not"),
            (lambda: (self.layer / "fonts/licences/inter.txt").unlink(), "have a licence text"),
        ]
        for change, reason in cases:
            self.setUp()
            change()
            with self.assertRaisesRegex(layer_notice.Problem, reason):
                layer_notice.notice(self.layer, "imageio-ffmpeg==0.6.0")


if __name__ == "__main__":
    unittest.main()
