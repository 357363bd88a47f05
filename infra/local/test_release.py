"""The template of a gradual release, transformed as AWS does: what its aliases get, and what stays where it is."""

import json
import pathlib
import tempfile
import types
import unittest
from unittest import mock

from commands import release
from commands.cloud import Problem
from commands.template import FUNCTION, Template

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEMPLATE = Template.load(ROOT / "template.yaml")
# As CloudFormation names them.
NAMES = {
    name: f"reelhook-{name}-1ABC" for name, one in TEMPLATE.resources().items() if one["Type"] == "AWS::CloudWatch::Alarm"
}
SHIFT = "Canary10Percent5Minutes"
# AWS CodeDeploy API Reference, AlarmConfiguration: what a deployment group takes.
MOST_ALARMS = 10


def deployment(root, status="UPDATE_COMPLETE", deployed=None, **parameters):
    """A release with these parameters, of a stack that was deployed with the same or with others."""
    defaults = {name: str(one.get("Default", "")) for name, one in TEMPLATE.parameters().items()}
    # A stack has the alarms whose condition holds.
    before = parameters if deployed is None else deployed
    values, resources = release.Values(TEMPLATE, defaults | before), TEMPLATE.resources()
    names = {name: physical for name, physical in NAMES.items() if values.exists(resources[name])}
    stack = types.SimpleNamespace(name="reelhook", template=TEMPLATE, of_type=lambda _: names)
    return types.SimpleNamespace(
        stack=stack, root=pathlib.Path(root), is_first=status is None, parameters=defaults | parameters, command=lambda: "sam deploy"
    )


class Release(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = pathlib.Path(directory.name)
        for crate in set(TEMPLATE.functions().values()):
            bootstrap = self.root / "target" / "lambda" / crate / "bootstrap"
            bootstrap.parent.mkdir(parents=True)
            bootstrap.write_bytes(crate.encode())

    def write(self, **parameters):
        file = self.root / "release.json"
        with mock.patch.object(release, "say"):
            found = release.release(deployment(self.root, **parameters), SHIFT, file)
        return found, json.loads(file.read_text())

    def test_each_event_goes_to_the_alias_of_its_function(self):
        found, data = self.write(JobInbox="on")
        self.assertEqual(found["deploy"], "sam deploy --template-file release.json")
        resources = Template(data).transformed()["Resources"]
        aliases = {one["Properties"]["FunctionName"]["Ref"] for one in resources.values() if one["Type"] == "AWS::Lambda::Alias"}
        self.assertEqual(sorted(aliases), found["functions"])
        for name, resource in resources.items():
            properties = resource.get("Properties", {})
            if resource["Type"] == "AWS::Lambda::EventSourceMapping" and not name.startswith("Live"):
                self.assertIn(f"Alias{release.ALIAS}", json.dumps(properties["FunctionName"]), name)
            if resource["Type"] == "AWS::Events::Rule":
                self.assertIn(f"Alias{release.ALIAS}", json.dumps(properties["Targets"]), name)
            if resource["Type"] == "AWS::Lambda::Permission":
                called = json.dumps(properties["FunctionName"])
                direct = any(f'"{one}"' in called for one in ("Live", "JobStream", "VideosWait", "Callbacks"))
                self.assertNotEqual(f"Alias{release.ALIAS}" in called, direct, name)
        paths = resources["Api"]["Properties"]["Body"]["paths"]
        for path, methods in paths.items():
            for method, route in methods.items():
                uri = json.dumps(route["x-amazon-apigateway-integration"]["uri"])
                self.assertIn(f"Alias{release.ALIAS}", uri, f"{method} {path}")

    def test_what_is_called_by_its_own_address_stays_there(self):
        found, data = self.write()
        others = sorted(set(TEMPLATE.functions()) - set(found["functions"]))
        self.assertEqual(others, ["Callbacks", "InboxReader", "JobStream", "Live", "VideosWait"])
        for name in others:
            self.assertEqual(data["Resources"][name], TEMPLATE.data["Resources"][name])
        for name, resource in TEMPLATE.resources().items():
            if resource["Type"] == "AWS::Lambda::Url":
                self.assertNotIn("Qualifier", resource["Properties"], f"{name}: the URL of an alias is another one")

    def test_an_alarm_stops_each_shift_and_creates_no_circle(self):
        for parameters in ({}, {"Alarms": "each"}, {"JobInbox": "on"}, {"Alarms": "each", "JobInbox": "on"}):
            _, data = self.write(**parameters)
            groups = [
                one["Properties"]
                for one in Template(data).transformed()["Resources"].values()
                if one["Type"] == "AWS::CodeDeploy::DeploymentGroup"
            ]
            # No job inbox, and the four that are called by their own address.
            self.assertEqual(len(groups), len(TEMPLATE.functions()) - 4 - ("JobInbox" not in parameters))
            for group in groups:
                names = [alarm["Name"] for alarm in group["AlarmConfiguration"]["Alarms"]]
                self.assertTrue(names and set(names) <= set(NAMES.values()), names)
                self.assertEqual(group["ServiceRoleArn"], {"Fn::GetAtt": [release.ROLE, "Arn"]})
                self.assertTrue(group["AutoRollbackConfiguration"]["Enabled"])
        with self.assertRaisesRegex(Problem, "needs alarms that stop it"):
            self.write(Alarms="none")

    def test_failed_runs_of_each_function_stop_its_shift(self):
        for parameters in ({}, {"Alarms": "each"}):
            _, data = self.write(JobInbox="on", **parameters)
            for name in release.shifted(TEMPLATE):
                alarms = data["Resources"][name]["Properties"]["DeploymentPreference"]["Alarms"]
                own = f"{name}ErrorAlarm" if parameters or name == "Cleanup" else "FailedRunsAlarm"
                self.assertIn(NAMES[own], alarms)
                self.assertEqual(len(alarms), len(set(alarms)), name)

    def alarms_of_shifts(self, **parameters):
        """The logical ids of the alarms that stop the shift of each function."""
        logical = {physical: name for name, physical in NAMES.items()}
        found, data = self.write(**parameters)
        for name in found["functions"]:
            alarms = data["Resources"][name]["Properties"]["DeploymentPreference"]["Alarms"]
            yield [logical[alarm] for alarm in alarms]

    def test_answers_of_function_urls_with_5xx_stop_each_shift(self):
        every = {name for name, one in TEMPLATE.resources().items() if one["Type"] == "AWS::Lambda::Url"}
        self.assertEqual(every, {"VideosWaitUrl", "JobStreamUrl", "CallbacksUrl"})
        for by, urls in (("Api", every - {"CallbacksUrl"}), ("FunctionUrl", every)):
            for chosen in ("few", "each"):
                for names in self.alarms_of_shifts(Alarms=chosen, CallbacksBy=by):
                    self.assertLessEqual({f"{url}ErrorAlarm" for url in urls} | {"ApiErrorAlarm", "StreamAgeAlarm"}, set(names))
                    failed = 2 if chosen == "few" else 1
                    self.assertEqual(len(names), len(urls) + 2 + failed, "and those on failed runs and failed sweeps")
                    self.assertLessEqual(len(names), MOST_ALARMS)

    def test_an_alarm_that_the_release_would_make_is_deployed_first(self):
        for parameters, missing in (({"CallbacksBy": "FunctionUrl"}, "CallbacksUrlErrorAlarm"), ({"Alarms": "each"}, "ErrorAlarm")):
            with self.assertRaisesRegex(Problem, f"no alarm \\w*{missing}: deploy with these parameters first, at once"):
                self.write(deployed={}, **parameters)
        # One that the release removes stops nothing.
        for names in self.alarms_of_shifts(deployed={"CallbacksBy": "FunctionUrl"}):
            self.assertNotIn("CallbacksUrlErrorAlarm", names)

    def test_a_version_follows_code_and_parameters_and_nothing_else(self):
        def versions(**parameters):
            properties = self.write(**parameters)[1]["Resources"]
            return {name: properties[name]["Properties"]["AutoPublishCodeSha256"] for name in ("Generate", "Worker", "Cleanup")}

        first = versions()
        self.assertEqual(versions(), first, "Lambda would refuse a second version of the same")
        changed = versions(MaxWorkers="9")
        self.assertNotEqual(changed["Worker"], first["Worker"])
        self.assertEqual(changed["Generate"], first["Generate"], "it does not read MaxWorkers")
        self.assertEqual(versions(CleanupReserved="1", AlarmTopicArn="arn:aws:sns:a:1:b"), first, "no version has these")
        self.assertEqual(versions(QueueDestinations="arn:aws:sqs:a:1:b")["Generate"], first["Generate"])
        self.assertNotEqual(versions(JobDays="7")["Cleanup"], first["Cleanup"])
        (self.root / "target/lambda/generate/bootstrap").write_bytes(b"other")
        self.assertNotEqual(versions()["Generate"], first["Generate"])
        self.assertEqual(versions()["Cleanup"], first["Cleanup"])
        (self.root / "target/lambda/generate/bootstrap").unlink()
        with self.assertRaisesRegex(Problem, "generate/bootstrap does not exist"):
            versions()

    def test_a_first_deployment_has_nothing_to_shift_from(self):
        with self.assertRaisesRegex(Problem, "does not exist: deploy it with `sam deploy` first"):
            self.write(status=None)

    def test_the_usual_template_has_no_alias(self):
        for name, resource in TEMPLATE.resources().items():
            if resource["Type"] == FUNCTION:
                self.assertNotIn("AutoPublishAlias", resource["Properties"], name)


if __name__ == "__main__":
    unittest.main()
