//! Which image of an input is meant, and for which platform.

pub(in crate::ops) mod containerd;
pub(in crate::ops) mod image;
pub(in crate::ops) mod item;
pub(in crate::ops) mod platform;
pub(in crate::ops) mod selector;
