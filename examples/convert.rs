//! Converts all images of an archive or a layout to an OCI layout, and prints their names:
//! `cargo run --example convert app.tar layout`.

#![expect(clippy::print_stdout, reason = "an example talks to people")]

use std::env;
use std::error::Error;

use restow::{ConvertOptions, Input, Output, Session};

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = env::args_os().skip(1);
    let (Some(input), Some(layout)) = (words.next(), words.next()) else {
        return Err("expected an input and a folder".into());
    };
    let session = Session::new();
    let (input, output) = (Input::path(input), Output::layout(layout));
    let report = session.convert(input, output, &ConvertOptions::default())?;
    for image in &report.images {
        let names: Vec<String> = image.references.iter().map(ToString::to_string).collect();
        println!("{} {}", image.digest, names.join(" "));
    }
    Ok(())
}
