//! List prices of us-east-1, as docs/cost.md has them: what the dashboard and the tests of costs multiply counted units by.

use serde::Deserialize;

/// What AWS bills by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Price {
    /// A run of a function.
    LambdaRequest,
    /// A second of a function with a gigabyte of memory, on arm64.
    LambdaGbSecond,
    /// A request to the HTTP API.
    ApiRequest,
    /// A kilobyte written to DynamoDB.
    WriteUnit,
    /// Four kilobytes read from DynamoDB, consistently.
    ReadUnit,
    /// A call of SQS.
    SqsRequest,
}

impl Price {
    /// Dollars for a million.
    pub const fn per_million(self) -> f64 {
        match self {
            Self::LambdaRequest => 0.20,
            Self::LambdaGbSecond => 13.3334,
            Self::ApiRequest => 1.00,
            Self::WriteUnit => 0.625,
            Self::ReadUnit => 0.125,
            Self::SqsRequest => 0.40,
        }
    }
}
