"""Whether an account's concurrent executions suffice for a stack's parameters, and which values would fit."""

from commands.cloud import client

# Lambda keeps this many of an account's executions for functions without reserved concurrency.
UNRESERVED = 100
RESERVED = ("StreamReserved", "WaitReserved", "VideosWaitReserved", "FanoutReserved", "CleanupReserved")
# What occupies an execution for minutes.
HOLDING = ("RenderConcurrency", "MaxViewers", "MaxWaiters")
# What ends after seconds, and waits in its queue if there is no free execution.
PASSING = ("WorkConcurrency", "DeliveryConcurrency")
# `fanout` and `cleanup`, and some requests of the API.
REST = 5
# Below this, the profile `small` is the answer.
SMALL = 40
MORE = (
    "aws service-quotas request-service-quota-increase --service-code lambda --quota-code L-B99A9384 --desired-value 1000"
)


def concurrency(deployment):
    """Concurrent executions."""
    limit = client("lambda").get_account_settings()["AccountLimit"]
    most, free = limit["ConcurrentExecutions"], limit["UnreservedConcurrentExecutions"]
    reserved = sum(deployment.number(name) for name in RESERVED)
    # What this stack has reserved already is not taken twice.
    before = sum(int(deployment.deployed.get(name) or 0) for name in RESERVED)
    free = free + before - reserved
    if reserved and free < UNRESERVED:
        spare = max(free + reserved - UNRESERVED, 0)
        yield (
            "stop",
            f"{' + '.join(RESERVED)} are {reserved}, and Lambda lets this account reserve {spare}, since it keeps "
            f"{UNRESERVED} of its {most} executions unreserved: set them to 0"
            + (f", or to {spare} together" if spare else ""),
        )
        return
    # Streams and waits hold no more than what is reserved for them, beside what everything else shares.
    both = deployment.number("StreamReserved") and deployment.number("WaitReserved")
    holding = [name for name in HOLDING if not (name == "MaxViewers" and both)]
    held = sum(deployment.number(name) for name in holding)
    at_once = held + REST + sum(deployment.number(name) for name in PASSING)
    if held + REST > free:
        named = ", ".join(f"{name}={deployment.number(name)}" for name in holding)
        yield (
            "stop",
            f"{named} may hold {held} executions together for minutes, and of this account's {most} concurrent executions "
            f"{free} are free: requests and webhooks would be throttled. Deploy with {fitting(free, deployment)}, "
            f"or ask for more first, which costs nothing and takes some hours (`{MORE}`)",
        )
    elif at_once > free:
        yield (
            "note",
            f"under full load {at_once} executions run at once, and of this account's {most} {free} are free. Then what is in "
            f"queues waits, and nothing is lost. More cost nothing: `{MORE}`",
        )
    else:
        yield "ok", f"{free} of the account's {most} concurrent executions are free; the stack uses {at_once} at most"


def fitting(free, deployment):
    """How to deploy so that it fits."""
    if free < SMALL:
        # Its numbers take precedence over those that were given.
        return f"`{deployment.command(deployment.listed('small') if deployment.given else None, 'small')}`"
    quarter = free // 4
    numbers = {name: min(quarter, deployment.number(name)) for name in (*HOLDING, "DeliveryConcurrency")}
    return f"`{deployment.command(numbers)}`"
