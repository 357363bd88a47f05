"""Start ministack with the mends that this project needs, in place of the `ministack` command.

It reads ministack's own environment variables, and:

    FRONT="3000=Api"            serve the HTTP API at http://127.0.0.1:3000/
    FRONT="3000=Api,3000=WsApi" and a WebSocket API at ws://127.0.0.1:3000/<stage>
    FUNCTION_LOG=path           append what functions print to a file
"""

import os

from mends import functions, http, parameters, recursion, streams, tables, url_stream
from mends.ministack import ministack_app

MENDS = [
    functions.quick_answers,
    functions.own_environment,
    functions.ssm_resources,
    functions.sqs_batch_actions,
    functions.statements_are_actions,
    functions.loopback_counts_as_tls,
    http.http_api_body,
    parameters.numbers_of_event_sources,
    parameters.values_in_the_sam_transform,
    recursion.lineage_through_queues,
    streams.stream_answers,
    streams.stream_positions_after_restart,
    streams.kinesis_off_the_poller,
    tables.table_ttl,
    url_stream.url_response_stream,
]


def main():
    """Apply the mends and run ministack until it is told to stop."""
    for mend in MENDS:
        mend()
    if front := os.environ.get("FRONT"):
        http.front(front)
    http.own_pages_only(os.environ.get("FRONT", ""))
    if path := os.environ.get("FUNCTION_LOG"):
        functions.log_to_file(path)
    ministack_app.main()


if __name__ == "__main__":
    main()
