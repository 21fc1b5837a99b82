//! What is in a model file: stages, shapes, parameters, multiply-accumulate operations, activations.
//!
//! `cargo run --release --example info -- FILE [--weights NAME]` reads a `.safetensors` or `.pth` file;
//! a published name in its place, such as `g_ghost_regnetx_032`, prints that network for 1,000 classes.

mod support;

use g_ghostnet::arch::{Network, StageKind, Step};
use g_ghostnet::checkpoint::Dtype;
use g_ghostnet::checkpoint::LeftOut;
use g_ghostnet::config::architecture_of_variant;
use g_ghostnet::model::{Model, Options};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (file, weights) = match arguments.as_slice() {
        [file] => (file, None),
        [file, option, name] if option == "--weights" => (file, Some(name.clone())),
        _ => {
            eprintln!("usage: info FILE.safetensors|FILE.pth|VARIANT [--weights NAME]");
            return ExitCode::from(2);
        }
    };
    match run(file, weights) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(file: &str, weights: Option<String>) -> Result<(), String> {
    if let Some(architecture) = architecture_of_variant(file) {
        print_network(&Network::new(&architecture, 1000, 224, 224).map_err(|error| error.to_string())?);
        return Ok(());
    }
    let model = support::read_model(file, &Options { weights, ..Options::default() })?;
    let side = model.input.side;
    print_file(&model);
    print_network(&model.network(side, side).map_err(|error| error.to_string())?);
    Ok(())
}

fn print_file(model: &Model) {
    let tensors = model.checkpoint.tensors();
    let count = |dtype| tensors.values().filter(|tensor| tensor.dtype == dtype).count();
    let dtypes: Vec<String> = [Dtype::F16, Dtype::Bf16, Dtype::F32, Dtype::F64, Dtype::I64]
        .into_iter()
        .filter(|&dtype| count(dtype) > 0)
        .map(|dtype| format!("{} {dtype:?}", count(dtype)))
        .collect();
    println!(
        "file     {} bytes, {} tensors ({})",
        model.checkpoint.size_bytes(),
        tensors.len(),
        dtypes.join(", ")
    );
    let shown = model.labels.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
    let more = if model.labels.len() > 5 { ", ..." } else { "" };
    println!("classes  {} ({shown}{more})", model.labels.len());
    let input = &model.input;
    println!(
        "input    {} x {}, {:?}, {:?}, mean {:?}, deviation {:?}",
        input.side, input.side, input.resize, input.interpolation, input.mean, input.std
    );
    if !model.checkpoint.origin.weights.is_empty() {
        println!("weights  `{}`", model.checkpoint.origin.weights);
    }
    print_left_out(&model.checkpoint.origin.left_out);
}

/// What the network does not read, one line for each reason: a second network has hundreds of tensors.
fn print_left_out(left_out: &[LeftOut]) {
    const SHOWN: usize = 5;
    let mut reasons: Vec<&str> = left_out.iter().map(|left| left.reason.as_str()).collect();
    reasons.sort_unstable();
    reasons.dedup();
    for reason in reasons {
        let names: Vec<_> = left_out.iter().filter(|left| left.reason == reason).collect();
        let shown: Vec<_> = names.iter().take(SHOWN).map(|left| format!("`{}`", left.name)).collect();
        let more =
            if names.len() > SHOWN { format!(" and {} more", names.len() - SHOWN) } else { String::new() };
        println!("left out {}{more}: {reason}", shown.join(", "));
    }
}

/// A row of the table: what the steps between two stages' ends cost.
fn print_row(name: &str, what: &str, shape: &str, steps: &[Step]) {
    let sum = |of: fn(&Step) -> u64| steps.iter().map(of).sum::<u64>();
    println!(
        "{name:<10} {what:<34} {shape:>16} {:>12} {:>14} {:>11}",
        sum(Step::params),
        sum(Step::macs),
        sum(Step::activations)
    );
}

fn print_network(network: &Network) {
    let image = network.image();
    println!("network  {} for {} x {}", network.name, image.height, image.width);
    println!(
        "\n{:<10} {:<34} {:>16} {:>12} {:>14} {:>11}",
        "stage", "blocks", "output", "parameters", "MACs", "activations"
    );
    let mut rest = network.steps.as_slice();
    for (index, stage) in network.stages.iter().enumerate() {
        let inside =
            |step: &Step| step.name.strip_prefix(&stage.name).is_some_and(|name| name.starts_with('.'));
        let begin = rest.iter().position(inside).unwrap_or(0);
        let end = rest.iter().rposition(inside).map_or(begin, |last| last + 1);
        if index == 0 {
            let stem = rest[..begin].last().map_or(image, |step| step.y);
            let shape = format!("{} x {} x {}", stem.channels, stem.height, stem.width);
            print_row("stem", "", &shape, &rest[..begin]);
        }
        let what = match stage.kind {
            StageKind::Plain => format!("{} plain", stage.depth),
            StageKind::Ghost => format!("{} ghost: {} raw + {} cheap", stage.depth, stage.raw, stage.cheap),
        };
        let shape = format!("{} x {} x {}", stage.width, stage.size[0], stage.size[1]);
        print_row(&stage.name, &what, &shape, &rest[begin..end]);
        rest = &rest[end..];
    }
    print_row("head", "", &network.classes.to_string(), rest);
    print_row("all", "", "", &network.steps);
}
