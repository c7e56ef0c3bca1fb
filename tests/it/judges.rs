//! Docker, containerd, skopeo, podman, umoci and crane read what `restow` writes, and see what
//! went in; and what they write themselves is read.
//!
//! Each is asked in every version that is found: that of this machine, and today's.

mod docker;
mod stale;
mod tools;
mod written;
