//! What the layers of one image do to each other.

use crate::finding::{Code, Finding, Findings, Site};
use crate::format::SurveyedImage;
use crate::layer::{LayerError, display_start};
use crate::merge::{BrokenLink, Changes, Merge};
use crate::ops::verify::entries::{Faults, note_fault};

/// Puts the layers of an image on top of each other, up to the first of which it is not
/// known what it changes. What is wrong is told of those that are new in their place.
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
        if !is_new[at] {
            if is_over {
                break;
            }
            continue;
        }
        match result {
            Ok((ambiguities, broken)) => {
                note_broken(&mut faults, broken);
                for (ambiguity, entry, others) in ambiguities.into_iter() {
                    let code = ambiguity.code();
                    let site = site.at_entry(entry, others);
                    findings.push(Finding::plain(code, site));
                }
            }
            Err(LayerError::Entry { entry, fault }) => note_fault(&mut faults, entry, &fault),
            Err(error) => faults.note(Code::TarDamaged, None, error.to_string()),
        }
        for (code, entry, message) in faults.into_list() {
            let site = match entry {
                Some((entry, others)) => site.at_entry(entry, others),
                None => site.clone(),
            };
            findings.push(Finding::new(code, site, message));
        }
        if is_over {
            break;
        }
    }
}

/// Notes the hard links that lead nowhere.
pub(super) fn note_broken(faults: &mut Faults, broken: Vec<BrokenLink>) {
    for link in broken {
        let path = display_start(link.path.as_bytes());
        if let Some(fault) = &link.fault {
            note_fault(faults, path, fault);
        } else {
            let code = Code::LinkForward;
            faults.note(code, Some(path), code.meaning().to_owned());
        }
    }
}
