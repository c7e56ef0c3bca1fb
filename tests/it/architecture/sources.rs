//! Sources as modules: what each defines, imports and mentions.

use std::collections::{BTreeMap, BTreeSet};

use syn::buffer::{Cursor, TokenBuffer};
use syn::visit::{self, Visit};
use syn::{Attribute, File, Item, ItemMod, ItemUse, Macro, Meta, Path, UseTree, Visibility};

/// Texts of sources by their paths, such as `src/lib.rs`.
pub(super) type Files = BTreeMap<String, String>;

/// A module: a file, or a `mod` with braces in one.
pub(super) struct Module {
    /// Its names from the root of its crate, which has none.
    pub(super) path: Vec<String>,
    pub(super) file: String,
    /// Only unit tests have it.
    pub(super) is_test: bool,
    pub(super) parent: Option<usize>,
    pub(super) children: BTreeMap<String, usize>,
    pub(super) items: BTreeSet<String>,
    pub(super) imports: Vec<Import>,
    pub(super) mentions: Vec<Mention>,
}

/// A name that a module has from elsewhere.
pub(super) struct Import {
    /// A glob has none.
    pub(super) name: Option<String>,
    pub(super) path: Vec<String>,
}

/// A path as it is written.
pub(super) struct Mention {
    pub(super) path: Vec<String>,
    pub(super) kind: Kind,
    /// Only unit tests have it.
    pub(super) is_test: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Import,
    Reexport,
    Code,
}

/// Reads the modules to which the roots of the library and of the binary lead.
pub(super) fn modules(files: &Files) -> Vec<Module> {
    let mut reader = Reader {
        files,
        modules: Vec::new(),
        at: 0,
        folder: String::new(),
        is_test: false,
    };
    for root in ["src/lib.rs", "src/main.rs"] {
        if files.contains_key(root) {
            reader.enter(None, root, "src".to_owned(), None);
        }
    }
    reader.modules
}

struct Reader<'a> {
    files: &'a Files,
    modules: Vec<Module>,
    /// The module that is being read.
    at: usize,
    /// The folder of its children.
    folder: String,
    is_test: bool,
}

impl Reader<'_> {
    /// Reads a module: its items where they are given, else its file.
    fn enter(&mut self, name: Option<&str>, file: &str, folder: String, items: Option<&[Item]>) {
        let parent = name.map(|_| self.at);
        let mut path = parent.map_or_else(Vec::new, |it| self.modules[it].path.clone());
        path.extend(name.map(str::to_owned));
        let new = self.modules.len();
        if let (Some(parent), Some(name)) = (parent, name) {
            let children = &mut self.modules[parent].children;
            children.insert(name.to_owned(), new);
        }
        self.modules.push(Module {
            path,
            file: file.to_owned(),
            is_test: self.is_test,
            parent,
            children: BTreeMap::new(),
            items: BTreeSet::new(),
            imports: Vec::new(),
            mentions: Vec::new(),
        });
        let outer = (self.at, std::mem::replace(&mut self.folder, folder));
        self.at = new;
        if let Some(items) = items {
            for item in items {
                self.visit_item(item);
            }
        } else {
            let parsed = syn::parse_file(&self.files[file]);
            let parsed: File = parsed.unwrap_or_else(|error| panic!("{file}: {error}"));
            self.visit_file(&parsed);
        }
        (self.at, self.folder) = outer;
    }

    fn mention(&mut self, path: Vec<String>, kind: Kind) {
        let is_test = self.is_test;
        let mentions = &mut self.modules[self.at].mentions;
        mentions.push(Mention {
            path,
            kind,
            is_test,
        });
    }

    /// Takes an import apart into one for each name.
    fn import(&mut self, tree: &UseTree, before: &[String], kind: Kind) {
        let join = |name: &dyn ToString| {
            let mut path = before.to_vec();
            path.push(name.to_string());
            path
        };
        let (name, path) = match tree {
            UseTree::Path(it) => return self.import(&it.tree, &join(&it.ident), kind),
            UseTree::Group(it) => {
                for tree in &it.items {
                    self.import(tree, before, kind);
                }
                return;
            }
            UseTree::Glob(_) => (None, before.to_vec()),
            UseTree::Name(it) if it.ident == "self" => (before.last().cloned(), before.to_vec()),
            UseTree::Name(it) => (Some(it.ident.to_string()), join(&it.ident)),
            UseTree::Rename(it) if it.ident == "self" => {
                (Some(it.rename.to_string()), before.to_vec())
            }
            UseTree::Rename(it) => (Some(it.rename.to_string()), join(&it.ident)),
        };
        self.mention(path.clone(), kind);
        self.modules[self.at].imports.push(Import { name, path });
    }

    /// Finds paths of at least this many names in tokens, which have no syntax.
    fn tokens(&mut self, mut left: Cursor, least: usize) {
        let mut is_field = false;
        while !left.eof() {
            if let Some((inside, _, _, after)) = left.any_group() {
                self.tokens(inside, least);
                left = after;
            } else if let Some((first, after)) = left.ident() {
                let mut path = vec![first.to_string()];
                left = after;
                while let Some((next, after)) = after_colons(left).and_then(Cursor::ident) {
                    path.push(next.to_string());
                    left = after;
                }
                if !is_field && path.len() >= least {
                    self.mention(path, Kind::Code);
                }
            } else {
                is_field = left.punct().is_some_and(|(it, _)| it.as_char() == '.');
                left = left.token_tree().expect("it is not the end").1;
                continue;
            }
            is_field = false;
        }
    }
}

fn after_colons(left: Cursor) -> Option<Cursor> {
    let (first, left) = left.punct()?;
    let (second, left) = left.punct()?;
    (first.as_char() == ':' && second.as_char() == ':').then_some(left)
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let name = match item {
            Item::Const(it) => Some(&it.ident),
            Item::Enum(it) => Some(&it.ident),
            Item::Fn(it) => Some(&it.sig.ident),
            Item::Macro(it) => it.ident.as_ref(),
            Item::Static(it) => Some(&it.ident),
            Item::Struct(it) => Some(&it.ident),
            Item::Trait(it) => Some(&it.ident),
            Item::Type(it) => Some(&it.ident),
            Item::Union(it) => Some(&it.ident),
            _ => None,
        };
        let items = &mut self.modules[self.at].items;
        items.extend(name.map(ToString::to_string));
        // An attribute of the item may set it.
        let was_test = self.is_test;
        visit::visit_item(self, item);
        self.is_test = was_test;
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        for attribute in &item.attrs {
            self.visit_attribute(attribute);
        }
        let name = item.ident.to_string();
        let folder = format!("{}/{name}", self.folder);
        if let Some((_, items)) = &item.content {
            let file = self.modules[self.at].file.clone();
            return self.enter(Some(&name), &file, folder, Some(items));
        }
        let candidates = [format!("{folder}.rs"), format!("{folder}/mod.rs")];
        // One of another folder, which a `#[path]` names, is none of these.
        if let Some(file) = candidates.iter().find(|it| self.files.contains_key(*it)) {
            self.enter(Some(&name), file, folder, None);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        for attribute in &item.attrs {
            self.visit_attribute(attribute);
        }
        let kind = match item.vis {
            Visibility::Inherited => Kind::Import,
            _ => Kind::Reexport,
        };
        if item.leading_colon.is_none() {
            self.import(&item.tree, &[], kind);
        }
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        let Meta::List(list) = &attribute.meta else {
            return;
        };
        if list.path.is_ident("cfg") {
            let condition = list.tokens.to_string().replace(' ', "");
            self.is_test |= condition == "test" || condition.starts_with("all(test,");
        } else {
            // A lone word is a key.
            let tokens = TokenBuffer::new2(list.tokens.clone());
            self.tokens(tokens.begin(), 2);
        }
    }

    fn visit_macro(&mut self, it: &'ast Macro) {
        self.visit_path(&it.path);
        let tokens = TokenBuffer::new2(it.tokens.clone());
        self.tokens(tokens.begin(), 1);
    }

    fn visit_path(&mut self, path: &'ast Path) {
        if path.leading_colon.is_none() {
            let names = path.segments.iter().map(|it| it.ident.to_string());
            self.mention(names.collect(), Kind::Code);
        }
        visit::visit_path(self, path);
    }

    /// `pub(in crate::…)` uses nothing.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}
