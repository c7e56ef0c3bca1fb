//! Inputs as old, odd and careless writers make them.

use serde_json::{Value, json};

use crate::support::codec::{Codec, digest};
use crate::support::image::{Facts, Image, Store, facts};
use crate::support::judge::Format;
use crate::support::make::{self, Member};
use crate::support::{Sandbox, fixture, testdata, tools};

/// The images of a docker-archive made of these members, by way of each output format.
///
/// They must be the same by all ways, from a file and through a pipe.
#[track_caller]
fn converted(members: &[Member]) -> Vec<Image> {
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", make::tar(members));
    let mut results: Vec<Vec<Image>> = Vec::new();
    for to in Format::ALL {
        let (file, pipe) = (format!("file-{to:?}"), format!("pipe-{to:?}"));
        let output = sandbox.run(&["convert", "docker-archive:in.tar", &to.at(&file)]);
        drop(output.warnings());
        let run = sandbox.restow(&["convert", "-", &to.at(&pipe)]);
        drop(run.stdin_pipe(sandbox.read("in.tar")).run().warnings());
        for out in [file, pipe] {
            results.push(to.images(&sandbox.path(&out)));
        }
    }
    let first = results.swap_remove(0);
    for other in results {
        assert_eq!(facts(&other), facts(&first));
    }
    first
}

/// The facts of the images of a docker-archive made of these members.
#[track_caller]
fn converted_facts(members: &[Member]) -> Vec<Facts> {
    facts(&converted(members))
}

/// An image whose first and last layer are the same.
fn repeating() -> make::Image {
    let layer = "dir data\nfile data/x 1";
    make::Image::new(&["app:1"], &[layer, "file y 2", layer])
}

#[test]
fn every_style_of_docker_archive_is_read() {
    let image = repeating();
    let images = std::slice::from_ref(&image);
    let styles = [
        ("docker", make::docker(images)),
        ("crane", make::crane(images)),
        ("jib", make::jib(&image)),
        ("hybrid", make::hybrid(images)),
    ];
    for (style, members) in styles {
        assert_eq!(converted_facts(&members), [image.facts()], "{style}");
    }
}

#[test]
fn the_order_of_members_means_nothing() {
    let image = repeating();
    let members = make::docker(std::slice::from_ref(&image));
    let mut reversed = members.clone();
    reversed.reverse();
    assert_eq!(converted_facts(&reversed), [image.facts()]);
    for turn in 1..members.len() {
        let mut turned = members.clone();
        turned.rotate_left(turn);
        assert_eq!(
            converted_facts(&turned),
            [image.facts()],
            "turned by {turn}"
        );
    }
}

#[test]
fn a_layer_may_be_a_link_before_or_after_its_target() {
    let image = repeating();
    let members = make::docker(std::slice::from_ref(&image));
    let is_link = |it: &Member| matches!(it, Member::Symlink(..));
    assert_eq!(members.iter().filter(|it| is_link(it)).count(), 1);
    let relinked = |edit: &dyn Fn(&str, &str) -> Member| -> Vec<Member> {
        let relink = |it: &Member| match it {
            Member::Symlink(name, target) => edit(name, target),
            other => other.clone(),
        };
        members.iter().map(relink).collect()
    };
    let to_root = |target: &str| target.trim_start_matches("../").to_owned();
    let cases = [
        ("symlink", members.clone()),
        (
            "hard link",
            relinked(&|name, target| Member::Link(name.into(), to_root(target))),
        ),
        // Docker builds of 2016 wrote one step too many; the engine stays inside all the same.
        (
            "above the root",
            relinked(&|name, target| Member::Symlink(name.into(), format!("../{target}"))),
        ),
        (
            "to the letter",
            relinked(&|name, target| Member::Symlink(name.into(), format!("./{target}"))),
        ),
    ];
    for (case, members) in cases {
        assert_eq!(converted_facts(&members), [image.facts()], "{case}, after");
        let (links, others): (Vec<_>, Vec<_>) = members
            .into_iter()
            .partition(|it| matches!(it, Member::Symlink(..) | Member::Link(..)));
        let links_first = [links, others].concat();
        assert_eq!(
            converted_facts(&links_first),
            [image.facts()],
            "{case}, before"
        );
    }
}

#[test]
fn names_may_begin_with_a_dot() {
    let image = repeating();
    for members in [
        make::docker(std::slice::from_ref(&image)),
        make::hybrid(std::slice::from_ref(&image)),
    ] {
        let dotted = |it: Member| match it {
            Member::Directory(name) => Member::Directory(format!("./{name}")),
            Member::File(name, content) => Member::File(format!("./{name}"), content),
            other => other,
        };
        let mut dotted: Vec<Member> = members.into_iter().map(dotted).collect();
        dotted.insert(0, Member::Directory("./".to_owned()));
        assert_eq!(converted_facts(&dotted), [image.facts()]);
    }
}

#[test]
fn members_that_nothing_names_are_left_out() {
    let image = repeating();
    let mut members = make::docker(std::slice::from_ref(&image));
    members.insert(3, Member::file("stray.txt", "stray"));
    members.insert(9, Member::file("blobs/sha256/stray", "stray"));
    members.push(Member::file("zzz/layer.tar", make::layer("file z z")));
    assert_eq!(converted_facts(&members), [image.facts()]);
}

#[test]
fn an_image_may_have_no_tags() {
    let untagged = make::Image::new(&[], &["file a 1"]);
    let expected = [untagged.facts()];
    assert_eq!(
        converted_facts(&make::docker(std::slice::from_ref(&untagged))),
        expected
    );
    assert_eq!(
        converted_facts(&make::hybrid(std::slice::from_ref(&untagged))),
        expected
    );
    // `[]` means the same as null.
    let mut members = make::docker(&[untagged]);
    edit_manifest(&mut members, |manifest| manifest[0]["RepoTags"] = json!([]));
    assert_eq!(converted_facts(&members), expected);
}

#[test]
fn tagged_and_untagged_images_go_together() {
    let pair = [
        make::Image::new(&[], &["file a 1"]),
        make::Image::new(&["b:1"], &["file b 1"]),
    ];
    let expected = pair.each_ref().map(make::Image::facts);
    assert_eq!(converted_facts(&make::docker(&pair)), expected);
    // Docker 25 to 29 can leave an untagged image out of `index.json`.
    assert_eq!(converted_facts(&make::hybrid(&pair)), expected);
}

#[test]
fn the_wrong_order_of_layers_that_docker_25_0_0_wrote_is_put_right() {
    let image = make::Image::new(&["app:1"], &["file a 1", "file b 2", "file c 3"]);
    // The OCI manifest has the layers in another order than the config; `manifest.json` is right.
    let mut wrong = image.clone();
    wrong.layers.reverse();
    let mut members = make::hybrid(&[wrong]);
    edit_manifest(&mut members, |manifest| {
        let layers = manifest[0]["Layers"].as_array_mut().expect("an array");
        layers.reverse();
    });
    assert_eq!(converted_facts(&members), [image.facts()]);
}

#[test]
fn layers_may_be_empty_padded_or_followed_by_anything() {
    let plain = make::layer("file a 1");
    let padded = [plain.clone(), vec![0; 65_536]].concat();
    let followed = [plain.as_slice(), b"and then some text"].concat();
    let unended = plain[..1024].to_vec();
    let layers = vec![
        Vec::new(),
        vec![0; 512],
        vec![0; 1024],
        padded,
        followed,
        unended,
    ];
    let image = make::Image::of_layers(&["app:1"], layers);
    assert_eq!(
        converted_facts(&make::docker(std::slice::from_ref(&image))),
        [image.facts()]
    );
    assert_eq!(
        converted_facts(&make::crane(std::slice::from_ref(&image))),
        [image.facts()]
    );
}

#[test]
fn compressed_layers_may_have_several_members_and_padding() {
    let plain = make::layer("file a 1\nfile b 2\nfile c 3");
    let (head, tail) = plain.split_at(700);
    let skippable = [0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, b'a', b'b', b'c'];
    let members = |codec: Codec| [codec.compress(head), codec.compress(tail)].concat();
    let cases = [
        members(Codec::Gzip),
        [Codec::Gzip.compress(&plain), vec![0; 100]].concat(),
        members(Codec::Zstd),
        [skippable.as_slice(), &members(Codec::Zstd), &skippable].concat(),
        members(Codec::Xz),
        members(Codec::Bzip2),
    ];
    for stored in cases {
        let mut image = make::Image::of_layers(&["app:1"], vec![plain.clone()]);
        image.layers = vec![stored];
        let members = make::docker(std::slice::from_ref(&image));
        assert_eq!(converted_facts(&members), [image.facts()]);
    }
}

#[test]
fn an_image_may_have_no_layers() {
    let image = make::Image::new(&["app:1"], &[]);
    assert_eq!(
        converted_facts(&make::docker(std::slice::from_ref(&image))),
        [image.facts()]
    );
}

#[test]
fn a_config_keeps_its_bytes_whatever_they_look_like() {
    let mut image = make::Image::new(&["app:1"], &["file a 1"]);
    let config = String::from_utf8(image.config).expect("text");
    let spaced = config.replacen(
        '{',
        "{\n\t\"unknown\" : [ 1.50, 1e3, 18446744073709551616 ],  ",
        1,
    );
    image.config = format!("  {spaced}\n\n").into_bytes();
    assert_eq!(
        converted_facts(&make::docker(std::slice::from_ref(&image))),
        [image.facts()]
    );
}

/// Changes `manifest.json`.
fn edit_manifest(members: &mut [Member], edit: impl FnOnce(&mut Value)) {
    let manifest = members.iter_mut().find(|it| it.name() == "manifest.json");
    let Some(Member::File(_, content)) = manifest else {
        panic!("there is no manifest.json");
    };
    let mut value = serde_json::from_slice(content).expect("manifest.json is JSON");
    edit(&mut value);
    *content = value.to_string().into_bytes();
}

/// A v1 archive of three images: a base, an empty layer and a tagged top.
fn v1_archive(repository: &str, docker_version: Option<&str>) -> Vec<Member> {
    let id = |n: usize| digest(format!("v1 {n}").as_bytes())["sha256:".len()..].to_owned();
    let layers = [
        make::layer("dir etc\nfile etc/hosts h"),
        vec![0; 1024],
        make::layer("file top t"),
    ];
    let images = layers.into_iter().enumerate().map(|(n, layer)| {
        let config = json!({
            "Hostname": "0123456789ab", "User": "", "Env": ["A=<b>&c"],
            "Cmd": ["/bin/sh", "-c", format!("#(nop) step {n}")],
            "Image": "", "Volumes": null, "WorkingDir": "/", "Entrypoint": null,
            "OnBuild": null, "Labels": {"z": "1", "a": "2"},
        });
        let mut image = json!({
            "id": id(n), "parent": id(n.wrapping_sub(1)),
            "created": format!("2015-10-1{n}T22:22:54.690851953Z"),
            "container": "fedcba9876543210",
            "container_config": config, "docker_version": docker_version,
            "author": "Someone <someone@example.org>", "config": config,
            "architecture": "amd64", "os": "linux", "Size": layer.len(),
            "unknown": {"b": 1, "a": [2.50]}, "comment": format!("comment {n}"),
        });
        let fields = image.as_object_mut().expect("an object");
        if n == 0 {
            fields.shift_remove("parent");
        }
        if docker_version.is_none() {
            fields.shift_remove("docker_version");
        }
        (image, layer)
    });
    let (one, same) = (format!("{repository}:1"), format!("{repository}:same"));
    let tags = [(one.as_str(), id(2)), (same.as_str(), id(2))];
    make::v1(&images.collect::<Vec<_>>(), &tags)
}

/// The `docker_version` of v1 archives, and the config that Docker 20.10.24 made when it loaded them.
///
/// What came before 1.8.3 goes through the structure that the engine had then,
/// so that zero values appear and unknown fields go; later ones keep both.
const V1: [(Option<&str>, &str); 3] = [
    (Some("1.9.1"), "docker20__v1-1.9.1.config.json"),
    (Some("1.7.1"), "docker20__v1-1.7.1.config.json"),
    (None, "docker20__v1-none.config.json"),
];

#[test]
fn a_v1_archive_becomes_the_image_that_docker_makes_of_it() {
    for (version, config) in V1 {
        let images = converted(&v1_archive("old", version));
        let [image] = images.as_slice() else {
            panic!("one image, not {images:?}");
        };
        assert_eq!(
            image.tags,
            ["docker.io/library/old:1", "docker.io/library/old:same"]
        );
        let config = String::from_utf8(fixture(config)).expect("a config is UTF-8");
        assert_eq!(image.config, config);
    }
}

#[test]
fn a_v1_archive_becomes_the_image_that_this_docker_makes_of_it() {
    let test = "a_v1_archive_becomes_the_image_that_this_docker_makes_of_it";
    if !tools::has_engine() {
        return tools::skip(test, "no Docker engine responds");
    }
    let _engine = tools::exclusive();
    for (version, config) in V1 {
        let sandbox = Sandbox::new();
        let name = format!("restow-v1-{}", std::process::id());
        sandbox.write("v1.tar", make::tar(&v1_archive(&name, version)));
        let path = sandbox.path("v1.tar");
        drop(tools::tool(
            "docker",
            &["load".as_ref(), "-i".as_ref(), path.as_os_str()],
        ));
        let tag = format!("{name}:1");
        let loaded = tools::tool("docker", &["image", "inspect", "-f", "{{.Id}}", &tag]);
        drop(tools::tool(
            "docker",
            &["image", "rm", &tag, &format!("{name}:same")],
        ));
        let loaded = String::from_utf8(loaded).expect("an id is text");
        assert_eq!(loaded.trim(), digest(&fixture(config)), "{version:?}");
    }
}

#[test]
fn a_root_filesystem_becomes_an_image_of_one_layer() {
    let sandbox = Sandbox::new();
    let rootfs = testdata("docker20__edge-export.tar");
    let source = format!("rootfs:{}", rootfs.display());
    let bytes = std::fs::read(&rootfs).expect("the fixture can be read");
    for to in Format::ALL {
        let out = format!("{to:?}");
        sandbox
            .run(&["convert", "--tag", "edge:flat", &source, &to.at(&out)])
            .silent();
        let images = to.images(&sandbox.path(&out));
        let [image] = images.as_slice() else {
            panic!("one image, not {images:?}");
        };
        assert_eq!(image.tags, ["docker.io/library/edge:flat"]);
        assert_eq!(image.diff_ids(), [digest(&bytes)]);
        assert_eq!(
            image.digests(),
            [digest(&bytes)],
            "the tar is the layer as it is"
        );
        let config: Value = serde_json::from_str(&image.config).expect("JSON");
        assert_eq!(config["os"], "linux");
        assert_eq!(config["history"].as_array().map(Vec::len), Some(1));
    }
    // By its content alone, and through a pipe, it is the same.
    let again = sandbox.restow(&["convert", "--tag", "edge:flat", "-", "again.tar"]);
    again.stdin_pipe(bytes).run().silent();
    let store = Store::open(&sandbox.path("again.tar"));
    assert_eq!(store, Store::open(&sandbox.path("Docker")));
}
