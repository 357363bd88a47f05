//! The codes of an error response: as its description, which lists them, and as its name.

use reelhook_app::digest::sha256_hex;
use serde_json::Value;

use crate::operation::Errors;

/// A name has at most this many codes.
const NAMED: usize = 3;

/// Codes as text: "`a`, `b` or `c`".
pub fn listed(codes: &[&str]) -> String {
    match codes {
        [] => String::new(),
        [one] => format!("`{one}`"),
        [first @ .., last] => format!("`{}` or `{last}`", first.join("`, `")),
    }
}

/// The codes that the description of a response lists.
pub fn of_response(response: &Value) -> impl Iterator<Item = &str> {
    response["description"].as_str().unwrap_or_default().split('`').skip(1).step_by(2)
}

/// The name of the response with these codes. It does not depend on other responses.
pub fn response_name(form: Errors, codes: &[&str]) -> String {
    let form = match form {
        Errors::StreamGank => "",
        Errors::VidBuilder => "Video",
        Errors::Project => "Project",
        Errors::Clip => "Clip",
        Errors::Callback => "Callback",
        Errors::Page => "Page",
    };
    match codes {
        [first, others @ ..] if codes.len() > NAMED => {
            format!("{form}{}Or{}Others_{}", pascal_case(first), others.len(), &sha256_hex(listed(codes))[..6])
        }
        _ => format!("{form}{}", codes.iter().map(|code| pascal_case(code)).collect::<Vec<_>>().join("Or")),
    }
}

/// `job_not_found` or `job.not.found` as `JobNotFound`.
pub fn pascal_case(name: &str) -> String {
    let capitalized = |word: &str| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_uppercase() + rest
    };
    name.split(['.', '_']).map(capitalized).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_response_is_named_by_its_form_and_its_codes() {
        let check = |form, codes: &[&str], expected: &str| assert_eq!(response_name(form, codes), expected);
        check(Errors::StreamGank, &["job_not_found"], "JobNotFound");
        check(Errors::VidBuilder, &["job_not_found"], "VideoJobNotFound");
        check(Errors::Page, &["sign_in_failed"], "PageSignInFailed");
        check(Errors::StreamGank, &["foreign_page", "foreign_host"], "ForeignPageOrForeignHost");
        check(Errors::StreamGank, &["a", "b_c", "d"], "AOrBCOrD");
        let body = ["bad_field", "bad_json", "no_object", "bad_encoding"];
        check(Errors::StreamGank, &body, "BadFieldOr3Others_d40f7f");
        let url = ["bad_field", "url_missing", "no_object", "bad_encoding"];
        check(Errors::VidBuilder, &url, "VideoBadFieldOr3Others_05c721");
    }

    #[test]
    fn listed_codes_are_read_back() {
        for codes in [&[][..], &["a"], &["a", "b"], &["a", "b", "c"]] {
            let response = json!({ "description": listed(codes) });
            assert_eq!(of_response(&response).collect::<Vec<_>>(), codes);
        }
        assert_eq!(listed(&["a", "b", "c"]), "`a`, `b` or `c`");
        assert_eq!(of_response(&json!({})).count(), 0);
    }
}
