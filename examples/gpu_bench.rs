//! Times the WebGPU engine natively: each step on the device's own clock, whole runs on the wall's.
//!
//! `cargo run --release --example gpu_bench [-- VARIANT...] [--batches 1,64] [--side 224] [--kernels WORDS]...`
//! prints the device, the multiply-add rate it reaches in registers alone (its peak), and for each variant
//! (default 080) and batch the steps with their multiply-adds, milliseconds, GFLOP/s and share of that peak.
//! Each `--kernels` is measured in turn: `hardware` or `software`, `f32` or `f16` feature maps, Winograd's method
//! wherever it can be used (`winograd`) or nowhere (`direct`), such as `--kernels direct --kernels winograd,f16`.
//! On a machine without a GPU it measures the driver's CPU emulation. Beside that:
//! - `--json FILE` appends everything that is measured, one JSON object a line;
//! - `--adapters` lists the adapters and ends;
//! - `--peaks` measures the device alone: multiply-adds, copies, and what a dispatch costs;
//! - `--sweep SECONDS` measures tiles of the shared-memory convolution over the shapes of the variants instead of
//!   whole networks;
//! - `--export FOLDER` writes each variant as a model and as an ONNX file, with an input and its logits.

#[path = "../tests/it/support/reference.rs"]
#[allow(dead_code, reason = "shared with the tests, which use more of it")]
mod reference;

#[path = "support/kernels.rs"]
mod kernels;
#[path = "support/onnx.rs"]
mod onnx;
#[path = "support/peaks.rs"]
mod peaks;
#[path = "support/record.rs"]
mod record;
#[path = "support/sweep.rs"]
mod sweep;

use g_ghostnet::arch::Network;
use g_ghostnet::checkpoint::Checkpoint;
use g_ghostnet::config::{Config, architecture_of_variant};
use g_ghostnet::fold::expected_tensors;
use g_ghostnet::gpu::Gpu;
use g_ghostnet::model::{Model, Options};
use g_ghostnet::session::{CpuSession, GpuSession};
use g_ghostnet::{Error, Result};
use kernels::{KERNELS, with_kernels};
use record::Records;
use safetensors::tensor::TensorView;
use serde_json::json;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

struct Arguments {
    variants: Vec<String>,
    batches: Vec<usize>,
    side: usize,
    kernels: Vec<String>,
    adapters: bool,
    peaks: bool,
    sweep: Option<u64>,
    export: Option<String>,
    json: Option<String>,
}

fn arguments() -> Option<Arguments> {
    let mut parsed = Arguments {
        variants: Vec::new(),
        batches: vec![1, 64],
        side: 224,
        kernels: Vec::new(),
        adapters: false,
        peaks: false,
        sweep: None,
        export: None,
        json: None,
    };
    let mut rest = std::env::args().skip(1);
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--batches" => {
                let numbers: std::result::Result<_, _> = rest.next()?.split(',').map(str::parse).collect();
                parsed.batches = numbers.ok()?;
            }
            "--side" => parsed.side = rest.next()?.parse().ok()?,
            "--kernels" => parsed.kernels.push(rest.next()?),
            "--adapters" => parsed.adapters = true,
            "--peaks" => parsed.peaks = true,
            "--sweep" => parsed.sweep = Some(rest.next()?.parse().ok()?),
            "--export" => parsed.export = Some(rest.next()?),
            "--json" => parsed.json = Some(rest.next()?),
            variant if !variant.starts_with('-') => parsed.variants.push(variant.into()),
            _ => return None,
        }
    }
    if parsed.variants.is_empty() {
        parsed.variants.push("080".into());
    }
    if parsed.kernels.is_empty() {
        parsed.kernels.push(String::new());
    }
    Some(parsed)
}

fn main() -> ExitCode {
    let Some(arguments) = arguments() else {
        eprintln!(
            "usage: gpu_bench [VARIANT...] [--batches 1,64] [--side 224] [--kernels {KERNELS}]... [--json FILE] \
             [--adapters | --peaks | --sweep SECONDS | --export FOLDER]"
        );
        return ExitCode::from(2);
    };
    match pollster::block_on(bench(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gpu_bench: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn bench(arguments: &Arguments) -> Result<()> {
    let failed = |what: &str, error: &dyn std::fmt::Display| Error::Unsupported(format!("{what}: {error}"));
    let records = match &arguments.json {
        Some(path) => Records::append(path).map_err(|error| failed(path, &error))?,
        None => Records::default(),
    };
    if arguments.adapters {
        list_adapters(&records).await;
        return Ok(());
    }
    if let Some(folder) = &arguments.export {
        for variant in &arguments.variants {
            export(Path::new(folder), variant, arguments.side)
                .map_err(|error| failed(&format!("{folder}/{variant}"), &error))?;
        }
        return Ok(());
    }
    let gpu = Gpu::request().await?;
    if arguments.peaks {
        return measure_peaks(&gpu, &records);
    }
    if let Some(seconds) = arguments.sweep {
        let networks = arguments
            .variants
            .iter()
            .map(|variant| Ok((variant.clone(), network(variant, arguments.side)?)))
            .collect::<Result<Vec<_>>>()?;
        // As much time for each.
        let time = Duration::from_secs(seconds) / arguments.kernels.len() as u32;
        for words in &arguments.kernels {
            let gpu = with_kernels(gpu.clone(), words)?;
            sweep::sweep(&gpu, &networks, &arguments.batches, time, &records)?;
        }
        return Ok(());
    }
    let peak = peaks::peak(&gpu);
    println!("{}: {peak:.0} GFLOP/s of multiply-adds at most", gpu.adapter());
    for variant in &arguments.variants {
        let model = model(variant)?;
        for words in &arguments.kernels {
            let gpu = with_kernels(gpu.clone(), words)?;
            let start = Instant::now();
            let mut session = GpuSession::new(&model, &gpu, |_| ()).await?;
            let load = milliseconds(start);
            let chosen = if words.is_empty() { "the engine's choice" } else { words };
            println!("\n{variant}, kernels: {chosen}: loaded in {load:.0} ms");
            records.add(&json!({"kind": "load", "variant": variant, "kernels": words, "milliseconds": load}));
            for &batch in &arguments.batches {
                let names = json!({"kind": "network", "variant": variant, "kernels": words, "batch": batch, "peak": peak});
                bench_batch(&mut session, &model, batch, arguments.side, peak, names, &records).await?;
            }
        }
    }
    Ok(())
}

/// Every adapter of the system, and how many seconds a device of the preferred one takes.
async fn list_adapters(records: &Records) {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapters = instance.enumerate_adapters(wgpu::Backends::all()).await;
    if adapters.is_empty() {
        println!(
            "no adapter: no Vulkan loader (libvulkan.so.1) or no driver for it (icd.d/*.json) was found"
        );
    }
    for adapter in adapters {
        let info = adapter.get_info();
        let limits = adapter.limits();
        let features = adapter.features();
        println!("{info:?}\n  features: {features:?}");
        records.add(&json!({
            "kind": "adapter", "name": info.name, "vendor": info.vendor, "device": info.device,
            "type": format!("{:?}", info.device_type), "driver": info.driver, "driver_info": info.driver_info,
            "backend": format!("{:?}", info.backend), "f16": features.contains(wgpu::Features::SHADER_F16),
            "timestamps": features.contains(wgpu::Features::TIMESTAMP_QUERY),
            "largest_binding": limits.max_storage_buffer_binding_size,
            "workgroup_bytes": limits.max_compute_workgroup_storage_size,
            "workgroup_invocations": limits.max_compute_invocations_per_workgroup,
        }));
    }
    let start = Instant::now();
    match Gpu::request().await {
        Ok(gpu) => {
            println!("preferred: {}, a device in {:.0} ms", gpu.adapter(), milliseconds(start));
            records.add(
                &json!({"kind": "preferred", "name": gpu.adapter(), "milliseconds": milliseconds(start)}),
            );
        }
        Err(error) => println!("no device: {error}"),
    }
}

fn measure_peaks(gpu: &Gpu, records: &Records) -> Result<()> {
    let limits = gpu.device().limits();
    let largest = limits.max_buffer_size.min(limits.max_storage_buffer_binding_size);
    let large = if gpu.target() == g_ghostnet::gpu::kernels::Target::Software { 1 << 24 } else { 1 << 29 };
    let (f32, f16, int8) = (peaks::peak(gpu), peaks::peak_f16(gpu), peaks::peak_int8(gpu));
    let copy = peaks::copy_rate(gpu, largest.min(large));
    let copy_small = peaks::copy_rate(gpu, 1 << 23);
    let (dispatch, submission) = peaks::latencies(gpu);
    gpu.check_alive()?;
    println!(
        "{}: f32 {f32:.0} GFLOP/s, f16 {}, int8 {int8:.0} GOP/s, copies {copy:.0} GB/s (8 MiB: {copy_small:.0}), a \
         dispatch {dispatch:.2} us, a submission {submission:.0} us",
        gpu.adapter(),
        f16.map_or("none".into(), |f16| format!("{f16:.0} GFLOP/s"))
    );
    records.add(&json!({
        "kind": "peaks", "adapter": gpu.adapter(), "f32_gflops": f32, "f16_gflops": f16, "int8_gops": int8,
        "copy_gb_s": copy, "copy_8mib_gb_s": copy_small, "dispatch_us": dispatch, "submission_us": submission,
    }));
    Ok(())
}

/// Files of a variant for its peers and for this library's package.
fn export(folder: &Path, variant: &str, side: usize) -> std::result::Result<(), Box<dyn std::error::Error>> {
    std::fs::create_dir_all(folder)?;
    let write = |end: &str, bytes: &[u8]| std::fs::write(folder.join(format!("{variant}.{end}")), bytes);
    let model = model(variant)?;
    let network = network(variant, side)?;
    write("safetensors", &stored(&network, &model.checkpoint)?)?;
    write("onnx", &onnx::onnx(&network, &model.checkpoint, false)?)?;
    write("f16.onnx", &onnx::onnx(&network, &model.checkpoint, true)?)?;
    let image = reference::unit("image", 3 * side * side);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let outputs = CpuSession::new(&model, threads)?.run(&image, [1, 3, side, side], &[] as &[&str])?;
    write("in.f32", bytemuck::cast_slice(&image))?;
    write("out.f32", bytemuck::cast_slice(&outputs.logits))?;
    println!("{variant} written");
    Ok(())
}

/// A checkpoint as a safetensors file.
fn stored(
    network: &Network,
    checkpoint: &Checkpoint,
) -> std::result::Result<Vec<u8>, Box<dyn std::error::Error>> {
    let tensors = expected_tensors(network)
        .into_iter()
        .map(|(name, shape)| Ok((checkpoint.read(&name)?, name, shape)))
        .collect::<Result<Vec<_>>>()?;
    let views = tensors
        .iter()
        .map(|(numbers, name, shape)| {
            let bytes = bytemuck::cast_slice(numbers);
            Ok((name, TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes)?))
        })
        .collect::<std::result::Result<Vec<_>, safetensors::SafeTensorError>>()?;
    Ok(safetensors::serialize(views, None)?)
}

async fn bench_batch(
    session: &mut GpuSession,
    model: &Model,
    batch: usize,
    side: usize,
    peak: f64,
    mut record: serde_json::Value,
    records: &Records,
) -> Result<()> {
    let images = reference::unit("image", batch * 3 * side * side);
    let (dims, none) = ([batch, 3, side, side], &[] as &[&str]);
    let start = Instant::now();
    session.run(&images, dims, none).await?;
    record["first_ms"] = json!(milliseconds(start));
    let start = Instant::now();
    session.run(&images, dims, none).await?;
    // Half a second of runs, three at least.
    let runs = (500.0 / milliseconds(start)).clamp(3.0, 200.0) as usize;
    let mut times = Vec::with_capacity(runs);
    for _ in 0..runs {
        let start = Instant::now();
        session.run(&images, dims, none).await?;
        times.push(milliseconds(start));
    }
    times.sort_by(f64::total_cmp);
    let median = times[runs / 2];
    let flops = 2.0 * model.network(side, side)?.macs() as f64 * batch as f64;
    let rate = flops / median / 1e6;
    println!(
        "batch {batch} at {side} x {side}: {median:.2} ms with upload and read-back (fastest {:.2}), {rate:.0} GFLOP/s, {:.0}% of the peak",
        times[0],
        100.0 * rate / peak
    );

    record["side"] = json!(side);
    record["wall_ms"] = json!(median);
    record["fastest_ms"] = json!(times[0]);
    record["macs"] = json!(model.network(side, side)?.macs() * batch as u64);
    let Some(program) = session.program() else { return Ok(()) };
    let part = &images[..program.batch() * 3 * side * side];
    let profile = match program.profile(session.gpu(), part, runs.min(20)).await {
        Ok(profile) => profile,
        Err(Error::Unsupported(why)) => {
            println!("{why}");
            records.add(&record);
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let whole = program.device_time(session.gpu(), part, runs.min(20)).await?;
    let total: f64 = profile.iter().map(|step| step.milliseconds).sum();
    for step in &profile {
        let rate = 2.0 * step.macs as f64 / step.milliseconds / 1e6;
        println!(
            "  {:28} {:32} {:10.2} MMAC {:9.3} ms {rate:9.0} GFLOP/s {:5.1}%",
            step.name,
            step.kernel,
            step.macs as f64 / 1e6,
            step.milliseconds,
            100.0 * rate / peak
        );
    }
    let macs: u64 = profile.iter().map(|step| step.macs).sum();
    let rate = 2.0 * macs as f64 / total / 1e6;
    println!(
        "  on the device, {} images: {total:.3} ms, {rate:.0} GFLOP/s, {:.1}% of the peak",
        program.batch(),
        100.0 * rate / peak
    );
    let rate = 2.0 * macs as f64 / whole / 1e6;
    println!(
        "  in one pass of {} dispatches: {whole:.3} ms, {rate:.0} GFLOP/s, {:.1}% of the peak",
        program.dispatches(),
        100.0 * rate / peak
    );
    record["images"] = json!(program.batch());
    record["steps_ms"] = json!(total);
    record["device_ms"] = json!(whole);
    record["dispatches"] = json!(program.dispatches());
    // Each part of a batch is one.
    record["submissions"] = json!(batch.div_ceil(program.batch()));
    let steps = profile.iter().map(|step| json!([step.name, step.kernel, step.macs, step.milliseconds]));
    record["steps"] = steps.collect();
    records.add(&record);
    Ok(())
}

fn milliseconds(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}

/// A published variant for pictures of such a side.
fn network(variant: &str, side: usize) -> Result<Network> {
    let architecture = architecture_of_variant(&format!("g_ghost_regnetx_{variant}"))
        .ok_or_else(|| Error::BadModel(format!("there is no variant `{variant}`, expected 002 to 320")))?;
    Network::new(&architecture, 1000, side, side)
}

/// The variant with made-up weights: speed does not depend on them.
fn model(variant: &str) -> Result<Model> {
    let network = network(variant, 224)?;
    let checkpoint = reference::recipe_checkpoint(&network, "", str::to_owned, Config::default())?;
    Model::from_checkpoint(checkpoint, &Options::default())
}
