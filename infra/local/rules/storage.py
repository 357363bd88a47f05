"""Rules for tables and buckets: encrypted, retained, recoverable, private."""

from rules.model import as_list


def tables(model):
    """A table defines its encryption, is billed on demand, is retained, and can be recovered."""
    for name, properties in model.of_type("AWS::DynamoDB::Table"):
        if "SSESpecification" not in properties:
            yield "table-encrypted", name, None, "defines no encryption (SSESpecification)"
        if properties.get("BillingMode") != "PAY_PER_REQUEST":
            yield "table-on-demand", name, None, "is not billed per request"
        recovery = (properties.get("PointInTimeRecoverySpecification") or {}).get("PointInTimeRecoveryEnabled")
        if not any(v in (True, "true") for v in model.values(recovery)):
            yield (
                "table-recovery",
                name,
                None,
                "has no point-in-time recovery: add an exception that says how its data is restored",
            )
        yield from retained(model, "table-kept", name)


def buckets(model):
    """A bucket is private, encrypted, accepts only TLS, and its objects and their old versions expire."""
    secure = {model.target(p.get("Bucket")) for _, p in model.of_type("AWS::S3::BucketPolicy") if denies_plain_http(p)}
    for name, properties in model.of_type("AWS::S3::Bucket"):
        block = properties.get("PublicAccessBlockConfiguration") or {}
        settings = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
        if not all(block.get(setting) is True for setting in settings):
            yield "bucket-private", name, None, "does not block all public access"
        if "BucketEncryption" not in properties:
            yield "bucket-encrypted", name, None, "defines no encryption (BucketEncryption)"
        if "LifecycleConfiguration" not in properties:
            yield "bucket-lifecycle", name, None, "has no expiry for its objects (LifecycleConfiguration)"
        if "VersioningConfiguration" in properties and not expires_old_versions(properties):
            yield "bucket-versions", name, None, "keeps old versions without end (NoncurrentVersionExpiration)"
        if name not in secure:
            yield "bucket-tls", name, None, "has no policy that denies requests without TLS"
        yield from retained(model, "bucket-kept", name)


def expires_old_versions(properties):
    rules = (properties.get("LifecycleConfiguration") or {}).get("Rules", [])
    return any(
        rule.get("Status") == "Enabled" and "NoncurrentVersionExpiration" in rule and not rule.get("Prefix")
        for rule in rules
    )


def denies_plain_http(properties):
    for statement in as_list(properties.get("PolicyDocument", {}).get("Statement", [])):
        condition = (statement.get("Condition") or {}).get("Bool") or {}
        if statement.get("Effect") == "Deny" and str(condition.get("aws:SecureTransport")).lower() == "false":
            return True
    return False


def retained(model, rule, name):
    """The resource outlives the stack, but not a failed first deployment, whose resources would belong to no stack."""
    for policy, required in (("DeletionPolicy", "RetainExceptOnCreate"), ("UpdateReplacePolicy", "Retain")):
        if model.values(model.resources[name].get(policy)) != [required]:
            yield rule, name, policy, f"{policy} must be {required}"
