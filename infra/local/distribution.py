"""infra/edge.yaml as data: for each path the origin, the added headers, the cache policy and the timeout."""

import pathlib
import re
from dataclasses import dataclass

from commands.template import Template

EDGE = pathlib.Path(__file__).resolve().parents[1] / "edge.yaml"
# Managed policies of CloudFront.
CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
ALL_VIEWER_EXCEPT_HOST = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
# The header that the template's function ViewerAddress sets.
VIEWER_HEADER = "x-reelhook-viewer"


def matches(pattern, path):
    """Whether a path matches a path pattern of CloudFront: `*` is any text including slashes, `?` is one character,
    matching is case-sensitive, and the leading slash of the pattern is optional."""
    pattern = "/" + pattern.removeprefix("/")
    wildcards = {"*": ".*", "?": "."}
    return bool(re.fullmatch("".join(wildcards.get(c) or re.escape(c) for c in pattern), path, re.DOTALL))


@dataclass(frozen=True)
class Origin:
    """An origin of the distribution."""

    domain: str
    headers: dict
    read_seconds: int


@dataclass(frozen=True)
class Behavior:
    """The cache behavior for a path pattern; policies are ids of managed policies or logical ids in the template."""

    pattern: str
    origin: str
    methods: frozenset
    cache_policy: str
    request_policy: str
    settings: dict


class Distribution:
    """The distribution of the template with these parameter values."""

    def __init__(self, template, parameters):
        self.resources = template["Resources"]
        self.parameters = parameters
        self.config = self.resources["Distribution"]["Properties"]["DistributionConfig"]
        self.origins = {origin["Id"]: self._origin(origin) for origin in self.config["Origins"]}
        listed = self.config["CacheBehaviors"] + [{"PathPattern": "*", **self.config["DefaultCacheBehavior"]}]
        self.behaviors = [self._behavior(settings) for settings in listed]

    @classmethod
    def load(cls, parameters, path=EDGE):
        return cls(Template.load(path).data, parameters)

    def behavior(self, path):
        """The first behavior whose pattern matches, else the default one."""
        return next((one for one in self.behaviors if matches(one.pattern, path)), self.behaviors[-1])

    def _value(self, value):
        """The value of the parameter that a Ref names, or the name itself."""
        return self.parameters.get(value["Ref"], value["Ref"]) if isinstance(value, dict) and "Ref" in value else value

    def _origin(self, settings):
        headers = {one["HeaderName"].lower(): self._value(one["HeaderValue"]) for one in settings["OriginCustomHeaders"]}
        seconds = settings["CustomOriginConfig"].get("OriginReadTimeout", 30)
        return Origin(self._value(settings["DomainName"]), headers, seconds)

    def _behavior(self, settings):
        return Behavior(
            settings["PathPattern"],
            settings["TargetOriginId"],
            frozenset(settings["AllowedMethods"]),
            self._value(settings["CachePolicyId"]),
            self._value(settings["OriginRequestPolicyId"]),
            settings,
        )


def streaming_functions(resources):
    """Logical ids of the functions among template.yaml's resources that have a streaming Function URL."""
    return [
        resource["Properties"]["TargetFunctionArn"]["Ref"]
        for resource in resources.values()
        if resource["Type"] == "AWS::Lambda::Url" and resource["Properties"].get("InvokeMode") == "RESPONSE_STREAM"
    ]
