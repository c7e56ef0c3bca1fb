//! What cannot be changed, and what it says.

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::base;
use crate::support::Sandbox;
use crate::support::judge::Format;
use crate::support::squash::put;

/// Runs `config` on an image with this `config` object, which must fail.
#[track_caller]
fn fails(run: &Value, options: &[&str], expected: Expect) {
    let sandbox = Sandbox::new();
    let image = base().with_config(|config| config["config"] = run.clone());
    drop(put(&sandbox, "in", Format::Docker, &image));
    let arguments = [&["config"], options, &["in", "oci:out"]].concat();
    sandbox.run(&arguments).fails(expected);
}

#[test]
fn what_is_absent_cannot_be_removed() {
    let run = json!({"Env": ["A=1", "B=2"], "Cmd": ["c"], "User": "", "Labels": {}});
    fails(
        &run,
        &["--unset", "ENV.C"],
        expect![[r#"
        error: `app:1` has no `ENV.C` to remove
          hint: available: `ENV.A`, `ENV.B`
    "#]],
    );
    fails(
        &run,
        &["--unset", "CMD", "--unset", "user"],
        expect![[r#"
            error: `app:1` has no `USER` to remove
              hint: available: `CMD`, `ENV`
        "#]],
    );
    fails(
        &run,
        &["--unset", "LABEL.x"],
        expect![[r#"
        error: `app:1` has no `LABEL.x` to remove
          hint: available: `CMD`, `ENV`
    "#]],
    );
    fails(
        &json!(null),
        &["--unset", "LABEL.x"],
        expect![[r#"
        error: `app:1` has no `LABEL.x` to remove
          hint: nothing is set in its config
    "#]],
    );
}

#[test]
fn a_hostile_config_is_one_error() {
    for options in [&["--unset", "ENV.A"][..], &["-c", "USER x"]] {
        let text = if options[0] == "-c" {
            "USER x"
        } else {
            "--unset ENV.A"
        };
        for wrong in [json!(5), json!({"A": "1"}), json!([1]), json!("A=1")] {
            let sandbox = Sandbox::new();
            let image = base().with_config(|config| config["config"] = json!({"Env": wrong}));
            drop(put(&sandbox, "in", Format::Docker, &image));
            let arguments = [&["config"], options, &["in", "oci:out"]].concat();
            let message = format!(
                "error: cannot read the config of `app:1`\n  caused by: `{text}`: `config.Env` of \
                 the config is not a list of strings\n"
            );
            sandbox.run(&arguments).fails(&message);
        }
    }
    fails(
        &json!([]),
        &["--label", "a=b"],
        expect![[r#"
        error: cannot read the config of `app:1`
          caused by: `--label a=b`: `config` of the config is not an object
    "#]],
    );
    fails(
        &json!({"Labels": "x"}),
        &["--label", "a=b"],
        expect![[r#"
        error: cannot read the config of `app:1`
          caused by: `--label a=b`: `config.Labels` of the config is not an object
    "#]],
    );
    fails(
        &json!({"Healthcheck": 1}),
        &["-c", "HEALTHCHECK NONE"],
        expect![[r#"
            error: cannot read the config of `app:1`
              caused by: `HEALTHCHECK NONE`: `config.Healthcheck` of the config is not an object
        "#]],
    );
}

#[test]
fn a_config_beyond_the_limit_is_not_written() {
    let sandbox = Sandbox::new();
    let text = "x".repeat(20 << 20);
    let image =
        base().with_config(|config| config["config"] = json!({"Env": [format!("A={text}")]}));
    drop(put(&sandbox, "in", Format::Docker, &image));
    let run = sandbox.run(&["config", "-c", "LABEL a=$A", "in", "oci:out"]);
    let said = run.refuses();
    assert!(said.contains("limit"), "{said}");
}

#[test]
fn a_wrong_command_line_is_told() {
    let sandbox = Sandbox::new();
    drop(put(&sandbox, "in", Format::Docker, &base()));
    let cases: [(&[&str], Expect); 7] = [
        (
            &[],
            expect![[r#"
            error: missing option: one of `--change INSTRUCTION`, `--unset SETTING`, `--label KEY=VALUE`, `--annotation KEY=VALUE`, `--author NAME`, `--created TIME` or `--set-platform PLATFORM`
              hint: `--change 'ENV A=1'` sets a variable; without a change, `restow convert` copies; `restow inspect --raw config SRC` prints the config
              usage: restow config <--change <INSTRUCTION>|--unset <SETTING>|--label <KEY=VALUE>|--annotation <KEY=VALUE>|--author <NAME>|--created <TIME>|--set-platform <PLATFORM>> <SRC> <DST>
        "#]],
        ),
        (
            &["--unset", "RUN"],
            expect![[r#"
            error: invalid value `RUN` for `--unset`: expected CMD, ENTRYPOINT, ENV[.NAME], EXPOSE[.PORT], HEALTHCHECK, LABEL[.KEY], ONBUILD, SHELL, STOPSIGNAL, USER, VOLUME[.PATH] or WORKDIR
        "#]],
        ),
        (
            &["--unset", "CMD.x"],
            expect![[r#"
            error: invalid value `CMD.x` for `--unset`: expected a part of ENV, EXPOSE, LABEL or VOLUME, or an instruction without parts
        "#]],
        ),
        (
            &["--label", "x"],
            expect![[r#"
            error: invalid value `x` for `--label`: expected KEY=VALUE
        "#]],
        ),
        (
            &["--annotation", "=x"],
            expect![[r#"
            error: invalid value `=x` for `--annotation`: expected KEY=VALUE
        "#]],
        ),
        (
            &["-c", "RUN x"],
            expect![[r#"
            error: `RUN x`: unsupported instruction; expected CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, SHELL, STOPSIGNAL, USER, VOLUME or WORKDIR
        "#]],
        ),
        (
            &["-c", "SHELL /bin/sh -c"],
            expect![[r#"
            error: `SHELL /bin/sh -c`: expected `SHELL ["PROGRAM", "ARGUMENT", ...]`
        "#]],
        ),
    ];
    for (options, expected) in cases {
        let arguments = [&["config"], options, &["in", "out"]].concat();
        sandbox.run(&arguments).ends(2, expected);
    }
}
