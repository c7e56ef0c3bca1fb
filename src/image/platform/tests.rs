use super::*;

fn parse(text: &str) -> Platform {
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The platform of a document with this text, without normalisation.
fn as_is(text: &str) -> Platform {
    let words: Vec<&str> = text.split('/').collect();
    let mut value = json!({"os": words[0], "architecture": words[1]});
    if let Some(variant) = words.get(2) {
        value["variant"] = (*variant).into();
    }
    Platform::from_json(&value).unwrap()
}

/// `docker import --platform` of Docker 28.5 writes each of these, except for `armhf`,
/// of which it writes only the architecture.
#[test]
fn names_of_platforms_mean_what_docker_makes_of_them() {
    let host = Platform::host().architecture;
    let on_host = |os: &str| format!("{os}/{host}");
    for (text, expected) in [
        ("linux/amd64", "linux/amd64"),
        ("linux/x86_64", "linux/amd64"),
        ("linux/x86-64", "linux/amd64"),
        ("Linux/AMD64", "linux/amd64"),
        ("linux/amd64/v1", "linux/amd64"),
        ("linux/amd64/V2", "linux/amd64/v2"),
        ("linux/x86_64/v3", "linux/amd64/v3"),
        ("linux/i386", "linux/386"),
        ("linux/i386/v2", "linux/386"),
        ("linux/386", "linux/386"),
        ("linux/arm64", "linux/arm64"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/ARM64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64/v8"),
        ("linux/arm64/8", "linux/arm64/v8"),
        ("linux/aarch64/v8.0", "linux/arm64/v8"),
        ("linux/arm64/v8.1", "linux/arm64/v8.1"),
        ("linux/arm64/9", "linux/arm64/v9"),
        ("linux/arm64/v9.0", "linux/arm64/v9"),
        ("linux/arm", "linux/arm"),
        ("linux/ARM", "linux/arm"),
        ("linux/arm/7", "linux/arm/v7"),
        ("linux/arm/v7", "linux/arm/v7"),
        ("linux/arm/6", "linux/arm/v6"),
        ("linux/arm/5", "linux/arm/v5"),
        ("linux/arm/8", "linux/arm/v8"),
        ("linux/armhf", "linux/arm/v7"),
        ("linux/armel", "linux/arm/v6"),
        ("macos/arm64", "darwin/arm64"),
        ("macOS/aarch64", "darwin/arm64"),
        ("linux/riscv64", "linux/riscv64"),
        ("linux/foo", "linux/foo"),
        ("foo/bar/baz", "foo/bar/baz"),
        ("arm", "linux/arm"),
        ("armel", "linux/arm/v6"),
        ("armhf", "linux/arm/v7"),
        ("Aarch64", "linux/arm64"),
        ("x86_64", "linux/amd64"),
        ("i386", "linux/386"),
        ("s390x", "linux/s390x"),
        ("riscv64", "linux/riscv64"),
        ("linux", &on_host("linux")),
        ("macOS", &on_host("darwin")),
        ("windows", &on_host("windows")),
    ] {
        let platform = parse(text);
        assert_eq!(platform.to_string(), expected, "{text}");
        assert_eq!(parse(expected), platform, "{text}");
        assert_eq!(Platform::from_json(&platform.to_json()), Some(platform));
    }
}

#[test]
fn whatever_is_no_platform_is_refused() {
    for text in [
        "",
        "/",
        "linux/",
        "/amd64",
        "/linux/arm",
        "linux/arm/",
        "linux /arm",
        "linux/&arm",
        "linux/*",
        "linux/arm/foo/bar",
        "linux.x/arm",
        "linux/ärm",
    ] {
        let expected = PlatformError::Syntax(text.to_owned());
        assert_eq!(text.parse::<Platform>(), Err(expected), "{text}");
    }
    for text in ["windows(10.0.17763)/amd64", "linux(+gpu)", "windows()"] {
        let expected = PlatformError::OsOptions(text.to_owned());
        assert_eq!(text.parse::<Platform>(), Err(expected), "{text}");
    }
    for text in ["foo", "v7", "linux-arm64", "amd46"] {
        let expected = PlatformError::Unknown(text.to_owned());
        assert_eq!(text.parse::<Platform>(), Err(expected), "{text}");
    }
}

/// containerd's own table (`platforms.Normalize`).
#[test]
fn documents_are_compared_by_what_they_mean() {
    for (one, other) in [
        ("linux/x86_64", "linux/amd64"),
        ("Linux/AMD64/v1", "linux/amd64"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/aarch64/v8", "linux/arm64"),
        ("linux/arm64/8", "linux/arm64"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/armhf", "linux/arm/v7"),
        ("linux/armel", "linux/arm/v6"),
        ("linux/i386", "linux/386"),
        ("macos/arm64", "darwin/arm64"),
    ] {
        let (one, other) = (as_is(one), as_is(other));
        assert_eq!(one.normalized(), other, "{one}");
        assert_eq!(other.normalized(), other, "{other}");
        assert_eq!(one.rank_for(&other), Some(0));
        assert_eq!(other.rank_for(&one), Some(0));
    }
}

/// The order of `platforms.Only`, and the part of it that Docker accepts if an
/// architecture was requested.
#[test]
fn images_for_older_variants_follow_those_for_the_wanted_one() {
    let orders: [(&str, &[&str]); 12] = [
        ("linux/amd64", &["linux/x86_64", "linux/386"]),
        (
            "linux/amd64/v3",
            &[
                "linux/amd64/v3",
                "linux/amd64/v2",
                "linux/amd64",
                "linux/i386",
            ],
        ),
        ("linux/386", &["linux/386"]),
        (
            "linux/arm",
            &["linux/armhf", "linux/arm/v6", "linux/arm/v5"],
        ),
        (
            "linux/arm/v8",
            &["linux/arm/v8", "linux/arm", "linux/arm/v6", "linux/arm/5"],
        ),
        ("linux/arm/v6", &["linux/arm/v6", "linux/arm/v5"]),
        ("linux/arm/v5", &["linux/arm/v5"]),
        ("linux/arm/v4", &["linux/arm/v4"]),
        (
            "linux/arm64",
            &[
                "linux/arm64/v8",
                "linux/arm/v8",
                "linux/arm/v7",
                "linux/arm/v6",
                "linux/arm/v5",
            ],
        ),
        (
            "linux/arm64/v8.1",
            &["linux/arm64/v8.1", "linux/aarch64", "linux/arm/v8"],
        ),
        (
            "linux/arm64/v9.1",
            &[
                "linux/arm64/v9.1",
                "linux/arm64/v9",
                "linux/arm64/v8.6",
                "linux/arm64/v8.5",
                "linux/arm64/v8.1",
                "linux/arm64",
                "linux/arm/v8",
            ],
        ),
        ("windows/amd64", &["windows/amd64", "windows/386"]),
    ];
    for (machine, images) in orders {
        let machine = parse(machine);
        let mut ranks = Vec::new();
        for image in images {
            let image = as_is(image);
            let rank = image.rank_on(&machine);
            assert!(rank.is_some(), "{image} on {machine}");
            let is_same = image.normalized().architecture == machine.architecture;
            let expected = rank.filter(|_| is_same);
            assert_eq!(image.rank_for(&machine), expected, "{image} for {machine}");
            ranks.push(rank);
        }
        assert_eq!(ranks[0], Some(0), "{machine}");
        assert!(ranks.is_sorted_by(|a, b| a < b), "{machine}: {ranks:?}");
    }
}

#[test]
fn newer_variants_and_other_machines_do_not_fit() {
    for (machine, images) in [
        (
            "linux/amd64",
            ["linux/amd64/v2", "linux/arm64", "windows/amd64"],
        ),
        ("linux/amd64/v2", ["linux/amd64/v3", "linux/arm", "foo/bar"]),
        ("linux/386", ["linux/amd64", "linux/arm/v7", "windows/386"]),
        ("linux/arm", ["linux/arm/v8", "linux/arm/v4", "linux/arm64"]),
        ("linux/arm/v6", ["linux/arm", "linux/arm/v7", "linux/armhf"]),
        (
            "linux/arm64",
            ["linux/arm64/v9", "linux/arm64/v8.1", "linux/amd64"],
        ),
        (
            "linux/arm64/v9",
            ["linux/arm64/v8.6", "linux/arm64/v9.1", "linux/arm/v4"],
        ),
    ] {
        for image in images {
            let (machine, image) = (parse(machine), as_is(image));
            assert_eq!(image.rank_on(&machine), None, "{image} on {machine}");
        }
    }
}

#[test]
fn a_document_keeps_its_spelling() {
    let value = json!({"architecture": "aarch64", "os": "Linux", "variant": "8"});
    let platform = Platform::from_json(&value).unwrap();
    assert_eq!(platform.to_string(), "Linux/aarch64/8");
    assert_eq!(platform.to_json(), value);
}
