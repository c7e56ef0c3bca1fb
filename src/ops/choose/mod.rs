//! The choice of an image in an input, and of its platform.

pub(in crate::ops) mod containerd;
pub(in crate::ops) mod image;
pub(in crate::ops) mod item;
pub(in crate::ops) mod platform;
pub(in crate::ops) mod selector;
