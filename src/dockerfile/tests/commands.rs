//! Instructions that hold a command.

use serde_json::json;

use super::{check, refused};

#[test]
fn commands_are_lists_or_for_the_shell() {
    check([
        ("CMD", json!({"Cmd": ["/bin/sh", "-c"]})),
        ("CMD []", json!({"Cmd": []})),
        (r#"CMD  [ "a" , "b\u00e9" ] "#, json!({"Cmd": ["a", "bé"]})),
        (r#"CMD ["a"] b"#, json!({"Cmd": ["a"]})),
        (r#"CMD ["a""#, json!({"Cmd": ["/bin/sh", "-c", "[\"a\""]})),
        ("CMD [a]", json!({"Cmd": ["/bin/sh", "-c", "[a]"]})),
        (
            "cMd  echo  $A \"q\" ",
            json!({"Cmd": ["/bin/sh", "-c", "echo  $A \"q\""]}),
        ),
        ("CMD -- -x", json!({"Cmd": ["/bin/sh", "-c", "-x"]})),
        ("ENTRYPOINT", json!({})),
        ("ENTRYPOINT []", json!({})),
        (
            "ENTRYPOINT a",
            json!({"Entrypoint": ["/bin/sh", "-c", "a"]}),
        ),
        (
            "CMD a\nENTRYPOINT [\"b\"]",
            json!({"Cmd": ["/bin/sh", "-c", "a"], "Entrypoint": ["b"]}),
        ),
        (
            "ENTRYPOINT [\"b\"]\nCMD [\"a\"]",
            json!({"Entrypoint": ["b"], "Cmd": ["a"]}),
        ),
        ("CMD []\nENTRYPOINT [\"b\"]", json!({"Entrypoint": ["b"]})),
    ]);
    let strings = "expected a JSON array of strings, got";
    refused(&[
        ("CMD [\"a\", 1]", &format!("{strings} `[\"a\", 1]`")),
        ("ENTRYPOINT [null]", &format!("{strings} `[null]`")),
        ("CMD --x y", "expected no option, got `--x`"),
    ]);
}

#[test]
fn triggers_are_kept_as_they_are() {
    check([
        (
            "onbuild  run  a  b \nONBUILD ENV A=$B",
            json!({"OnBuild": ["run  a  b ", "ENV A=$B"]}),
        ),
        ("ONBUILD RUN a \\\n  b", json!({"OnBuild": ["RUN a   b"]})),
        (
            "ONBUILD COPY --from=x a b",
            json!({"OnBuild": ["COPY --from=x a b"]}),
        ),
        (
            "ONBUILD CMD cat <<EOF",
            json!({"OnBuild": ["CMD cat <<EOF"]}),
        ),
        (
            "ONBUILD RUN echo '<<EOF' $((1 << 2)) a<<b",
            json!({"OnBuild": ["RUN echo '<<EOF' $((1 << 2)) a<<b"]}),
        ),
    ]);
    let trigger = "expected ADD, ARG, CMD, COPY, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, RUN, \
                   SHELL, STOPSIGNAL, USER, VOLUME or WORKDIR after ONBUILD, got";
    let strings = "expected a JSON array of strings, got";
    refused(&[
        ("ONBUILD", "expected `ONBUILD INSTRUCTION`"),
        ("ONBUILD FROM x", &format!("{trigger} `FROM x`")),
        (
            "ONBUILD onbuild RUN x",
            &format!("{trigger} `onbuild RUN x`"),
        ),
        ("ONBUILD MAINTAINER x", &format!("{trigger} `MAINTAINER x`")),
        ("ONBUILD RUM x", &format!("{trigger} `RUM x`")),
        ("ONBUILD --x RUN y", &format!("{trigger} `--x RUN y`")),
        ("ONBUILD ENV A", "expected `NAME=VALUE ...` or `NAME VALUE`"),
        ("ONBUILD RUN [1]", &format!("{strings} `[1]`")),
        ("ONBUILD HEALTHCHECK CMD [1]", &format!("{strings} `[1]`")),
        (
            "ONBUILD RUN cat <<-'EOF'",
            "expected no here-document, got `<<-'EOF'`",
        ),
    ]);
}

#[test]
fn checks_are_set() {
    check([
        (
            "HEALTHCHECK none",
            json!({"Healthcheck": {"Test": ["NONE"]}}),
        ),
        (
            "HEALTHCHECK --interval=5s NONE",
            json!({"Healthcheck": {"Test": ["NONE"]}}),
        ),
        (
            "HEALTHCHECK cmd a  $B",
            json!({"Healthcheck": {"Test": ["CMD-SHELL", "a  $B"]}}),
        ),
        (
            "HEALTHCHECK --interval=5s --timeout=\"1m30s\" --start-period=1.5h \
             --start-interval=1ms --retries=3 CMD [\"a\", \"b\"]",
            json!({"Healthcheck": {
                "Test": ["CMD", "a", "b"], "Interval": 5_000_000_000_u64,
                "Timeout": 90_000_000_000_u64, "StartPeriod": 5_400_000_000_000_u64,
                "StartInterval": 1_000_000, "Retries": 3,
            }}),
        ),
        (
            "HEALTHCHECK --retries=2 CMD a\nHEALTHCHECK --interval= CMD b",
            json!({"Healthcheck": {"Test": ["CMD-SHELL", "b"]}}),
        ),
    ]);
    let form = "expected `HEALTHCHECK [OPTION ...] CMD COMMAND` or `HEALTHCHECK NONE`";
    let options = "expected at most one of each of `--interval=`, `--timeout=`, `--start-period=`, \
                   `--start-interval=` and `--retries=`, with a value, got";
    let time = "expected a duration of at least 1ms, such as `30s`, `1m30s` or `1.5h`, got";
    let retries = "expected a number of retries from 1 to 2147483647, got";
    refused(&[
        ("HEALTHCHECK", form),
        ("HEALTHCHECK NONE x", form),
        ("HEALTHCHECK CMD", form),
        ("HEALTHCHECK CMD []", form),
        ("HEALTHCHECK curl x", form),
        (
            "HEALTHCHECK CMD [1]",
            "expected a JSON array of strings, got `[1]`",
        ),
        ("HEALTHCHECK --x=1 NONE", &format!("{options} `--x=1`")),
        (
            "HEALTHCHECK --interval 5s CMD x",
            &format!("{options} `--interval`"),
        ),
        (
            "HEALTHCHECK --retries=1 --retries=2 CMD x",
            &format!("{options} `--retries=2`"),
        ),
        (
            "HEALTHCHECK --interval=999us CMD x",
            &format!("{time} `--interval=999us`"),
        ),
        (
            "HEALTHCHECK --timeout=0 CMD x",
            &format!("{time} `--timeout=0`"),
        ),
        (
            "HEALTHCHECK --start-period=5 CMD x",
            &format!("{time} `--start-period=5`"),
        ),
        (
            "HEALTHCHECK --retries=0 CMD x",
            &format!("{retries} `--retries=0`"),
        ),
        (
            "HEALTHCHECK --retries=a CMD x",
            &format!("{retries} `--retries=a`"),
        ),
    ]);
}
