//! Holds an engine against reference files of PyTorch.
//!
//! `cargo run --release --example conformance -- [--engine cpu|gpu] [--kernels WORDS] FILE.json...` prints for each
//! file the worst tap with its error relative to the tap's largest value, the engine and the milliseconds, and
//! exits with 1 if any error is above 1e-4. WORDS choose the GPU's kernels as in `gpu_bench`; with f16 the limit is
//! 1e-2.

#[path = "../tests/it/support/reference.rs"]
#[allow(dead_code, reason = "shared with the tests, which use more of it")]
mod reference;

#[path = "support/kernels.rs"]
mod kernels;

use g_ghostnet::gpu::Gpu;
use g_ghostnet::session::{CpuSession, GpuSession};
use kernels::{KERNELS, with_kernels};
use reference::{LIMIT, Outputs, Reference, Worst};
use std::process::ExitCode;
use std::time::Instant;

fn run(file: &str, engine: &str, kernels: &str) -> Result<(Worst, f64), String> {
    let reference = Reference::from_file(file)?;
    let model = reference.model().map_err(|error| error.to_string())?;
    if let Some(params) = reference.params {
        let found = model.network(224, 224).map_err(|error| error.to_string())?.params();
        if found != params {
            return Err(format!("the network has {found} parameters, expected {params}"));
        }
    }
    let image = reference.image();
    let taps = reference.tap_names().map_err(|error| error.to_string())?;
    let (outputs, milliseconds) = match engine {
        "cpu" => {
            let mut session = CpuSession::new(&model, 1).map_err(|error| error.to_string())?;
            let start = Instant::now();
            let outputs = session.run(&image, reference.input, &taps).map_err(|error| error.to_string())?;
            (outputs, start.elapsed().as_secs_f64() * 1e3)
        }
        "gpu" => pollster::block_on(async {
            let gpu = with_kernels(Gpu::request().await?, kernels)?;
            eprintln!("{}", gpu.adapter());
            let mut session = GpuSession::new(&model, &gpu, |_| ()).await?;
            let start = Instant::now();
            let outputs = session.run(&image, reference.input, &taps).await?;
            Ok((outputs, start.elapsed().as_secs_f64() * 1e3))
        })
        .map_err(|error: g_ghostnet::Error| error.to_string())?,
        other => return Err(format!("unknown engine `{other}`, expected cpu or gpu")),
    };
    let taps = outputs.taps.into_iter().map(|tap| tap.data).collect();
    Ok((reference.compare(&Outputs { logits: outputs.logits, taps })?, milliseconds))
}

fn main() -> ExitCode {
    let mut files: Vec<String> = std::env::args().skip(1).collect();
    let mut option = |name: &str, default: &str| match files.iter().position(|argument| argument == name) {
        Some(at) if at + 1 < files.len() => files.drain(at..at + 2).nth(1).unwrap_or_default(),
        _ => default.to_owned(),
    };
    let (engine, kernels) = (option("--engine", "cpu"), option("--kernels", ""));
    // Of f16 a random walk of a few hundred roundings of 2^-11.
    let limit = if kernels.contains("f16") { 1e-2 } else { LIMIT };
    if files.is_empty() {
        eprintln!("usage: conformance [--engine cpu|gpu] [--kernels {KERNELS}] FILE.json...");
        return ExitCode::from(2);
    }
    let mut failed = false;
    for file in &files {
        match run(file, &engine, &kernels) {
            Ok((Worst { tap, error }, milliseconds)) => {
                let verdict = if error <= limit { "ok" } else { "ABOVE THE LIMIT" };
                failed |= error > limit;
                println!(
                    "{file}: worst {tap} {error:.2e} of absmax, engine {engine}, {milliseconds:.1} ms, {verdict}"
                );
            }
            Err(error) => {
                failed = true;
                println!("{file}: FAILED: {error}");
            }
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
