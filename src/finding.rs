//! Findings of a check: facts with a code, a place and a consequence.
//!
//! A finding is not an [`Error`](crate::Error): the check goes on after it. Programs
//! rely on the [`Code`], which never changes its meaning and has one severity. Messages
//! follow the rules for errors (see [`crate::error`]).

use std::collections::HashSet;
use std::fmt;

use crate::digest::Digest;

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Content is not what it is declared to be, or an engine that should accept the
    /// input refuses it.
    Error,
    /// Some readers refuse the input or interpret it differently.
    Warning,
    /// Nothing is wrong, but it may be worth knowing.
    Note,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        })
    }
}

/// Defines [`Code`] from a table: variant, code, severity, meaning and consequence.
macro_rules! codes {
    ($($variant:ident $code:literal $severity:ident $meaning:literal $consequence:literal)*) => {
        /// The kind of a finding. The text of each code is part of the interface.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = concat!("`", $code, "`: ", $meaning, "; ", $consequence, ".")] $variant,)*
        }

        impl Code {
            /// All codes.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The text by which programs recognise the code.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// Its severity.
            #[must_use]
            pub fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)* }
            }

            /// Its meaning.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }

            /// Its consequence.
            #[must_use]
            pub fn consequence(self) -> &'static str {
                match self { $(Self::$variant => $consequence,)* }
            }
        }
    };
}

// The behaviour of each engine is measured in the reference of formats (A.12 to A.16,
// B.5 to B.10, D, H): Docker 20.10 and 28.5 (both stores), containerd 1.6 and 2.1,
// umoci 0.4.7, skopeo 1.9 and 1.22.
codes! {
    // The tar around the images.
    ArchiveDamaged "archive-damaged" Error
        "the archive cannot be read to its end" "what stands behind that place is lost"
    ArchiveEndMissing "archive-end-missing" Warning
        "the archive has no end-of-archive block" "it may have been cut off"
    ArchiveTrailing "archive-trailing" Warning
        "bytes follow the end of the archive" "no reader looks at them; tars are not joined by `cat`"
    RootfsEmpty "rootfs-empty" Warning
        "the root filesystem has no entry" "the image made of it is empty"
    MemberEscapes "member-escapes" Error
        "the path of a member leaves the archive" "`docker load` refuses the archive"
    MemberTwice "member-twice" Error
        "two different control files have one name" "Docker takes the last, skopeo and podman the first; restow refuses it, as hostile input"
    Unreferenced "unreferenced" Note
        "no document refers to a file" "it takes space, and no reader looks at it"

    // The documents of a docker archive.
    ManifestMissing "manifest-missing" Error
        "neither `manifest.json` nor `index.json` is there" "no reader finds an image"
    ManifestInvalid "manifest-invalid" Error
        "`manifest.json` cannot be understood" "`docker load` refuses the archive"
    TrailingBytes "trailing-bytes" Warning
        "a control file goes on behind its end" "skopeo refuses the archive, others ignore the rest"
    NoImage "no-image" Warning
        "no image is listed" "nothing is loaded"
    ConfigMissing "config-missing" Error
        "the config of an image is not there" "no reader can load the image"
    ConfigName "config-name" Warning
        "a config is named by another digest than its own" "it was changed after it was named; the image id is another one"
    LayerMissing "layer-missing" Error
        "a layer of an image is not there" "only an engine that already has the layer can load the image"
    LayerSource "layer-source" Warning
        "`LayerSources` describes a layer as it is not" "readers that follow it refuse the layer"
    PathUnusual "path-unusual" Warning
        "`manifest.json` names a file by an unusual path" "containerd, and so Docker 29, skopeo or crane do not find the file"
    TagInvalid "tag-invalid" Error
        "a tag is no reference with a tag" "`docker load` stores the image and fails then"
    TagDigest "tag-digest" Warning
        "a tag has a digest, too" "`docker load` stores the image without this name"
    TagTwice "tag-twice" Warning
        "two images have one name" "the later one takes it, the other becomes untagged; umoci and skopeo choose in other ways"
    RepositoriesInvalid "repositories-invalid" Warning
        "`repositories` cannot be understood" "only readers from before Docker 1.10 need it"
    RepositoriesDiffer "repositories-differ" Warning
        "`repositories` and `manifest.json` list other tags" "readers from before Docker 1.10 see other tags"
    V1Archive "v1-archive" Warning
        "the archive is of the time before Docker 1.10" "Docker 29, containerd, podman and skopeo cannot load it"
    V1Invalid "v1-invalid" Error
        "the images of an archive from before Docker 1.10 do not hang together" "`docker load` refuses the archive"
    V1RepositoriesMissing "v1-repositories-missing" Error
        "`repositories` is not there" "`docker load` stores the images and fails then"

    // The documents of a layout.
    LayoutMarkerMissing "layout-marker-missing" Error
        "`oci-layout` is not there" "containerd and umoci refuse the layout"
    LayoutVersion "layout-version" Error
        "the version of the layout is not 1.0.0" "containerd and umoci refuse the layout"
    IndexMissing "index-missing" Error
        "`index.json` is not there" "no reader finds an image"
    IndexInvalid "index-invalid" Error
        "`index.json` cannot be understood" "no reader finds an image"
    IndexTooLarge "index-too-large" Error
        "indexes are nested too deep, or list too much" "restow refuses it, as hostile input"
    DescriptorInvalid "descriptor-invalid" Error
        "a descriptor is malformed" "readers refuse the whole document"
    SchemaVersion "schema-version" Warning
        "`schemaVersion` is not 2" "readers that look at it refuse the document"
    BlobMissing "blob-missing" Error
        "a blob that a document names is not there" "no reader can load the image"
    IndexPartAbsent "index-part-absent" Note
        "a part of an index is not there, and an image of it is" "what is there can be loaded"
    DigestMismatch "digest-mismatch" Error
        "a blob is not what its digest says" "it was damaged or altered; readers refuse the image"
    SizeMismatch "size-mismatch" Error
        "a blob has another size than its descriptor says" "umoci, and whoever fetches it, refuse the blob"
    DataMismatch "data-mismatch" Error
        "what a descriptor embeds is not what its digest says" "readers that use it read another document"
    DocumentInvalid "document-invalid" Error
        "a document cannot be understood" "readers refuse the image"
    DocumentAmbiguous "document-ambiguous" Error
        "a document is a manifest and an index at once" "readers refuse it, or read different images (CVE-2021-41190)"
    DocumentTooLarge "document-too-large" Error
        "a document is larger than any image needs" "readers refuse it, as hostile input"
    MediaTypeMismatch "media-type-mismatch" Error
        "a document has another media type than its descriptor says" "readers refuse it, or read different images"
    MediaTypeDiffers "media-type-differs" Warning
        "of a document and its descriptor one has OCI's media type, the other Docker's" "readers that compare the two refuse it; most do not"
    Schema1 "schema-1" Error
        "a manifest is of Docker's schema 1" "it has no diff_ids; current readers refuse it"
    MediaTypeUnknown "media-type-unknown" Note
        "something is of a kind that is not known" "readers pass over it"
    DockerMediaType "docker-media-type" Warning
        "a layout has Docker's media types" "umoci and older skopeo refuse the image"
    PlatformMismatch "platform-mismatch" Warning
        "an index gives an image another platform than its config" "who asks for that platform gets an image that does not run"
    SubjectMissing "subject-missing" Note
        "an attestation or signature speaks of something that is not there" "it says nothing"
    NameInvalid "name-invalid" Warning
        "the name of an image in a layout is malformed" "Docker and containerd cannot use the name"
    HybridDiffers "hybrid-differs" Error
        "`index.json` and `manifest.json` give one image different layers" "readers of one and of the other load different images"
    HybridIncomplete "hybrid-incomplete" Warning
        "`index.json` and `manifest.json` list other images or tags" "Docker's classic stores read `manifest.json`, its containerd store and OCI readers `index.json`: they load other images or tags"

    // The config of an image.
    ConfigInvalid "config-invalid" Error
        "the config of an image cannot be understood" "Docker and other readers refuse the image"
    CommandText "command-text" Warning
        "a command in the config is a string, and not a list" "Docker's classic stores take it; its containerd store and podman cannot run the image"
    RootfsMissing "rootfs-missing" Warning
        "the config of an image says nothing of its layers" "tools that copy pass it on; no engine can run it"
    LayerCount "layer-count" Error
        "an image has another number of layers than its config has diff_ids" "no reader can load the image"
    HistoryCount "history-count" Error
        "the history tells of more layers than there are" "`docker load` refuses the image"
    HistoryShort "history-short" Note
        "the history tells of fewer layers than there are" "nothing says where the uppermost layers come from"
    CreatedInvalid "created-invalid" Error
        "a time in the config is no RFC 3339 time" "`docker load` refuses the image"
    CreatedUnusual "created-unusual" Warning
        "a time in the config is RFC 3339 for Docker and containerd alone" "stricter readers refuse the image"
    RootfsType "rootfs-type" Warning
        "`rootfs.type` is not `layers`" "the specification has readers refuse it; few do"
    PlatformMissing "platform-missing" Note
        "the config does not say its operating system or architecture" "readers take the host's"
    OsUnusual "os-unusual" Warning
        "the image is for an operating system that Docker does not run" "Docker's classic stores refuse it, and 20.10 crashes"
    OsRefused "os-refused" Error
        "an image of a docker archive is not for Linux" "`docker load` into a classic store on Linux refuses it"
    TooManyLayers "too-many-layers" Warning
        "an image has more than 125 layers" "Docker's classic store refuses it; `restow squash --max-layers 125` helps"
    LayersRefused "layers-refused" Error
        "an image of a docker archive has more than 125 layers" "`docker load` into a classic store refuses it; `restow squash --max-layers 125` helps"

    // A layer as it is stored.
    LayerForeign "layer-foreign" Note
        "a layer is to be fetched from elsewhere" "loading the image takes a network"
    LayerEncrypted "layer-encrypted" Note
        "a layer is encrypted" "only who has the key can look into it"
    LayerWindows "layer-windows" Note
        "a layer is for Windows" "its entries are not checked"
    LayerMislabelled "layer-mislabelled" Warning
        "the media type of a layer is not what its bytes are" "umoci and containerd refuse some of these"
    CompressionUnusual "compression-unusual" Warning
        "a layer is compressed in a way that not every engine reads" "containerd refuses xz and bzip2, Docker before 23 zstd"
    CompressionDamaged "compression-damaged" Error
        "a layer cannot be unpacked" "every engine refuses the image"
    CompressionLimit "compression-limit" Error
        "a layer takes more memory or space to unpack than is accepted" "restow refuses it; engines may take it, or not"
    CompressionTrailing "compression-trailing" Error
        "bytes follow the end of a layer's compressed stream" "containerd, and Docker where it has no `unpigz`, refuse the image"
    DiffIdMismatch "diff-id-mismatch" Error
        "a layer unpacks to something else than the config says" "every engine refuses the image"
    TarDamaged "tar-damaged" Error
        "the tar of a layer cannot be read" "every engine refuses the image"
    TarEndMissing "tar-end-missing" Warning
        "the tar of a layer has no end-of-archive block" "readers other than those written in Go may refuse it"

    // The entries of a layer.
    EntryPath "entry-path" Error
        "the path of an entry, or of what it links, leaves the root, or has a NUL byte in it" "Docker 28 and crane refuse it, others put it elsewhere"
    EntryTwice "entry-twice" Error
        "a layer has one path more than once" "Docker's and podman's classic stores refuse the image"
    EntryReplaced "entry-replaced" Warning
        "an entry takes the place of another one of its layer" "Docker's classic store loads the image, and may not be able to save it again"
    EntryType "entry-type" Error
        "the type of an entry is one that no layer may have" "Docker refuses the image"
    EntryRoot "entry-root" Error
        "the root is not a directory" "umoci refuses it, and others leave it out"
    EntryInFile "entry-in-file" Error
        "something lies in what is no directory" "engines refuse the image"
    EntryLimit "entry-limit" Error
        "an entry claims more than any file system can store" "restow refuses it, as hostile input"
    NameTooLong "name-too-long" Error
        "a name has more than 255 bytes, or a path more than 4,095" "it cannot be unpacked on Linux"
    SizeUnexpected "size-unexpected" Warning
        "what has no data has a size, or a whiteout has data" "Docker's classic store loads the image, and cannot save it again"
    SparseGnu "sparse-gnu" Error
        "a sparse file in GNU's old format" "Docker refuses the image"
    SparsePax "sparse-pax" Warning
        "a sparse file in PAX format" "Docker loads the image, and cannot save it again"
    LinkForward "link-forward" Error
        "a hard link stands before its target" "every engine refuses the image"
    LinkBelow "link-below" Error
        "a hard link to a file of a lower layer" "Docker and containerd refuse the image; `restow squash` makes it a file"
    LinkMissing "link-missing" Error
        "a hard link to something that is not there" "every engine refuses the image"
    LinkToDirectory "link-to-directory" Error
        "a hard link to a directory" "every engine refuses the image"
    LinkToItself "link-to-itself" Error
        "a hard link to itself" "Docker refuses the image"
    TooManyLinks "too-many-links" Error
        "a file has more than 65,000 names" "engines whose layers are on ext4 refuse the image"
    LinkMetadata "link-metadata" Note
        "names of one file differ in owner, mode or time" "Docker and containerd take the last, umoci the first"
    TargetEmpty "target-empty" Error
        "a symbolic link has no target" "Docker refuses the image"
    SymlinkLoop "symlink-loop" Error
        "the symbolic links on a path do not end" "engines refuse the image"
    WhiteoutInvalid "whiteout-invalid" Error
        "a whiteout does not name what it deletes" "containerd and Docker 29.7 refuse the image; older ones delete too much"
    WhiteoutAndEntry "whiteout-and-entry" Error
        "a layer deletes something and has it, too" "Docker and containerd refuse the image, or show what was deleted"
    WhiteoutInDeleted "whiteout-in-deleted" Error
        "a whiteout lies in what the same layer deletes" "Docker's overlay2 and containerd refuse the image"
    WhiteoutDevice "whiteout-device" Warning
        "a character device 0:0" "overlay engines take it for a whiteout, others for a device"
    WhiteoutOpaqueRoot "whiteout-opaque-root" Warning
        "an opaque whiteout at the root" "Docker and containerd ignore it, umoci does not"
    AttributeInvalid "attribute-invalid" Error
        "an attribute, a capability or an ACL is one that no file can have" "Docker refuses the image"
    AttributeForeign "attribute-foreign" Error
        "an attribute of another system than Linux" "Docker 28 refuses the image, others pass over it"
    AttributeOnLink "attribute-on-link" Error
        "a symbolic link has an attribute, and leads to nothing in its layer" "Docker 28 sets the attribute where the link leads, and refuses the image"
    AttributesLarge "attributes-large" Error
        "the attributes of a file have more than 4,096 bytes" "engines whose layers are on ext4 refuse the image"
    OverlayAttribute "overlay-attribute" Warning
        "`trusted.overlay.opaque` on a directory" "Docker hides what lower layers have in it, others do not"
    RootlessAttribute "rootless-attribute" Warning
        "an attribute with which tools without root remember owners" "engines store it, and nobody knows what it means"
    ThroughAbsoluteLink "through-absolute-link" Warning
        "a file's path leads through an absolute symbolic link of its layer" "Docker's classic store loads the image, and cannot save it again"
    ThroughDanglingLink "through-dangling-link" Warning
        "a path leads through a symbolic link of its layer to what only lower layers may have" "Docker before 28 refuses the image, others make the directory"
    ParentIsFile "through-file" Warning
        "a path leads through a file of a lower layer" "overlay engines make it a directory, others fail"
    ThroughSymlink "through-symlink" Warning
        "a path leads through a symbolic link of a lower layer" "overlay engines replace the link, others follow it"
    DirectoryImplied "directory-implied" Note
        "a layer has no entry for a directory, which lower layers give an owner or mode" "Docker's overlay2 resets these to 0755 and root"
    Bookkeeping "bookkeeping" Note
        "bookkeeping of AUFS or eStargz among the files" "some engines show it as files"
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The place of a finding, from the outside in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Site {
    /// A file of the archive or layout.
    pub file: Option<String>,
    /// The image.
    pub image: Option<String>,
    /// The layer, counted from 1, the lowest, and the number of layers.
    pub layer: Option<(usize, usize)>,
    /// The entry of the layer, escaped, and the number of other entries like it.
    pub entry: Option<(String, usize)>,
}

impl Site {
    /// The whole input.
    pub(crate) fn input() -> Self {
        Self::default()
    }

    /// A file.
    pub(crate) fn file(path: impl Into<String>) -> Self {
        Self {
            file: Some(path.into()),
            ..Self::default()
        }
    }

    /// An image.
    pub(crate) fn image(name: impl Into<String>) -> Self {
        Self {
            image: Some(name.into()),
            ..Self::default()
        }
    }

    /// A layer of this image.
    pub(crate) fn at_layer(&self, position: usize, count: usize) -> Self {
        Self {
            layer: Some((position, count)),
            ..self.clone()
        }
    }
}

impl fmt::Display for Site {
    /// ``layer 2 of 4 of `app:1`, entry `a` and 1 more``; nothing for the whole input.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        match (&self.image, self.layer) {
            (Some(image), Some((position, count))) => {
                parts.push(format!("layer {position} of {count} of `{image}`"));
            }
            (Some(image), None) => parts.push(format!("`{image}`")),
            (None, _) => {}
        }
        parts.extend(self.file.as_ref().map(|file| format!("`{file}`")));
        if let Some((entry, others)) = &self.entry {
            let more = match others {
                0 => String::new(),
                others => format!(" and {others} more"),
            };
            parts.push(format!("entry `{entry}`{more}"));
        }
        f.write_str(&parts.join(", "))
    }
}

/// A single finding.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Finding {
    /// Its kind.
    pub code: Code,
    /// Its place.
    pub site: Site,
    /// The fault there.
    pub message: String,
}

impl Finding {
    /// A finding with its own message.
    pub(crate) fn new(code: Code, site: Site, message: impl Into<String>) -> Self {
        Self {
            code,
            site,
            message: message.into(),
        }
    }

    /// A finding whose message is the meaning of its code.
    pub(crate) fn plain(code: Code, site: Site) -> Self {
        Self::new(code, site, code.meaning())
    }
}

/// A finding whose place the caller knows.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    /// Its kind.
    pub(crate) code: Code,
    /// The first entry of a layer that has it, escaped, and the number of others that
    /// do; absent if it does not concern an entry.
    pub(crate) entry: Option<(String, usize)>,
    /// The fault.
    pub(crate) message: String,
}

impl Fault {
    /// A fault with its own message.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            entry: None,
            message: message.into(),
        }
    }

    /// A fault whose message is the meaning of its code.
    pub(crate) fn plain(code: Code) -> Self {
        Self::new(code, code.meaning())
    }

    /// Returns the fault for a digest that is not the expected one.
    pub(crate) fn digest(code: Code, expected: &Digest, got: &Digest) -> Self {
        Self::new(code, format!("expected {expected}, got {got}"))
    }

    /// The same fault, of an entry and this many others.
    pub(crate) fn of_entry(self, entry: String, others: usize) -> Self {
        Self {
            entry: Some((entry, others)),
            ..self
        }
    }

    /// The finding in this file, image or layer.
    pub(crate) fn at(self, site: &Site) -> Finding {
        let site = Site {
            entry: self.entry,
            ..site.clone()
        };
        Finding::new(self.code, site, self.message)
    }
}

/// The findings so far, without duplicates: a document may be met under several names,
/// and a layer in several images.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    list: Vec<Finding>,
    seen: HashSet<Finding>,
}

impl Findings {
    /// Adds a finding, unless it is already there.
    pub(crate) fn push(&mut self, finding: Finding) {
        if self.seen.insert(finding.clone()) {
            self.list.push(finding);
        }
    }

    /// Keeps the findings that belong to the input.
    pub(crate) fn retain(&mut self, keep: impl Fn(&Finding) -> bool) {
        self.list.retain(keep);
    }

    /// All findings, the worst first, otherwise in the order in which they were found.
    pub(crate) fn into_sorted(mut self) -> Vec<Finding> {
        self.list.sort_by_key(|finding| finding.code.severity());
        self.list
    }
}

impl Extend<Finding> for Findings {
    fn extend<T: IntoIterator<Item = Finding>>(&mut self, findings: T) {
        for finding in findings {
            self.push(finding);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_words_and_each_stands_once_and_is_in_the_readme() {
        let readme = include_str!("../README.md");
        let mut seen = BTreeSet::new();
        for code in Code::ALL {
            let name = code.name();
            assert!(seen.insert(name), "{name} stands twice");
            let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            assert!(name.bytes().all(is_plain), "{name}");
            let row = format!("| `{name}` | {} | {} |", code.severity(), code.meaning());
            assert!(readme.contains(&row), "README lacks: {row}");
        }
    }

    #[test]
    fn a_site_reads_from_the_outside_in() {
        let layer = Site::image("app:1").at_layer(2, 4);
        let entry = |others| {
            let fault = Fault::plain(Code::EntryTwice).of_entry("a".to_owned(), others);
            fault.at(&layer).site
        };
        for (site, text) in [
            (Site::input(), ""),
            (Site::file("index.json"), "`index.json`"),
            (Site::image("app:1"), "`app:1`"),
            (layer.clone(), "layer 2 of 4 of `app:1`"),
            (entry(0), "layer 2 of 4 of `app:1`, entry `a`"),
            (entry(2), "layer 2 of 4 of `app:1`, entry `a` and 2 more"),
        ] {
            assert_eq!(site.to_string(), text);
        }
    }
}
