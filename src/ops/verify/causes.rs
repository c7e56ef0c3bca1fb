//! One finding per cause: consequences of a reported fault are not reported.
//!
//! A finding is only left out if one that is as bad, or worse, remains.

use crate::finding::{Code, Finding, Site};

/// Findings about a missing file.
const ABSENT: &[Code] = &[
    Code::BlobMissing,
    Code::ConfigMissing,
    Code::IndexMissing,
    Code::IndexPartAbsent,
    Code::LayerMissing,
    Code::LayoutMarkerMissing,
    Code::ManifestMissing,
    Code::V1Archive,
    Code::V1Invalid,
    Code::V1RepositoriesMissing,
];

/// Findings about a document that could not be read, or lists nothing, so that it is
/// unknown what it would have named.
const UNREAD: &[Code] = &[
    Code::ArchiveDamaged,
    Code::BlobMissing,
    Code::DescriptorInvalid,
    Code::DocumentAmbiguous,
    Code::DocumentInvalid,
    Code::DocumentTooLarge,
    Code::IndexInvalid,
    Code::IndexMissing,
    Code::IndexTooLarge,
    Code::ManifestInvalid,
    Code::ManifestMissing,
    Code::MemberTwice,
    Code::NoImage,
    Code::Schema1,
    Code::V1Invalid,
];

/// Findings about things that not every document names, or none does.
const UNNAMED: &[Code] = &[
    Code::HybridIncomplete,
    Code::RepositoriesDiffer,
    Code::SubjectMissing,
    Code::Unreferenced,
];

/// Findings about the content of a document, which may not match its digest.
const ALTERED: &[Code] = &[
    Code::ConfigInvalid,
    Code::CreatedInvalid,
    Code::DescriptorInvalid,
    Code::DocumentAmbiguous,
    Code::DocumentInvalid,
    Code::LayerCount,
    Code::MediaTypeMismatch,
    Code::SchemaVersion,
];

/// Leaves out the consequences of other findings.
pub(super) fn without_consequences(findings: Vec<Finding>) -> Vec<Finding> {
    let is_cut = |it: &Finding| it.code == Code::ArchiveDamaged && it.site == Site::input();
    let is_cut = findings.iter().any(is_cut);
    let is_unread = findings.iter().any(|it| UNREAD.contains(&it.code));
    let is_partial_index = findings.iter().any(|it| it.code == Code::IndexPartAbsent);
    let is_incomplete = findings.iter().any(|it| it.code == Code::HybridIncomplete);
    let damaged = |it: &Finding| matches!(it.code, Code::DigestMismatch | Code::CompressionDamaged);
    let damaged: Vec<Site> = of(&findings, damaged);
    let differing: Vec<Site> = of(&findings, |it| it.code == Code::HybridDiffers);
    let partial: Vec<Site> = of(&findings, |it| it.code == Code::LayerMissing);
    let mut sizes = Vec::new();
    let mut kept = Vec::new();
    for finding in findings {
        let Finding { code, site, .. } = &finding;
        let follows = match code {
            code if is_cut && ABSENT.contains(code) => true,
            code if is_unread && UNNAMED.contains(code) => true,
            Code::Unreferenced if is_incomplete => true,
            Code::SubjectMissing if is_partial_index => true,
            Code::ArchiveDamaged if is_cut => *site != Site::input(),
            Code::SizeMismatch if damaged.iter().any(|it| is_same(it, site)) => {
                sizes.push(finding);
                continue;
            }
            Code::HybridDiffers => partial.iter().any(|it| it.image == site.image),
            Code::DiffIdMismatch => differing.iter().any(|it| it.image == site.image),
            code if ALTERED.contains(code) => damaged
                .iter()
                .any(|it| it.layer.is_none() && it.image.is_some() && it.image == site.image),
            _ => false,
        };
        if !follows {
            kept.push(finding);
        }
    }
    // A wrong size describes how the bytes were damaged.
    for size in sizes {
        let is_cause =
            |it: &&mut Finding| damaged.contains(&it.site) && is_same(&it.site, &size.site);
        if let Some(cause) = kept.iter_mut().find(is_cause) {
            cause.message = format!("{}; {}", cause.message, size.message);
        }
    }
    kept
}

fn of(findings: &[Finding], is_wanted: impl Fn(&Finding) -> bool) -> Vec<Site> {
    let wanted = findings.iter().filter(|it| is_wanted(it));
    wanted.map(|it| it.site.clone()).collect()
}

/// Returns true if two sites are the same blob: the site of a layer need not have its
/// file.
fn is_same(one: &Site, other: &Site) -> bool {
    let are_files = one.layer.is_some() || one.file == other.file;
    one.image == other.image && one.layer == other.layer && are_files
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(findings: &[Finding]) -> Vec<&'static str> {
        findings.iter().map(|it| it.code.name()).collect()
    }

    #[test]
    fn of_a_cut_archive_it_is_told_once() {
        let mut all = vec![Finding::plain(Code::ArchiveDamaged, Site::input())];
        for code in ABSENT.iter().chain(UNNAMED) {
            all.push(Finding::plain(*code, Site::image("app:1")));
        }
        all.push(Finding::plain(Code::DiffIdMismatch, Site::image("app:1")));
        let kept = without_consequences(all.clone());
        assert_eq!(codes(&kept), ["archive-damaged", "diff-id-mismatch"]);
        // They are reported without the cause.
        let all = all.split_off(1);
        assert_eq!(codes(&without_consequences(all)).len(), ABSENT.len() + 1);
    }

    #[test]
    fn the_size_of_a_damaged_blob_is_told_with_it() {
        let layer = Site::image("app:1").at_layer(1, 2);
        let blob = Site {
            file: Some("b".to_owned()),
            ..layer.clone()
        };
        let size = |site: &Site| Finding::new(Code::SizeMismatch, site.clone(), "size");
        let digest = Finding::new(Code::DigestMismatch, layer.clone(), "digest");
        let kept = without_consequences(vec![size(&blob), digest.clone()]);
        let expected = Finding::new(Code::DigestMismatch, layer.clone(), "digest; size");
        assert_eq!(kept, [expected]);
        let other = Site::image("app:1").at_layer(2, 2);
        let kept = without_consequences(vec![size(&other), digest]);
        assert_eq!(codes(&kept), ["size-mismatch", "digest-mismatch"]);
    }
}
