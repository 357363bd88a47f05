//! JSON as JavaScript and Python serialize it. The expected texts were generated with Node.js 20 and Python 3.11.

use proptest::prelude::*;
use reelhook_signing::js_json::{quoted, to_ascii_string, to_string};
use serde_json::{Map, Number, Value};

fn check(text: &str, expected: &str) {
    let value: Value = serde_json::from_str(text).unwrap();
    assert_eq!(to_string(&value), expected, "of {text}");
}

fn check_ascii(text: &str, expected: &str) {
    let value: Value = serde_json::from_str(text).unwrap();
    assert_eq!(to_ascii_string(&value), expected, "of {text}");
}

#[test]
fn output_is_compact() {
    check("null", "null");
    check(" [ ] ", "[]");
    check("{ }", "{}");
    check(r#"{ "a" : [ 1 , true, false, null, { } ], "b" : "" }"#, r#"{"a":[1,true,false,null,{}],"b":""}"#);
}

#[test]
fn array_indexes_come_first_in_ascending_order() {
    check(r#"{"10":1,"b":2,"2":3,"1":4,"a":5}"#, r#"{"1":4,"2":3,"10":1,"b":2,"a":5}"#);
    check(r#"{"a":0,"0":1}"#, r#"{"0":1,"a":0}"#);
    check(r#"{"b":{"c":0,"7":[{"x":0,"3":0}]}}"#, r#"{"b":{"7":[{"3":0,"x":0}],"c":0}}"#);
}

#[test]
fn keys_that_only_look_like_indexes_keep_their_place() {
    for key in ["01", "-1", "+1", "1.0", "1e1", " 1", "", "-0", "4294967295", "18446744073709551616", "١"] {
        check(&format!(r#"{{"{key}":1,"5":2}}"#), &format!(r#"{{"5":2,"{key}":1}}"#));
        check(&format!(r#"{{"z":0,"{key}":1}}"#), &format!(r#"{{"z":0,"{key}":1}}"#));
    }
    check(r#"{"z":0,"4294967294":1}"#, r#"{"4294967294":1,"z":0}"#);
}

#[test]
fn a_repeated_key_keeps_its_first_place_and_its_last_value() {
    check(r#"{"a":1,"b":2,"a":3}"#, r#"{"a":3,"b":2}"#);
}

#[test]
fn numbers_are_written_as_javascript_does() {
    for (text, expected) in [
        ("0", "0"),
        ("-0", "0"),
        ("-0.0", "0"),
        ("1.0", "1"),
        ("-1.50", "-1.5"),
        ("0.1", "0.1"),
        ("100", "100"),
        ("1E2", "100"),
        ("1704123456789", "1704123456789"),
        ("1704123456.789", "1704123456.789"),
        ("9007199254740991", "9007199254740991"),
        ("9007199254740993", "9007199254740992"),
        ("-9007199254740993", "-9007199254740992"),
        ("18446744073709551615", "18446744073709552000"),
        ("-9223372036854775808", "-9223372036854776000"),
        ("123456789012345680000", "123456789012345680000"),
        ("999999999999999900000", "999999999999999900000"),
        ("1e21", "1e+21"),
        ("-1.5e300", "-1.5e+300"),
        ("0.000001", "0.000001"),
        ("0.00001234", "0.00001234"),
        ("1e-7", "1e-7"),
        ("5e-324", "5e-324"),
        ("1e-400", "0"),
        ("2.2250738585072011e-308", "2.225073858507201e-308"),
        ("1.7976931348623157e308", "1.7976931348623157e+308"),
        ("0.30000000000000004", "0.30000000000000004"),
        ("4.35", "4.35"),
        ("0.2989310122410963", "0.2989310122410963"),
    ] {
        check(text, expected);
    }
}

#[test]
fn text_is_escaped_only_where_json_requires_it() {
    check(r#""Série 🎬""#, r#""Série 🎬""#);
    check(r#""S\u00e9rie \ud83c\udfac""#, r#""Série 🎬""#);
    check("\"\u{2028}\u{2029}\u{7f}\u{80}\u{feff}\"", "\"\u{2028}\u{2029}\u{7f}\u{80}\u{feff}\"");
    check(r#""\"\\\/\b\f\n\r\t""#, r#""\"\\/\b\f\n\r\t""#);
    check(r#""\u0000\u0001\u000B\u001F\u0020""#, r#""\u0000\u0001\u000b\u001f ""#);
    check(r#"{"Série\n":"<>&'"}"#, r#"{"Série\n":"<>&'"}"#);
}

#[test]
fn a_text_alone_is_quoted_as_within_a_value() {
    for text in ["", "a", "Série 🎬", "\"\\\n\u{1f}\u{7f}"] {
        assert_eq!(quoted(text), to_string(&Value::from(text)), "{text:?}");
    }
}

#[test]
fn ascii_form_escapes_the_same_characters_as_python() {
    check_ascii(r#""Série 🎬""#, r#""S\u00e9rie \ud83c\udfac""#);
    check_ascii(r#"{"é":1,"1":2}"#, r#"{"1":2,"\u00e9":1}"#);
    check_ascii("\"\u{2028}\u{7f}~ \u{ffff}\u{10000}\u{10ffff}\"", r#""\u2028\u007f~ \uffff\ud800\udc00\udbff\udfff""#);
    check_ascii(r#""\"\\\/\b\f\n\r\t\u001F""#, r#""\"\\/\b\f\n\r\t\u001f""#);
}

#[test]
fn ascii_form_writes_small_numbers_as_python_does() {
    for (text, expected) in [
        ("0.0001", "0.0001"),
        ("0.00001234", "1.234e-05"),
        ("-0.000099", "-9.9e-05"),
        ("1e-7", "1e-07"),
        ("1.5e-10", "1.5e-10"),
        ("5e-324", "5e-324"),
        ("-0.0", "0"),
        ("1e21", "1e+21"),
        ("123456789012345680000", "123456789012345680000"),
    ] {
        check_ascii(text, expected);
    }
}

#[test]
fn every_parsed_value_can_be_written() {
    let arrays = format!("{}{}", "[".repeat(127), "]".repeat(127));
    let objects = format!("{}null{}", r#"{"a":"#.repeat(127), "}".repeat(127));
    for text in [arrays, objects] {
        check(&text, &text);
        check_ascii(&text, &text);
    }
}

fn any_number() -> impl Strategy<Value = Number> {
    prop_oneof![
        any::<i64>().prop_map(Number::from),
        any::<u64>().prop_map(Number::from),
        any::<f64>().prop_filter_map("finite", Number::from_f64),
        (-1e6_f64..1e6).prop_filter_map("finite", Number::from_f64),
    ]
}

fn any_key() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), any::<u32>().prop_map(|index| index.to_string()), "[0-9]{1,3}"]
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any_number().prop_map(Value::Number),
        any::<String>().prop_map(Value::String),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::Array),
            prop::collection::vec((any_key(), inner), 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<String, Value>>())),
        ]
    })
}

proptest! {
    #[test]
    fn writing_what_was_read_back_changes_nothing(value in any_value()) {
        let once = to_string(&value);
        let read: Value = serde_json::from_str(&once).unwrap();
        prop_assert_eq!(to_string(&read), once);
    }

    #[test]
    fn ascii_form_is_ascii_and_means_the_same(value in any_value()) {
        let ascii = to_ascii_string(&value);
        prop_assert!(ascii.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        let read: Value = serde_json::from_str(&ascii).unwrap();
        prop_assert_eq!(to_ascii_string(&read), ascii);
        prop_assert_eq!(to_string(&read), to_string(&value));
    }
}
