//! Image references, as Docker reads and shows them.

/// The full form: `app:1` is `docker.io/library/app:1`.
///
/// The first component is a registry if it looks like a host; the old name of
/// Docker Hub counts as the new one.
pub(crate) fn full(reference: &str) -> String {
    let is_host = |part: &str| part.contains(['.', ':']) || part == "localhost";
    let (host, path) = match reference.split_once('/') {
        Some((host, path)) if is_host(host) => (host, path),
        _ => ("docker.io", reference),
    };
    let host = if host == "index.docker.io" {
        "docker.io"
    } else {
        host
    };
    let library = if host == "docker.io" && !path.contains('/') {
        "library/"
    } else {
        ""
    };
    format!("{host}/{library}{path}")
}

/// The familiar form: `docker.io/library/app:1` is `app:1`.
pub(crate) fn familiar(reference: &str) -> String {
    let full = full(reference);
    let short = full.strip_prefix("docker.io/").unwrap_or(&full);
    short.strip_prefix("library/").unwrap_or(short).to_owned()
}

/// The repository and the tag, if there is a tag.
pub(crate) fn split(reference: &str) -> Option<(&str, &str)> {
    let (repository, tag) = reference.rsplit_once(':')?;
    (!tag.contains('/')).then_some((repository, tag))
}
