"""Properties of a first deployment: the questions of `sam deploy --guided`, profiles of samconfig.toml, rollbacks."""

import json
import pathlib
import tempfile
import unittest

from commands import concurrency, samconfig
from commands.cloud import Problem
from commands.template import FUNCTION, Template

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEMPLATE = Template.load(ROOT / "template.yaml")
# The functions that write lines of the audit log (docs/contract/access.md).
AUDITED = {"StepWebhook", "CreatomateWebhook", "Callbacks", "SceneWebhooks", "ClippingWebhook", "Pages", "WebhooksAdmin"}


class Questions(unittest.TestCase):
    """For each of these, `sam deploy --guided` asks "has no authentication. Is this okay?", and no is the default."""

    def functions(self):
        return {n: r["Properties"] for n, r in TEMPLATE.resources().items() if r["Type"] == FUNCTION}

    def test_no_route_is_without_auth(self):
        for name, properties in self.functions().items():
            for event in properties.get("Events", {}).values():
                if event["Type"] in ("Api", "HttpApi"):
                    api = event["Properties"]["ApiId"]["Ref"]
                    auth = TEMPLATE.resources()[api]["Properties"].get("Auth") or event["Properties"].get("Auth")
                    self.assertTrue(auth, f"{name}: {event}")

    def test_no_function_url_is_a_property_of_its_function(self):
        for name, properties in self.functions().items():
            self.assertNotIn("FunctionUrlConfig", properties, name)

    def test_each_public_function_url_has_both_permissions(self):
        resources = TEMPLATE.resources().values()
        granted = {
            (r["Properties"]["FunctionName"]["Ref"], r["Properties"]["Action"])
            for r in resources
            if r["Type"] == "AWS::Lambda::Permission"
        }
        urls = [r["Properties"]["TargetFunctionArn"]["Ref"] for r in resources if r["Type"] == "AWS::Lambda::Url"]
        self.assertEqual(sorted(urls), ["Callbacks", "JobStream", "VideosWait"])
        for function in urls:
            for action in ("lambda:InvokeFunctionUrl", "lambda:InvokeFunction"):
                self.assertIn((function, action), granted)


class Shape(unittest.TestCase):
    """What the README says of the parts of a stack."""

    # Services that are billed by use, and none that has a machine, a cluster or an hour.
    BY_USE = {"ApiGatewayV2", "Budgets", "CloudWatch", "DynamoDB", "IAM", "Lambda", "Logs", "S3", "SQS", "Serverless"}

    def test_no_function_invokes_another(self):
        roles = [r for r in TEMPLATE.resources().values() if r["Type"] == "AWS::IAM::Role"]
        allowed = [action for role in roles for action in actions(role)]
        self.assertGreater(len(allowed), 100)
        # A wildcard of a service or of all of them would contain it.
        self.assertEqual([a for a in allowed if a.lower().startswith("lambda:") or a == "*"], [])

    def test_nothing_has_to_stay_up(self):
        resources = TEMPLATE.resources().values()
        self.assertEqual({r["Type"].split("::")[1] for r in resources} - self.BY_USE, set())
        settings = [r["Properties"] for r in resources if r["Type"] in (FUNCTION, "AWS::DynamoDB::Table")]
        reserved = {"ProvisionedConcurrencyConfig", "ProvisionedThroughput", "VpcConfig"}
        self.assertEqual([p for p in settings if reserved & p.keys()], [])


def actions(value):
    """The actions of each statement in a value."""
    if isinstance(value, list):
        return [action for entry in value for action in actions(entry)]
    if not isinstance(value, dict):
        return []
    own = value["Action"] if "Effect" in value and "Action" in value else []
    own = [own] if isinstance(own, str) else own
    return [*own, *(action for member in value.values() for action in actions(member))]


class Disk(unittest.TestCase):
    """A stitch has its takes, its segments and the joined video on the disk of the renderer."""

    def test_the_renderer_has_the_largest_disk(self):
        render = TEMPLATE.resources()["Render"]["Properties"]
        self.assertEqual(render["EphemeralStorage"], {"Size": 10240})


class Names(unittest.TestCase):
    """A function's name is in its FunctionName, in its log group's name, and in the description of its alarm."""

    def test_the_mapping_has_the_name_of_each_function(self):
        functions = {n: r["Properties"] for n, r in TEMPLATE.resources().items() if r["Type"] == FUNCTION}
        names = {logical: "${AWS::StackName}-" + row["Name"] for logical, row in TEMPLATE.data["Mappings"]["Functions"].items()}
        self.assertEqual({logical: one["FunctionName"]["Fn::Sub"] for logical, one in functions.items()}, names)

    def test_each_function_has_its_log_group(self):
        resources = TEMPLATE.resources()
        for logical, name in TEMPLATE.data["Mappings"]["Functions"].items():
            self.assertEqual(resources[logical]["Properties"]["LoggingConfig"], {"LogGroup": {"Ref": f"{logical}Logs"}})
            given = resources[f"{logical}Logs"]["Properties"]
            text = ["/aws/lambda/${AWS::StackName}-${Name}", {"Name": name["Name"]}]
            days = {"Ref": "AuditDays" if logical in AUDITED else "FunctionLogDays"}
            self.assertEqual(given, {"LogGroupName": {"Fn::Sub": text}, "RetentionInDays": days})


class Origins(unittest.TestCase):
    """Pages of several origins may call the API, its Function URLs and the bucket."""

    LIST = {"Fn::Split": [",", {"Ref": "CorsOrigins"}]}

    def test_the_gateway_gets_a_list_and_keeps_its_methods_and_headers(self):
        api = TEMPLATE.transformed()["Resources"]["Api"]["Properties"]["Body"]["x-amazon-apigateway-cors"]
        condition, every, named = api["Fn::If"]
        self.assertEqual((condition, every["allowOrigins"]), ("AnyOrigin", ["*"]))
        # SAM has inserted the value of the parameter.
        self.assertEqual(named["allowOrigins"], {"Fn::Split": [",", "*"]})
        rest = [{name: value for name, value in one.items() if name != "allowOrigins"} for one in (every, named)]
        self.assertEqual(rest[0], rest[1])
        self.assertEqual(sorted(rest[0]), ["allowHeaders", "allowMethods", "exposeHeaders", "maxAge"])

    def test_function_urls_and_the_bucket_get_the_same_list(self):
        resources = TEMPLATE.resources()
        (rule,) = resources["Bucket"]["Properties"]["CorsConfiguration"]["CorsRules"]
        self.assertEqual(rule["AllowedOrigins"], self.LIST)
        urls = [one["Properties"]["Cors"]["AllowOrigins"] for one in resources.values() if "Cors" in one["Properties"]]
        self.assertEqual(len(urls), 2)
        for origins in urls:
            both = {"Fn::Split": [",", {"Fn::Sub": "${CorsOrigins},${PublicBaseUrl}"}]}
            self.assertEqual(origins, {"Fn::If": ["OwnOrigin", both, self.LIST]})

    def test_the_parameter_takes_one_origin_several_or_all(self):
        pattern = TEMPLATE.parameters()["CorsOrigins"]["AllowedPattern"]
        for good in ("*", "https://*", "https://a.example", "https://a.example,http://localhost:5173", "http://[::1]:3000,https://a_b.c"):
            self.assertRegex(good, pattern)
        # What no function could read would be deployed, and each of them would fail at its start.
        for bad in ("", "*,https://a.example", "https://a.example,*", "https://a.example/", "https://a.example, https://b", "null",
                    "https://*.a.example", "https://a.example,", ",https://a.example", "https://a.example,,https://b",
                    "https://A.example", "https://a.example:", "https://a.example:x", "https://u:p@a.example",
                    "https://a.examplehttps://b", "https://a.example?x", "https://a.example#x", "https://"):
            self.assertNotRegex(bad, pattern)


class Retention(unittest.TestCase):
    """What is kept for JobDays is no shorter anywhere than the jobs, projects and clip jobs that it belongs to."""

    def test_objects_outlive_what_they_belong_to(self):
        mapping = TEMPLATE.data["Mappings"]["Objects"]
        self.assertEqual(list(mapping), TEMPLATE.parameters()["JobDays"]["AllowedValues"])
        for days, kept in mapping.items():
            days = int(days)
            expected = {"Details": days, "Films": days + 1, "Projects": days + 150, "Clips": days + 60}
            self.assertEqual(kept, expected)

    def test_the_order_of_the_variable_is_that_of_its_parser(self):
        variable = TEMPLATE.data["Globals"]["Function"]["Environment"]["Variables"]["RETENTION"]
        names = [part["Ref"] for part in variable["Fn::Join"][1]]
        self.assertEqual(names, ["JobDays", "LogDays", "DeliveryDays", "ArchiveDays", "VideoDays"])
        parser = (ROOT / "shared/app/src/retention.rs").read_text(encoding="utf-8")
        self.assertIn("Ok(&[jobs, logs, deliveries, archives, videos])", parser)

    def test_each_rule_of_the_bucket_follows_its_parameter(self):
        rules = TEMPLATE.resources()["Bucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
        days = {rule["Id"]: rule.get("ExpirationInDays") for rule in rules}
        for rule, name in (("details", "Details"), ("films", "Films"), ("projects", "Projects"), ("clips", "Clips")):
            self.assertEqual(days[rule], {"Fn::FindInMap": ["Objects", {"Ref": "JobDays"}, name]})
        for rule, name in (("logs", "ArchiveDays"), ("pictures", "VideoDays"), ("videos", "VideoDays")):
            self.assertEqual(days[rule], {"Ref": name})


class Logs(unittest.TestCase):
    """Lambda keeps every line of ours, whatever their level, and few of its own."""

    def test_only_the_level_of_lambdas_own_lines_is_set(self):
        given = TEMPLATE.data["Globals"]["Function"]["LoggingConfig"]
        self.assertEqual(given, {"LogFormat": "JSON", "SystemLogLevel": {"Ref": "PlatformLogLevel"}})
        self.assertEqual(TEMPLATE.parameters()["PlatformLogLevel"]["Default"], "WARN")

    def test_one_parameter_traces_every_function_and_each_role_allows_it_then(self):
        self.assertEqual(TEMPLATE.data["Globals"]["Function"]["Tracing"], {"Ref": "Tracing"})
        self.assertEqual(TEMPLATE.parameters()["Tracing"]["Default"], "PassThrough")
        actions = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
        traces = {"Fn::If": ["HasTraces", {"Effect": "Allow", "Action": actions, "Resource": "*"}, {"Ref": "AWS::NoValue"}]}
        roles = [r["Properties"] for r in TEMPLATE.resources().values() if r["Type"] == "AWS::IAM::Role"]
        self.assertEqual(len(roles), len(TEMPLATE.functions()))
        for role in roles:
            self.assertIn(traces, role["Policies"][0]["PolicyDocument"]["Statement"])

    def test_our_lines_have_no_time_by_which_lambda_would_know_their_level(self):
        start = (ROOT / "shared/aws/src/start.rs").read_text(encoding="utf-8")
        self.assertIn(".without_time()", start)


class FailedDeployments(unittest.TestCase):
    """A failed first deployment retains nothing, so that the next one can start again."""

    def test_retained_resources_are_deleted_by_the_rollback_of_their_deployment(self):
        policies = {n: r["DeletionPolicy"] for n, r in TEMPLATE.resources().items() if "DeletionPolicy" in r}
        kept = {name for name, policy in policies.items() if policy != "Delete"}
        tables = {"Jobs", "Projects", "Clips", "Credits", "JobEvents", "Deliveries", "Endpoints", "Errors", "Catalog", "Counters"}
        self.assertEqual(kept, tables | {"Bucket", "Failures"})
        self.assertEqual({policies[name] for name in kept}, {"RetainExceptOnCreate"})

    def test_tables_are_not_protected_from_the_rollback(self):
        self.assertEqual(TEMPLATE.parameters()["DeletionProtection"]["Default"], "false")


class Alarms(unittest.TestCase):
    """docs/cost.md contains the cost of the alarms."""

    def test_the_document_contains_their_number_and_price(self):
        resources = [r for r in TEMPLATE.resources().values() if r["Type"] == "AWS::CloudWatch::Alarm"]
        metrics = [(r["Properties"]["Namespace"], r["Properties"]["MetricName"]) for r in resources]
        self.assertEqual(metrics.count(("AWS/Lambda", "Errors")), len(TEMPLATE.functions()), "one for each function")
        # Those of a stack with the default parameters.
        self.assertEqual(TEMPLATE.parameters()["Alarms"]["Default"], "few")
        alarms = [r for r in resources if r["Condition"] in ("HasAlarms", "HasOneErrorAlarm")]
        row = f"| alarms | {len(alarms)} × 0.10 | {len(alarms) / 10:.3f} |"
        self.assertIn(row, (ROOT / "docs/cost.md").read_text(encoding="utf-8"))


    def test_a_stack_without_alarms_has_no_filter_for_one_either(self):
        for kind in ("AWS::CloudWatch::Alarm", "AWS::Logs::MetricFilter"):
            for name, resource in TEMPLATE.resources().items():
                if resource["Type"] == kind:
                    self.assertIn("Condition", resource, name)

    def test_the_filter_reads_lines_that_lambda_writes_as_json(self):
        """Lambda writes `platform.report` of a failed run at WARN (System log level event mapping)."""
        self.assertEqual(TEMPLATE.data["Globals"]["Function"]["LoggingConfig"]["LogFormat"], "JSON")
        self.assertEqual(TEMPLATE.parameters()["PlatformLogLevel"]["AllowedValues"], ["INFO", "WARN"])
        patterns = {r["Properties"]["FilterPattern"] for r in TEMPLATE.resources().values() if r["Type"] == "AWS::Logs::MetricFilter"}
        self.assertEqual(patterns, {'{ $.type = "platform.report" && $.record.status != "success" }', '{ $.fault = "settings" }'})

    def test_lines_about_settings_have_the_field_that_their_filter_reads(self):
        settings = (ROOT / "shared/aws/src/settings.rs").read_text(encoding="utf-8")
        self.assertEqual((settings.count('const FAULT: &str = "settings";'), settings.count("fault = FAULT,")), (1, 2))
        cache = (ROOT / "shared/app/src/webhooks/endpoints/cache.rs").read_text(encoding="utf-8")
        self.assertEqual(cache.count('fault = "settings",'), 2)


class Encryption(unittest.TestCase):
    """Tables are always encrypted: by a key that AWS owns, or by the account's."""

    def test_one_parameter_chooses_the_key_of_every_table(self):
        tables = [r["Properties"] for r in TEMPLATE.resources().values() if r["Type"] == "AWS::DynamoDB::Table"]
        self.assertGreater(len(tables), 10)
        for table in tables:
            self.assertEqual(table["SSESpecification"], {"SSEEnabled": {"Fn::If": ["HasManagedKey", True, False]}})


class Polling(unittest.TestCase):
    """Lambda polls an idle queue with as few as two pollers only where no maximum concurrency is set."""

    def test_renderers_keep_their_limit_and_the_others_may_do_without(self):
        limits = {}
        for resource in TEMPLATE.transformed()["Resources"].values():
            if resource["Type"] == "AWS::Lambda::EventSourceMapping" and "ScalingConfig" in resource["Properties"]:
                limits[resource["Properties"]["FunctionName"]["Ref"]] = resource["Properties"]["ScalingConfig"]
        self.assertEqual(limits.pop("Render"), {"MaximumConcurrency": {"Ref": "RenderConcurrency"}})
        self.assertEqual(limits.pop("InboxReader"), {"MaximumConcurrency": 2}, "a burst of messages leaves the API its executions")
        self.assertEqual(sorted(limits), ["Dispatcher", "Live", "Worker"])
        for limit in limits.values():
            condition, value, without = limit["Fn::If"]
            self.assertEqual((condition, without), ("HasQueueLimits", {"Ref": "AWS::NoValue"}))
            self.assertIn("MaximumConcurrency", value)
        self.assertEqual(TEMPLATE.parameters()["QueueLimits"]["Default"], "on")


class AccessLog(unittest.TestCase):
    """The access log of the API contains no secrets."""

    def test_a_line_is_json_and_has_neither_path_nor_query(self):
        api = TEMPLATE.resources()["Api"]["Properties"]["AccessLogSettings"]
        line = json.loads(api["Format"])
        for variable in ("requestId", "routeKey", "status", "responseLatency", "integrationErrorMessage"):
            self.assertIn(f"$context.{variable}", line.values())
        for secret in ("path", "query", "header", "authorizer", "domain", "protocol"):
            self.assertNotIn(secret, api["Format"].lower())


class Profiles(unittest.TestCase):
    """samconfig.toml, as `preflight` reads it."""

    def read(self, text, environment="small"):
        with tempfile.TemporaryDirectory() as directory:
            file = pathlib.Path(directory, "samconfig.toml")
            file.write_text(text, encoding="utf-8")
            return samconfig.overrides(file, environment)

    def test_each_environment_names_parameters_of_the_template(self):
        for environment in ("default", "small", "dev"):
            given = samconfig.overrides(ROOT / "samconfig.toml", environment)
            self.assertLessEqual(set(given), set(TEMPLATE.parameters()), environment)

    def test_the_profile_small_fits_ten_executions(self):
        given = samconfig.overrides(ROOT / "samconfig.toml", "small")
        held = sum(int(given[name]) for name in concurrency.HOLDING)
        self.assertLessEqual(held + concurrency.REST, 10, "long executions leave some for the rest")
        self.assertLessEqual(held + sum(int(given[name]) for name in concurrency.PASSING), 9)
        for name in (*concurrency.HOLDING, *concurrency.PASSING):
            self.assertGreaterEqual(int(given[name]), TEMPLATE.parameters()[name]["MinValue"], name)

    def test_lists_on_one_or_several_lines_are_read(self):
        for text in (
            '[small.deploy.parameters]\nparameter_overrides = ["A=1", "B=x=y"]\n[other.deploy.parameters]\n',
            '[small.deploy.parameters]\n# parameter_overrides = ["A=2"]\nparameter_overrides = [\n "A=1",\n "B=x=y",\n]\n',
        ):
            self.assertEqual(self.read(text), {"A": "1", "B": "x=y"})
        self.assertEqual(self.read('[small.global.parameters]\nstack_name = "x"\n'), {})

    def test_each_environment_has_a_stack(self):
        for environment, name in (("default", "reelhook"), ("small", "reelhook"), ("dev", "reelhook-dev"), ("edge", "reelhook-edge")):
            self.assertEqual(samconfig.stack_name(ROOT / "samconfig.toml", environment), name)

    def test_an_unknown_environment_and_an_invalid_pair_are_named(self):
        with self.assertRaisesRegex(Problem, "no environment `big`: it has small"):
            self.read("[small.deploy.parameters]\n", "big")
        with self.assertRaisesRegex(Problem, r"expected NAME=VALUE \(got `A`\)"):
            self.read('[small.deploy.parameters]\nparameter_overrides = ["A"]\n')


if __name__ == "__main__":
    unittest.main()
