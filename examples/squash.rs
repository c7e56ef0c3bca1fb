//! Merges the two topmost layers of an image, and writes a docker archive; progress goes to
//! standard error: `cargo run --example squash app.tar small.tar`.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example talks to people"
)]

use std::env;
use std::error::Error;
use std::num::NonZeroUsize;

use restow::{Event, Input, LayerChoice, Output, Session, SquashOptions};

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = env::args_os().skip(1);
    let (Some(input), Some(archive)) = (words.next(), words.next()) else {
        return Err("expected an input and an output".into());
    };
    let session = Session::new().on_event(|event| match event {
        Event::Step(step) => eprintln!("{step}"),
        Event::Warning(warning) => eprintln!("warning: {warning}"),
        _ => {}
    });
    let mut options = SquashOptions::default();
    options.layers = LayerChoice::Last(NonZeroUsize::MIN.saturating_add(1));
    let report = session.squash(Input::path(input), Output::archive(archive), &options)?;
    println!(
        "{} layers became {}",
        report.layers_before, report.layers_after
    );
    Ok(())
}
