//! What `verify` says is held against the truth: what Docker with overlay2 refuses has an error,
//! and what it loads has none.
//!
//! The archives are random, and odd in every way that readers were seen to stumble over. Where
//! the two differ and should, the difference has a name and a reason in the list below.

use std::fmt::Write as _;

use serde_json::Value;

use crate::support::api::Truth;
use crate::support::engine::{Docker, unique};
use crate::support::odd::{Case, Oddity};
use crate::support::{Sandbox, trials};

/// A difference between `verify` and the engine that is there for a reason: the first of
/// these errors, and the others beside it, though the engine loads the archive.
struct Exception(&'static [&'static str], Reason);

/// Why a difference is right.
type Reason = &'static str;

const LAYERS: &[Exception] = &[
    Exception(
        &["entry-root"],
        "the engine leaves out an entry for the root that is no directory; others put it there",
    ),
    Exception(
        &["compression-damaged"],
        "the engine does not look at what is behind the end of the tar, nor at gzip's own sum",
    ),
    Exception(
        &["compression-trailing", "entry-in-file", "entry-root"],
        "the engine does not look at what is behind the end of the tar; containerd refuses it",
    ),
    Exception(
        &["entry-in-file"],
        "the engine takes a file for opaque; containerd refuses it",
    ),
];

const DOCUMENTS: &[Exception] = &[];

const ARCHIVES: &[Exception] = &[
    Exception(
        &[
            "member-escapes",
            "manifest-missing",
            "config-missing",
            "layer-missing",
            "v1-invalid",
        ],
        "a name that goes up is no name of an image's file, wherever it leads",
    ),
    Exception(
        &["manifest-missing"],
        "where `manifest.json` is a link that leads nowhere, only this engine takes the archive for \
         one of old",
    ),
    Exception(
        &["v1-invalid"],
        "nothing but the end of an archive of old says that all of its images are there",
    ),
    Exception(
        &["member-twice"],
        "some readers take the first of two files of one name, and the engine the last",
    ),
];

/// What `verify` finds: the severity and the code of each finding.
#[track_caller]
fn findings(sandbox: &Sandbox, archive: &[u8]) -> Vec<(String, String)> {
    sandbox.write("in.tar", archive);
    let output = sandbox.run(&["verify", "--json", "in.tar"]);
    let Ok(report) = serde_json::from_slice::<Value>(&output.stdout) else {
        assert!(output.stderr.starts_with("error: "), "{}", output.stderr);
        return vec![("error".to_owned(), "unreadable".to_owned())];
    };
    let findings = report["findings"].as_array().expect("a list").iter();
    let text = |it: &Value| it.as_str().expect("a text").to_owned();
    findings
        .map(|it| (text(&it["severity"]), text(&it["code"])))
        .collect()
}

impl Exception {
    fn shown(&self) -> String {
        let Self(codes, reason) = self;
        format!("{}, since {reason}", codes[0])
    }

    /// Whether it allows what was found in view of the truth.
    fn allows(&self, truth: &Truth, errors: &[&str]) -> bool {
        let Self(codes, _) = self;
        *truth == Truth::Loaded
            && errors.contains(&codes[0])
            && errors.iter().all(|it| codes.contains(it))
    }
}

/// What is wrong with what `verify` finds, given the truth; nothing if it is right.
fn difference(truth: &Truth, errors: &[&str], warnings: &[&str]) -> Option<String> {
    match truth {
        Truth::Refused(words) if errors.is_empty() => {
            Some(format!("missed, warnings {warnings:?}: {words}"))
        }
        Truth::Loaded if !errors.is_empty() => Some(format!("a false alarm: {errors:?}")),
        Truth::Unsaved(words) if errors.is_empty() && warnings.is_empty() => Some(format!(
            "cannot be saved again, and nothing is said: {words}"
        )),
        _ => None,
    }
}

/// Tries so many cases, or as many as `RESTOW_TRIALS` says.
#[track_caller]
fn assert_truth(test: &str, oddity: Oddity, count: usize, exceptions: &[Exception]) {
    let engine = Docker::Classic;
    if !engine.answers(test) {
        return;
    }
    let _alone = engine.alone();
    let api = engine.api();
    let before = api.nameless();
    let sandbox = Sandbox::new();
    let (mut failures, mut failed) = (String::new(), 0);
    let (mut refused, mut loaded) = (0, 0);
    let mut unmet: Vec<&Exception> = exceptions.iter().collect();
    let tried = trials(count);
    for number in 0..tried {
        let tag = format!("{}:1", unique());
        let case = Case::new(oddity, number, &tag);
        let truth = api.try_image(&case.archive, &tag, &case.id);
        match truth {
            Truth::Refused(_) => refused += 1,
            _ => loaded += 1,
        }
        let findings = findings(&sandbox, &case.archive);
        let of = |severity: &str| -> Vec<&str> {
            let found = findings.iter().filter(|it| it.0 == severity);
            found.map(|it| it.1.as_str()).collect()
        };
        let (errors, warnings) = (of("error"), of("warning"));
        let Some(difference) = difference(&truth, &errors, &warnings) else {
            continue;
        };
        if exceptions.iter().any(|it| it.allows(&truth, &errors)) {
            unmet.retain(|it| !it.allows(&truth, &errors));
            continue;
        }
        failed += 1;
        let kept = std::env::temp_dir().join(format!("restow-{}.tar", case.seed));
        std::fs::write(&kept, &case.archive).expect("the archive can be kept");
        let (seed, what) = (&case.seed, &case.what);
        let _ = writeln!(
            failures,
            "{seed}: {what}\n    {difference}\n    {}",
            kept.display()
        );
    }
    // The images of an archive of old have parents, which have no names.
    for id in api.nameless().difference(&before) {
        api.remove(id);
    }
    let counts = format!("{refused} of {tried} are refused, {loaded} are loaded");
    assert!(
        failures.is_empty(),
        "{failed} are wrong; {counts}:\n{failures}"
    );
    // The cases would prove little if the engine took all of them, or none.
    assert!(refused > tried / 8 && loaded > tried / 8, "{counts}");
    let unmet: Vec<String> = unmet.iter().map(|it| it.shown()).collect();
    assert!(
        tried != count || unmet.is_empty(),
        "no case needs any more: {unmet:#?}"
    );
}

#[test]
fn layers_that_the_engine_refuses_have_an_error() {
    assert_truth(
        "layers_that_the_engine_refuses_have_an_error",
        Oddity::Layers,
        300,
        LAYERS,
    );
}

#[test]
fn documents_that_the_engine_refuses_have_an_error() {
    assert_truth(
        "documents_that_the_engine_refuses_have_an_error",
        Oddity::Documents,
        150,
        DOCUMENTS,
    );
}

#[test]
fn archives_that_the_engine_refuses_have_an_error() {
    assert_truth(
        "archives_that_the_engine_refuses_have_an_error",
        Oddity::Archive,
        180,
        ARCHIVES,
    );
}
