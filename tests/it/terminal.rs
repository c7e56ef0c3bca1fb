//! Progress, colours and tables on terminals of several widths, and without one.

use std::io::Write as _;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use expect_test::expect;
use serde_json::{Value, json};

use crate::support::codec::Codec;
use crate::support::make::{self, Image, Layout};
use crate::support::sandbox::Output;
use crate::support::screen::{CLEAR, on_terminal, without_figures};
use crate::support::{Sandbox, tools};

const WIDTHS: [usize; 3] = [40, 80, 120];

/// A name that leaves no room for anything else.
const LONG_NAME: &str = "registry.example.com/team/big-application:2026.11.27";

/// A conversion from a pipe that is slow enough for a bar.
const SLOW: &str =
    "(head -c 3000 in.tar; sleep 1; tail -c +3001 in.tar) | restow convert -f - out.tar";

/// A sandbox with an archive of an image, `in.tar`, one that is cut off, `cut.tar`, and one of an
/// image of three layers that are more than a pipe holds, `big.tar`.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let small = Image::new(&[LONG_NAME], &["file a 1"]);
    let layers = ["a", "b", "c"].map(|name| {
        let file = format!("file {name} {}", name.repeat(1_500_000));
        make::layer(&file)
    });
    let big = Image::of_layers(&[LONG_NAME], layers.to_vec());
    let archive = make::tar(&make::docker(&[small]));
    sandbox.write("cut.tar", &archive[..1000]);
    sandbox.write("in.tar", archive);
    sandbox.write("big.tar", make::tar(&make::docker(&[big])));
    sandbox
}

/// The states of a bar on a terminal, and what was printed after it.
fn frames(printed: &str) -> (Vec<&str>, &str) {
    let mut frames: Vec<&str> = printed.split(CLEAR).collect();
    let rest = frames.pop().expect("there is always a part");
    let frames = frames.into_iter().map(|frame| frame.trim_end_matches('\r'));
    (frames.filter(|frame| !frame.is_empty()).collect(), rest)
}

#[test]
fn a_bar_is_one_line_that_fits() {
    if !tools::is_installed("script") {
        return tools::skip("bars on a terminal", "script(1) is not installed");
    }
    let mut shown = String::new();
    for width in WIDTHS {
        let sandbox = sandbox();
        for (step, line, reports) in [
            // It waits for the input,
            ("receiving", SLOW, 1),
            // or for the command that takes the output.
            (
                "layer",
                "restow convert --compress none --progress bar big.tar - | (sleep 1; cat > out.tar)",
                0,
            ),
        ] {
            let printed = on_terminal(&sandbox, line, width, &[]);
            let (frames, rest) = frames(&printed);
            let is_wide = |frame: &&&str| frame.chars().count() >= width;
            assert_eq!(frames.iter().find(is_wide), None, "{width}");
            let frame = frames.iter().find(|frame| frame.contains(step));
            let frame = frame.unwrap_or_else(|| panic!("no {step}: {frames:?}"));
            let frame = without_figures(frame.trim_start_matches(['█', '░', ' ']));
            shown = format!("{shown}{width} {frame}\n");
            let told = rest.lines().filter(|line| line.starts_with("wrote "));
            assert_eq!(
                (told.count(), rest.lines().count()),
                (reports, reports),
                "{rest}"
            );
        }
    }
    expect![[r#"
        40 #B #s receiving
        40 #% of #B ETA #s layer # of #
        80 #B #B/s #s receiving
        80 #% #B/#B #B/s ETA #s copying layer # of #
        120 #B #B/s #s receiving
        120 #% #B/#B #B/s ETA #s copying layer # of #
    "#]]
    .assert_eq(&shown);
}

#[test]
fn a_warning_is_in_the_place_of_the_bar() {
    if !tools::is_installed("script") {
        return tools::skip("bars on a terminal", "script(1) is not installed");
    }
    let sandbox = sandbox();
    let line = format!("{SLOW} --compress zstd");
    let printed = on_terminal(&sandbox, &line, 80, &[("NO_COLOR", "1")]);
    let (before, after) = printed.split_once("warning: ").expect("a warning");
    let (frames, rest) = frames(before);
    assert!(!frames.is_empty() && rest.is_empty(), "{printed:?}");
    expect![[r#"
        `registry.example.com/team/big-application:2026.11.27` has layers compressed with zstd, which Docker before 23 cannot load
    "#]].assert_eq(after.split_once(CLEAR).expect("a bar").0);
}

/// The standard error of a conversion from a slow pipe.
fn slow(options: &[&str], pause: u64) -> String {
    let sandbox = sandbox();
    let input = sandbox.read("in.tar");
    let run = sandbox.restow(&[&["convert", "-", "out.tar"], options].concat());
    let output = run.stdin_from(move |pipe| {
        pipe.write_all(&input[..3000])?;
        thread::sleep(Duration::from_millis(pause));
        pipe.write_all(&input[3000..])
    });
    let output = output.run();
    assert_eq!(output.code, Some(0), "{output:?}");
    output.stderr
}

#[test]
fn a_log_gets_a_line_every_five_seconds_and_one_at_the_end() {
    let shown = |options: &[&str], pause| without_figures(&slow(options, pause));
    expect![[r#"
        receiving: #B, #B/s
        done: #B read in #s
    "#]]
    .assert_eq(&shown(&["--progress", "plain"], 6_000));
    let last = shown(&["--progress", "plain"], 100);
    expect![[r#"
        done: #B read in #s
    "#]]
    .assert_eq(&last);
    // Without a terminal a bar is the same, and by default there is nothing.
    assert_eq!(shown(&["--progress", "bar"], 100), last);
    assert_eq!(shown(&["--progress", "none"], 0), "");
    assert_eq!(shown(&[], 300), "");
}

#[test]
fn a_dumb_terminal_has_no_bar() {
    if !tools::is_installed("script") {
        return tools::skip("bars on a terminal", "script(1) is not installed");
    }
    let sandbox = sandbox();
    let shown = |options| {
        let line = format!("{SLOW} {options}");
        on_terminal(&sandbox, &line, 80, &[("TERM", "dumb")])
    };
    let wrote = shown("");
    expect![[r#"
        wrote out.tar: registry.example.com/team/big-application:2026.11.27, linux/amd64, image id 0994fc31b8f6, digest b2aebf52b690, 1 layer, 2.05kB
    "#]].assert_eq(&wrote);
    let lines = shown("--progress bar");
    let line = lines.strip_suffix(&wrote).expect("the same report");
    expect![[r#"
        done: #B read in #s
    "#]]
    .assert_eq(&without_figures(line));
}

/// Failures and warnings of each kind: of restow, of clap, on standard output.
const SPEAKING: [&str; 5] = [
    "restow convert --compress zstd in.tar oci:out; restow convert -f --compress zstd in.tar out.tar",
    "restow inspect missing.tar",
    "restow convert in.tar cut.tar",
    "restow squash in.tar",
    "restow verify cut.tar",
];

#[test]
fn labels_have_colours_on_a_terminal() {
    if !tools::is_installed("script") {
        return tools::skip("colours on a terminal", "script(1) is not installed");
    }
    let sandbox = sandbox();
    let shown = |line: &str, variables: &[(&str, &str)]| {
        let line = format!("{line} 2>&1; true");
        on_terminal(&sandbox, &line, 80, variables)
    };
    let codes = SPEAKING.map(|line| {
        let coloured = shown(line, &[]);
        let parts = coloured.split("\u{1b}[").skip(1);
        let parts = parts.map(|part| part.split(&[' ', '\n'][..]).next().unwrap_or_default());
        format!("{line}: {}", parts.collect::<Vec<_>>().join(" "))
    });
    expect![[r#"
        restow convert --compress zstd in.tar oci:out; restow convert -f --compress zstd in.tar out.tar: 1m 33mwarning: 0m
        restow inspect missing.tar: 1m 31merror: 0m 1m 31mcaused 0m
        restow convert in.tar cut.tar: 1m 31merror: 0m 1m 36mhint: 0m
        restow squash in.tar: 1m 31merror: 0m 1m 36mhint: 0m
        restow verify cut.tar: 1m 31merror[archive-damaged] 0m 1m 31merror: 0m"#]].assert_eq(&codes.join("\n"));
    for line in SPEAKING {
        for variable in [("NO_COLOR", "1"), ("TERM", "dumb"), ("CLICOLOR", "0")] {
            let plain = shown(line, &[variable]);
            assert!(!plain.contains('\u{1b}'), "{variable:?}: {plain:?}");
        }
    }
}

#[test]
fn colours_are_a_matter_of_choice() {
    let has_colours = |output: Output| {
        let stdout = String::from_utf8(output.stdout).expect("it is UTF-8");
        (output.stderr + &stdout).contains("\u{1b}[")
    };
    for command in [
        &["inspect", "missing.tar"][..],
        &["squash", "in.tar"],
        &["convert", "--help"],
        &["images", "in.tar"],
        &["verify", "cut.tar"],
    ] {
        let sandbox = sandbox();
        let run = |options: &[&str], variables: &[(&'static str, &str)]| {
            let mut run = sandbox.restow(&[command, options].concat());
            for (name, value) in variables {
                run = run.env(name, value);
            }
            has_colours(run.run())
        };
        assert!(!run(&[], &[]), "{command:?}");
        assert!(!run(&["--color", "auto"], &[]), "{command:?}");
        let force = &[("CLICOLOR_FORCE", "1")];
        assert!(!run(&["--color=never"], force), "{command:?}");
        assert!(
            run(&["--color=always"], &[("NO_COLOR", "1")]),
            "{command:?}"
        );
        assert!(run(&["--color", "always"], &[]), "{command:?}");
        assert!(run(&[], force), "{command:?}");
    }
}

/// A layout of all kinds of things, with long names and platforms, and an archive of an image
/// with a long history, plain and with compressed layers.
fn shelf() -> Sandbox {
    let sandbox = Sandbox::new();
    let undated = |config: &mut Value| config["created"] = json!(null);
    let mut layout = Layout::default();
    let image = Image::new(&[], &["file a 1"]).with_config(undated);
    let mut arm = layout.image(&image);
    arm["platform"] = json!({"os": "linux", "architecture": "arm64", "variant": "v8"});
    let attestation = layout.attestation(&arm);
    let index = layout.nested(&[arm, attestation]);
    layout.add_named(&index, LONG_NAME);
    layout.add_named(&index, "a label");
    layout.add(&Image::new(&["myapp:latest"], &["file b 1"]).with_config(undated));
    let referrer = layout.referrer(&index);
    layout.index.push(referrer);
    sandbox.write("layout.tar", make::tar(&layout.members()));
    let told = Image::new(&[LONG_NAME], &["file a 1", "file b 22"]).with_config(|config| {
        undated(config);
        config["history"] = json!([
            {"created_by": "/bin/sh -c #(nop) ADD file:d65f0c02e7a3a2bc5fd3d4b1d7ec8a52 in / "},
            {"created_by": "/bin/sh -c #(nop)  CMD [\"sh\"]", "empty_layer": true},
            {"created_by": "RUN /bin/sh -c apk add --no-cache curl # buildkit", "comment": "buildkit.dockerfile.v0"},
        ]);
    });
    sandbox.write(
        "app.tar",
        make::tar(&make::docker(std::slice::from_ref(&told))),
    );
    let packed = told.stored_as(Codec::Gzip);
    sandbox.write("packed.tar", make::tar(&make::docker(&[packed])));
    sandbox
}

/// What commands print on terminals of all widths.
fn tables(commands: &[&str]) -> String {
    let sandbox = shelf();
    let mut shown = String::new();
    for command in commands {
        for width in WIDTHS {
            let line = format!("restow {command}");
            let table = on_terminal(&sandbox, &line, width, &[("NO_COLOR", "1")]);
            let is_wide = |line: &&str| line.chars().count() > width;
            assert_eq!(table.lines().find(is_wide), None, "{width}: {table}");
            shown = format!("{shown}{width}$ {line}\n{table}\n");
        }
    }
    shown
}

#[test]
fn a_list_of_images_fits_the_terminal() {
    if !tools::is_installed("script") {
        return tools::skip("tables on a terminal", "script(1) is not installed");
    }
    expect![[r#"
        40$ restow images layout.tar
        #  IMAGE                    IMAGE ID
        1  registry.ex…:2026.11.27
           ├─ image                 20faff437429
           └─ attestation
        1  a label
           ├─ image                 20faff437429
           └─ attestation
        2  myapp:latest             d892a3543a40
        3  <none>

        80$ restow images layout.tar
        #  IMAGE                        IMAGE ID      DIGEST        SIZE  PLATFORM
        1  registry.exam…on:2026.11.27                0142d3517955        index
           ├─ image                     20faff437429  b88b39cc6412  1B    linux/arm64/v8
           └─ attestation                             34cd8b370df4        linux/arm64/v8
        1  a label                                    0142d3517955        index
           ├─ image                     20faff437429  b88b39cc6412  1B    linux/arm64/v8
           └─ attestation                             34cd8b370df4        linux/arm64/v8
        2  myapp:latest                 d892a3543a40  724769b59b79  1B    linux/amd64
        3  <none>                                     d7b4db5eddf3        artifact

        120$ restow images layout.tar
        #  IMAGE                                                 IMAGE ID      DIGEST        CREATED  SIZE  PLATFORM
        1  registry.example.com/team/big-application:2026.11.27                0142d3517955                 index
           ├─ image                                              20faff437429  b88b39cc6412  N/A      1B    linux/arm64/v8
           └─ attestation                                                      34cd8b370df4                 linux/arm64/v8
        1  a label                                                             0142d3517955                 index
           ├─ image                                              20faff437429  b88b39cc6412  N/A      1B    linux/arm64/v8
           └─ attestation                                                      34cd8b370df4                 linux/arm64/v8
        2  myapp:latest                                          d892a3543a40  724769b59b79  N/A      1B    linux/amd64
        3  <none>                                                              d7b4db5eddf3                 artifact

        40$ restow images layout.tar app.tar
        #  IMAGE        IMAGE ID      SOURCE
        1  regis…11.27                layout.tar
           ├─ image     20faff437429
           └─ at…ation
        1  a label                    layout.tar
           ├─ image     20faff437429
           └─ at…ation
        2  myapp…atest  d892a3543a40  layout.tar
        3  <none>                     layout.tar
        1  regis…11.27  50feaf716e15  app.tar

        80$ restow images layout.tar app.tar
        #  IMAGE            IMAGE ID      DIGEST        SIZE  PLATFORM        SOURCE
        1  registr…6.11.27                0142d3517955        index           layout.tar
           ├─ image         20faff437429  b88b39cc6412  1B    linux/arm64/v8
           └─ attestation                 34cd8b370df4        linux/arm64/v8
        1  a label                        0142d3517955        index           layout.tar
           ├─ image         20faff437429  b88b39cc6412  1B    linux/arm64/v8
           └─ attestation                 34cd8b370df4        linux/arm64/v8
        2  myapp:latest     d892a3543a40  724769b59b79  1B    linux/amd64     layout.tar
        3  <none>                         d7b4db5eddf3        artifact        layout.tar
        1  registr…6.11.27  50feaf716e15  d35b65d18102  3B    linux/amd64     app.tar

        120$ restow images layout.tar app.tar
        #  IMAGE                                                 IMAGE ID      DIGEST        SIZE  PLATFORM        SOURCE
        1  registry.example.com/team/big-application:2026.11.27                0142d3517955        index           layout.tar
           ├─ image                                              20faff437429  b88b39cc6412  1B    linux/arm64/v8
           └─ attestation                                                      34cd8b370df4        linux/arm64/v8
        1  a label                                                             0142d3517955        index           layout.tar
           ├─ image                                              20faff437429  b88b39cc6412  1B    linux/arm64/v8
           └─ attestation                                                      34cd8b370df4        linux/arm64/v8
        2  myapp:latest                                          d892a3543a40  724769b59b79  1B    linux/amd64     layout.tar
        3  <none>                                                              d7b4db5eddf3        artifact        layout.tar
        1  registry.example.com/team/big-application:2026.11.27  50feaf716e15  d35b65d18102  3B    linux/amd64     app.tar

    "#]].assert_eq(&tables(&["images layout.tar", "images layout.tar app.tar"]));
}

#[test]
fn a_history_and_an_inspection_fit_the_terminal() {
    if !tools::is_installed("script") {
        return tools::skip("tables on a terminal", "script(1) is not installed");
    }
    expect![[r#"
        40$ restow history app.tar
        Image ID       50feaf716e15be199e93f790…
        Digest         <none>
        Containerd ID  d35b65d18102ba1f5142a111…

        LAYER  CREATED BY       SIZE  COMMENT
        2      RUN /bin/sh -c…  2B    buildkit.…
               CMD ["sh"]       0B
        1      ADD file:d65f0…  1B

        80$ restow history app.tar
        Image ID       50feaf716e15be199e93f7909c510fe1642151c005dd80bafa7a0214bac1526e
        Digest         <none>
        Containerd ID  d35b65d18102ba1f5142a111c0503c25ce7a1b07db28d6e2d355d0674601ac29

        LAYER  CREATED  CREATED BY                          SIZE  COMMENT
        2      N/A      RUN /bin/sh -c apk add --no-cache…  2B    buildkit.dockerfile.v0
               N/A      CMD ["sh"]                          0B
        1      N/A      ADD file:d65f0c02e7a3a2bc5fd3d4b1…  1B

        120$ restow history app.tar
        Image ID       sha256:50feaf716e15be199e93f7909c510fe1642151c005dd80bafa7a0214bac1526e
        Digest         <none>
        Containerd ID  sha256:d35b65d18102ba1f5142a111c0503c25ce7a1b07db28d6e2d355d0674601ac29

        LAYER  CREATED  CREATED BY                                     SIZE  STORED  COMMENT
        2      N/A      RUN /bin/sh -c apk add --no-cache curl         2B    2.05kB  buildkit.dockerfile.v0
               N/A      CMD ["sh"]                                     0B    0B
        1      N/A      ADD file:d65f0c02e7a3a2bc5fd3d4b1d7ec8a52 in…  1B    2.05kB

        40$ restow inspect app.tar
        Reference      registry.example.com/tea…
        Image ID       50feaf716e15be199e93f790…
        Digest         <none>
        Containerd ID  d35b65d18102ba1f5142a111…
        Platform       linux/amd64
        Created        <none>
        Format         docker-archive
        Size           3B of files, 4.1kB unpac…
        Env            PATH=/bin:/usr/bin
        Labels         tags=registry.example.co…
        Healthcheck    ["CMD","/up"]

        LAYER  DIGEST        STORED  CREATED BY
        1      bdbd15132ae3  2.05kB  ADD file:d…
        2      dee30d6de067  2.05kB  RUN /bin/s…

        80$ restow inspect app.tar
        Reference      registry.example.com/team/big-application:2026.11.27
        Image ID       50feaf716e15be199e93f7909c510fe1642151c005dd80bafa7a0214bac1526e
        Digest         <none>
        Containerd ID  d35b65d18102ba1f5142a111c0503c25ce7a1b07db28d6e2d355d0674601ac29
        Platform       linux/amd64
        Created        <none>
        Format         docker-archive
        Size           3B of files, 4.1kB unpacked, 4.1kB stored
        Env            PATH=/bin:/usr/bin
        Labels         tags=registry.example.com/team/big-application:2026.11.27
        Healthcheck    ["CMD","/up"]

        LAYER  DIFF ID       DIGEST        TYPE  STORED  UNPACKED         CREATED BY
        1      bdbd15132ae3  bdbd15132ae3  tar   2.05kB  2.05kB    █████  ADD file:d65f…
        2      dee30d6de067  dee30d6de067  tar   2.05kB  2.05kB    █████  RUN /bin/sh -…

        120$ restow inspect app.tar
        Reference      registry.example.com/team/big-application:2026.11.27
        Image ID       sha256:50feaf716e15be199e93f7909c510fe1642151c005dd80bafa7a0214bac1526e
        Digest         <none>
        Containerd ID  sha256:d35b65d18102ba1f5142a111c0503c25ce7a1b07db28d6e2d355d0674601ac29
        Platform       linux/amd64
        Created        <none>
        Format         docker-archive
        Size           3B of files, 4.1kB unpacked, 4.1kB stored
        Env            PATH=/bin:/usr/bin
        Labels         tags=registry.example.com/team/big-application:2026.11.27
        Healthcheck    ["CMD","/up"]

        LAYER  DIFF ID       DIGEST        TYPE  STORED  UNPACKED         CREATED BY
        1      bdbd15132ae3  bdbd15132ae3  tar   2.05kB  2.05kB    █████  ADD file:d65f0c02e7a3a2bc5fd3d4b1d7ec8a52 in…
        2      dee30d6de067  dee30d6de067  tar   2.05kB  2.05kB    █████  RUN /bin/sh -c apk add --no-cache curl

    "#]].assert_eq(&tables(&["history app.tar", "inspect app.tar"]));
}

#[test]
fn where_a_size_is_unknown_the_stored_one_has_its_room() {
    if !tools::is_installed("script") {
        return tools::skip("tables on a terminal", "script(1) is not installed");
    }
    expect![[r#"
        40$ restow images packed.tar
        IMAGE          IMAGE ID      PLATFORM
        regist….11.27  50feaf716e15  linux/amd64

        80$ restow images packed.tar
        IMAGE                                  IMAGE ID      DIGEST  STORED  PLATFORM
        registry.example.c…ication:2026.11.27  50feaf716e15  <none>  191B    linux/amd64

        120$ restow images packed.tar
        IMAGE                                                 IMAGE ID      DIGEST  CREATED  SIZE  STORED  PLATFORM     LAYERS
        registry.example.com/team/big-application:2026.11.27  50feaf716e15  <none>  N/A      ?     191B    linux/amd64  2

        40$ restow images packed.tar app.tar
        IMAGE           IMAGE ID      SOURCE
        registr….11.27  50feaf716e15  packed.tar
        registr….11.27  50feaf716e15  app.tar

        80$ restow images packed.tar app.tar
        IMAGE                IMAGE ID      DIGEST        STORED  PLATFORM     SOURCE
        registry.…026.11.27  50feaf716e15  <none>        191B    linux/amd64  packed.tar
        registry.…026.11.27  50feaf716e15  d35b65d18102  4.1kB   linux/amd64  app.tar

        120$ restow images packed.tar app.tar
        IMAGE                                                 IMAGE ID      DIGEST        STORED  PLATFORM     SOURCE
        registry.example.com/team/big-application:2026.11.27  50feaf716e15  <none>        191B    linux/amd64  packed.tar
        registry.example.com/team/big-application:2026.11.27  50feaf716e15  d35b65d18102  4.1kB   linux/amd64  app.tar

        40$ restow history packed.tar
        Image ID       50feaf716e15be199e93f790…
        Digest         <none>
        Containerd ID  <none>

        LAYER  CREATED BY     STORED  COMMENT
        2      RUN /bin/sh …  96B     buildkit.…
               CMD ["sh"]     0B
        1      ADD file:d65…  95B

        80$ restow history packed.tar
        Image ID       50feaf716e15be199e93f7909c510fe1642151c005dd80bafa7a0214bac1526e
        Digest         <none>
        Containerd ID  <none>

        LAYER  CREATED  CREATED BY                        STORED  COMMENT
        2      N/A      RUN /bin/sh -c apk add --no-cac…  96B     buildkit.dockerfile.v0
               N/A      CMD ["sh"]                        0B
        1      N/A      ADD file:d65f0c02e7a3a2bc5fd3d4…  95B

        120$ restow history packed.tar
        Image ID       sha256:50feaf716e15be199e93f7909c510fe1642151c005dd80bafa7a0214bac1526e
        Digest         <none>
        Containerd ID  <none>

        LAYER  CREATED  CREATED BY                                     SIZE  STORED  COMMENT
        2      N/A      RUN /bin/sh -c apk add --no-cache curl         ?     96B     buildkit.dockerfile.v0
               N/A      CMD ["sh"]                                     0B    0B
        1      N/A      ADD file:d65f0c02e7a3a2bc5fd3d4b1d7ec8a52 in…  ?     95B

        40$ restow inspect packed.tar
        Reference      registry.example.com/tea…
        Image ID       50feaf716e15be199e93f790…
        Digest         <none>
        Containerd ID  <none>
        Platform       linux/amd64
        Created        <none>
        Format         docker-archive
        Size           191B stored
        Env            PATH=/bin:/usr/bin
        Labels         tags=registry.example.co…
        Healthcheck    ["CMD","/up"]

        LAYER  DIGEST  STORED         CREATED BY
        1      <none>  95B     █████  ADD file:…
        2      <none>  96B     █████  RUN /bin/…

        80$ restow inspect packed.tar
        Reference      registry.example.com/team/big-application:2026.11.27
        Image ID       50feaf716e15be199e93f7909c510fe1642151c005dd80bafa7a0214bac1526e
        Digest         <none>
        Containerd ID  <none>
        Platform       linux/amd64
        Created        <none>
        Format         docker-archive
        Size           191B stored
        Env            PATH=/bin:/usr/bin
        Labels         tags=registry.example.com/team/big-application:2026.11.27
        Healthcheck    ["CMD","/up"]

        LAYER  DIFF ID       DIGEST  TYPE      STORED  UNPACKED         CREATED BY
        1      bdbd15132ae3  <none>  tar+gzip  95B     ?         █████  ADD file:d65f0c…
        2      dee30d6de067  <none>  tar+gzip  96B     ?         █████  RUN /bin/sh -c …

        120$ restow inspect packed.tar
        Reference      registry.example.com/team/big-application:2026.11.27
        Image ID       sha256:50feaf716e15be199e93f7909c510fe1642151c005dd80bafa7a0214bac1526e
        Digest         <none>
        Containerd ID  <none>
        Platform       linux/amd64
        Created        <none>
        Format         docker-archive
        Size           191B stored
        Env            PATH=/bin:/usr/bin
        Labels         tags=registry.example.com/team/big-application:2026.11.27
        Healthcheck    ["CMD","/up"]

        LAYER  DIFF ID       DIGEST  TYPE      STORED  UNPACKED         CREATED BY
        1      bdbd15132ae3  <none>  tar+gzip  95B     ?         █████  ADD file:d65f0c02e7a3a2bc5fd3d4b1d7ec8a52 in…
        2      dee30d6de067  <none>  tar+gzip  96B     ?         █████  RUN /bin/sh -c apk add --no-cache curl

        40$ restow inspect --size packed.tar
        Reference      registry.example.com/tea…
        Image ID       50feaf716e15be199e93f790…
        Digest         <none>
        Containerd ID  <none>
        Platform       linux/amd64
        Created        <none>
        Format         docker-archive
        Size           3B of files, 4.1kB unpac…
        Env            PATH=/bin:/usr/bin
        Labels         tags=registry.example.co…
        Healthcheck    ["CMD","/up"]

        LAYER  DIGEST  STORED         CREATED BY
        1      <none>  95B     █████  ADD file:…
        2      <none>  96B     █████  RUN /bin/…

        80$ restow inspect --size packed.tar
        Reference      registry.example.com/team/big-application:2026.11.27
        Image ID       50feaf716e15be199e93f7909c510fe1642151c005dd80bafa7a0214bac1526e
        Digest         <none>
        Containerd ID  <none>
        Platform       linux/amd64
        Created        <none>
        Format         docker-archive
        Size           3B of files, 4.1kB unpacked, 191B stored
        Env            PATH=/bin:/usr/bin
        Labels         tags=registry.example.com/team/big-application:2026.11.27
        Healthcheck    ["CMD","/up"]

        LAYER  DIFF ID       DIGEST  TYPE      STORED  UNPACKED         CREATED BY
        1      bdbd15132ae3  <none>  tar+gzip  95B     2.05kB    █████  ADD file:d65f0c…
        2      dee30d6de067  <none>  tar+gzip  96B     2.05kB    █████  RUN /bin/sh -c …

        120$ restow inspect --size packed.tar
        Reference      registry.example.com/team/big-application:2026.11.27
        Image ID       sha256:50feaf716e15be199e93f7909c510fe1642151c005dd80bafa7a0214bac1526e
        Digest         <none>
        Containerd ID  <none>
        Platform       linux/amd64
        Created        <none>
        Format         docker-archive
        Size           3B of files, 4.1kB unpacked, 191B stored
        Env            PATH=/bin:/usr/bin
        Labels         tags=registry.example.com/team/big-application:2026.11.27
        Healthcheck    ["CMD","/up"]

        LAYER  DIFF ID       DIGEST  TYPE      STORED  UNPACKED         CREATED BY
        1      bdbd15132ae3  <none>  tar+gzip  95B     2.05kB    █████  ADD file:d65f0c02e7a3a2bc5fd3d4b1d7ec8a52 in…
        2      dee30d6de067  <none>  tar+gzip  96B     2.05kB    █████  RUN /bin/sh -c apk add --no-cache curl

    "#]].assert_eq(&tables(&[
        "images packed.tar",
        "images packed.tar app.tar",
        "history packed.tar",
        "inspect packed.tar",
        "inspect --size packed.tar",
    ]));
}

#[test]
fn without_unicode_tables_are_drawn_in_ascii() {
    let sandbox = shelf();
    let run = |command: &[&str]| {
        let output = sandbox.restow(command).env("LC_ALL", "C").run();
        String::from_utf8(output.data("")).expect("it is UTF-8")
    };
    let shown = run(&["images", "layout.tar"]) + &run(&["history", "app.tar"]);
    expect![[r##"
        #  IMAGE                                                 IMAGE ID      DIGEST        CREATED  SIZE  STORED  PLATFORM        LAYERS
        1  registry.example.com/team/big-application:2026.11.27                0142d3517955                         index
           |- image                                              20faff437429  b88b39cc6412  N/A      1B    2.05kB  linux/arm64/v8  1
           `- attestation                                                      34cd8b370df4                         linux/arm64/v8
        1  a label                                                             0142d3517955                         index
           |- image                                              20faff437429  b88b39cc6412  N/A      1B    2.05kB  linux/arm64/v8  1
           `- attestation                                                      34cd8b370df4                         linux/arm64/v8
        2  myapp:latest                                          d892a3543a40  724769b59b79  N/A      1B    2.05kB  linux/amd64     1
        3  <none>                                                              d7b4db5eddf3                         artifact
        Image ID       sha256:50feaf716e15be199e93f7909c510fe1642151c005dd80bafa7a0214bac1526e
        Digest         <none>
        Containerd ID  sha256:d35b65d18102ba1f5142a111c0503c25ce7a1b07db28d6e2d355d0674601ac29

        LAYER  CREATED  CREATED BY                                     SIZE  STORED  COMMENT
        2      N/A      RUN /bin/sh -c apk add --no-cache curl         2B    2.05kB  buildkit.dockerfile.v0
               N/A      CMD ["sh"]                                     0B    0B
        1      N/A      ADD file:d65f0c02e7a3a2bc5fd3d4b1d7ec8a52 ...  1B    2.05kB
    "##]].assert_eq(&shown);
    if !tools::is_installed("script") {
        return tools::skip("tables on a terminal", "script(1) is not installed");
    }
    for command in ["images layout.tar", "history app.tar", "inspect app.tar"] {
        for width in WIDTHS {
            let line = format!("restow {command}");
            let table = on_terminal(&sandbox, &line, width, &[("LC_ALL", "POSIX")]);
            assert!(table.is_ascii(), "{table}");
        }
    }
}

#[test]
fn a_comparison_is_not_cut() {
    if !tools::is_installed("script") {
        return tools::skip("a comparison on a terminal", "script(1) is not installed");
    }
    let sandbox = shelf();
    let line = "restow diff app.tar packed.tar";
    let shown = on_terminal(&sandbox, line, WIDTHS[0], &[("NO_COLOR", "1")]);
    let data = sandbox.run(&["diff", "app.tar", "packed.tar"]).data("");
    let longest = data.split(|byte| *byte == b'\n').map(<[u8]>::len).max();
    assert!(longest > Some(WIDTHS[0]));
    assert_eq!(shown.trim_end(), String::from_utf8_lossy(&data).trim_end());
}

#[test]
fn a_history_is_whole_if_nothing_is_cut() {
    let sandbox = shelf();
    let run = |options: &[&str]| {
        let output = sandbox.run(&[&["history", "app.tar"], options].concat());
        String::from_utf8(output.data("")).expect("it is UTF-8")
    };
    let table = |options| {
        let printed = run(options);
        printed.split_once("\n\n").expect("a table").1.to_owned()
    };
    let shown = [&[][..], &["--no-trunc"], &["--human=false"]].map(table);
    expect![[r#"
        LAYER  CREATED  CREATED BY                                     SIZE  STORED  COMMENT
        2      N/A      RUN /bin/sh -c apk add --no-cache curl         2B    2.05kB  buildkit.dockerfile.v0
               N/A      CMD ["sh"]                                     0B    0B
        1      N/A      ADD file:d65f0c02e7a3a2bc5fd3d4b1d7ec8a52 in…  1B    2.05kB

        LAYER  CREATED  CREATED BY                                                         SIZE  STORED  COMMENT
        2      N/A      RUN /bin/sh -c apk add --no-cache curl # buildkit                  2B    2.05kB  buildkit.dockerfile.v0
               N/A      /bin/sh -c #(nop)  CMD ["sh"]                                      0B    0B
        1      N/A      /bin/sh -c #(nop) ADD file:d65f0c02e7a3a2bc5fd3d4b1d7ec8a52 in /   1B    2.05kB

        LAYER  CREATED AT  CREATED BY                                     SIZE  STORED  COMMENT
        2      N/A         RUN /bin/sh -c apk add --no-cache curl         2     2048    buildkit.dockerfile.v0
               N/A         CMD ["sh"]                                     0     0
        1      N/A         ADD file:d65f0c02e7a3a2bc5fd3d4b1d7ec8a52 in…  1     2048
    "#]].assert_eq(&shown.join("\n"));
}

/// Runs a command whose reader has gone; returns its exit code and standard error.
fn into_closed_pipe(sandbox: &Sandbox, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = sandbox.restow(arguments).command();
    let (reader, writer) = std::io::pipe().expect("a pipe can be made");
    drop(reader);
    let output = command.stdin(Stdio::null()).stdout(writer).output();
    let output = output.expect("the command runs");
    let stderr = String::from_utf8(output.stderr).expect("it is UTF-8");
    (output.status.code(), stderr)
}

#[test]
fn a_closed_pipe_ends_in_silence() {
    let sandbox = sandbox();
    for (command, code) in [
        // An archive of which nobody got all is not delivered.
        (&["convert", "in.tar", "-"][..], 1),
        (&["convert", "in.tar", "/dev/stdout"], 1),
        (&["convert", "in.tar", "oci-archive:/dev/fd/1"], 1),
        (&["convert", "--compress", "gzip", "big.tar", "-"], 1),
        (&["export", "in.tar"], 1),
        (&["export", "--compress", "zstd", "big.tar", "-"], 1),
        (&["import", "rootfs:in.tar", "-"], 1),
        (&["squash", "--all", "in.tar", "-"], 1),
        // A text may be read as far as somebody likes.
        (&["images", "in.tar"], 0),
        (&["inspect", "in.tar"], 0),
        (&["inspect", "--raw", "config", "in.tar"], 0),
        (&["history", "--json", "in.tar"], 0),
        (&["verify", "in.tar"], 0),
        (&["squash", "--all", "--dry-run", "in.tar"], 0),
        (&["--help"], 0),
        (&["help", "images"], 0),
        (&["help", "json"], 0),
        (&["completions", "bash"], 0),
    ] {
        let got = into_closed_pipe(&sandbox, command);
        assert_eq!(got, (Some(code), String::new()), "{command:?}");
        sandbox.assert_no_temporaries();
    }
    // Who reads events is told how it ended.
    let (code, events) = into_closed_pipe(&sandbox, &["export", "--progress", "json", "in.tar"]);
    assert_eq!(code, Some(1));
    let last = events.lines().last().expect("an event");
    let last: Value = serde_json::from_str(last).expect("it is JSON");
    assert_eq!(last["message"], "cannot write standard output");
}

/// Text that did not arrive is an error, help included.
#[test]
fn a_full_device_is_an_error_for_every_text() {
    let sandbox = sandbox();
    for command in [
        &["--help"][..],
        &["--version"],
        &["help", "convert"],
        &["help", "json"],
        &["completions", "fish"],
        &["images", "in.tar"],
        &["verify", "--explain", "list"],
        &["squash", "--all", "--dry-run", "in.tar"],
    ] {
        let mut run = sandbox.restow(command).command();
        let full = std::fs::File::create("/dev/full").expect("Linux has it");
        let output = run.stdout(full).output().expect("the command runs");
        let said = String::from_utf8_lossy(&output.stderr);
        let expected =
            "error: cannot write standard output\n  caused by: No space left on device\n";
        assert_eq!(
            (output.status.code(), &*said),
            (Some(1), expected),
            "{command:?}"
        );
    }
}

/// Bytes that differ also look different.
#[test]
fn lines_that_are_no_utf_8_are_escaped_on_a_terminal() {
    if !tools::is_installed("script") {
        return tools::skip("lines on a terminal", "script(1) is not installed");
    }
    let sandbox = Sandbox::new();
    for (name, content) in [("a.tar", b"\xff\x1b[1m\n"), ("b.tar", b"\xfe\x1b[1m\n")] {
        let layer = make::tar(&[make::Member::file("f", content)]);
        let image = Image::of_layers(&["app:1"], vec![layer]);
        sandbox.write(name, make::tar(&make::docker(&[image])));
    }
    let shown = on_terminal(&sandbox, "restow diff --text f a.tar b.tar", 80, &[]);
    expect![[r#"
        --- a/f
        +++ b/f
        @@ -1 +1 @@
        -\xff\u{1b}[1m
        +\xfe\u{1b}[1m
    "#]]
    .assert_eq(&shown.replace('\r', ""));
}
