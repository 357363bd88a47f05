"""Checks whether an account's concurrent executions suffice for a stack's parameters, and suggests values that fit."""

from commands.cloud import client

# Lambda requires this many of an account's executions to stay unreserved.
UNRESERVED = 100
RESERVED = ("StreamReserved", "WaitReserved", "VideosWaitReserved", "CallbacksReserved", "FanoutReserved", "CleanupReserved")
# Parameters whose work occupies an execution for minutes.
HOLDING = ("RenderConcurrency", "MaxViewers", "MaxWaiters")
# Parameters whose work takes seconds, and waits in its queue if no execution is free.
PASSING = ("WorkConcurrency", "DeliveryConcurrency", "LiveConcurrency")
# Executions of the reader of the job inbox (`MaximumConcurrency` of InboxReader in template.yaml).
INBOX = 2
# Executions for `fanout`, `cleanup` and some requests of the API.
REST = 5
# Below this limit, the profile `small` is suggested.
SMALL = 40
MORE = (
    "aws service-quotas request-service-quota-increase --service-code lambda --quota-code L-B99A9384 --desired-value 1000"
)


def concurrency(deployment):
    """Concurrent executions."""
    limit = client("lambda").get_account_settings()["AccountLimit"]
    most, free = limit["ConcurrentExecutions"], limit["UnreservedConcurrentExecutions"]
    reserved = sum(deployment.number(name) for name in RESERVED)
    # Executions that this stack has already reserved are not counted twice.
    before = sum(int(deployment.deployed.get(name) or 0) for name in RESERVED)
    free = free + before - reserved
    if reserved and free < UNRESERVED:
        spare = max(free + reserved - UNRESERVED, 0)
        yield (
            "stop",
            f"{' + '.join(RESERVED)} are {reserved}, but this account can reserve only {spare}, since Lambda keeps "
            f"{UNRESERVED} of its {most} executions unreserved: set them to 0"
            + (f", or to {spare} together" if spare else ""),
        )
        return
    # With reservations, streams and waits use only their own executions, not the shared ones.
    both = deployment.number("StreamReserved") and deployment.number("WaitReserved")
    holding = [name for name in HOLDING if not (name == "MaxViewers" and both)]
    held = sum(deployment.number(name) for name in holding)
    inbox = INBOX if deployment.parameters.get("JobInbox") == "on" else 0
    at_once = held + REST + inbox + sum(deployment.number(name) for name in PASSING)
    unlimited = deployment.parameters.get("QueueLimits") == "off"
    if held + REST > free:
        named = ", ".join(f"{name}={deployment.number(name)}" for name in holding)
        yield (
            "stop",
            f"{named} may occupy {held} executions for minutes, but of this account's {most} concurrent executions only "
            f"{free} are free: requests and webhooks would be throttled. Deploy with {fitting(free, deployment)}, "
            f"or request a higher quota first, which is free and takes some hours (`{MORE}`)",
        )
    elif unlimited:
        yield (
            "note",
            f"with QueueLimits=off a burst of messages may take all {free} free executions of this account, and requests "
            f"are throttled meanwhile. A higher quota is free: `{MORE}`",
        )
    elif at_once > free:
        yield (
            "note",
            f"under full load {at_once} executions run concurrently, but of this account's {most} only {free} are free. "
            f"Messages then wait in their queues, and none is lost. A higher quota is free: `{MORE}`",
        )
    else:
        yield "ok", f"{free} of the account's {most} concurrent executions are free; the stack uses at most {at_once}"


def fitting(free, deployment):
    """A deployment command whose parameters fit."""
    if free < SMALL:
        # The values of `small` take precedence over the given ones.
        return f"`{deployment.command(deployment.listed('small') if deployment.given else None, 'small')}`"
    quarter = free // 4
    numbers = {name: min(quarter, deployment.number(name)) for name in (*HOLDING, "DeliveryConcurrency")}
    return f"`{deployment.command(numbers)}`"
