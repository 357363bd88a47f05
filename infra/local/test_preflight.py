"""What `cargo xtask preflight` says of an account, which is played here."""

import pathlib
import tempfile
import types
import unittest
from unittest import mock

from botocore.exceptions import ClientError

from commands import concurrency, preflight, samconfig
from commands.cloud import Problem
from commands.template import Template

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEMPLATE = Template.load(ROOT / "template.yaml")
ARN = "arn:aws:lambda:eu-west-1:1:layer:reelhook-render:3"
SECRETS = (*preflight.NEEDED, "WEBHOOK_URLS")


class Aws:
    """As much of an account as is looked at."""

    def __init__(self):
        self.meta = types.SimpleNamespace(region_name="eu-west-1")
        self.executions, self.unreserved, self.stored = 1000, 1000, 0
        self.secrets, self.tables, self.roles = set(SECRETS), [], (40, 1000)
        self.layers = {ARN: ["arm64"]}

    def __call__(self, _service):
        return self

    def get_caller_identity(self):
        return {"Arn": "arn:aws:iam::1:user/me", "Account": "1"}

    def get_account_settings(self):
        limit = {"ConcurrentExecutions": self.executions, "UnreservedConcurrentExecutions": self.unreserved}
        return {"AccountLimit": {**limit, "TotalCodeSize": 75 * 2**30}, "AccountUsage": {"TotalCodeSize": self.stored}}

    def get_account_summary(self):
        if self.roles is None:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetAccountSummary")
        return {"SummaryMap": {"Roles": self.roles[0], "RolesQuota": self.roles[1]}}

    def get_parameters(self, Names):
        assert len(Names) <= 10
        return {"Parameters": [{"Name": name} for name in Names if name.rsplit("/", 1)[-1] in self.secrets]}

    def get_paginator(self, _operation):
        return types.SimpleNamespace(paginate=lambda: [{"TableNames": self.tables}])

    def get_layer_version_by_arn(self, Arn):
        if Arn not in self.layers:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "GetLayerVersionByArn")
        return {"CompatibleArchitectures": self.layers[Arn]}


class Stack:
    template = TEMPLATE

    def __init__(self, status=None, parameters=None, name="reelhook"):
        self.status, self.given, self.name = status, parameters or {}, name

    def describe(self):
        return self.status and {"StackStatus": self.status}

    def parameters(self):
        return self.given


class Preflight(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = pathlib.Path(directory.name)
        (self.root / "samconfig.toml").write_text((ROOT / "samconfig.toml").read_text())
        for crate in set(TEMPLATE.functions().values()):
            self.package(crate, 0xB7)
        self.aws = Aws()

    def package(self, crate, machine):
        bootstrap = self.root / "target" / "lambda" / crate / "bootstrap"
        bootstrap.parent.mkdir(parents=True, exist_ok=True)
        bootstrap.write_bytes(b"\x7fELF" + b"\0" * 14 + machine.to_bytes(2, "little"))

    def look(self, stack=None, environment="default", region="eu-west-1", **given):
        """What is said, by its kind, and the deployment's command; none where something stands in the way."""
        said = {"ok": [], "note": [], "stop": []}

        def say(sentence):
            kind, text = sentence.split(None, 1)
            said[kind].append(text)

        session = types.SimpleNamespace(region_name="eu-west-1")
        with (
            mock.patch.object(preflight, "client", self.aws),
            mock.patch.object(concurrency, "client", self.aws),
            mock.patch.object(preflight, "say", say),
            mock.patch.object(preflight, "is_local", lambda: False),
            mock.patch.object(preflight.boto3, "Session", lambda: session),
            mock.patch.dict(preflight.os.environ, {"AWS_REGION": region}),
        ):
            try:
                found = preflight.preflight(stack or Stack(), self.root, environment, given)
                return said, found["deploy"]
            except Problem as problem:
                self.assertTrue(said["stop"], problem)
                return said, None

    def stops(self, wanted, **given):
        said, command = self.look(**given)
        self.assertIsNone(command)
        self.assertEqual(len(said["stop"]), 1, said)
        self.assertRegex(said["stop"][0], wanted)

    def test_an_account_with_the_usual_quotas_is_ready(self):
        said, command = self.look(RenderLayerArn=ARN)
        self.assertEqual((said["stop"], said["note"]), ([], []))
        self.assertEqual(command, f"sam deploy --parameter-overrides RenderLayerArn={ARN}")
        self.assertEqual(self.look()[1], "sam deploy")
        said, command = self.look(environment="small")
        self.assertEqual(command, "sam deploy --config-env small")
        self.assertRegex(said["note"][0], "no RenderLayerArn")

    def test_the_deployment_is_told_with_the_parameters_that_were_looked_at(self):
        # Parameters on the command line replace those of the environment.
        dev = Stack(name="reelhook-dev")
        _, command = self.look(dev, environment="dev", WorkerUrl="https://worker.example/?a=1&b=2")
        path, worker = "SettingsPath=/reelhook/dev", "'WorkerUrl=https://worker.example/?a=1&b=2'"
        self.assertEqual(command, f"sam deploy --config-env dev --parameter-overrides {path} {worker}")
        _, command = self.look(environment="small", MaxViewers="1")
        self.assertRegex(command, "--config-env small .* MaxViewers=1 MaxWaiters=1 .* RenderConcurrency=2$")
        self.aws.executions = self.aws.unreserved = 10
        small = "`sam deploy --config-env small --parameter-overrides .* MaxViewers=2 .*RenderConcurrency=2 LogLevel=debug`"
        self.stops(small, LogLevel="debug", MaxViewers="50")

    def test_an_account_with_ten_executions_is_told_what_fits(self):
        self.aws.executions = self.aws.unreserved = 10
        self.stops("RenderConcurrency=10, MaxViewers=100, MaxWaiters=20 .* `sam deploy --config-env small`, .*quota-increase")
        said, _ = self.look(environment="small", RenderLayerArn=ARN)
        self.assertEqual((said["stop"], len(said["note"])), ([], 1))
        self.assertRegex(said["note"][0], "14 executions run at once, and of this account's 10 10 are free")

    def test_one_in_between_is_told_numbers(self):
        self.aws.executions, self.aws.unreserved = 1000, 80
        wanted = "--parameter-overrides RenderConcurrency=10 MaxViewers=20 MaxWaiters=20 DeliveryConcurrency=20`"
        self.stops(wanted)
        fits = {"RenderConcurrency": "10", "MaxViewers": "20", "MaxWaiters": "20", "DeliveryConcurrency": "20"}
        self.assertEqual(self.look(**fits)[0]["stop"], [])
        # The advice never raises a lowered parameter, and fits the account.
        self.aws.unreserved = 40
        self.stops(" MaxWaiters=0 RenderConcurrency=10 MaxViewers=10 ", MaxWaiters="0")
        fits |= {"MaxViewers": "10", "MaxWaiters": "10", "DeliveryConcurrency": "10"}
        self.assertEqual(self.look(**fits)[0]["stop"], [])

    def test_reservations_leave_a_hundred(self):
        self.aws.executions = self.aws.unreserved = 110
        self.stops("are 20, and Lambda lets this account reserve 10,.* set them to 0, or to 10 together", StreamReserved="20")
        self.aws.executions = self.aws.unreserved = 10
        self.stops("reserve 0, since it keeps 100 of its 10", environment="small", CleanupReserved="1")
        # What is reserved by now is this stack's own.
        self.aws.executions, self.aws.unreserved = 1000, 600
        stack = Stack("UPDATE_COMPLETE", {"StreamReserved": "400", "WaitReserved": "0"})
        self.assertEqual(self.look(stack, StreamReserved="500")[0]["stop"], [])

    def test_the_deployed_parameters_stay_unless_others_are_given(self):
        self.aws.executions = self.aws.unreserved = 10
        small = samconfig.overrides(ROOT / "samconfig.toml", "small")
        self.assertEqual(self.look(Stack("CREATE_COMPLETE", small))[0]["stop"], [])
        self.stops("MaxViewers=50", stack=Stack("CREATE_COMPLETE", small), MaxViewers="50")

    def test_a_stack_that_can_t_be_updated_is_told(self):
        for status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED", "CREATE_FAILED"):
            self.stops(f"is left in {status} .*delete-stack --stack-name reelhook", stack=Stack(status))
        self.stops("is being changed", stack=Stack("UPDATE_IN_PROGRESS"))
        for status in (None, "REVIEW_IN_PROGRESS", "CREATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE"):
            self.assertEqual(self.look(Stack(status))[0]["stop"], [], status)

    def test_another_stack_than_the_environment_s_is_told(self):
        self.stops("deploys `reelhook-dev` with --config-env dev: pass --stack reelhook-dev", environment="dev")
        # Where nothing else is said, a stack may have any name.
        _, command = self.look(Stack(name="mine"))
        self.assertEqual(command, "sam deploy --stack-name mine")

    def test_tables_that_an_earlier_stack_left_are_named(self):
        self.aws.tables = ["reelhook-Jobs-1ABC", "reelhook-dev-Jobs-1ABC", "reelhook-Other-1", "mine"]
        said, _ = self.look()
        self.assertRegex(said["note"][0], r"left 1 tables \(reelhook-Jobs-1ABC\).*docs/retained-resources.md")

    def test_missing_secrets_are_named_with_the_command_that_makes_them(self):
        self.aws.secrets.remove("ENDPOINT_SECRETS_KEY")
        self.stops("ENDPOINT_SECRETS_KEY .*`cargo xtask secrets --stack reelhook --path /reelhook/prod`")
        # What version 0.1.0 had is not enough for this one.
        self.aws.secrets = set(SECRETS) - {"SESSION_SECRET"}
        self.stops("SESSION_SECRET .no function that asks for a key starts", stack=Stack("UPDATE_COMPLETE"))
        self.aws.secrets = set(SECRETS)
        self.stops("CREATOMATE_API_KEY .*--secret CREATOMATE_API_KEY=…`", Renderer="creatomate")
        self.aws.secrets.remove("WEBHOOK_URLS")
        self.assertRegex(self.look()[0]["note"][0], "no WEBHOOK_URLS")
        self.aws.secrets |= {"WEBHOOK_OPTIONS", "WEBHOOK_TIMEOUT"}
        self.assertTrue(any("WEBHOOK_TIMEOUT are not read" in note for note in self.look()[0]["note"]))

    def test_packages_are_there_and_for_the_stack_s_processor(self):
        self.package("fanout", 0x3E)
        self.stops("^fanout in target/lambda are not for arm64.*`cargo xtask package --arch arm64`")
        (self.root / "target/lambda/fanout/bootstrap").write_text("#!/bin/sh")
        self.stops("^fanout in target/lambda are not for arm64")
        (self.root / "target/lambda/fanout/bootstrap").unlink()
        self.stops("no bootstrap of fanout")

    def test_a_layer_has_to_be_one_that_fits(self):
        self.stops("no layer .* that you may use", RenderLayerArn=ARN.replace(":3", ":4"))
        self.stops("is no layer's version", RenderLayerArn=ARN.removesuffix(":3"))
        self.stops("is in us-east-1, and the stack in eu-west-1", RenderLayerArn=ARN.replace("eu-west-1", "us-east-1"))
        self.aws.layers[ARN] = ["x86_64"]
        self.stops("is for x86_64, the functions for arm64", RenderLayerArn=ARN)

    def test_a_region_that_sam_would_not_see_is_told(self):
        self.stops("AWS_REGION is us-west-2, which `sam` does not read: it would deploy to eu-west-1", region="us-west-2")

    def test_quotas_of_roles_and_code(self):
        self.aws.roles = (990, 1000)
        self.stops("has 990 of 1000 roles, and this stack makes 17")
        self.aws.roles, self.aws.stored = (40, 1000), 75 * 2**30
        self.stops("keeps 75 GiB of code")

    def test_what_may_not_be_looked_at_is_no_obstacle(self):
        self.aws.roles = None
        said, command = self.look(RenderLayerArn=ARN)
        self.assertRegex(said["note"][0], "could not look at quotas of the account: .*AccessDenied")
        self.assertIsNotNone(command)

    def test_parameters_that_the_template_has_not_are_refused(self):
        with self.assertRaisesRegex(Problem, "no parameter `MaxViewer`"), mock.patch.object(preflight, "client", self.aws):
            with mock.patch.object(preflight, "say"):
                preflight.preflight(Stack(), self.root, "default", {"MaxViewer": "1"})


if __name__ == "__main__":
    unittest.main()
