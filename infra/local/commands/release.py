"""Writes a template for a release that shifts gradually: each function gets an alias, whose traffic CodeDeploy moves from the
deployed version to the new one, and back if an alarm rings.

The aliases are in no template of their own, because SAM takes neither a parameter nor a condition for an alias. Without this
command, events go to the newest code of each function at once.
"""

import copy
import hashlib
import json
import pathlib
import re

from commands.cloud import Problem, say
from commands.template import FUNCTION

ALIAS = "live"
# SAM's names of CodeDeploy's ways to shift, without the one that shifts everything at once.
SHIFTS = (
    *(f"Canary10Percent{minutes}Minutes" for minutes in (5, 10, 15, 30)),
    *(f"Linear10PercentEvery{every}" for every in ("1Minute", "2Minutes", "3Minutes", "10Minutes")),
)
# Alarms that stop a shift, by the parameter Alarms, beside those of URL_ERRORS; `{}` is the function.
ALARMS = {
    "few": ("FailedRunsAlarm", "CleanupErrorAlarm", "ApiErrorAlarm", "StreamAgeAlarm"),
    "each": ("{}ErrorAlarm", "ApiErrorAlarm", "StreamAgeAlarm"),
}
# The metric of the alarms on Function URLs. Functions behind these change at once, and no metric of the API has their
# answers; the failed deployment restores them with the rest.
URL_ERRORS = "Url5xxCount"
ROLE = "ReleaseRole"
# Properties of a function that Lambda does not keep in a version.
NOT_IN_VERSIONS = ("Events", "RecursiveLoop", "ReservedConcurrentExecutions")


def release(deployment, shift, file):
    """Writes the template, and returns the command that deploys it."""
    if deployment.is_first:
        raise Problem(f"the stack `{deployment.stack.name}` does not exist: deploy it with `sam deploy` first, at once")
    chosen = ALARMS.get(deployment.parameters["Alarms"])
    if chosen is None:
        raise Problem("a release that shifts gradually needs alarms that stop it: deploy with Alarms=few or Alarms=each")
    template, root = deployment.stack.template, deployment.root
    values = Values(template, deployment.parameters)
    existing = {logical for logical in template.functions() if values.exists(template.resources()[logical])}
    digests = {logical: digest(root, template, logical, values) for logical in shifted(template) if logical in existing}
    alarms = (*chosen, *url_alarms(template, values))
    data = gradual(template, digests, shift, alarms, deployment.stack.of_type("AWS::CloudWatch::Alarm"))
    path = pathlib.Path(file)
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False), encoding="utf-8")
    others = sorted(existing - set(digests))
    say(f"ok    {len(digests)} functions shift by {shift}; {', '.join(others)} change at once (docs/deployment.md)")
    return {"template": str(path), "deploy": f"{deployment.command()} --template-file {path.name}", "functions": sorted(digests)}


def shifted(template):
    """The functions whose traffic can be shifted: those that only events call. What is at a Function URL or at the WebSocket
    API is called by the function's own ARN, since the URL of an alias is another address."""
    resources = template.resources()
    direct = set()
    for resource in resources.values():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Lambda::Url":
            direct.add(properties["TargetFunctionArn"]["Ref"])
        if resource["Type"] == "AWS::Lambda::Permission":
            direct.add(properties["FunctionName"]["Ref"])
    return sorted(name for name, resource in resources.items() if resource["Type"] == FUNCTION and name not in direct)


def url_alarms(template, values):
    """The alarms on the 5xx answers of the Function URLs that the stack has with these parameters."""
    alarms = {name: one for name, one in template.resources().items() if one["Type"] == "AWS::CloudWatch::Alarm"}
    on_urls = (name for name, one in alarms.items() if one["Properties"]["MetricName"] == URL_ERRORS)
    return sorted(name for name in on_urls if values.exists(alarms[name]))


def gradual(template, digests, shift, alarms, deployed_alarms):
    """The template with an alias for each of these functions."""
    data = copy.deepcopy(template.data)
    for logical, found in digests.items():
        wanted = [name.format(logical) for name in alarms]
        # The alarm of `cleanup` has the same name in either case. By their physical names, alarms depend on no alias.
        missing = [name for name in wanted if name not in deployed_alarms]
        if missing:
            raise Problem(f"the stack has no alarm {', '.join(missing)}: deploy with these parameters first, at once")
        data["Resources"][logical]["Properties"] |= {
            "AutoPublishAlias": ALIAS,
            # By itself SAM publishes no version when only a parameter changes, and the alias would keep the old variables.
            "AutoPublishCodeSha256": found,
            "DeploymentPreference": {
                "Type": shift,
                "Role": {"Fn::GetAtt": [ROLE, "Arn"]},
                "Alarms": [deployed_alarms[name] for name in wanted],
            },
        }
    data["Resources"][ROLE] = role()
    return data


def digest(root, template, logical, values):
    """A digest of a function's code and configuration. Lambda publishes a version only if one of them has changed, and
    CloudFormation takes it for a failure if it does not."""
    bootstrap = pathlib.Path(root) / "target" / "lambda" / template.functions()[logical] / "bootstrap"
    if not bootstrap.is_file():
        raise Problem(f"{bootstrap.relative_to(root)} does not exist: run `cargo xtask package` first")
    properties = template.resources()[logical]["Properties"]
    snapshot = {name: part for name, part in properties.items() if name not in NOT_IN_VERSIONS}
    configuration = [values.of(template.data["Globals"]["Function"]), values.of(snapshot)]
    text = json.dumps(configuration, sort_keys=True).encode()
    return hashlib.sha256(hashlib.sha256(bootstrap.read_bytes()).digest() + text).hexdigest()


class Values:
    """The parts of a template with the values of its parameters, as far as they decide about them."""

    def __init__(self, template, parameters):
        self.conditions, self.parameters = template.data.get("Conditions", {}), parameters

    def of(self, node):
        if isinstance(node, list):
            return [self.of(part) for part in node]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((name, value),) = node.items()
            if name == "Ref" and value in self.parameters:
                return self.parameters[value]
            if name == "Fn::If":
                condition, yes, no = value
                return self.of(yes if self.holds({"Condition": condition}) else no)
            if name == "Fn::Sub" and isinstance(value, str):
                return {name: self.filled(value)}
            if name == "Fn::Sub":
                return {name: [self.filled(value[0]), self.of(value[1])]}
            if name == "Fn::Join" and all(isinstance(part, str) for part in self.of(value[1])):
                return value[0].join(self.of(value[1]))
        return {name: self.of(part) for name, part in node.items()}

    def filled(self, text):
        return re.sub(r"\$\{(\w+)\}", lambda found: self.parameters.get(found[1], found[0]), text)

    def exists(self, resource):
        """Whether the stack has a resource with these parameters."""
        return "Condition" not in resource or self.holds({"Condition": resource["Condition"]})

    def holds(self, expression):
        """Whether a condition holds."""
        ((name, value),) = expression.items()
        if name == "Condition":
            return self.holds(self.conditions[value])
        if name == "Fn::Equals":
            return self.of(value[0]) == self.of(value[1])
        if name == "Fn::Not":
            return not self.holds(value[0])
        if name in ("Fn::And", "Fn::Or"):
            return (all if name == "Fn::And" else any)([self.holds(part) for part in value])
        raise ValueError(f"unknown condition {name}")


def role():
    """What CodeDeploy may do: move the aliases of this stack's functions, and look at its alarms."""
    own = "${AWS::Partition}:%s:${AWS::Region}:${AWS::AccountId}:%s:${AWS::StackName}-*"
    statements = [
        {
            "Effect": "Allow",
            "Action": ["lambda:GetAlias", "lambda:GetProvisionedConcurrencyConfig", "lambda:UpdateAlias"],
            "Resource": {"Fn::Sub": "arn:" + own % ("lambda", "function")},
        },
        {
            "Effect": "Allow",
            "Action": "cloudwatch:DescribeAlarms",
            "Resource": {"Fn::Sub": "arn:" + own % ("cloudwatch", "alarm")},
        },
    ]
    trusts = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "codedeploy.amazonaws.com"}}
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trusts]},
            "Policies": [{"PolicyName": "own", "PolicyDocument": {"Version": "2012-10-17", "Statement": statements}}],
        },
    }
