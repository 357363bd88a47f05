//! Settings from SSM: read decrypted, ten at a time; names that do not exist are unset.

use anyhow::Context;
use reelhook_aws::settings::Settings;
use serde_json::{Value, json};

use crate::replay::{ATTEMPTS, Answer, Call, error, ssm};

const NAMES: &[&str] = &["A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "EMPTY"];

/// Answers with each asked name's own name as its value, but for those that do not exist.
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
        Ok([raw.text("A"), raw.text("B"), raw.text("EMPTY"), raw.get("K").map(str::to_owned), raw.text("unasked")])
    });
    let settings = settings.await.unwrap();
    let read = settings.get().await;
    assert_eq!(*read, [Some("value of A".to_owned()), None, None, Some("value of K".to_owned()), None]);
    assert!(settings.get().await[0].is_some());
    let all = calls.all();
    assert_eq!(calls.operations(), ["GetParameters"; 2], "and used for a while");
    let sizes: Vec<usize> = all.iter().map(|call| call.at("/Names").as_array().unwrap().len()).collect();
    assert_eq!(sizes, [10, 2]);
    assert_eq!((all[0].at("/Names/0"), all[0].at("/WithDecryption")), (&json!("/reelhook/A"), &json!(true)));
}

#[tokio::test]
async fn settings_that_can_t_be_read_or_used_stop_the_start() {
    for (code, tries) in [("ThrottlingException", ATTEMPTS), ("AccessDeniedException", 1)] {
        let (client, calls) = ssm(move |_, _| error(code));
        assert!(Settings::load(client, "/reelhook".to_owned(), NAMES, |_| Ok(())).await.is_err(), "{code}");
        assert_eq!(calls.all().len(), tries, "{code}");
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
