//! The opened layers of one image.

pub(in crate::ops) mod layer_stack;
pub(in crate::ops) mod layer_tar;
pub(in crate::ops) mod size;
