//! The ports of EXPOSE.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use crate::dockerfile::ChangeFault;

const PORT: &str =
    "a port up to 65535 or a range such as `8000-8010`, optionally with `/tcp`, `/udp` or `/sctp`";

/// Parses a port or a range as its names in a config: `80/tcp`.
///
/// A prefix `IP:PORT:`, as in `docker run --publish`, is accepted and ignored, as in
/// Docker.
pub(super) fn parse(text: &str) -> Result<Vec<String>, ChangeFault> {
    let names = names(text);
    names.ok_or_else(|| ChangeFault::unexpected(PORT, text))
}

fn names(text: &str) -> Option<Vec<String>> {
    let (host, container) = text.rsplit_once(':').unwrap_or(("", text));
    let (ports, protocol) = container.split_once('/').unwrap_or((container, ""));
    // Docker drops everything after a second slash.
    let protocol = protocol.split('/').next().unwrap_or_default();
    let protocol = match protocol.to_ascii_lowercase().as_str() {
        "" | "tcp" => "tcp",
        "udp" => "udp",
        "sctp" => "sctp",
        _ => return None,
    };
    let ports = range(ports)?;
    let (address, published) = host.rsplit_once(':').unwrap_or(("", host));
    if !published.is_empty() {
        let published = range(published)?;
        // A single port may be published at one of several.
        if ports.len() != 1 && ports.len() != published.len() {
            return None;
        }
    }
    let unbracketed = address
        .strip_prefix('[')
        .and_then(|it| it.strip_suffix(']'));
    let is_address = match unbracketed {
        Some(inner) => inner.is_empty() || inner.parse::<IpAddr>().is_ok(),
        None => address.is_empty() || address.parse::<std::net::Ipv4Addr>().is_ok(),
    };
    is_address.then(|| ports.map(|port| format!("{port}/{protocol}")).collect())
}

/// Parses `80` or `80-90`.
fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let port = |text: &str| {
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse::<u16>().ok())?
    };
    let mut parts = text.split('-');
    let first = port(parts.next()?)?;
    // Docker drops everything after a second hyphen.
    let last = parts.next().map_or(Some(first), port)?;
    (first <= last).then_some(first..=last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_become_names() {
        let cases: [(&str, &[&str]); 16] = [
            ("80", &["80/tcp"]),
            ("080", &["80/tcp"]),
            ("0", &["0/tcp"]),
            ("65535/UDP", &["65535/udp"]),
            ("7/sctp", &["7/sctp"]),
            ("80/", &["80/tcp"]),
            ("80/udp/tcp", &["80/udp"]),
            ("80-82/udp", &["80/udp", "81/udp", "82/udp"]),
            ("80-80", &["80/tcp"]),
            ("1-2-3", &["1/tcp", "2/tcp"]),
            ("8080:80", &["80/tcp"]),
            ("1-2:3", &["3/tcp"]),
            ("1-2:3-4", &["3/tcp", "4/tcp"]),
            ("127.0.0.1:8080:80", &["80/tcp"]),
            ("127.0.0.1::80", &["80/tcp"]),
            ("[::1]:80:80", &["80/tcp"]),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_port_is_refused() {
        let wrong = [
            "",
            "x",
            "-1",
            "+1",
            "65536",
            "99999999999",
            "92-90",
            "80-",
            "-80",
            "80,81",
            "[80]",
            "80/foo",
            "80/udp-90",
            "/tcp",
            "80:",
            "x:80",
            "x:80:80",
            "1-2:3-5",
            "80:81:82:83",
        ];
        for text in wrong {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
