//! Random layouts and requests: what stays is what a naive model says, and is sound.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;

use super::{files, index, name, reachable, write};
use crate::support::make::{self, Image, Layout};
use crate::support::random_cases;
use crate::support::sandbox::Sandbox;
use crate::support::tools::{self, Place};

/// A layout made from numbers: images of up to three of five layers, indexes of them,
/// signatures; each item with a name, or without one.
fn layout(numbers: &[(u8, u8, u8)]) -> Layout {
    let mut layout = Layout::default();
    let mut made: Vec<Value> = Vec::new();
    for (at, (kind, one, other)) in numbers.iter().enumerate() {
        let pick = |number: &u8| made.get(usize::from(*number) % made.len().max(1)).cloned();
        let descriptor = match (kind % 4, pick(one), pick(other)) {
            (2, Some(one), Some(other)) => layout.nested(&[one, other]),
            (3, Some(subject), _) => layout.referrer(&subject),
            _ => {
                let layer = |it: u8| make::layer(&format!("file f{} x", it % 5));
                let layers = [*one, *other, one ^ other].map(layer);
                let count = usize::from(one % 3) + 1;
                let image =
                    Image::of_layers(&[&format!("i{}", kind / 8)], layers[..count].to_vec());
                layout.image(&image)
            }
        };
        // Some are only parts of others.
        match kind / 4 % 4 {
            0 => layout.index.push(descriptor.clone()),
            1 => {}
            _ => layout.add_named(&descriptor, &format!("n:{at}")),
        }
        made.push(descriptor);
    }
    layout.put("application/x", "an orphan");
    layout
}

/// The items that stay, by the rules as they are written in the reference.
fn expected(layout: &Layout, removed: &BTreeSet<String>, untagged: bool) -> Vec<Value> {
    let has_name = |item: &Value| item.get("annotations").is_some();
    let subject = |item: &Value| {
        let bytes = &layout.blobs[item["digest"].as_str().expect("a digest")];
        let document: Value = serde_json::from_slice(bytes).expect("JSON");
        let subject = document["subject"]["digest"].as_str().map(str::to_owned);
        subject.filter(|_| !has_name(item))
    };
    let mut kept = layout.index.clone();
    let all = reachable(&layout.blobs, &kept);
    // An unnamed item with the digest of what has lost its last name goes with it.
    let lost: Vec<Value> = kept
        .iter()
        .filter(|it| removed.contains(&name(it)))
        .cloned()
        .collect();
    kept.retain(|it| !removed.contains(&name(it)));
    let named: Vec<Value> = kept.iter().filter(|it| has_name(it)).cloned().collect();
    kept.retain(|it| {
        let is_same = |other: &Value| other["digest"] == it["digest"];
        has_name(it) || !lost.iter().any(is_same) || named.iter().any(is_same)
    });
    kept.retain(|it| !untagged || has_name(it) || subject(it).is_some());
    loop {
        let found = reachable(&layout.blobs, &kept);
        let before = kept.len();
        // What refers to something that was never there is nobody's, and has no name.
        let stays = |it: &String| found.contains(it) || !untagged && !all.contains(it);
        kept.retain(|it| subject(it).is_none_or(|subject| stays(&subject)));
        if kept.len() == before {
            return kept;
        }
    }
}

/// Removes some of the names of a layout, and compares the result with the model.
fn check(numbers: &[(u8, u8, u8)], chosen: &[bool], untagged: bool) -> Result<(), TestCaseError> {
    let layout = layout(numbers);
    let sandbox = Sandbox::new();
    write(&sandbox, "lay", &layout);
    let names = layout
        .index
        .iter()
        .filter(|it| it.get("annotations").is_some());
    let chosen = names
        .map(name)
        .zip(chosen.iter().chain(std::iter::repeat(&false)));
    let removed: BTreeSet<String> = chosen.filter(|it| *it.1).map(|it| it.0).collect();
    let mut arguments = vec!["remove", "--quiet", "lay"];
    arguments.extend(untagged.then_some("--untagged"));
    arguments.extend(removed.iter().map(String::as_str));
    let output = sandbox.run(&arguments);
    prop_assert_eq!(output.code, Some(0), "{}", output.stderr);
    let kept = expected(&layout, &removed, untagged);
    prop_assert_eq!(&index(&sandbox.path("lay")), &kept);
    let mut blobs = reachable(&layout.blobs, &kept);
    blobs.insert("oci-layout".to_owned());
    prop_assert_eq!(files(&sandbox.path("lay")), blobs);
    if kept.iter().any(|it| it.get("annotations").is_some()) {
        let output = sandbox.run(&["verify", "lay"]);
        prop_assert_eq!(
            output.code,
            Some(0),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(random_cases(60))]

    #[test]
    fn what_stays_is_what_a_naive_model_says(
        numbers in vec(any::<(u8, u8, u8)>(), 1..10),
        chosen in vec(any::<bool>(), 10),
        untagged in any::<bool>(),
    ) {
        check(&numbers, &chosen, untagged)?;
    }
}

#[test]
fn umoci_finds_nothing_more_to_delete() {
    let test = "umoci_finds_nothing_more_to_delete";
    for place in Place::with("umoci", test) {
        let mut layout = Layout::default();
        let base = "dir etc\nfile etc/os base";
        for (tag, file) in [
            ("app-1", "file a 1"),
            ("app-2", "file b 1"),
            ("app-3", "file c 1"),
        ] {
            let image = Image::new(&[tag], &[base, file]);
            let descriptor = layout.image(&image);
            layout.add_named(&descriptor, tag);
        }
        let sandbox = Sandbox::new();
        write(&sandbox, "lay", &layout);
        write(&sandbox, "theirs", &layout);
        sandbox.run(&["remove", "-q", "lay", "app-2"]).silent();
        let ours = files(&sandbox.path("lay"));
        let folder = sandbox.path("lay");
        let mut gc = place.command("umoci");
        drop(tools::succeed(gc.args(["gc", "--layout"]).arg(&folder)));
        assert_eq!(files(&folder), ours, "umoci gc deletes more");

        // It deletes the same itself.
        let folder = sandbox.path("theirs");
        let mut rm = place.command("umoci");
        let image = format!("{}:app-2", folder.display());
        drop(tools::succeed(rm.args(["rm", "--image", &image])));
        let mut gc = place.command("umoci");
        drop(tools::succeed(gc.args(["gc", "--layout"]).arg(&folder)));
        assert_eq!(files(&folder), ours);
    }
}
