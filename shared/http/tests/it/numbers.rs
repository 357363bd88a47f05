//! Numbers are displayed as people write them, and accepted in any form in which clients write them.

use reelhook_http::videos::routes::read_upload;
use serde_json::{Value, json};

use crate::film::{content, order, order_of, parse_film, refusal, request, scene};

/// Checks how a JSON number is displayed as the value of a statistic.
fn shown(token: &str) -> String {
    let scenes = format!(r#"[{{"type": "stats", "content": {{"stats": [{{"value": {token}}}]}}}}]"#);
    order_of(&scenes).expect("an order").film.scenes[0].content.items[0].value.clone()
}

#[test]
fn numbers_are_parsed_as_people_write_them() {
    for (token, expected) in [
        ("1250.0", "1250"),
        ("0.30000000000000004", "0.3"),
        ("12345678901234567890123", "12345678901234567890123"),
        ("-12345678901234567890123", "-12345678901234567890123"),
        ("3.1415926535897932384626", "3.1415926535897932384626"),
        ("-0.0", "0"),
        ("1e21", "1000000000000000000000"),
        ("1E3", "1000"),
        ("5e-7", "0.0000005"),
        ("434.99999999999994", "435"),
        ("1e100", "1\u{A0}×\u{A0}10¹⁰⁰"),
        // A text stays as it is.
        (r#""1250.0""#, "1250.0"),
        (r#""1e21""#, "1e21"),
        (r#""0.30000000000000004""#, "0.30000000000000004"),
        (r#""-0.0""#, "-0.0"),
    ] {
        assert_eq!(shown(token), expected, "{token}");
    }
}

#[test]
fn a_form_keeps_digits_as_json_does() {
    let body = "--part\r\nContent-Disposition: form-data; name=\"config\"\r\n\r\n\
        {\"scenes\": [{\"type\": \"hero-title\", \"content\": {\"title\": 12345678901234567890123}}]}\r\n\
        --part\r\nContent-Disposition: form-data; name=\"webhookUrl\"\r\n\r\nhttps://client.example/hook\r\n--part--\r\n";
    let order = order(&request(body, "multipart/form-data; boundary=part")).expect("an order");
    assert_eq!(order.film.scenes[0].content.title, "12345678901234567890123");
}

#[test]
fn a_number_beyond_all_bounds_is_refused() {
    let scene = |token: &str| format!(r#"[{{"type": "stats", "content": {{"title": {token}}}}}]"#);
    assert!(refusal(order_of(&scene("1e400"))).contains("number out of range"));
    let long = "7".repeat(2001);
    assert!(refusal(order_of(&scene(&long))).contains("`scenes[0].content.title` must be a text of at most 2000"));
}

#[test]
fn durations_and_volumes_come_as_numbers_or_texts() {
    for duration in [json!(4), json!(4.0), json!("4"), json!("4.0"), json!(" 4 "), json!(""), json!(null), json!("4e0")]
    {
        assert_eq!(scene(json!({ "type": "cta", "duration": duration })).frames, 120, "{duration}");
    }
    assert_eq!(scene(json!({ "type": "cta", "duration": "0.5" })).frames, 15);
    for duration in [json!("four"), json!("4 s"), json!("nan"), json!("inf"), json!("400"), json!(true), json!([4])] {
        let refused = refusal(parse_film(&json!({ "scenes": [{ "type": "cta", "duration": duration }] })));
        assert_eq!(refused, "`scenes[0].duration` must be a number from 0.5 to 120", "{duration}");
    }
    let music = json!({ "trackId": "corp-1", "volume": "0.5", "fadeIn": " 3 ", "fadeOut": 4.0, "enabled": "true" });
    let config = json!({ "music": music, "generateReels": "TRUE", "scenes": [{ "type": "cta" }] });
    let film = parse_film(&config).expect("a film").film;
    let music = film.music.expect("music");
    assert_eq!((music.volume, music.fade_in_ms, music.fade_out_ms, film.reels), (0.5, 3000, 4000, true));
    let config = json!({ "music": { "trackId": "corp-1", "enabled": "perhaps" }, "scenes": [{ "type": "cta" }] });
    assert_eq!(refusal(parse_film(&config)), "`music.enabled` must be true or false");
}

#[test]
fn sizes_and_places_come_as_numbers_or_texts() {
    for size in [json!(1234), json!(1234.0), json!("1234"), json!(" 1234.0 ")] {
        let body = json!({ "contentType": "image/png", "size": size }).to_string();
        let upload = read_upload(&request(&body, "application/json"), 7).expect("an upload");
        assert_eq!(upload.bytes, 1234, "{size}");
    }
    for size in [json!(1.5), json!("1.5"), json!(-1), json!(0), json!("many"), json!(1e300)] {
        let body = json!({ "contentType": "image/png", "size": size }).to_string();
        assert!(read_upload(&request(&body, "application/json"), 7).is_err(), "{size}");
    }
    let right = |options: Value, answer: Value| {
        let content = content("quiz", json!({ "question": "?", "options": options, "correctAnswer": answer }));
        content.items.into_iter().find(|item| item.marked).map(|item| item.title)
    };
    let letters = || json!(["a", "b", "c"]);
    for answer in [json!(1), json!(1.0), json!("1"), json!("b"), json!(" b ")] {
        assert_eq!(right(letters(), answer.clone()).as_deref(), Some("b"), "{answer}");
    }
    // A number is first an index and then an answer; a text is first an answer.
    assert_eq!(right(json!([2, 1, 8]), json!(1)).as_deref(), Some("1"));
    assert_eq!(right(json!([2, 4, 8]), json!(8)).as_deref(), Some("8"));
    assert_eq!(right(json!([2, 4.50, 0]), json!("0")).as_deref(), Some("0"));
    assert_eq!(right(json!([2, 4.50, 0]), json!("4.5")).as_deref(), Some("4.5"));
    assert_eq!(right(json!(["", "a", "b"]), json!(2)).as_deref(), Some("b"));
    assert_eq!(right(letters(), json!(7)), None);
}
