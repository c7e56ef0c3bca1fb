//! A directory of its own for each test, and `restow` running in it.
//!
//! The command sees a cleared environment. After each run the sandbox checks properties of all
//! runs: no temporary is left, and a failed run changed nothing.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::thread;

use tempfile::TempDir;

use super::codec::digest;
use super::expected::Expected;

/// A test's working directory, its `TMPDIR` and its `HOME`.
#[derive(Debug)]
pub(crate) struct Sandbox {
    root: TempDir,
}

/// The content of a directory, by path.
pub(crate) type Tree = BTreeMap<String, String>;

impl Sandbox {
    /// Makes an empty sandbox, which is removed when it goes out of scope.
    pub(crate) fn new() -> Self {
        let root = tempfile::Builder::new()
            .prefix("restow-test-")
            .tempdir()
            .expect("a temporary directory can be made");
        for name in ["work", "tmp", "home"] {
            fs::create_dir(root.path().join(name)).expect("a directory can be made");
        }
        Self { root }
    }

    /// The path of `name` in the working directory; the directory itself for an empty name.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join("work").join(name)
    }

    /// The directory in `TMPDIR`.
    pub(crate) fn tmp(&self) -> PathBuf {
        self.root.path().join("tmp")
    }

    /// Writes a file into the working directory.
    #[track_caller]
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("the path has a directory"))
            .expect("a directory can be made");
        fs::write(path, content).expect("a file can be written");
    }

    /// Removes a file or a folder of the working directory, if it is there.
    #[track_caller]
    pub(crate) fn remove(&self, name: &str) {
        let path = self.path(name);
        let removed = match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(&path),
            Ok(_) => fs::remove_file(&path),
            Err(_) => Ok(()),
        };
        removed.unwrap_or_else(|error| panic!("cannot remove `{name}`: {error}"));
    }

    /// Reads a file of the working directory.
    #[track_caller]
    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("cannot read `{name}`: {error}"))
    }

    /// The paths of the working directory, each with its mode and digest, or link target.
    pub(crate) fn tree(&self) -> Tree {
        tree(&self.path(""))
    }

    /// Prepares a run of `restow`.
    pub(crate) fn restow(&self, arguments: &[&str]) -> Run<'_> {
        Run {
            sandbox: self,
            arguments: arguments.iter().map(OsString::from).collect(),
            stdin: Stdin::Null,
            environment: Vec::new(),
            umask: "022",
            launcher: Vec::new(),
            directory: self.path(""),
        }
    }

    /// Runs `restow` with an empty standard input.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.restow(arguments).run()
    }

    /// A command with the environment of `restow`: only `PATH`, `HOME`, `TMPDIR` and a locale.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.root.path().join("home"))
            .env("TMPDIR", self.tmp())
            .env("LC_ALL", "C.UTF-8")
            .current_dir(self.path(""));
        command
    }

    /// Fails if a temporary is left in any place where there could be one.
    #[track_caller]
    pub(crate) fn assert_no_temporaries(&self) {
        assert_eq!(tree(&self.tmp()), Tree::new(), "left behind in TMPDIR");
        let home = tree(&self.root.path().join("home"));
        assert_eq!(home, Tree::new(), "left behind in HOME");
    }
}

/// The paths below `directory`, each with its mode and digest, or link target.
pub(crate) fn tree(directory: &Path) -> Tree {
    fn walk(directory: &Path, prefix: &str, found: &mut Tree) {
        for entry in fs::read_dir(directory).expect("the directory can be read") {
            let path = entry.expect("the directory can be read").path();
            let name = path.file_name().expect("an entry has a name");
            let name = format!("{prefix}{}", name.to_string_lossy());
            let metadata = fs::symlink_metadata(&path).expect("the entry is there");
            let mode = metadata.permissions().mode() & 0o7777;
            if metadata.is_dir() {
                walk(&path, &format!("{name}/"), found);
                found.insert(format!("{name}/"), format!("{mode:o}"));
            } else if metadata.is_symlink() {
                let target = fs::read_link(&path).expect("the link can be read");
                found.insert(name, format!("-> {}", target.display()));
            } else if metadata.is_file() {
                let content = fs::read(&path).expect("the file can be read");
                found.insert(name, format!("{mode:o} {}", digest(&content)));
            } else {
                found.insert(name, format!("{mode:o} {:?}", metadata.file_type()));
            }
        }
    }
    let mut found = Tree::new();
    walk(directory, "", &mut found);
    found
}

/// A run of `restow` in preparation.
#[must_use = "a run does nothing before `run()`"]
pub(crate) struct Run<'a> {
    sandbox: &'a Sandbox,
    arguments: Vec<OsString>,
    stdin: Stdin,
    environment: Vec<(&'static str, String)>,
    umask: &'static str,
    launcher: Vec<String>,
    directory: PathBuf,
}

/// Writes into a pipe.
type Writer = dyn FnOnce(&mut ChildStdin) -> std::io::Result<()> + Send;

/// The standard input of a run.
enum Stdin {
    Null,
    File(PathBuf),
    Pipe(Box<Writer>),
}

impl Run<'_> {
    /// Sets standard input to this file, which is seekable.
    pub(crate) fn stdin_file(mut self, path: &Path) -> Self {
        self.stdin = Stdin::File(path.to_path_buf());
        self
    }

    /// Sets standard input to a pipe with these bytes.
    pub(crate) fn stdin_pipe(self, bytes: Vec<u8>) -> Self {
        self.stdin_from(move |pipe| pipe.write_all(&bytes))
    }

    /// Sets standard input to a pipe that a thread writes to.
    pub(crate) fn stdin_from(
        mut self,
        writer: impl FnOnce(&mut ChildStdin) -> std::io::Result<()> + Send + 'static,
    ) -> Self {
        self.stdin = Stdin::Pipe(Box::new(writer));
        self
    }

    /// Adds a variable to the environment.
    pub(crate) fn env(mut self, name: &'static str, value: &str) -> Self {
        self.environment.push((name, value.to_owned()));
        self
    }

    /// Sets a umask other than 022.
    pub(crate) fn umask(mut self, umask: &'static str) -> Self {
        self.umask = umask;
        self
    }

    /// Runs `restow` through another program, such as one that sets a limit.
    pub(crate) fn by(mut self, program: &[&str]) -> Self {
        self.launcher = program.iter().map(|&it| it.to_owned()).collect();
        self
    }

    /// Runs in a directory below the working directory.
    pub(crate) fn directory(mut self, name: &str) -> Self {
        self.directory = self.sandbox.path(name);
        self
    }

    /// The complete command. A shell sets the umask and is then replaced.
    pub(crate) fn command(&self) -> Command {
        let mut command = self.sandbox.command(Path::new("/bin/sh"));
        command
            .args(["-c", "umask \"$1\"; shift; exec \"$@\"", "sh", self.umask])
            .args(&self.launcher)
            .arg(env!("CARGO_BIN_EXE_restow"))
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.directory);
        command
    }

    /// Runs to the end, then checks the properties of all runs.
    #[track_caller]
    pub(crate) fn run(self) -> Output {
        let before = self.sandbox.tree();
        let mut command = self.command();
        let shown = self.arguments.join(" ".as_ref());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut writer = None;
        command.stdin(match self.stdin {
            Stdin::Null => Stdio::null(),
            Stdin::File(path) => File::open(path).expect("the input can be opened").into(),
            Stdin::Pipe(write) => {
                writer = Some(write);
                Stdio::piped()
            }
        });
        let mut child = command.spawn().expect("the command can be started");
        let mut pipe = child.stdin.take();
        let (mut out, mut err) = (
            child.stdout.take().expect("stdout is piped"),
            child.stderr.take().expect("stderr is piped"),
        );
        let (stdout, stderr) = thread::scope(|scope| {
            // A command that refuses its input may close the pipe early, which is not an error of
            // the writer.
            scope.spawn(move || writer.map(|write| write(pipe.as_mut().expect("stdin is piped"))));
            let stderr = scope.spawn(move || {
                let mut bytes = Vec::new();
                err.read_to_end(&mut bytes).expect("stderr can be read");
                bytes
            });
            let mut stdout = Vec::new();
            out.read_to_end(&mut stdout).expect("stdout can be read");
            (stdout, stderr.join().expect("the reader does not panic"))
        });
        let status = child.wait().expect("the command can be waited for");
        let output = Output {
            command: format!("restow {}", shown.to_string_lossy()),
            stdout,
            stderr: String::from_utf8(stderr).expect("stderr is UTF-8"),
            code: status.code(),
        };
        self.sandbox.assert_no_temporaries();
        if output.code != Some(0) {
            let after = self.sandbox.tree();
            assert_eq!(after, before, "{output:?} failed, but changed something");
        }
        output
    }
}

/// The result of a run: read it with one of its methods, each of which checks all three parts.
#[derive(Debug)]
#[must_use = "assert what the command printed and how it ended"]
pub(crate) struct Output {
    /// The command line, for messages.
    pub(crate) command: String,
    /// Standard output.
    pub(crate) stdout: Vec<u8>,
    /// Standard error.
    pub(crate) stderr: String,
    /// The exit code, unless a signal ended the run.
    pub(crate) code: Option<i32>,
}

impl Output {
    /// The run succeeded without any output.
    #[track_caller]
    pub(crate) fn silent(self) {
        self.warns("");
    }

    /// The run succeeded, and its standard error is `expected`, which ends in a newline or is
    /// empty.
    #[track_caller]
    pub(crate) fn warns(self, expected: impl Expected) {
        let stdout = self.data(expected);
        assert_eq!(stdout, b"", "stdout is for data that was asked for");
    }

    /// The run succeeded, and printed only warnings; returns them.
    #[track_caller]
    pub(crate) fn warnings(self) -> Vec<String> {
        assert_eq!(self.stdout, b"", "{}: stdout is for data", self.command);
        self.data_and_warnings().1
    }

    /// The run succeeded with `expected` on standard error; returns its standard output.
    #[track_caller]
    pub(crate) fn data(self, expected: impl Expected) -> Vec<u8> {
        assert_eq!(self.code, Some(0), "{}: {}", self.command, self.stderr);
        expected.check(&self.stderr, &self.command);
        self.stdout
    }

    /// The run succeeded, and printed only warnings; returns standard output and the warnings.
    #[track_caller]
    pub(crate) fn data_and_warnings(self) -> (Vec<u8>, Vec<String>) {
        assert_eq!(self.code, Some(0), "{}: {}", self.command, self.stderr);
        let lines = self.stderr.lines().filter(|it| !it.starts_with("  hint: "));
        let warnings: Vec<String> = lines.map(str::to_owned).collect();
        for line in &warnings {
            assert!(line.starts_with("warning: "), "{}: `{line}`", self.command);
        }
        (self.stdout, warnings)
    }

    /// The run succeeded; returns standard output, and the warnings on standard error.
    #[track_caller]
    pub(crate) fn reports(self) -> (Vec<u8>, Vec<String>) {
        assert_eq!(self.code, Some(0), "{}: {}", self.command, self.stderr);
        let lines = self.stderr.lines();
        let warnings = lines.filter(|it| it.starts_with("warning: "));
        (self.stdout, warnings.map(str::to_owned).collect())
    }

    /// The run failed with exactly this on standard error, and nothing on standard output.
    #[track_caller]
    pub(crate) fn fails(self, expected: impl Expected) {
        self.ends(1, expected);
    }

    /// The run ended with this code, exactly this on standard error, and nothing on standard
    /// output.
    #[track_caller]
    pub(crate) fn ends(self, code: i32, expected: impl Expected) {
        assert_eq!(self.code, Some(code), "{}: {}", self.command, self.stderr);
        expected.check(&self.stderr, &self.command);
        assert_eq!(self.stdout, b"", "{}", self.command);
    }

    /// The run failed with some `error:` and nothing on standard output; returns standard error.
    #[track_caller]
    pub(crate) fn refuses(self) -> String {
        assert_eq!(self.code, Some(1), "{}: {}", self.command, self.stderr);
        assert_eq!(self.stdout, b"", "{}", self.command);
        let said = self.stderr.lines().any(|line| line.starts_with("error: "));
        assert!(said, "{}: `{}`", self.command, self.stderr);
        self.stderr
    }
}
