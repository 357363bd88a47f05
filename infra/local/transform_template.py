"""Applies both transforms of template.yaml (loops, SAM), and writes the result as JSON for cfn-lint and check_template.py."""

import argparse
import json
import pathlib
import sys

from commands.template import Template
from samtranslator.model.exceptions import InvalidDocumentException


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("template")
    arguments.add_argument("output")
    given = arguments.parse_args()
    try:
        transformed = Template.load(given.template).transformed()
    except InvalidDocumentException as error:
        sys.exit("\n".join(f"{given.template}: {cause.message}" for cause in error.causes))
    pathlib.Path(given.output).write_text(json.dumps(transformed, indent=1, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
