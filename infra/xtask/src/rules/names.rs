//! The names that a module declares, imports and mentions, as written.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Expr, ExprCall, Ident, ImplItemConst, ImplItemFn, Item, ItemUse, Macro, UseTree, Visibility};

use super::modules::{attributes, is_for_tests};

/// The last name of a path to everything in a module.
pub const ALL: &str = "*";

/// The names of a path.
pub type Path = Vec<String>;

/// The names in a module.
#[derive(Default)]
pub struct Names {
    /// Items.
    pub declared: BTreeSet<String>,
    /// The path behind each name that a `use` imports.
    pub imported: BTreeMap<String, Path>,
    /// Modules from which a `use` imports everything.
    pub globs: Vec<Path>,
    /// Paths in private imports and in code. A re-export mentions nothing: it only gives an item a second name.
    pub mentioned: BTreeSet<Path>,
}

impl Names {
    /// The names in these items of one module.
    pub fn of(items: &[Item]) -> Self {
        let mut names = Self::default();
        for item in items {
            names.declared.extend(declared(item));
            names.visit_item(item);
        }
        names
    }

    /// Records a path in code. A single lower-case name is usually a variable, and need not be resolved: an item of
    /// another file has been imported.
    fn mention(&mut self, path: Path) {
        if path.len() > 1 || path.iter().any(|name| name.starts_with(char::is_uppercase)) {
            self.mentioned.insert(path);
        }
    }

    /// Records the paths in the arguments of a macro, which syn does not parse.
    fn mention_in(&mut self, tokens: TokenStream) {
        let (mut path, mut colons) = (Path::new(), 0);
        for token in tokens {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.mention(mem::take(&mut path));
                    }
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Group(group) => {
                    self.mention(mem::take(&mut path));
                    self.mention_in(group.stream());
                    colons = 0;
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {
                    self.mention(mem::take(&mut path));
                    colons = 0;
                }
            }
        }
        self.mention(path);
    }
}

impl<'ast> Visit<'ast> for Names {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_for_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_const(&mut self, item: &'ast ImplItemConst) {
        if !is_for_tests(&item.attrs) {
            visit::visit_impl_item_const(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        if !is_for_tests(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if item.leading_colon.is_some() {
            return;
        }
        let mut leaves = Vec::new();
        flatten(&item.tree, &[], &mut leaves);
        for (path, name) in leaves {
            if matches!(item.vis, Visibility::Inherited) {
                let everything = (name == ALL).then(|| ALL.to_owned());
                self.mentioned.insert(path.iter().cloned().chain(everything).collect());
            }
            if name == ALL {
                self.globs.push(path);
            } else {
                self.imported.insert(name, path);
            }
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            self.mention(written(path));
        }
        visit::visit_path(self, path);
    }

    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        // A function that this module re-exports and calls has one lower-case name.
        if let Expr::Path(function) = &*call.func
            && function.path.leading_colon.is_none()
        {
            self.mentioned.insert(written(&function.path));
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.visit_path(&call.path);
        self.mention_in(call.tokens.clone());
    }
}

/// The name under which an item can be imported.
fn declared(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::TraitAlias(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        // Implementations and imports declare no name; modules are known already; the enum is non-exhaustive.
        _ => return None,
    };
    Some(name.to_string())
}

/// The names of a path without their arguments.
fn written(path: &syn::Path) -> Path {
    path.segments.iter().map(|segment| segment.ident.to_string()).collect()
}

/// Each path of a `use` with its local name; `*` for everything below the path.
fn flatten(tree: &UseTree, before: &[String], leaves: &mut Vec<(Path, String)>) {
    match tree {
        UseTree::Path(path) => flatten(&path.tree, &longer(before, &path.ident), leaves),
        // `a::{self}` names the module `a`.
        UseTree::Name(name) if name.ident == "self" => {
            leaves.extend(before.last().map(|last| (before.to_vec(), last.clone())));
        }
        UseTree::Name(name) => leaves.push((longer(before, &name.ident), name.ident.to_string())),
        UseTree::Rename(rename) if rename.ident == "self" => leaves.push((before.to_vec(), rename.rename.to_string())),
        UseTree::Rename(rename) => leaves.push((longer(before, &rename.ident), rename.rename.to_string())),
        UseTree::Glob(_) => leaves.push((before.to_vec(), ALL.to_owned())),
        UseTree::Group(group) => group.items.iter().for_each(|tree| flatten(tree, before, leaves)),
    }
}

/// The path with one more name.
fn longer(before: &[String], name: &Ident) -> Path {
    before.iter().cloned().chain([name.to_string()]).collect()
}
