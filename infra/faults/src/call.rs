//! A call as the proxy sees it: who makes it, of which service, and what it does.

use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};

/// What the environment of a function begins with in the user agent of its SDK. The function's name follows.
const ENVIRONMENT: &str = "exec-env/AWS_Lambda_";

/// A service of AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// DynamoDB.
    DynamoDb,
    /// SQS.
    Sqs,
    /// SSM.
    Ssm,
    /// EventBridge.
    EventBridge,
    /// S3.
    S3,
    /// Another one.
    Other,
}

impl Service {
    /// Its name in counts.
    pub fn name(self) -> &'static str {
        match self {
            Self::DynamoDb => "DynamoDB",
            Self::Sqs => "SQS",
            Self::Ssm => "SSM",
            Self::EventBridge => "EventBridge",
            Self::S3 => "S3",
            Self::Other => "others",
        }
    }
}

/// A call of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The function that makes it.
    pub function: String,
    /// The called service.
    pub service: Service,
    /// The operation, such as `PutItem`; for S3 the method, `LIST`, or `COMPLETE` for the end of an upload in parts.
    pub operation: String,
}

impl Call {
    /// The call of a request; none if no function makes it. Requests without a signature, such as those for links of
    /// clients, are nobody's.
    pub fn read(request: &Parts) -> Option<Self> {
        let function = function_of(&request.headers)?;
        let service = match service_of(&request.headers)? {
            "dynamodb" => Service::DynamoDb,
            "sqs" => Service::Sqs,
            "ssm" => Service::Ssm,
            "events" => Service::EventBridge,
            "s3" => Service::S3,
            _ => Service::Other,
        };
        let target = text(&request.headers, "x-amz-target").and_then(|target| target.rsplit('.').next());
        let operation = match (service, target) {
            (Service::S3, _) => of_s3(&request.method, request.uri.query().unwrap_or_default()),
            (_, Some(target)) => target.to_owned(),
            (_, None) => request.uri.path().rsplit('/').next().unwrap_or_default().to_owned(),
        };
        Some(Self { function, service, operation })
    }

    /// Its service and operation.
    pub fn name(&self) -> String {
        format!("{:?}.{}", self.service, self.operation)
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The function whose SDK names it as its environment.
fn function_of(headers: &HeaderMap) -> Option<String> {
    let agent = text(headers, "x-amz-user-agent").or_else(|| text(headers, "user-agent"))?;
    agent.split(' ').find_map(|part| part.strip_prefix(ENVIRONMENT)).map(str::to_owned)
}

/// The service in the scope of the signature: `Credential=KEY/DATE/REGION/SERVICE/aws4_request`.
fn service_of(headers: &HeaderMap) -> Option<&str> {
    let (_, credential) = text(headers, "authorization")?.split_once("Credential=")?;
    credential.split([',', ' ']).next()?.split('/').nth(3)
}

fn of_s3(method: &Method, query: &str) -> String {
    let names = |name: &str| query.split('&').any(|parameter| parameter.starts_with(name));
    if names("list-type=") {
        return "LIST".to_owned();
    }
    if method == Method::POST && names("uploadId=") { "COMPLETE".to_owned() } else { method.to_string() }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn read(service: &str, agent: &str, target: Option<&str>, method: &str, uri: &str) -> Option<Call> {
        let scope =
            format!("AWS4-HMAC-SHA256 Credential=ASIA1/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host");
        let mut request = Request::builder().method(method).uri(uri);
        request = request.header("authorization", scope).header("x-amz-user-agent", agent);
        if let Some(target) = target {
            request = request.header("x-amz-target", target);
        }
        Call::read(&request.body(()).unwrap().into_parts().0)
    }

    const FANOUT: &str = "aws-sdk-rust/1.3 ua/2.1 os/linux lang/rust/1.94 exec-env/AWS_Lambda_reelhook-fanout m/E,b";

    #[test]
    fn a_call_has_a_function_a_service_and_an_operation() {
        let check = |service, target, method, uri, expected: &str| {
            let call = read(service, FANOUT, target, method, uri).expect("a call");
            assert_eq!((call.function.as_str(), call.name().as_str()), ("reelhook-fanout", expected));
        };
        check("dynamodb", Some("DynamoDB_20120810.PutItem"), "POST", "/", "DynamoDb.PutItem");
        check("sqs", Some("AmazonSQS.SendMessageBatch"), "POST", "/", "Sqs.SendMessageBatch");
        check("s3", None, "GET", "/bucket/key", "S3.GET");
        check("s3", None, "GET", "/bucket?list-type=2&prefix=a", "S3.LIST");
        check("s3", None, "POST", "/bucket/key?x-id=CompleteMultipartUpload&uploadId=u", "S3.COMPLETE");
        check("s3", None, "POST", "/bucket/key?uploads=", "S3.POST");
        check("s3", None, "PUT", "/bucket/key?partNumber=1&uploadId=u", "S3.PUT");
        check("monitoring", None, "POST", "/service/Granite/operation/GetMetricData", "Other.GetMetricData");
    }

    #[test]
    fn what_no_function_sends_is_no_call() {
        assert_eq!(read("dynamodb", "Boto3/1.40", Some("DynamoDB_20120810.Scan"), "POST", "/"), None);
        assert_eq!(Call::read(&Request::get("/bucket/key?X-Amz-Signature=1").body(()).unwrap().into_parts().0), None);
    }
}
