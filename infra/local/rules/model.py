"""The transformed template, with the queries that the rules need."""

import json
import re

# Assumed size of a value that is known only after deployment: an ARN, a URL, a generated name.
UNKNOWN_BYTES = 128
# A number that is larger than any that a parameter without a maximum needs.
UNBOUNDED = 10**12


class Model:
    """A transformed template and the rules' settings."""

    def __init__(self, template, settings):
        self.template = template
        self.settings = settings
        self.resources = template["Resources"]

    def of_type(self, *kinds):
        """(logical id, properties) of each resource of these types."""
        return [(n, r.get("Properties") or {}) for n, r in self.resources.items() if r["Type"] in kinds]

    def properties(self, logical):
        return self.resources.get(logical, {}).get("Properties") or {}

    def values(self, value):
        """Every possible value: both branches of a condition, a parameter's default and allowed values."""
        if isinstance(value, dict) and len(value) == 1:
            if "Fn::If" in value:
                return [v for branch in value["Fn::If"][1:] for v in self.values(branch)]
            if "Ref" in value and value["Ref"] in self.template.get("Parameters", {}):
                parameter = self.template["Parameters"][value["Ref"]]
                return [parameter.get("Default"), *parameter.get("AllowedValues", [])]
        return [value]

    def numbers(self, value, default):
        """Every possible number of this value."""
        found = [v for v in self.values(default if value is None else value) if str(v).isdigit()]
        return [int(v) for v in found]

    def target(self, value):
        """The logical id that a Ref, GetAtt or Sub names first; None for anything else."""
        if isinstance(value, dict):
            if "Ref" in value:
                return value["Ref"]
            if "Fn::GetAtt" in value:
                named = value["Fn::GetAtt"]
                return named[0] if isinstance(named, list) else named.split(".")[0]
            if "Fn::Sub" in value:
                text = value["Fn::Sub"][0] if isinstance(value["Fn::Sub"], list) else value["Fn::Sub"]
                names = re.findall(r"\$\{([A-Za-z0-9]+)(?:\.[A-Za-z0-9.]+)?\}", text)
                return next((name for name in names if name in self.resources), None)
        return None

    def mappings(self, source_type):
        """(logical id, properties, consumed resource, function) of the mappings whose source has this type."""
        found = []
        for logical, properties in self.of_type("AWS::Lambda::EventSourceMapping"):
            source = self.target(properties.get("EventSourceArn"))
            kind = self.resources.get(source, {}).get("Type")
            if kind == source_type:
                found.append((logical, properties, source, self.target(properties.get("FunctionName"))))
        return found


def flat(value):
    """A value as one string, in which values that are known only after deployment are written {…}."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and len(value) == 1:
        (name, inner), *_ = value.items()
        if name == "Fn::Sub":
            text = inner[0] if isinstance(inner, list) else inner
            return re.sub(r"\$\{(AWS::[A-Za-z]+)\}", "{}", re.sub(r"\$\{([A-Za-z0-9.]+)\}", r"{\1}", text))
        if name == "Fn::Join":
            return inner[0].join(flat(part) for part in inner[1])
        if name == "Ref":
            return f"{{{inner}}}"
        if name == "Fn::GetAtt":
            return f"{{{inner if isinstance(inner, str) else '.'.join(inner)}}}"
    return json.dumps(value)


def size(value, parameters):
    """The maximum size of a value in bytes."""
    if isinstance(value, dict) and "Fn::If" in value:
        return max(size(branch, parameters) for branch in value["Fn::If"][1:])
    if isinstance(value, dict) and "Fn::Join" in value and isinstance(value["Fn::Join"][1], list):
        between, parts = value["Fn::Join"]
        return sum(size(part, parameters) for part in parts) + len(between) * max(len(parts) - 1, 0)
    if isinstance(value, dict) and value.get("Ref") in parameters:
        return parameter_size(parameters[value["Ref"]])
    if isinstance(value, (dict, list)):
        text = flat(value)
        return len(re.sub(r"\{[^}]*\}", "", text).encode()) + UNKNOWN_BYTES * max(1, text.count("{"))
    return len(str(value).encode())


def parameter_size(parameter):
    """The maximum size of a parameter's value in bytes."""
    if "AllowedValues" in parameter:
        return max(len(str(value)) for value in parameter["AllowedValues"])
    if parameter["Type"] == "Number":
        return len(str(parameter.get("MaxValue", UNBOUNDED)))
    return parameter.get("MaxLength", UNKNOWN_BYTES)


def as_list(value):
    return value if isinstance(value, list) else [value]
