//! What modules use of each other, through all re-exports.

use super::sources::{Files, Import, Kind, Module, modules};

/// The most imports through which a name is followed; only a circle of them has more.
const IMPORTS_MAX: usize = 16;

/// All modules.
pub(super) struct Tree {
    pub(super) modules: Vec<Module>,
}

/// That a module uses an item, or a module as such, of another file.
pub(super) struct Use {
    pub(super) from: usize,
    pub(super) to: usize,
    /// The name that it has where it is defined.
    pub(super) item: String,
    /// The modules that re-export it, the outermost first.
    pub(super) through: Vec<usize>,
    pub(super) is_test: bool,
}

/// What a path means.
struct Target {
    module: usize,
    /// Nothing is the module as such.
    item: Option<String>,
    through: Vec<usize>,
}

impl Tree {
    pub(super) fn read(files: &Files) -> Self {
        let modules = modules(files);
        Self { modules }
    }

    /// The file that a module is in, as a module.
    fn home(&self, module: usize) -> usize {
        let file = &self.modules[module].file;
        let parent = self.modules[module].parent;
        let outer = parent.filter(|it| self.modules[*it].file == *file);
        outer.map_or(module, |outer| self.home(outer))
    }

    /// Whether a module is another or has it beneath.
    fn has(&self, outer: usize, inner: usize) -> bool {
        let parent = self.modules[inner].parent;
        outer == inner || parent.is_some_and(|parent| self.has(outer, parent))
    }

    /// All uses, in the order of the sources.
    pub(super) fn uses(&self) -> Vec<Use> {
        let mut uses = Vec::new();
        for (at, module) in self.modules.iter().enumerate() {
            let from = self.home(at);
            for mention in &module.mentions {
                for target in self.follow(at, &mention.path, &[]) {
                    let to = self.home(target.module);
                    // What is found in a module that is around this one has a path of its own.
                    let is_around =
                        target.item.is_none() && (mention.kind == Kind::Code || self.has(to, from));
                    let gathers = mention.kind == Kind::Reexport && self.has(from, to);
                    if to == from || is_around || gathers {
                        continue;
                    }
                    let mut through = target.through;
                    through.retain(|it| ![from, to].contains(&self.home(*it)));
                    let name = || self.modules[to].path.last().cloned().unwrap_or_default();
                    uses.push(Use {
                        from,
                        to,
                        item: target.item.unwrap_or_else(|| format!("mod {}", name())),
                        through,
                        is_test: mention.is_test,
                    });
                }
            }
        }
        uses
    }

    /// What a path means that is written in a module. Nothing is what another crate has.
    fn follow(&self, from: usize, path: &[String], through: &[usize]) -> Vec<Target> {
        let mut at = from;
        for (step, name) in path.iter().enumerate() {
            at = match name.as_str() {
                "crate" => self.root(at),
                "self" => at,
                "super" => self.modules[at].parent.unwrap_or(at),
                _ => return self.find(at, &path[step..], through, step > 0),
            };
        }
        vec![Target {
            module: at,
            item: None,
            through: through.to_vec(),
        }]
    }

    fn root(&self, module: usize) -> usize {
        let parent = self.modules[module].parent;
        parent.map_or(module, |parent| self.root(parent))
    }

    /// What names mean in a module. If the path has come to it by name, then it is certain
    /// that it has them: a macro defines what is not seen.
    fn find(&self, at: usize, names: &[String], through: &[usize], by_name: bool) -> Vec<Target> {
        let target = |module, item| Target {
            module,
            item,
            through: through.to_vec(),
        };
        let (name, rest) = names.split_first().expect("there is a name");
        let module = &self.modules[at];
        let child = module.children.get(name).copied();
        if let Some(child) = child.filter(|_| !rest.is_empty()) {
            return self.find(child, rest, through, true);
        }
        if through.len() == IMPORTS_MAX {
            return Vec::new();
        }
        let mut found = Vec::new();
        if module.items.contains(name) {
            found.push(target(at, Some(name.clone())));
        }
        let through = [through, &[at]].concat();
        let is_named = |it: &&Import| it.name.as_ref() == Some(name);
        let mut is_imported = false;
        for import in module.imports.iter().filter(is_named) {
            is_imported = true;
            let path = [&import.path, rest].concat();
            found.extend(self.follow(at, &path, &through));
        }
        if !found.is_empty() || is_imported {
            return found;
        }
        for glob in module.imports.iter().filter(|it| it.name.is_none()) {
            let modules = self.follow(at, &glob.path, &through);
            for around in modules.iter().filter(|it| it.item.is_none()) {
                found.extend(self.find(around.module, names, &around.through, false));
            }
        }
        match child {
            _ if !found.is_empty() => found,
            Some(child) => vec![target(child, None)],
            None if by_name => vec![target(at, Some(name.clone()))],
            None => found,
        }
    }
}
