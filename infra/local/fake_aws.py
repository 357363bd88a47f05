"""DynamoDB, S3 and the other services that commands on whole stacks call, in memory, for tests. It notes each call."""

import copy
import datetime
import io
import re
import types

from botocore.exceptions import ClientError

KEYS = {
    "Jobs": ["id"], "Projects": ["id"], "Clips": ["id"], "Endpoints": ["id"], "Errors": ["group"],
    "Credits": ["pk", "sk"], "Counters": ["pk", "sk"], "Deliveries": ["pk", "sk"], "Connections": ["pk", "sk"],
    "JobEvents": ["job_id", "seq"], "Catalog": ["shelf", "rank"],
}
# The attributes of the indexes that are queried here. Only items that have both are in one.
INDEXES = {"by-owner": ["owner", "created_at"], "by-job": ["job_id", "place"]}
CONDITION = re.compile(r"#?(\w+) = :(\w+)")


def failed():
    return ClientError({"Error": {"Code": "ConditionalCheckFailedException", "Message": ""}}, "PutItem")


class Aws:
    """A stack, whose tables have their logical ids as names, and the clients of its account."""

    def __init__(self, template, versions=False):
        self.name, self.template, self.versions = "reelhook", template, versions
        self.tables = {name: {} for name in KEYS}
        self.objects, self.calls, self.rules, self.settings = {}, set(), {"Sweep": True}, set()
        # Called before each write of a batch: a test may stop it there.
        self.before_write = lambda: None
        self.before_get = lambda key: None

    def __call__(self, service):
        return types.SimpleNamespace(**{
            name: self.noted(service, name)
            for name in dir(self) if name.startswith(f"{service}_") for name in [name.removeprefix(f"{service}_")]
        }, get_paginator=lambda operation: types.SimpleNamespace(
            paginate=lambda **given: self.pages(service, operation, **given)))

    def noted(self, service, name):
        def call(**given):
            # A version of an object needs a permission of its own.
            self.calls.add((service, "get_object_version" if given.get("VersionId") else name))
            return getattr(self, f"{service}_{name}")(**given)

        return call

    def pages(self, service, operation, **given):
        self.calls.add((service, operation))
        yield from getattr(self, f"{service}_pages_{operation}")(**given)

    # The stack.

    def of_type(self, kind):
        self.calls.add(("cloudformation", "list_stack_resources"))
        return {
            "AWS::DynamoDB::Table": {name: name for name in KEYS},
            "AWS::S3::Bucket": {"Bucket": "bucket"},
            "AWS::Events::Rule": {name: name for name in self.rules},
        }[kind]

    def parameters(self):
        self.calls.add(("cloudformation", "describe_stacks"))
        return {"SettingsPath": "/reelhook/prod"}

    # DynamoDB.

    def put(self, table, **attributes):
        item = {name: value if isinstance(value, dict) else {"N": str(value)} if isinstance(value, int)
                else {"B": value} if isinstance(value, bytes) else {"S": value} for name, value in attributes.items()}
        self.tables[table][self.key(table, item)] = item
        return item

    def key(self, table, item):
        return tuple(item[name]["S"] for name in KEYS[table])

    def meets(self, table, item, given):
        condition, old = given.get("ConditionExpression"), self.tables[table].get(self.key(table, item))
        if condition is None:
            return True
        if condition.startswith("attribute_not_exists"):
            return old is None
        return old is not None and old["version"] == given["ExpressionAttributeValues"][":version"]

    def dynamodb_put_item(self, TableName, Item, **given):
        if not self.meets(TableName, Item, given):
            raise failed()
        self.tables[TableName][self.key(TableName, Item)] = copy.deepcopy(Item)
        return {}

    def dynamodb_delete_item(self, TableName, Key, **given):
        if not self.meets(TableName, Key, given):
            raise failed()
        self.tables[TableName].pop(self.key(TableName, Key), None)
        return {}

    def dynamodb_get_item(self, TableName, Key, ConsistentRead):
        item = self.tables[TableName].get(self.key(TableName, Key))
        return {"Item": copy.deepcopy(item)} if item else {}

    def dynamodb_describe_table(self, TableName):
        names = KEYS.get(TableName, ["id"])
        schema = [{"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ["HASH", "RANGE"])]
        return {"Table": {"KeySchema": schema, "TableStatus": "ACTIVE"}}

    def dynamodb_batch_write_item(self, RequestItems):
        self.before_write()
        for table, requests in RequestItems.items():
            assert len(requests) <= 25
            for request in requests:
                if "PutRequest" in request:
                    self.dynamodb_put_item(table, request["PutRequest"]["Item"])
                else:
                    self.dynamodb_delete_item(table, request["DeleteRequest"]["Key"])
        return {}

    def dynamodb_restore_table_to_point_in_time(self, SourceTableName, TargetTableName, RestoreDateTime, **_):
        # Without a history, what the table has now.
        KEYS[TargetTableName] = KEYS[SourceTableName]
        self.tables[TargetTableName] = copy.deepcopy(self.tables[SourceTableName])
        return {}

    def dynamodb_delete_table(self, TableName):
        del self.tables[TableName], KEYS[TableName]

    def dynamodb_pages_query(self, TableName, KeyConditionExpression, ExpressionAttributeValues, IndexName=None, **_):
        wanted = {name: ExpressionAttributeValues[f":{value}"] for name, value in CONDITION.findall(KeyConditionExpression)}
        found = [item for _, item in sorted(self.tables[TableName].items())
                 if all(item.get(name) == value for name, value in wanted.items())
                 and all(name in item for name in INDEXES.get(IndexName, []))]
        yield from pages(found)

    def dynamodb_pages_scan(self, TableName, FilterExpression=None, **_):
        found = [item for _, item in sorted(self.tables[TableName].items())]
        if FilterExpression:
            assert FilterExpression == "attribute_not_exists(#owner) AND attribute_exists(expires_at)"
            found = [item for item in found if "owner" not in item and "expires_at" in item]
        yield from pages(found)

    # S3. A key has its versions, the newest first; None is a delete marker.

    def s3_put(self, key, body, at=0):
        version = {"id": f"v{len(self.objects.get(key, []))}" if self.versions else "null", "body": body, "at": at}
        self.objects[key] = [version, *(self.objects.get(key, []) if self.versions else [])]

    def s3_upload_fileobj(self, Fileobj, Bucket, Key, ExtraArgs):
        self.s3_put(Key, Fileobj.read())

    def s3_get_object(self, Bucket, Key, VersionId=None):
        # A test may delete an object after it was listed.
        self.before_get(Key)
        found = [one for one in self.objects.get(Key, []) if VersionId in (None, one["id"])]
        if not found:
            raise ClientError({"Error": {"Code": "NoSuchVersion" if VersionId else "NoSuchKey", "Message": ""}}, "GetObject")
        return {"Body": io.BytesIO(found[0]["body"]), "ContentType": "video/mp4"}

    def s3_list_objects_v2(self, Bucket, Prefix="", MaxKeys=1000):
        keys = sorted(key for key, of in self.objects.items() if key.startswith(Prefix) and of and of[0]["body"] is not None)
        return {"Contents": [{"Key": key, "Size": len(self.objects[key][0]["body"])} for key in keys[:MaxKeys]]}

    def s3_pages_list_objects_v2(self, **given):
        yield self.s3_list_objects_v2(**given)

    def s3_pages_list_object_versions(self, Bucket, Prefix=""):
        for key in sorted(key for key in self.objects if key.startswith(Prefix)):
            entries = [{"Key": key, "VersionId": one["id"], "LastModified": when(one["at"]), "body": one["body"]}
                       for one in self.objects[key]]
            # One page for each version, as if pages were short.
            for entry in entries:
                gone = entry.pop("body") is None
                yield {"DeleteMarkers": [entry]} if gone else {"Versions": [entry]}

    def s3_delete_objects(self, Bucket, Delete):
        assert len(Delete["Objects"]) <= 1000
        for one in Delete["Objects"]:
            left = [version for version in self.objects[one["Key"]] if version["id"] != one["VersionId"]]
            self.objects[one["Key"]] = left
            if not left:
                del self.objects[one["Key"]]
        return {}

    def s3_generate_presigned_url(self, ClientMethod, Params, ExpiresIn):
        return f"https://s3.example/{Params['Key']}"

    # Others.

    def events_disable_rule(self, Name):
        self.rules[Name] = False

    def events_enable_rule(self, Name):
        self.rules[Name] = True

    def ssm_get_parameters(self, Names, WithDecryption):
        assert not WithDecryption
        return {"Parameters": [{"Name": name} for name in Names if name.rpartition("/")[2] in self.settings]}


def when(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)


def pages(found, size=2):
    """The items in short pages, of which the last is empty."""
    for start in range(0, len(found) + 1, size):
        yield {"Items": copy.deepcopy(found[start : start + size])}
