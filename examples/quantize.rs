//! Makes a model of eight bits: a quarter of the size of floats, and faster on the processor.
//!
//! `cargo run --release --example quantize -- MODEL.safetensors --calibrate IMAGES [-o OUT] [--count N] [--validate IMAGES]`
//!
//! The pictures (JPEG, PNG or WebP) of a folder, those of folders in it too, are to be like those that the model will
//! see; N of them (128 unless told otherwise), spread evenly, tell the range of each convolution's input.
//! Pictures to validate on lie in folders named by the labels, `_` for a space; both models' top-1 is printed.

mod support;
#[path = "support/write.rs"]
mod write;

use g_ghostnet::image::preprocess;
use g_ghostnet::model::{Model, Options, top};
use g_ghostnet::quantize::Calibration;
use g_ghostnet::session::CpuSession;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str =
    "usage: quantize MODEL.safetensors --calibrate IMAGES [-o OUT] [--count N] [--validate IMAGES]";

struct Arguments {
    input: PathBuf,
    output: PathBuf,
    images: PathBuf,
    count: usize,
    validate: Option<PathBuf>,
}

impl Arguments {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Option<Arguments> {
        let (mut input, mut output, mut images, mut count, mut validate) = (None, None, None, 128, None);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--calibrate" => images = Some(arguments.next()?.into()),
                "--validate" => validate = Some(arguments.next()?.into()),
                "-o" => output = Some(arguments.next()?.into()),
                "--count" => count = arguments.next()?.parse().ok().filter(|&count| count > 0)?,
                option if option.starts_with('-') => return None,
                _ if input.is_none() => input = Some(PathBuf::from(argument)),
                _ => return None,
            }
        }
        let input = input?;
        let output = output.unwrap_or_else(|| {
            let stem = input.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            input.with_file_name(format!("{stem}-int8.safetensors"))
        });
        Some(Arguments { input, output, images: images?, count, validate })
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

fn run(Arguments { input, output, images, count, validate }: &Arguments) -> Result<String, String> {
    let model = support::read_model(input, &Options::default())?;
    let files = pictures_in(images)?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let text = |error: g_ghostnet::Error| error.to_string();
    let mut calibration = Calibration::new(&model, threads).map_err(text)?;
    for file in files.iter().step_by(files.len().div_ceil(*count)) {
        calibration.add(&read_input(file, &model)?).map_err(text)?;
    }
    let bytes = calibration.finish().map_err(text)?;
    let quantized = write::write_model(output, bytes, &model)?;
    let mut line = format!(
        "{}: {} bytes, {:.0}% of {}",
        output.display(),
        quantized.checkpoint.size_bytes(),
        100.0 * quantized.checkpoint.size_bytes() as f64 / model.checkpoint.size_bytes() as f64,
        input.display(),
    );
    if let Some(folder) = validate {
        let files = pictures_in(folder)?;
        let [before, after] = right(&[&model, &quantized], &files, threads)?;
        let percent = |right: usize| 100.0 * right as f64 / files.len() as f64;
        line +=
            &format!("; top-1 of {} pictures {:.2}% -> {:.2}%", files.len(), percent(before), percent(after));
    }
    Ok(line)
}

/// How many pictures each model knows.
fn right(models: &[&Model; 2], files: &[PathBuf], threads: usize) -> Result<[usize; 2], String> {
    let text = |error: g_ghostnet::Error| error.to_string();
    let [a, b] = models.map(|model| CpuSession::new(model, threads));
    let (mut sessions, mut right) = ([a.map_err(text)?, b.map_err(text)?], [0; 2]);
    let side = models[0].input.side;
    for file in files {
        let input = read_input(file, models[0])?;
        let folder = file.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
        for ((session, model), right) in sessions.iter_mut().zip(models).zip(&mut right) {
            let outputs = session.run::<&str>(&input, [1, 3, side, side], &[]).map_err(text)?;
            let label = &model.labels[top(&outputs.logits, 1)[0]];
            *right += usize::from(label.replace(' ', "_") == folder);
        }
    }
    Ok(right)
}

/// The pictures of a folder in the order of their names.
fn pictures_in(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        let failed = |error| format!("{}: {error}", folder.display());
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
            if path.is_dir() {
                folders.push(path);
            } else if ["jpg", "jpeg", "png", "webp"].contains(&extension.as_str()) {
                files.push(path);
            }
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(format!("{}: no JPEG, PNG or WebP picture in it", folder.display()));
    }
    Ok(files)
}

fn read_input(file: &Path, model: &Model) -> Result<Vec<f32>, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let picture = image::open(file).map_err(|error| failed(&error))?.into_rgba8();
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    preprocess(&picture, width, height, &model.input).map_err(|error| failed(&error))
}
