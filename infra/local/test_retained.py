"""What `cargo xtask retained` finds and writes; CloudFormation is played here."""

import json
import pathlib
import tempfile
import types
import unittest
from unittest import mock

from commands import retained
from commands.cloud import Problem
from commands.template import Template

TEMPLATE = Template.load(pathlib.Path(__file__).resolve().parents[2] / "template.yaml")
KEPT = ["Bucket", "Catalog", "Counters", "Deliveries", "Endpoints", "Failures", "JobEvents", "Jobs"]


def skipped(name, physical, status="DELETE_SKIPPED"):
    return {"LogicalResourceId": name, "PhysicalResourceId": physical, "ResourceStatus": status}


class Aws:
    """Ended stacks with their events, newest first."""

    def __init__(self, **stacks):
        self.events = stacks

    def __call__(self, _service):
        return self

    def get_paginator(self, operation):
        pages = {"list_stacks": self.stacks, "describe_stack_events": self.events_of}[operation]
        return types.SimpleNamespace(paginate=pages)

    def stacks(self, StackStatusFilter):
        assert "CREATE_COMPLETE" not in StackStatusFilter
        names = {"old": "reelhook", "newer": "reelhook", "other": "mine"}
        listed = [{"StackName": names[i], "StackId": i, "CreationTime": len(i)} for i in self.events]
        return [{"StackSummaries": [one]} for one in listed]

    def events_of(self, StackName):
        return [{"StackEvents": [event]} for event in self.events[StackName]]


class Retained(unittest.TestCase):
    def find(self, aws, given=None, exists=False):
        stack = types.SimpleNamespace(name="reelhook", template=TEMPLATE, describe=lambda: {} if not exists else {"a": 1})
        with (
            tempfile.TemporaryDirectory() as directory,
            mock.patch.object(retained, "client", aws),
            mock.patch.object(retained, "say") as said,
        ):
            done = retained.retained(stack, given or {}, directory)
            read = [json.loads(pathlib.Path(done[name]).read_text()) for name in ("template", "resources")]
            return done["found"], *read, [call.args[0] for call in said.call_args_list]

    def test_what_the_newest_stack_left_is_imported_with_what_it_names(self):
        old = [skipped(name, f"old-{name}") for name in KEPT]
        newer = [skipped("Generate", "x", "DELETE_COMPLETE"), *(skipped(name, f"new-{name}") for name in KEPT)]
        newer.append(skipped("Jobs", "replaced-before"))
        found, template, resources, said = self.find(Aws(old=old, newer=newer, other=[skipped("Jobs", "mine")]))
        self.assertEqual(found, {name: f"new-{name}" for name in KEPT})
        self.assertEqual(sorted(template["Resources"]), KEPT)
        self.assertEqual(sorted(template["Parameters"]), ["CorsOrigins", "DeletionProtection"])
        self.assertTrue(all("DeletionPolicy" in resource for resource in template["Resources"].values()))
        by_name = {one["LogicalResourceId"]: one for one in resources}
        self.assertEqual(by_name["Jobs"]["ResourceIdentifier"], {"TableName": "new-Jobs"})
        self.assertEqual(by_name["Bucket"]["ResourceIdentifier"], {"BucketName": "new-Bucket"})
        self.assertEqual(by_name["Failures"]["ResourceIdentifier"], {"QueueUrl": "new-Failures"})
        self.assertEqual(said, [])

    def test_a_newer_stack_that_left_nothing_does_not_hide_an_older_one(self):
        found, *_ = self.find(Aws(old=[skipped("Jobs", "old-Jobs")], newer=[skipped("Jobs", "gone", "DELETE_COMPLETE")]))
        self.assertEqual(found, {"Jobs": "old-Jobs"})

    def test_what_is_named_goes_before_what_is_found_and_what_is_missing_is_said(self):
        found, template, _, said = self.find(Aws(old=[skipped("Jobs", "old-Jobs")]), {"Catalog": "my-catalog"})
        self.assertEqual((found, sorted(template["Resources"])), ({"Catalog": "my-catalog"}, ["Catalog"]))
        self.assertEqual(sorted(template["Parameters"]), ["DeletionProtection"])
        self.assertRegex(said[0], "Bucket, Counters, .*Jobs are not among it")

    def test_what_can_t_be_imported_is_refused(self):
        for aws, given, exists, why in (
            (Aws(), {}, True, "there is a stack `reelhook`"),
            (Aws(), {}, False, "no stack `reelhook` was deleted"),
            (Aws(), {"Work": "x"}, False, "`Work` outlives no stack: Jobs, "),
        ):
            with self.assertRaisesRegex(Problem, why):
                self.find(aws, given, exists)

    def test_every_resource_that_outlives_the_stack_can_be_imported(self):
        self.assertLessEqual(set(retained.outliving(TEMPLATE).values()), set(retained.IDENTIFIERS))


if __name__ == "__main__":
    unittest.main()
