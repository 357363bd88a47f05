"""template.yaml as data: its resources, its functions, its parameters, and both of its transforms."""

import copy
import hashlib
import json
import os
import types
from dataclasses import dataclass

from samtranslator.yaml_helper import yaml_parse

from commands import loops

FUNCTION = "AWS::Serverless::Function"


@dataclass
class Template:
    """A parsed SAM template."""

    data: dict

    @classmethod
    def load(cls, path):
        with open(path, encoding="utf-8") as file:
            return cls.parse(file.read())

    @classmethod
    def parse(cls, text):
        # Converted through JSON, so that YAML aliases share no objects and dates are strings.
        return cls(json.loads(json.dumps(yaml_parse(text), default=str)))

    def resources(self):
        """The resources by logical id, including those of loops."""
        return loops.expanded(self.data).get("Resources", {})

    def functions(self):
        """Crate names by logical id: the last part of `CodeUri: target/lambda/<name>/`."""
        found = {}
        for logical, resource in self.resources().items():
            if resource.get("Type") == FUNCTION:
                uri = resource.get("Properties", {}).get("CodeUri")
                if isinstance(uri, str) and not uri.startswith("s3://"):
                    found[logical] = uri.rstrip("/").rsplit("/", 1)[-1]
        return found

    def parameters(self):
        return self.data.get("Parameters", {})

    def digest(self, parameters):
        """A digest of the template and its parameters, without the functions' code."""
        return hashlib.sha256(json.dumps([self.data, parameters], sort_keys=True).encode()).hexdigest()

    def with_code(self, locations):
        """A copy with these S3 URLs of the functions' code, by logical id."""
        data = copy.deepcopy(self.data)
        for logical, url in locations.items():
            data["Resources"][logical]["Properties"]["CodeUri"] = url
        return Template(data)

    def transformed(self):
        """The result of both transforms, as CloudFormation receives it."""
        from samtranslator.translator.transform import transform

        os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
        located = self.with_code({logical: "s3://bucket/key" for logical in self.functions()})
        return transform(loops.expanded(located.data), {}, types.SimpleNamespace(load=dict))
