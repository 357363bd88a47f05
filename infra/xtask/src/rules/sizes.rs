//! Sizes: fields of types, methods of ports, files of folders, lines of files.

use std::collections::{BTreeMap, BTreeSet};

use syn::{Attribute, Item, TraitItem};

use super::modules::{Crate, directory_of};
use super::sources::{Sources, Target};

/// Types and ports are counted in deployed code and in its test kit.
const COUNTED: [&str; 2] = ["shared/", "functions/"];

/// A measured size.
pub struct Size {
    /// Its name: `reelhook_domain::Job`, or a path.
    pub what: String,
    /// Its file or folder.
    pub place: String,
    /// The measured number.
    pub number: usize,
}

/// The fields of each struct and of each variant of an enum, without bodies of requests and answers: their fields are
/// those of the contract.
pub fn fields(crates: &[Crate]) -> Vec<Size> {
    of_items(crates, |item| match item {
        Item::Struct(item) if describes_body(&item.attrs) => Vec::new(),
        Item::Struct(item) => vec![(item.ident.to_string(), item.fields.len())],
        Item::Enum(item) => {
            let variants = item.variants.iter();
            variants.map(|variant| (format!("{}::{}", item.ident, variant.ident), variant.fields.len())).collect()
        }
        _ => Vec::new(),
    })
}

/// Whether a type describes itself for the API's description.
fn describes_body(attributes: &[Attribute]) -> bool {
    let derives = attributes.iter().filter(|attribute| attribute.path().is_ident("derive"));
    let mut tokens = derives.filter_map(|attribute| attribute.meta.require_list().ok());
    tokens.any(|list| list.tokens.to_string().split(',').any(|name| name.trim() == "JsonSchema"))
}

/// The methods of each trait, those with a default included.
pub fn methods(crates: &[Crate]) -> Vec<Size> {
    of_items(crates, |item| match item {
        Item::Trait(item) => {
            let methods = item.items.iter().filter(|item| matches!(item, TraitItem::Fn(_)));
            vec![(item.ident.to_string(), methods.count())]
        }
        _ => Vec::new(),
    })
}

fn of_items(crates: &[Crate], count: impl Fn(&Item) -> Vec<(String, usize)>) -> Vec<Size> {
    let mut sizes = Vec::new();
    for parsed in crates.iter().filter(|parsed| COUNTED.iter().any(|start| parsed.directory.starts_with(*start))) {
        for module in &parsed.modules {
            for (name, number) in module.items.iter().flat_map(&count) {
                let what = format!("{}::{name}", parsed.name);
                sizes.push(Size { what, place: module.file.clone(), number });
            }
        }
    }
    sizes
}

/// The number of Rust files in each folder of the libraries and programs, without subfolders.
pub fn files(sources: &Sources, targets: &[Target]) -> Vec<Size> {
    let roots: BTreeSet<String> = targets.iter().map(|target| format!("{}/", directory_of(&target.root))).collect();
    let mut folders: BTreeMap<&str, usize> = BTreeMap::new();
    for file in sources.keys().filter(|file| roots.iter().any(|root| file.starts_with(root.as_str()))) {
        *folders.entry(directory_of(file)).or_default() += 1;
    }
    folders.into_iter().map(|(folder, number)| of_path(folder, number)).collect()
}

/// The lines of each file, tests included.
pub fn lines(sources: &Sources) -> Vec<Size> {
    sources.iter().map(|(file, text)| of_path(file, text.lines().count())).collect()
}

fn of_path(path: &str, number: usize) -> Size {
    Size { what: path.to_owned(), place: path.to_owned(), number }
}
