"""Loops of a template are expanded as AWS documents it, and as the emulator does."""

import unittest
from pathlib import Path

from ministack.services.cloudformation import language_extensions

from commands import loops
from commands.template import Template

TEMPLATE = Template.load(Path(__file__).resolve().parents[2] / "template.yaml")


def expanded(resources, **others):
    """The resources by both; they must be equal."""
    template = {"Transform": [loops.TRANSFORM], "Resources": resources, **others}
    ours = loops.expanded(template)
    assert ours["Resources"] == language_extensions.apply(template, {})["Resources"], ours
    return ours["Resources"]


class Loops(unittest.TestCase):
    def test_a_loop_creates_a_resource_for_each_item(self):
        topic = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": {"Fn::Join": [".", [{"Ref": "Name"}, "fifo"]]}}}
        found = expanded({"Fn::ForEach::Topics": ["Name", ["Success", "Failure"], {"SnsTopic${Name}": topic}]})
        self.assertEqual(list(found), ["SnsTopicSuccess", "SnsTopicFailure"])
        self.assertEqual(found["SnsTopicFailure"]["Properties"]["TopicName"], {"Fn::Join": [".", ["Failure", "fifo"]]})

    def test_a_name_of_another_resource_may_contain_the_item(self):
        values = {
            "Bucket": {"Ref": {"Fn::Sub": "Bucket${Id}"}},
            "Arn": {"Fn::GetAtt": [{"Fn::Sub": "Bucket${Id}"}, "Arn"]},
            "Name": {"Fn::Sub": "${AWS::StackName}-${Id}"},
            "Text": "${Id}",
        }
        found = expanded({"Fn::ForEach::Policies": ["Id", ["A"], {"Policy${Id}": {"Type": "T", "Properties": values}}]})
        expected = {"Bucket": {"Ref": "BucketA"}, "Arn": {"Fn::GetAtt": ["BucketA", "Arn"]}, "Text": "${Id}"}
        self.assertEqual(found["PolicyA"]["Properties"], {**expected, "Name": {"Fn::Sub": "${AWS::StackName}-A"}})

    def test_values_that_differ_come_from_a_mapping(self):
        name = {"Fn::Sub": ["${AWS::StackName}-${Name}", {"Name": {"Fn::FindInMap": ["Map", {"Ref": "Id"}, "Name"]}}]}
        found = expanded(
            {"Fn::ForEach::Logs": ["Id", ["A", "B"], {"${Id}Logs": {"Type": "T", "Properties": {"Name": name}}}]},
            Mappings={"Map": {"A": {"Name": "one"}, "B": {"Name": "two"}}},
        )
        expected = {"Fn::Sub": ["${AWS::StackName}-${Name}", {"Name": "two"}]}
        self.assertEqual(found["BLogs"]["Properties"]["Name"], expected)

    def test_loops_may_be_nested(self):
        inner = {"Fn::ForEach::Inner": ["Suffix", ["1", "2"], {"${Prefix}${Suffix}": {"Type": "T"}}]}
        found = expanded({"Fn::ForEach::Outer": ["Prefix", ["A", "B"], inner]})
        self.assertEqual(sorted(found), ["A1", "A2", "B1", "B2"])

    def test_a_resource_that_exists_twice_is_refused(self):
        with self.assertRaisesRegex(ValueError, "creates `A`, which exists already"):
            loops.expanded({"Resources": {"A": {}, "Fn::ForEach::Again": ["Id", ["A"], {"${Id}": {}}]}})

    def test_the_template_is_expanded_as_by_the_emulator(self):
        emulated = language_extensions.apply(TEMPLATE.data, {})
        ours = loops.expanded(TEMPLATE.data)
        for section in loops.SECTIONS:
            self.assertEqual(ours[section], emulated[section])
        self.assertEqual(ours["Transform"], ["AWS::Serverless-2016-10-31"])
        self.assertEqual([name for name in ours["Resources"] if name.startswith(loops.LOOP)], [])


if __name__ == "__main__":
    unittest.main()
