//! A registry, from which crane takes images and to which it writes them.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStderr, Command, Stdio};

use super::tools::Place;

/// A registry on this machine that forgets all at its end.
pub(crate) struct Registry {
    server: Child,
    /// Its words, without a reader of which it would end.
    _said: BufReader<ChildStderr>,
    /// Its host and port.
    pub(crate) address: String,
}

impl Registry {
    /// Starts the one that is a part of crane, on a port that is free.
    #[track_caller]
    pub(crate) fn start() -> Self {
        let mut command: Command = Place::Today.command("crane");
        command.args(["registry", "serve", "--address", "127.0.0.1:0"]);
        let command = command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut server = command.stderr(Stdio::piped()).spawn().expect("it starts");
        let mut said = BufReader::new(server.stderr.take().expect("stderr is piped"));
        let mut line = String::new();
        said.read_line(&mut line).expect("it says where it is");
        let (_, port) = line.rsplit_once(' ').expect("its port is the last word");
        let address = format!("127.0.0.1:{}", port.trim());
        Self {
            server,
            _said: said,
            address,
        }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
