//! What readers mind in a config.

use serde_json::Value;

use crate::digest::{Algorithm, DiffId};
use crate::finding::Code;
use crate::image::Config;
use crate::image::types::{self, Type, WrongField};

/// As many layers the graph drivers of Docker can stack: 128 that overlay2 takes, less
/// what a container needs (measured: 125 load, 126 do not).
const LAYERS_MAX: usize = 125;

/// The fields of a config, which this is the text of, that have another type than Go
/// readers decode them into.
pub(in crate::format) fn wrong_types(value: &Value, text: &str) -> Vec<(Code, String)> {
    let mut wrong = types::CONFIG.wrong_fields(value, "");
    wrong.extend(types::CONFIG.wrong_replaced(text, ""));
    let fault = |field: WrongField<'_>| match (field.expected, field.value.as_ref()) {
        (Type::Time, value) => {
            let code = if field.is_lax_time() {
                Code::CreatedUnusual
            } else {
                Code::CreatedInvalid
            };
            (code, format!("`{}` is {value}", field.path))
        }
        (Type::Command, Value::String(_)) => {
            let message = format!("`{}` is a string", field.path);
            (Code::CommandText, message)
        }
        _ => (Code::ConfigInvalid, field.to_string()),
    };
    wrong.into_iter().map(fault).collect()
}

/// All other faults of the config of an image with this many layers.
pub(super) fn check(value: &Value, config: &Config, layers: usize) -> Vec<(Code, String)> {
    let mut faults = Vec::new();
    let diff_ids = config.diff_ids.len();
    if layers != diff_ids {
        let message = format!("it has {layers} layers, and its config has {diff_ids} diff_ids");
        faults.push((Code::LayerCount, message));
    }
    // The specification allows others, and no engine computes them.
    let is_other = |DiffId(digest): &DiffId| digest.algorithm() != Algorithm::Sha256;
    if let Some(at) = config.diff_ids.iter().position(is_other) {
        let message = format!("`rootfs.diff_ids[{at}]` is not a sha256 digest");
        faults.push((Code::ConfigInvalid, message));
    }
    let kind = &value["rootfs"]["type"];
    if kind != "layers" && (kind.is_null() || kind.is_string()) {
        faults.push((Code::RootfsType, format!("`rootfs.type` is {kind}")));
    }
    if config.platform.is_none() {
        let message = Code::PlatformMissing.meaning().to_owned();
        faults.push((Code::PlatformMissing, message));
    }
    check_history(&value["history"], diff_ids, &mut faults);
    faults
}

/// Finds images that an engine cannot run: an error where `docker load` is to take them,
/// and a warning where somebody else may.
pub(super) fn check_limits(
    config: &Config,
    layers: usize,
    is_for_docker: bool,
) -> Vec<(Code, String)> {
    let mut faults = Vec::new();
    if layers > LAYERS_MAX {
        let message = format!("it has {layers} layers, and {LAYERS_MAX} are the most");
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
            // In another case it is taken by all but Docker 20.10.
            os if is_for_docker && !os.eq_ignore_ascii_case("linux") => {
                faults.push((Code::OsRefused, message));
            }
            // Windows has images of its own, for which a layout may be meant.
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
    let message = format!("its history tells of {told} layers, and it has {diff_ids}");
    if told > diff_ids {
        faults.push((Code::HistoryCount, message));
    } else if told < diff_ids && told > 0 {
        faults.push((Code::HistoryShort, message));
    }
}
