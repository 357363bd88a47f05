"""One port without a prefix for the HTTP API, the WebSocket API and the Function URLs, and no access for pages of other
origins, and the access log of the HTTP API (patches front, own_pages_only, http_api_body, access_logs, url_response_stream,
values_in_the_sam_transform)."""

import asyncio
import http.client
import json
import time
import urllib.request

import boto3
import websockets
from common import Server, until, zipped

HANDLER = """
def handler(event):
    log(fn=os.environ["AWS_LAMBDA_FUNCTION_NAME"])
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": json.dumps(event)}
"""
STREAM = """
import socket
def handler(event):
    # A chunked response, as the Rust runtime sends it; ministack refuses the plain response after it.
    host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":"); c = socket.create_connection((host, int(port)))
    head = "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\\r\\nHost: x\\r\\nTransfer-Encoding: chunked\\r\\n"
    head += "Lambda-Runtime-Function-Response-Mode: streaming\\r\\n"
    head += "Content-Type: application/vnd.awslambda.http-integration-response\\r\\n\\r\\n"
    c.sendall((head % rid).encode())
    def chunk(b): c.sendall(b"%x\\r\\n" % len(b) + b + b"\\r\\n")
    chunk(b'{"statusCode":201,"headers":{"content-type":"text/event-stream"}}' + bytes(8))
    for i in range(4): chunk(("data: %d %s\\n\\n" % (i, event["rawPath"])).encode()); time.sleep(.3)
    c.sendall(b"0\\r\\n\\r\\n"); c.recv(999); c.close()
    raise SystemExit
"""
TEMPLATE = {
    "Transform": "AWS::Serverless-2016-10-31",
    "Parameters": {"Origin": {"Type": "String", "Default": "*"}},
    "Conditions": {"AnyOrigin": {"Fn::Equals": [{"Ref": "Origin"}, "*"]}},
    "Globals": {"Function": {"Runtime": "provided.al2023", "Handler": "bootstrap", "Timeout": 10}},
    "Resources": {
        "Api": {
            "Type": "AWS::Serverless::HttpApi",
            # As in template.yaml: a list that a function makes of a parameter.
            "Properties": {
                "AccessLogSettings": {
                    "DestinationArn": {"Fn::GetAtt": ["Log", "Arn"]},
                    "Format": '{"id":"$context.requestId","route":"$context.routeKey","status":"$context.status",'
                    '"latency_ms":"$context.responseLatency","error":"$context.error.message"}',
                },
                "CorsConfiguration": {
                    "Fn::If": [
                        "AnyOrigin",
                        {"AllowOrigins": ["*"], "AllowMethods": ["GET"]},
                        {"AllowOrigins": {"Fn::Split": [",", {"Ref": "Origin"}]}, "AllowMethods": ["GET"]},
                    ]
                }
            },
        },
        "Log": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "api"}},
        "Fn": {
            "Type": "AWS::Serverless::Function",
            "Properties": {
                "CodeUri": "s3://code/fn.zip",
                "Events": {
                    "A": {
                        "Type": "HttpApi",
                        "Properties": {"ApiId": {"Ref": "Api"}, "Method": "ANY", "Path": "/{proxy+}"},
                    },
                    "R": {"Type": "HttpApi", "Properties": {"ApiId": {"Ref": "Api"}, "Method": "GET", "Path": "/"}},
                },
                "FunctionUrlConfig": {"AuthType": "NONE"},
                "Environment": {"Variables": {"EVLOG": "/dev/null"}},
            },
        },
        "StreamFn": {
            "Type": "AWS::Serverless::Function",
            "Properties": {
                "CodeUri": "s3://code/stream.zip",
                "Environment": {"Variables": {"EVLOG": "/dev/null"}},
                "FunctionUrlConfig": {"AuthType": "NONE", "InvokeMode": "RESPONSE_STREAM"},
            },
        },
        "WsApi": {
            "Type": "AWS::ApiGatewayV2::Api",
            "Properties": {
                "Name": "ws",
                "ProtocolType": "WEBSOCKET",
                "RouteSelectionExpression": "$request.body.action",
            },
        },
        "WsInt": {
            "Type": "AWS::ApiGatewayV2::Integration",
            "Properties": {
                "ApiId": {"Ref": "WsApi"},
                "IntegrationType": "AWS_PROXY",
                "IntegrationUri": {
                    "Fn::Sub": "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Fn.Arn}/invocations"
                },
            },
        },
        **{
            f"Ws{n}": {
                "Type": "AWS::ApiGatewayV2::Route",
                "Properties": {
                    "ApiId": {"Ref": "WsApi"},
                    "RouteKey": f"${n}",
                    "Target": {"Fn::Sub": "integrations/${WsInt}"},
                },
            }
            for n in ("connect", "default")
        },
        "WsStage": {
            "Type": "AWS::ApiGatewayV2::Stage",
            "Properties": {"ApiId": {"Ref": "WsApi"}, "StageName": "prod", "AutoDeploy": True},
        },
    },
    "Outputs": {"Name": {"Value": {"Ref": "Fn"}}, "Ws": {"Value": {"Ref": "WsApi"}}},
}

s = Server(FRONT="3071=Api,3071=WsApi")


def get(path, method="GET", port=3071, **headers):
    c = http.client.HTTPConnection("127.0.0.1", port)
    c.request(method, path, headers=headers)
    r = c.getresponse()
    return r.status, {k.lower(): v for k, v in r.getheaders()}, r.read()


assert get("/x")[0] == 404
print("ok before the deployment:", get("/x")[2].decode().strip())
b = s.client("s3")
b.create_bucket(Bucket="code")
b.put_object(Bucket="code", Key="fn.zip", Body=zipped(HANDLER))
b.put_object(Bucket="code", Key="stream.zip", Body=zipped(STREAM))
cf = s.client("cloudformation")
cf.create_stack(
    StackName="front",
    TemplateBody=json.dumps(TEMPLATE),
    Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    # Not the default value, since the SAM transform must insert this one.
    Parameters=[{"ParameterKey": "Origin", "ParameterValue": "https://app.example.com,https://shop.example.com"}],
)
done = until(
    lambda: (
        (x := cf.describe_stacks(StackName="front")["Stacks"][0])["StackStatus"]
        in ("CREATE_COMPLETE", "ROLLBACK_COMPLETE")
        and x
    ),
    30,
)
assert done["StackStatus"] == "CREATE_COMPLETE", (done, cf.describe_stack_events(StackName="front")["StackEvents"][:4])
out = {o["OutputKey"]: o["OutputValue"] for o in done["Outputs"]}

status, head, body = get("/items/a%20b/2?x=1&x=2", **{"Authorization": "Bearer t", "Cookie": "a=b"})
e = json.loads(body)
assert (status, e["rawPath"], e["rawQueryString"], e["routeKey"], e["requestContext"]["stage"]) == (
    200,
    "/items/a b/2",
    "x=1&x=2",
    "ANY /{proxy+}",
    "$default",
), e
assert e["headers"]["host"] == "127.0.0.1:3071" and e["headers"]["authorization"] == "Bearer t"
assert json.loads(get("/")[2])["routeKey"] == "GET /"
for path in ("/2015-03-31/functions", "/_ministack/health", "/_fn", "/restapis/x"):
    assert json.loads(get(path)[2])["rawPath"] == path, path
for origin, allowed in (
    ("https://app.example.com", "https://app.example.com"),
    ("https://shop.example.com", "https://shop.example.com"),
    ("https://evil.example.com", None),
):
    status, head, _ = get("/x", "OPTIONS", **{"Origin": origin, "Access-Control-Request-Method": "GET"})
    assert head.get("access-control-allow-origin") == allowed, (status, head)
print("ok HTTP API at / : rawPath", e["rawPath"], "| preflight", status)
lines = [json.loads(one["message"]) for one in s.client("logs").filter_log_events(logGroupName="api")["events"]]
(found,) = [one for one in lines if one["id"] == e["requestContext"]["requestId"]]
assert (found["route"], found["status"], found["error"]) == ("ANY /{proxy+}", "200", "-") and int(found["latency_ms"]) >= 0, found
assert {"id": "-", "route": "-"}.items() <= lines[-1].items(), "a preflight calls no function"
print("ok a line of the access log for each request:", len(lines))
times = []
for _ in range(30):
    t = time.time()
    get("/items/1")
    times.append(time.time() - t)
print("   warm GET ms:", round(sorted(times)[15] * 1000, 1))

for name in ("Fn", out["Name"]):
    e = json.loads(get(f"/_fn/{name}/a/b?y=1")[2])
    assert (e["rawPath"], e["rawQueryString"]) == ("/a/b", "y=1"), e
assert json.loads(get("/_fn/Fn")[2])["rawPath"] == "/" and get("/_fn/Nope/x")[0] == 404
c = http.client.HTTPConnection("127.0.0.1", 3071)
t = time.time()
c.request("GET", "/_fn/StreamFn/sse")
r = c.getresponse()
assert r.status == 201 and r.getheader("content-type") == "text/event-stream"
arrived = []
while line := r.readline():
    if line.strip():
        arrived.append((round(time.time() - t, 2), line.decode().strip()))
print("ok Function URLs; stream:", arrived)
assert len(arrived) == 4 and arrived[3][0] - arrived[0][0] > 0.7 and arrived[0][1] == "data: 0 /sse"


async def chat():
    async with websockets.connect("ws://127.0.0.1:3071/prod?token=abc") as w:
        await w.send('{"action":"x"}')
        e = json.loads(await asyncio.wait_for(w.recv(), 5))
        rc = e["requestContext"]
        assert rc["routeKey"] == "$default" and rc["stage"] == "prod", rc
        m = boto3.client(
            "apigatewaymanagementapi",
            endpoint_url="http://127.0.0.1:3071/prod",
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        await asyncio.to_thread(m.post_to_connection, ConnectionId=rc["connectionId"], Data=b"pushed")
        assert await asyncio.wait_for(w.recv(), 5) in ("pushed", b"pushed")


asyncio.run(chat())
print("ok WebSocket at /prod, @connections at /prod/@connections")
assert urllib.request.urlopen(s.url + "/_ministack/health").status == 200

# Access of pages, by Host, Origin and Sec-Fetch headers. The emulator itself listens on port 4571.
EVIL, OWN, NAMED = "http://127.0.0.1:8000", "http://localhost:3071", "https://app.example.com"
SAME = {"Sec-Fetch-Site": "same-site"}
for expected, path, headers in [
    (200, "/", {"Host": "[::1]:4571"}),
    (200, "/", {"Host": "bucket.localhost:4571"}),
    (403, "/", {"Host": "localhost.example:4571"}),
    (403, "/", {"Host": "evil.example"}),
    (403, "/", {"Host": "127.0.0.1.example:4571"}),
    (200, "/", {"Origin": OWN}),
    (200, "/", {"Origin": NAMED}),
    (403, "/", {"Origin": EVIL}),
    (403, "/", {"Origin": "null"}),
    (403, "/", {"Origin": "https://localhost:3071"}),
    (200, "/", {**SAME, "Sec-Fetch-Dest": "video"}),
    (403, "/", {**SAME, "Sec-Fetch-Dest": "empty"}),
    (403, "/", {**SAME, "Sec-Fetch-Dest": "script"}),
    (403, "/?Action=ListQueues", {**SAME, "Sec-Fetch-Dest": "image"}),
    (200, "/", {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "empty"}),
]:
    # The path without its slash, so that a query can be appended.
    found = get("/_ministack/health" + path[1:], port=4571, **headers)[0]
    assert found == expected, (found, expected, path, headers)
preflight = {"Origin": EVIL, "Access-Control-Request-Method": "PUT"}
assert get("/_ministack/health", "OPTIONS", port=4571, **preflight)[0] == 403
assert get("/_fn/Fn", **{"Host": "localhost.example:3071"})[0] == 403 and get("/_fn/Fn")[0] == 200
assert get("/", **{"Host": "evil.example", "Origin": EVIL})[0] == 200, "the functions of an API check its requests"
print("ok no access for pages of other origins")
