"""Tables and buckets: encrypted, kept, recoverable, private."""

from rules.model import as_list


def tables(model):
    """A table says how it is encrypted, is billed on demand, is kept, and can be recovered."""
    for name, properties in model.of_type("AWS::DynamoDB::Table"):
        if "SSESpecification" not in properties:
            yield "table-encrypted", name, None, "does not say how it is encrypted (SSESpecification)"
        if properties.get("BillingMode") != "PAY_PER_REQUEST":
            yield "table-on-demand", name, None, "is not billed per request"
        recovery = (properties.get("PointInTimeRecoverySpecification") or {}).get("PointInTimeRecoveryEnabled")
        if not any(v in (True, "true") for v in model.values(recovery)):
            yield (
                "table-recovery",
                name,
                None,
                "has no point-in-time recovery: except it with how its data is made again",
            )
        yield from kept(model, "table-kept", name)


def buckets(model):
    """A bucket is private, encrypted, only talked to over TLS, and its objects do not stay for ever."""
    secure = {model.target(p.get("Bucket")) for _, p in model.of_type("AWS::S3::BucketPolicy") if denies_plain_http(p)}
    for name, properties in model.of_type("AWS::S3::Bucket"):
        block = properties.get("PublicAccessBlockConfiguration") or {}
        wanted = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
        if not all(block.get(setting) is True for setting in wanted):
            yield "bucket-private", name, None, "does not block all public access"
        if "BucketEncryption" not in properties:
            yield "bucket-encrypted", name, None, "does not say how it is encrypted (BucketEncryption)"
        if "LifecycleConfiguration" not in properties:
            yield "bucket-lifecycle", name, None, "keeps its objects for ever"
        if name not in secure:
            yield "bucket-tls", name, None, "has no policy that denies requests without TLS"
        yield from kept(model, "bucket-kept", name)


def denies_plain_http(properties):
    for statement in as_list(properties.get("PolicyDocument", {}).get("Statement", [])):
        condition = (statement.get("Condition") or {}).get("Bool") or {}
        if statement.get("Effect") == "Deny" and str(condition.get("aws:SecureTransport")).lower() == "false":
            return True
    return False


def kept(model, rule, name):
    """It outlives the stack, but not a first deployment that fails: what stayed would belong to no stack."""
    for policy, wanted in (("DeletionPolicy", "RetainExceptOnCreate"), ("UpdateReplacePolicy", "Retain")):
        if model.values(model.resources[name].get(policy)) != [wanted]:
            yield rule, name, policy, f"has no {policy} of {wanted}"
