"""Patch for CloudWatch Logs Insights: saved queries, and what they find."""

import json
import time
import uuid

import insights
from mends.ministack import cloudwatch_logs, provisioners


def saved_queries():
    """CloudFormation makes AWS::Logs::QueryDefinition, DescribeQueryDefinitions lists them, and StartQuery evaluates what
    `insights` does, over all fields of JSON lines. ministack knows no saved queries, and reads no fields of lines."""
    saved, answer = {}, cloudwatch_logs.handle_request

    def put(identifier, props):
        saved[identifier] = {
            "queryDefinitionId": identifier,
            "name": props["Name"],
            "queryString": props["QueryString"],
            "logGroupNames": props.get("LogGroupNames", []),
            "lastModified": int(time.time() * 1000),
        }
        return identifier, {"QueryDefinitionId": identifier}

    provisioners._RESOURCE_HANDLERS["AWS::Logs::QueryDefinition"] = {
        "create": lambda logical_id, props, stack: put(str(uuid.uuid4()), props),
        "update": lambda physical_id, old, new, stack: put(physical_id, new),
        "delete": lambda physical_id, props: saved.pop(physical_id, None),
    }

    async def handle_request(method, path, headers, body, query_params):
        if not headers.get("x-amz-target", "").endswith(".DescribeQueryDefinitions"):
            return await answer(method, path, headers, body, query_params)
        prefix = json.loads(body or b"{}").get("queryDefinitionNamePrefix", "")
        found = [one for one in saved.values() if one["name"].startswith(prefix)]
        content = {"queryDefinitions": sorted(found, key=lambda one: one["name"])}
        return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(content).encode()

    def refused(code, sentence):
        return 400, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps({"__type": code, "message": sentence}).encode()

    def start_query(data):
        groups = cloudwatch_logs._resolve_query_log_groups(data)
        missing = [name for name in groups if name not in cloudwatch_logs._log_groups]
        if missing:
            return refused("ResourceNotFoundException", f"The specified log group does not exist: {missing[0]}")
        lines = cloudwatch_logs._collect_query_records(groups, data["startTime"], data["endTime"])
        records = [insights.record_of(one["@message"], one.get("@log", ""), one.get("_timestamp_ms", 0)) for one in lines]
        try:
            rows = insights.run(data["queryString"], records)
        except insights.Unknown as error:
            return refused("MalformedQueryException", str(error))
        identifier = str(uuid.uuid4())
        cloudwatch_logs._queries[identifier] = {
            "queryId": identifier,
            "queryString": data["queryString"],
            "status": "Complete",
            "results": [[{"field": name, "value": str(value)} for name, value in row.items()] for row in rows],
            "statistics": {"recordsMatched": float(len(rows)), "recordsScanned": float(len(lines)), "bytesScanned": 0.0},
        }
        return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps({"queryId": identifier}).encode()

    cloudwatch_logs.handle_request, cloudwatch_logs._start_query = handle_request, start_query
