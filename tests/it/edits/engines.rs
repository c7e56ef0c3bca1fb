//! Engines run what each edit makes, and a program in the image tells what it sees there.

use std::fs;
use std::process::Command;

use crate::support::Sandbox;
use crate::support::ctr::Ctr;
use crate::support::engine::{Docker, unique};
use crate::support::entry::entries;
use crate::support::layer;
use crate::support::podman::Podman;
use crate::support::tools::{Place, skip};

/// A program that prints its user and folder, two variables, and everything at and below its
/// arguments.
const SEE: &str = r#"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void see(const char *path) {
  struct stat it;
  char text[4096] = "";
  if (lstat(path, &it)) { printf("no %s\n", path); return; }
  printf("%s %o %d:%d", path, it.st_mode & 07777, it.st_uid, it.st_gid);
  if (S_ISLNK(it.st_mode)) {
    if (readlink(path, text, sizeof text - 1) < 0) text[0] = 0;
    printf(" -> %s\n", text);
  } else if (S_ISREG(it.st_mode)) {
    FILE *file = fopen(path, "r");
    if (file && !fread(text, 1, sizeof text - 1, file)) text[0] = 0;
    printf(" = %s\n", file ? text : "?");
  } else {
    struct dirent **list;
    int count = scandir(path, &list, NULL, alphasort);
    printf("%s\n", count < 0 ? " ?" : "");
    for (int at = 0; at < count; at++) {
      char inner[4096];
      if (!strcmp(list[at]->d_name, ".") || !strcmp(list[at]->d_name, "..")) continue;
      snprintf(inner, sizeof inner, "%s/%s", path, list[at]->d_name);
      see(inner);
    }
  }
}

int main(int count, char **words) {
  char folder[4096];
  printf("%d:%d in %s\n", getuid(), getgid(), getcwd(folder, sizeof folder));
  for (char **name = (char *[]){"A", "B", NULL}; *name; name++)
    if (getenv(*name)) printf("%s=%s\n", *name, getenv(*name));
  for (int at = 1; at < count; at++) see(words[at]);
}
"#;

/// The tree of the base that the program looks at.
const TREE: &str = "t/ t/f=1(5:6) t/h=>t/f(5:6) t/d/ t/d/x=2 t/l->f t/s/(0700) t/s/old=o";

/// A way to run images.
enum Engine {
    Docker(Docker),
    Podman(Podman),
    Containerd(Ctr),
}

impl Engine {
    /// All that are found and start containers in tests.
    #[track_caller]
    fn found(test: &str) -> Vec<Self> {
        let dockers = Docker::found(test).into_iter();
        let mut found: Vec<Self> = dockers.map(Self::Docker).collect();
        let podmans = Place::with("podman", test).into_iter();
        found.extend(podmans.map(|place| Self::Podman(Podman::new(place))));
        found.extend(Ctr::found(test).map(Self::Containerd));
        found
    }

    /// Loads an archive, and returns what each of these images of it prints.
    #[track_caller]
    fn run(&self, sandbox: &Sandbox, archive: &str, tags: &[String]) -> Vec<String> {
        let path = sandbox.path(archive).to_string_lossy().into_owned();
        let said: Vec<Vec<u8>> = match self {
            Self::Docker(docker) => {
                let _loaded = docker.load(&sandbox.read(archive), tags);
                let run = |tag| docker.run(&["run", "--rm", "--network", "none", tag]);
                tags.iter().map(|tag| run(tag)).collect()
            }
            Self::Podman(podman) => {
                drop(podman.run(&["load", "-q", "-i", &path]));
                tags.iter().map(|tag| podman.run_image(tag)).collect()
            }
            Self::Containerd(ctr) => {
                drop(ctr.run(&["images", "import", &path]));
                let run = |tag| ctr.run(&["run", "--rm", tag, &unique()]);
                tags.iter().map(|tag| run(tag)).collect()
            }
        };
        let text = |it| String::from_utf8(it).expect("the program prints text");
        said.into_iter().map(text).collect()
    }

    fn name(&self) -> String {
        match self {
            Self::Docker(docker) => format!("docker {docker:?}"),
            Self::Podman(podman) => format!("podman {:?}", podman.place()),
            Self::Containerd(_) => "containerd".to_owned(),
        }
    }
}

/// Writes the base, `base.tar`, and what the edits need. False if nothing compiles here.
fn prepare(sandbox: &Sandbox, test: &str) -> bool {
    sandbox.write("see.c", SEE);
    let mut compiler = Command::new("cc");
    compiler.current_dir(sandbox.path(""));
    compiler.args(["-static", "-o", "see", "see.c"]);
    if !compiler.output().is_ok_and(|it| it.status.success()) {
        skip(test, "no C compiler makes static programs");
        return false;
    }
    for (name, words) in [
        ("t.tar", TREE),
        ("n.tar", "t/ t/f=9 t/n=new"),
        (
            "l.tar",
            "t/ t/f=2(7:8) t/.wh.h t/s/ t/s/.wh..wh..opq t/s/new=n",
        ),
    ] {
        sandbox.write(name, layer::tar(&entries(words)));
    }
    for (base, layer) in [("base", "t.tar"), ("new", "n.tar")] {
        let (file, tag) = (format!("{base}.tar"), format!("{base}:1"));
        let words = [
            "append",
            "-q",
            "scratch",
            &file,
            "./see:/bin/",
            layer,
            "-t",
            &tag,
        ];
        let config = [
            "-c",
            "ENTRYPOINT [\"/bin/see\"]",
            "-c",
            "CMD [\"t\"]",
            "-c",
            "ENV A=1",
        ];
        sandbox.run(&[&words[..], &config].concat()).silent();
    }
    true
}

/// Runs the images that `commands` make of the base in each engine. `OUT` in them is the output,
/// and `TAG` and `OTHER` are names in it; what each prints is expected.
#[track_caller]
fn assert_runs(test: &str, commands: &[&str], expected: &[&str]) {
    let sandbox = Sandbox::new();
    if !prepare(&sandbox, test) {
        return;
    }
    let tags: Vec<String> = expected
        .iter()
        .map(|_| format!("restow.test/{}:1", unique()))
        .collect();
    for command in commands {
        let words: Vec<String> = command
            .split(' ')
            .map(|word| {
                let word = word.replace('+', " ").replace("TAG", &tags[0]);
                word.replace("OTHER", tags.last().expect("there is one"))
            })
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        drop(sandbox.run(&words).reports());
        if words[0] == "extract" {
            fs::write(sandbox.path("root/t/f"), "3").expect("it can be written");
            fs::remove_file(sandbox.path("root/t/d/x")).expect("it can be removed");
        }
    }
    for engine in Engine::found(test) {
        let said = engine.run(&sandbox, "out.tar", &tags);
        assert_eq!(said, expected, "{}", engine.name());
    }
}

const UNCHANGED: &str = "0:0 in /\nA=1\nt 755 0:0\nt/d 755 0:0\nt/d/x 644 0:0 = 2\nt/f 644 5:6 = 1\n\
                         t/h 644 5:6 = 1\nt/l 777 0:0 -> f\nt/s 700 0:0\nt/s/old 644 0:0 = o\n";

#[test]
fn engines_run_an_edited_config() {
    assert_runs(
        "engines_run_an_edited_config",
        &[
            "config base.tar out.tar -t TAG -c ENV+B=\"2+3\" --unset ENV.A -c WORKDIR+/t/d -c USER+5:6 \
           -c CMD+[\"../f\",\"x\"]",
        ],
        &["5:6 in /t/d\nB=2 3\n../f 644 5:6 = 1\nx 644 0:0 = 2\n"],
    );
}

#[test]
fn engines_run_an_image_with_new_layers() {
    let expected = "0:0 in /\nA=1\nt 755 0:0\nt/d 755 0:0\nt/f 644 7:8 = 2\nt/l 777 0:0 -> f\n\
                    t/s 755 0:0\nt/s/new 644 0:0 = n\n";
    for compress in ["keep", "gzip"] {
        assert_runs(
            "engines_run_an_image_with_new_layers",
            &[&format!(
                "append base.tar out.tar -t TAG l.tar --delete t/d/x --compress {compress}"
            )],
            &[expected],
        );
    }
}

#[test]
fn engines_run_an_image_with_the_changes_of_a_folder() {
    assert_runs(
        "engines_run_an_image_with_the_changes_of_a_folder",
        &[
            "extract base.tar root",
            "append base.tar out.tar -t TAG --changed root",
        ],
        &[
            "0:0 in /\nA=1\nt 755 0:0\nt/d 755 0:0\nt/f 644 5:6 = 3\nt/h 644 5:6 = 3\n\
           t/l 777 0:0 -> f\nt/s 700 0:0\nt/s/old 644 0:0 = o\n",
        ],
    );
}

#[test]
fn engines_run_an_image_on_another_base() {
    assert_runs(
        "engines_run_an_image_on_another_base",
        &[
            "append base.tar app.tar -t app:1 l.tar -c ENV+B=4",
            "rebase app.tar out.tar --from base.tar --onto new.tar -t TAG",
        ],
        &[
            "0:0 in /\nA=1\nB=4\nt 755 0:0\nt/f 644 7:8 = 2\nt/n 644 0:0 = new\nt/s 755 0:0\n\
           t/s/new 644 0:0 = n\n",
        ],
    );
}

#[test]
fn engines_run_each_image_of_several_sources() {
    assert_runs(
        "engines_run_each_image_of_several_sources",
        &["convert base.tar new.tar out.tar --retag base:1=TAG --retag new:1=OTHER"],
        &[
            UNCHANGED,
            "0:0 in /\nA=1\nt 755 0:0\nt/f 644 0:0 = 9\nt/n 644 0:0 = new\n",
        ],
    );
}

#[test]
fn engines_run_their_platform_of_a_new_index() {
    assert_runs(
        "engines_run_their_platform_of_a_new_index",
        &[
            "config new.tar other.tar -t other:1 --set-platform linux/s390x",
            "convert other.tar base.tar out.tar --index TAG",
        ],
        &[UNCHANGED],
    );
}
