//! Odd tars around valid images: names, links, missing members, data after the end.

use super::super::Seed;
use super::super::codec::Codec;
use super::super::make::{self, Member};
use super::{Odd, at, id, pick, sound};

/// An archive with one oddity in its members, and perhaps one in its bytes.
pub(super) fn archive(numbers: &mut Seed, tag: &str, salt: &str) -> Odd {
    let mut members = sound(tag, salt);
    let place = at(
        &members,
        pick(
            numbers,
            &[
                "layer.tar",
                "CONFIG",
                "manifest.json",
                "repositories",
                "VERSION",
                "json",
            ],
        ),
    );
    let id = id(&members);
    let mut what = change(numbers, &mut members, place);
    let mut bytes = make::tar(&members);
    let tail: &str = match numbers.below(16) {
        0 => {
            bytes.truncate(bytes.len() - 1024);
            "no end"
        }
        1 => {
            bytes.truncate(bytes.len() - 512);
            "half an end"
        }
        2 => {
            bytes.extend(b"junk");
            "junk at the end"
        }
        3 => {
            let cut = 1025 + numbers.below(bytes.len() / 2);
            bytes.truncate(bytes.len() - cut);
            "cut"
        }
        4 => {
            bytes = Codec::Gzip.compress(&bytes);
            bytes.extend(if numbers.below(2) == 0 {
                [0; 4]
            } else {
                *b"junk"
            });
            "gzip and more"
        }
        5 => {
            let codec = pick(
                numbers,
                &[Codec::Gzip, Codec::Zstd, Codec::Xz, Codec::Bzip2],
            );
            bytes = codec.compress(&bytes);
            "compressed"
        }
        6 => {
            let second = bytes.clone();
            bytes.extend(second);
            "twice"
        }
        7 => {
            let at = numbers.below(bytes.len() / 512) * 512;
            bytes[at..at + 512].fill(0);
            "a zero block"
        }
        _ => "",
    };
    if !tail.is_empty() {
        what = format!("{what}, {tail}");
    }
    Odd {
        what,
        id,
        archive: bytes,
    }
}

/// Makes a member odd, or adds something odd to it.
fn change(numbers: &mut Seed, members: &mut Vec<Member>, place: usize) -> String {
    let name = members[place].name().to_owned();
    let content = match &members[place] {
        Member::File(_, content) => content.clone(),
        _ => Vec::new(),
    };
    let short = if name.len() > 60 {
        &name[name.len() - 10..]
    } else {
        &name
    };
    let word = match numbers.below(15) {
        0 => {
            members.remove(place);
            "is missing"
        }
        1 => {
            members.push(Member::file(name.clone(), content));
            "is there twice"
        }
        2 => {
            members.push(Member::file(name.clone(), "other"));
            "has another one after it"
        }
        3 => {
            members.insert(place, Member::file(name.clone(), "other"));
            "has another one before it"
        }
        4 => {
            members[place] = Member::file(format!("./{name}"), content);
            "begins with ./"
        }
        5 => {
            members[place] = Member::file(format!("/{name}"), content);
            "begins with /"
        }
        6 => {
            members[place] = Member::file(format!("x/../{name}"), content);
            "goes up and down"
        }
        7 => {
            members.push(Member::file(format!("../{short}"), "up"));
            "has one above the root"
        }
        8 => {
            members[place] = Member::file("elsewhere", content);
            members.push(Member::Symlink(name.clone(), "elsewhere".to_owned()));
            "is a symlink"
        }
        9 => {
            members.insert(0, Member::file("elsewhere", content));
            members[place + 1] = Member::Link(name.clone(), "elsewhere".to_owned());
            "is a hard link"
        }
        10 => {
            members[place] = Member::Symlink(name.clone(), "/etc/hostname".to_owned());
            "leads out"
        }
        11 => {
            members[place] = Member::Symlink(name.clone(), "nowhere".to_owned());
            "leads nowhere"
        }
        12 => {
            members[place] = Member::Directory(format!("{name}/"));
            "is a directory"
        }
        13 => {
            let half = content[..content.len() / 2].to_vec();
            members[place] = Member::file(name.clone(), half);
            "is cut"
        }
        _ => {
            let last = members.remove(place);
            members.insert(0, last);
            "comes first"
        }
    };
    format!("{short} {word}")
}
