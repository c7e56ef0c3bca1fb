//! What the commands that open an input refuse has an error: here of random archives, and
//! wherever a fault is planted.

use crate::support::odd::{Case, Oddity};
use crate::support::tied::assert_tied;
use crate::support::{Sandbox, trials};

#[test]
fn what_is_odd_and_refused_has_an_error() {
    for oddity in [Oddity::Documents, Oddity::Archive] {
        for number in 0..trials(150) {
            let sandbox = Sandbox::new();
            let case = Case::new(oddity, number, "app:1");
            sandbox.write("in.tar", &case.archive);
            let report = sandbox.run(&["verify", "in.tar"]);
            let name = format!("{}: {}", case.seed, case.what);
            assert_tied(&name, &sandbox, "in.tar", &report);
        }
    }
}
