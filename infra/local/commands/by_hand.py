"""What was changed by hand and CloudFormation's drift does not show.

Drift compares the properties that the template sets (AWS CloudFormation API Reference, *StackResourceDrift*). It sets no
maximum throughput of a table, and a reserved concurrency only where a parameter gives one; alarms are muted by rules apart.
"""

import json

from commands.cloud import client, is_local

THROTTLES = "docs/runbook/throttles.md"
TABLES = "docs/runbook/table-throttles.md"
MUTES = "docs/runbook/README.md, Quiet hours"
# DynamoDB's value for no maximum.
UNLIMITED = -1


def reserved(deployment):
    """The reserved concurrency of functions."""
    template, different = deployment.stack.template.resources(), 0
    for logical, name in sorted(deployment.stack.of_type("AWS::Lambda::Function").items()):
        parameter = parameter_of(template.get(logical, {}))
        wanted = int(deployment.deployed.get(parameter) or 0) or None
        found = client("lambda").get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions")
        if found == wanted:
            continue
        different += 1
        has = "no reserved executions" if found is None else f"{found} reserved executions, and so no more than these"
        if wanted is None:
            names = f"{parameter}=0" if parameter else "no parameter"
            yield "mend", f"{name} has {has}, but {names} says so: `aws lambda delete-function-concurrency --function-name {name}` ({THROTTLES})"
        else:
            yield (
                "mend",
                f"{name} has {has}, but {parameter}={wanted}: `aws lambda put-function-concurrency --function-name {name} "
                f"--reserved-concurrent-executions {wanted}` ({THROTTLES})",
            )
    if not different:
        yield "ok", "functions have the reserved concurrency of their parameters"


def parameter_of(function):
    """The parameter that a function's reserved concurrency is from; None without one."""
    given = function.get("Properties", {}).get("ReservedConcurrentExecutions", {})
    return given["Fn::If"][1]["Ref"] if "Fn::If" in given else None


def throughput(deployment):
    """The maximum throughput of tables."""
    limited = 0
    for _, name in sorted(deployment.stack.of_type("AWS::DynamoDB::Table").items()):
        table = client("dynamodb").describe_table(TableName=name)["Table"]
        if most := maximum(table):
            limited += 1
            yield (
                "mend",
                f"{name} takes at most {most} a second, and throttles beyond it: `aws dynamodb update-table --table-name {name} "
                f"--on-demand-throughput MaxReadRequestUnits={UNLIMITED},MaxWriteRequestUnits={UNLIMITED}` ({TABLES})",
            )
        for index in table.get("GlobalSecondaryIndexes", []):
            if most := maximum(index):
                limited += 1
                none = {"MaxReadRequestUnits": UNLIMITED, "MaxWriteRequestUnits": UNLIMITED}
                updates = json.dumps([{"Update": {"IndexName": index["IndexName"], "OnDemandThroughput": none}}])
                yield (
                    "mend",
                    f"the index {index['IndexName']} of {name} takes at most {most} a second, and throttles beyond it: "
                    f"`aws dynamodb update-table --table-name {name} --global-secondary-index-updates "
                    f"'{updates}'` ({TABLES})",
                )
    if not limited:
        yield "ok", "no table and no index has a maximum throughput"


def maximum(described):
    """The maximum throughput of a table or an index, in words; empty without one."""
    given = described.get("OnDemandThroughput", {})
    kinds = {"MaxReadRequestUnits": "read units", "MaxWriteRequestUnits": "write units"}
    return " and ".join(f"{given[name]} {words}" for name, words in kinds.items() if given.get(name, UNLIMITED) != UNLIMITED)


def muted(deployment):
    """Muted alarms."""
    if is_local():
        return
    own, silent = set(deployment.stack.of_type("AWS::CloudWatch::Alarm").values()), 0
    pages = client("cloudwatch").get_paginator("list_alarm_mute_rules").paginate(Statuses=["ACTIVE"])
    for summary in [one for page in pages for one in page["AlarmMuteRuleSummaries"]]:
        # arn:aws:cloudwatch:<region>:<account>:alarm-mute-rule:<name>
        name = summary["AlarmMuteRuleArn"].split(":", 6)[-1]
        rule = client("cloudwatch").get_alarm_mute_rule(AlarmMuteRuleName=name)
        silenced = sorted(own & set(rule.get("MuteTargets", {}).get("AlarmNames", [])))
        if not silenced:
            continue
        silent += 1
        if name == f"{deployment.stack.name}-quiet-hours":
            yield "note", f"it is quiet hours (QuietHours): {', '.join(silenced)} notify nobody until they end"
        else:
            yield (
                "mend",
                f"{', '.join(silenced)} notify nobody, since the rule {name} mutes them. When the repair is done: "
                f"`aws cloudwatch delete-alarm-mute-rule --alarm-mute-rule-name {name}` ({MUTES})",
            )
    if not silent:
        yield "ok", "no alarm is muted"
