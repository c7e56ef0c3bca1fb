//! Image references, as Docker parses and prints them.

/// The full form: `app:1` is `docker.io/library/app:1`.
///
/// The first component is a registry if it looks like a host, or contains a capital, which a path
/// must not; the old name of Docker Hub counts as the new one.
pub(crate) fn full(reference: &str) -> String {
    let is_capital = |c: char| c.is_ascii_uppercase();
    let is_host =
        |part: &str| part.contains(['.', ':']) || part.contains(is_capital) || part == "localhost";
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

/// Returns true if a full form is a valid name of an image with a tag, by the grammar of
/// `distribution/reference`.
pub(crate) fn is_tagged(full: &str) -> bool {
    let is_word = |text: &str, more: &str| {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || more.contains(c);
        !text.is_empty() && text.chars().all(fits)
    };
    // Words are separated by one separator: `.`, `_`, `__`, or any number of `-`.
    let is_component = |text: &str| {
        let text = text.replace("__", "_");
        let words = text.split(['.', '_']);
        words.clone().all(|word| is_word(word, "-"))
            && words
                .clone()
                .all(|word| !word.starts_with('-') && !word.ends_with('-'))
    };
    let is_host = |text: &str| {
        let (name, port) = text.split_once(':').unwrap_or((text, "0"));
        let labels = name.to_ascii_lowercase();
        let is_label =
            |label: &str| is_word(label, "-") && !label.starts_with('-') && !label.ends_with('-');
        labels.split('.').all(is_label)
            && !port.is_empty()
            && port.bytes().all(|it| it.is_ascii_digit())
    };
    let is_tag = |tag: &str| {
        let tag = tag.to_ascii_lowercase();
        is_word(&tag, "_.-") && !tag.starts_with(['.', '-']) && tag.len() <= 128
    };
    let Some((host, rest)) = full.split_once('/') else {
        return false;
    };
    split(rest).is_some_and(|(path, tag)| {
        is_host(host) && path.split('/').all(is_component) && is_tag(tag)
    })
}

/// The repository and the tag, if there is a tag.
pub(crate) fn split(reference: &str) -> Option<(&str, &str)> {
    let (repository, tag) = reference.rsplit_once(':')?;
    (!tag.contains('/')).then_some((repository, tag))
}
