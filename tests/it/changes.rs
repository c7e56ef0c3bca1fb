//! What `restow::Changes` makes of a config is what the Docker engine makes of it.

use std::process::{Command, Output, Stdio};

use restow::Changes;
use serde_json::{Map, Value, json};

use crate::support::make;
use crate::support::sandbox::Sandbox;
use crate::support::tools::{exclusive, has_engine, skip, tool};

/// The fields of a config that instructions are about.
const FIELDS: [&str; 10] = [
    "Cmd",
    "Entrypoint",
    "Env",
    "ExposedPorts",
    "Healthcheck",
    "Labels",
    "OnBuild",
    "User",
    "Volumes",
    "WorkingDir",
];

/// Lists of `--change` values that both take.
const TAKEN: [&[&str]; 78] = [
    &["CMD"],
    &["CMD []"],
    &["CMD echo  $A \"q\" "],
    &["cmd  [ \"a\" , \"b\\u00e9\" ]"],
    &["CMD [\"a\"] b"],
    &["CMD [\"a\""],
    &["CMD [a]"],
    &["CMD -- -x"],
    &["CMD [\"--x\"]"],
    &["ENTRYPOINT"],
    &["ENTRYPOINT []"],
    &["Entrypoint a b"],
    &["CMD a", "ENTRYPOINT [\"b\"]"],
    &["ENTRYPOINT [\"b\"]", "CMD [\"a\"]"],
    &["CMD", "ENTRYPOINT b"],
    &["CMD []", "ENTRYPOINT b"],
    &["ENV A=1 B=\"2 3\" C='4 $A' D=5\\ 6 E= F=1=2 \"G H\"=i"],
    &["ENV A 1  2 "],
    &["ENV A \"x  y\"  z"],
    &["ENV A\tb"],
    &["ENV A 'x $B' $B"],
    &["ENV A=1", "ENV A=2 B=$A C=${A}x", "ENV A=3"],
    &["ENV A=1 B=$A"],
    &[
        "ENV A=a",
        "ENV B=\"$A\" C='$A' D=\\$A E=\"\\$A\" F=\"\\n\\\\\\\"\" G=\\n",
    ],
    &["ENV A=$ B=$$ C=$1x D=$@x E=$é F=$-x G=$$A H=$_x$_"],
    &[
        "ENV A=1",
        "ENV B=${A:-x} C=${A:+y} D=${N:-x} E=${N:+y} F=${A:?z} G=${A?z}",
    ],
    &["ENV A=", "ENV B=${A:-x} C=${A:+y}z"],
    &[
        "ENV A=1",
        "ENV B=${N:-${A}b} C=${N:-'q} r'} D=\"${N:-x y}\" E=${N:-a\\}b}",
    ],
    &["ENV A=\"x y\"", "ENV B=$A C=\"$A\""],
    &["ENV A=b\"c d\"e'f g'h I=\"'\" J='\"'"],
    &["ENV A=a\\\\b\\"],
    &["ENV A a\\"],
    &["ENV A=1\u{a0}B=2"],
    &["ENV X=Y", "ENV $X=1 ${X}Z=2"],
    &["ENV A=b#c #d=e"],
    &["ENV PATH=/a:$PATH"],
    &["EXPOSE 80 81/udp 90-92 7/SCTP 080 0"],
    &["EXPOSE 80/ 81/tcp/udp 1-2-3 80-81/udp"],
    &["EXPOSE 8080:80 127.0.0.1:8080:81 127.0.0.1::82 [::1]:83:83 1-2:3"],
    &["ENV P=\"80 81\"", "EXPOSE $P ${Q:-99} '82' \"\""],
    &["EXPOSE 80", "EXPOSE 80/tcp 81"],
    &["EXPOSE $N"],
    &["EXPOSE 80\\ 81"],
    &["LABEL a=b c=\"d e\" \"f g\"='h' i= a.b/c-d=e"],
    &["LABEL a b  c"],
    &["LABEL \"a\" \"b  c\""],
    &["ENV X=1", "LABEL a=$X b='$X' $X=2"],
    &["LABEL a=1", "LABEL a=2"],
    &["LABEL a=\"b\\", "c\""],
    &["USER a"],
    &["USER a b"],
    &["USER a", "USER \"\""],
    &["ENV X=me", "USER $X:'1 2'"],
    &["VOLUME /a b /a/../c"],
    &["VOLUME [\" /a \",\"/b c\"]"],
    &["VOLUME [\"/a\""],
    &[
        "ENV X=\"/d e\"",
        "VOLUME $X ${X}/e [\"$X\"]",
        "VOLUME [\"$X/f\", \"'/g'\"]",
    ],
    &["WORKDIR a"],
    &["WORKDIR /a", "WORKDIR b", "WORKDIR ../c"],
    &["WORKDIR /a/../b//c/"],
    &["WORKDIR /a/../b//c/", "WORKDIR ./d/../.."],
    &["WORKDIR ../.."],
    &["ENV X=d", "WORKDIR \"$X e\"/f g"],
    &["ONBUILD RUN a", "onbuild  run  a  b "],
    &[
        "ONBUILD ENV A=$B",
        "ONBUILD COPY --from=x a b",
        "ONBUILD SHELL [\"a\"]",
    ],
    &["ONBUILD RUN a \\\n  b"],
    &["HEALTHCHECK none"],
    &["HEALTHCHECK --interval=5s NONE"],
    &["HEALTHCHECK cmd [\"a\",\"b\"]"],
    &["HEALTHCHECK --interval=+1ms --timeout=\"1m30s\" --start-period=1.5h --retries=+3 CMD a  $B"],
    &["HEALTHCHECK --interval=5.s --timeout=.5s --start-period=1.0000000019s -- CMD a"],
    &["HEALTHCHECK --interval=2562047h47m16.854775807s --timeout= CMD --x y"],
    &["HEALTHCHECK --retries=2 CMD a", "HEALTHCHECK CMD b"],
    &[
        "# escape=`",
        "ENV A=`$x B=\"`\"\" C=a\\b",
        "CMD a `",
        "b \\",
    ],
    &[
        "# x",
        "",
        "CMD a \\",
        "# y",
        "",
        "  b # z",
        "\u{3000}USER u\r",
        "",
    ],
    &["CMD a\\\\", "USER u\\", "v \\  ", "w"],
    &["CMD \\", "[\"a\", \\", "\"b\"]"],
    &["\u{feff}# escape=\\", "C\\", "MD a"],
];

/// Lists of `--change` values that neither takes.
const REFUSED: [&[&str]; 61] = [
    &[""],
    &["# CMD a", " "],
    &["RUN a"],
    &["FROM a"],
    &["ARG a"],
    &["MAINTAINER a"],
    &["COPY a b"],
    &["ADD a b"],
    &["foo"],
    &["CMD\u{a0}a"],
    &["CMD cat <<EOF", "a", "EOF"],
    &["# escape=x", "CMD a"],
    &["# escape=`", "# escape=`", "CMD a"],
    &["# x=y", "# escape=`", "CMD a `", "b"],
    &["CMD [\"a\", 1]"],
    &["CMD --x"],
    &["ENTRYPOINT [null]"],
    &["ENV"],
    &["ENV A"],
    &["ENV =1"],
    &["ENV A=1 B"],
    &["ENV --x=1 A=1"],
    &["ENV A\u{a0}b"],
    &["ENV A=\"b"],
    &["ENV A='a\\'b'"],
    &["ENV A=${}"],
    &["ENV A=${"],
    &["ENV A=${:x}"],
    &["ENV A=${x"],
    &["ENV A=${x:=y}"],
    &["ENV A=${x:?y}"],
    &["ENV A=", "ENV B=${A:?}"],
    &["EXPOSE"],
    &["EXPOSE x"],
    &["EXPOSE 65536"],
    &["EXPOSE 92-90"],
    &["EXPOSE 80/foo"],
    &["EXPOSE +1"],
    &["EXPOSE x:80"],
    &["ENV P=\"80 81\"", "EXPOSE \"$P\""],
    &["LABEL"],
    &["LABEL a"],
    &["LABEL a=b c"],
    &["USER"],
    &["USER --x"],
    &["VOLUME []"],
    &["VOLUME [\" \"]"],
    &["VOLUME [1]"],
    &["VOLUME $N"],
    &["WORKDIR"],
    &["WORKDIR $N"],
    &["ONBUILD"],
    &["ONBUILD ONBUILD RUN a"],
    &["ONBUILD from a"],
    &["ONBUILD MAINTAINER a"],
    &["ONBUILD ENV A"],
    &["HEALTHCHECK NONE a"],
    &["HEALTHCHECK CMD []"],
    &["HEALTHCHECK --interval 5s CMD a"],
    &["HEALTHCHECK --interval=999us CMD a"],
    &["HEALTHCHECK --retries=0 CMD a"],
];

/// Fragments onto a config that has something in each field.
const ONTO: [&str; 18] = [
    "CMD [\"n\"]",
    "CMD n",
    "CMD []",
    "CMD",
    "ENTRYPOINT [\"n\"]",
    "ENTRYPOINT n",
    "ENTRYPOINT [\"n\"]\nCMD m",
    "CMD []\nENTRYPOINT [\"n\"]",
    "ENV A=9 C=$A$B\nENV B=",
    "HEALTHCHECK CMD new",
    "HEALTHCHECK NONE",
    "HEALTHCHECK --timeout=1s --retries=9 CMD new\nHEALTHCHECK --timeout=2s CMD newer",
    "WORKDIR y",
    "WORKDIR ../y/",
    "WORKDIR /y/",
    "EXPOSE 81 80\nVOLUME /n /v",
    "LABEL l=2 $A=$B",
    "USER n",
];

/// Images and containers in the engine's store, removed at the end whatever happens.
#[derive(Default)]
struct Made {
    images: Vec<String>,
    containers: Vec<String>,
}

impl Made {
    /// A tag that no other run of the tests uses.
    fn tag(&mut self) -> String {
        let number = self.images.len();
        let tag = format!("restow-test-changes-{}:{number}", std::process::id());
        self.images.push(tag.clone());
        tag
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for (command, names) in [("container", &self.containers), ("image", &self.images)] {
            // What was not made cannot be removed.
            drop(docker(&[command, "rm", "--force"], names));
        }
    }
}

fn docker(arguments: &[&str], names: &[String]) -> Output {
    let mut command = Command::new("docker");
    command.args(arguments).args(names).stdin(Stdio::null());
    command.output().expect("docker can be started")
}

/// A file that holds a rootfs for the engine to import.
fn rootfs() -> (Sandbox, String) {
    let sandbox = Sandbox::new();
    sandbox.write("rootfs.tar", make::tar(&[]));
    let path = sandbox.path("rootfs.tar");
    let path = path.to_str().expect("the path is text").to_owned();
    (sandbox, path)
}

/// Has the engine import a rootfs.
fn import(rootfs: &str, values: &[&str], tag: &str) -> Output {
    let changes = values.iter().flat_map(|value| ["--change", value]);
    let arguments: Vec<&str> = ["import"].into_iter().chain(changes).collect();
    docker(&arguments, &[rootfs.to_owned(), tag.to_owned()])
}

/// The config of an image or a container as the engine gives it. With `--format` the
/// client would drop what is empty.
#[track_caller]
fn shown(name: &str) -> Value {
    let shown = tool("docker", &["inspect", name]);
    let mut shown: Value = serde_json::from_slice(&shown).expect("docker prints JSON");
    shown[0]["Config"].take()
}

/// The fields that matter. What says nothing is absent in one place and empty in another.
fn fields(config: &Value) -> Map<String, Value> {
    let says = |value: &&Value| match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Object(members) => !members.is_empty(),
        _ => true,
    };
    let fields = FIELDS.iter().filter_map(|field| {
        let value = config.get(*field).filter(says)?;
        Some(((*field).to_owned(), value.clone()))
    });
    fields.collect()
}

/// What changes make of a config.
#[track_caller]
fn changed(mut config: Value, values: &[&str]) -> Value {
    let changes = Changes::parse(values).unwrap_or_else(|error| panic!("{values:?}: {error}"));
    let result = changes.apply(&mut config);
    result.unwrap_or_else(|error| panic!("{values:?}: {error}"));
    config
}

#[test]
fn an_import_is_changed_as_docker_changes_it() {
    if !has_engine() {
        let test = "an_import_is_changed_as_docker_changes_it";
        return skip(test, "no Docker engine responds");
    }
    let _store = exclusive();
    let (_sandbox, rootfs) = rootfs();
    let mut made = Made::default();
    for values in TAKEN {
        let tag = made.tag();
        let output = import(&rootfs, values, &tag);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{values:?}: {stderr}");
        let ours = changed(json!({}), values);
        assert_eq!(fields(&ours), fields(&shown(&tag)), "{values:?}");
    }
}

#[test]
fn what_docker_refuses_to_change_is_refused() {
    if !has_engine() {
        let test = "what_docker_refuses_to_change_is_refused";
        return skip(test, "no Docker engine responds");
    }
    let _store = exclusive();
    let (_sandbox, rootfs) = rootfs();
    let mut made = Made::default();
    for values in REFUSED {
        let output = import(&rootfs, values, &made.tag());
        assert!(!output.status.success(), "docker takes {values:?}");
        let ours = Changes::parse(values).and_then(|changes| changes.apply(&mut json!({})));
        assert!(ours.is_err(), "{values:?}");
    }
}

#[test]
fn a_config_is_changed_as_docker_commit_changes_it() {
    if !has_engine() {
        let test = "a_config_is_changed_as_docker_commit_changes_it";
        return skip(test, "no Docker engine responds");
    }
    let _store = exclusive();
    let (_sandbox, rootfs) = rootfs();
    let mut made = Made::default();
    let tag = made.tag();
    let base = [
        "CMD [\"c\"]",
        "ENTRYPOINT [\"e\"]",
        "ENV A=1 B=2",
        "EXPOSE 80",
        "HEALTHCHECK --interval=7s --retries=4 CMD old",
        "LABEL l=1 k=v",
        "USER u",
        "VOLUME /v",
        "WORKDIR /w/x",
    ];
    let output = import(&rootfs, &base, &tag);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let container = String::from_utf8(tool("docker", &["create", &tag])).expect("an id is text");
    let container = container.trim().to_owned();
    made.containers.push(container.clone());
    let base = shown(&container);
    for fragment in ONTO {
        let tag = made.tag();
        drop(tool(
            "docker",
            &["commit", "--change", fragment, &container, &tag],
        ));
        let ours = changed(base.clone(), &[fragment]);
        assert_eq!(fields(&ours), fields(&shown(&tag)), "{fragment}");
    }
}

/// `docker build` takes it, and later engines take it as a change. Its documentation:
/// "a signal name in the format `SIG<NAME>`, for instance `SIGKILL`, or an unsigned
/// number that matches a position in the kernel's syscall table, for instance `9`".
#[test]
fn a_stop_signal_is_what_the_documentation_says() {
    for signal in ["SIGKILL", "9", "SIGTERM", "SIGRTMIN+3"] {
        let config = changed(json!({}), &[&format!("STOPSIGNAL {signal}")]);
        assert_eq!(config, json!({"StopSignal": signal}));
    }
    assert!(Changes::parse(&["STOPSIGNAL SIGNOTHING"]).is_err());
}
