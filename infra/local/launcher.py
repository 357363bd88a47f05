"""Starts ministack with the patches that this project needs, instead of the `ministack` command.

It reads ministack's environment variables, and:

    FRONT="3000=Api"            serves the HTTP API at http://127.0.0.1:3000/
    FRONT="3000=Api,3000=WsApi" and a WebSocket API at ws://127.0.0.1:3000/<stage>
    FUNCTION_LOG=path           appends the output of functions to a file
    METRIC_SPEED=60             lets a minute of CloudWatch pass in a second
    FUNCTIONS_ENDPOINT=URL      is where functions call AWS: the fault proxy (infra/faults), which orders faults here too
"""

import os

from mends import access_log, faults, functions, http, metrics, parameters, queries, recursion, streams, tables, url_stream
from mends.ministack import ministack_app

PATCHES = [
    functions.quick_answers,
    functions.own_environment,
    functions.ssm_resources,
    functions.sqs_batch_actions,
    functions.statements_are_actions,
    functions.loopback_counts_as_tls,
    functions.queues_of_stopped_functions,
    http.http_api_body,
    access_log.access_logs,
    metrics.metrics_of_functions,
    metrics.metrics_of_logs,
    metrics.types_of_errors,
    metrics.metrics_of_apis,
    metrics.alarms_ring,
    parameters.numbers_of_event_sources,
    parameters.values_in_the_sam_transform,
    queries.saved_queries,
    recursion.lineage_through_queues,
    streams.stream_answers,
    streams.stream_positions_after_restart,
    streams.kinesis_off_the_poller,
    tables.table_ttl,
    tables.on_demand_limits,
    url_stream.url_response_stream,
    metrics.metrics_of_urls,
]


def main():
    """Applies the patches, and runs ministack until it is stopped."""
    for patch in PATCHES:
        patch()
    if endpoint := os.environ.get("FUNCTIONS_ENDPOINT"):
        faults.hostile(endpoint)
    if front := os.environ.get("FRONT"):
        http.front(front)
    http.own_pages_only(os.environ.get("FRONT", ""))
    if path := os.environ.get("FUNCTION_LOG"):
        functions.log_to_file(path)
    ministack_app.main()


if __name__ == "__main__":
    main()
