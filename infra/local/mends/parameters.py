"""Patches for the values of template parameters."""

import contextvars
import functools

from samtranslator.translator import transform

from mends.ministack import changesets, engine, handlers, on_deploy


def values_in_the_sam_transform():
    """The SAM transform receives the parameter values, as on AWS. ministack passes none, so values that SAM itself
    resolves, such as the CORS of an HttpApi, would be the parameters' defaults."""
    values = contextvars.ContextVar("parameter values", default={})
    sam, apply = transform.transform, engine._apply_transforms

    @functools.wraps(apply)
    def applied(template, provided_params=None, previous_params=None):
        token = values.set(engine._transform_parameters(template, provided_params, previous_params))
        try:
            return apply(template, provided_params, previous_params)
        finally:
            values.reset(token)

    transform.transform = lambda template, given, loader: sam(template, {**values.get(), **given}, loader)
    for module in (engine, changesets, handlers):
        module._apply_transforms = applied


def numbers_of_event_sources():
    """Numbers of an event source that come from a parameter (`!Ref`) are strings. CloudFormation converts them, but
    ministack compares the strings, and its poller stops."""
    on_deploy("AWS::Lambda::EventSourceMapping", lambda physical_id, props: None, with_numbers)


def with_numbers(value):
    """`value` with every string that is a whole number converted to a number."""
    if isinstance(value, dict):
        return {name: with_numbers(part) for name, part in value.items()}
    if isinstance(value, list):
        return [with_numbers(part) for part in value]
    if isinstance(value, str) and value.removeprefix("-").isdecimal():
        return int(value)
    return value
