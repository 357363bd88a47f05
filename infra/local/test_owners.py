"""The export and the deletion of an owner, on a stack in memory."""

import json
import pathlib
import tempfile
import time
import unittest
import zipfile
from unittest import mock

import fake_aws
import policies
from commands import items, owner_delete, owner_export, owners, tables
from commands.cloud import Problem
from commands.template import Template

TEMPLATE = Template.load(pathlib.Path(__file__).resolve().parents[2] / "template.yaml")
# 2024-01-01T12:00:00Z
NOON = 1_704_110_400_000
UUID = "5b1c7f3e-0000-4000-8000-000000000001"
CLIPS = f"clip_{UUID}"
DELIVERY = "0a1b2c3d-0000-4000-8000-000000000002"
OLDER = "0a1b2c3d-0000-4000-8000-000000000003"
ENDPOINT = "ep_1"


def packed(form):
    return items.packed(1, json.dumps({"b": form}))


def job(aws, job_id, owner, status="completed", **more):
    body = {"id": job_id, "status": status, "created_at": NOON, "updated_at": NOON, "caller": f"by-{owner}", **more}
    if owner:
        body["owner"] = owner
    keys = {"owner": owner, "created_at": NOON} if owner and "deleted_at" not in more else {}
    ended = {} if status == "processing" else {"expires_at": 9}
    return aws.put("Jobs", id=job_id, version=5, body=packed(body), **keys, **ended)


def rows_of(aws, subject, delivery, event="7.0"):
    digits = delivery.replace("-", "")
    aws.put("JobEvents", job_id=subject, seq="1", line='{"message":"m"}')
    aws.put("Deliveries", pk=f"events#{subject}", sk=event, body=packed({"id": f"{subject}.{event}"}), place=f"1.{digits}")
    form = {"id": delivery, "event_id": f"{subject}.{event}", "endpoint_id": ENDPOINT, "status": "delivered"}
    aws.put("Deliveries", pk=f"delivery#{delivery}", sk="delivery", body=packed(form))
    aws.put("Deliveries", pk=f"delivery#{delivery}", sk="attempt#000001", body='{"number":1}')


def filled(versions=False):
    """A stack in which two owners have one of everything."""
    aws = fake_aws.Aws(TEMPLATE, versions)
    for owner, n in (("ann", 1), ("bob", 2)):
        mine = f"job_{owner}"
        job(aws, mine, owner)
        rows_of(aws, mine, f"{n}a1b2c3d-0000-4000-8000-000000000002")
        aws.put("Deliveries", pk="due#3", sk=f"0000000000001.{mine}.7.0#0a1b2c3d", named=f"{n}a1b2c3d000040008000000000000002")
        # What version 0.2 stored, and an event about a delivery.
        older = f"{n}a1b2c3d-0000-4000-8000-000000000003"
        form = json.dumps({"id": older, "event_id": f"{mine}.3.0", "endpoint_id": ENDPOINT})
        aws.put("Deliveries", pk=f"delivery#{older}", sk="delivery", body=form, job_id=mine, place=f"1.{older}")
        aws.put("Deliveries", pk=f"event#{mine}.3.0", sk="event", body="{}")
        about = f"delivery_{n}.x.1.0"
        aws.put("Deliveries", pk=f"events#{mine}", sk=about, place="1.")
        aws.put("Deliveries", pk=f"events#delivery_{n}.x", sk="1.0", body=packed({"id": about}))
        times = {"created": NOON, "updated": NOON, "served": NOON}
        pieces = {"moved_at": 1, "hint_at": 2, "shown_at": 3, "list": []}
        project = {"id": f"proj_{owner}", "origin": {"owner": owner}, "times": times, "phase": "completed", "pieces": pieces,
                   "spec": {"name": f"A film of {owner}"}}
        aws.put("Projects", id=f"proj_{owner}", version=2, body=packed(project), owner=owner, created_at=NOON, expires_at=9)
        rows_of(aws, f"proj_{owner}", f"{n}b1b2c3d-0000-4000-8000-000000000002")
        clips = CLIPS[:-1] + str(n)
        uploaded = f"uploads/{n}.mp4"
        other = CLIPS[:-1] + str(3 - n)
        made = [{"file": {"key": f"clips/worker/{n}.mp4"}}, {"file": {"key": f"clips/{other}/0.mp4"}}]
        form = {"id": clips, "origin": {"owner": owner}, "times": {"created": NOON, "updated": NOON}, "status": "succeeded",
                "request": {"source": {"upload": uploaded}, "metadata": {"key": "clips/somebody/else.mp4"}}, "clips": made}
        aws.put("Clips", id=clips, version=2, body=packed(form), owner=owner, created_at=NOON, expires_at=9)
        job(aws, f"job_deleted_{owner}", owner, deleted_at=NOON)
        error = {"about": f"proj_{owner}/scene_1", "context": {}}
        aws.put("Errors", group=f"hash-{owner}", id="err", body=json.dumps(error))
        aws.put("Errors", group=f"hash-clips-{owner}", body=json.dumps({"about": "service", "context": {"job_id": clips[5:]}}))
        aws.put("Errors", group=f"seen#proj_{owner}.2.1", caused="error.raised")
        aws.put("Credits", pk=f"owner:{owner}", sk="balance", balance=5, version=1)
        entry = {"id": f"{clips}.1", "kind": "usage", "amount": -5, "balance_after": 5, "description": f"For {owner}",
                 "job": clips[5:], "at": NOON}
        aws.put("Credits", pk=f"owner:{owner}", sk="entry#00000000000000000001", body=json.dumps(entry))
        aws.put("Credits", pk=f"owner:{owner}", sk=f"id#{clips}.1", entry="entry#1")
        for pk, more in ((f"clip-request#owner:{owner}#abc", {}), (f"clip-submission#w{n}", {"job": clips}),
                         (f"task#video#t{n}", {"project": f"proj_{owner}"}), (f"key#by-{owner}#k", {}),
                         (f"counted#{mine}.7.1", {}), (f"rate#job#{mine}", {}), (f"made#owner:{owner}", {})):
            aws.put("Counters", pk=pk, sk="-", **more)
        aws.put("Connections", pk=f"c{n}", sk="-", owner=owner)
        aws.put("Connections", pk=f"o{n}", sk=f"sub#{mine}", subject=mine)
        aws.put("Connections", pk=f"pool#owner:{owner}", sk="-")
        for key in (f"films/{mine}/film.json", f"details/{mine}/1.json", f"projects/proj_{owner}/v.mp4", f"clips/{clips}/0.mp4",
                    f"clips/worker/{n}.mp4", f"videos/2024-01-01/reels/{mine}.mp4", f"uploads/{n}.png", uploaded,
                    f"projects/proj_{owner}2/v.mp4"):
            body = f'{{"image":"uploads/{n}.png"}}' if key.endswith("film.json") else owner
            aws.s3_put(key, body.encode())
    aws.put("Endpoints", id=f"registration#{ENDPOINT}", body=json.dumps(
        {"id": ENDPOINT, "sealed": "s3cr3t", "choices": {"events": ["job.*"], "description": "the operator's"}}))
    job(aws, "job_operator", None)
    aws.put("Counters", pk="admission", sk="-")
    aws.put("Counters", pk="scene#s", sk="-", project="proj_ann", several={"BOOL": True})
    aws.s3_put("clips/somebody/else.mp4", b"else")
    return aws


class Of(unittest.TestCase):
    def setUp(self):
        for module in (owners, tables, owner_export, owner_delete):
            if hasattr(module, "client"):
                patched = mock.patch.object(module, "client", lambda service: self.aws(service))
                patched.start()
                self.addCleanup(patched.stop)
        for module in (owners, owner_export, owner_delete):
            patched = mock.patch.object(module, "say")
            patched.start()
            self.addCleanup(patched.stop)
        self.aws = filled()


class Export(Of):
    def export(self, owner, **more):
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / "owner.zip"
            counts = owner_export.export(self.aws, owner, path, **more)
            self.assertEqual([one.name for one in path.parent.iterdir()], ["owner.zip"])
            self.assertEqual(path.stat().st_mode & 0o777, 0o600)
            with zipfile.ZipFile(path) as archive:
                return counts, {name: archive.read(name).decode() for name in archive.namelist()}

    def test_everything_of_the_owner_is_in_it_and_nothing_of_another(self):
        counts, files = self.export("ann")
        self.assertEqual(counts, {"jobs": 2, "projects": 1, "clips": 1, "logs": 2, "events": 4, "deliveries": 3, "attempts": 2,
                                  "endpoints": 1, "errors": 2, "credits": 2, "files": 8})
        self.assertEqual(json.loads(files["about.json"])["lines"], counts)
        whole = "".join(files.values())
        self.assertIn("A film of ann", whole)
        jobs = [json.loads(line)["id"] for line in files["jobs.jsonl"].splitlines()]
        self.assertEqual(jobs, ["job_ann", "job_deleted_ann"], "what was deleted is stored until it expires")
        for theirs in ("bob", "job_operator", "s3cr3t", "the operator's"):
            self.assertNotIn(theirs, whole)
        found = [json.loads(line) for line in files["files.jsonl"].splitlines()]
        self.assertIn({"of": "proj_ann", "key": "projects/proj_ann/v.mp4", "bytes": 3,
                       "link": "https://s3.example/projects/proj_ann/v.mp4"}, found)
        self.assertNotIn("clips/somebody/else.mp4", [one["key"] for one in found])

    def test_the_files_themselves_may_be_in_it(self):
        _, files = self.export("ann", with_files=True)
        self.assertEqual(files["files/clips/worker/1.mp4"], "ann")
        self.assertNotIn("link", json.loads(files["files.jsonl"].splitlines()[0]))

    def test_a_file_that_is_deleted_meanwhile_ends_no_export(self):
        self.aws.before_get = lambda key: key == "clips/worker/1.mp4" and self.aws.objects.pop(key, None)
        counts, files = self.export("ann", with_files=True)
        self.assertEqual(counts["files"], 8)
        self.assertNotIn("files/clips/worker/1.mp4", files)

    def test_an_unknown_owner_has_nothing_and_an_impossible_one_is_refused(self):
        counts, _ = self.export("nobody")
        self.assertEqual(set(counts.values()), {0})
        for owner in ("", "operator", "a\n", "x" * 129):
            with self.assertRaisesRegex(Problem, "an owner's id must have"):
                self.export(owner)

    def test_the_documented_permissions_are_those_that_are_used(self):
        self.aws.calls.clear()
        self.export("ann", with_files=True)
        self.assertEqual(policies.of_calls(self.aws.calls), policies.documented("an export of an owner"))


class Delete(Of):
    def delete(self, owner="ann", confirmed="ann", quiet_s=60):
        return owner_delete.delete(self.aws, owner, confirmed, quiet_s)

    def test_without_a_confirmation_it_only_counts(self):
        before = {name: dict(rows) for name, rows in self.aws.tables.items()}
        done = self.delete(confirmed=None)
        self.assertEqual(done, {"deleted": False, "under_way": [], "counts": {
            "jobs": 1, "projects": 1, "clips": 1, "deleted_before": 1, "log_rows": 2, "events": 4, "deliveries": 3,
            "deliveries_pending": 0, "errors": 2, "objects": 8, "bytes": 46, "ledger_entries": 1, "reservations": 0,
            "lookups": 7, "connections": 3}})
        self.assertEqual(self.aws.tables, before)
        with self.assertRaisesRegex(Problem, "letter by letter"):
            self.delete(confirmed="Ann")
        self.assertEqual(self.aws.tables, before)

    def check_deleted(self):
        """Only what concerns others, a bare tombstone and the ledger without a name are left."""
        whole = json.dumps([sorted(map(str, rows.items())) for rows in self.aws.tables.values()])
        for row in self.aws.tables["Projects"].values():
            whole += items.unpacked(row["body"]["B"])
        whole = whole.replace("scene#s", "").replace("'project': {'S': 'proj_ann'}", "")
        self.assertEqual(whole.count("proj_ann"), 3, "the id of a project, which nobody else may get")
        self.assertNotIn("ann", whole.replace("proj_ann", ""))
        left = [key for key, of in self.aws.objects.items() if any(version["body"] == b"ann" for version in of)]
        self.assertEqual(left, ["projects/proj_ann2/v.mp4"], "that of another project")
        expected = filled().tables
        for name, rows in self.aws.tables.items():
            theirs = {key: row for key, row in expected[name].items() if "bob" in str((key, row)) or "operator" in str((key, row))}
            self.assertLessEqual(theirs.items(), rows.items(), name)
        self.assertIn("clips/somebody/else.mp4", self.aws.objects)

    def test_everything_of_the_owner_goes_and_nothing_of_another(self):
        done = self.delete()
        self.check_deleted()
        audit = done["audit"]
        self.assertEqual((audit["jobs"], audit["projects"], audit["clips"], audit["late"]), (2, 1, 1, 0))
        account = [row for key, row in self.aws.tables["Credits"].items() if key[0] == audit["id"]]
        self.assertEqual([row["sk"]["S"] for row in account], ["balance", "entry#00000000000000000001", "erasure"])
        self.assertEqual(json.loads(account[1]["body"]["S"]), {"kind": "usage", "amount": -5, "balance_after": 5, "at": NOON})
        self.assertEqual([key for key in self.aws.tables["Counters"] if key[0].startswith("erasure#")], [])

    def test_all_versions_of_objects_go(self):
        self.aws = filled(versions=True)
        self.aws.s3_put("projects/proj_ann/v.mp4", None)
        self.delete()
        self.assertEqual([key for key in self.aws.objects if "proj_ann/" in key], [])

    def test_a_deletion_that_is_stopped_anywhere_goes_on(self):
        for at in range(1, 40):
            self.aws, batches = filled(), []

            def stop():
                batches.append(1)
                if len(batches) == at:
                    raise KeyboardInterrupt

            self.aws.before_write = stop
            try:
                done = self.delete()
            except KeyboardInterrupt:
                self.aws.before_write = lambda: None
                done = self.delete()
                self.check_deleted()
                self.assertEqual((done["audit"]["jobs"], done["audit"]["projects"]), (2, 1))
                left = [key for key in self.aws.tables["Counters"] if key[0].startswith("erasure#")]
                self.assertEqual(left, [], "no hash of the owner stays")
                continue
            self.assertGreater(at, 5, "it was stopped at several points")
            return
        self.fail("it never ran to its end")

    def test_the_tombstone_of_a_project_has_its_id_and_times_alone(self):
        """The same form is read by `the_bare_tombstone_of_a_deleted_owner_is_read_as_a_deleted_project`."""
        self.delete()
        row = self.aws.tables["Projects"][("proj_ann",)]
        form = json.loads(items.unpacked(row["body"]["B"]))["b"]
        self.assertEqual(form, {
            "id": "proj_ann", "version": 3, "spec": {"name": ""}, "phase": "cancelled", "scenes": [],
            "times": {"created": NOON, "updated": NOON, "served": NOON, "deleted": form["times"]["deleted"]},
            "pieces": {"moved_at": 1, "hint_at": 2, "shown_at": 3},
        })
        self.assertEqual(set(row), {"id", "version", "body", "expires_at"})

    def test_what_is_under_way_is_refused(self):
        job(self.aws, "job_running", "ann", "processing")
        self.assertEqual(self.delete(confirmed=None)["under_way"], ["job_running"])
        with self.assertRaisesRegex(Problem, "1 of the owner's jobs.* job_running. Cancel them"):
            self.delete()
        job(self.aws, "job_running", "ann", "cancelled", updated_at=int(time.time() * 1000))
        with self.assertRaisesRegex(Problem, "changed less than 60 s ago"):
            self.delete()
        self.assertEqual(len([key for key in self.aws.tables["Jobs"] if "ann" in key[0]]), 2)
        self.delete(quiet_s=0)

    def test_a_draft_is_not_under_way_and_a_project_with_work_is(self):
        times = {"created": NOON, "updated": NOON, "served": NOON}
        form = {"id": "proj_d", "origin": {"owner": "ann"}, "times": times, "phase": "draft",
                "pieces": {"moved_at": 1, "hint_at": 2, "shown_at": 3}}
        draft = {"id": "proj_d", "version": 1, "body": packed(form), "owner": "ann", "created_at": NOON}
        self.aws.put("Projects", **draft)
        self.assertEqual(self.delete(confirmed=None)["under_way"], [])
        self.aws.put("Projects", **draft, due_at=NOON)
        self.assertEqual(self.delete(confirmed=None)["under_way"], ["proj_d"])

    def test_a_job_that_changes_meanwhile_stays(self):
        note = owner_delete.Deletion.note

        def changes(deletion, subject_id, value):
            note(deletion, subject_id, value)
            if subject_id == "job_ann":
                self.aws.tables["Jobs"][("job_ann",)]["version"] = {"N": "6"}

        with mock.patch.object(owner_delete.Deletion, "note", changes):
            with self.assertRaisesRegex(Problem, "job_ann has changed meanwhile"):
                self.delete()
        self.assertIn(("job_ann",), self.aws.tables["Jobs"])
        self.delete()
        self.check_deleted()

    def test_nothing_is_stored_about_an_unknown_owner(self):
        with self.assertRaisesRegex(Problem, "nothing is stored about this owner"):
            self.delete("nobody", "nobody")

    def test_the_documented_permissions_are_those_that_are_used(self):
        self.aws.calls.clear()
        self.delete()
        self.assertEqual(policies.of_calls(self.aws.calls), policies.documented("a deletion of an owner"))


if __name__ == "__main__":
    unittest.main()
