"""What `cargo xtask retained` finds and writes, with a fake CloudFormation."""

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
KEPT = [
    "Bucket",
    "Catalog",
    "Clips",
    "Counters",
    "Credits",
    "Deliveries",
    "Endpoints",
    "Errors",
    "Failures",
    "JobEvents",
    "Jobs",
    "Projects",
]


def skipped(name, physical, status="DELETE_SKIPPED"):
    return {"LogicalResourceId": name, "PhysicalResourceId": physical, "ResourceStatus": status}


class Aws:
    """Deleted stacks with their events, newest first."""

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
            mock.patch.object(retained, "say") as say,
        ):
            done = retained.retained(stack, given or {}, directory)
            read = [json.loads(pathlib.Path(done[name]).read_text()) for name in ("template", "resources")]
            return done["found"], *read, [call.args[0] for call in say.call_args_list]

    def test_resources_of_the_newest_stack_are_imported_with_their_parameters(self):
        old = [skipped(name, f"old-{name}") for name in KEPT]
        newer = [skipped("Generate", "x", "DELETE_COMPLETE"), *(skipped(name, f"new-{name}") for name in KEPT)]
        newer.append(skipped("Jobs", "replaced-before"))
        found, template, resources, messages = self.find(Aws(old=old, newer=newer, other=[skipped("Jobs", "mine")]))
        self.assertEqual(found, {name: f"new-{name}" for name in KEPT})
        self.assertEqual(sorted(template["Resources"]), KEPT)
        parameters = [
            "ArchiveDays", "CorsOrigins", "DeletionProtection", "JobDays", "OldVersionDays", "RecoveryDays", "TableKey", "VideoDays",
        ]
        self.assertEqual(sorted(template["Parameters"]), parameters)
        self.assertEqual(sorted(template["Conditions"]), ["HasManagedKey", "HasOldVersions", "HasRecovery"])
        self.assertEqual(sorted(template["Mappings"]), ["Objects"])
        self.assertTrue(all("DeletionPolicy" in resource for resource in template["Resources"].values()))
        by_name = {one["LogicalResourceId"]: one for one in resources}
        self.assertEqual(by_name["Jobs"]["ResourceIdentifier"], {"TableName": "new-Jobs"})
        self.assertEqual(by_name["Bucket"]["ResourceIdentifier"], {"BucketName": "new-Bucket"})
        self.assertEqual(by_name["Failures"]["ResourceIdentifier"], {"QueueUrl": "new-Failures"})
        self.assertEqual(messages, [])

    def test_a_newer_stack_without_retained_resources_does_not_hide_an_older_one(self):
        found, *_ = self.find(Aws(old=[skipped("Jobs", "old-Jobs")], newer=[skipped("Jobs", "gone", "DELETE_COMPLETE")]))
        self.assertEqual(found, {"Jobs": "old-Jobs"})

    def test_given_resources_replace_found_ones_and_missing_ones_are_listed(self):
        found, template, _, messages = self.find(Aws(old=[skipped("Jobs", "old-Jobs")]), {"Catalog": "my-catalog"})
        self.assertEqual((found, sorted(template["Resources"])), ({"Catalog": "my-catalog"}, ["Catalog"]))
        self.assertEqual(sorted(template["Parameters"]), ["DeletionProtection", "RecoveryDays", "TableKey"])
        self.assertRegex(messages[0], "Bucket, Clips, Counters, .*Jobs.* were not found")

    def test_an_existing_stack_and_unknown_resources_are_refused(self):
        for aws, given, exists, reason in (
            (Aws(), {}, True, "the stack `reelhook` exists"),
            (Aws(), {}, False, "no stack `reelhook` was deleted"),
            (Aws(), {"Work": "x"}, False, "`Work` is not retained: only Jobs, "),
        ):
            with self.assertRaisesRegex(Problem, reason):
                self.find(aws, given, exists)

    def test_every_resource_that_outlives_the_stack_can_be_imported(self):
        self.assertLessEqual(set(retained.retained_types(TEMPLATE).values()), set(retained.IDENTIFIERS))


if __name__ == "__main__":
    unittest.main()
