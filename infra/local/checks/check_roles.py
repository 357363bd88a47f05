"""AUTH=true: what each function's role allows (patches ssm_resources, sqs_batch_actions, statements_are_actions).

The function All has the policies, None only logs, and Narrow the policies of other resources."""

import asyncio
import json
import sys
import urllib.error
import urllib.request

import websockets
from common import Server, until, zipped

HANDLER = """
import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
c = lambda s, **k: boto3.client(s, config=Config(retries={"max_attempts": 1}, signature_version="s3v4" if s == "s3" else None), **k)
T, B, Q = os.environ["TABLE"], os.environ["BUCKET"], os.environ["QUEUE"]
S = lambda v: {"S": v}
OPS = {
 "sts": lambda e: c("sts").get_caller_identity()["Arn"],
 "sqs_send": lambda e: c("sqs").send_message(QueueUrl=Q, MessageBody="x") and "ok",
 "ssm_get": lambda e: c("ssm").get_parameter(Name="/app/p")["Parameter"]["Value"],
 "ssm_by_path": lambda e: c("ssm").get_parameters_by_path(Path="/app")["Parameters"][0]["Value"],
 "ssm_names": lambda e: c("ssm").get_parameters(Names=["/app/p", "/app/s"])["Parameters"][0]["Value"],
 "ssm_secure": lambda e: c("ssm").get_parameter(Name="/app/s", WithDecryption=True)["Parameter"]["Value"],
 "secret": lambda e: c("secretsmanager").get_secret_value(SecretId="app/secret")["SecretString"],
 "s3_put": lambda e: c("s3").put_object(Bucket=B, Key="k", Body=b"hello") and "ok",
 "s3_get": lambda e: c("s3").get_object(Bucket=B, Key="k")["Body"].read().decode(),
 "s3_list": lambda e: c("s3").list_objects_v2(Bucket=B)["KeyCount"],
 "presign_get": lambda e: c("s3").generate_presigned_url("get_object", Params={"Bucket": B, "Key": "k"}),
 "presign_put": lambda e: c("s3").generate_presigned_url("put_object", Params={"Bucket": B, "Key": "up"}),
 "ddb_put": lambda e: c("dynamodb").put_item(TableName=T, Item={"pk": S("a"), "g": S("g")}) and "ok",
 "ddb_query_gsi": lambda e: c("dynamodb").query(TableName=T, IndexName="by-g", KeyConditionExpression="g=:g", ExpressionAttributeValues={":g": S("g")})["Count"],
 "ddb_tx_write": lambda e: c("dynamodb").transact_write_items(TransactItems=[{"Put": {"TableName": T, "Item": {"pk": S("b")}}}, {"ConditionCheck": {"TableName": T, "Key": {"pk": S("zz")}, "ConditionExpression": "attribute_not_exists(pk)"}}]) and "ok",
 "ddb_tx_get": lambda e: len(c("dynamodb").transact_get_items(TransactItems=[{"Get": {"TableName": T, "Key": {"pk": S("a")}}}])["Responses"]),
 "ddb_batch": lambda e: c("dynamodb").batch_write_item(RequestItems={T: [{"PutRequest": {"Item": {"pk": S("c")}}}]}) and "ok",
 "ddb_statement": lambda e: c("dynamodb").batch_execute_statement(Statements=[{"Statement": f"UPDATE \\"{T}\\" SET n=? WHERE pk=?", "Parameters": [{"N": "1"}, S("a")]}])["Responses"][0].get("Error", "ok"),
 "ddb_leading": lambda e: c("dynamodb").get_item(TableName=T, Key={"pk": S("a")})["Item"]["pk"]["S"],
 "post_to_connection": lambda e: c("apigatewaymanagementapi", endpoint_url=e["ws"]).post_to_connection(ConnectionId=e["cid"], Data=b"hi") and "ok",
}
def handler(event):
    if event.get("requestContext", {}).get("connectionId"): return {"statusCode": 200, "body": event["requestContext"]["connectionId"]}
    if "Records" in event: log(records=len(event["Records"]), fn=os.environ["AWS_LAMBDA_FUNCTION_NAME"]); return {}
    out = {}
    for n, f in OPS.items():
        try: out[n] = f(event)
        except ClientError as x: out[n] = "DENIED " + x.response["Error"]["Code"] + ": " + x.response["Error"]["Message"]
        except Exception as x: out[n] = "ERROR " + repr(x)
    return out
"""
AUTH = sys.argv[1] if len(sys.argv) > 1 else "true"
s = Server(AUTH=AUTH, FRONT="3072=WsApi")
b, ssm = s.client("s3"), s.client("ssm")
b.create_bucket(Bucket="code")
b.put_object(Bucket="code", Key="fn.zip", Body=zipped(HANDLER))
ssm.put_parameter(Name="/app/p", Type="String", Value="v")
ssm.put_parameter(Name="/app/s", Type="SecureString", Value="sv")
s.client("secretsmanager").create_secret(Name="app/secret", SecretString="ss")
ARN = "arn:aws:{}:us-east-1:000000000000:{}"


def fn(policies):
    return {"Type": "AWS::Serverless::Function", "Properties": {"CodeUri": "s3://code/fn.zip", "Policies": policies}}


def crud(table, bucket, queue):
    return [
        {"DynamoDBCrudPolicy": {"TableName": table}},
        {"S3CrudPolicy": {"BucketName": bucket}},
        {"SQSSendMessagePolicy": {"QueueName": queue}},
    ]


g = lambda a: {"Fn::GetAtt": a.split(".")}
ALL = crud({"Ref": "Table"}, {"Ref": "Bucket"}, g("Queue.QueueName")) + [
    {"SSMParameterReadPolicy": {"ParameterName": "app"}},
    {"SSMParameterReadPolicy": {"ParameterName": "app/*"}},
    {
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "secretsmanager:GetSecretValue",
                "Resource": ARN.format("secretsmanager", "secret:app/secret-*"),
            },
            # No policy of SAM includes statements.
            {"Effect": "Allow", "Action": "dynamodb:PartiQLUpdate", "Resource": g("Table.Arn")},
            {
                "Effect": "Allow",
                "Action": "execute-api:ManageConnections",
                "Resource": {
                    "Fn::Sub": "arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:${WsApi}/prod/POST/@connections/*"
                },
            },
        ]
    },
]
R = {
    "Table": {
        "Type": "AWS::DynamoDB::Table",
        "Properties": {
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": n, "AttributeType": "S"} for n in ("pk", "g")],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "GlobalSecondaryIndexes": [
                {
                    "IndexName": "by-g",
                    "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
            "StreamSpecification": {"StreamViewType": "NEW_IMAGE"},
        },
    },
    "Bucket": {"Type": "AWS::S3::Bucket"},
    "Queue": {"Type": "AWS::SQS::Queue"},
    "All": fn(ALL),
    "None": fn([]),
    "Narrow": fn(
        crud("other-table", "other-bucket", "other-queue") + [{"SSMParameterReadPolicy": {"ParameterName": "other"}}]
    ),
    "Consumer": {
        "Type": "AWS::Serverless::Function",
        "Properties": {
            "CodeUri": "s3://code/fn.zip",
            "Events": {
                "Q": {"Type": "SQS", "Properties": {"Queue": g("Queue.Arn")}},
                "D": {
                    "Type": "DynamoDB",
                    "Properties": {"Stream": g("Table.StreamArn"), "StartingPosition": "TRIM_HORIZON"},
                },
            },
        },
    },
    "Api": {"Type": "AWS::Serverless::HttpApi"},
    "Web": {
        "Type": "AWS::Serverless::Function",
        "Properties": {
            "CodeUri": "s3://code/fn.zip",
            "FunctionUrlConfig": {"AuthType": "NONE"},
            "Events": {
                "A": {"Type": "HttpApi", "Properties": {"ApiId": {"Ref": "Api"}, "Method": "GET", "Path": "/w"}}
            },
        },
    },
    "WsApi": {
        "Type": "AWS::ApiGatewayV2::Api",
        "Properties": {"Name": "ws", "ProtocolType": "WEBSOCKET", "RouteSelectionExpression": "$request.body.action"},
    },
    "WsInt": {
        "Type": "AWS::ApiGatewayV2::Integration",
        "Properties": {
            "ApiId": {"Ref": "WsApi"},
            "IntegrationType": "AWS_PROXY",
            "IntegrationUri": {
                "Fn::Sub": "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Web.Arn}/invocations"
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
    "WsStage": {"Type": "AWS::ApiGatewayV2::Stage", "Properties": {"ApiId": {"Ref": "WsApi"}, "StageName": "prod"}},
    "WsPerm": {
        "Type": "AWS::Lambda::Permission",
        "Properties": {
            "Action": "lambda:InvokeFunction",
            "FunctionName": {"Ref": "Web"},
            "Principal": "apigateway.amazonaws.com",
        },
    },
}
TEMPLATE = {
    "Transform": "AWS::Serverless-2016-10-31",
    "Globals": {
        "Function": {
            "Runtime": "provided.al2023",
            "Handler": "bootstrap",
            "Timeout": 20,
            "Environment": {
                "Variables": {
                    "TABLE": {"Ref": "Table"},
                    "BUCKET": {"Ref": "Bucket"},
                    "QUEUE": {"Ref": "Queue"},
                    "EVLOG": str(s.log),
                }
            },
        }
    },
    "Resources": R,
    "Outputs": {n: {"Value": {"Ref": n}} for n in R if not n.startswith("WsI")}
    | {"Url": {"Value": g("WebUrl.FunctionUrl")}},
}
cf = s.client("cloudformation")
cf.create_stack(
    StackName="auth", TemplateBody=json.dumps(TEMPLATE), Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
)
done = until(
    lambda: (
        (x := cf.describe_stacks(StackName="auth")["Stacks"][0])["StackStatus"]
        in ("CREATE_COMPLETE", "ROLLBACK_COMPLETE")
        and x
    ),
    30,
)
assert done["StackStatus"] == "CREATE_COMPLETE", [
    e for e in cf.describe_stack_events(StackName="auth")["StackEvents"] if "FAILED" in e["ResourceStatus"]
]
out = {o["OutputKey"]: o["OutputValue"] for o in done["Outputs"]}
# By a port of its own, as the stack uses it: signatures are checked with the path that the function signed.
ws = "http://127.0.0.1:3072/prod"


def fetch(url, method="GET", data=None):
    try:
        r = urllib.request.urlopen(urllib.request.Request(url, data, method=method))
        return r.status, r.read()[:60]
    except urllib.error.HTTPError as e:
        return e.code, e.read()[:200]


async def main():
    async with websockets.connect(ws.replace("http", "ws")) as w:
        await w.send('{"action":"x"}')
        cid = await asyncio.wait_for(w.recv(), 5)
        got = {}
        for name in ("All", "None", "Narrow"):
            r = await asyncio.to_thread(
                s.client("lambda").invoke, FunctionName=out[name], Payload=json.dumps({"ws": ws, "cid": cid})
            )
            got[name] = json.loads(r["Payload"].read())
            for m, op in (("GET", "presign_get"), ("PUT", "presign_put")):
                u = got[name].get(op, "")
                if u.startswith("http"):
                    got[name][op] = str(await asyncio.to_thread(fetch, u, m, b"up" if m == "PUT" else None))
    return got


got = asyncio.run(main())
for op in got["All"]:
    print(f"{op:20}", *(f"{n}: {str(got[n].get(op))[:260]}" for n in got), sep="\n     ")
print(
    "http api",
    fetch(f"{s.url}/_aws/execute-api/{out['Api']}/w")[0],
    "| function url",
    fetch(f"{s.url}/_aws/lambda-url/{out['Url'].split('//')[1].split('.')[0]}/")[0],
)
until(lambda: len(s.events(fn=out["Consumer"])) >= 2, 5)
print("event sources delivered:", [e["records"] for e in s.events(fn=out["Consumer"])])
if AUTH == "true":
    denied = lambda n: {op for op, r in got[n].items() if str(r).startswith("DENIED") or "403" in str(r)[:5]}
    everything = set(got["All"]) - {"sts"}
    print(
        "denied for All:",
        denied("All"),
        "| not denied for None:",
        everything - denied("None"),
        "| not denied for Narrow:",
        everything - denied("Narrow"),
    )
    assert denied("All") == set() and denied("None") == everything and denied("Narrow") == everything
