//! A Docker engine through its socket, for tests in which starting its client for each request
//! would be too slow.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use serde_json::Value;

use super::image::{strings, text};

/// The socket of an engine.
#[derive(Debug)]
pub(crate) struct Api(pub(crate) PathBuf);

/// The reaction of an engine to an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Truth {
    /// It refuses the archive, with this message.
    Refused(String),
    /// It loads the image, and can save it again.
    Loaded,
    /// It loads the image, but cannot save it: its layers did not unpack to what they declare.
    Unsaved(String),
    /// It accepts the archive, but has no image of it.
    Nothing,
}

impl Api {
    /// Makes the engine load an archive with an image of this tag or id, save it, and remove it.
    #[track_caller]
    pub(crate) fn try_image(&self, archive: &[u8], tag: &str, id: &str) -> Truth {
        let (status, said) = self.request("POST", "/images/load?quiet=1", archive);
        let said = String::from_utf8_lossy(&said).into_owned();
        let truth = if status != 200 || said.contains("\"error\"") {
            Truth::Refused(said.trim().to_owned())
        } else {
            // Odd documents may have removed the tag, or moved it to another image.
            let mut saved = self.request("GET", &format!("/images/{tag}/get"), b"");
            if saved.0 == 404 {
                saved = self.request("GET", &format!("/images/{id}/get"), b"");
            }
            let mut names = saved.1.windows(13);
            match saved.0 {
                404 => Truth::Nothing,
                200 if names.any(|it| it == b"manifest.json") => Truth::Loaded,
                _ => {
                    let end = saved.1.len().saturating_sub(300);
                    Truth::Unsaved(String::from_utf8_lossy(&saved.1[end..]).into_owned())
                }
            }
        };
        // Some are stored before they are refused.
        for name in [tag, id] {
            drop(self.request("DELETE", &format!("/images/{name}?force=1"), b""));
        }
        truth
    }

    /// The CONTENT SIZE of each image, which is that of all its manifests together.
    #[track_caller]
    pub(crate) fn content_sizes(&self) -> BTreeMap<String, u64> {
        let (_, list) = self.request("GET", "/images/json?manifests=1", b"");
        let list: Value = serde_json::from_slice(&list).expect("a list is JSON");
        let content = |manifest: &Value| manifest["Size"]["Content"].as_u64().expect("a size");
        let of_image = |image: &Value| {
            let manifests = image["Manifests"].as_array().into_iter().flatten();
            (text(&image["Id"]).to_owned(), manifests.map(content).sum())
        };
        list.as_array()
            .expect("a list")
            .iter()
            .map(of_image)
            .collect()
    }

    /// The images without a name.
    #[track_caller]
    pub(crate) fn nameless(&self) -> BTreeSet<String> {
        let (_, list) = self.request("GET", "/images/json?all=1", b"");
        let list: Value = serde_json::from_slice(&list).expect("a list is JSON");
        let images = list.as_array().expect("a list").iter();
        let is_name = |it: &String| it != "<none>:<none>";
        let nameless = images.filter(|it| !strings(&it["RepoTags"]).iter().any(is_name));
        nameless.map(|it| text(&it["Id"]).to_owned()).collect()
    }

    /// Makes the engine remove an image, unless something needs it.
    #[track_caller]
    pub(crate) fn remove(&self, id: &str) {
        drop(self.request("DELETE", &format!("/images/{id}"), b""));
    }

    /// The status and the body of a response; no status if the engine closes the connection.
    #[track_caller]
    fn request(&self, method: &str, target: &str, body: &[u8]) -> (u16, Vec<u8>) {
        // Each is the first version that supports the request.
        let version = if target.contains("manifests=1") {
            "v1.48"
        } else {
            "v1.41"
        };
        let mut stream = UnixStream::connect(&self.0).expect("the engine answers");
        // In HTTP 1.0, a response ends with the connection.
        let head = format!(
            "{method} /{version}{target} HTTP/1.0\r\nHost: docker\r\nContent-Type: application/x-tar\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        // An engine that has seen enough stops reading.
        let _ = stream
            .write_all(head.as_bytes())
            .and_then(|()| stream.write_all(body));
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let end = answer.windows(4).position(|it| it == b"\r\n\r\n");
        let Some(end) = end else {
            return (0, b"the engine hangs up".to_vec());
        };
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        let status = head.split(' ').nth(1).and_then(|it| it.parse().ok());
        (
            status.expect("an answer has a status"),
            answer.split_off(end + 4),
        )
    }
}
