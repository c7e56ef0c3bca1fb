//! The limits of `src/limits.rs`: its table has them all, and each is one.
//!
//! Those of what is inside a layer are held by `hostile`, and those that would take
//! gigabytes to reach by unit tests of their modules.

use std::collections::BTreeMap;

use restow::limits as the;
use serde_json::{Value, json};

use crate::support::Sandbox;
use crate::support::make::{self, Image, Layout, Member};

/// Every limit, as a number.
fn limits() -> BTreeMap<&'static str, u64> {
    let count = |number: usize| u64::try_from(number).expect("a limit is a number of 64 bits");
    BTreeMap::from([
        ("ATTRIBUTE_MAX", count(the::ATTRIBUTE_MAX)),
        ("ATTRIBUTES_MAX", count(the::ATTRIBUTES_MAX)),
        ("DEPTH_MAX", count(the::DEPTH_MAX)),
        ("DESCRIPTORS_MAX", count(the::DESCRIPTORS_MAX)),
        ("LINK_COMPONENTS_MAX", the::LINK_COMPONENTS_MAX),
        ("DETOURS_PER_ENTRY", the::DETOURS_PER_ENTRY),
        ("DOCUMENTS_MAX", the::DOCUMENTS_MAX),
        ("DOCUMENT_MAX", the::DOCUMENT_MAX),
        ("ENTRIES_MAX", the::ENTRIES_MAX),
        ("EXTENSIONS_MAX", the::EXTENSIONS_MAX),
        ("EXTENSION_MAX", the::EXTENSION_MAX),
        ("RETAINED_BYTES_MAX", the::RETAINED_BYTES_MAX),
        ("HOLES_MAX", the::HOLES_MAX),
        ("MEMBERS_MAX", count(the::MEMBERS_MAX)),
        ("MEMBER_LINKS_MAX", count(the::MEMBER_LINKS_MAX)),
        ("MEMBER_PATH_MAX", count(the::MEMBER_PATH_MAX)),
        ("NESTING_MAX", count(the::NESTING_MAX)),
        ("PATH_MAX", count(the::PATH_MAX)),
        ("SEGMENTS_MAX", count(the::SEGMENTS_MAX)),
        ("SYMLINKS_MAX", count(the::SYMLINKS_MAX)),
        ("TARGET_MAX", count(the::TARGET_MAX)),
        ("TAR_DIFF_FRAME_MAX", the::TAR_DIFF_FRAME_MAX),
        ("TAR_DIFF_PATH_MAX", the::TAR_DIFF_PATH_MAX),
        ("TAR_DIFF_SOURCE_MAX", the::TAR_DIFF_SOURCE_MAX),
        ("TEXT_LINES_MAX", count(the::TEXT_LINES_MAX)),
        ("TEXT_MAX", the::TEXT_MAX),
        ("UNPACKED_MAX", the::UNPACKED_MAX),
        ("UNPACKED_RATIO_MAX", the::UNPACKED_RATIO_MAX),
        ("VALUES_MAX", count(the::VALUES_MAX)),
        ("VALUE_DEPTH_MAX", count(the::VALUE_DEPTH_MAX)),
        ("XZ_MEMORY_MAX", the::XZ_MEMORY_MAX),
        ("ZSTD_WINDOW_LOG_MAX", the::ZSTD_WINDOW_LOG_MAX.into()),
    ])
}

/// A number as the table writes it: `32 MiB`, `10,000`.
#[track_caller]
fn number(text: &str) -> u64 {
    let (digits, unit) = text.split_once(' ').unwrap_or((text, ""));
    let shift = match unit {
        "" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        _ => panic!("`{unit}` is no unit"),
    };
    let digits: u64 = digits.replace(',', "").parse().expect("a number");
    digits << shift
}

#[test]
fn the_table_has_every_limit() {
    let row = |line: &'static str| {
        let cells: Vec<&str> = line
            .strip_prefix("//! ")?
            .split('|')
            .map(str::trim)
            .collect();
        let ["", _, most, name, ""] = cells[..] else {
            return None;
        };
        let name = name.strip_prefix("[`")?.strip_suffix("`]")?;
        Some((name, number(most)))
    };
    let source = include_str!("../../src/limits.rs");
    let table: BTreeMap<&str, u64> = source.lines().filter_map(row).collect();
    assert_eq!(table, limits());
    let named = source
        .lines()
        .filter_map(|line| line.strip_prefix("pub const ")?.split(':').next());
    let mut named: Vec<&str> = named.collect();
    named.sort_unstable();
    assert_eq!(named, limits().into_keys().collect::<Vec<_>>());
}

/// Checks that an archive is taken, or refused with these words at the end.
#[track_caller]
fn check(case: &str, input: &[u8], refused: Option<&str>) {
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", input);
    let Some(words) = refused else {
        return sandbox.run(&["convert", "in.tar", "oci:out"]).silent();
    };
    let said = sandbox.run(&["convert", "in.tar", "oci:out"]).refuses();
    assert!(said.ends_with(&format!("{words}\n")), "{case}: {said}");
}

fn archive(image: &Image) -> Vec<u8> {
    make::tar(&make::docker(std::slice::from_ref(image)))
}

fn small() -> Image {
    Image::new(&["app:1"], &["file a 1"])
}

/// Spaces, which mean nothing in JSON, up to a size.
fn padded(mut json: Vec<u8>, size: u64) -> Vec<u8> {
    json.resize(usize::try_from(size).expect("it fits"), b' ');
    json
}

#[test]
fn documents_of_megabytes() {
    let most = the::DOCUMENT_MAX;
    let says = |size: u64| format!("has {size} bytes, more than the limit of {most}");
    for (size, refused) in [(most, None), (most + 1, Some(says(most + 1)))] {
        let refused = refused.as_deref();
        let mut image = small();
        image.config = padded(image.config, size);
        check("config", &archive(&image), refused);

        let mut members = make::docker(&[small()]);
        members.truncate(members.len() - 1);
        let Some(Member::File(name, manifest)) = members.last_mut() else {
            panic!("`manifest.json` is the last but one");
        };
        assert_eq!(name, "manifest.json");
        *manifest = padded(std::mem::take(manifest), size);
        check("manifest.json", &make::tar(&members), refused);

        let mut layout = Layout::default();
        layout.add(&small());
        let mut members = layout.members();
        let index = members.iter_mut().find(|it| it.name() == "index.json");
        if let Some(Member::File(_, index)) = index {
            *index = padded(std::mem::take(index), size);
        }
        check("index.json", &make::tar(&members), refused);
    }
}

#[test]
fn documents_of_megabytes_that_are_too_many() {
    let size = the::DOCUMENT_MAX;
    let images = |count: u64| {
        let mut layout = Layout::default();
        for number in 0..count {
            let mut image = Image::new(&[&format!("app:{number}")], &[]);
            image.config = padded(image.config, size);
            layout.add(&image);
        }
        make::tar(&layout.members())
    };
    let most = the::DOCUMENTS_MAX;
    let refused = format!("its metadata exceeds the limit of {most} bytes");
    check("three", &images(3), None);
    check("four", &images(most / size), Some(&refused));
}

/// An index in an index, and so on.
fn nested(depth: usize) -> Vec<u8> {
    let mut layout = Layout::default();
    let mut descriptor = layout.image(&small());
    for _ in 0..depth {
        descriptor = layout.nested(&[descriptor]);
    }
    layout.add_named(&descriptor, "app:1");
    make::tar(&layout.members())
}

#[test]
fn indexes_in_indexes() {
    // `index.json` is none of them.
    check("eight", &nested(the::NESTING_MAX), None);
    let refused = "its indexes are nested too deeply, or list more than 10000 documents in total";
    check("nine", &nested(the::NESTING_MAX + 1), Some(refused));
}

/// An image whose layers are all the same, and in the archive once.
fn layers(count: usize) -> Image {
    let one = small();
    let mut image = one.clone().with_config(|config| {
        config["rootfs"]["diff_ids"] = Value::from(vec![one.diff_ids[0].as_str(); count]);
        config["history"] = json!([]);
    });
    image.diff_ids = vec![one.diff_ids[0].clone(); count];
    image.layers = vec![one.layers[0].clone(); count];
    image
}

/// A docker-archive whose `manifest.json` names one member many times.
fn repeating(count: usize) -> Vec<u8> {
    let image = layers(count);
    let names = vec!["layer.tar"; count];
    let manifest = json!([{"Config": "config.json", "RepoTags": ["app:1"], "Layers": names}]);
    make::tar(&[
        Member::file("layer.tar", image.layers[0].clone()),
        Member::file("config.json", image.config),
        Member::file("manifest.json", manifest.to_string()),
    ])
}

#[test]
fn ten_thousand_layers() {
    let layout = |count| {
        let mut layout = Layout::default();
        layout.add(&layers(count));
        make::tar(&layout.members())
    };
    let most = the::DESCRIPTORS_MAX;
    check("docker-archive", &repeating(most), None);
    check("layout", &layout(most), None);
    let many = most + 1;
    let refused =
        |field: &str| format!("`{field}` has {many} members, more than the limit of {most}");
    let diff_ids = refused("rootfs.diff_ids");
    check("docker-archive", &repeating(many), Some(&diff_ids));
    check("layout", &layout(many), Some(&refused("layers")));
}

/// A tar with more members than that is not looked through, so its documents are not found.
#[test]
fn members_without_end() {
    let most = the::MEMBERS_MAX;
    let others = make::docker(&[small()]).len();
    let run = |count: usize| {
        // The documents stand behind all others.
        let empty = (0..count).map(|number| Member::file(number.to_string(), ""));
        let members: Vec<Member> = empty.chain(make::docker(&[small()])).collect();
        let sandbox = Sandbox::new();
        sandbox.write("in.tar", make::tar(&members));
        sandbox.run(&["convert", "docker-archive:in.tar", "oci:out"])
    };
    run(most - others - 1).silent();
    run(most).fails(
        "error: cannot read `in.tar`\n  caused by: it is not a docker archive: `manifest.json` \
         is missing\n  hint: use the path without a prefix: the format is recognized\n",
    );
}
