//! What is read for it: of a plain archive documents and headers only.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};

use serde_json::{Value, json};

use crate::support::Sandbox;
use crate::support::cost::measure;
use crate::support::layer::{Dialect, header, set};

/// What the commands may take of memory for an archive of gigabytes.
const MEMORY: u64 = 16 << 20;

const GIB: u64 = 1 << 30;

/// A header of a member of so many bytes.
fn head(name: &str, size: u64) -> [u8; 512] {
    let mut header = header(name.as_bytes(), b'0', Dialect::Gnu);
    set(&mut header[124..136], size.into());
    let sum: u32 = (0..512)
        .map(|at| {
            if (148..156).contains(&at) {
                32
            } else {
                u32::from(header[at])
            }
        })
        .sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

/// Writes an archive with a layer of two files of 3 GiB that take no room on disk, and are not what
/// its `diff_id` says.
fn write_huge(file: &mut File) -> std::io::Result<()> {
    let files = 2;
    let layer = files * (512 + 3 * GIB) + 1024;
    let config = json!({
        "os": "linux", "architecture": "amd64", "config": {"Cmd": ["x"]},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", "1".repeat(64))]},
    })
    .to_string();
    let manifest = json!([{"Config": "c.json", "RepoTags": ["huge:1"], "Layers": ["l.tar"]}]);
    file.write_all(&head("l.tar", layer))?;
    for number in 0..files {
        file.write_all(&head(&number.to_string(), 3 * GIB))?;
        file.seek(SeekFrom::Current(3 << 30))?;
    }
    file.write_all(&[0; 1024])?;
    for (name, content) in [("c.json", config), ("manifest.json", manifest.to_string())] {
        file.write_all(&head(name, content.len() as u64))?;
        let padded = content.len().next_multiple_of(512);
        let mut content = content.into_bytes();
        content.resize(padded, 0);
        file.write_all(&content)?;
    }
    file.write_all(&[0; 1024])
}

#[test]
fn content_is_neither_read_nor_held() {
    let sandbox = Sandbox::new();
    let mut file = File::create(sandbox.path("in.tar")).expect("a file can be made");
    write_huge(&mut file).expect("it can be written");
    for command in ["images", "inspect", "history"] {
        let run = sandbox.restow(&[command, "--json", "in.tar"]);
        let read = |stdout: &mut dyn std::io::Read| {
            let mut text = String::new();
            stdout.read_to_string(&mut text).expect("it is text");
            serde_json::from_str::<Value>(&text).expect("it is JSON")
        };
        let (value, said, cost) = measure(run.command(), |_: &mut dyn Write| Ok(()), read);
        assert_eq!(said, "", "{command}");
        assert!(cost.memory < MEMORY, "{command}: {} bytes", cost.memory);
        let size = match command {
            "images" => &value["images"][0]["content_size"],
            "inspect" => &value["layers"][0]["content_size"],
            _ => &value["history"][0]["content_size"],
        };
        assert_eq!(*size, 6 * GIB, "{command}");
    }
}
