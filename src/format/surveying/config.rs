//! What readers mind in a config.

use serde_json::Value;

use crate::finding::Code;
use crate::image::{Config, Timestamp, is_lax_time};

/// As many layers the graph drivers of Docker can stack: 128 that overlay2 takes, less
/// what a container needs (measured: 125 load, 126 do not).
const LAYERS_MAX: usize = 125;

/// What is wrong with a config, of which `layers` is the number of layers that the
/// image has.
pub(super) fn check(value: &Value, config: &Config, layers: usize) -> Vec<(Code, String)> {
    let mut faults = Vec::new();
    let diff_ids = config.diff_ids.len();
    if layers != diff_ids {
        let message = format!("it has {layers} layers, and its config has {diff_ids} diff_ids");
        faults.push((Code::LayerCount, message));
    }
    if layers > LAYERS_MAX {
        let message = format!("it has {layers} layers, and {LAYERS_MAX} are the most");
        faults.push((Code::TooManyLayers, message));
    }
    let kind = &value["rootfs"]["type"];
    if kind != "layers" {
        faults.push((Code::RootfsType, format!("`rootfs.type` is {kind}")));
    }
    match &config.platform {
        None => faults.push((
            Code::PlatformMissing,
            Code::PlatformMissing.meaning().to_owned(),
        )),
        Some(platform) if !matches!(platform.os.as_str(), "linux" | "windows") => {
            faults.push((Code::OsUnusual, format!("it is for `{}`", platform.os)));
        }
        Some(_) => {}
    }
    check_time(&value["created"], "created", &mut faults);
    check_history(&value["history"], diff_ids, &mut faults);
    faults
}

fn check_history(history: &Value, diff_ids: usize, faults: &mut Vec<(Code, String)>) {
    let entries = match history {
        Value::Null => return,
        Value::Array(entries) => entries,
        _ => {
            faults.push((Code::ConfigInvalid, "`history` is not a list".to_owned()));
            return;
        }
    };
    for (at, entry) in entries.iter().enumerate() {
        if entry.is_object() {
            check_time(&entry["created"], &format!("history[{at}].created"), faults);
        } else if !entry.is_null() {
            let message = format!("`history[{at}]` is not an object");
            faults.push((Code::ConfigInvalid, message));
        }
    }
    let told = entries.iter().filter(|entry| entry["empty_layer"] != true);
    let told = told.count();
    let message = format!("its history tells of {told} layers, and it has {diff_ids}");
    if told > diff_ids {
        faults.push((Code::HistoryCount, message));
    } else if told < diff_ids && told > 0 {
        faults.push((Code::HistoryShort, message));
    }
}

fn check_time(value: &Value, field: &str, faults: &mut Vec<(Code, String)>) {
    let code = match value {
        Value::Null => return,
        Value::String(text) if text.parse::<Timestamp>().is_ok() => return,
        Value::String(text) if is_lax_time(text) => Code::CreatedUnusual,
        _ => Code::CreatedInvalid,
    };
    faults.push((code, format!("`{field}` is {value}")));
}
