//! The imports between files: importing file, declaring file, items. A re-export leads to the declaring file.

use std::collections::{BTreeMap, BTreeSet};

use super::modules::{Crate, Module};
use super::names::{ALL, Names};

/// At most this many imports and re-exports are followed from one name. No name needs so many; the limit ends the
/// search for an import of another crate, which leads to itself.
const DEEPEST: usize = 8;

/// The names of items that a file imports from another file of its crate: importing file, declaring file, names.
pub type Imports = BTreeMap<(String, String), BTreeSet<String>>;

/// The imports between the files of a crate. The declaration of a module is not an import.
pub fn of(parsed: &Crate) -> Imports {
    let names = parsed.modules.iter().map(|module| Names::of(&module.items)).collect();
    let scopes = Scopes { modules: &parsed.modules, names };
    let mut imports = Imports::new();
    for (number, module) in parsed.modules.iter().enumerate() {
        for path in &scopes.names[number].mentioned {
            if let Some(Place::Item { owner, name }) = scopes.resolve(number, path, 0) {
                let file = &parsed.modules[owner].file;
                if *file != module.file {
                    imports.entry((module.file.clone(), file.clone())).or_default().insert(name.to_owned());
                }
            }
        }
    }
    imports
}

/// The target of a path.
#[derive(Clone, Copy)]
enum Place<'a> {
    /// The module of this number.
    Module(usize),
    /// An item, or everything, of the module `owner`.
    Item { owner: usize, name: &'a str },
}

/// The modules of a crate with their names.
struct Scopes<'a> {
    modules: &'a [Module],
    names: Vec<Names>,
}

impl Scopes<'_> {
    /// The target of a path in module `from`; none outside the crate.
    fn resolve<'a>(&'a self, from: usize, path: &'a [String], depth: usize) -> Option<Place<'a>> {
        let (mut module, mut rest) = (from, path);
        while let Some((first, after)) = rest.split_first() {
            module = match first.as_str() {
                "crate" => 0,
                "self" => module,
                "super" => self.modules[module].parent?,
                _ => break,
            };
            rest = after;
        }
        while let Some((name, after)) = rest.split_first() {
            match self.look_up(module, name, after.is_empty(), depth)? {
                Place::Module(inner) => module = inner,
                item @ Place::Item { .. } => return Some(item),
            }
            rest = after;
        }
        Some(Place::Module(module))
    }

    /// The target of a name in a module. If a module and an item have the same name, the `last` name of a path means
    /// the item.
    fn look_up<'a>(&'a self, module: usize, name: &'a str, last: bool, depth: usize) -> Option<Place<'a>> {
        if depth > DEEPEST {
            return None;
        }
        let names = &self.names[module];
        let child = self.modules[module].children.get(name).map(|number| Place::Module(*number));
        if !last && child.is_some() {
            return child;
        }
        if name == ALL || names.declared.contains(name) {
            return Some(Place::Item { owner: module, name });
        }
        let imported = names.imported.get(name).and_then(|path| self.resolve(module, path, depth + 1));
        imported.or(child).or_else(|| {
            names.globs.iter().find_map(|path| match self.resolve(module, path, depth + 1)? {
                Place::Module(inner) => self.look_up(inner, name, last, depth + 1),
                Place::Item { .. } => None,
            })
        })
    }
}
