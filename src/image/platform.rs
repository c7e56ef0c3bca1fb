//! Platforms: operating system, architecture, variant.

use std::fmt;
use std::str::FromStr;

use serde_json::{Value, json};

/// What an image runs on, in the words of Go (`linux/arm64/v8`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Platform {
    /// As `GOOS`.
    pub os: String,
    /// As `GOARCH`.
    pub architecture: String,
    /// The version of the architecture, where it matters.
    pub variant: Option<String>,
}

impl Platform {
    /// The platform that this program was built for, its operating system taken
    /// as Linux where it has no images of its own.
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

    /// Reads the object that a descriptor has, or a config, which has the same
    /// fields. `None` if it does not say both of the fields that matter.
    #[must_use]
    pub fn from_json(value: &Value) -> Option<Self> {
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

    /// The object that a descriptor has.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut value = json!({"architecture": self.architecture, "os": self.os});
        if let Some(variant) = &self.variant {
            value["variant"] = variant.as_str().into();
        }
        value
    }

    /// Whether it is the placeholder that `BuildKit` gives to attestations.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.os == "unknown" && self.architecture == "unknown"
    }

    /// How well an image for `self` serves who asked for `wanted`: not at all,
    /// or the higher the better.
    ///
    /// Without a variant any will do, and the usual one of the architecture is
    /// preferred: `v8` for arm64, `v7` for arm.
    #[must_use]
    pub fn fitness(&self, wanted: &Self) -> Option<u8> {
        if self.os != wanted.os || self.architecture != wanted.architecture {
            return None;
        }
        let is_same = self.variant_or_usual() == wanted.variant_or_usual();
        match (&wanted.variant, is_same) {
            (_, true) => Some(2),
            (None, false) => Some(1),
            (Some(_), false) => None,
        }
    }

    fn variant_or_usual(&self) -> &str {
        match (&self.variant, self.architecture.as_str()) {
            (Some(variant), _) => variant,
            (None, "arm64") => "v8",
            (None, "arm") => "v7",
            (None, _) => "",
        }
    }
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
#[error(
    "`{0}` is not a platform: OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT was expected, such as `linux/arm64`"
)]
pub struct PlatformError(String);

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let mut parts = text.split('/');
        let mut next = || parts.next().filter(|part| !part.is_empty());
        let platform = match (next(), next(), next(), next()) {
            (Some(os), Some(architecture), variant, None) => Some(Self {
                os: os.to_owned(),
                architecture: architecture.to_owned(),
                variant: variant.map(str::to_owned),
            }),
            _ => None,
        };
        platform
            .filter(|platform| platform.to_string() == text)
            .ok_or_else(|| PlatformError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_platform_is_two_words_or_three() {
        for text in ["linux/amd64", "linux/arm/v7"] {
            let platform: Platform = text.parse().unwrap();
            assert_eq!(platform.to_string(), text);
            assert_eq!(Platform::from_json(&platform.to_json()), Some(platform));
        }
        for text in [
            "",
            "linux",
            "linux/",
            "/amd64",
            "linux/arm/",
            "linux/arm/v7/x",
        ] {
            assert!(text.parse::<Platform>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_usual_variant_is_preferred_and_a_named_one_is_needed() {
        let cases = [
            ("linux/amd64", "linux/amd64", Some(2)),
            ("linux/arm64/v8", "linux/arm64", Some(2)),
            ("linux/arm64", "linux/arm64/v8", Some(2)),
            ("linux/arm/v7", "linux/arm", Some(2)),
            ("linux/arm/v6", "linux/arm", Some(1)),
            ("linux/arm/v6", "linux/arm/v7", None),
            ("windows/amd64", "linux/amd64", None),
        ];
        for (image, wanted, fitness) in cases {
            let image: Platform = image.parse().unwrap();
            assert_eq!(
                image.fitness(&wanted.parse().unwrap()),
                fitness,
                "{image} {wanted}"
            );
        }
    }
}
