//! The opened layers of one image.

pub(in crate::ops) mod checks;
pub(in crate::ops) mod contents;
pub(in crate::ops) mod file_entry;
pub(in crate::ops) mod held_paths;
pub(in crate::ops) mod layer_stack;
pub(in crate::ops) mod layer_tar;
pub(in crate::ops) mod paths;
mod replay;
pub(in crate::ops) mod size;
