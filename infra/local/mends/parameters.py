"""Numbers that come from template parameters, which are texts."""

from mends.ministack import on_deploy


def numbers_of_event_sources():
    """An event source's numbers may come from a parameter (`!Ref`), and then they are texts: CloudFormation
    reads them as numbers, ministack compares them as they are and its poller stops."""
    on_deploy("AWS::Lambda::EventSourceMapping", lambda physical_id, props: None, with_numbers)


def with_numbers(value):
    """`value` with every text that is a whole number as that number."""
    if isinstance(value, dict):
        return {name: with_numbers(part) for name, part in value.items()}
    if isinstance(value, list):
        return [with_numbers(part) for part in value]
    if isinstance(value, str) and value.removeprefix("-").isdecimal():
        return int(value)
    return value
