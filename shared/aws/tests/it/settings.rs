//! Settings from SSM: read decrypted, ten at a time; names that do not exist are unset.

use anyhow::Context;
use reelhook_aws::settings::{OPTIONS, Settings};
use serde_json::{Value, json};

use crate::replay::{ATTEMPTS, Answer, Call, error, ssm};

const NAMES: &[&str] = &["A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "EMPTY"];

/// Returns each requested parameter with its own name in its value, except those that do not exist.
fn parameters(call: &Call, missing: &[&str]) -> Answer {
    let names = call.at("/Names").as_array().unwrap().iter().filter_map(Value::as_str);
    let (found, invalid): (Vec<&str>, Vec<&str>) =
        names.partition(|name| !missing.iter().any(|missing| name.ends_with(&format!("/{missing}"))));
    let value = |name: &str| match name.rsplit_once('/').unwrap().1 {
        "EMPTY" => " ".to_owned(),
        name => format!(" value of {name} "),
    };
    let found: Vec<Value> = found.iter().map(|name| json!({ "Name": name, "Value": value(name) })).collect();
    (200, json!({ "Parameters": found, "InvalidParameters": invalid }))
}

#[tokio::test]
async fn settings_are_read_decrypted_and_ten_at_a_time() {
    let (client, calls) = ssm(|call, _| parameters(call, &["B"]));
    let settings = Settings::load(client, "/reelhook".to_owned(), NAMES, |raw| {
        Ok([raw.text("A"), raw.text("B"), raw.text("EMPTY"), raw.get("K").map(str::to_owned), raw.text("UNREQUESTED")])
    });
    let settings = settings.await.unwrap();
    let read = settings.get().await;
    assert_eq!(*read, [Some("value of A".to_owned()), None, None, Some("value of K".to_owned()), None]);
    assert!(settings.get().await[0].is_some());
    let all = calls.all();
    assert_eq!(calls.operations(), ["GetParameters"; 2], "and cached for a while");
    let sizes: Vec<usize> = all.iter().map(|call| call.at("/Names").as_array().unwrap().len()).collect();
    assert_eq!(sizes, [10, 2]);
    assert_eq!((all[0].at("/Names/0"), all[0].at("/WithDecryption")), (&json!("/reelhook/A"), &json!(true)));
}

#[tokio::test]
async fn settings_that_can_t_be_read_or_used_stop_the_start() {
    for (code, attempts) in [("ThrottlingException", ATTEMPTS), ("AccessDeniedException", 1)] {
        let (client, calls) = ssm(move |_, _| error(code));
        assert!(Settings::load(client, "/reelhook".to_owned(), NAMES, |_| Ok(())).await.is_err(), "{code}");
        assert_eq!(calls.all().len(), attempts, "{code}");
    }
    let (client, _) = ssm(|call, _| parameters(call, &["A"]));
    let needed = Settings::load(client, "/reelhook".to_owned(), NAMES, |raw| raw.text("A").context("A is not set"));
    assert_eq!(needed.await.map(drop).unwrap_err().to_string(), "A is not set");
}

#[tokio::test]
async fn a_secret_does_not_show() {
    let (client, _) = ssm(|call, _| parameters(call, &[]));
    let settings =
        Settings::load(client, "/reelhook".to_owned(), NAMES, |raw| Ok(format!("{raw:?} {:?}", raw.secret("A"))));
    assert!(!settings.await.unwrap().get().await.contains("value of"));
}

/// More names than one call may have; those after the options may be in the options.
const MANY: &[&str] = &["A", "B", OPTIONS, "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M"];

/// Like [`parameters`], with these options, which may be missing.
fn with_options(call: &Call, options: Option<&str>) -> Answer {
    let (status, mut answer) = parameters(call, if options.is_none() { &[OPTIONS] } else { &[] });
    for parameter in answer["Parameters"].as_array_mut().into_iter().flatten() {
        if parameter["Name"].as_str().is_some_and(|name| name.ends_with(OPTIONS)) {
            parameter["Value"] = json!(options);
        }
    }
    (status, answer)
}

#[tokio::test]
async fn combined_settings_are_read_in_one_call() {
    let options = r#"{"C": "5000", "D": 7, "E": {"webhook_1": {"timeout": 1}}, "F": null, "G": " "}"#;
    let (client, calls) = ssm(move |call, _| with_options(call, Some(options)));
    let settings = Settings::load(client, "/reelhook".to_owned(), MANY, |raw| {
        Ok(["A", "B", "C", "D", "E", "F", "G", "H", OPTIONS].map(|name| raw.text(name)))
    });
    let read = settings.await.unwrap().get().await;
    let text = |text: &str| Some(text.to_owned());
    let nested = text(r#"{"webhook_1":{"timeout":1}}"#);
    let (a, b) = (text("value of A"), text("value of B"));
    assert_eq!(*read, [a, b, text("5000"), text("7"), nested, None, None, None, None]);
    assert_eq!(calls.operations(), ["GetParameters"]);
}

#[tokio::test]
async fn without_the_combined_parameter_settings_are_read_by_name() {
    let (client, calls) = ssm(|call, _| with_options(call, None));
    let settings =
        Settings::load(client, "/reelhook".to_owned(), MANY, |raw| Ok([raw.text("A"), raw.text("C"), raw.text("M")]));
    let read = settings.await.unwrap().get().await;
    assert_eq!(*read, ["A", "C", "M"].map(|name| Some(format!("value of {name}"))));
    let sizes: Vec<usize> = calls.all().iter().map(|call| call.at("/Names").as_array().unwrap().len()).collect();
    assert_eq!(sizes, [3, 10, 1]);
}

#[tokio::test]
async fn options_that_can_t_be_used_are_named_and_not_shown() {
    async fn check(options: &'static str, expected: &str) {
        let (client, _) = ssm(move |call, _| with_options(call, Some(options)));
        let loaded = Settings::load(client, "/reelhook".to_owned(), MANY, |_| Ok(())).await;
        let error = loaded.map(drop).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains(OPTIONS), "{error}");
        assert!(!error.contains("hush"), "{error}");
    }
    check("hush", "must be a JSON object").await;
    check(r#"["hush"]"#, "must be a JSON object").await;
    check(r#"{"C": "hush""#, "must be a JSON object").await;
    check(r#"{"CC": "hush"}"#, "has the unknown member `CC`, known are C, D, E").await;
    check(r#"{"A": "hush"}"#, "has the unknown member `A`, known are").await;
}
