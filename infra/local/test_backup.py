"""Backups of a stack in memory: what they have, and how they get into a new stack."""

import ast
import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import textwrap
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


# `aws`, on tables in a file; it notes what was called.
AWS = """
import ast, json, pathlib, sys

sys.path.insert(0, LOCAL)
import aws, fake_aws
from botocore.exceptions import ClientError
from commands import tables

file = pathlib.Path(FILE)
fake, (fake.tables, keys, calls) = (one := fake_aws.Aws(None)), ast.literal_eval(file.read_text())
fake_aws.KEYS.update(keys)
given, common = aws.arguments(sys.argv[1:])
model, method = aws.operation(sys.argv[1:])
calls.append((sys.argv[1], method))
if "Item" in given:
    given["Item"] = tables.decoded(given["Item"])
code, result = 0, {}
try:
    if method == "describe_stack_resource":
        result = {"StackResourceDetail": {"PhysicalResourceId": given["LogicalResourceId"]}}
    elif method == "scan":
        result = {"Items": [item for page in fake.dynamodb_pages_scan(given["TableName"]) for item in page["Items"]]}
    else:
        result = getattr(fake, f"dynamodb_{method}")(**given) or {}
except ClientError as error:
    print(error, file=sys.stderr)
    code = 254
file.write_text(repr((fake.tables, fake_aws.KEYS, calls)))
print(aws.shown(json.loads(json.dumps(result, default=tables.encoded)), common))
sys.exit(code)
"""


class Rows(unittest.TestCase):
    """The commands of docs/backup.md that copy rows of one table back."""

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        document = (policies.DOCUMENTS / "backup.md").read_text(encoding="utf-8")
        section = re.search(r"^## Copy rows of one table back$(.*?)^## ", document, re.MULTILINE | re.DOTALL)[1]
        blocks = re.findall(r"^   ```sh$(.*?)^   ```$", section, re.MULTILINE | re.DOTALL)
        self.blocks = [textwrap.dedent(block) for block in blocks]

    def run_blocks(self, rows, lose, **variables):
        """The tables after the commands, and what was called; `lose` changes the tables once the copy is there."""
        file = self.folder / "state"
        file.write_text(repr((rows, fake_aws.KEYS, [])))
        program = self.folder / "aws.py"
        program.write_text(f"LOCAL = {str(pathlib.Path(__file__).parent)!r}\nFILE = {str(file)!r}\n{AWS}")
        said = ""
        for number, block in enumerate(self.blocks):
            # Each block ends with what the next ones need.
            script = f'{self.known if number else ""}\naws() {{ "{sys.executable}" "{program}" "$@"; }}\nset -u\n{block}\ndeclare -p STACK TABLE COPY OWN NAME > known 2> /dev/null\n'
            ended = subprocess.run(
                ["bash", "-c", script], env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **variables}, cwd=self.folder, capture_output=True, text=True, timeout=60
            )
            self.assertNotIn("unbound variable", ended.stderr)
            self.assertNotIn("Traceback", ended.stderr)
            self.known = (self.folder / "known").read_text()
            said += ended.stdout + ended.stderr
            if number == 0:
                found, keys, calls = ast.literal_eval(file.read_text())
                lose(found)
                file.write_text(repr((found, keys, calls)))
        found, _, calls = ast.literal_eval(file.read_text())
        return found, calls, said

    def test_rows_that_are_missing_come_back_and_others_stay(self):
        aws = stack()
        aws.put("Jobs", id="job_2", version=5, body=b"\x02\xff")
        aws.put("Jobs", id="other_3", version=5, body=b"\x03")

        def lose(found):
            del found["Jobs"][("job_2",)], found["Jobs"][("other_3",)]
            # It went on since.
            found["Jobs"][("job_1",)]["version"] = {"N": "9"}

        found, calls, said = self.run_blocks(aws.tables, lose, TABLE="Jobs", AT="2026-01-31T12:00:00Z", BEGINNING="job_")
        self.assertEqual(found["Jobs"][("job_2",)], {"id": {"S": "job_2"}, "version": {"N": "5"}, "body": {"B": b"\x02\xff"}})
        self.assertEqual(found["Jobs"][("job_1",)]["version"], {"N": "9"})
        self.assertNotIn(("other_3",), found["Jobs"], "it was not chosen")
        self.assertEqual(set(found), set(aws.tables), "the copy is removed")
        self.assertEqual(said.count("ConditionalCheckFailed"), 1, said)
        self.assertEqual(said.count("this row was not put"), 1, said)
        self.assertEqual([path.name for path in self.folder.glob("row*")], [])
        self.assertEqual(policies.of_calls(set(map(tuple, calls))), policies.documented("rows of one table"))

    def test_rows_of_a_table_with_sort_keys_come_back(self):
        aws = stack()

        def lose(found):
            del found["Deliveries"][("delivery#7", "delivery")]

        found, _, said = self.run_blocks(aws.tables, lose, TABLE="Deliveries", AT="2026-01-31T12:00:00Z", BEGINNING="delivery#7")
        self.assertEqual(found["Deliveries"], aws.tables["Deliveries"])
        self.assertNotIn("this row was not put", said)


if __name__ == "__main__":
    unittest.main()
