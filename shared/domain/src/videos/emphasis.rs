//! Bold parts of a text: `**` is markup where CommonMark reads strong emphasis, and literal text everywhere else.

use std::ops::Range;

use icu_properties::CodePointMapData;
use icu_properties::props::{GeneralCategory, GeneralCategoryGroup};

/// The length of the delimiter `**`.
const MARK: usize = 2;

/// The text without the delimiters of its bold parts.
pub fn plain(text: &str) -> String {
    strong(text).0
}

/// The text without the delimiters of its bold parts, and the ranges of these parts, in order and disjoint.
pub fn strong(text: &str) -> (String, Vec<Range<usize>>) {
    let mut pairs = Vec::new();
    let mut at = 0;
    // Emphasis does not extend beyond its paragraph.
    for block in text.split("\n\n") {
        pairs.extend(pairs_of(block).into_iter().map(|(open, close)| (at + open, at + close)));
        at += block.len() + 2;
    }
    pairs.sort_unstable();
    let mut marks: Vec<usize> = pairs.iter().flat_map(|(open, close)| [*open, *close]).collect();
    marks.sort_unstable();
    let mut plain = String::with_capacity(text.len());
    let mut at = 0;
    for mark in &marks {
        plain.push_str(&text[at..*mark]);
        at = mark + MARK;
    }
    plain.push_str(&text[at..]);
    let in_plain = |at: usize| at - MARK * marks.partition_point(|mark| *mark < at);
    let mut bold: Vec<Range<usize>> = Vec::new();
    for (open, close) in pairs {
        let (start, end) = (in_plain(open + MARK), in_plain(close));
        match bold.last_mut() {
            Some(last) if start <= last.end => last.end = last.end.max(end),
            Some(_) | None => bold.push(start..end),
        }
    }
    (plain, bold)
}

/// A delimiter run: consecutive asterisks.
struct Run {
    start: usize,
    length: usize,
    /// The number of asterisks, from the left, that closed emphasis.
    closed: usize,
    /// The number of asterisks, from the right, that opened emphasis.
    opened: usize,
    opens: bool,
    closes: bool,
}

impl Run {
    fn left(&self) -> usize {
        self.length - self.closed - self.opened
    }
}

/// The positions of the delimiters of bold parts, found by CommonMark's "process emphasis" procedure. There `*a*` is
/// emphasis too; videos have no style for it, so it keeps its asterisks.
fn pairs_of(text: &str) -> Vec<(usize, usize)> {
    let mut runs = runs(text);
    let mut pairs = Vec::new();
    // CommonMark's `openers_bottom`: no run before these opens emphasis for a closer of this kind. They keep the search
    // linear.
    let mut bottoms = [[0; 3]; 2];
    for close in 0..runs.len() {
        while runs[close].closes && runs[close].left() > 0 {
            let bottom = &mut bottoms[usize::from(runs[close].opens)][runs[close].length % 3];
            let Some(open) = (*bottom..close).rev().find(|open| fit(&runs[*open], &runs[close])) else {
                *bottom = close;
                break;
            };
            let used = runs[open].left().min(runs[close].left()).min(MARK);
            if used == MARK {
                let begins = runs[open].start + runs[open].length - runs[open].opened - MARK;
                pairs.push((begins, runs[close].start + runs[close].closed));
            }
            runs[open].opened += used;
            runs[close].closed += used;
            // Runs between opener and closer can't open emphasis that ends outside.
            for inner in &mut runs[open + 1..close] {
                inner.opens = false;
            }
        }
    }
    pairs
}

fn fit(open: &Run, close: &Run) -> bool {
    let either = open.closes || close.opens;
    let three = (open.length + close.length).is_multiple_of(3)
        && !(open.length.is_multiple_of(3) && close.length.is_multiple_of(3));
    open.opens && open.left() > 0 && !(either && three)
}

/// Every delimiter run, and whether it can open or close emphasis: the characters on both sides decide.
fn runs(text: &str) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut at = 0;
    while let Some(found) = text[at..].find('*') {
        let start = at + found;
        let length = text[start..].bytes().take_while(|byte| *byte == b'*').count();
        at = start + length;
        let (before, after) = (text[..start].chars().next_back(), text[at..].chars().next());
        let left = !is_space(after) && (!is_punctuation(after) || is_space(before) || is_punctuation(before));
        let right = !is_space(before) && (!is_punctuation(before) || is_space(after) || is_punctuation(after));
        runs.push(Run { start, length, closed: 0, opened: 0, opens: left, closes: right });
    }
    runs
}

/// Whether a position is white space or an end of the text.
fn is_space(character: Option<char>) -> bool {
    character.is_none_or(char::is_whitespace)
}

/// Whether a character is punctuation or a symbol.
fn is_punctuation(character: Option<char>) -> bool {
    character.is_some_and(|character| {
        let category = CodePointMapData::<GeneralCategory>::new().get(character);
        GeneralCategoryGroup::Punctuation.contains(category) || GeneralCategoryGroup::Symbol.contains(category)
    })
}

#[cfg(test)]
mod tests {
    use super::strong;

    /// The text with its bold parts in brackets.
    fn seen(text: &str) -> String {
        let (mut plain, bold) = strong(text);
        for part in bold.iter().rev() {
            plain.insert(part.end, '⟩');
            plain.insert(part.start, '⟨');
        }
        plain
    }

    #[test]
    fn asterisks_without_emphasis_stay_as_written() {
        for text in [
            "Card **** 4242 and **** 1881",
            "2 ** 3 ** 2",
            "2**3",
            "**",
            "****",
            "** a **",
            "a ** b**c",
            "**a",
            "a**",
            "*a*",
            "* one\n* two",
            "5 * 3 * 2 = 30",
            "f(**kwargs, *args)",
            "a **b\n\nc** d",
            "__a__ and snake_case_name and _b_",
            "**\u{a0}a\u{a0}**",
            "**(a)b",
            r"\*",
        ] {
            assert_eq!(seen(text), text);
        }
    }

    #[test]
    fn bold_parts_are_those_of_commonmark() {
        for (text, expected) in [
            ("a **b** c", "a ⟨b⟩ c"),
            ("**a**b", "⟨a⟩b"),
            ("a**b**c", "a⟨b⟩c"),
            ("**a** and **b**", "⟨a⟩ and ⟨b⟩"),
            ("**a *b* c**", "⟨a *b* c⟩"),
            ("*a **b** c*", "*a ⟨b⟩ c*"),
            ("***a***", "*⟨a⟩*"),
            ("***a** b*", "*⟨a⟩ b*"),
            ("****a****", "⟨a⟩"),
            ("**a **b** c**", "⟨a b c⟩"),
            ("**a\nb**", "⟨a\nb⟩"),
            ("**(a)**, **a!**", "⟨(a)⟩, ⟨a!⟩"),
            ("**\"a\"** b", "⟨\"a\"⟩ b"),
            ("**a*", "**a*"),
            ("***a**", "*⟨a⟩"),
            ("**a***", "⟨a⟩*"),
            ("叶子把**光**变成糖", "叶子把⟨光⟩变成糖"),
            ("ב**ית** ו", "ב⟨ית⟩ ו"),
            // The single asterisk closes with one asterisk of the opening delimiter, so only one is left for the last.
            ("*a **b* c**", "*a **b* c**"),
            // A run after punctuation and before a letter does not close emphasis.
            ("**a.**b", "**a.**b"),
            ("€**5**", "€⟨5⟩"),
            ("2 ** 3, but **4**", "2 ** 3, but ⟨4⟩"),
        ] {
            assert_eq!(seen(text), expected, "{text}");
        }
    }

    #[test]
    fn a_text_of_delimiters_only_is_processed_in_linear_time() {
        // A naive search would compare each delimiter with all delimiters before it.
        for mark in ["**a", "a**", "*a **b ", "a** "] {
            let text = mark.repeat(2_000);
            strong(&text);
        }
    }
}
