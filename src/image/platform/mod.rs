//! Platforms: operating system, architecture, variant.

use std::fmt;
use std::str::FromStr;

use serde_json::{Value, json};

/// The platform of an image, in Go's terms (`linux/arm64/v8`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Platform {
    /// The operating system, as in `GOOS`.
    pub os: String,
    /// The architecture, as in `GOARCH`.
    pub architecture: String,
    /// The version of the architecture, if it matters.
    pub variant: Option<String>,
}

impl Platform {
    /// The platform for which this program was built, with Linux in place of an
    /// operating system that has no images of its own.
    #[must_use]
    pub fn host() -> Self {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "x86" => "386",
            "aarch64" => "arm64",
            "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
            "powerpc64" => "ppc64",
            "loongarch64" => "loong64",
            other => other,
        };
        Self {
            os: "linux".to_owned(),
            architecture: architecture.to_owned(),
            variant: None,
        }
    }

    /// Reads the platform object of a descriptor, or a config, which has the same
    /// fields. `None` unless it has both an operating system and an architecture.
    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        let field = |name: &str| {
            let text = value.get(name)?.as_str()?;
            (!text.is_empty()).then(|| text.to_owned())
        };
        Some(Self {
            os: field("os")?,
            architecture: field("architecture")?,
            variant: field("variant"),
        })
    }

    /// The platform object of a descriptor.
    pub(crate) fn to_json(&self) -> Value {
        let mut value = json!({"architecture": self.architecture, "os": self.os});
        if let Some(variant) = &self.variant {
            value["variant"] = variant.as_str().into();
        }
        value
    }

    /// True if it is the placeholder that `BuildKit` gives to attestations.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.os == "unknown" && self.architecture == "unknown"
    }

    /// The same platform in the spelling that containerd compares: `x86_64` is
    /// `amd64`, `aarch64` and `arm64/v8` are `arm64`, `arm` is `arm/v7`, and case
    /// does not matter.
    pub(crate) fn normalized(&self) -> Self {
        let variant = self.variant.as_deref().unwrap_or_default();
        let (architecture, variant) = normalized_architecture(&self.architecture, variant);
        Self {
            os: normalized_os(&self.os),
            architecture,
            variant,
        }
    }

    /// The rank of an image for `self` among those that run on `machine`, 0 for the
    /// best; `None` if it does not run there.
    ///
    /// The order is containerd's (`platforms.Only`): the platform itself, then older
    /// variants, the newest first, then the 32-bit architecture of the same machine.
    pub(crate) fn rank_on(&self, machine: &Self) -> Option<usize> {
        let platform = self.normalized();
        runnable(machine.normalized())
            .iter()
            .position(|runnable| runnable.normalized() == platform)
    }

    /// The rank of an image for `self` among those that satisfy a request for `wanted`,
    /// 0 for the best; `None` if it does not.
    ///
    /// An older variant is accepted, as in `docker pull`; another architecture is not.
    pub(crate) fn rank_for(&self, wanted: &Self) -> Option<usize> {
        let architecture = |platform: &Self| platform.normalized().architecture;
        let rank = self.rank_on(wanted)?;
        (architecture(self) == architecture(wanted)).then_some(rank)
    }

    /// The platform that a user means by these words.
    fn from_words(os: &str, architecture: &str, variant: &str) -> Self {
        let is_silent = variant.is_empty() && architecture.eq_ignore_ascii_case("arm");
        let is_said = !variant.is_empty();
        let (architecture, implied) = normalized_architecture(architecture, variant);
        let variant = match implied {
            None if is_said && architecture == "arm64" => Some("v8".to_owned()),
            Some(_) if is_silent => None,
            implied => implied,
        };
        Self {
            os: normalized_os(os),
            architecture,
            variant,
        }
    }
}

/// Operating systems that may be named without an architecture (Go's list, as in
/// containerd).
const KNOWN_OS: [&str; 17] = [
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "hurd",
    "illumos",
    "ios",
    "js",
    "linux",
    "nacl",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
    "windows",
    "zos",
];

/// Architectures that may be named without an operating system (Go's list, as in
/// containerd).
const KNOWN_ARCHITECTURES: [&str; 24] = [
    "386",
    "amd64",
    "amd64p32",
    "arm",
    "arm64",
    "arm64be",
    "armbe",
    "loong64",
    "mips",
    "mips64",
    "mips64le",
    "mips64p32",
    "mips64p32le",
    "mipsle",
    "ppc",
    "ppc64",
    "ppc64le",
    "riscv",
    "riscv64",
    "s390",
    "s390x",
    "sparc",
    "sparc64",
    "wasm",
];

fn normalized_os(os: &str) -> String {
    match os.to_ascii_lowercase() {
        os if os == "macos" => "darwin".to_owned(),
        os => os,
    }
}

/// An architecture and its variant. The usual variant is omitted, except for 32-bit
/// ARM, which has no default.
fn normalized_architecture(architecture: &str, variant: &str) -> (String, Option<String>) {
    let (architecture, variant) = (
        architecture.to_ascii_lowercase(),
        variant.to_ascii_lowercase(),
    );
    let (architecture, variant) = match (architecture.as_str(), variant.as_str()) {
        ("i386", _) => ("386", ""),
        ("x86_64" | "x86-64" | "amd64", "v1") => ("amd64", ""),
        ("x86_64" | "x86-64", variant) => ("amd64", variant),
        ("aarch64" | "arm64", "8" | "v8" | "v8.0") => ("arm64", ""),
        ("aarch64" | "arm64", "9" | "9.0" | "v9.0") => ("arm64", "v9"),
        ("aarch64", variant) => ("arm64", variant),
        ("armhf", _) | ("arm", "" | "7") => ("arm", "v7"),
        ("armel", _) | ("arm", "6") => ("arm", "v6"),
        ("arm", "5") => ("arm", "v5"),
        ("arm", "8") => ("arm", "v8"),
        other => other,
    };
    let variant = (!variant.is_empty()).then(|| variant.to_owned());
    (architecture.to_owned(), variant)
}

/// The platforms whose images run on a machine, the best first.
///
/// Armv9.0 is based on Armv8.5, so v9.x runs everything up to v8.(x+5), and every
/// 64-bit ARM is assumed to run 32-bit ARM up to v8.
fn runnable(machine: Platform) -> Vec<Platform> {
    let of = |architecture: &str, variant: Option<String>| Platform {
        os: machine.os.clone(),
        architecture: architecture.to_owned(),
        variant,
    };
    let variant = machine.variant.as_deref();
    let number = variant.and_then(|variant| variant.strip_prefix('v')?.parse::<u8>().ok());
    let older_arm = |newest: u8| (5..newest).rev().map(|n| of("arm", Some(format!("v{n}"))));
    let mut all = Vec::new();
    match machine.architecture.as_str() {
        "amd64" => {
            let older = (1..number.unwrap_or(1)).rev();
            all.extend(older.map(|n| of("amd64", Some(format!("v{n}")))));
            all.push(of("386", None));
        }
        "arm" => all.extend(older_arm(number.unwrap_or(0))),
        "arm64" => {
            let version = arm64_version(variant.unwrap_or("v8"));
            let minors = |major: u8, below: u8| {
                let minors = (0..below).rev();
                minors.map(move |minor| of("arm64", Some(format!("v{major}.{minor}"))))
            };
            match version {
                Some((8, minor)) => all.extend(minors(8, minor)),
                Some((9, minor)) => {
                    all.extend(minors(9, minor));
                    all.extend(minors(8, minor.saturating_add(6)));
                }
                _ => {}
            }
            if version.is_some() {
                all.push(of("arm", Some("v8".to_owned())));
                all.extend(older_arm(8));
            }
        }
        _ => {}
    }
    all.insert(0, machine);
    all
}

/// The two numbers of a variant of arm64: `v8.2`, or `v9` for `v9.0`.
fn arm64_version(variant: &str) -> Option<(u8, u8)> {
    let version = variant.strip_prefix('v')?;
    let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
    Some((major.parse().ok()?, minor.parse().ok()?))
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

/// A text that is not a [`Platform`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlatformError {
    /// A single word that is neither an operating system nor an architecture.
    #[error(
        "`{0}` is neither a known operating system nor a known architecture: expected OS/ARCH[/VARIANT], such as `linux/arm64`"
    )]
    Unknown(String),
    /// It has options of the operating system, as in `windows(10.0.17763)/amd64`.
    #[error(
        "`{0}` has a version or features of the operating system, which cannot select an image: expected OS/ARCH[/VARIANT], such as `windows/amd64`"
    )]
    OsOptions(String),
    /// It has no part, an empty one, one with invalid characters, or more than three.
    #[error(
        "`{0}` is not a platform: expected OS/ARCH[/VARIANT], OS or ARCH, such as `linux/arm64`"
    )]
    Syntax(String),
}

/// Parses what a user writes, as containerd does (`platforms.Parse`): an operating
/// system, an architecture, or both, and a variant. Missing parts are the host's.
///
/// Aliases and capitals are normalised: `Linux/x86_64` is `linux/amd64`, and
/// `linux/armhf` is `linux/arm/v7`. The default variant is kept if it is given
/// (`linux/arm64/v8`), and not added if it is not, so that `import` writes the same as
/// `docker import`.
impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let parts: Vec<&str> = text.split('/').collect();
        if parts[0].contains('(') && parts[0].ends_with(')') {
            return Err(PlatformError::OsOptions(text.to_owned()));
        }
        let is_word = |(at, part): (usize, &&str)| {
            let is_allowed = |byte: u8| match byte {
                b'_' | b'-' => true,
                b'.' => at > 0,
                byte => byte.is_ascii_alphanumeric(),
            };
            !part.is_empty() && part.bytes().all(is_allowed)
        };
        if !parts.iter().enumerate().all(is_word) {
            return Err(PlatformError::Syntax(text.to_owned()));
        }
        match parts[..] {
            [word] => {
                let mut platform = Self::host();
                let os = normalized_os(word);
                if KNOWN_OS.contains(&os.as_str()) {
                    platform.os = os;
                    return Ok(platform);
                }
                let os = platform.os;
                let platform = Self::from_words(&os, word, "");
                if KNOWN_ARCHITECTURES.contains(&platform.architecture.as_str()) {
                    Ok(platform)
                } else {
                    Err(PlatformError::Unknown(text.to_owned()))
                }
            }
            [os, architecture] => Ok(Self::from_words(os, architecture, "")),
            [os, architecture, variant] => Ok(Self::from_words(os, architecture, variant)),
            _ => Err(PlatformError::Syntax(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests;
