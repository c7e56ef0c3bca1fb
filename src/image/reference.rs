//! References: `name[:tag][@digest]`, with Docker's rules for short names.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use crate::digest::Digest;

/// The registry of a name without one.
const DEFAULT_DOMAIN: &str = "docker.io";
/// The original name of that registry, which Docker still accepts.
const LEGACY_DOMAIN: &str = "index.docker.io";
/// The namespace of a name without one in that registry.
const OFFICIAL: &str = "library/";
/// Maximum length of a name and of a tag (distribution's reference grammar).
const NAME_MAX: usize = 255;
const TAG_MAX: usize = 128;

/// The name of an image.
///
/// `app`, `library/app` and `docker.io/library/app` are the same name: it is stored in
/// full, and [`Display`](fmt::Display) prints the familiar short form.
///
/// It also remembers how the name was written, which does not affect its meaning:
/// podman understands `docker.io/library/app:1` in an archive literally, and `app:1` as
/// `localhost/app:1`.
#[derive(Clone, Debug)]
pub struct Reference {
    domain: String,
    path: String,
    tag: Option<String>,
    digest: Option<Digest>,
    written_name: String,
}

/// The parts of a reference that determine its meaning.
type Meaning<'a> = (&'a str, &'a str, Option<&'a str>, Option<&'a Digest>);

impl Reference {
    /// The repository as Docker shows it: `app`, `example.org/app`.
    ///
    /// `docker.io/a.b/app` is not shortened, since `a.b/app` would be in another
    /// registry.
    #[must_use]
    pub fn familiar_name(&self) -> String {
        let full = || format!("{}/{}", self.domain, self.path);
        if self.domain != DEFAULT_DOMAIN {
            return full();
        }
        let official = self.path.strip_prefix(OFFICIAL);
        let short = official
            .filter(|name| !name.contains('/'))
            .unwrap_or(&self.path);
        let registry = short.split_once('/').map(|(first, _)| first);
        if registry.is_some_and(is_domain_like) || is_image_id(short) {
            return full();
        }
        short.to_owned()
    }

    /// The repository as originally written.
    pub(crate) fn written_name(&self) -> &str {
        &self.written_name
    }

    /// The whole reference with its name as originally written.
    pub(crate) fn written(&self) -> String {
        self.with_name(&self.written_name)
    }

    /// The same reference, written in the familiar form.
    pub(crate) fn into_familiar(mut self) -> Self {
        let familiar: Option<Self> = self.to_string().parse().ok();
        if let Some(familiar) = familiar {
            self.written_name = familiar.written_name;
        }
        self
    }

    /// The tag, without its colon.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// True if it names an image by tag alone.
    #[must_use]
    pub fn is_tagged(&self) -> bool {
        self.tag.is_some() && self.digest.is_none()
    }

    /// The whole name, with the registry: `docker.io/library/app:1.0`.
    pub(crate) fn full(&self) -> String {
        self.with_name(&format!("{}/{}", self.domain, self.path))
    }

    /// Adds the tag `latest` to a name that has neither tag nor digest.
    #[must_use]
    pub fn or_latest(mut self) -> Self {
        if self.tag.is_none() && self.digest.is_none() {
            self.tag = Some("latest".to_owned());
        }
        self
    }

    fn meaning(&self) -> Meaning<'_> {
        let tag = self.tag.as_deref();
        (&self.domain, &self.path, tag, self.digest.as_ref())
    }

    fn with_name(&self, name: &str) -> String {
        let tag = self.tag.iter().map(|tag| format!(":{tag}"));
        let digest = self.digest.iter().map(|digest| format!("@{digest}"));
        std::iter::once(name.to_owned())
            .chain(tag)
            .chain(digest)
            .collect()
    }
}

impl PartialEq for Reference {
    fn eq(&self, other: &Self) -> bool {
        self.meaning() == other.meaning()
    }
}

impl Eq for Reference {}

impl Hash for Reference {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.meaning().hash(state);
    }
}

impl PartialOrd for Reference {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Reference {
    fn cmp(&self, other: &Self) -> Ordering {
        self.meaning().cmp(&other.meaning())
    }
}

impl fmt::Display for Reference {
    /// The familiar form: `app:1.0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.domain == DEFAULT_DOMAIN
            && let Some(name) = self.path.strip_prefix(OFFICIAL)
            && self.tag.is_some()
            && is_image_id(name)
        {
            // The tag distinguishes it from an image id, and Docker prints it like
            // this.
            return f.write_str(&self.with_name(name));
        }
        f.write_str(&self.with_name(&self.familiar_name()))
    }
}

/// A text that is not a [`Reference`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a valid reference: expected NAME[:TAG] with NAME in lower case")]
pub struct ReferenceError(String);

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        parse(text).ok_or_else(|| ReferenceError(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Reference> {
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest.parse().ok()?)),
        None => (text, None),
    };
    // A colon after the last slash begins the tag; one before it begins a port.
    let name_start = rest.rfind('/').map_or(0, |slash| slash + 1);
    let (name, tag) = match rest[name_start..].split_once(':') {
        Some((last, tag)) => (&rest[..name_start + last.len()], Some(tag)),
        None => (rest, None),
    };
    if tag.is_some_and(|tag| !is_tag(tag)) {
        return None;
    }
    let (domain, path) = match name.split_once('/') {
        Some((first, path)) if is_domain_like(first) => (first, path),
        _ => (DEFAULT_DOMAIN, name),
    };
    let domain = match domain {
        LEGACY_DOMAIN => DEFAULT_DOMAIN,
        domain => domain,
    };
    if !is_domain(domain) || !path.split('/').all(is_path_component) {
        return None;
    }
    // Docker refuses a bare image id, which would be ambiguous; with a tag it is a
    // name.
    if is_image_id(text) {
        return None;
    }
    let path = if domain == DEFAULT_DOMAIN && !path.contains('/') {
        format!("{OFFICIAL}{path}")
    } else {
        path.to_owned()
    };
    (domain.len() + 1 + path.len() <= NAME_MAX).then(|| Reference {
        domain: domain.to_owned(),
        path,
        tag: tag.map(str::to_owned),
        digest,
        written_name: name.to_owned(),
    })
}

/// Returns true if the first part of a name is a registry, by Docker's rule of thumb.
fn is_domain_like(part: &str) -> bool {
    part.contains(['.', ':']) || part == "localhost" || part.bytes().any(|b| b.is_ascii_uppercase())
}

/// Returns true if Docker prints a text like this for an image without a name.
fn is_image_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Host names and addresses, with an optional port.
fn is_domain(text: &str) -> bool {
    let (host, port) = match text.rfind(':') {
        Some(colon) if !text.ends_with(']') => (&text[..colon], Some(&text[colon + 1..])),
        _ => (text, None),
    };
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    let is_address = |inner: &str| {
        !inner.is_empty() && inner.bytes().all(|b| b.is_ascii_hexdigit() || b == b':')
    };
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let bracketed = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    port.is_none_or(is_port) && bracketed.map_or_else(|| host.split('.').all(is_label), is_address)
}

/// `[a-z0-9]+` parts, joined by `.`, `_`, `__` or any number of `-`.
fn is_path_component(text: &str) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
        return false;
    };
    is_plain(first)
        && is_plain(last)
        && bytes.split(is_plain).all(|joint| {
            matches!(joint, b"" | b"." | b"_" | b"__") || joint.iter().all(|b| *b == b'-')
        })
}

fn is_tag(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=TAG_MAX).contains(&text.len())
        && is_word(text.as_bytes()[0])
        && text
            .bytes()
            .all(|byte| is_word(byte) || matches!(byte, b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_short_and_kept_whole() {
        let digest = Digest::of(b"");
        let pinned = format!("app@{digest}");
        let cases = [
            ("app", "app", "docker.io/library/app"),
            ("app:1.0", "app:1.0", "docker.io/library/app:1.0"),
            ("library/app:1", "app:1", "docker.io/library/app:1"),
            (
                "docker.io/library/app:1",
                "app:1",
                "docker.io/library/app:1",
            ),
            (
                "index.docker.io/library/app:1",
                "app:1",
                "docker.io/library/app:1",
            ),
            ("me/app", "me/app", "docker.io/me/app"),
            (
                "library/me/app",
                "library/me/app",
                "docker.io/library/me/app",
            ),
            ("localhost/app:1", "localhost/app:1", "localhost/app:1"),
            (
                "reg.example:5000/x:2",
                "reg.example:5000/x:2",
                "reg.example:5000/x:2",
            ),
            ("[::1]:5000/x", "[::1]:5000/x", "[::1]:5000/x"),
            ("Host/x", "Host/x", "Host/x"),
            ("x/a__b-c--d.e", "x/a__b-c--d.e", "docker.io/x/a__b-c--d.e"),
            (&pinned, &pinned, &format!("docker.io/library/{pinned}")),
        ];
        for (text, familiar, full) in cases {
            let reference: Reference = text.parse().unwrap();
            assert_eq!(reference.to_string(), familiar);
            assert_eq!(reference.full(), full);
        }
    }

    #[test]
    fn a_short_form_that_would_mean_another_image_is_not_used() {
        let id = format!("docker.io/library/{}", "0123456789abcdef".repeat(4));
        for text in ["docker.io/a.b/app", "docker.io/localhost/app:1", &id] {
            let reference: Reference = text.parse().unwrap();
            assert_eq!(reference.to_string(), text);
            assert_eq!(reference.full(), text);
        }
    }

    #[test]
    fn a_reference_is_what_it_means_and_remembers_how_it_was_written() {
        let id = "0123456789abcdef".repeat(4);
        let long_id = format!("docker.io/library/{id}:1");
        let cases = [
            ("app:1", "app:1", "app"),
            ("library/app:1", "app:1", "library/app"),
            ("docker.io/library/app:1", "app:1", "docker.io/library/app"),
            (
                "index.docker.io/me/app:1",
                "me/app:1",
                "index.docker.io/me/app",
            ),
            ("localhost/app:1", "localhost/app:1", "localhost/app"),
            (
                &long_id,
                &format!("{id}:1"),
                &format!("docker.io/library/{id}"),
            ),
        ];
        for (text, familiar, name) in cases {
            let reference: Reference = text.parse().unwrap();
            assert_eq!(reference.to_string(), familiar);
            assert_eq!(reference.written(), text);
            assert_eq!(reference.written_name(), name);
            let short: Reference = familiar.parse().unwrap();
            assert_eq!(reference, short);
            assert_eq!(reference.into_familiar().written(), familiar);
        }
        let [short, long, other] = ["app:1", "docker.io/library/app:1", "localhost/app:1"]
            .map(|text| text.parse::<Reference>().unwrap());
        assert_eq!(short.cmp(&long), Ordering::Equal);
        assert_ne!(short, other);
        let latest = "docker.io/library/app".parse::<Reference>().unwrap();
        assert_eq!(latest.or_latest().written(), "docker.io/library/app:latest");
    }

    #[test]
    fn what_docker_refuses_is_refused() {
        let long_name = "a".repeat(256);
        let long_tag = format!("app:{}", "t".repeat(129));
        let id = "0123456789abcdef".repeat(4);
        let wrong = [
            "",
            ":",
            "app:",
            "App",
            "a//b",
            "/a",
            "a/",
            "a b",
            "app:a b",
            "app:-x",
            "-a",
            "a-",
            "a..b",
            "a___b",
            "a._b",
            "x.y:port/a",
            "app@sha256:0",
            "app:1:2",
            "ümlaut",
            &long_name,
            &long_tag,
            &id,
        ];
        for text in wrong {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
    }

    #[test]
    fn latest_is_added_only_where_nothing_stands() {
        for (text, expected) in [("app", "app:latest"), ("app:1", "app:1")] {
            let reference: Reference = text.parse().unwrap();
            assert_eq!(reference.or_latest().to_string(), expected);
        }
    }
}
