//! The modules of a library or program, with their files and items. Code for tests is left out.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use syn::{Attribute, Item, ItemMod, Meta};

use super::sources::{Sources, Target};

/// A library or a program.
pub struct Crate {
    /// Its name in code.
    pub name: String,
    /// The directory of its lib.rs or main.rs.
    pub directory: String,
    /// Its modules, the root first.
    pub modules: Vec<Module>,
}

/// A module, which is a file or a part of one.
pub struct Module {
    /// The path of the file.
    pub file: String,
    /// The module around it; none for the root.
    pub parent: Option<usize>,
    /// The modules in it, by name.
    pub children: BTreeMap<String, usize>,
    /// The other items in it.
    pub items: Vec<Item>,
}

impl Crate {
    /// Reads the file of the root and, by their `mod` declarations, those of all modules.
    pub fn parse(target: &Target, sources: &Sources) -> anyhow::Result<Self> {
        let directory = directory_of(&target.root).to_owned();
        let mut parsed = Self { name: target.name.clone(), directory: directory.clone(), modules: Vec::new() };
        parsed.add_file(&target.root, &directory, None, sources)?;
        Ok(parsed)
    }

    /// Its files.
    pub fn files(&self) -> BTreeSet<&str> {
        self.modules.iter().map(|module| module.file.as_str()).collect()
    }

    fn add_file(
        &mut self,
        file: &str,
        directory: &str,
        parent: Option<usize>,
        sources: &Sources,
    ) -> anyhow::Result<usize> {
        let text = sources.get(file).with_context(|| format!("`{file}` does not exist"))?;
        let parsed = syn::parse_file(text).with_context(|| format!("`{file}` is not valid Rust"))?;
        self.add_module(file, directory, parent, parsed.items, sources)
    }

    /// Adds a module whose child modules are files below `directory`.
    fn add_module(
        &mut self,
        file: &str,
        directory: &str,
        parent: Option<usize>,
        items: Vec<Item>,
        sources: &Sources,
    ) -> anyhow::Result<usize> {
        let number = self.modules.len();
        self.modules.push(Module { file: file.to_owned(), parent, children: BTreeMap::new(), items: Vec::new() });
        for item in items {
            match item {
                item if is_for_tests(attributes(&item)) => {}
                Item::Mod(child) => {
                    let name = child.ident.to_string();
                    let child = self.add_child(number, child, directory, sources)?;
                    self.modules[number].children.insert(name, child);
                }
                item => self.modules[number].items.push(item),
            }
        }
        Ok(number)
    }

    /// Adds a module that another declares, in the same file or in one of its own.
    fn add_child(
        &mut self,
        parent: usize,
        child: ItemMod,
        directory: &str,
        sources: &Sources,
    ) -> anyhow::Result<usize> {
        let (file, name) = (self.modules[parent].file.clone(), child.ident);
        let below = format!("{directory}/{name}");
        if let Some((_, items)) = child.content {
            return self.add_module(&file, &below, Some(parent), items, sources);
        }
        let mut places = [format!("{below}.rs"), format!("{below}/mod.rs")].into_iter();
        let place = places.find(|place| sources.contains_key(place)).with_context(|| {
            format!("`{file}` declares `mod {name};`, but neither `{below}.rs` nor `{below}/mod.rs` exists")
        })?;
        self.add_file(&place, &below, Some(parent), sources)
    }
}

/// The directory of a file.
pub fn directory_of(file: &str) -> &str {
    file.rsplit_once('/').map_or("", |(directory, _)| directory)
}

/// Whether something has `#[cfg(test)]` among its attributes.
pub fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        Meta::Path(_) | Meta::NameValue(_) => false,
    })
}

/// The attributes of an item.
pub fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        // The enum is non-exhaustive; syn parses no attributes of other items.
        _ => &[],
    }
}
