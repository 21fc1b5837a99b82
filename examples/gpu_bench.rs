//! Times the WebGPU engine natively: each step on the device's own clock, whole runs on the wall's.
//!
//! `cargo run --release --example gpu_bench [-- VARIANT...] [--batches 1,64] [--side 224] [--kernels WORDS]...`
//! prints the device, the multiply-add rate it reaches in registers alone (its peak), and for each variant
//! (default 080) and batch the steps with their multiply-adds, milliseconds, GFLOP/s and share of that peak.
//! Each `--kernels` is measured in turn: `hardware` or `software`, `f32` or `f16` feature maps, Winograd's method
//! wherever it can be used (`winograd`) or nowhere (`direct`), such as `--kernels direct --kernels winograd,f16`.
//! On a machine without a GPU it measures the driver's CPU emulation.

#[path = "../tests/it/support/reference.rs"]
#[allow(dead_code, reason = "shared with the tests, which use more of it")]
mod reference;

#[path = "support/kernels.rs"]
mod kernels;

use g_ghostnet::arch::Network;
use g_ghostnet::config::{Config, architecture_of_variant};
use g_ghostnet::gpu::Gpu;
use g_ghostnet::model::{Model, Options};
use g_ghostnet::session::GpuSession;
use g_ghostnet::{Error, Result};
use kernels::{KERNELS, with_kernels};
use std::process::ExitCode;
use std::time::Instant;

/// Eight independent chains of multiply-adds in each invocation, nothing else.
const PEAK: &str = "
@group(0) @binding(0) var<storage, read_write> y: array<vec4<f32>>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let b = vec4(0.999);
  let c = vec4(f32(id.x % 7u));
  var a_0 = c; var a_1 = c + 1.0; var a_2 = c + 2.0; var a_3 = c + 3.0;
  var a_4 = c + 4.0; var a_5 = c + 5.0; var a_6 = c + 6.0; var a_7 = c + 7.0;
  for (var i = 0u; i < 1024u; i++) {
    a_0 = fma(a_0, b, c); a_1 = fma(a_1, b, c); a_2 = fma(a_2, b, c); a_3 = fma(a_3, b, c);
    a_4 = fma(a_4, b, c); a_5 = fma(a_5, b, c); a_6 = fma(a_6, b, c); a_7 = fma(a_7, b, c);
  }
  y[id.x % arrayLength(&y)] = a_0 + a_1 + a_2 + a_3 + a_4 + a_5 + a_6 + a_7;
}";
const PEAK_FLOPS: f64 = 64.0 * 1024.0 * 8.0 * 4.0 * 2.0;

struct Arguments {
    variants: Vec<String>,
    batches: Vec<usize>,
    side: usize,
    kernels: Vec<String>,
}

fn arguments() -> Option<Arguments> {
    let mut parsed = Arguments { variants: Vec::new(), batches: vec![1, 64], side: 224, kernels: Vec::new() };
    let mut rest = std::env::args().skip(1);
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--batches" => {
                let numbers: std::result::Result<_, _> = rest.next()?.split(',').map(str::parse).collect();
                parsed.batches = numbers.ok()?;
            }
            "--side" => parsed.side = rest.next()?.parse().ok()?,
            "--kernels" => parsed.kernels.push(rest.next()?),
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
        eprintln!("usage: gpu_bench [VARIANT...] [--batches 1,64] [--side 224] [--kernels {KERNELS}]...");
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
    let gpu = Gpu::request().await?;
    let peak = peak(&gpu);
    println!("{}: {peak:.0} GFLOP/s of multiply-adds at most", gpu.adapter());
    for variant in &arguments.variants {
        let model = model(variant)?;
        for words in &arguments.kernels {
            let gpu = with_kernels(gpu.clone(), words)?;
            let start = Instant::now();
            let mut session = GpuSession::new(&model, &gpu, |_| ()).await?;
            let chosen = if words.is_empty() { "the engine's choice" } else { words };
            println!("\n{variant}, kernels: {chosen}: loaded in {:.0} ms", milliseconds(start));
            for &batch in &arguments.batches {
                bench_batch(&mut session, &model, batch, arguments.side, peak).await?;
            }
        }
    }
    Ok(())
}

async fn bench_batch(
    session: &mut GpuSession,
    model: &Model,
    batch: usize,
    side: usize,
    peak: f64,
) -> Result<()> {
    let images = reference::unit("image", batch * 3 * side * side);
    let (dims, none) = ([batch, 3, side, side], &[] as &[&str]);
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

    let Some(program) = session.program() else { return Ok(()) };
    let part = &images[..program.batch() * 3 * side * side];
    let profile = match program.profile(session.gpu(), part, runs.min(20)).await {
        Ok(profile) => profile,
        Err(Error::Unsupported(why)) => {
            println!("{why}");
            return Ok(());
        }
        Err(error) => return Err(error),
    };
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
    Ok(())
}

/// GFLOP/s of multiply-adds without any memory.
fn peak(gpu: &Gpu) -> f64 {
    let device = gpu.device();
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some("peak"),
        source: wgpu::ShaderSource::Wgsl(PEAK.into()),
    });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some("peak"),
        layout: None,
        module: &module,
        entry_point: Some("main"),
        compilation_options: wgpu::PipelineCompilationOptions::default(),
        cache: None,
    });
    let buffer = device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("peak"),
        size: 1 << 20,
        usage: wgpu::BufferUsages::STORAGE,
        mapped_at_creation: false,
    });
    let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: Some("peak"),
        layout: &pipeline.get_bind_group_layout(0),
        entries: &[wgpu::BindGroupEntry { binding: 0, resource: buffer.as_entire_binding() }],
    });
    let run = |workgroups: u32| {
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            pass.set_pipeline(&pipeline);
            pass.set_bind_group(0, &bind_group, &[]);
            pass.dispatch_workgroups(workgroups, 1, 1);
        }
        let start = Instant::now();
        gpu.queue().submit([encoder.finish()]);
        // A failed wait shows as a failed run right after.
        let _ = device.poll(wgpu::PollType::wait_indefinitely());
        f64::from(workgroups) * PEAK_FLOPS / milliseconds(start) / 1e6
    };
    let mut workgroups = 8;
    run(workgroups);
    // Long enough that the submission itself does not count.
    while workgroups < 65_535 && f64::from(workgroups) * PEAK_FLOPS / run(workgroups) / 1e6 < 50.0 {
        workgroups = (2 * workgroups).min(65_535);
    }
    (0..5).map(|_| run(workgroups)).fold(0.0, f64::max)
}

fn milliseconds(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}

/// The variant with made-up weights: speed does not depend on them.
fn model(variant: &str) -> Result<Model> {
    let name = format!("g_ghost_regnetx_{variant}");
    let architecture = architecture_of_variant(&name)
        .ok_or_else(|| Error::BadModel(format!("there is no variant `{variant}`, expected 002 to 320")))?;
    let network = Network::new(&architecture, 1000, 224, 224)?;
    let checkpoint = reference::recipe_checkpoint(&network, "", str::to_owned, Config::default())?;
    Model::from_checkpoint(checkpoint, &Options::default())
}
