//! What a card does at most: multiply-adds in registers alone, copies, and what a dispatch and a submission cost.

use g_ghostnet::gpu::Gpu;
use std::time::Instant;

const ROUNDS: u32 = 1024;

/// Eight independent chains of multiply-adds of 4 numbers in each invocation, nothing else.
fn chains(enable: &str, number: &str, update: &str) -> String {
    let vector = format!("vec4<{number}>");
    let lines = |line: &dyn Fn(usize) -> String| (0..8).map(line).collect::<Vec<_>>().join("\n  ");
    let first = lines(&|i| format!("var a_{i} = c + {vector}({number}({i}));"));
    let next = lines(&|i| update.replace("$", &format!("a_{i}")));
    let sum = (0..8).map(|i| format!("a_{i}")).collect::<Vec<_>>().join(" + ");
    format!(
        "{enable}
@group(0) @binding(0) var<storage, read_write> y: array<vec4<f32>>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
  let c = {vector}({number}(id.x % 7u));
  let b = c * {number}(0.01) + {vector}({number}(0.9));
  {first}
  for (var i = 0u; i < {ROUNDS}u; i++) {{
  {next}
  }}
  y[id.x % arrayLength(&y)] = vec4<f32>({sum});
}}"
    )
}

/// Operations of a workgroup of [`chains`]: 8 chains of 4 multiply-adds.
const CHAIN_OPERATIONS: f64 = 64.0 * ROUNDS as f64 * 8.0 * 4.0 * 2.0;

const INTEGERS: &str = "
@group(0) @binding(0) var<storage, read_write> y: array<vec4<i32>>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let b = id.x * 2654435761u;
  var s_0 = vec4(i32(id.x)); var s_1 = s_0 + 1; var s_2 = s_0 + 2; var s_3 = s_0 + 3;
  for (var i = 0u; i < 1024u; i++) {
    s_0 += vec4(dot4I8Packed(u32(s_0.x), b), dot4I8Packed(u32(s_0.y), b), dot4I8Packed(u32(s_0.z), b), dot4I8Packed(u32(s_0.w), b));
    s_1 += vec4(dot4I8Packed(u32(s_1.x), b), dot4I8Packed(u32(s_1.y), b), dot4I8Packed(u32(s_1.z), b), dot4I8Packed(u32(s_1.w), b));
    s_2 += vec4(dot4I8Packed(u32(s_2.x), b), dot4I8Packed(u32(s_2.y), b), dot4I8Packed(u32(s_2.z), b), dot4I8Packed(u32(s_2.w), b));
    s_3 += vec4(dot4I8Packed(u32(s_3.x), b), dot4I8Packed(u32(s_3.y), b), dot4I8Packed(u32(s_3.z), b), dot4I8Packed(u32(s_3.w), b));
  }
  y[id.x % arrayLength(&y)] = s_0 + s_1 + s_2 + s_3;
}";
/// 16 products of 4 multiply-adds.
const INTEGER_OPERATIONS: f64 = 64.0 * 1024.0 * 16.0 * 4.0 * 2.0;

const COPY: &str = "
@group(0) @binding(0) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) n: vec3<u32>) {
  for (var i = id.x; i < arrayLength(&x); i += 256u * n.x) {
    y[i] = x[i] + 1.0;
  }
}";

const TOUCH: &str = "
@group(0) @binding(0) var<storage, read_write> y: array<vec4<f32>>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32) { y[lane] += 1.0; }";

/// A kernel with its buffers.
struct Ready {
    pipeline: wgpu::ComputePipeline,
    bind_group: wgpu::BindGroup,
}

impl Ready {
    fn new(gpu: &Gpu, source: &str, sizes: &[u64]) -> Ready {
        let device = gpu.device();
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: None,
            source: wgpu::ShaderSource::Wgsl(source.into()),
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            cache: None,
        });
        let buffers: Vec<_> = sizes
            .iter()
            .map(|&size| {
                device.create_buffer(&wgpu::BufferDescriptor {
                    label: None,
                    size,
                    usage: wgpu::BufferUsages::STORAGE,
                    mapped_at_creation: false,
                })
            })
            .collect();
        let entries: Vec<_> = (0..)
            .zip(&buffers)
            .map(|(binding, buffer)| wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() })
            .collect();
        let layout = pipeline.get_bind_group_layout(0);
        let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &layout,
            entries: &entries,
        });
        Ready { pipeline, bind_group }
    }

    /// Milliseconds of some dispatches in one pass, waiting for them included.
    fn run(&self, gpu: &Gpu, workgroups: u32, dispatches: u32) -> f64 {
        let start = Instant::now();
        let mut encoder = gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            pass.set_pipeline(&self.pipeline);
            pass.set_bind_group(0, &self.bind_group, &[]);
            for _ in 0..dispatches {
                pass.dispatch_workgroups(workgroups, 1, 1);
            }
        }
        gpu.queue().submit([encoder.finish()]);
        // A failed wait shows as a failed run right after.
        let _ = gpu.device().poll(wgpu::PollType::wait_indefinitely());
        start.elapsed().as_secs_f64() * 1e3
    }

    /// Best rate in units a second, of runs so long that the submission itself does not count.
    fn rate(&self, gpu: &Gpu, per_workgroup: f64) -> f64 {
        let mut workgroups = 8;
        self.run(gpu, workgroups, 1);
        while workgroups < 65_535 && self.run(gpu, workgroups, 1) < 30.0 {
            workgroups = (2 * workgroups).min(65_535);
        }
        let fastest = (0..5).map(|_| self.run(gpu, workgroups, 1)).fold(f64::INFINITY, f64::min);
        f64::from(workgroups) * per_workgroup / fastest * 1e3
    }
}

/// GFLOP/s of multiply-adds of f32 without any memory.
pub fn peak(gpu: &Gpu) -> f64 {
    Ready::new(gpu, &chains("", "f32", "$ = fma($, b, c);"), &[1 << 20]).rate(gpu, CHAIN_OPERATIONS) / 1e9
}

/// The same of f16; none where the device has none.
pub fn peak_f16(gpu: &Gpu) -> Option<f64> {
    gpu.device().features().contains(wgpu::Features::SHADER_F16).then(|| {
        let source = chains("enable f16;", "f16", "$ = fma($, b, c);");
        Ready::new(gpu, &source, &[1 << 20]).rate(gpu, CHAIN_OPERATIONS) / 1e9
    })
}

/// Giga-operations a second of products of four bytes with four, a multiplication and an addition each.
pub fn peak_int8(gpu: &Gpu) -> f64 {
    Ready::new(gpu, INTEGERS, &[1 << 20]).rate(gpu, INTEGER_OPERATIONS) / 1e9
}

/// GB/s read and written, of buffers of so many bytes.
pub fn copy_rate(gpu: &Gpu, bytes: u64) -> f64 {
    let ready = Ready::new(gpu, COPY, &[bytes, bytes]);
    let workgroups = (bytes / 16 / 256).min(16_384) as u32;
    let mut dispatches = 1;
    ready.run(gpu, workgroups, dispatches);
    while dispatches < 4096 && ready.run(gpu, workgroups, dispatches) < 30.0 {
        dispatches *= 2;
    }
    let fastest = (0..5).map(|_| ready.run(gpu, workgroups, dispatches)).fold(f64::INFINITY, f64::min);
    2.0 * bytes as f64 * f64::from(dispatches) / fastest / 1e6
}

/// Microseconds of a dispatch that does almost nothing, each waiting for the one before, and of a submission of one.
pub fn latencies(gpu: &Gpu) -> (f64, f64) {
    let ready = Ready::new(gpu, TOUCH, &[1024]);
    ready.run(gpu, 1, 1);
    let fastest = |dispatches| (0..20).map(|_| ready.run(gpu, 1, dispatches)).fold(f64::INFINITY, f64::min);
    let (one, many) = (fastest(1), fastest(1001));
    (many - one, one * 1e3)
}
