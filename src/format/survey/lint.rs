//! Faults that matter to readers in a document that can be opened.

use serde_json::Value;

use crate::finding::Code;
use crate::format::oci_layout::graph::is_of_descriptors;
use crate::format::reader::{Refusal, Schema};
use crate::image::types::{self, Type, WrongField};
use crate::image::{Config, Platform, WHOLE, json_text};

/// Maximum number of layers that Docker's graph drivers can stack: the 128 that
/// overlay2 supports, minus those that a container needs (measured: 125 load, 126 do
/// not).
pub(crate) const LAYERS_MAX: usize = 125;

/// The fields of a document that do not have the types into which Go readers decode
/// them, each with its code and message. `bytes` are the document, and `value` its
/// JSON.
pub(super) fn wrong_types<'a>(
    schema: Schema,
    bytes: &[u8],
    value: &'a Value,
) -> Vec<(Code, WrongField<'a>)> {
    let text = || json_text(bytes).unwrap_or_default();
    let wrong = match schema {
        Schema::Config => {
            let mut wrong = types::CONFIG.wrong_fields(value, "");
            wrong.extend(types::CONFIG.wrong_replaced(&text(), ""));
            wrong
        }
        Schema::Graph => {
            let mut wrong = types::MANIFEST_OR_INDEX.wrong_fields(value, "");
            // In this case nothing of it can be read.
            wrong.retain(|field| !["", "manifests", "layers"].contains(&field.path.as_str()));
            wrong
        }
        Schema::DockerManifest => {
            let mut wrong = types::MANIFEST_ITEMS.wrong_replaced(&text(), "");
            for (at, element) in value.as_array().into_iter().flatten().enumerate() {
                wrong.extend(types::MANIFEST_ITEM.wrong_fields(element, &format!("[{at}]")));
            }
            wrong
        }
    };
    let coded = wrong
        .into_iter()
        .map(|field| (code_of(schema, &field), field));
    coded.collect()
}

fn code_of(schema: Schema, field: &WrongField<'_>) -> Code {
    match (schema, field.expected, field.value.as_ref()) {
        (Schema::DockerManifest, ..) => Code::ManifestInvalid,
        (Schema::Graph, ..) if is_of_descriptors(&field.path) => Code::DescriptorInvalid,
        (Schema::Graph, ..) => Code::DocumentInvalid,
        (Schema::Config, Type::Time, _) if field.is_lax_time() => Code::CreatedUnusual,
        (Schema::Config, Type::Time, _) => Code::CreatedInvalid,
        (Schema::Config, Type::Command, Value::String(_)) => Code::CommandText,
        (Schema::Config, ..) => Code::ConfigInvalid,
    }
}

/// The message about a field of the wrong type.
pub(super) fn told(code: Code, field: &WrongField<'_>) -> String {
    match code {
        Code::CreatedUnusual | Code::CreatedInvalid => {
            format!("`{}` is {}", field.path, field.value)
        }
        Code::CommandText => format!("`{}` is a string", field.path),
        _ => field.to_string(),
    }
}

/// Returns true if a fault is that of a field whose wrong type was already reported.
pub(super) fn is_told(refusal: &Refusal, wrong: &[(Code, WrongField<'_>)]) -> bool {
    let field = match refusal.field() {
        Some(WHOLE) => "",
        Some(field) => field,
        None => return false,
    };
    wrong.iter().any(|(_, wrong)| wrong.is_in(field))
}

/// The unusual feature of a manifest or an index, if any.
pub(super) fn check_graph(document: &Value) -> Option<(Code, String)> {
    let version = &document["schemaVersion"];
    let is_number = version.is_null() || version.as_i64().is_some();
    let message = format!("`schemaVersion` is {version}");
    (document.is_object() && is_number && *version != 2).then_some((Code::SchemaVersion, message))
}

/// The faults and unusual features of a readable config.
pub(super) fn check_config(config: &Value) -> Vec<(Code, String)> {
    let mut faults = Vec::new();
    let rootfs = &config["rootfs"];
    let diff_ids = rootfs["diff_ids"].as_array().map_or(&[][..], Vec::as_slice);
    // The specification permits others, but no engine computes them.
    let is_other = |it: &Value| it.as_str().is_some_and(|it| !it.starts_with("sha256:"));
    if let Some(at) = diff_ids.iter().position(is_other) {
        let message = format!("`rootfs.diff_ids[{at}]` is not a sha256 digest");
        faults.push((Code::ConfigInvalid, message));
    }
    let kind = &rootfs["type"];
    if kind != "layers" && (kind.is_null() || kind.is_string()) {
        faults.push((Code::RootfsType, format!("`rootfs.type` is {kind}")));
    }
    if Platform::from_json(config).is_none() {
        let message = Code::PlatformMissing.meaning().to_owned();
        faults.push((Code::PlatformMissing, message));
    }
    check_history(&config["history"], diff_ids.len(), &mut faults);
    faults
}

/// Finds images that an engine cannot run: an error if `docker load` should accept
/// them, and a warning if another tool may.
pub(super) fn check_limits(
    config: &Config,
    layers: usize,
    is_for_docker: bool,
) -> Vec<(Code, String)> {
    let mut faults = Vec::new();
    if layers > LAYERS_MAX {
        let message = format!("it has {layers} layers; the maximum is {LAYERS_MAX}");
        let code = if is_for_docker {
            Code::LayersRefused
        } else {
            Code::TooManyLayers
        };
        faults.push((code, message));
    }
    if let Some(platform) = &config.platform {
        let message = format!("it is for `{}`", platform.os);
        match platform.os.as_str() {
            "linux" => {}
            // All engines except Docker 20.10 accept it in another case.
            os if is_for_docker && !os.eq_ignore_ascii_case("linux") => {
                faults.push((Code::OsRefused, message));
            }
            // Windows has images of its own, and a layout may be one of them.
            "windows" => {}
            _ => faults.push((Code::OsUnusual, message)),
        }
    }
    faults
}

fn check_history(history: &Value, diff_ids: usize, faults: &mut Vec<(Code, String)>) {
    let Value::Array(entries) = history else {
        return;
    };
    let told = entries.iter().filter(|entry| entry["empty_layer"] != true);
    let told = told.count();
    let message = format!("its history lists {told} layers, but it has {diff_ids}");
    if told > diff_ids {
        faults.push((Code::HistoryCount, message));
    } else if told < diff_ids && told > 0 {
        faults.push((Code::HistoryShort, message));
    }
}
