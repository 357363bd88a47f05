"""Examines a deployed stack: says what is wrong with it, and for each thing what to do.

It changes nothing, and reads no secret: drift detection only compares. A check that the caller's permissions do not allow is a
note.
"""

import socket
import time
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from commands import by_hand, checks, preflight, queues
from commands.cloud import Problem, client, error_code, is_local
from commands.concurrency import concurrency

# How long CloudFormation may take to compare the stack with its template.
DRIFT_SECONDS = 180
DRIFT_POLL_SECONDS = 3
# How long the API may take to answer.
HTTP_SECONDS = 10
# The part of Lambda's storage for code from which old versions have to go.
STORAGE_PERCENT = 80


def doctor(stack, root, environment):
    """Runs the checks and prints their results. Raises a Problem if something has to be mended."""
    deployment = preflight.Deployment(stack, root, environment, {})
    if deployment.is_first:
        raise Problem(f"the stack `{stack.name}` does not exist: `cargo xtask preflight` checks a first deployment")
    # What prevents a deployment has to be mended in a stack that runs.
    counts = checks.run(CHECKS, deployment, obstacle="mend")
    if counts["mend"]:
        things = "one thing has" if counts["mend"] == 1 else f"{counts['mend']} things have"
        raise Problem(f"{things} to be mended: the lines that begin with `mend` say how")
    return counts


def state(deployment):
    """The stack."""
    status = deployment.description["StackStatus"]
    name = deployment.stack.name
    if status == "UPDATE_ROLLBACK_COMPLETE":
        yield "note", f"the last deployment of `{name}` was rolled back, so that the one before it runs: its events in CloudFormation name the reason"
    elif status.endswith("_FAILED"):
        yield (
            "mend",
            f"`{name}` has the status {status}: `aws cloudformation describe-stack-events --stack-name {name}` names the reason; "
            f"then `aws cloudformation continue-update-rollback --stack-name {name}`",
        )
    elif status.endswith("IN_PROGRESS"):
        yield "note", f"`{name}` is being changed ({status}): examine it again afterwards"
    else:
        yield "ok", f"`{name}` has the status {status}"


def storage(_):
    """Lambda's storage of code."""
    used, limit = preflight.code_storage()
    percent = 100 * used // limit
    if percent >= STORAGE_PERCENT:
        yield (
            "mend",
            f"{percent} % of Lambda's {limit / 2**30:.0f} GiB for code are used, and deployments fail when it is full: delete old "
            "versions of functions and layers (`aws lambda list-versions-by-function`, `aws lambda delete-function`)",
        )
    else:
        yield "ok", f"{percent} % of Lambda's storage for code are used"


def catalogue(deployment):
    """The catalogue."""
    table = deployment.stack.outputs()["CatalogTable"]
    name = deployment.stack.name
    if client("dynamodb").scan(TableName=table, Limit=1, Select="COUNT")["Count"]:
        yield "ok", "the catalogue has movies"
    elif deployment.parameters["WorkerUrl"]:
        yield "note", f"the catalogue is empty: previews show nothing. `cargo xtask catalog import FILE --aws-stack {name}` fills it"
    else:
        yield (
            "mend",
            "the catalogue is empty, and jobs without a worker take their movies from it: run "
            f"`cargo xtask catalog import infra/catalog/movies.json --aws-stack {name}`, or import your own",
        )


def address(deployment):
    """The address of the API."""
    base = (deployment.parameters["PublicBaseUrl"] or deployment.stack.outputs()["ApiUrl"]).rstrip("/")
    host = urlsplit(base).hostname or ""
    try:
        socket.getaddrinfo(host, 443)
    except socket.gaierror as error:
        yield (
            "mend",
            f"the name {host} of PublicBaseUrl does not resolve ({error.strerror}): callbacks and links begin with it. Set its DNS "
            "record (docs/edge.md), or deploy with another PublicBaseUrl",
        )
        return
    status, reason = health(base)
    if status == 200:
        yield "ok", f"{base} answers"
    else:
        found = reason if status is None else f"the status {status}"
        yield (
            "mend",
            f"{base}/health gives {found} and not 200: if the name is your own, its record or its certificate leads elsewhere "
            f"(docs/edge.md); if not, look at the log /aws/lambda/{deployment.stack.name}-pages",
        )


def health(base):
    """The status of /health, and the reason if there is none."""
    try:
        with urllib.request.urlopen(f"{base}/health", timeout=HTTP_SECONDS) as answer:
            return answer.status, None
    except urllib.error.HTTPError as error:
        return error.code, None
    except (urllib.error.URLError, OSError) as error:
        return None, str(getattr(error, "reason", error))


def topic(deployment):
    """The topic of the alarms."""
    arn, kind = deployment.parameters["AlarmTopicArn"], deployment.parameters["Alarms"]
    if kind == "none":
        yield "note", "Alarms=none: nobody hears when this stack fails"
        return
    if not arn:
        yield "mend", "no alarm notifies anybody: create a topic with a subscription, and deploy its ARN (docs/deployment.md, Alarms)"
        return
    try:
        found = client("sns").get_topic_attributes(TopicArn=arn)["Attributes"]
    except ClientError as error:
        if error_code(error) not in ("NotFound", "NotFoundException", "InvalidParameter"):
            raise
        yield "mend", f"the topic of the alarms, {arn}, does not exist here: create it again, or deploy another AlarmTopicArn"
        return
    confirmed, pending = int(found.get("SubscriptionsConfirmed", 0)), int(found.get("SubscriptionsPending", 0))
    if confirmed:
        yield "ok", f"alarms notify {arn}, which has {confirmed} confirmed subscriptions"
    elif pending:
        yield "mend", f"{pending} subscriptions of {arn} are not confirmed, so no alarm arrives: open the link in their mail"
    else:
        yield "mend", f"{arn} has no subscription, so no alarm arrives: `aws sns subscribe --topic-arn {arn} --protocol email …`"


def runbook(deployment):
    """The address of the runbook."""
    address = deployment.parameters["RunbookUrl"]
    parts = urlsplit(address)
    if deployment.parameters["Alarms"] == "none":
        yield "ok", "without alarms nothing names the runbook"
    elif parts.scheme in ("http", "https") and parts.hostname:
        yield "ok", f"alarms name their pages below {address}"
    else:
        yield (
            "note",
            f"RunbookUrl is {address} and no URL, so that mails of alarms have no link: deploy the address at which your people read "
            "docs/runbook (docs/deployment.md, Alarms)",
        )


def alarms(deployment):
    """The alarms."""
    wanted = set(deployment.stack.of_type("AWS::CloudWatch::Alarm").values())
    pages = client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNamePrefix=deployment.stack.name)
    found = [alarm for page in pages for alarm in page["MetricAlarms"] if alarm["AlarmName"] in wanted]
    for alarm in found:
        if alarm["StateValue"] == "ALARM":
            yield (
                "mend",
                f"{alarm['AlarmName']} rings since {alarm['StateTransitionedTimestamp']:%Y-%m-%d %H:%M} UTC: "
                f"{alarm.get('AlarmDescription', '')} (docs/operations.md, Alarms)",
            )
        if not alarm["ActionsEnabled"]:
            yield (
                "mend",
                f"{alarm['AlarmName']} notifies nobody, since its actions are off: "
                f"`aws cloudwatch enable-alarm-actions --alarm-names {alarm['AlarmName']}`",
            )
    missing = sorted(wanted - {alarm["AlarmName"] for alarm in found})
    if missing:
        yield "mend", f"{', '.join(missing)} were deleted: drift of the stack, see below"
    elif all(alarm["StateValue"] != "ALARM" for alarm in found):
        yield "ok", f"none of {len(found)} alarms rings"


def sources(deployment):
    """The event sources."""
    stopped = []
    for logical, uuid in sorted(deployment.stack.of_type("AWS::Lambda::EventSourceMapping").items()):
        found = client("lambda").get_event_source_mapping(UUID=uuid)
        if found["State"] not in ("Enabled", "Enabling", "Updating", "Creating"):
            stopped.append(f"{logical} ({found['State']}: `aws lambda update-event-source-mapping --uuid {uuid} --enabled`)")
    for logical, name in sorted(deployment.stack.of_type("AWS::Events::Rule").items()):
        if client("events").describe_rule(Name=name.rsplit("/", 1)[-1])["State"] != "ENABLED":
            stopped.append(f"{logical} (`aws events enable-rule --name {name}`)")
    if stopped:
        yield "mend", f"these do not call their function, so their work waits: {'; '.join(stopped)}"
    else:
        yield "ok", "queues, streams and the schedule call their functions"


def backlog(deployment):
    """The queues."""
    name, depths = deployment.stack.name, queues.depths(deployment.stack)
    dead = depths.get("DeadLetters", {}).get("waiting", 0)
    failures = depths.get("Failures", {}).get("waiting", 0)
    refused = depths.get(queues.REFUSED, {}).get("waiting", 0)
    if dead:
        yield "mend", f"{dead} dead letters: mend what crashed their function, then `cargo xtask redrive --aws-stack {name}`"
    if failures:
        yield "mend", f"{failures} notes about unreadable stream records: docs/operations.md, Records that could not be processed"
    if refused:
        yield "mend", f"{refused} orders that the job inbox refused: docs/runbook/job-inbox-refused.md"
    if not dead and not failures and not refused:
        yield "ok", "no dead letters, no unreadable stream records, and no refused orders"


def drift(deployment):
    """Drift."""
    if is_local():
        return
    cloudformation, name = client("cloudformation"), deployment.stack.name
    detection = cloudformation.detect_stack_drift(StackName=name)["StackDriftDetectionId"]
    deadline = time.monotonic() + DRIFT_SECONDS
    while True:
        found = cloudformation.describe_stack_drift_detection_status(StackDriftDetectionId=detection)
        if found["DetectionStatus"] != "DETECTION_IN_PROGRESS":
            break
        if time.monotonic() > deadline:
            yield "note", f"CloudFormation has not compared the stack within {DRIFT_SECONDS} s: look at its Drifts in the console"
            return
        time.sleep(DRIFT_POLL_SECONDS)
    filters = ["MODIFIED", "DELETED"]
    pages = cloudformation.get_paginator("describe_stack_resource_drifts").paginate(
        StackName=name, StackResourceDriftStatusFilters=filters
    )
    drifted = [one for page in pages for one in page["StackResourceDrifts"]]
    for one in drifted:
        changes = ", ".join(
            f"{difference['PropertyPath']} is {difference['ActualValue']} and not {difference['ExpectedValue']}"
            for difference in one.get("PropertyDifferences", [])
        )
        what = "was deleted" if one["StackResourceDriftStatus"] == "DELETED" else f"was changed by hand: {changes}"
        yield (
            "mend",
            f"{one['LogicalResourceId']} {what}. Put the old value back by hand, or into template.yaml and `sam deploy`: "
            "a deployment does not see what was changed outside of it",
        )
    if found["DetectionStatus"] == "DETECTION_FAILED":
        yield "note", f"CloudFormation could not compare all resources: {found.get('DetectionStatusReason', 'no reason')}"
    elif not drifted:
        yield "ok", "the stack is as its template says"


CHECKS = (
    state,
    concurrency,
    storage,
    preflight.settings,
    preflight.layer,
    catalogue,
    address,
    topic,
    runbook,
    alarms,
    by_hand.muted,
    sources,
    by_hand.reserved,
    by_hand.throughput,
    backlog,
    drift,
)
