//! Makes one self-describing file of a checkpoint.
//!
//! `cargo run --release --example convert -- IN.pth OUT.safetensors [--dtype f32|f16] [--labels FILE]
//! [--weights NAME]`
//!
//! The input may be a PyTorch checkpoint or a safetensors file, its keys those of the authors, torchvision or
//! timm; the output has this library's keys and, in its metadata, the network, the labels and how a
//! picture becomes the input. Labels are a JSON list, one a line, or Hugging Face's `config.json`; a classifier of 1,000 classes gets
//! those of ImageNet-1k. With f16 only matrices and filters are narrowed: a batch norm's variance
//! may be too small for it, and the rest is too little to matter.

mod support;
#[path = "support/write.rs"]
mod write;

use g_ghostnet::checkpoint::{Dtype, NewTensor, write_safetensors};
use g_ghostnet::config::Config;
use g_ghostnet::model::{Model, Options};
use half::f16;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::process::ExitCode;

const USAGE: &str =
    "usage: convert IN.pth OUT.safetensors [--dtype f32|f16] [--labels FILE] [--weights NAME]";

struct Arguments {
    input: String,
    output: String,
    dtype: Dtype,
    labels: Option<String>,
    weights: Option<String>,
}

impl Arguments {
    fn parse(arguments: impl Iterator<Item = String>) -> Option<Arguments> {
        let (mut files, mut dtype, mut labels, mut weights) = (Vec::new(), Dtype::F32, None, None);
        let mut arguments = arguments.peekable();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--dtype" => {
                    dtype = match arguments.next()?.as_str() {
                        "f32" => Dtype::F32,
                        "f16" => Dtype::F16,
                        _ => return None,
                    }
                }
                "--labels" => labels = Some(arguments.next()?),
                "--weights" => weights = Some(arguments.next()?),
                option if option.starts_with("--") => return None,
                _ => files.push(argument),
            }
        }
        let [input, output] = files.try_into().ok()?;
        Some(Arguments { input, output, dtype, labels, weights })
    }
}

fn main() -> ExitCode {
    let Some(arguments) = Arguments::parse(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match run(&arguments) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<String, String> {
    let labels = arguments.labels.as_deref().map(read_labels).transpose()?;
    let model = support::read_model(
        &arguments.input,
        &Options { labels, weights: arguments.weights.clone(), ..Options::default() },
    )?;
    let tensors = converted(&model, arguments.dtype)?;
    // Numbered labels are no labels: the file says nothing of them.
    let named = model.labels.iter().enumerate().any(|(class, label)| *label != format!("class {class}"));
    let config = Config {
        classes: named.then(|| model.labels.clone()),
        input: Some(model.input),
        temperature: model.checkpoint.config.temperature,
        known: model.checkpoint.config.known,
        ..Config::of(&model.architecture)
    };
    let bytes = write_safetensors(tensors, &config);
    let written = write::write_model(&arguments.output, bytes, &model)?;
    Ok(format!(
        "{}: {}, {} classes, {} bytes",
        arguments.output,
        config.variant.unwrap_or_default(),
        model.labels.len(),
        written.checkpoint.size_bytes()
    ))
}

/// Every tensor of the network.
fn converted(model: &Model, dtype: Dtype) -> Result<Vec<NewTensor<'static>>, String> {
    let network = model.network(model.input.side, model.input.side).map_err(|error| error.to_string())?;
    let converted = |(name, shape): (String, Vec<usize>)| {
        let values = model.checkpoint.read(&name).map_err(|error| error.to_string())?;
        let dtype = if shape.len() > 1 { dtype } else { Dtype::F32 };
        let largest = values.iter().fold(0f32, |largest, value| largest.max(value.abs()));
        if dtype == Dtype::F16 && f16::from_f32(largest).is_infinite() {
            return Err(format!("tensor `{name}` holds {largest}, too large for f16: use --dtype f32"));
        }
        if dtype == Dtype::F32 {
            return Ok(NewTensor::floats(name, shape, &values));
        }
        let bytes = values.iter().flat_map(|&value| f16::from_f32(value).to_le_bytes()).collect();
        Ok(NewTensor { name, dtype, shape, bytes })
    };
    network.steps.iter().flat_map(|step| model.checkpoint.expected_of(step)).map(converted).collect()
}

/// What Hugging Face's `config.json` says of the classes.
#[derive(Deserialize)]
struct HuggingFace {
    id2label: BTreeMap<String, String>,
}

fn read_labels(path: &str) -> Result<Vec<String>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    if text.trim_start().starts_with('[') {
        return serde_json::from_str(&text)
            .map_err(|error| format!("{path}: expected a JSON list of labels in class order: {error}"));
    }
    if text.trim_start().starts_with('{') {
        let config: HuggingFace = serde_json::from_str(&text)
            .map_err(|error| format!("{path}: expected Hugging Face's config with `id2label`: {error}"))?;
        let labels = (0..config.id2label.len()).map(|class| config.id2label.get(&class.to_string()).cloned());
        return labels.collect::<Option<_>>().ok_or_else(|| format!("{path}: `id2label` leaves classes out"));
    }
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect())
}
