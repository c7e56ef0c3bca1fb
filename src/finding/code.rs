//! The codes of findings: the severity, meaning, consequence and remedy of each.

use std::fmt;

use crate::finding::Severity;

/// Defines [`Code`] by a table: variant, code, severity, meaning, consequence and remedy.
macro_rules! codes {
    ($($variant:ident $code:literal $severity:ident $meaning:literal $consequence:literal $remedy:literal)*) => {
        /// The kind of a finding. The text of each code is part of the interface.
        ///
        /// `restow verify --explain CODE` prints the same as these docs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $(
                #[doc = concat!("`", $code, "`: ", $meaning, ".")]
                ///
                #[doc = concat!("Severity: ", stringify!($severity), ".")]
                #[doc = concat!("Consequence: ", $consequence, ".")]
                #[doc = concat!("Remedy: ", $remedy, ".")]
                $variant,
            )*
        }

        impl Code {
            /// All codes.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The text of the code, for programs.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The severity of the finding.
            #[must_use]
            pub fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)* }
            }

            /// The meaning: what is wrong.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }

            /// The consequence: what readers do with the input.
            #[must_use]
            pub fn consequence(self) -> &'static str {
                match self { $(Self::$variant => $consequence,)* }
            }

            /// The remedy: what to do.
            #[must_use]
            pub fn remedy(self) -> &'static str {
                match self { $(Self::$variant => $remedy,)* }
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
        "the archive cannot be read to its end"
        "everything after this point is lost"
        "copy or download the archive again; compare its checksum with that of the original"
    ArchiveEndMissing "archive-end-missing" Warning
        "the archive has no end-of-archive block"
        "it may be truncated"
        "compare its size with that of the original; if nothing else is reported, `restow convert SRC DST` writes a correct archive"
    ArchiveTrailing "archive-trailing" Warning
        "extra bytes follow the end of the archive"
        "readers ignore them; `cat` cannot join two tars"
        "if two archives were joined, split them and convert each into one layout; else `restow convert SRC DST` writes a correct archive"
    ArchiveCompressionTrailing "archive-compression-trailing" Warning
        "extra bytes follow the compressed data of the archive"
        "skopeo refuses the archive, and so may Docker without `unpigz`"
        "`restow convert SRC DST` writes a correct archive"
    RootfsEmpty "rootfs-empty" Warning
        "the root filesystem has no entries"
        "the image made from it is empty"
        "check how the tar was made"
    MemberEscapes "member-escapes" Error
        "the path of a member leads out of the archive"
        "`docker load` refuses the archive"
        "do not use the archive unless you trust its origin"
    MemberTwice "member-twice" Error
        "two different control files have the same name"
        "Docker uses the last, skopeo and podman the first; restow refuses the archive as hostile"
        "do not use the archive unless you trust its origin; save the image again"
    Unreferenced "unreferenced" Note
        "no document refers to this file"
        "it uses space, and readers ignore it"
        "`restow convert SRC DST` leaves it out"

    // The documents of a docker archive.
    ManifestMissing "manifest-missing" Error
        "neither `manifest.json` nor `index.json` exists"
        "readers find no image"
        "check that the archive is complete, and that it holds an image"
    ManifestInvalid "manifest-invalid" Error
        "`manifest.json` is invalid"
        "`docker load` refuses the archive"
        "save the image again"
    TrailingBytes "trailing-bytes" Warning
        "extra bytes follow the JSON value in a control file"
        "skopeo refuses the archive, others ignore these bytes"
        "`restow convert SRC DST` writes a correct archive"
    NoImage "no-image" Warning
        "the input lists no images"
        "nothing is loaded"
        "check that the images were saved"
    ConfigMissing "config-missing" Error
        "the config of an image is missing"
        "no reader can load the image"
        "save the image again"
    ConfigName "config-name" Warning
        "the file name of a config is not its digest"
        "it was changed after it was named; the image id differs from the name"
        "check who changed it; `restow convert SRC DST` names it by its digest"
    LayerMissing "layer-missing" Error
        "a layer of an image is missing"
        "only an engine that already has the layer can load the image"
        "save the image again, with all its layers"
    LayerLeftOut "layer-left-out" Note
        "a layer was left out of a partial archive on purpose"
        "only an engine that already has the layer can load the image"
        "`restow convert --with BASE SRC DST` puts it back, where BASE has it"
    LayerSource "layer-source" Warning
        "`LayerSources` describes a layer incorrectly"
        "readers that use it refuse the layer"
        "`restow convert SRC DST` writes a correct archive"
    PathUnusual "path-unusual" Warning
        "`manifest.json` names a file by an unusual path"
        "containerd (and so Docker 29), skopeo or crane do not find the file"
        "`restow convert SRC DST` writes a correct archive"
    TagInvalid "tag-invalid" Error
        "a tag is not NAME:TAG"
        "`docker load` stores the image and then fails"
        "`restow convert --tag NAME:TAG SRC DST` gives the image another name"
    TagDigest "tag-digest" Warning
        "a tag includes a digest"
        "`docker load` stores the image without this name"
        "`restow convert --tag NAME:TAG SRC DST` gives the image another name"
    TagTwice "tag-twice" Warning
        "two images have the same name"
        "the later image gets the name, the other becomes untagged; umoci and skopeo choose differently"
        "`restow convert --image REF --tag NAME:TAG SRC oci:DIR` gives one of them another name"
    RepositoriesInvalid "repositories-invalid" Warning
        "`repositories` is invalid"
        "only Docker before 1.10 needs it"
        "`restow convert SRC DST` writes a correct archive"
    RepositoriesDiffer "repositories-differ" Warning
        "`repositories` and `manifest.json` list different tags"
        "Docker before 1.10 sees different tags"
        "`restow convert SRC DST` writes a correct archive"
    V1Archive "v1-archive" Warning
        "the archive is in the format of Docker before 1.10"
        "Docker 29, containerd, podman and skopeo cannot load it"
        "`restow convert SRC DST` writes the current format"
    V1Invalid "v1-invalid" Error
        "the images of an archive from Docker before 1.10 are inconsistent"
        "`docker load` refuses the archive"
        "save the image again"
    V1RepositoriesMissing "v1-repositories-missing" Error
        "`repositories` is missing"
        "`docker load` stores the images and then fails"
        "`restow convert --tag NAME:TAG SRC DST` writes the current format"

    // The documents of a layout.
    LayoutMarkerMissing "layout-marker-missing" Error
        "`oci-layout` is missing"
        "containerd and umoci refuse the layout"
        "write the file `oci-layout` with the content `{\"imageLayoutVersion\":\"1.0.0\"}`"
    LayoutVersion "layout-version" Error
        "the version of the layout is not 1.0.0"
        "containerd and umoci refuse the layout"
        "write the layout again with a current tool"
    IndexMissing "index-missing" Error
        "`index.json` is missing"
        "readers find no image"
        "check that the layout is complete"
    IndexInvalid "index-invalid" Error
        "`index.json` is invalid"
        "readers find no image"
        "write the layout again"
    IndexTooLarge "index-too-large" Error
        "indexes are nested too deeply or have too many entries"
        "restow refuses them as hostile"
        "do not use the input unless you trust its origin"
    DescriptorInvalid "descriptor-invalid" Error
        "a descriptor is malformed"
        "readers refuse the whole document"
        "report it to the author of the tool that wrote the image"
    SchemaVersion "schema-version" Warning
        "`schemaVersion` is not 2"
        "readers that check it refuse the document"
        "report it to the author of the tool that wrote the image"
    BlobMissing "blob-missing" Error
        "a blob that a document refers to is missing"
        "no reader can load the image"
        "copy the image again, with all its blobs"
    IndexPartAbsent "index-part-absent" Note
        "an index lists an image that is missing"
        "the other images can be loaded"
        "copy the image with all platforms if you need the missing one"
    DigestMismatch "digest-mismatch" Error
        "a blob does not match its digest"
        "it was damaged or altered; readers refuse the image"
        "copy or download the archive again; compare its checksum with that of the original"
    SizeMismatch "size-mismatch" Error
        "a blob does not have the size in its descriptor"
        "umoci and registry clients refuse the blob"
        "copy or download the archive again; compare its checksum with that of the original"
    DataMismatch "data-mismatch" Error
        "the embedded data of a descriptor does not match its digest"
        "readers that use it read another document"
        "report it to the author of the tool that wrote the image"
    DocumentInvalid "document-invalid" Error
        "a document is invalid"
        "readers refuse the image"
        "build or save the image again"
    DocumentAmbiguous "document-ambiguous" Error
        "a document is both a manifest and an index"
        "readers refuse it or read different images (CVE-2021-41190)"
        "do not use the image unless you trust its origin"
    DocumentTooLarge "document-too-large" Error
        "a document is too large for an image"
        "readers refuse it as hostile"
        "do not use the image unless you trust its origin"
    MediaTypeMismatch "media-type-mismatch" Error
        "the media type of a document differs from its descriptor"
        "readers refuse it or read different images"
        "build or save the image again"
    MediaTypeDiffers "media-type-differs" Warning
        "a document and its descriptor mix OCI and Docker media types"
        "readers that compare the two refuse it; most do not"
        "`restow convert --media-types oci SRC DST` writes OCI media types"
    Schema1 "schema-1" Error
        "a manifest uses Docker schema 1"
        "it has no diff_ids; current readers refuse it"
        "load the image into an old Docker, and push or save it again"
    MediaTypeUnknown "media-type-unknown" Note
        "a media type is unknown"
        "readers skip the object"
        "none needed"
    DockerMediaType "docker-media-type" Warning
        "a layout has Docker media types"
        "umoci and older skopeo refuse the image"
        "`restow convert --media-types oci SRC DST` writes OCI media types"
    PlatformMismatch "platform-mismatch" Warning
        "the platform of an image in the index differs from its config"
        "users of that platform get an image that cannot run"
        "build the index again with the right platforms"
    SubjectMissing "subject-missing" Note
        "the subject of an attestation or signature is missing"
        "it has no effect"
        "copy the image that it refers to as well, or ignore it"
    NameInvalid "name-invalid" Warning
        "the name of an image in a layout is malformed"
        "Docker and containerd cannot use the name"
        "`restow convert --image REF --tag NAME:TAG SRC DST` gives the image another name"
    HybridDiffers "hybrid-differs" Error
        "`index.json` and `manifest.json` give an image different layers"
        "readers load different images, depending on the file that they use"
        "save the image again; do not use the archive unless you trust its origin"
    HybridIncomplete "hybrid-incomplete" Warning
        "`index.json` and `manifest.json` list different images or tags"
        "Docker's classic stores read `manifest.json`, its containerd store and OCI readers `index.json`: they load different images or tags"
        "`restow convert SRC DST` writes both with all names"

    // The config of an image.
    ConfigInvalid "config-invalid" Error
        "the config of an image is invalid"
        "Docker and other readers refuse the image"
        "build or save the image again"
    CommandText "command-text" Warning
        "a command in the config is a string instead of a list"
        "Docker's classic stores accept it; its containerd store and podman cannot run the image"
        "build the image again with a command as a list"
    RootfsMissing "rootfs-missing" Warning
        "the config of an image lists no layers"
        "tools can copy it, but engines cannot run it"
        "ignore it if this is an artifact; else build the image again"
    LayerCount "layer-count" Error
        "the number of layers differs from the number of diff_ids in the config"
        "no reader can load the image"
        "build or save the image again"
    HistoryCount "history-count" Error
        "the history lists more layers than the image has"
        "`docker load` refuses the image"
        "build or save the image again"
    HistoryShort "history-short" Note
        "the history lists fewer layers than the image has"
        "the origin of the topmost layers is unknown"
        "none needed"
    CreatedInvalid "created-invalid" Error
        "a time in the config is not valid RFC 3339"
        "`docker load` refuses the image"
        "build or save the image again"
    CreatedUnusual "created-unusual" Warning
        "a time in the config is valid for Docker and containerd, but not in RFC 3339"
        "stricter readers refuse the image"
        "report it to the author of the tool that wrote the image"
    RootfsType "rootfs-type" Warning
        "`rootfs.type` is not `layers`"
        "the specification requires readers to refuse it; few do"
        "report it to the author of the tool that wrote the image"
    PlatformMissing "platform-missing" Note
        "the config has no operating system or no architecture"
        "readers assume those of the host"
        "set the platform when the image is built"
    OsUnusual "os-unusual" Warning
        "the image is for an operating system that Docker does not run"
        "Docker's classic stores refuse it, and Docker 20.10 crashes"
        "none needed if Docker does not load the image"
    OsRefused "os-refused" Error
        "an image in a docker archive is not for Linux"
        "`docker load` into a classic store on Linux refuses it"
        "load it on a host of that system, or `restow convert SRC oci:DIR`"
    TooManyLayers "too-many-layers" Warning
        "an image has more than 125 layers"
        "Docker's classic stores refuse it"
        "`restow squash --max-layers 125 SRC DST` merges layers"
    LayersRefused "layers-refused" Error
        "an image in a docker archive has more than 125 layers"
        "`docker load` into a classic store refuses it"
        "`restow squash --max-layers 125 SRC DST` merges layers"

    // A layer as it is stored.
    LayerForeign "layer-foreign" Note
        "a layer must be downloaded from elsewhere"
        "loading the image needs network access"
        "none needed with network access"
    LayerEncrypted "layer-encrypted" Note
        "a layer is encrypted"
        "its content cannot be checked without the key"
        "decrypt the image first, for example with `skopeo copy --decryption-key`"
    LayerWindows "layer-windows" Note
        "a layer is for Windows"
        "its entries are not checked"
        "none needed"
    LayerMislabelled "layer-mislabelled" Warning
        "the media type of a layer does not match its bytes"
        "umoci and containerd refuse some of these"
        "`restow convert --compress gzip:6 SRC DST` compresses and labels the layers again"
    CompressionUnusual "compression-unusual" Warning
        "some engines cannot read the compression of a layer"
        "containerd refuses xz and bzip2, Docker before 23 refuses zstd"
        "`restow convert --compress gzip SRC DST` compresses the layers with gzip"
    CompressionDamaged "compression-damaged" Error
        "the compressed data of a layer is damaged"
        "every engine refuses the image"
        "copy or download the archive again; compare its checksum with that of the original"
    CompressionLimit "compression-limit" Error
        "decompressing a layer exceeds the limit of memory or space"
        "restow refuses it; engines may accept it"
        "do not use the image unless you trust its origin"
    CompressionTrailing "compression-trailing" Error
        "extra bytes follow the compressed data of a layer"
        "containerd, and Docker without `unpigz`, refuse the image"
        "build or save the image again"
    DiffIdMismatch "diff-id-mismatch" Error
        "a layer does not match its diff_id in the config"
        "every engine refuses the image"
        "copy or download the archive again; compare its checksum with that of the original"
    TarDamaged "tar-damaged" Error
        "the tar of a layer is damaged"
        "every engine refuses the image"
        "build or save the image again"
    TarEndMissing "tar-end-missing" Warning
        "the tar of a layer has no end-of-archive block"
        "readers not written in Go may refuse it"
        "`restow squash --layers N SRC DST` rewrites layer N"

    // The entries of a layer.
    EntryPath "entry-path" Error
        "the path or link target of an entry leads out of the root or contains a NUL byte"
        "Docker 28 and crane refuse it, others unpack it elsewhere"
        "do not use the image unless you trust its origin"
    EntryTwice "entry-twice" Error
        "a layer has the same path more than once"
        "the classic stores of Docker and podman refuse the image"
        "`restow squash --layers N SRC DST` rewrites layer N"
    EntryReplaced "entry-replaced" Warning
        "an entry replaces another entry of the same layer"
        "Docker's classic stores load the image, but may not be able to save it again"
        "`restow squash --layers N SRC DST` rewrites layer N"
    EntryType "entry-type" Error
        "the type of an entry is not allowed in a layer"
        "Docker refuses the image"
        "build or save the image again"
    EntryRoot "entry-root" Error
        "the root is not a directory"
        "umoci refuses it, others skip it"
        "build or save the image again"
    EntryInFile "entry-in-file" Error
        "the parent of an entry is not a directory"
        "engines refuse the image"
        "build or save the image again"
    EntryLimit "entry-limit" Error
        "an entry exceeds the limits of every file system"
        "restow refuses it as hostile"
        "do not use the image unless you trust its origin"
    NameTooLong "name-too-long" Error
        "a name is longer than 255 bytes, or a path longer than 4,095"
        "it cannot be unpacked on Linux"
        "build the image again with shorter names"
    SizeUnexpected "size-unexpected" Warning
        "an entry without data has a size, or a whiteout has data"
        "Docker's classic stores load the image, but cannot save it again"
        "`restow squash --layers N SRC DST` rewrites layer N"
    SparseGnu "sparse-gnu" Error
        "a sparse file in the old GNU format"
        "Docker refuses the image"
        "`restow squash --layers N SRC DST` rewrites layer N"
    SparsePax "sparse-pax" Warning
        "a sparse file in PAX format"
        "Docker loads the image, but cannot save it again"
        "`restow squash --layers N SRC DST` rewrites layer N"
    LinkForward "link-forward" Error
        "a hard link precedes its target"
        "every engine refuses the image"
        "build or save the image again"
    LinkBelow "link-below" Error
        "a hard link to a file of a lower layer"
        "Docker and containerd refuse the image"
        "`restow squash --layers N SRC DST` makes it a file"
    LinkMissing "link-missing" Error
        "the target of a hard link is missing"
        "every engine refuses the image"
        "build or save the image again"
    LinkToDirectory "link-to-directory" Error
        "a hard link to a directory"
        "every engine refuses the image"
        "build or save the image again"
    LinkToItself "link-to-itself" Error
        "a hard link to itself"
        "Docker refuses the image"
        "build or save the image again"
    TooManyLinks "too-many-links" Error
        "a file has more than 65,000 names"
        "engines with layers on ext4 refuse the image"
        "store the layers of the engine on another file system"
    LinkMetadata "link-metadata" Note
        "the hard links of a file differ in owner, mode or time"
        "Docker and containerd use the last, umoci the first"
        "`restow squash --layers N SRC DST` rewrites layer N"
    TargetEmpty "target-empty" Error
        "a symbolic link has no target"
        "Docker refuses the image"
        "build or save the image again"
    SymlinkLoop "symlink-loop" Error
        "a path leads through a symbolic link loop"
        "engines refuse the image"
        "build or save the image again"
    WhiteoutInvalid "whiteout-invalid" Error
        "a whiteout has no valid name"
        "containerd and Docker 29.7 refuse the image; older engines delete too much"
        "build or save the image again"
    WhiteoutTooLong "whiteout-too-long" Error
        "the name of a whiteout is longer than 255 bytes, but not the name that it deletes"
        "Docker with the fuse-overlayfs driver refuses the image, others delete the file"
        "`restow squash --all SRC DST` leaves no whiteout"
    WhiteoutAndEntry "whiteout-and-entry" Error
        "a layer has both a path and a whiteout of it"
        "Docker and containerd refuse the image or show the deleted file"
        "`restow squash --layers N SRC DST` rewrites layer N"
    WhiteoutInDeleted "whiteout-in-deleted" Error
        "a whiteout is in a directory that the same layer deletes"
        "Docker's overlay2 and containerd refuse the image"
        "`restow squash --layers N SRC DST` rewrites layer N"
    WhiteoutDevice "whiteout-device" Warning
        "a character device 0:0"
        "overlay engines interpret it as a whiteout, others as a device"
        "delete the device before the image is built"
    WhiteoutOpaqueRoot "whiteout-opaque-root" Warning
        "an opaque whiteout in the root directory"
        "Docker and containerd ignore it, umoci does not"
        "`restow squash --layers N SRC DST` rewrites layer N"
    AttributeInvalid "attribute-invalid" Error
        "an extended attribute, a capability or an ACL is invalid"
        "Docker refuses the image"
        "build or save the image again"
    AttributeForeign "attribute-foreign" Error
        "an extended attribute of another system than Linux"
        "Docker 28 refuses the image, others ignore it"
        "`restow squash --layers N SRC DST` drops it"
    AttributeOnLink "attribute-on-link" Error
        "a symbolic link has an extended attribute, and its target is not in the layer"
        "Docker 28 sets the attribute on the target, and refuses the image"
        "build the image again without the attribute"
    AttributesLarge "attributes-large" Error
        "the extended attributes of a file exceed 4,096 bytes"
        "engines with layers on ext4 refuse the image"
        "store the layers of the engine on another file system"
    OverlayAttribute "overlay-attribute" Warning
        "a directory has the attribute `trusted.overlay.opaque`"
        "Docker hides the content of lower layers in it, others do not"
        "build the image again without the attribute"
    RootlessAttribute "rootless-attribute" Warning
        "an attribute in which rootless tools record owners"
        "engines store it without using it"
        "`restow squash --layers N SRC DST` drops it"
    ThroughAbsoluteLink "through-absolute-link" Warning
        "the path of a file leads through an absolute symbolic link in its layer"
        "Docker's classic stores load the image, but cannot save it again"
        "`restow squash --layers N SRC DST` rewrites layer N"
    ThroughDanglingLink "through-dangling-link" Warning
        "a path leads through a symbolic link in its layer whose target may exist only in lower layers"
        "Docker before 28 refuses the image, others create the directory"
        "`restow squash --layers N SRC DST` rewrites layer N"
    ParentIsFile "through-file" Warning
        "a path leads through a file of a lower layer"
        "overlay engines replace the file by a directory, others fail"
        "`restow squash --layers M..N SRC DST` merges layer N with the lower layer M"
    ThroughSymlink "through-symlink" Warning
        "a path leads through a symbolic link of a lower layer"
        "overlay engines replace the link, others follow it"
        "`restow squash --layers M..N SRC DST` merges layer N with the lower layer M"
    DirectoryImplied "directory-implied" Note
        "a layer has no entry for a directory whose owner or mode lower layers set"
        "Docker's overlay2 resets them to root and 0755"
        "`restow squash --layers M..N SRC DST` merges layer N with the lower layer M"
    Bookkeeping "bookkeeping" Note
        "a file of AUFS or eStargz for internal use"
        "some engines show it as a file"
        "none needed"
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_words_and_unique() {
        let mut seen = BTreeSet::new();
        for code in Code::ALL {
            let name = code.name();
            assert!(seen.insert(name), "two codes are named {name}");
            let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            assert!(name.bytes().all(is_plain), "{name}");
        }
    }

    /// Texts are clauses of plain English, without the words that mark a translation.
    #[test]
    fn every_code_has_plain_texts() {
        let odd = [
            "behind",
            "stands",
            "is no ",
            "there is none",
            "so many",
            "tells of",
            "speaks of",
            "what ",
            "whoever",
            "who asks",
            "says",
            "hang together",
            "is not there",
            "takes ",
        ];
        for code in Code::ALL {
            for text in [code.meaning(), code.consequence(), code.remedy()] {
                assert!(text.len() > 10 || text == "none needed", "{code}: {text}");
                assert!(!text.ends_with('.'), "{code}: {text}");
                let first = text.chars().next().expect("it is not empty");
                let is_name = text.starts_with("Docker") || text.starts_with("CVE");
                assert!(!first.is_uppercase() || is_name, "{code}: {text}");
                for word in odd {
                    assert!(!text.contains(word), "{code}: `{word}` in: {text}");
                }
            }
        }
    }
}
