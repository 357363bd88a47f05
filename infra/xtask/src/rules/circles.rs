//! Import circles: files of a crate that each import all the others, directly or through others.

use std::collections::{BTreeMap, BTreeSet};

use super::imports::Imports;

/// The imports inside each circle.
pub fn of(imports: &Imports) -> Vec<Imports> {
    let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (from, to) in imports.keys() {
        edges.entry(from).or_default().insert(to);
    }
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        edges.keys().map(|file| (*file, reached_from(file, &edges))).collect();
    let reaches = |from: &str, to: &str| reached.get(from).is_some_and(|files| files.contains(to));
    let circles: BTreeSet<BTreeSet<&str>> = reached
        .keys()
        .filter(|file| reaches(file, file))
        .map(|file| reached[file].iter().copied().filter(|other| reaches(other, file)).collect())
        .collect();
    let inside = |circle: &BTreeSet<&str>| -> Imports {
        let ties =
            imports.iter().filter(|((from, to), _)| circle.contains(from.as_str()) && circle.contains(to.as_str()));
        ties.map(|(files, names)| (files.clone(), names.clone())).collect()
    };
    circles.iter().map(inside).collect()
}

/// The files that a file imports, directly and through others.
fn reached_from<'a>(file: &str, edges: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<&'a str> {
    let next = |file: &str| edges.get(file).into_iter().flatten().copied();
    let (mut reached, mut left) = (BTreeSet::new(), next(file).collect::<Vec<_>>());
    while let Some(other) = left.pop() {
        if reached.insert(other) {
            left.extend(next(other));
        }
    }
    reached
}

/// The number of files in a circle.
pub fn files(circle: &Imports) -> usize {
    circle.keys().map(|(from, _)| from).collect::<BTreeSet<_>>().len()
}

/// The imports between the files of a circle, a line for each.
pub fn ties(circle: &Imports) -> Vec<String> {
    let tie = |((from, to), names): (&(String, String), &BTreeSet<String>)| {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        format!("{from} imports {} from {to}", names.join(", "))
    };
    circle.iter().map(tie).collect()
}
