//! The checks of an image's layers together.

use crate::finding::{Fault, Findings, Site};
use crate::format::SurveyedImage;
use crate::merge::{Changes, Merge};
use crate::ops::verify::entries::Faults;

/// Stacks the layers of an image, up to the first whose changes are unknown. Only
/// faults of layers that are new at their position are reported.
pub(super) fn check(
    image: &SurveyedImage,
    changes: Vec<Option<Changes>>,
    is_new: &[bool],
    findings: &mut Findings,
) {
    let count = changes.len();
    let mut merge = Merge::new();
    let known = changes.into_iter().map_while(|changes| changes);
    for (at, changes) in known.enumerate() {
        let site = Site::image(image.name.clone()).at_layer(at + 1, count);
        let mut faults = Faults::default();
        let result = merge.put_checked(changes);
        let is_over = result.is_err();
        match result {
            _ if !is_new[at] => {}
            Ok((ambiguities, broken)) => {
                faults.note_broken(broken);
                for (ambiguity, entry, others) in ambiguities.into_iter() {
                    let fault = Fault::plain(ambiguity.code()).of_entry(entry, others);
                    findings.push(fault.at(&site));
                }
            }
            Err(error) => faults.note_error(&error),
        }
        findings.extend(faults.into_list().into_iter().map(|fault| fault.at(&site)));
        if is_over {
            break;
        }
    }
}
