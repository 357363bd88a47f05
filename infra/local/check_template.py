"""Checks the architecture's rules for template.yaml, which no linter knows: roles, queues, loops, tables, buckets, alarms.

It reads the transformed template, because SAM adds roles and policies. Numbers and exceptions are in
template_rules.json; an exception is {"rule", "resource", "value"?, "reason"}, and an unused one is a problem.
"""

import argparse
import json
import pathlib
import sys

from rules import access, alarms, loops, queues, storage
from rules.model import Model

HERE = pathlib.Path(__file__).resolve().parent
RULES = [
    access.own_role,
    access.no_wildcards,
    access.managed_policies,
    access.environment_size,
    access.rate_limit,
    access.public_url,
    access.reserved_concurrency,
    queues.dead_letter_queue,
    queues.visibility,
    queues.queue_mapping,
    queues.stream_mapping,
    loops.recursive_loop,
    storage.tables,
    storage.buckets,
    alarms.alarms,
    alarms.failed_runs,
]


def check(template, settings):
    """The problems, each with rule, resource and description."""
    model = Model(template, settings)
    exceptions = settings.get("exceptions", [])
    used, problems = set(), []
    for rule in RULES:
        for name, resource, value, description in rule(model):
            number = next((i for i, e in enumerate(exceptions) if applies(e, name, resource, value)), None)
            if number is None:
                problems.append(f"{name}: {resource}: {description}")
            used.add(number)
    for number, exception in enumerate(exceptions):
        if not exception.get("reason"):
            problems.append(f"exception {number + 1} for {exception.get('resource')} has no reason")
        if number not in used:
            problems.append(
                f"exception {number + 1} ({exception['rule']}, {exception['resource']}) is unused: remove it"
            )
    return problems


def applies(exception, rule, resource, value):
    return (
        exception["rule"] == rule
        and exception["resource"] == resource
        and ("value" not in exception or exception["value"] == value)
    )


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("transformed", help="the file that transform_template.py has written")
    arguments.add_argument("--rules", default=HERE / "template_rules.json")
    given = arguments.parse_args()
    template = json.loads(pathlib.Path(given.transformed).read_text(encoding="utf-8"))
    problems = check(template, json.loads(pathlib.Path(given.rules).read_text(encoding="utf-8")))
    for problem in problems:
        print(problem)
    resources = len(template["Resources"])
    print(f"checked {resources} resources against {len(RULES)} rules: {len(problems) or 'no'} problems")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
