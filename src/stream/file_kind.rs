//! Files that are mistaken for an image or a tar, identified by their content.
//!
//! The table is restow's own: crates for file types know hundreds of kinds that nobody
//! gives to a tool for images, but not the disk images and texts that people do give.

use std::fmt;

/// Number of bytes that [`FileKind::of`] needs: the mark of btrfs is after 64 KiB.
pub(crate) const HEAD_LENGTH: u64 = 68 * 1024;

/// The kinds of file that are neither an image nor a tar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileKind {
    /// Any file of `ar`: a static library, a Debian package.
    Ar,
    /// A compressed stream, by the name of its format.
    Compressed(&'static str),
    /// A cpio archive: an initramfs, or the content of an RPM package.
    Cpio,
    /// A Debian package.
    Deb,
    /// A disk or file system image, by its name.
    Disk(&'static str),
    /// A text that begins like a Dockerfile.
    Dockerfile,
    /// An executable for Linux.
    Elf,
    /// The text that Git LFS leaves in place of a file.
    GitLfsPointer,
    /// A web page, often for a login or an error.
    Html,
    /// A JSON document.
    Json,
    /// A RAR archive.
    Rar,
    /// An RPM package.
    Rpm,
    /// A 7z archive.
    SevenZip,
    /// A squashfs file system.
    Squashfs,
    /// Any other text.
    Text,
    /// A text in UTF-16, which PowerShell writes when it redirects output.
    Utf16,
    /// A zip archive.
    Zip,
}

/// Marks at fixed places.
const MARKS: &[(usize, &[u8], FileKind)] = &[
    (0, b"\xff\xfe", FileKind::Utf16),
    (0, b"\xfe\xff", FileKind::Utf16),
    (0, b"PK\x03\x04", FileKind::Zip),
    (0, b"PK\x05\x06", FileKind::Zip),
    (0, b"7z\xbc\xaf\x27\x1c", FileKind::SevenZip),
    (0, b"Rar!\x1a\x07", FileKind::Rar),
    // Compressed twice: only one level is unpacked.
    (0, b"\x1f\x8b\x08", FileKind::Compressed("gzip")),
    (0, b"\x28\xb5\x2f\xfd", FileKind::Compressed("zstd")),
    (0, b"\xfd7zXZ\0", FileKind::Compressed("xz")),
    (0, b"BZh", FileKind::Compressed("bzip2")),
    (0, b"\x04\x22\x4d\x18", FileKind::Compressed("LZ4")),
    (0, b"\x02\x21\x4c\x18", FileKind::Compressed("LZ4")),
    (0, b"LZIP", FileKind::Compressed("lzip")),
    (0, b"\x89LZO\0", FileKind::Compressed("lzop")),
    (0, b"\x1f\x9d", FileKind::Compressed("compress")),
    (0, b"\x5d\0\0", FileKind::Compressed("LZMA")),
    (0, b"hsqs", FileKind::Squashfs),
    (0, b"\x7fELF", FileKind::Elf),
    (0, b"!<arch>\ndebian", FileKind::Deb),
    (0, b"!<arch>\n", FileKind::Ar),
    (0, b"\xed\xab\xee\xdb", FileKind::Rpm),
    (0, b"070701", FileKind::Cpio),
    (0, b"070702", FileKind::Cpio),
    (0, b"070707", FileKind::Cpio),
    (0, b"\xc7\x71", FileKind::Cpio),
    (0, b"QFI\xfb", FileKind::Disk("qcow2")),
    (0, b"KDMV", FileKind::Disk("VMDK")),
    (0, b"vhdxfile", FileKind::Disk("VHDX")),
    (0, b"conectix", FileKind::Disk("VHD")),
    (64, b"\x7f\x10\xda\xbe", FileKind::Disk("VDI")),
    (0, b"LUKS\xba\xbe", FileKind::Disk("LUKS")),
    (0, b"XFSB", FileKind::Disk("XFS")),
    (1024, b"\xe2\xe1\xf5\xe0", FileKind::Disk("EROFS")),
    (1080, b"\x53\xef", FileKind::Disk("ext4")),
    (32_769, b"CD001", FileKind::Disk("ISO 9660")),
    (65_600, b"_BHRfS_M", FileKind::Disk("btrfs")),
    (512, b"EFI PART", FileKind::Disk("GPT")),
    (510, b"\x55\xaa", FileKind::Disk("MBR")),
];

impl FileKind {
    /// The kind of a file according to its first bytes, of which 68 KiB are needed;
    /// `None` if it is unknown.
    pub(crate) fn of(head: &[u8]) -> Option<Self> {
        let has = |(at, mark, _): &&(usize, &[u8], Self)| {
            head.get(*at..).is_some_and(|rest| rest.starts_with(mark))
        };
        let marked = MARKS.iter().find(has).map(|(_, _, kind)| *kind);
        marked.or_else(|| Self::of_text(head))
    }

    fn of_text(head: &[u8]) -> Option<Self> {
        let start = &head[..head.len().min(512)];
        let text = match std::str::from_utf8(start) {
            Ok(text) => text,
            // A character cut in two by the end.
            Err(error) if error.error_len().is_none() => {
                std::str::from_utf8(&start[..error.valid_up_to()]).unwrap_or_default()
            }
            Err(_) => return None,
        };
        let is_printed = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
        if text.is_empty() || !text.chars().all(is_printed) {
            return None;
        }
        let text = text.trim_start_matches('\u{feff}').trim_start();
        let lower = text.to_ascii_lowercase();
        let begins = |words: &[&str]| words.iter().any(|word| lower.starts_with(word));
        let mut lines = lower.lines().map(str::trim);
        // Comments and ARG may come before the first FROM.
        let first = lines
            .find(|line| !line.is_empty() && !line.starts_with('#') && !line.starts_with("arg "));
        Some(if begins(&["version https://git-lfs."]) {
            Self::GitLfsPointer
        } else if begins(&["<!doctype html", "<html"]) {
            Self::Html
        } else if begins(&["{", "["]) {
            Self::Json
        } else if first.is_some_and(|line| line.starts_with("from ")) {
            Self::Dockerfile
        } else {
            Self::Text
        })
    }
}

impl fmt::Display for FileKind {
    /// Formats the kind with its article.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ar => "an ar archive",
            Self::Compressed(format) => return write!(f, "a stream compressed with {format}"),
            Self::Cpio => "a cpio archive",
            Self::Deb => "a Debian package",
            Self::Disk(name) => return write!(f, "a disk image ({name})"),
            Self::Dockerfile => "a Dockerfile",
            Self::Elf => "an ELF executable",
            Self::GitLfsPointer => "a Git LFS pointer",
            Self::Html => "an HTML page",
            Self::Json => "a JSON document",
            Self::Rar => "a RAR archive",
            Self::Rpm => "an RPM package",
            Self::SevenZip => "a 7z archive",
            Self::Squashfs => "a squashfs file system",
            Self::Text => "a text file",
            Self::Utf16 => "UTF-16 text",
            Self::Zip => "a zip archive",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_by_their_first_bytes() {
        let at = |position: usize, mark: &[u8]| [vec![0; position].as_slice(), mark].concat();
        let cases: Vec<(Vec<u8>, Option<&str>)> = vec![
            (b"PK\x03\x04rest".to_vec(), Some("a zip archive")),
            (
                b"\x04\x22\x4d\x18rest".to_vec(),
                Some("a stream compressed with LZ4"),
            ),
            (b"\xff\xfe6\x001\x00".to_vec(), Some("UTF-16 text")),
            (b"hsqs".to_vec(), Some("a squashfs file system")),
            (b"!<arch>\ndebian-binary".to_vec(), Some("a Debian package")),
            (b"!<arch>\nfoo.o/".to_vec(), Some("an ar archive")),
            (at(1080, b"\x53\xef"), Some("a disk image (ext4)")),
            (at(32_769, b"CD001"), Some("a disk image (ISO 9660)")),
            (at(65_600, b"_BHRfS_M"), Some("a disk image (btrfs)")),
            (
                b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n".to_vec(),
                Some("a Git LFS pointer"),
            ),
            (b"\n<!DOCTYPE html><html>".to_vec(), Some("an HTML page")),
            (b"{\"a\": 1}".to_vec(), Some("a JSON document")),
            (
                b"# syntax=docker/dockerfile:1\n\nFROM alpine\n".to_vec(),
                Some("a Dockerfile"),
            ),
            (
                b"ARG TAG=3\nFROM alpine:${TAG}\n".to_vec(),
                Some("a Dockerfile"),
            ),
            (b"#!/bin/sh\necho hello\n".to_vec(), Some("a text file")),
            ("grün".as_bytes()[..3].to_vec(), Some("a text file")),
            (b"".to_vec(), None),
            (vec![0; 70_000], None),
            (b"\x01\x02\x03\x04".to_vec(), None),
        ];
        for (head, expected) in cases {
            let kind = FileKind::of(&head).map(|kind| kind.to_string());
            assert_eq!(
                kind.as_deref(),
                expected,
                "{}",
                head[..head.len().min(20)].escape_ascii()
            );
        }
    }
}
