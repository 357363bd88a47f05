//! Bold parts of a text: `**` where CommonMark makes strong emphasis of it, and shown as written everywhere else.

use std::ops::Range;

use icu_properties::CodePointMapData;
use icu_properties::props::{GeneralCategory, GeneralCategoryGroup};

/// The length of a mark, `**`.
const MARK: usize = 2;

/// The text without the marks of its bold parts.
pub fn plain(text: &str) -> String {
    strong(text).0
}

/// The text without the marks of its bold parts, and where these parts are: in order, apart from each other.
pub fn strong(text: &str) -> (String, Vec<Range<usize>>) {
    let mut pairs = Vec::new();
    let mut at = 0;
    // Emphasis ends with its paragraph.
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
    let place = |at: usize| at - MARK * marks.partition_point(|mark| *mark < at);
    let mut bold: Vec<Range<usize>> = Vec::new();
    for (open, close) in pairs {
        let (start, end) = (place(open + MARK), place(close));
        match bold.last_mut() {
            Some(last) if start <= last.end => last.end = last.end.max(end),
            Some(_) | None => bold.push(start..end),
        }
    }
    (plain, bold)
}

/// A run of asterisks.
struct Run {
    start: usize,
    length: usize,
    /// How many of them, from the left, ended emphasis.
    closed: usize,
    /// How many of them, from the right, began emphasis.
    opened: usize,
    opens: bool,
    closes: bool,
}

impl Run {
    fn left(&self) -> usize {
        self.length - self.closed - self.opened
    }
}

/// Where the marks of bold parts begin: CommonMark's "process emphasis", in which `*a*` is emphasis too, but has no look
/// of its own here and so keeps its asterisks.
fn pairs_of(text: &str) -> Vec<(usize, usize)> {
    let mut runs = runs(text);
    let mut pairs = Vec::new();
    // Before these no run opens what a run of this kind closes; without them a long text would be searched again and again.
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
            // What stands between them is inside now, and opens nothing that ends outside.
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

/// Every run of asterisks, and whether it may begin and end emphasis: by what stands on both of its sides.
fn runs(text: &str) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut at = 0;
    while let Some(found) = text[at..].find('*') {
        let start = at + found;
        let length = text[start..].bytes().take_while(|byte| *byte == b'*').count();
        at = start + length;
        let (before, after) = (text[..start].chars().next_back(), text[at..].chars().next());
        let left = !is_space(after) && (!is_mark(after) || is_space(before) || is_mark(before));
        let right = !is_space(before) && (!is_mark(before) || is_space(after) || is_mark(after));
        runs.push(Run { start, length, closed: 0, opened: 0, opens: left, closes: right });
    }
    runs
}

/// White space, and the ends of the text.
fn is_space(character: Option<char>) -> bool {
    character.is_none_or(char::is_whitespace)
}

/// Punctuation and symbols.
fn is_mark(character: Option<char>) -> bool {
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
    fn asterisks_that_are_no_emphasis_are_shown_as_written() {
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
            // The single asterisk takes one of the opening mark, so that the last mark finds only one.
            ("*a **b* c**", "*a **b* c**"),
            // After punctuation and before a letter nothing closes.
            ("**a.**b", "**a.**b"),
            ("€**5**", "€⟨5⟩"),
            ("2 ** 3, but **4**", "2 ** 3, but ⟨4⟩"),
        ] {
            assert_eq!(seen(text), expected, "{text}");
        }
    }

    #[test]
    fn a_text_of_marks_only_takes_no_time() {
        // Each would be searched for among all before it.
        for mark in ["**a", "a**", "*a **b ", "a** "] {
            let text = mark.repeat(2_000);
            strong(&text);
        }
    }
}
