//! Odd headers, compared with Go's `archive/tar`: the engines read layers with it, so
//! its interpretation of a header is the correct one.

mod oddities;

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::process::{Command, Stdio};

use crate::tar_stream::judged::oddities::oddities;
use crate::tar_stream::{Kind, SkipByReading, SparseReader, TarError, TarReader};

/// The program that runs Go's reader.
const PROGRAM: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/it/support/go/headers.go"
);

/// A difference between restow and Go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// Restow refuses what Go accepts.
    Refuses,
    /// Restow, like the Go of current engines, refuses what Go 1.19 accepts.
    RefusesAsEngines,
    /// Restow accepts what Go refuses.
    Takes,
    /// Restow reads another time.
    OtherTime,
}

/// The differences, with the reason. A `*` in a name matches anything.
#[rustfmt::skip]
const DIFFERENCES: [(&str, How, &str); 10] = [
    ("sparse 0.0 and 0.1, a file", How::Refuses, "readers differ on which map counts"),
    ("global record `size=*", How::RefusesAsEngines, "Docker 28 refuses it"),
    ("global record `uid=*", How::RefusesAsEngines, "Docker 28 refuses it"),
    ("global record `gid=*", How::RefusesAsEngines, "Docker 28 refuses it"),
    ("global record `mtime=*", How::RefusesAsEngines, "Docker 28 refuses it"),
    ("global record `atime=*", How::RefusesAsEngines, "Docker 28 refuses it"),
    ("global record `ctime=*", How::RefusesAsEngines, "Docker 28 refuses it"),
    ("record `mtime=-7.1234567891`*", How::OtherTime, "less than a nanosecond is cut off towards the earlier time"),
    ("old sparse, *", How::Takes, "GNU tar takes the type alone for the sign; Docker takes none of them"),
    ("end: one block and a part", How::Takes, "zeros that are cut off are nobody's loss"),
];

/// Restow's reading of a tar, in the format of the Go program.
fn read(tar: &[u8]) -> String {
    let mut text = String::new();
    let mut reader = TarReader::new(SkipByReading(tar));
    let end = loop {
        match entry(&mut reader) {
            Ok(Some(line)) => text.push_str(&line),
            Ok(None) => break "end\n",
            Err(_) => break "refused\n",
        }
    };
    text + end
}

fn entry(reader: &mut TarReader<SkipByReading<&[u8]>>) -> Result<Option<String>, TarError> {
    let Some(member) = reader.next_member()? else {
        return Ok(None);
    };
    let attributes = reader.attributes()?;
    let flag = match (member.kind, reader.flag()) {
        (Kind::Directory, _) => b'5',
        (Kind::File | Kind::Sparse, 0) => b'0',
        (_, flag) => flag,
    };
    let hex = |bytes: &[u8]| {
        bytes.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    };
    let mut line = format!(
        "type={} {} mode={:o} owner={}:{} time={}.{:09}",
        flag,
        hex(&member.path),
        attributes.mode & 0o7777,
        attributes.uid,
        attributes.gid,
        { attributes.mtime.seconds },
        { attributes.mtime.nanoseconds }
    );
    match flag {
        b'1' | b'2' => {
            let _ = write!(line, " to={}", hex(&member.link));
        }
        b'3' | b'4' => {
            let _ = write!(line, " device={}:{}", attributes.major, attributes.minor);
        }
        _ => {}
    }
    let mut data = Vec::new();
    SparseReader::new(reader)?.read_to_end(&mut data)?;
    let _ = writeln!(line, " data={}", hex(&data));
    Ok(Some(line))
}

/// Go's reading of all of them; `None` if Go is not installed.
fn judged(oddities: &[(String, Vec<u8>)]) -> Option<String> {
    let mut command = Command::new("go");
    command.args(["run", PROGRAM]).env("GO111MODULE", "off");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().ok()?;
    let mut input = Vec::new();
    for (name, tar) in oddities {
        for chunk in [name.as_bytes(), tar] {
            input.extend((chunk.len() as u64).to_be_bytes());
            input.extend(chunk);
        }
    }
    let mut stdin = child.stdin.take().expect("it was asked for");
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().expect("its output can be read");
    writer.join().expect("no panic").expect("it reads all");
    assert!(output.status.success(), "Go runs the program");
    Some(String::from_utf8(output.stdout).expect("what it prints is text"))
}

/// The difference with this name.
fn difference(name: &str) -> Option<(&'static str, How)> {
    let is_meant = |pattern: &str| match pattern.split_once('*') {
        Some((begin, end)) => name.starts_with(begin) && name.ends_with(end),
        None => name == pattern,
    };
    let found = DIFFERENCES.iter().find(|(pattern, ..)| is_meant(pattern));
    found.map(|(pattern, how, _)| (*pattern, *how))
}

#[test]
fn headers_mean_what_go_reads_in_them() {
    let oddities = oddities();
    let Some(judged) = judged(&oddities) else {
        let is_required = std::env::var("RESTOW_REQUIRE_TOOLS").is_ok_and(|value| value == "1");
        assert!(
            !is_required,
            "Go was not found, and RESTOW_REQUIRE_TOOLS is 1"
        );
        let reason = "skipped: headers_mean_what_go_reads_in_them: Go was not found";
        let _ = writeln!(std::io::stderr(), "{reason}");
        return;
    };
    let judged = judged.split("# ").skip(1).map(|judged| {
        let (name, text) = judged.split_once('\n').expect("the first line is the name");
        (name, text)
    });
    let judged: Vec<(&str, &str)> = judged.collect();
    assert_eq!(judged.len(), oddities.len());
    let mut wrong = String::new();
    let mut met = std::collections::BTreeSet::new();
    for ((name, tar), (of, expected)) in oddities.iter().zip(judged) {
        assert_eq!(name, of);
        let got = read(tar);
        if got == expected {
            continue;
        }
        let refuses = |text: &str| text.ends_with("refused\n");
        let how = match (refuses(&got), refuses(expected)) {
            (true, false) => [How::Refuses, How::RefusesAsEngines],
            (false, true) => [How::Takes; 2],
            _ => [How::OtherTime; 2],
        };
        match difference(name) {
            Some((pattern, known)) if how.contains(&known) => {
                met.insert(pattern);
            }
            _ => {
                let _ = writeln!(wrong, "{name}:\n Go:     {expected} restow: {got}");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    let stale = DIFFERENCES.iter();
    let stale = stale.filter(|(it, how, _)| !met.contains(it) && *how != How::RefusesAsEngines);
    let stale: Vec<&str> = stale.map(|(pattern, ..)| *pattern).collect();
    assert_eq!(stale, [""; 0], "differences that are none any more");
}
