//! Checks the SDKs in each bootstrap: an unneeded one costs start-up time and money.

use std::collections::BTreeSet;
use std::path::PathBuf;

/// The SDKs that a function may hold; settings come from SSM.
const EXPECTED: &[(&str, &[&str])] = &[
    ("generate", &["dynamodb", "ssm"]),
    ("job-status", &["dynamodb", "ssm"]),
    ("job-logs", &["dynamodb", "s3", "ssm"]),
    ("webhooks-admin", &["dynamodb", "sqs", "ssm"]),
    ("job-control", &["dynamodb", "sqs", "ssm"]),
    ("job-stream", &["dynamodb", "ssm"]),
    ("pages", &["dynamodb", "ssm"]),
    ("step-webhook", &["dynamodb", "s3", "ssm"]),
    ("creatomate-webhook", &["dynamodb", "sqs", "ssm"]),
    ("callbacks", &["dynamodb", "s3", "sqs", "ssm"]),
    ("scene-webhooks", &["dynamodb", "s3", "sqs", "ssm"]),
    ("clipping-webhook", &["dynamodb", "sqs", "ssm"]),
    ("projects", &["dynamodb", "s3", "ssm"]),
    ("clips", &["dynamodb", "s3", "ssm"]),
    ("errors", &["cloudwatch", "dynamodb", "sqs", "ssm"]),
    ("inbox", &["dynamodb", "s3", "sqs", "ssm"]),
    ("worker", &["dynamodb", "s3", "ssm"]),
    ("render", &["dynamodb", "s3", "ssm"]),
    ("videos", &["dynamodb", "s3", "ssm"]),
    ("live", &["apigatewaymanagement", "dynamodb", "sqs", "ssm"]),
    ("fanout", &["dynamodb", "s3", "sqs", "ssm"]),
    ("dispatcher", &["dynamodb", "eventbridge", "sqs", "ssm"]),
    ("cleanup", &["dynamodb", "sqs", "ssm"]),
];

#[test]
fn no_bootstrap_holds_an_sdk_that_its_function_does_not_use() {
    // This test is target/<profile>/deps/it-…; the bootstraps are two folders up.
    let me = std::env::current_exe().expect("a path");
    let folder: PathBuf = me.ancestors().nth(2).expect("target/<profile>").to_owned();
    for (function, expected) in EXPECTED {
        let binary = std::fs::read(folder.join(function)).unwrap_or_else(|error| panic!("{function}: {error}"));
        let expected: BTreeSet<String> = expected.iter().map(|sdk| (*sdk).to_owned()).collect();
        assert_eq!(sdks(&binary), expected, "{function}");
    }
}

/// The SDK crates that the symbol table names (mangled: the name's length, then `aws_sdk_…`).
fn sdks(binary: &[u8]) -> BTreeSet<String> {
    const MARK: &[u8] = b"aws_sdk_";
    let mut found = BTreeSet::new();
    for (at, window) in binary.windows(MARK.len()).enumerate() {
        if window == MARK && at > 2 && binary[at - 1].is_ascii_digit() {
            let digits: String =
                binary[..at].iter().rev().take_while(|b| b.is_ascii_digit()).map(|b| *b as char).collect();
            let length: usize = digits.chars().rev().collect::<String>().parse().unwrap_or(0);
            let name = binary.get(at + MARK.len()..(at + length).max(at + MARK.len())).unwrap_or_default();
            // Texts of log lines also follow digits; a crate's name has only letters and digits.
            // If more letters follow, the digits belong to another text and not to a crate's name.
            let whole = !binary.get(at + length).is_some_and(u8::is_ascii_lowercase);
            if whole && !name.is_empty() && name.iter().all(u8::is_ascii_alphanumeric) {
                found.insert(String::from_utf8_lossy(name).into_owned());
            }
        }
    }
    found
}
