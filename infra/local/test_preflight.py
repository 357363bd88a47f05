"""The results of `cargo xtask preflight` for a fake AWS account."""

import pathlib
import tempfile
import types
import unittest
from unittest import mock

from botocore.exceptions import ClientError

from commands import checks, concurrency, preflight, samconfig
from commands.cloud import Problem
from commands.template import Template

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEMPLATE = Template.load(ROOT / "template.yaml")
ARN = "arn:aws:lambda:eu-west-1:1:layer:reelhook-render:3"
SECRETS = (*preflight.NEEDED, "WEBHOOK_URLS")


class Aws:
    """The parts of an account that the checks read."""

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
        self.aws, self.sam = Aws(), (1, 170, 0)

    def package(self, crate, machine):
        bootstrap = self.root / "target" / "lambda" / crate / "bootstrap"
        bootstrap.parent.mkdir(parents=True, exist_ok=True)
        bootstrap.write_bytes(b"\x7fELF" + b"\0" * 14 + machine.to_bytes(2, "little"))

    def run_preflight(self, stack=None, environment="default", region="eu-west-1", **given):
        """The messages by kind, and the deployment command; None if a problem prevents the deployment."""
        messages = {"ok": [], "note": [], "stop": []}

        def say(message):
            kind, text = message.split(None, 1)
            messages[kind].append(text)

        session = types.SimpleNamespace(region_name="eu-west-1")
        with (
            mock.patch.object(preflight, "client", self.aws),
            mock.patch.object(concurrency, "client", self.aws),
            mock.patch.object(preflight, "say", say),
            mock.patch.object(checks, "say", say),
            mock.patch.object(preflight, "is_local", lambda: False),
            mock.patch.object(preflight.boto3, "Session", lambda: session),
            mock.patch.object(preflight, "sam_version", lambda: self.sam),
            mock.patch.dict(preflight.os.environ, {"AWS_REGION": region}),
        ):
            try:
                found = preflight.preflight(stack or Stack(), self.root, environment, given)
                return messages, found["deploy"]
            except Problem as problem:
                self.assertTrue(messages["stop"], problem)
                return messages, None

    def stops(self, pattern, **given):
        messages, command = self.run_preflight(**given)
        self.assertIsNone(command)
        self.assertEqual(len(messages["stop"]), 1, messages)
        self.assertRegex(messages["stop"][0], pattern)

    def test_an_account_with_the_usual_quotas_is_ready(self):
        messages, command = self.run_preflight(RenderLayerArn=ARN)
        self.assertEqual((messages["stop"], messages["note"]), ([], []))
        self.assertEqual(command, f"sam deploy --parameter-overrides RenderLayerArn={ARN}")
        self.assertEqual(self.run_preflight()[1], "sam deploy")
        messages, command = self.run_preflight(environment="small")
        self.assertEqual(command, "sam deploy --config-env small")
        self.assertRegex(messages["note"][0], "RenderLayerArn is not set")

    def test_the_deployment_command_contains_the_checked_parameters(self):
        # Parameters on the command line replace those of the environment.
        dev = Stack(name="reelhook-dev")
        _, command = self.run_preflight(dev, environment="dev", WorkerUrl="https://worker.example/?a=1&b=2")
        path, worker = "SettingsPath=/reelhook/dev", "'WorkerUrl=https://worker.example/?a=1&b=2'"
        self.assertEqual(command, f"sam deploy --config-env dev --parameter-overrides {path} {worker}")
        _, command = self.run_preflight(Stack("UPDATE_COMPLETE"), PublicBaseUrl="")
        self.assertEqual(command, "sam deploy --parameter-overrides 'PublicBaseUrl=\"\"'")
        _, command = self.run_preflight(environment="small", MaxViewers="1")
        self.assertRegex(command, "--config-env small .* MaxViewers=1 MaxWaiters=0 .* RenderConcurrency=2$")
        self.aws.executions = self.aws.unreserved = 10
        small = "`sam deploy --config-env small --parameter-overrides .* MaxViewers=1 .*RenderConcurrency=2 LogLevel=debug`"
        self.stops(small, LogLevel="debug", MaxViewers="50")

    def test_an_account_with_ten_executions_gets_a_fitting_command(self):
        self.aws.executions = self.aws.unreserved = 10
        self.stops("RenderConcurrency=10, MaxViewers=100, MaxWaiters=20 .* `sam deploy --config-env small`, .*quota-increase")
        messages, _ = self.run_preflight(environment="small", RenderLayerArn=ARN)
        self.assertEqual((messages["stop"], len(messages["note"])), ([], 1))
        # Those that send live updates among them.
        self.assertRegex(messages["note"][0], "14 executions run concurrently, but of this account's 10 only 10 are free")
        messages, _ = self.run_preflight(environment="small", RenderLayerArn=ARN, JobInbox="on")
        self.assertRegex(messages["note"][0], "16 executions run concurrently")

    def test_queues_without_limits_are_noted(self):
        messages, _ = self.run_preflight(QueueLimits="off", RenderLayerArn=ARN)
        self.assertEqual((messages["stop"], len(messages["note"])), ([], 1))
        self.assertRegex(messages["note"][0], "QueueLimits=off .* may take all 1000 free executions")

    def test_an_account_in_between_gets_fitting_parameters(self):
        self.aws.executions, self.aws.unreserved = 1000, 80
        command = "--parameter-overrides RenderConcurrency=10 MaxViewers=20 MaxWaiters=20 DeliveryConcurrency=20`"
        self.stops(command)
        fits = {"RenderConcurrency": "10", "MaxViewers": "20", "MaxWaiters": "20", "DeliveryConcurrency": "20"}
        self.assertEqual(self.run_preflight(**fits)[0]["stop"], [])
        # The suggestion never raises a given parameter, and fits the account.
        self.aws.unreserved = 40
        self.stops(" MaxWaiters=0 RenderConcurrency=10 MaxViewers=10 ", MaxWaiters="0")
        fits |= {"MaxViewers": "10", "MaxWaiters": "10", "DeliveryConcurrency": "10"}
        self.assertEqual(self.run_preflight(**fits)[0]["stop"], [])

    def test_reservations_leave_a_hundred_executions(self):
        self.aws.executions = self.aws.unreserved = 110
        self.stops("are 20, but this account can reserve only 10,.* set them to 0, or to 10 together", StreamReserved="20")
        self.aws.executions = self.aws.unreserved = 10
        self.stops("reserve only 0, since Lambda keeps 100 of its 10", environment="small", CleanupReserved="1")
        # The existing reservations belong to this stack.
        self.aws.executions, self.aws.unreserved = 1000, 600
        stack = Stack("UPDATE_COMPLETE", {"StreamReserved": "400", "WaitReserved": "0"})
        self.assertEqual(self.run_preflight(stack, StreamReserved="500")[0]["stop"], [])

    def test_deployed_parameters_stay_unless_others_are_given(self):
        self.aws.executions = self.aws.unreserved = 10
        small = samconfig.overrides(ROOT / "samconfig.toml", "small")
        self.assertEqual(self.run_preflight(Stack("CREATE_COMPLETE", small))[0]["stop"], [])
        self.stops("MaxViewers=50", stack=Stack("CREATE_COMPLETE", small), MaxViewers="50")

    def test_a_stack_that_can_t_be_updated_is_a_problem(self):
        for status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED", "CREATE_FAILED"):
            self.stops(f"has the status {status} .*delete-stack --stack-name reelhook", stack=Stack(status))
        self.stops("is being changed", stack=Stack("UPDATE_IN_PROGRESS"))
        for status in (None, "REVIEW_IN_PROGRESS", "CREATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE"):
            self.assertEqual(self.run_preflight(Stack(status))[0]["stop"], [], status)

    def test_another_stack_than_the_environments_is_a_problem(self):
        self.stops("deploys `reelhook-dev` with --config-env dev: pass --stack reelhook-dev", environment="dev")
        # By default a stack may have any name.
        _, command = self.run_preflight(Stack(name="mine"))
        self.assertEqual(command, "sam deploy --stack-name mine")

    def test_retained_tables_of_an_earlier_stack_are_listed(self):
        self.aws.tables = ["reelhook-Jobs-1ABC", "reelhook-dev-Jobs-1ABC", "reelhook-Other-1", "mine"]
        messages, _ = self.run_preflight()
        self.assertRegex(messages["note"][0], r"retained 1 tables \(reelhook-Jobs-1ABC\).*docs/retained-resources.md")

    def test_missing_secrets_are_listed_with_the_command_that_creates_them(self):
        self.aws.secrets.remove("ENDPOINT_SECRETS_KEY")
        self.stops("ENDPOINT_SECRETS_KEY .*`cargo xtask secrets --stack reelhook --path /reelhook/prod`")
        # The secrets of version 0.1.0 are not sufficient for this version.
        self.aws.secrets = set(SECRETS) - {"SESSION_SECRET"}
        self.stops("SESSION_SECRET .no function that requires a key starts", stack=Stack("UPDATE_COMPLETE"))
        self.aws.secrets = set(SECRETS)
        self.stops("CREATOMATE_API_KEY .*--secret CREATOMATE_API_KEY=…`", Renderer="creatomate")
        self.aws.secrets.remove("WEBHOOK_URLS")
        self.assertRegex(self.run_preflight()[0]["note"][0], "WEBHOOK_URLS is not set")
        self.aws.secrets |= {"WEBHOOK_OPTIONS", "WEBHOOK_TIMEOUT"}
        self.assertTrue(any("WEBHOOK_TIMEOUT are not read" in note for note in self.run_preflight()[0]["note"]))

    def test_packages_must_exist_for_the_stacks_architecture(self):
        self.package("fanout", 0x3E)
        self.stops("^fanout in target/lambda are not for arm64.*`cargo xtask package --arch arm64`")
        (self.root / "target/lambda/fanout/bootstrap").write_text("#!/bin/sh")
        self.stops("^fanout in target/lambda are not for arm64")
        (self.root / "target/lambda/fanout/bootstrap").unlink()
        self.stops("no bootstrap of fanout")

    def test_a_layer_must_exist_and_match(self):
        self.stops("the layer .* does not exist, or you may not use it", RenderLayerArn=ARN.replace(":3", ":4"))
        self.stops("must be the ARN of a layer version", RenderLayerArn=ARN.removesuffix(":3"))
        self.stops("is in us-east-1, but the stack in eu-west-1", RenderLayerArn=ARN.replace("eu-west-1", "us-east-1"))
        self.aws.layers[ARN] = ["x86_64"]
        self.stops("is for x86_64, but the functions for arm64", RenderLayerArn=ARN)

    def test_a_region_that_sam_does_not_read_is_a_problem(self):
        self.stops("AWS_REGION is us-west-2, which `sam` does not read: it would deploy to eu-west-1", region="us-west-2")

    def test_the_sam_cli_must_support_loops(self):
        self.sam = (1, 159, 1)
        self.stops("the SAM CLI is 1.159.1, which does not support the loops of template.yaml: install 1.160 or later")
        self.sam = None
        messages, command = self.run_preflight(RenderLayerArn=ARN)
        self.assertRegex(messages["note"][0], "`sam` was not found on PATH")
        self.assertIsNotNone(command)

    def test_the_version_of_the_sam_cli_is_read(self):
        with tempfile.TemporaryDirectory() as directory:
            program = pathlib.Path(directory, "sam")
            program.write_text("#!/bin/sh\necho SAM CLI, version 1.160.1\n")
            program.chmod(0o755)
            with mock.patch.dict(preflight.os.environ, {"PATH": directory}):
                self.assertEqual(preflight.sam_version(), (1, 160, 1))
            with mock.patch.dict(preflight.os.environ, {"PATH": "/nowhere"}):
                self.assertIsNone(preflight.sam_version())

    def test_quotas_of_roles_and_code(self):
        self.aws.roles = (990, 1000)
        adds = sum(resource["Type"] == "AWS::IAM::Role" for resource in TEMPLATE.resources().values())
        self.stops(f"has 990 of 1000 roles, and this stack adds {adds}:")
        self.aws.roles, self.aws.stored = (40, 1000), 75 * 2**30
        self.stops("stores at most 75 GiB of code")

    def test_a_check_without_permission_is_a_note(self):
        self.aws.roles = None
        messages, command = self.run_preflight(RenderLayerArn=ARN)
        self.assertRegex(messages["note"][0], "could not check quotas of the account: .*AccessDenied")
        self.assertIsNotNone(command)

    def test_unknown_parameters_are_refused(self):
        with self.assertRaisesRegex(Problem, "no parameter `MaxViewer`"), mock.patch.object(preflight, "client", self.aws):
            with mock.patch.object(preflight, "say"):
                preflight.preflight(Stack(), self.root, "default", {"MaxViewer": "1"})


if __name__ == "__main__":
    unittest.main()
