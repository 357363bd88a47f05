"""Deployment of a SAM template, and a restart: routes, authorizers and CORS of an HttpApi (patch http_api_body), table
TTL (table_ttl), streamed responses and their failure (url_response_stream), stream positions after a restart
(stream_positions_after_restart)."""

import http.client
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request

import common
from common import Server, until, zipped

WEB = """
def handler(event):
    return {"statusCode": 200, "body": "ok"}
"""
STREAM = """
import socket
def handler(event):
    # A chunked response, as the Rust runtime sends it; with ?abort the last chunk contains the trailers of a failure.
    query = event.get("queryStringParameters") or {}
    host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
    c = socket.create_connection((host, int(port)))
    def chunk(b): c.sendall(b"%x\\r\\n" % len(b) + b + b"\\r\\n")
    head = "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\\r\\nHost: x\\r\\nTransfer-Encoding: chunked\\r\\n"
    head += "Lambda-Runtime-Function-Response-Mode: streaming\\r\\n\\r\\n"
    c.sendall((head % rid).encode())
    chunk(b'{"statusCode":201,"headers":{"x-test":"yes"}}' + bytes(8))
    for i in range(3):
        chunk(b"part %d" % i)
        time.sleep(0.4)
    if "abort" in query: chunk(b"Lambda-Runtime-Function-Error-Type: Aborted\\r\\n")
    c.sendall(b"0\\r\\n\\r\\n"); c.recv(999); c.close()
    raise SystemExit
"""
TABLE = """
def handler(event):
    for r in event["Records"]:
        log(k="ddb", ev=r["eventName"], pk=r["dynamodb"]["Keys"]["pk"]["S"], user=r.get("userIdentity"))
"""


def function(code, **properties):
    return {"Type": "AWS::Serverless::Function", "Properties": {"CodeUri": f"s3://code/{code}.zip", **properties}}


def get(path, **properties):
    return {"Type": "HttpApi", "Properties": {"ApiId": {"Ref": "Api"}, "Method": "GET", "Path": path, **properties}}


JWT = {
    "IdentitySource": "$request.header.Authorization",
    "JwtConfiguration": {"issuer": "http://127.0.0.1:1/none", "audience": ["x"]},
}
s = Server(PERSIST_STATE="1", S3_PERSIST="1")
TEMPLATE = {
    "Transform": "AWS::Serverless-2016-10-31",
    "Globals": {
        "Function": {
            "Runtime": "provided.al2023",
            "Handler": "bootstrap",
            "Timeout": 10,
            "Environment": {"Variables": {"EVLOG": str(s.log)}},
        }
    },
    "Resources": {
        "Api": {
            "Type": "AWS::Serverless::HttpApi",
            "Properties": {
                "Tags": {"ms-custom-id": "stable01"},
                "CorsConfiguration": {"AllowOrigins": ["https://a.example"], "AllowMethods": ["GET"]},
                "Auth": {"Authorizers": {"Jwt": JWT}},
            },
        },
        "Web": function("web", Events={"Open": get("/open/{id}"), "Shut": get("/shut", Auth={"Authorizer": "Jwt"})}),
        "Stream": function("stream", FunctionUrlConfig={"AuthType": "NONE", "InvokeMode": "RESPONSE_STREAM"}),
        "Table": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
                "StreamSpecification": {"StreamViewType": "NEW_AND_OLD_IMAGES"},
                "TimeToLiveSpecification": {"AttributeName": "ttl", "Enabled": True},
            },
        },
        "OnChange": function(
            "table",
            Events={
                "S": {
                    "Type": "DynamoDB",
                    "Properties": {
                        "Stream": {"Fn::GetAtt": ["Table", "StreamArn"]},
                        "StartingPosition": "TRIM_HORIZON",
                        "BatchSize": 10,
                    },
                }
            },
        ),
    },
    "Outputs": {
        "Api": {"Value": {"Ref": "Api"}},
        "Table": {"Value": {"Ref": "Table"}},
        "Url": {"Value": {"Fn::GetAtt": ["StreamUrl", "FunctionUrl"]}},
    },
}
bucket = s.client("s3")
bucket.create_bucket(Bucket="code")
for name, handler in (("web", WEB), ("stream", STREAM), ("table", TABLE)):
    bucket.put_object(Bucket="code", Key=f"{name}.zip", Body=zipped(handler))
cf = s.client("cloudformation")
cf.create_stack(
    StackName="deploy", TemplateBody=json.dumps(TEMPLATE), Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
)
stack = until(
    lambda: (x := cf.describe_stacks(StackName="deploy")["Stacks"][0])["StackStatus"].endswith("COMPLETE") and x, 30
)
assert stack["StackStatus"] == "CREATE_COMPLETE", stack
out = {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]}


def status(path):
    try:
        return urllib.request.urlopen(f"{s.url}/_aws/execute-api/{out['Api']}{path}").status
    except urllib.error.HTTPError as e:
        return e.code


assert (out["Api"], status("/open/1"), status("/shut"), status("/none")) == ("stable01", 200, 401, 404)
print("ok Body: routes, JWT authorizer, ms-custom-id")


def streamed(query):
    c = http.client.HTTPConnection(s.url.split("//")[1])
    c.request("GET", f"/_aws/lambda-url/{out['Url'].split('//')[1].split('.')[0]}/?{query}")
    r = c.getresponse()
    began, got = time.time(), []
    try:
        while r.read1():  # readline would hide an aborted connection
            got.append(round(time.time() - began, 1))
        return r.status, r.getheader("x-test"), got, "complete"
    except (http.client.HTTPException, ConnectionError) as e:
        return r.status, r.getheader("x-test"), got, "aborted: " + type(e).__name__


a = streamed("")
assert a[0] == 201 and a[1] == "yes" and len(a[2]) == 3 and a[2][2] >= 0.7 and a[3] == "complete", a
print("ok stream", a)
# The handler ends its process after a response, and an invocation of the ending process returns 502.
a = until(lambda: (x := streamed("abort=1"))[0] == 201 and x)
assert a and a[3].startswith("aborted"), a
print("ok failure within a stream", a)

ddb = s.client("dynamodb")


def put(pk, **attributes):
    ddb.put_item(TableName=out["Table"], Item={"pk": {"S": pk}, **attributes})


def seen(pk, event="INSERT"):
    return s.events(k="ddb", ev=event, pk=pk)


ttl = ddb.describe_time_to_live(TableName=out["Table"])["TimeToLiveDescription"]
assert ttl["TimeToLiveStatus"] == "ENABLED", ttl
for i in range(5):
    put(f"before{i}")
assert until(lambda: seen("before4"))
s.process.terminate()
s.process.wait(20)
s.process = subprocess.Popen(
    [sys.executable, common.LAUNCHER], env=s.env, stdout=open(s.dir / "ms2.log", "w"), stderr=subprocess.STDOUT
)
until(s.healthy, 20)
put("after0")
assert until(lambda: seen("after0"), 5)
print("ok after a restart the first stream record is delivered; HTTP", status("/open/1"))
put("expiring", ttl={"N": str(int(time.time()) + 1)})
began = time.time()
removed = until(lambda: seen("expiring", "REMOVE"), 90, 0.5)
assert removed and removed[0]["user"]["type"] == "Service", removed
print(f"ok TTL delete after {time.time() - began:.0f} s: {removed[0]['user']}")
