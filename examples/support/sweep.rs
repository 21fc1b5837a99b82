//! Tiles of the shared-memory convolution, measured over the shapes of the networks: each is a kernel made from a
//! few numbers, held against the engine's own before it is timed.

use crate::record::Records;
use g_ghostnet::arch::{Network, Op};
use g_ghostnet::gpu::Gpu;
use g_ghostnet::gpu::kernels::{Float, Kernel, Target, shader};
use g_ghostnet::gpu::shapes::{Shapes, pitch};
use g_ghostnet::{Error, Result};
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

/// How a tile multiplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Products {
    /// Products of 4 x 4 matrices.
    Matrix,
    /// Fused multiply-adds of vectors.
    Fused,
    /// The same with what is shared in f16.
    SharedHalf,
    /// In f16, summed in f16 over one load and in f32 over the loads.
    Half,
}

/// A workgroup's tile: `4 * blocks * rows` outputs by `4 * quads * columns` pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Tile {
    /// Of 4 outputs, of an invocation.
    blocks: u32,
    /// Of 4 pixels, of an invocation.
    quads: u32,
    /// Of invocations.
    rows: u32,
    /// Of invocations.
    columns: u32,
    /// Invocations that share an output: each sums its part of the inputs.
    slices: u32,
    /// Blocks of 4 inputs loaded at a time.
    depth: u32,
    products: Products,
}

impl Tile {
    const fn of([blocks, quads, rows, columns, slices, depth]: [u32; 6], products: Products) -> Tile {
        Tile { blocks, quads, rows, columns, slices, depth, products }
    }

    fn name(self) -> String {
        let Tile { blocks, quads, rows, columns, slices, depth, products } = self;
        let (outputs, pixels) = (4 * blocks * rows, 4 * quads * columns);
        let each = format!("{}x{}", 4 * blocks, 4 * quads);
        format!("{outputs}x{pixels} each {each} slices {slices} depth {depth} {products:?}")
    }

    fn invocations(self) -> u32 {
        self.rows * self.columns * self.slices
    }

    fn workgroups(self, step: &Shapes) -> u64 {
        let pixels = u64::from(step.quads().div_ceil(self.quads * self.columns));
        pixels
            * u64::from(step.groups)
            * u64::from(step.y_channels.div_ceil(4).div_ceil(self.blocks * self.rows))
    }

    /// The kernel after the files before it; see `shaders/conv_shared.wgsl`.
    fn source(self) -> String {
        let Tile { blocks, quads, rows, columns, slices, depth, products } = self;
        let shared = match products {
            Products::Matrix | Products::Fused => "f32",
            Products::SharedHalf | Products::Half => "f16",
        };
        let each = |line: &dyn Fn(u32, u32) -> String| -> String {
            (0..blocks).flat_map(|b| (0..quads).map(move |q| (b, q))).map(|(b, q)| line(b, q)).collect()
        };
        let number = if products == Products::Half { "f16" } else { "f32" };
        let read = |of: &str| match products {
            Products::SharedHalf => format!("vec4<f32>({of})"),
            _ => of.to_owned(),
        };
        let mut inner = String::new();
        for b in 0..blocks {
            inner += &format!("let at_w{b} = 4u * ((row + {b}u * ROWS) * DEPTH + block);\n");
            for o in 0..4 {
                inner += &format!("let w_{b}_{o} = {};\n", read(&format!("shared_weights[at_w{b} + {o}u]")));
            }
        }
        for q in 0..quads {
            inner += &format!("let at_x{q} = 4u * block * TILE_QUADS + column + {q}u * COLUMNS;\n");
            for i in 0..4 {
                inner += &format!(
                    "let x_{q}_{i} = {};\n",
                    read(&format!("shared_x[at_x{q} + {i}u * TILE_QUADS]"))
                );
            }
        }
        inner += &each(&|b, q| match products {
            Products::Matrix => format!(
                "s_{b}_{q} += mat4x4(x_{q}_0, x_{q}_1, x_{q}_2, x_{q}_3) * mat4x4(w_{b}_0, w_{b}_1, w_{b}_2, w_{b}_3);\n"
            ),
            _ => {
                let sum = if products == Products::Half { "h" } else { "s" };
                (0..4)
                    .flat_map(|i| (0..4).map(move |o| (i, o)))
                    .map(|(i, o)| {
                        let to = format!("{sum}_{b}_{q}[{o}]");
                        format!("{to} = fma(x_{q}_{i}, vec4<{number}>(w_{b}_{o}[{i}]), {to});\n")
                    })
                    .collect()
            }
        });
        let sums = each(&|b, q| format!("var s_{b}_{q} = mat4x4<f32>();\n"));
        let (begin, end) = if products == Products::Half {
            let begin = each(&|b, q| format!("var h_{b}_{q} = mat4x4<f16>();\n"));
            let end = each(&|b, q| {
                (0..4).map(|o| format!("s_{b}_{q}[{o}] += vec4<f32>(h_{b}_{q}[{o}]);\n")).collect::<String>()
            });
            (begin, end)
        } else {
            (String::new(), String::new())
        };
        let (partial, together) = if slices > 1 {
            let at = |b: u32, q: u32| format!("partial[{}u * LANES + lane % LANES]", b * quads + q);
            let give = each(&|b, q| format!("{} = s_{b}_{q};\n", at(b, q)));
            let take = each(&|b, q| format!("s_{b}_{q} += {};\n", at(b, q)));
            (
                format!("var<workgroup> partial: array<mat4x4<f32>, {}>;", blocks * quads * rows * columns),
                format!(
                    "for (var other = 1u; other < SLICES; other++) {{
    if slice == other {{ {give} }}
    workgroupBarrier();
    if slice == 0u {{ {take} }}
    workgroupBarrier();
  }}"
                ),
            )
        } else {
            (String::new(), String::new())
        };
        let stores = (0..quads)
            .map(|q| {
                let of_blocks: String = (0..blocks)
                    .flat_map(|b| (0..4).map(move |o| (b, o)))
                    .map(|(b, o)| {
                        format!("store(end_{q}, channel + {}u * ROWS + {o}u, s_{b}_{q}[{o}]);\n", 4 * b)
                    })
                    .collect();
                format!("let end_{q} = end_of(group, first_quad + column + {q}u * COLUMNS);\n{of_blocks}")
            })
            .collect::<String>();
        format!(
            "const ROWS = {rows}u;
const COLUMNS = {columns}u;
const SLICES = {slices}u;
const DEPTH = {depth}u;
const LANES = ROWS * COLUMNS;
const INVOCATIONS = LANES * SLICES;
const TILE_BLOCKS = {blocks}u * ROWS;
const TILE_QUADS = {quads}u * COLUMNS;
var<workgroup> shared_weights: array<vec4<{shared}>, {weights_length}>;
var<workgroup> shared_x: array<vec4<{shared}>, {x_length}>;
{partial}
@compute @workgroup_size({invocations})
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {{
  let tiles = (blocks_out() + TILE_BLOCKS - 1u) / TILE_BLOCKS;
  let index = index_of(workgroup, workgroups);
  let first_block = index % tiles * TILE_BLOCKS;
  let group = index / tiles % shapes.groups;
  let first_quad = index / tiles / shapes.groups * TILE_QUADS;
  let own_quad = lane % TILE_QUADS;
  let own_window = window_of(group, min(first_quad + own_quad, quads() - 1u));
  let slice = lane / LANES;
  let column = lane % LANES % COLUMNS;
  let row = lane % LANES / COLUMNS;
  {sums}
  let taps = shapes.kernel * shapes.kernel;
  for (var tap = 0u; tap < taps; tap++) {{
    let window = under(own_window, tap / shapes.kernel, tap % shapes.kernel);
    for (var first = 0u; first < blocks_in(); first += DEPTH) {{
      for (var i = lane; i < 4u * TILE_BLOCKS * DEPTH; i += INVOCATIONS) {{
        let output = first_block + i / 4u / DEPTH;
        let input = first + i / 4u % DEPTH;
        var part = vec4<f32>();
        if output < blocks_out() && input < blocks_in() {{
          part = weight_column(4u * (((group * blocks_out() + output) * taps + tap) * blocks_in() + input) + i % 4u);
        }}
        shared_weights[i] = vec4<{shared}>(part);
      }}
      for (var i = lane / TILE_QUADS; i < 4u * DEPTH; i += INVOCATIONS / TILE_QUADS) {{
        shared_x[i * TILE_QUADS + own_quad] = vec4<{shared}>(load(window, 4u * first + i));
      }}
      workgroupBarrier();
      {begin}
      for (var block = slice; block < DEPTH; block += SLICES) {{
        {inner}
      }}
      {end}
      workgroupBarrier();
    }}
  }}
  {together}
  if slice == 0u {{
    let channel = 4u * (first_block + row);
    {stores}
  }}
}}
",
            weights_length = 4 * blocks * rows * depth,
            x_length = 4 * depth * quads * columns,
            invocations = self.invocations(),
        )
    }
}

const WEIGHTS_F32: &str = "
@group(0) @binding(2) var<storage, read> weights: array<vec4<f32>>;
fn weight_column(index: u32) -> vec4<f32> { return weights[index]; }
";
const WEIGHTS_F16: &str = "
@group(0) @binding(2) var<storage, read> weights: array<vec2<u32>>;
fn weight_column(index: u32) -> vec4<f32> {
  let pair = weights[index];
  return vec4(unpack2x16float(pair.x), unpack2x16float(pair.y));
}
";

/// Tiles of blocks, quads, rows, columns, slices and depth.
const TILES: [[u32; 6]; 27] = [
    [1, 1, 8, 8, 1, 4],   // 32 x 32
    [1, 1, 8, 8, 2, 4],   // 32 x 32
    [1, 1, 8, 8, 4, 4],   // 32 x 32
    [1, 1, 4, 8, 4, 4],   // 16 x 32
    [1, 1, 4, 16, 1, 4],  // 16 x 64
    [1, 1, 4, 16, 4, 4],  // 16 x 64
    [2, 1, 8, 8, 1, 4],   // 64 x 32
    [2, 1, 8, 8, 4, 4],   // 64 x 32
    [1, 2, 8, 8, 1, 4],   // 32 x 64
    [1, 2, 8, 8, 2, 4],   // 32 x 64
    [1, 1, 16, 16, 1, 4], // 64 x 64
    [2, 2, 8, 8, 1, 4],   // 64 x 64
    [2, 2, 8, 8, 1, 2],   // 64 x 64
    [2, 2, 8, 8, 2, 4],   // 64 x 64
    [2, 2, 16, 8, 1, 4],  // 128 x 64
    [2, 2, 8, 16, 1, 4],  // 64 x 128
    [2, 2, 16, 16, 1, 4], // 128 x 128
    [2, 2, 16, 16, 1, 2], // 128 x 128
    [2, 4, 8, 8, 1, 2],   // 64 x 128
    [1, 2, 4, 16, 1, 4],  // 16 x 128
    [1, 4, 4, 16, 1, 4],  // 16 x 256
    [1, 2, 8, 16, 1, 4],  // 32 x 128
    [2, 2, 4, 16, 1, 2],  // 32 x 128
    [1, 1, 6, 16, 1, 3],  // 24 x 64
    [1, 2, 6, 16, 1, 3],  // 24 x 128
    [2, 1, 6, 16, 1, 3],  // 48 x 64
    [2, 1, 7, 16, 1, 2],  // 56 x 64
];

fn candidates(values: Float) -> Vec<Tile> {
    let mut tiles: Vec<_> = TILES.iter().map(|&tile| Tile::of(tile, Products::Fused)).collect();
    tiles.push(Tile::of([2, 2, 8, 8, 1, 4], Products::Matrix));
    if values == Float::F16 {
        for tile in [
            [1, 1, 8, 8, 1, 4],
            [1, 1, 8, 8, 4, 4],
            [2, 2, 8, 8, 1, 4],
            [2, 2, 16, 16, 1, 4],
            [1, 2, 8, 16, 1, 4],
            [1, 2, 6, 16, 1, 3],
        ] {
            tiles.extend([Products::SharedHalf, Products::Half].map(|products| Tile::of(tile, products)));
        }
    }
    tiles
}

/// What is measured for a shape: the engine's kernel, or a tile of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Candidate {
    Engine(Kernel),
    /// `conv_registers` in workgroups of so many.
    Registers(u32),
    Tile(Tile),
}

impl Candidate {
    fn name(self) -> String {
        match self {
            Candidate::Engine(kernel) => format!("engine {kernel:?}"),
            Candidate::Registers(lanes) => format!("registers of {lanes} lanes"),
            Candidate::Tile(tile) => tile.name(),
        }
    }

    fn workgroups(self, step: &Shapes) -> u64 {
        match self {
            Candidate::Engine(kernel) => kernel.workgroups(Target::Hardware, step),
            Candidate::Registers(lanes) => {
                let pairs = step.quads().div_ceil(2) * step.y_channels.div_ceil(4).div_ceil(2);
                (u64::from(pairs) * u64::from(step.groups)).div_ceil(u64::from(lanes))
            }
            Candidate::Tile(tile) => tile.workgroups(step),
        }
    }

    fn source(self, values: Float, pointwise: bool) -> String {
        let begin = match values {
            Float::F32 => "values_f32",
            Float::F16 => "values_f16",
        };
        let load = if pointwise { "load_pointwise" } else { "load_spatial" };
        match self {
            Candidate::Engine(kernel) => kernel.source(values),
            Candidate::Registers(_) => {
                let weights = match values {
                    Float::F32 => "weights_f32",
                    Float::F16 => "weights_f16",
                };
                [begin, "shapes", weights, load, "finish", "conv_registers"].map(shader).join("\n")
            }
            Candidate::Tile(tile) => {
                let weights = match values {
                    Float::F32 => WEIGHTS_F32,
                    Float::F16 => WEIGHTS_F16,
                };
                let parts = [shader(begin), shader("shapes"), weights, shader(load), shader("finish")];
                format!("{}\n{}", parts.join("\n"), tile.source())
            }
        }
    }

    fn constants(self) -> Vec<(&'static str, f64)> {
        match self {
            Candidate::Engine(kernel) => kernel.constants(Target::Hardware),
            Candidate::Registers(lanes) => vec![("lanes", f64::from(lanes))],
            Candidate::Tile(_) => Vec::new(),
        }
    }
}

/// Deterministic numbers in [-1, 1): in f32, or pairs of f16.
const FILL: &str = "
@group(0) @binding(0) var<storage, read_write> y: array<u32>;
override half = false;
fn unit(i: u32) -> f32 {
  var z = i * 747796405u + 2891336453u;
  z = ((z >> ((z >> 28u) + 4u)) ^ z) * 277803737u;
  return f32(((z >> 22u) ^ z) >> 8u) / 8388608.0 - 1.0;
}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) n: vec3<u32>) {
  for (var i = id.x; i < arrayLength(&y); i += 64u * n.x) {
    if half { y[i] = pack2x16float(vec2(unit(2u * i), unit(2u * i + 1u))); }
    else { y[i] = bitcast<u32>(unit(i)); }
  }
}";

/// The convolutions of the networks, one shape once.
struct Shape {
    variant: String,
    step: Shapes,
    macs: u64,
}

/// The buffers and pipelines that all shapes use.
struct Sweep<'a> {
    gpu: &'a Gpu,
    values: Float,
    layout: wgpu::BindGroupLayout,
    pipelines: HashMap<(Candidate, bool), wgpu::ComputePipeline>,
    /// x, weights, norm, y.
    buffers: [wgpu::Buffer; 4],
    uniform: wgpu::Buffer,
    compiled: BTreeMap<String, f64>,
}

impl<'a> Sweep<'a> {
    fn new(gpu: &'a Gpu, values: Float) -> Sweep<'a> {
        let device = gpu.device();
        let storage = |read_only| wgpu::BufferBindingType::Storage { read_only };
        let types =
            [wgpu::BufferBindingType::Uniform].into_iter().chain([storage(true); 4]).chain([storage(false)]);
        let entries: Vec<_> = (0..)
            .zip(types)
            .map(|(binding, ty)| wgpu::BindGroupLayoutEntry {
                binding,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
                count: None,
            })
            .collect();
        let layout = device
            .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries });
        let uniform = device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: 256,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let buffers = [0; 4].map(|_| storage_buffer(gpu, 1024));
        Sweep { gpu, values, layout, pipelines: HashMap::new(), buffers, uniform, compiled: BTreeMap::new() }
    }

    /// Makes room for a step, filled with numbers.
    fn make_room(&mut self, step: &Shapes) -> Result<()> {
        let bytes = self.values.bytes() as u64;
        let blocks = u64::from(step.groups * step.y_channels.div_ceil(4) * step.x_channels.div_ceil(4));
        let sizes = [
            bytes * u64::from(step.groups * step.x_channels) * u64::from(step.x_pitch),
            bytes * 16 * blocks * u64::from(step.kernel * step.kernel),
            8 * u64::from(step.groups * step.y_channels),
            bytes * u64::from(step.groups * step.y_channels) * u64::from(step.y_pitch),
        ];
        for (index, size) in sizes.into_iter().enumerate() {
            let size = size.next_multiple_of(256);
            if self.buffers[index].size() < size {
                let limits = self.gpu.device().limits();
                if size > limits.max_buffer_size.min(limits.max_storage_buffer_binding_size) {
                    return Err(Error::OutOfMemory(
                        "a shape of the sweep is too large for the device".into(),
                    ));
                }
                self.buffers[index] = storage_buffer(self.gpu, size);
                fill(self.gpu, &self.buffers[index], self.values == Float::F16 && index != 2);
            }
        }
        self.gpu.queue().write_buffer(&self.uniform, 0, bytemuck::bytes_of(step));
        Ok(())
    }

    /// Makes the pipelines that are missing, each in a thread of its own: a driver takes long for each.
    fn compile(&mut self, wanted: &[(Candidate, bool)]) {
        let missing: Vec<_> =
            wanted.iter().copied().filter(|key| !self.pipelines.contains_key(key)).collect();
        let (device, layout, values) = (self.gpu.device(), &self.layout, self.values);
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        for some in missing.chunks(threads) {
            let made: Vec<_> = std::thread::scope(|scope| {
                let threads: Vec<_> = some
                    .iter()
                    .map(|&(candidate, pointwise)| {
                        scope.spawn(move || pipeline(device, layout, candidate, values, pointwise))
                    })
                    .collect();
                threads.into_iter().map(|thread| thread.join().expect("compiling does not panic")).collect()
            });
            for (&(candidate, pointwise), (pipeline, milliseconds)) in some.iter().zip(made) {
                let load = if pointwise { "pointwise" } else { "spatial" };
                self.compiled.insert(format!("{load} {}", candidate.name()), milliseconds);
                self.pipelines.insert((candidate, pointwise), pipeline);
            }
        }
    }

    fn bind_group(&self) -> wgpu::BindGroup {
        let [x, weights, norm, y] = &self.buffers;
        // `add` is never read: any buffer of its own will do.
        let buffers = [&self.uniform, x, weights, norm, norm, y];
        let entries: Vec<_> = (0..)
            .zip(buffers)
            .map(|(binding, buffer)| wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() })
            .collect();
        self.gpu.device().create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &self.layout,
            entries: &entries,
        })
    }

    fn dispatch(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        bind_group: &wgpu::BindGroup,
        (candidate, pointwise): (Candidate, bool),
        step: &Shapes,
        times: u32,
        stamps: Option<wgpu::ComputePassTimestampWrites>,
    ) {
        let mut pass = encoder
            .begin_compute_pass(&wgpu::ComputePassDescriptor { label: None, timestamp_writes: stamps });
        pass.set_pipeline(&self.pipelines[&(candidate, pointwise)]);
        pass.set_bind_group(0, bind_group, &[]);
        let workgroups = candidate.workgroups(step);
        let down = workgroups.div_ceil(65_535).max(1);
        for _ in 0..times {
            pass.dispatch_workgroups(workgroups.div_ceil(down) as u32, down as u32, 1);
        }
    }

    /// What the candidate makes of a step.
    fn outputs(&self, candidate: Candidate, step: &Shapes) -> Result<Vec<f32>> {
        let mut encoder =
            self.gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        encoder.clear_buffer(&self.buffers[3], 0, None);
        let group = self.bind_group();
        self.dispatch(&mut encoder, &group, (candidate, is_pointwise(step)), step, 1, None);
        let elements = (step.groups * step.y_channels * step.y_pitch) as usize;
        let bytes = (elements * self.values.bytes()) as u64;
        let bytes = read(self.gpu, encoder, &self.buffers[3], bytes)?;
        let values = self.values.decode(&bytes);
        let pixels = (step.batch * step.y_height * step.y_width) as usize;
        Ok(values.chunks_exact(step.y_pitch as usize).flat_map(|plane| plane[..pixels].to_vec()).collect())
    }

    /// Largest difference from the engine's kernel, relative to its largest value.
    fn difference(&mut self, candidate: Candidate, step: &Shapes) -> Result<f64> {
        let engine = Candidate::Engine(engine_kernel(step, self.values));
        self.compile(&[(engine, is_pointwise(step)), (candidate, is_pointwise(step))]);
        self.make_room(step)?;
        let (want, got) = (self.outputs(engine, step)?, self.outputs(candidate, step)?);
        let largest = want.iter().fold(0f32, |max, value| max.max(value.abs()));
        let difference = want
            .iter()
            .zip(&got)
            .fold(0f32, |max, (a, b)| if (a - b).is_nan() { f32::INFINITY } else { max.max((a - b).abs()) });
        Ok(f64::from(difference) / f64::from(largest.max(f32::MIN_POSITIVE)))
    }

    /// Milliseconds of each candidate, of one dispatch.
    fn times(&self, candidates: &[Candidate], step: &Shapes, times: u32) -> Result<Vec<f64>> {
        let device = self.gpu.device();
        let count = 2 * candidates.len() as u32;
        let queries = device.create_query_set(&wgpu::QuerySetDescriptor {
            label: None,
            ty: wgpu::QueryType::Timestamp,
            count,
        });
        let resolved = device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: 8 * u64::from(count),
            usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        let group = self.bind_group();
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        for (index, &candidate) in (0..).zip(candidates) {
            let key = (candidate, is_pointwise(step));
            self.dispatch(&mut encoder, &group, key, step, 1, None);
            let stamps = wgpu::ComputePassTimestampWrites {
                query_set: &queries,
                beginning_of_pass_write_index: Some(2 * index),
                end_of_pass_write_index: Some(2 * index + 1),
            };
            self.dispatch(&mut encoder, &group, key, step, times, Some(stamps));
        }
        encoder.resolve_query_set(&queries, 0..count, &resolved, 0);
        let bytes = read(self.gpu, encoder, &resolved, 8 * u64::from(count))?;
        let period = f64::from(self.gpu.queue().get_timestamp_period()) / 1e6 / f64::from(times);
        let stamps: Vec<_> =
            bytes.as_chunks::<8>().0.iter().map(|&bytes| u64::from_le_bytes(bytes)).collect();
        Ok(stamps
            .as_chunks::<2>()
            .0
            .iter()
            .map(|[begin, end]| end.saturating_sub(*begin) as f64 * period)
            .collect())
    }
}

/// A candidate's pipeline and how many milliseconds it took.
fn pipeline(
    device: &wgpu::Device,
    layout: &wgpu::BindGroupLayout,
    candidate: Candidate,
    values: Float,
    pointwise: bool,
) -> (wgpu::ComputePipeline, f64) {
    let start = Instant::now();
    let name = candidate.name();
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some(&name),
        source: wgpu::ShaderSource::Wgsl(candidate.source(values, pointwise).into()),
    });
    let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: None,
        bind_group_layouts: &[Some(layout)],
        immediate_size: 0,
    });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(&name),
        layout: Some(&layout),
        module: &module,
        entry_point: Some("main"),
        compilation_options: wgpu::PipelineCompilationOptions {
            constants: &candidate.constants(),
            ..Default::default()
        },
        cache: None,
    });
    (pipeline, start.elapsed().as_secs_f64() * 1e3)
}

fn storage_buffer(gpu: &Gpu, size: u64) -> wgpu::Buffer {
    gpu.device().create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size,
        usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    })
}

fn fill(gpu: &Gpu, buffer: &wgpu::Buffer, half: bool) {
    let device = gpu.device();
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some("fill"),
        source: wgpu::ShaderSource::Wgsl(FILL.into()),
    });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some("fill"),
        layout: None,
        module: &module,
        entry_point: Some("main"),
        compilation_options: wgpu::PipelineCompilationOptions {
            constants: &[("half", f64::from(u8::from(half)))],
            ..Default::default()
        },
        cache: None,
    });
    let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &pipeline.get_bind_group_layout(0),
        entries: &[wgpu::BindGroupEntry { binding: 0, resource: buffer.as_entire_binding() }],
    });
    let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &group, &[]);
        pass.dispatch_workgroups(4096, 1, 1);
    }
    gpu.queue().submit([encoder.finish()]);
}

/// Submits, and returns the first bytes of a buffer after that.
fn read(gpu: &Gpu, mut encoder: wgpu::CommandEncoder, buffer: &wgpu::Buffer, bytes: u64) -> Result<Vec<u8>> {
    let device = gpu.device();
    let size = bytes.next_multiple_of(4);
    let readback = device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size,
        usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
        mapped_at_creation: false,
    });
    encoder.copy_buffer_to_buffer(buffer, 0, &readback, 0, size);
    gpu.queue().submit([encoder.finish()]);
    readback.map_async(wgpu::MapMode::Read, .., |_| ());
    device.poll(wgpu::PollType::wait_indefinitely()).map_err(|error| Error::Gpu(error.to_string()))?;
    gpu.check_alive()?;
    let view = readback.get_mapped_range(..bytes).map_err(|error| Error::Gpu(error.to_string()))?;
    Ok(view.to_vec())
}

fn is_pointwise(step: &Shapes) -> bool {
    step.kernel == 1 && step.stride == 1
}

/// The kernel that the engine takes for a convolution as it is written.
fn engine_kernel(step: &Shapes, values: Float) -> Kernel {
    let rows = match step.y_channels {
        0..=16 => 2,
        17..=32 => 4,
        outputs if outputs % 64 != 0 && outputs % 64 <= 32 && outputs < 128 => 4,
        _ => 8,
    };
    if is_pointwise(step) {
        Kernel::PointwiseShared(values, rows)
    } else {
        Kernel::SpatialShared(values, rows)
    }
}

/// The convolutions of a network with more than one pixel and more than one input, one shape once.
fn shapes(variant: &str, network: &Network, batch: usize) -> Vec<Shape> {
    let mut shapes: Vec<Shape> = Vec::new();
    for step in &network.steps {
        let Op::Conv(conv) = &step.op else { continue };
        let groups = conv.groups as u32;
        if step.y.pixels() == 1 || step.x.channels == conv.groups {
            continue;
        }
        let (x_pitch, y_pitch) = (pitch(batch, step.x.pixels()) as u32, pitch(batch, step.y.pixels()) as u32);
        let shape = Shapes {
            x_pitch,
            x_channels: step.x.channels as u32 / groups,
            x_height: step.x.height as u32,
            x_width: step.x.width as u32,
            y_pitch,
            y_channels: step.y.channels as u32 / groups,
            y_height: step.y.height as u32,
            y_width: step.y.width as u32,
            activation: 1,
            batch: batch as u32,
            groups,
            kernel: conv.kernel as u32,
            stride: conv.stride as u32,
            ..Shapes::default()
        };
        if !shapes.iter().any(|other| other.step == shape) {
            shapes.push(Shape { variant: variant.into(), step: shape, macs: step.macs() * batch as u64 });
        }
    }
    shapes
}

/// Shapes with an end in every direction, to hold candidates against the engine's kernel.
fn checks() -> [Shapes; 4] {
    let step = |groups, x_channels, y_channels, kernel, stride, side: u32| {
        let y_side = side.div_ceil(stride);
        Shapes {
            x_pitch: pitch(2, (side * side) as usize) as u32,
            x_channels,
            x_height: side,
            x_width: side,
            y_pitch: pitch(2, (y_side * y_side) as usize) as u32,
            y_channels,
            y_height: y_side,
            y_width: y_side,
            activation: 1,
            batch: 2,
            groups,
            kernel,
            stride,
            ..Shapes::default()
        }
    };
    [
        step(1, 41, 73, 1, 1, 13),
        step(3, 24, 24, 3, 2, 15),
        step(2, 56, 56, 3, 1, 7),
        step(1, 30, 130, 1, 2, 9),
    ]
}

/// Measures the convolutions of networks in turn, in each batch, until the time is up.
///
/// # Errors
/// The device's.
pub fn sweep(
    gpu: &Gpu,
    networks: &[(String, Network)],
    batches: &[usize],
    time: Duration,
    records: &Records,
) -> Result<()> {
    let start = Instant::now();
    let values = gpu.values();
    let word = if values == Float::F16 { "f16" } else { "f32" };
    if !gpu.device().features().contains(wgpu::Features::TIMESTAMP_QUERY) {
        return Err(Error::Unsupported("this GPU tells no times: no sweep".into()));
    }
    let mut sweep = Sweep::new(gpu, values);
    let mut sound = Vec::new();
    let limit = if values == Float::F16 { 1e-2 } else { 1e-4 };
    let all = [Candidate::Registers(64), Candidate::Registers(32)]
        .into_iter()
        .chain(candidates(values).into_iter().map(Candidate::Tile))
        .collect::<Vec<_>>();
    sweep.compile(
        &all.iter().flat_map(|&candidate| [(candidate, true), (candidate, false)]).collect::<Vec<_>>(),
    );
    println!("sweep of {word}: compiled after {:.1} s", start.elapsed().as_secs_f64());
    for candidate in all {
        let mut worst = 0f64;
        let mut failure = None;
        for step in checks() {
            match sweep.difference(candidate, &step) {
                Ok(difference) => worst = worst.max(difference),
                Err(error @ Error::DeviceLost(_)) => return Err(error),
                Err(error) => failure = Some(error.to_string()),
            }
        }
        if failure.is_none() && worst <= limit {
            sound.push(candidate);
        } else {
            println!(
                "  not measured: {}: off by {worst:.1e} {}",
                candidate.name(),
                failure.clone().unwrap_or_default()
            );
        }
        records.add(&json!({"kind": "candidate", "values": word, "name": candidate.name(), "difference": worst, "failure": failure}));
        if start.elapsed() > time {
            break;
        }
    }
    println!(
        "sweep of {word}: {} candidates are right, after {:.1} s",
        sound.len(),
        start.elapsed().as_secs_f64()
    );
    records.add(&json!({"kind": "compiled", "values": word, "milliseconds": &sweep.compiled}));
    let mut seen: Vec<Shapes> = Vec::new();
    let mut measured = 0;
    'all: for (variant, network) in networks {
        for &batch in batches {
            for shape in shapes(variant, network, batch) {
                if start.elapsed() > time {
                    break 'all;
                }
                if seen.contains(&shape.step) {
                    continue;
                }
                seen.push(shape.step);
                if let Err(error) = measure(&mut sweep, &shape, &sound, word, records) {
                    if matches!(error, Error::DeviceLost(_)) {
                        return Err(error);
                    }
                    println!("  {}: {error}", describe(&shape.step));
                }
                measured += 1;
            }
        }
    }
    println!("sweep of {word}: {measured} shapes in {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

fn describe(step: &Shapes) -> String {
    format!(
        "batch {} {}x{} stride {} groups {} {}->{} at {}",
        step.batch,
        step.kernel,
        step.kernel,
        step.stride,
        step.groups,
        step.groups * step.x_channels,
        step.groups * step.y_channels,
        step.y_height
    )
}

fn measure(
    sweep: &mut Sweep<'_>,
    shape: &Shape,
    sound: &[Candidate],
    word: &str,
    records: &Records,
) -> Result<()> {
    let step = &shape.step;
    let pointwise = is_pointwise(step);
    let engine = Candidate::Engine(engine_kernel(step, sweep.values));
    let all: Vec<_> = std::iter::once(engine).chain(sound.iter().copied()).collect();
    sweep.compile(&[(engine, pointwise)]);
    sweep.make_room(step)?;
    let times = if shape.macs < 1_000_000_000 { 10 } else { 3 };
    let milliseconds = sweep.times(&all, step, times)?;
    let mut order: Vec<_> = (0..all.len()).collect();
    order.sort_by(|&a, &b| milliseconds[a].total_cmp(&milliseconds[b]));
    let best = order[0];
    println!(
        "  {} {word} {}: {:.4} ms by {}, best {:.4} ms ({:.0} GFLOP/s) by {}",
        shape.variant,
        describe(step),
        milliseconds[0],
        all[0].name(),
        milliseconds[best],
        2.0 * shape.macs as f64 / milliseconds[best] / 1e6,
        all[best].name()
    );
    let times: BTreeMap<_, _> =
        all.iter().zip(&milliseconds).map(|(c, ms)| (c.name(), (ms * 1e6).round() / 1e6)).collect();
    records.add(&json!({
        "kind": "shape", "values": word, "variant": shape.variant, "batch": step.batch, "kernel": step.kernel,
        "stride": step.stride, "groups": step.groups, "inputs": step.groups * step.x_channels,
        "outputs": step.groups * step.y_channels, "side": step.y_height, "macs": shape.macs,
        "engine": all[0].name(), "best": all[best].name(), "milliseconds": times,
    }));
    Ok(())
}
