"""Backups of a stack in memory: what they have, and how they get into a new stack."""

import contextlib
import json
import pathlib
import tempfile
import unittest
from unittest import mock

import fake_aws
import policies
from commands import backup, tables
from commands.cloud import Problem
from commands.template import Template

TEMPLATE = Template.load(pathlib.Path(__file__).resolve().parents[2] / "template.yaml")


@contextlib.contextmanager
def on(aws):
    patched = [mock.patch.object(module, "client", aws) for module in (backup, tables)]
    with contextlib.ExitStack() as stack:
        for one in [*patched, mock.patch.object(backup, "say")]:
            stack.enter_context(one)
        yield


def stack(filled=True, **more):
    aws = fake_aws.Aws(TEMPLATE, **more)
    if filled:
        for number in range(60):
            aws.put("Deliveries", pk=f"delivery#{number}", sk="delivery", body=bytes([number, 255]), due_at=number)
        aws.put("Jobs", id="job_1", version=3, body=b"\x01", outbox="[]")
        aws.put("Credits", pk="owner:ann", sk="balance", balance=7)
        aws.put("Connections", pk="old", sk="-")
        aws.settings = {"API_KEYS", "ENDPOINT_SECRETS_KEY"}
        aws.s3_put("videos/a.mp4", b"video")
        aws.s3_put("videos/a.mp4/odd", b"below a file")
    return aws


class Backup(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = pathlib.Path(temporary.name) / "backup"

    def take(self, aws, **more):
        with on(aws):
            return backup.backup(aws, self.directory, **more)

    def restore(self, aws):
        with on(aws):
            return backup.restore(aws, self.directory)

    def test_a_new_stack_has_what_the_other_had(self):
        old, new = stack(), stack(filled=False)
        new.settings = set(old.settings)
        done = self.take(old)
        self.assertEqual((done["tables"]["Deliveries"]["items"], done["objects"]), (60, {"count": 2, "bytes": 17}))
        self.assertEqual(done["settings"], ["API_KEYS", "ENDPOINT_SECRETS_KEY"])
        self.restore(new)
        # Connections are those of the old API.
        self.assertEqual(new.tables, {**old.tables, "Connections": {}})
        self.assertEqual({key: of[0]["body"] for key, of in new.objects.items()},
                         {key: of[0]["body"] for key, of in old.objects.items()})
        self.assertEqual(new.rules, {"Sweep": True})

    def test_a_backup_is_for_its_user_alone_and_has_no_secret(self):
        self.take(stack())
        for path in self.directory.rglob("*"):
            self.assertFalse(path.stat().st_mode & 0o077 and path.is_file(), path)
        self.assertEqual(self.directory.stat().st_mode & 0o777, 0o700)
        about = json.loads((self.directory / "backup.json").read_text())
        self.assertEqual(about["settings"], ["API_KEYS", "ENDPOINT_SECRETS_KEY"])

    def test_a_restore_that_is_stopped_goes_on_where_it_was(self):
        self.take(stack())
        new, batches = stack(filled=False), []

        def stop():
            batches.append(1)
            if len(batches) == 3:
                raise KeyboardInterrupt

        new.before_write = stop
        with self.assertRaises(KeyboardInterrupt):
            self.restore(new)
        self.assertEqual(new.rules, {"Sweep": False}, "nothing acts on half of the rows")
        self.assertLess(len(new.tables["Deliveries"]), 60)
        new.before_write = lambda: None
        self.restore(new)
        self.assertEqual((len(new.tables["Deliveries"]), len(new.tables["Jobs"]), new.rules), (60, 1, {"Sweep": True}))
        self.assertEqual(new.tables["Counters"], {})

    def test_a_job_that_went_on_meanwhile_is_not_set_back(self):
        self.take(stack())
        new = stack(filled=False)
        about = json.loads((self.directory / "backup.json").read_text())
        new.put("Counters", **{"pk": "restore", "sk": "-", "backup": about["id"], "restored": "[]"})
        new.put("Jobs", id="job_1", version=4)
        self.restore(new)
        self.assertEqual(new.tables["Jobs"][("job_1",)]["version"], {"N": "4"})

    def test_a_stack_with_data_is_refused(self):
        self.take(stack())
        with self.assertRaisesRegex(Problem, "the stack has data in Credits, Deliveries, Jobs"):
            self.restore(stack())

    def test_an_unfinished_or_changed_backup_is_refused(self):
        self.take(stack())
        (self.directory / "tables" / "Jobs.jsonl.gz").write_bytes((self.directory / "tables" / "Credits.jsonl.gz").read_bytes())
        with self.assertRaisesRegex(Problem, "Jobs.jsonl.gz is not as it was written"):
            self.restore(stack(filled=False))
        (self.directory / "backup.json").unlink()
        with self.assertRaisesRegex(Problem, "one that was not finished"):
            self.restore(stack(filled=False))

    def test_a_time_reads_temporary_tables_and_the_versions_of_then(self):
        aws = stack(versions=True)
        aws.s3_put("videos/replaced.mp4", b"first", at=10)
        aws.s3_put("videos/replaced.mp4", b"second", at=30)
        aws.s3_put("videos/deleted.mp4", b"there", at=10)
        aws.s3_put("videos/deleted.mp4", None, at=30)
        aws.s3_put("videos/gone.mp4", b"x", at=5)
        aws.s3_put("videos/gone.mp4", None, at=10)
        aws.s3_put("videos/later.mp4", b"new", at=30)
        known = set(aws.tables)
        self.take(aws, at=fake_aws.when(20))
        found = [json.loads(line) for line in backup.lines(self.directory / "objects.jsonl.gz")]
        bodies = {one["key"]: (self.directory / "objects" / backup.file_name(one["key"])).read_bytes() for one in found}
        old = {"videos/a.mp4": b"video", "videos/a.mp4/odd": b"below a file"}
        self.assertEqual(bodies, {**old, "videos/replaced.mp4": b"first", "videos/deleted.mp4": b"there"})
        self.assertEqual(set(aws.tables), known, "the temporary tables are deleted")
        self.assertEqual(json.loads((self.directory / "backup.json").read_text())["tables"]["Deliveries"]["items"], 60)

    def test_an_object_that_is_deleted_meanwhile_ends_no_backup(self):
        for at, versions in ((None, False), (fake_aws.when(20), True)):
            aws = stack(versions=versions)
            aws.before_get = lambda key: key == "videos/a.mp4" and aws.objects.pop(key, None)
            done = self.take(aws, at=at)
            self.assertEqual(done["objects"], {"count": 1, "bytes": len(b"below a file")})
            self.directory = self.directory.with_name("timed")

    def test_the_documented_permissions_are_those_that_are_used(self):
        old, new = stack(), stack(filled=False)
        self.take(old)
        self.restore(new)
        self.assertEqual(policies.of_calls(old.calls), policies.documented("a backup"))
        self.assertEqual(policies.of_calls(new.calls), policies.documented("a restore"))
        timed = stack()
        self.directory = self.directory.with_name("timed")
        self.take(timed, at=fake_aws.when(20))
        self.assertEqual(policies.of_calls(timed.calls), policies.documented("a backup of a time"))


if __name__ == "__main__":
    unittest.main()
