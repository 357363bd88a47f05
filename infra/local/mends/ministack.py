"""The parts of ministack that the patches wrap or call, loaded with a check that each exists."""

import importlib
import importlib.metadata
import operator
import sys
from contextlib import contextmanager

VERSION = "1.5.33"
USED = {
    "app": "app main pin_request_origin _parse_lambda_url",
    "core.iam_actions": "extract_iam_action extract_resource_arn dynamodb_transaction_checks _dynamodb_table_arn",
    "core.sigv4": "header_signing_documents",
    "core.lambda_runtime": "Worker._drain_stderr_bounded ProvidedWorker.invoke ProvidedWorker._build_handler_class"
    " _INVOCATION_RESULT_RE",
    "services.apigateway": "_apis _routes _integrations _authorizers _create_route _create_integration"
    " _create_authorizer handle_execute run_reentrant find_api_scope _stages",
    "services.cloudformation": "_stacks",
    "services.cloudformation.provisioners": "_RESOURCE_HANDLERS",
    "services.cloudformation.engine": "_apply_transforms _transform_parameters",
    "services.cloudformation.changesets": "_apply_transforms",
    "services.cloudformation.handlers": "_apply_transforms",
    "services.dynamodb": "handle_request _ttl_settings _remove_item _tables _emit_stream_event _stream_records"
    " stream_start_position stream_end_position stream_records_since _set_item _normalize_table_name _INDEX_MEMBERS",
    "services.lambda_svc": "_iter_all_esms _request_account_id _request_region _restore_state _execute_function"
    " _apply_filter_criteria _dispatch_esm_batch _esm_inflight _dynamodb_stream_positions"
    " _init_stream_position _get_func_record_for_qualifier _poll_dynamodb_streams"
    " _poll_kinesis _esm_wake _function_urls _function_url_id resolve_function_url logger"
    " _emit_lambda_logs _emit_lambda_metrics _provided_worker_env _recursive_loop_drop _xray_trace_id_for_invocation"
    " _put_function_recursion_config _sqs_esm_concurrency",
    "services.s3": "_put_object",
    "services.sns": "publish_internal",
    "services.sqs": "_act_send_message _queue_url _build_send_sys_attrs _queues",
    "services.cloudwatch": "record_metric _alarms _metrics _dims_key _calc_stats _stat_value _evaluate_alarm _evict_old_metrics"
    " _record_history _dispatch_alarm_actions",
    "services.cloudwatch_logs": "handle_request _metric_filters _start_query _queries _log_groups"
    " _resolve_query_log_groups _collect_query_records _create_log_stream _put_log_events",
}


def load(used):
    """Imports the modules in `used`; exits with a message unless version and attributes are the expected ones."""
    found = importlib.metadata.version("ministack")
    if found != VERSION:
        sys.exit(f"launcher: ministack must be {VERSION} (got {found}): before an upgrade, run infra/local/checks on every patch")
    modules = {name: importlib.import_module("ministack." + name) for name in used}
    for name, attributes in used.items():
        for attribute in attributes.split():
            try:
                operator.attrgetter(attribute)(modules[name])
            except AttributeError:
                sys.exit(f"launcher: ministack.{name} has no {attribute}, which a patch needs")
    return [modules[name] for name in used]


(
    ministack_app,
    iam,
    sigv4,
    lambda_runtime,
    apigateway,
    cloudformation,
    provisioners,
    engine,
    changesets,
    handlers,
    dynamodb,
    lambda_svc,
    s3,
    sns,
    sqs,
    cloudwatch,
    cloudwatch_logs,
) = load(USED)


@contextmanager
def scope_of(account, region):
    """Sets account and region, as ministack's own pollers do."""
    tokens = lambda_svc._request_account_id.set(account), lambda_svc._request_region.set(region)
    try:
        yield
    finally:
        lambda_svc._request_account_id.reset(tokens[0])
        lambda_svc._request_region.reset(tokens[1])


def on_deploy(resource_type, done, prepare=lambda props: props):
    """When CloudFormation creates or updates a `resource_type`, passes prepare(properties) to its handler, and then
    calls done(physical_id, properties)."""
    handlers = provisioners._RESOURCE_HANDLERS[resource_type]
    create, update = handlers["create"], handlers["update"]

    def created(logical_id, props, stack):
        made = create(logical_id, prepare(props), stack)
        done(made[0], props)
        return made

    def updated(physical_id, old, new, stack, logical_id=None):
        made = update(physical_id, prepare(old), prepare(new), stack, logical_id=logical_id)
        done(made[0], new)
        return made

    handlers["create"], handlers["update"] = created, updated


def records_of(event, source):
    """The records of an event if they are of this service. A caller may send any event."""
    records = event.get("Records") if isinstance(event, dict) else None
    records = records if isinstance(records, list) else []
    return records if all(isinstance(one, dict) and one.get("eventSource") == source for one in records) else []
