//! Repeated control files in a tar.

use crate::error::{Error, Result};
use crate::format::container::{Container, MemberIndex, read_document};

/// Compares control files with the same name. Differences are added to `faults`.
pub(super) fn check_control_files(
    container: &dyn Container,
    index: &MemberIndex,
    faults: &mut Vec<Error>,
) -> Result<()> {
    for replaced in &index.replaced {
        let is_same = match index.find(&replaced.path)? {
            Some(current) => {
                current.size == replaced.size
                    && read_document(container, &current)? == read_document(container, replaced)?
            }
            None => false,
        };
        if !is_same {
            faults.push(Error::ControlFileTwice(replaced.path.clone()));
        }
    }
    Ok(())
}
