//! Items as versions before 0.3 stored them: the stored form and the outbox as texts of their own.

use std::io::{Read as _, Write as _};

use flate2::bufread::ZlibDecoder;
use flate2::write::ZlibEncoder;
use flate2::{Compress, Compression, Decompress};
use serde_json::{Value, json};

/// The dictionary that items are written with.
const DICTIONARY: (u8, &[u8]) = (1, include_bytes!("../../src/items/dictionaries/1.txt"));

/// The item with its stored form in the text `body`, and its effects in the text `outbox`.
pub fn opened(item: &Value) -> Value {
    let body = aws_smithy_types::base64::decode(item["body"]["B"].as_str().expect("bytes")).expect("base64");
    let whole = text(&body);
    let mut item = item.clone();
    item["body"] = json!({ "S": whole["b"].to_string() });
    assert_eq!(item.get("outbox").is_some(), whole.get("o").is_some(), "the stream's filter tests the attribute");
    if let Some(outbox) = whole.get("o") {
        item["outbox"] = json!({ "S": outbox.to_string() });
    }
    item
}

/// The JSON in a compressed body.
fn text(body: &[u8]) -> Value {
    assert_eq!(body[0], DICTIONARY.0);
    let mut stream = Decompress::new(false);
    stream.set_dictionary(DICTIONARY.1).expect("a dictionary");
    let mut text = String::new();
    ZlibDecoder::new_with_decompress(&body[1..], stream).read_to_string(&mut text).expect("a whole text");
    serde_json::from_str(&text).expect("JSON")
}

/// The item as this version stores it, with these texts.
pub fn closed(opened: &Value) -> Value {
    let text = |name: &str| opened[name]["S"].as_str();
    let mut stream = Compress::new(Compression::best(), false);
    stream.set_dictionary(DICTIONARY.1).expect("a dictionary");
    let mut body = ZlibEncoder::new_with_compress(vec![DICTIONARY.0], stream);
    write!(body, r#"{{"b":{},"o":{}}}"#, text("body").unwrap_or("null"), text("outbox").unwrap_or("[]"))
        .expect("written");
    let mut item = opened.clone();
    item["body"] = json!({ "B": aws_smithy_types::base64::encode(body.finish().expect("written")) });
    item["outbox"] = json!({ "S": r#"[{"kind":"body"}]"# });
    item
}
