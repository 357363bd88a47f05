"""Compares the permissions that docs/backup.md lists for its commands with the calls that they make."""

import json
import pathlib
import re

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "docs" / "backup.md"
# Actions that are not called as the operation is.
ACTIONS = {
    ("s3", "list_objects_v2"): ["s3:ListBucket"],
    ("s3", "list_object_versions"): ["s3:ListBucketVersions"],
    ("s3", "upload_fileobj"): ["s3:PutObject"],
    ("s3", "delete_objects"): ["s3:DeleteObject", "s3:DeleteObjectVersion"],
    # What the link is for: signing calls nothing.
    ("s3", "generate_presigned_url"): ["s3:GetObject"],
    # DynamoDB writes the new table with the caller's permissions (DynamoDB, Using IAM with DynamoDB backup and restore).
    ("dynamodb", "restore_table_to_point_in_time"): [
        "dynamodb:RestoreTableToPointInTime",
        *(f"dynamodb:{name}Item" for name in ("Put", "Update", "Delete", "Get", "BatchWrite")),
        *(f"dynamodb:{name}" for name in ("Query", "Scan")),
    ],
}


def of_calls(calls):
    """The actions that calls of services need."""
    return {action for call in calls for action in ACTIONS.get(call, [f"{call[0]}:{camel(call[1])}"])}


def camel(operation):
    return "".join(part.capitalize() for part in operation.split("_"))


def documented(what):
    """The actions in the block of docs/backup.md below the comment that names it."""
    text = DOCUMENT.read_text(encoding="utf-8")
    block = re.search(rf"<!-- permissions: {re.escape(what)} -->\n+```json\n(.*?)```", text, re.DOTALL)
    return set(json.loads(block[1]))
