//! Tests of the check on small trees.

use super::findings::Findings;
use super::imports::{self, Imports};
use super::limits::{Exception, Limit};
use super::modules::Crate;
use super::sizes::{self, Size};
use super::sources::{Sources, Target};
use super::{circles, report, rooms};

/// A limit with one exception.
static LIMIT: Limit = Limit {
    title: "Fields per type",
    unit: "fields",
    most: 2,
    advice: "group them",
    exceptions: &[Exception { what: "one::Wide", most: 3, reason: "it is a stored row" }],
};

fn sources(files: &[(&str, &str)]) -> Sources {
    files.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect()
}

fn target() -> Target {
    Target { name: "one".to_owned(), root: "shared/one/src/lib.rs".to_owned() }
}

/// A crate of these files below its `src`.
fn parsed(files: &[(&str, &str)]) -> Crate {
    let files: Vec<(String, &str)> =
        files.iter().map(|(file, text)| (format!("shared/one/src/{file}"), *text)).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(file, text)| (file.as_str(), *text)).collect();
    Crate::parse(&target(), &sources(&files)).unwrap()
}

fn imports_of(files: &[(&str, &str)]) -> Imports {
    imports::of(&parsed(files))
}

/// The imports as `a.rs > b.rs: Name`.
fn check(files: &[(&str, &str)], expected: &[&str]) {
    let short = |file: &str| file.trim_start_matches("shared/one/src/").to_owned();
    let found: Vec<String> = imports_of(files)
        .iter()
        .map(|((from, to), names)| {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            format!("{} > {}: {}", short(from), short(to), names.join(" "))
        })
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn files_that_import_each_other_are_a_circle() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c; mod d;"),
        ("a.rs", "use crate::b::B; pub struct A(B);"),
        ("b.rs", "use crate::c::C; pub struct B(C);"),
        ("c.rs", "use super::a::A; pub struct C(Option<Box<A>>);"),
        ("d.rs", "use crate::a::A; pub struct D(A);"),
    ];
    let circles = circles::of(&imports_of(&files));
    assert_eq!(circles.len(), 1);
    assert_eq!(circles::files(&circles[0]), 3);
    assert_eq!(circles::ties(&circles[0])[2], "shared/one/src/c.rs imports A from shared/one/src/a.rs");
}

#[test]
fn a_parent_and_a_child_that_import_each_other_are_a_circle() {
    let files = [
        ("lib.rs", "mod a; pub const LIMIT: u8 = 1; fn all() -> u8 { a::count() }"),
        ("a.rs", "use crate::LIMIT; pub fn count() -> u8 { LIMIT }"),
    ];
    assert_eq!(circles::of(&imports_of(&files)).len(), 1);
}

#[test]
fn the_declaration_of_a_module_and_a_re_export_are_no_imports() {
    check(&[("lib.rs", "mod a; pub use a::A;"), ("a.rs", "pub struct A;")], &[]);
    // What the module itself uses of its re-exports is an import.
    check(&[("lib.rs", "mod a; pub use a::A; struct B(A);"), ("a.rs", "pub struct A;")], &["lib.rs > a.rs: A"]);
    check(&[("lib.rs", "mod a; pub use a::f; fn g() { f(1) }"), ("a.rs", "pub fn f(_: u8) {}")], &["lib.rs > a.rs: f"]);
}

#[test]
fn a_re_export_leads_to_the_file_that_declares_the_item() {
    let files = [
        ("lib.rs", "mod a; mod user; pub use a::{Item as Renamed, deep};"),
        ("a/mod.rs", "mod b; pub use b::Item; pub use self::b::c as deep;"),
        ("a/b.rs", "pub(crate) mod c; pub use c::Item;"),
        ("a/b/c.rs", "pub struct Item; pub fn make() -> Item { Item }"),
        ("user.rs", "use crate::Renamed; fn f() -> Renamed { crate::deep::make() }"),
    ];
    check(&files, &["user.rs > a/b/c.rs: Item make"]);
}

#[test]
fn paths_in_code_are_imports() {
    let files = [
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "impl super::b::Port for u8 { fn f(x: crate::b::B) { match x { crate::b::B::Two => {} _ => {} } } }"),
        ("b.rs", "pub enum B { One, Two } pub trait Port {}"),
    ];
    check(&files, &["a.rs > b.rs: B Port"]);
}

#[test]
fn paths_in_the_arguments_of_macros_are_imports() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c; mod d;"),
        ("a.rs", r#"use crate::d; fn f() { println!("{} {:?}", crate::b::NAME, vec![d::D { x: crate::c::f(1) }]); }"#),
        ("b.rs", "pub const NAME: &str = \"b\";"),
        ("c.rs", "pub fn f(_: u8) {}"),
        ("d.rs", "pub struct D { pub x: () }"),
    ];
    check(&files, &["a.rs > b.rs: NAME", "a.rs > c.rs: f", "a.rs > d.rs: D"]);
}

#[test]
fn nested_and_local_uses_are_imports() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c;"),
        (
            "a.rs",
            "use crate::{b::{self, B as Other, inner::{Deep}}, c}; fn f() { use super::c::Local; b::g(); c::h() }",
        ),
        ("b.rs", "pub mod inner; pub struct B; pub fn g() {}"),
        ("b/inner.rs", "pub struct Deep;"),
        ("c.rs", "pub struct Local; pub fn h() {}"),
    ];
    check(&files, &["a.rs > b.rs: B g", "a.rs > b/inner.rs: Deep", "a.rs > c.rs: Local h"]);
}

#[test]
fn everything_of_a_module_is_an_import_of_its_file_and_of_what_is_used_of_it() {
    let files = [
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::*; fn f(_: Item) {}"),
        ("b.rs", "mod c; pub use c::Item; pub trait Help {}"),
        ("b/c.rs", "pub struct Item;"),
    ];
    check(&files, &["a.rs > b.rs: *", "a.rs > b/c.rs: Item"]);
}

#[test]
fn a_module_and_an_item_may_have_the_same_name() {
    let files = [
        ("lib.rs", "mod retry; mod user; pub use retry::retry;"),
        ("retry.rs", "pub struct Retry; pub fn retry() {}"),
        ("user.rs", "use crate::retry::Retry; fn f(_: Retry) { crate::retry() }"),
    ];
    check(&files, &["user.rs > retry.rs: Retry retry"]);
}

#[test]
fn a_part_of_a_file_is_that_file() {
    let files = [
        ("lib.rs", "mod a; mod b { pub mod c; pub struct B; }"),
        ("a.rs", "mod part { use super::super::b::{B, c::C}; struct P(super::A, B, C); } pub struct A;"),
        ("b/c.rs", "pub struct C;"),
    ];
    check(&files, &["a.rs > b/c.rs: C", "a.rs > lib.rs: B"]);
}

#[test]
fn what_is_built_for_tests_only_does_not_count() {
    let files = [
        ("lib.rs", "mod a; mod b;"),
        (
            "a.rs",
            "#[cfg(test)] mod tests; #[cfg(test)] use crate::b::B; #[cfg(test)] mod more { use crate::b::B; }
             pub struct A; impl A { #[cfg(test)] const B: B = crate::b::B; #[cfg(test)] fn b() -> B { crate::b::B } }",
        ),
        ("a/tests.rs", "use crate::b::B;"),
        ("b.rs", "use crate::a::A; pub struct B;"),
    ];
    check(&files, &["b.rs > a.rs: A"]);
}

#[test]
fn other_crates_and_own_names_are_no_imports() {
    let files = [
        ("lib.rs", "mod a; mod serde;"),
        (
            "a.rs",
            "use ::serde::Serialize; use serde_json; use std::fmt::{self, Debug};
             fn f(x: serde_json::Value) -> fmt::Result { x.serde::<Self>() }",
        ),
        ("serde.rs", "pub struct Serialize;"),
    ];
    check(&files, &[]);
}

#[test]
fn a_module_without_a_file_is_an_error() {
    let sources = sources(&[("shared/one/src/lib.rs", "mod gone;")]);
    let error = Crate::parse(&target(), &sources).err().unwrap().to_string();
    assert!(error.contains("mod gone;") && error.contains("shared/one/src/gone.rs"), "{error}");
}

#[test]
fn fields_and_methods_are_counted() {
    let text =
        "struct None; struct Pair(u8, u8); enum Kind { A { x: u8 }, B(u8, u8, u8), C } #[cfg(test)] struct Test(u8);
        #[derive(Debug, JsonSchema)] struct Body(u8, u8, u8, u8);
        trait Port { const X: u8; type Y; fn a(); async fn b(&self) {} }";
    let crates = [parsed(&[("lib.rs", text)])];
    let list = |sizes: Vec<Size>| sizes.into_iter().map(|size| (size.what, size.number)).collect::<Vec<_>>();
    let own = |name: &str, number: usize| (format!("one::{name}"), number);
    let expected = [own("None", 0), own("Pair", 2), own("Kind::A", 1), own("Kind::B", 3), own("Kind::C", 0)];
    assert_eq!(list(sizes::fields(&crates)), expected);
    assert_eq!(list(sizes::methods(&crates)), [own("Port", 2)]);
}

#[test]
fn files_are_counted_in_each_folder_of_a_crate() {
    let files = ["lib.rs", "a.rs", "a/b.rs", "a/tests.rs"].map(|name| format!("shared/one/src/{name}"));
    let mut sources = sources(&files.each_ref().map(|file| (file.as_str(), "")));
    sources.insert("shared/one/tests/it/main.rs".to_owned(), String::new());
    let found = sizes::files(&sources, &[target()]);
    let found: Vec<(&str, usize)> = found.iter().map(|size| (size.what.as_str(), size.number)).collect();
    assert_eq!(found, [("shared/one/src", 2), ("shared/one/src/a", 2)]);
}

fn wide(name: &str, number: usize) -> Size {
    Size { what: format!("one::{name}"), place: "shared/one/src/lib.rs".to_owned(), number }
}

#[test]
fn what_exceeds_its_limit_is_a_problem() {
    assert_eq!(LIMIT.problems(&[wide("Wide", 3), wide("Narrow", 2)]), [""; 0]);
    assert_eq!(
        LIMIT.problems(&[wide("Wide", 4), wide("Other", 3)]),
        [
            "shared/one/src/lib.rs: `one::Wide` has 4 fields, at most 3 are allowed: group them",
            "shared/one/src/lib.rs: `one::Other` has 3 fields, at most 2 are allowed: group them",
        ]
    );
}

#[test]
fn an_exception_that_nothing_needs_is_a_problem() {
    for sizes in [vec![wide("Wide", 2)], vec![wide("Narrow", 1)]] {
        let problems = LIMIT.problems(&sizes);
        assert_eq!(problems.len(), 1);
        assert!(problems[0].contains("`one::Wide`") && problems[0].ends_with("remove its exception"), "{problems:?}");
    }
}

#[test]
fn folders_are_rooms() {
    let files = [
        ("lib.rs", "mod jobs; mod outbox; mod time; pub use jobs::Job;"),
        ("jobs.rs", "mod store; pub struct Job(crate::time::Time);"),
        ("jobs/store.rs", "use super::Job; use crate::outbox::rows::Row; fn f(_: Job, _: Row) {}"),
        ("outbox/mod.rs", "pub mod rows;"),
        ("outbox/rows.rs", "pub struct Row;"),
        ("time.rs", "pub struct Time;"),
    ];
    let parsed = parsed(&files);
    let found = rooms::of(&parsed, &imports::of(&parsed)).unwrap();
    let counts: Vec<(&str, usize)> = found.files.iter().map(|(room, files)| (room.as_str(), *files)).collect();
    assert_eq!(counts, [("(beside the rooms)", 2), ("jobs", 2), ("outbox", 2)]);
    let edges: Vec<String> = found.edges.iter().map(|((from, to), count)| format!("{from} > {to}: {count}")).collect();
    assert_eq!(edges, ["jobs > (beside the rooms): 1", "jobs > outbox: 1"]);
}

#[test]
fn the_report_says_what_is_large_and_what_is_circular() {
    let sources = sources(&[
        ("shared/one/src/lib.rs", "mod a; pub const LIMIT: u8 = 1; pub use a::A;"),
        ("shared/one/src/a.rs", "mod b; use crate::LIMIT; pub struct A { x: b::B, y: u8 }"),
        ("shared/one/src/a/b.rs", "pub struct B; fn f(_: super::A) {}"),
    ]);
    let findings = Findings::of(&sources, &[target()]).unwrap();
    let text = report::text(&findings, 1);
    for expected in [
        "Fields per type, at most 16\n     2  one::A  shared/one/src/a.rs\n",
        "Methods per port, at most 5\n\n",
        "Files per folder, at most 16\n     2  shared/one/src\n",
        "Import circles, 0 allowed: 1\n  one, 2 files\n    shared/one/src/a.rs imports B from shared/one/src/a/b.rs\n",
        "\n  one, rooms: 2, edges: 1\n",
        "\n    (beside the rooms), files: 1, imports: none\n    a, files: 2, imports: (beside the rooms) 1",
    ] {
        assert!(text.contains(expected), "{expected}\nis not in\n{text}");
    }
    assert!(findings.problems().iter().any(|problem| problem.starts_with("`one` has an import circle of 2 files")));
}
