//! Completion scripts, driven by the shells that read them, and manual pages, by man(1).

use std::path::Path;

use expect_test::expect;

use crate::support::Sandbox;
use crate::support::tools::{Place, succeed};

/// Writes the script for a shell into the sandbox, as `name`.
fn completions(sandbox: &Sandbox, shell: &str, name: &str) {
    let script = sandbox.run(&["completions", shell]).data("");
    sandbox.write(name, script);
}

/// Runs a script of a shell in the sandbox, and returns what it printed.
#[track_caller]
fn run(sandbox: &Sandbox, shell: &[&str], script: &str) -> String {
    let mut command = sandbox.command(Path::new("timeout"));
    command.args(["60"]).args(shell).args(["-c", script]);
    let printed = succeed(&mut command);
    String::from_utf8(printed).expect("a shell prints text")
}

#[test]
fn bash_completes_commands_options_and_values() {
    if !Place::Machine.has("bash", "bash completes") {
        return;
    }
    let sandbox = Sandbox::new();
    completions(&sandbox, "bash", "restow.bash");
    // bash itself completes files, if the function has found nothing.
    let script = r#"
        source ./restow.bash
        complete -p restow
        try() {
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
            _restow_word restow "${@: -1}" "${@: -2:1}"
            printf '%s:' "$*"; printf ' %s' "${COMPREPLY[@]}"; printf '\n'
        }
        try restow ''
        try restow squ
        try restow squash --max
        try restow squash --progress n
        try restow completions fi
        try restow convert --compress g
        try restow convert --compress = g
        try restow convert --compress =
        try restow convert --media-types d
        try restow verify --explain blob-m
        try restow help n
        try restow images ''
        try restow images -H ''
        try restow convert app.tar ''
        try restow squash --all ''
        try restow squash --above ''
        try restow squash --above = a
    "#;
    expect![[r#"
        complete -o bashdefault -o default -o nosort -F _restow_word restow
        restow : append apply cat completions config convert delta diff export extract files help history images import inspect man rebase remove squash verify waste
        restow squ: squash
        restow squash --max: --max-layers
        restow squash --progress n: none
        restow completions fi: fish
        restow convert --compress g: gzip
        restow convert --compress = g: gzip
        restow convert --compress =: keep none gzip zstd
        restow convert --media-types d: docker
        restow verify --explain blob-m: blob-missing
        restow help n: names
        restow images : 
        restow images -H : 
        restow convert app.tar : 
        restow squash --all : 
        restow squash --above : 
        restow squash --above = a: 
    "#]].assert_eq(&run(&sandbox, &["bash", "--norc"], script));
}

#[test]
fn fish_completes_commands_options_and_values() {
    if !Place::Machine.has("fish", "fish completes") {
        return;
    }
    let sandbox = Sandbox::new();
    completions(&sandbox, "fish", "restow.fish");
    sandbox.write("some.tar", "");
    let script = r#"
        source ./restow.fish
        for line in "restow squ" "restow squash --max" "restow squash --progress n" \
            "restow completions fi" "restow help n" "restow squash so" "restow images " \
            "restow images -H s" "restow squash --all s" "restow export --compress z"
            echo $line: (complete -C $line | string replace -r '\t.*' '')
        end
    "#;
    expect![[r#"
        restow squ: squash
        restow squash --max: --max-layers
        restow squash --progress n: none
        restow completions fi: fish
        restow help n: names
        restow squash so: some.tar
        restow images : restow.fish some.tar
        restow images -H s: some.tar
        restow squash --all s: some.tar
        restow export --compress z: zstd
    "#]]
    .assert_eq(&run(&sandbox, &["fish", "--no-config"], script));
}

/// In a shell on a terminal of its own, with the tabulator key.
#[test]
fn zsh_completes_commands_options_and_values() {
    if !Place::Machine.has("zsh", "zsh completes") {
        return;
    }
    let sandbox = Sandbox::new();
    completions(&sandbox, "zsh", "functions/_restow");
    sandbox.write("some.tar", "");
    let script = r#"
        zmodload zsh/zpty
        zpty shell zsh -f -i
        zpty -w shell 'fpath=($PWD/functions $fpath); autoload -Uz compinit; compinit -u -D'
        zpty -w shell 'restow() { print -r -- "typed: $*; done" }; print -r -- rea""dy'
        zpty -r shell line '*ready*'
        try() {
            zpty -w shell $1
            zpty -r shell line '*typed: *; done*'
            print -r -- ${${line##*typed: }%%; done*}
        }
        try $'restow squ\t--max\t3 --progress n\tsome.t\t'
        try $'restow images some.t\tsome.t\t--js\t'
        try $'restow images -H some.t\t'
        try $'restow convert some.t\tso\t--for\t'
        try $'restow squash --all some.t\t'
    "#;
    expect![[r#"
        squash --max-layers=3 --progress none some.tar
        images some.tar some.tar --json
        images -H some.tar
        convert some.tar some.tar --force
        squash --all some.tar
    "#]]
    .assert_eq(&run(&sandbox, &["zsh", "-f"], script));
}

#[test]
fn elvish_and_powershell_get_scripts() {
    let sandbox = Sandbox::new();
    for (shell, start) in [
        ("elvish", "\nuse builtin;"),
        (
            "powershell",
            "\nusing namespace System.Management.Automation",
        ),
    ] {
        let script = sandbox.run(&["completions", shell]).data("");
        let script = String::from_utf8(script).expect("a script is text");
        assert!(script.starts_with(start), "{script}");
        assert!(script.contains("--max-layers"), "{script}");
    }
}

/// The names of the files in a folder of the sandbox, sorted.
fn names(sandbox: &Sandbox, folder: &str) -> Vec<String> {
    let tree = sandbox.tree().into_keys();
    tree.filter_map(|it| it.strip_prefix(folder).map(str::to_owned))
        .filter(|it| !it.is_empty())
        .collect()
}

/// The commands that the help of restow lists.
fn commands(sandbox: &Sandbox) -> Vec<String> {
    let script = sandbox.run(&["completions", "fish"]).data("");
    let script = String::from_utf8(script).expect("a script is text");
    let top = script
        .lines()
        .filter(|it| it.contains("__fish_restow_needs_command\" -f -a \""));
    let mut names: Vec<String> = top
        .filter_map(|it| it.split('"').nth(3).map(str::to_owned))
        .collect();
    names.sort();
    names
}

#[test]
fn every_command_has_a_page_that_man_shows_without_a_warning() {
    let sandbox = Sandbox::new();
    sandbox.run(&["man", "share/man1"]).silent();
    let mut expected: Vec<String> = commands(&sandbox)
        .iter()
        .map(|it| format!("restow-{it}.1"))
        .collect();
    assert!(expected.contains(&"restow-convert.1".to_owned()));
    expected.push("restow.1".to_owned());
    assert_eq!(names(&sandbox, "share/man1/"), expected);
    if !Place::Machine.has("man", "man shows the pages") {
        return;
    }
    for name in expected {
        let page = format!("share/man1/{name}");
        let mut man = sandbox.command(Path::new("man"));
        man.args(["--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", &page]);
        let output = man.output().expect("man can be run");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{name}: {said}");
    }
}

/// The headings of a page, in their order.
#[test]
fn a_page_has_the_sections_of_a_manual_page() {
    let sandbox = Sandbox::new();
    sandbox.run(&["man", "."]).silent();
    let headings = |name: &str| {
        let page = String::from_utf8(sandbox.read(name)).expect("a page is text");
        let headings = page.lines().filter_map(|it| it.strip_prefix(".SH "));
        headings.collect::<Vec<_>>().join("\n")
    };
    expect![[r#"
        NAME
        SYNOPSIS
        DESCRIPTION
        SUBCOMMANDS
        OPTIONS
        "GLOBAL OPTIONS"
        NOTES
        "SEE ALSO""#]]
    .assert_eq(&headings("restow.1"));
    expect![[r#"
        NAME
        SYNOPSIS
        DESCRIPTION
        ARGUMENTS
        "LAYER SELECTION (EXACTLY ONE)"
        OPTIONS
        "IMAGE SELECTION"
        OUTPUT
        "GLOBAL OPTIONS"
        EXAMPLES
        "SEE ALSO""#]]
    .assert_eq(&headings("restow-squash.1"));
}

#[test]
fn a_file_that_is_there_is_replaced_only_by_force() {
    let sandbox = Sandbox::new();
    sandbox.run(&["man", "man1"]).silent();
    // Again: all of them are there to the byte.
    sandbox.run(&["man", "man1"]).silent();
    let page = sandbox.read("man1/restow-verify.1");
    sandbox.write("man1/restow-verify.1", "mine");
    std::fs::remove_file(sandbox.path("man1/restow.1")).expect("a page can be removed");
    // Nothing is written, not even what is missing: the sandbox compares before and after.
    sandbox.run(&["man", "man1"]).fails(expect![[r#"
        error: `man1/restow-verify.1` already exists
          hint: use `--force` to overwrite it
    "#]]);
    sandbox.run(&["man", "--force", "man1"]).silent();
    assert_eq!(sandbox.read("man1/restow-verify.1"), page);
    assert!(sandbox.path("man1/restow.1").is_file());
}

#[test]
fn pages_go_to_a_folder_alone() {
    let sandbox = Sandbox::new();
    sandbox.write("file", "mine");
    let said = sandbox.run(&["man", "file"]).refuses();
    expect![[r#"
        error: cannot write `file`
          caused by: not a directory
          hint: it is a file: choose a folder, or a path where nothing is yet
    "#]]
    .assert_eq(&said);
    // A name that nobody has chosen is not shown.
    let said = sandbox.run(&["man", "/proc/self"]).refuses();
    expect![[r#"
        error: cannot write `/proc/self/restow.1`
          caused by: No such file or directory
    "#]]
    .assert_eq(&said);
    let output = sandbox.run(&["man", ""]);
    let got = (output.code, output.stderr.as_str());
    assert_eq!(got, (Some(2), "error: DIR is empty\n"));
}
