//! The search for characters without a glyph finds these, and no others.

use reelhook_domain::videos::coverage::{is_blank, missing};

#[test]
fn characters_without_a_typeface_are_found_once_and_in_order() {
    let check = |text: &str, expected: &[char]| assert_eq!(missing(text), expected, "{text}");
    check("བོད་ཡིག", &['བ', '\u{F7C}', 'ད', '\u{F0B}', 'ཡ', '\u{F72}', 'ག']);
    check("Tibet: ཀ, ཁ and ཀ again", &['ཀ', 'ཁ']);
    check("Cherokee Ꭰ", &['Ꭰ']);
    check("𓀀 hieroglyph, 𝄞 clef", &['𓀀', '𝄞']);
    // A private-use character, an unassigned one, and a noncharacter.
    check("\u{E000}\u{F8FF}\u{100000}", &['\u{E000}', '\u{F8FF}', '\u{100000}']);
    check("a\u{378}b\u{E0FFF}\u{FDD0}\u{FFFE}", &['\u{378}']);
}

#[test]
fn what_is_shown_or_never_leaves_a_mark_is_not_missing() {
    for text in [
        "Plain text, naïve Łódź, Việt Nam, Ελλάδα, Київ; e\u{301} n\u{303}",
        "שלום عليكم नमस्ते বাংলা ਪੰਜਾਬੀ ગુજરાતી தமிழ் తెలుగు ಕನ್ನಡ മലയാളം සිංහල ไทย ລາວ ខ្មែរ မြန်မာ ქართული Հայերեն አማርኛ",
        "日本語 中文 한국어 ﾃｷｽﾄ 𠮷 ㍿ \u{FA70} \u{2F9C8}",
        "₿ € ₹ № ™ ½ × → ✓ ★ ≤ 10⁵⁰ ⠿",
        "👨‍👩‍👧‍👦 🇩🇪 1️⃣ ❤️ ❤︎ 👍🏽 🏳️‍🌈 🏴\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}",
        "a\u{AD}b\u{200B}c\u{200D}d\u{2060}e\u{2066}f\u{2069}g\u{FEFF}h\u{E0100}",
        "tab\t, \r\n, \u{A0}, \u{3000}, \u{2028}, \u{7}, \u{85}, \u{FFFE}",
        "",
    ] {
        assert_eq!(missing(text), Vec::<char>::new(), "{text:?}");
    }
}

#[test]
fn a_text_of_nothing_visible_is_blank() {
    for text in ["", "   ", "\u{A0}\u{3000}\n", "\u{200B}", "\u{FEFF}\u{200D}\u{2066}\u{2069}", "\u{FDD0}\u{FFFF}"] {
        assert!(is_blank(text), "{text:?}");
    }
    for text in ["0", " . ", "\u{200B}a", "ཀ", "\u{301}"] {
        assert!(!is_blank(text), "{text:?}");
    }
}
