"""What a first deployment meets: questions of `sam deploy --guided`, profiles of samconfig.toml, what a rollback leaves."""

import pathlib
import unittest

from commands.template import FUNCTION, Template

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEMPLATE = Template.load(ROOT / "template.yaml")


class Questions(unittest.TestCase):
    """`sam deploy --guided` asks "has no authentication. Is this okay?" for each of these, and no is the default."""

    def functions(self):
        return {n: r["Properties"] for n, r in TEMPLATE.data["Resources"].items() if r["Type"] == FUNCTION}

    def test_no_route_is_without_auth(self):
        for name, properties in self.functions().items():
            for event in properties.get("Events", {}).values():
                if event["Type"] in ("Api", "HttpApi"):
                    api = event["Properties"]["ApiId"]["Ref"]
                    said = TEMPLATE.data["Resources"][api]["Properties"].get("Auth") or event["Properties"].get("Auth")
                    self.assertTrue(said, f"{name}: {event}")

    def test_no_function_url_is_a_property_of_its_function(self):
        for name, properties in self.functions().items():
            self.assertNotIn("FunctionUrlConfig", properties, name)

    def test_each_public_function_url_has_both_permissions(self):
        resources = TEMPLATE.data["Resources"].values()
        granted = {
            (r["Properties"]["FunctionName"]["Ref"], r["Properties"]["Action"])
            for r in resources
            if r["Type"] == "AWS::Lambda::Permission"
        }
        urls = [r["Properties"]["TargetFunctionArn"]["Ref"] for r in resources if r["Type"] == "AWS::Lambda::Url"]
        self.assertEqual(sorted(urls), ["JobStream", "VideosWait"])
        for function in urls:
            for action in ("lambda:InvokeFunctionUrl", "lambda:InvokeFunction"):
                self.assertIn((function, action), granted)


class FailedDeployments(unittest.TestCase):
    """A first deployment that fails leaves nothing behind, so that the next one begins anew."""

    def test_what_outlives_the_stack_goes_with_the_deployment_that_made_it(self):
        policies = {n: r["DeletionPolicy"] for n, r in TEMPLATE.data["Resources"].items() if "DeletionPolicy" in r}
        kept = {name for name, policy in policies.items() if policy != "Delete"}
        tables = {"Jobs", "JobEvents", "Deliveries", "Endpoints", "Catalog", "Counters"}
        self.assertEqual(kept, tables | {"Bucket", "Failures"})
        self.assertEqual({policies[name] for name in kept}, {"RetainExceptOnCreate"})

    def test_tables_are_not_protected_from_the_rollback(self):
        self.assertEqual(TEMPLATE.parameters()["DeletionProtection"]["Default"], "false")


if __name__ == "__main__":
    unittest.main()
