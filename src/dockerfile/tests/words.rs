//! Instructions whose words are expanded.

use serde_json::json;

use super::{changed, check, refused};

#[test]
fn variables_are_set_in_place_and_expanded() {
    check([
        ("ENV A 1  2 ", json!({"Env": ["A=1  2"]})),
        ("ENV A \"x  y\"  z", json!({"Env": ["A=x  y  z"]})),
        (
            "env A=1 B=\"2 3\" C='4 $A' D=5\\ 6 E= F=1=2 \"G H\"=i",
            json!({"Env": ["A=1", "B=2 3", "C=4 $A", "D=5 6", "E=", "F=1=2", "G H=i"]}),
        ),
        (
            "ENV A=1 a=2\nENV A=3 B=$A C=${A}x$a\nENV A=4",
            json!({"Env": ["A=4", "a=2", "B=1", "C=1x2"]}),
        ),
        (
            r#"ENV A="\n\\\"\$x" B=\n\" C='\n' D=a\"#,
            json!({"Env": ["A=\\n\\\"$x", "B=n\"", "C=\\n", "D=a"]}),
        ),
        (
            "ENV A=$ B=$$ C=$1x D=$@x E=$é F=$-x G=$$A",
            json!({"Env": ["A=$", "B=", "C=x", "D=x", "E=", "F=x", "G=A"]}),
        ),
        (
            "ENV X=1 E=\nENV A=${X:-a} B=${E:-a} C=${N:-a} D=${X:+a} F=${E:+a} G=${N:+a}",
            json!({"Env": ["X=1", "E=", "A=1", "B=a", "C=a", "D=a", "F=", "G="]}),
        ),
        (
            "ENV X=1 E=\nENV A=${E-a} B=${N-a} C=${E+a} D=${N+a} F=${X:?a} G=${E?a}",
            json!({"Env": ["X=1", "E=", "A=", "B=a", "C=a", "D=", "F=1", "G="]}),
        ),
        (
            "ENV X=1\nENV A=${N:-${X}b${N:-c}} B=\"${N:-x y}\" C=${N:-'q} r'}${N:-s\\}t}",
            json!({"Env": ["X=1", "A=1bc", "B=x y", "C=q} rs}t"]}),
        ),
        (
            "# escape=`\nENV X=1\nENV A=`$X B=\"`\"\" C=a\\b",
            json!({"Env": ["X=1", "A=$X", "B=\"", "C=a\\b"]}),
        ),
    ]);
    let form = "expected `NAME=VALUE ...` or `NAME VALUE`";
    let forms = "expected `$NAME`, `${NAME}`, `${NAME:-DEFAULT}`, `${NAME:+VALUE}` or \
                 `${NAME:?MESSAGE}`, got";
    refused(&[
        ("ENV", form),
        ("ENV A", form),
        ("ENV =1", "expected `NAME=VALUE`, got `=1`"),
        ("ENV A=1 B", "expected `NAME=VALUE`, got `B`"),
        ("ENV --x A=1", "expected no option, got `--x`"),
        ("ENV $X=1", "expected a name, got `$X`"),
        (
            "ENV A=\"b",
            "expected a double quote that closes the first, got `\"b`",
        ),
        (
            "ENV A 'b",
            "expected a single quote that closes the first, got `'b`",
        ),
        ("ENV A=${", &format!("{forms} `${{`")),
        ("ENV A=${}", &format!("{forms} `${{}}`")),
        ("ENV A=${x", &format!("{forms} `${{x`")),
        ("ENV A=${x:-y", &format!("{forms} `${{x:-y`")),
        ("ENV A=${x#y}", &format!("{forms} `${{x#y}}`")),
        ("ENV A=${x:=y}", &format!("{forms} `${{x:=y}}`")),
        ("ENV A=${x:?say so}", "expected `NAME=VALUE`, got `so}`"),
        (
            "ENV A=\"${x:?say so}\"",
            "expected a value for the variable `x`: say so",
        ),
        (
            "ENV A=\nENV B=${A:?}",
            "expected a value for the variable `A`: it is not set",
        ),
    ]);
}

#[test]
fn expansion_has_limits() {
    let doubling = format!("ENV A=x\n{}", "ENV A=$A$A\n".repeat(40));
    assert_eq!(
        changed(json!({}), &[&doubling]),
        Err("`ENV A=$A$A`: its variables exceed the limit of 4194304 bytes".to_owned())
    );
    let nested = |depth: usize| format!("USER {}{}", "${A:-".repeat(depth), "}".repeat(depth));
    assert_eq!(changed(json!({}), &[&nested(100)]), Ok(json!({})));
    let message = changed(json!({}), &[&nested(100_000)]).unwrap_err();
    let end = "`: its substitutions exceed the limit of 100 levels";
    assert!(message.ends_with(end));
}

/// A variable in a hostile config took hours.
#[test]
fn ports_are_not_named_again_and_again() {
    let exposed = |ranges: &str, count: usize| {
        let ranges = vec![ranges; count].join(" ");
        changed(json!({"Env": [format!("P={ranges}")]}), &["EXPOSE $P"])
    };
    assert!(exposed("0-65535", 3).is_ok());
    let too_many = "`EXPOSE $P`: it exceeds the limit of 196608 ports";
    assert_eq!(exposed("0-65535", 4), Err(too_many.to_owned()));
    assert_eq!(exposed("0-65535", 100_000), Err(too_many.to_owned()));
}

#[test]
fn ports_are_exposed() {
    check([
        (
            "EXPOSE 80 81/udp 90-91 7/SCTP 80/tcp",
            json!({"ExposedPorts": {
                "80/tcp": {}, "81/udp": {}, "90/tcp": {}, "91/tcp": {}, "7/sctp": {},
            }}),
        ),
        (
            "ENV P=\"80 81\"\nEXPOSE $P ${Q:-99}/udp $N",
            json!({"Env": ["P=80 81"], "ExposedPorts": {"80/tcp": {}, "81/tcp": {}, "99/udp": {}}}),
        ),
        ("EXPOSE $N", json!({})),
    ]);
    let port = "expected a port up to 65535 or a range such as `8000-8010`, optionally with `/tcp`, \
                `/udp` or `/sctp`, got";
    refused(&[
        ("EXPOSE", "expected `EXPOSE PORT[/PROTOCOL] ...`"),
        ("EXPOSE 1 http", &format!("{port} `http`")),
        ("EXPOSE 65536", &format!("{port} `65536`")),
        ("ENV P=\"80 81\"\nEXPOSE \"$P\"", &format!("{port} `80 81`")),
        ("EXPOSE --x 80", "expected no option, got `--x`"),
    ]);
}

#[test]
fn labels_are_set() {
    check([
        ("LABEL a b  c", json!({"Labels": {"a": "b  c"}})),
        (
            "LABEL a=b c=\"d \\\n  e\" \"f g\"='h' a=i",
            json!({"Labels": {"a": "i", "c": "d   e", "f g": "h"}}),
        ),
        (
            "ENV X=1\nLABEL a=$X b='$X' $X=2 c=",
            json!({"Env": ["X=1"], "Labels": {"a": "1", "b": "$X", "1": "2", "c": ""}}),
        ),
    ]);
    refused(&[
        ("LABEL a", "expected `NAME=VALUE ...` or `NAME VALUE`"),
        ("LABEL a=b c", "expected `NAME=VALUE`, got `c`"),
        ("LABEL \"\"=b", "expected a name, got `\"\"`"),
    ]);
}

#[test]
fn signals_users_volumes_and_directories_are_set() {
    check([
        ("STOPSIGNAL SIGTERM", json!({"StopSignal": "SIGTERM"})),
        ("STOPSIGNAL ${S:-\"9\"}", json!({"StopSignal": "9"})),
        ("USER a b", json!({"User": "a b"})),
        ("USER \"1\":'2'", json!({"User": "1:2"})),
        ("USER a\nUSER $N", json!({})),
        ("VOLUME /a b", json!({"Volumes": {"/a": {}, "b": {}}})),
        (
            "ENV D=\"/d e\"\nVOLUME [\" /a \", \"$D\"]\nVOLUME $D ['$D']",
            json!({"Env": ["D=/d e"], "Volumes": {"/a": {}, "/d e": {}, "[$D]": {}}}),
        ),
        ("WORKDIR a", json!({"WorkingDir": "/a"})),
        ("WORKDIR /a/../b//", json!({"WorkingDir": "/a/../b//"})),
        (
            "WORKDIR /a/../b//\nWORKDIR c/./../../d",
            json!({"WorkingDir": "/d"}),
        ),
        ("WORKDIR ../..", json!({"WorkingDir": "/"})),
        ("WORKDIR \"/a b\" c", json!({"WorkingDir": "/a b c"})),
    ]);
    let signal = "expected a signal such as `SIGTERM`, or its number from 1 to 64, got";
    let volume = "expected `VOLUME PATH ...` or `VOLUME [\"PATH\", ...]`";
    refused(&[
        ("STOPSIGNAL", "expected `STOPSIGNAL SIGNAL`"),
        ("STOPSIGNAL SIGNONE", &format!("{signal} `SIGNONE`")),
        ("STOPSIGNAL $N", &format!("{signal} ``")),
        ("USER", "expected `USER NAME[:GROUP]`"),
        ("VOLUME", volume),
        ("VOLUME []", volume),
        ("VOLUME [\" \"]", volume),
        ("VOLUME [1]", "expected a JSON array of strings, got `[1]`"),
        ("VOLUME $N", "expected a path, got `$N`"),
        ("WORKDIR", "expected `WORKDIR PATH`"),
        ("WORKDIR \"\"", "expected a path, got `\"\"`"),
    ]);
}

#[test]
fn a_variable_that_is_there_several_times_is_there_once_when_set() {
    let cases = [
        (json!(["A=1", "A=2"]), json!(["A=3"])),
        (
            json!(["B=1", "A=1", "AB=1", "A", "A=", "C=A=1"]),
            json!(["B=1", "A=3", "AB=1", "C=A=1"]),
        ),
        (json!(["B=1", "B=2"]), json!(["B=1", "B=2", "A=3"])),
    ];
    for (before, after) in cases {
        let config = changed(json!({"Env": before}), &["ENV A=3"]);
        assert_eq!(config, Ok(json!({"Env": after})), "{before}");
    }
}
