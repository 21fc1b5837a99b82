//! A plan made ready for a device: slots, uniforms, bind groups and the list of dispatches.

use super::Gpu;
use super::kernels::{Float, Kernel, Target};
use super::shapes::{ADD_CHANNEL, ADD_VALUE, SCALE_CHANNEL, Shapes, activation, pitch};
use super::weights::{Packing, Weights};
use crate::arch::{Op, Step, View};
use crate::error::{Error, Result};
use crate::plan::Plan;
use std::collections::BTreeSet;
use wgpu::BufferUsages as Usage;

/// Distance of the steps' uniforms: WebGPU's default alignment.
const UNIFORM_STRIDE: u64 = 256;
/// Most workgroups in one dimension.
const MAX_WORKGROUPS: u64 = 65_535;

/// What a dispatch reads or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Memory {
    Slot(usize),
    /// Unfolded patches (0), or Winograd's transformed inputs (0) and products (1).
    Scratch(usize),
    Nothing,
}

/// What a run reads back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// The logits; taps stay on the device.
    Logits,
    /// The logits and every tap.
    All,
}

/// One dispatch before it has buffers.
#[derive(Clone, Debug)]
struct Dispatch {
    kernel: Kernel,
    shapes: Shapes,
    x: Memory,
    add: Memory,
    y: Memory,
    /// Index in the plan's steps.
    step_index: usize,
}

struct Recorded {
    kernel: Kernel,
    bind_group: wgpu::BindGroup,
    workgroups: [u32; 2],
    step_index: usize,
}

/// A plan for a batch of one size on one device.
pub struct Program {
    plan: Plan,
    batch: usize,
    slots: Vec<wgpu::Buffer>,
    /// What only the bind groups name.
    others: Vec<wgpu::Buffer>,
    recorded: Vec<Recorded>,
    /// Logits and taps, one after the other.
    readback: wgpu::Buffer,
}

/// A browser frees what nobody names whenever it likes; a new size must not wait for that.
impl Drop for Program {
    fn drop(&mut self) {
        self.buffers().for_each(wgpu::Buffer::destroy);
    }
}

/// Time of one step on the device.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// The step's name.
    pub name: String,
    /// Its kernels.
    pub kernel: String,
    /// Multiply-accumulate operations for the batch.
    pub macs: u64,
    /// Milliseconds.
    pub milliseconds: f64,
}

impl Program {
    /// Allocates and records everything that a run of `batch` images needs.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] where a buffer would be larger than the device allows; see [`batch_limit`].
    pub fn new(gpu: &Gpu, plan: Plan, weights: &Weights, batch: usize) -> Result<Program> {
        let dispatches = lower(&plan, weights, gpu.target(), batch);
        let bytes = gpu.values.bytes();
        let slots = slot_elements(&plan, batch)
            .into_iter()
            .map(|elements| {
                let usage = Usage::STORAGE | Usage::COPY_SRC | Usage::COPY_DST;
                gpu.buffer("slot", (bytes * elements) as u64, usage)
            })
            .collect::<Result<Vec<_>>>()?;
        let scratch = [0, 1].map(|i| scratch_bytes(&dispatches, i, gpu.values) as u64);
        let scratch = [
            gpu.buffer("scratch", scratch[0], Usage::STORAGE)?,
            gpu.buffer("scratch", scratch[1], Usage::STORAGE)?,
        ];
        let nothing = gpu.buffer("nothing", 64, Usage::STORAGE)?;
        let mut uniforms = vec![0; dispatches.len() * UNIFORM_STRIDE as usize];
        for (chunk, dispatch) in uniforms.chunks_exact_mut(UNIFORM_STRIDE as usize).zip(&dispatches) {
            chunk[..size_of::<Shapes>()].copy_from_slice(bytemuck::bytes_of(&dispatch.shapes));
        }
        let uniforms = gpu.upload("steps", &uniforms, Usage::UNIFORM)?;

        let buffer_of = |memory: Memory| match memory {
            Memory::Slot(slot) => &slots[slot],
            Memory::Scratch(i) => &scratch[i],
            Memory::Nothing => &nothing,
        };
        let mut recorded = Vec::with_capacity(dispatches.len());
        for (index, dispatch) in dispatches.iter().enumerate() {
            gpu.compile(dispatch.kernel);
            let conv = match &plan.steps[dispatch.step_index].op {
                Op::Conv(conv) => Some(weights.of(conv)),
                _ => None,
            };
            let buffers = [
                buffer_of(dispatch.x),
                conv.map_or(&nothing, |conv| &conv.weights),
                conv.map_or(&nothing, |conv| &conv.norm),
                buffer_of(dispatch.add),
                buffer_of(dispatch.y),
            ];
            let uniform = wgpu::BindGroupEntry {
                binding: 0,
                resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer: &uniforms,
                    offset: index as u64 * UNIFORM_STRIDE,
                    size: wgpu::BufferSize::new(size_of::<Shapes>() as u64),
                }),
            };
            let storage = (1..).zip(buffers).map(|(binding, buffer)| wgpu::BindGroupEntry {
                binding,
                resource: buffer.as_entire_binding(),
            });
            let entries: Vec<_> = std::iter::once(uniform).chain(storage).collect();
            let bind_group = gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some(&plan.steps[dispatch.step_index].name),
                layout: &gpu.layout,
                entries: &entries,
            });
            let workgroups = grid(dispatch.kernel.workgroups(gpu.target(), &dispatch.shapes));
            recorded.push(Recorded {
                kernel: dispatch.kernel,
                bind_group,
                workgroups,
                step_index: dispatch.step_index,
            });
        }
        let outputs: usize = outputs(&plan).map(|view| view_elements(view, batch)).sum();
        let readback = gpu.buffer("outputs", (bytes * outputs) as u64, Usage::COPY_DST | Usage::MAP_READ)?;
        let [inputs, products] = scratch;
        let others = vec![inputs, products, nothing, uniforms];
        Ok(Program { plan, batch, slots, others, recorded, readback })
    }

    /// Images of one run.
    #[must_use]
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Bytes of the buffers.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.buffers().map(|buffer| buffer.size() as usize).sum()
    }

    fn buffers(&self) -> impl Iterator<Item = &wgpu::Buffer> {
        self.slots.iter().chain(&self.others).chain([&self.readback])
    }

    /// The buffer a view lies in, with the element of its first channel and its pitch.
    #[must_use]
    pub fn place(&self, view: View) -> (&wgpu::Buffer, usize, usize) {
        let pitch = pitch(self.batch, view.pixels());
        (&self.slots[self.plan.slot(view)], view.first * pitch, pitch)
    }

    /// Submits one run of up to [`Program::batch`] images, `[n, 3, height, width]`, with one read-back.
    pub fn submit(&self, gpu: &Gpu, images: &[f32], read: Read) {
        self.write_images(gpu, images);
        let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            let pipelines = gpu.pipelines.borrow();
            for recorded in &self.recorded {
                recorded.record(&mut pass, &pipelines[&recorded.kernel]);
            }
        }
        let mut at = 0;
        let size = gpu.values.bytes();
        for view in self.read_views(read) {
            let (buffer, first, _) = self.place(view);
            let bytes = (size * view_elements(view, self.batch)) as u64;
            encoder.copy_buffer_to_buffer(buffer, (size * first) as u64, &self.readback, at, bytes);
            at += bytes;
        }
        gpu.queue.submit([encoder.finish()]);
    }

    fn read_views(&self, read: Read) -> impl Iterator<Item = View> {
        let taps = match read {
            Read::Logits => 0,
            Read::All => self.plan.taps.len(),
        };
        outputs(&self.plan).take(1 + taps)
    }

    /// What the last submission read back: logits, then taps, each `[images, channels, height, width]`.
    ///
    /// # Errors
    /// [`Error::DeviceLost`], [`Error::Gpu`]
    pub async fn outputs(&self, gpu: &Gpu, images: usize, read: Read) -> Result<Vec<Vec<f32>>> {
        let elements: usize = self.read_views(read).map(|view| view_elements(view, self.batch)).sum();
        let bytes = (gpu.values.bytes() * elements) as u64;
        let values = gpu.values.decode(&gpu.read(&self.readback, bytes).await?);
        let mut rest = values.as_slice();
        Ok(self
            .read_views(read)
            .map(|view| {
                let (of_view, after) = rest.split_at(view_elements(view, self.batch));
                rest = after;
                let (pixels, pitch) = (view.pixels(), pitch(self.batch, view.pixels()));
                let mut planar = Vec::with_capacity(images * view.len());
                for image in 0..images {
                    for channel in of_view.chunks_exact(pitch) {
                        planar.extend_from_slice(&channel[image * pixels..(image + 1) * pixels]);
                    }
                }
                planar
            })
            .collect())
    }

    /// Dispatches of a run, all in one submission.
    #[must_use]
    pub fn dispatches(&self) -> usize {
        self.recorded.len()
    }

    /// The device's milliseconds of all steps in one pass, the median of `runs` runs.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where the device has no timestamps.
    pub async fn device_time(&self, gpu: &Gpu, images: &[f32], runs: usize) -> Result<f64> {
        let stamps = Stamps::new(gpu, 1)?;
        self.write_images(gpu, images);
        let mut times = Vec::with_capacity(runs);
        for _ in 0..runs.max(1) {
            let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            {
                let mut pass = stamps.begin(&mut encoder, 0);
                for recorded in &self.recorded {
                    recorded.record(&mut pass, &gpu.pipelines.borrow()[&recorded.kernel]);
                }
            }
            times.extend(stamps.milliseconds(gpu, encoder).await?);
        }
        times.sort_by(f64::total_cmp);
        Ok(times[times.len() / 2])
    }

    /// Runs each step in a pass of its own, `runs` times, and returns the device's time of each, averaged.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where the device has no timestamps.
    pub async fn profile(&self, gpu: &Gpu, images: &[f32], runs: usize) -> Result<Vec<Profile>> {
        // A query set has at most 4096 entries.
        let stamps = Stamps::new(gpu, self.recorded.len() as u32)?;
        self.write_images(gpu, images);
        let mut profile: Vec<Profile> = Vec::new();
        // A step of several kernels is one entry.
        let mut entry_of = Vec::with_capacity(self.recorded.len());
        let mut before = None;
        for recorded in &self.recorded {
            if before != Some(recorded.step_index) {
                let step = &self.plan.steps[recorded.step_index];
                let macs = step.macs() * self.batch as u64;
                let kernel = format!("{:?}", recorded.kernel);
                profile.push(Profile { name: step.name.clone(), kernel, macs, milliseconds: 0.0 });
            }
            before = Some(recorded.step_index);
            entry_of.push(profile.len() - 1);
        }
        for _ in 0..runs {
            let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            for (index, recorded) in (0..).zip(&self.recorded) {
                let mut pass = stamps.begin(&mut encoder, index);
                recorded.record(&mut pass, &gpu.pipelines.borrow()[&recorded.kernel]);
            }
            let times = stamps.milliseconds(gpu, encoder).await?;
            for (time, &entry) in times.into_iter().zip(&entry_of) {
                profile[entry].milliseconds += time / runs as f64;
            }
        }
        Ok(profile)
    }

    /// Puts images, `[n, 3, height, width]`, into their slot; those missing to a full batch are zero.
    fn write_images(&self, gpu: &Gpu, images: &[f32]) {
        let view = self.plan.image;
        let (buffer, first, pitch) = self.place(view);
        let pixels = view.pixels();
        let mut planes = vec![0.0; view.channels * pitch];
        for (image, data) in images.chunks_exact(view.len()).enumerate() {
            for (channel, plane) in data.chunks_exact(pixels).enumerate() {
                planes[channel * pitch + image * pixels..][..pixels].copy_from_slice(plane);
            }
        }
        gpu.queue.write_buffer(buffer, (gpu.values.bytes() * first) as u64, &gpu.values.encode(&planes));
    }
}

/// The device's times of some passes.
struct Stamps {
    queries: wgpu::QuerySet,
    count: u32,
    resolved: wgpu::Buffer,
    readback: wgpu::Buffer,
}

impl Stamps {
    fn new(gpu: &Gpu, passes: u32) -> Result<Stamps> {
        if !gpu.device.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
            return Err(Error::Unsupported("this GPU tells no times: measure whole runs".into()));
        }
        let count = 2 * passes;
        let queries = gpu.device.create_query_set(&wgpu::QuerySetDescriptor {
            label: None,
            ty: wgpu::QueryType::Timestamp,
            count,
        });
        let size = 8 * u64::from(count);
        let resolved = gpu.buffer("times", size, Usage::QUERY_RESOLVE | Usage::COPY_SRC)?;
        let readback = gpu.buffer("times", size, Usage::COPY_DST | Usage::MAP_READ)?;
        Ok(Stamps { queries, count, resolved, readback })
    }

    fn begin<'a>(&self, encoder: &'a mut wgpu::CommandEncoder, pass: u32) -> wgpu::ComputePass<'a> {
        encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: None,
            timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                query_set: &self.queries,
                beginning_of_pass_write_index: Some(2 * pass),
                end_of_pass_write_index: Some(2 * pass + 1),
            }),
        })
    }

    /// Submits, and waits for the time of each pass.
    async fn milliseconds(&self, gpu: &Gpu, mut encoder: wgpu::CommandEncoder) -> Result<Vec<f64>> {
        let size = 8 * u64::from(self.count);
        encoder.resolve_query_set(&self.queries, 0..self.count, &self.resolved, 0);
        encoder.copy_buffer_to_buffer(&self.resolved, 0, &self.readback, 0, size);
        gpu.queue.submit([encoder.finish()]);
        let bytes = gpu.read(&self.readback, size).await?;
        let milliseconds_per_tick = f64::from(gpu.queue.get_timestamp_period()) / 1e6;
        let (times, _) = bytes.as_chunks::<8>();
        Ok(times
            .as_chunks::<2>()
            .0
            .iter()
            .map(|times| {
                let [begin, end] = times.map(u64::from_le_bytes);
                end.saturating_sub(begin) as f64 * milliseconds_per_tick
            })
            .collect())
    }
}

impl Recorded {
    fn record(&self, pass: &mut wgpu::ComputePass, pipeline: &wgpu::ComputePipeline) {
        pass.set_pipeline(pipeline);
        pass.set_bind_group(0, &self.bind_group, &[]);
        pass.dispatch_workgroups(self.workgroups[0], self.workgroups[1], 1);
    }
}

/// Most images whose buffers are within the device's limits, at least 1 and at most `batch`, in equal
/// parts of the batch.
pub fn batch_limit(gpu: &Gpu, plan: &Plan, weights: &Weights, batch: usize) -> usize {
    let fits = |n: usize| {
        let dispatches = lower(plan, weights, gpu.target(), n);
        let outputs: usize = outputs(plan).map(|view| view_elements(view, n)).sum();
        slot_elements(plan, n)
            .into_iter()
            .chain([outputs])
            .map(|elements| gpu.values.bytes() * elements)
            .chain([0, 1].map(|i| scratch_bytes(&dispatches, i, gpu.values)))
            .all(|bytes| bytes as u64 <= gpu.largest_buffer())
    };
    let mut parts = 1;
    while parts < batch && !fits(batch.div_ceil(parts)) {
        parts += 1;
    }
    batch.div_ceil(parts)
}

/// The kernels that a plan's steps use.
pub fn kernels_of(gpu: &Gpu, plan: &Plan, weights: &Weights) -> Vec<Kernel> {
    let dispatches = lower(plan, weights, gpu.target(), 1);
    let kernels: BTreeSet<_> = dispatches.iter().map(|dispatch| dispatch.kernel).collect();
    kernels.into_iter().collect()
}

/// Logits, then taps.
fn outputs(plan: &Plan) -> impl Iterator<Item = View> {
    std::iter::once(plan.logits).chain(plan.taps.iter().map(|tap| tap.1))
}

fn view_elements(view: View, batch: usize) -> usize {
    view.channels * pitch(batch, view.pixels())
}

fn slot_elements(plan: &Plan, batch: usize) -> Vec<usize> {
    let mut elements = vec![0; plan.slots.len()];
    for (value, slot) in plan.placed() {
        elements[slot] = elements[slot].max(value.channels * pitch(batch, value.height * value.width));
    }
    elements
}

/// What is unfolded lies as the feature maps do, what is between Winograd's transforms in f32.
fn scratch_bytes(dispatches: &[Dispatch], index: usize, values: Float) -> usize {
    dispatches
        .iter()
        .filter(|dispatch| dispatch.y == Memory::Scratch(index))
        .map(|dispatch| {
            let shapes = &dispatch.shapes;
            let (channels, float) = match dispatch.kernel {
                Kernel::WinogradInput => (36 * shapes.groups * shapes.x_channels, Float::F32),
                Kernel::Patches => (shapes.kernel * shapes.kernel * shapes.x_channels, values),
                _ => (shapes.groups * shapes.y_channels, Float::F32),
            };
            channels as usize * shapes.y_pitch as usize * float.bytes()
        })
        .max()
        .unwrap_or(0)
}

/// A number of workgroups as a grid of two dimensions; a few too many do nothing.
fn grid(workgroups: u64) -> [u32; 2] {
    let down = workgroups.div_ceil(MAX_WORKGROUPS).max(1);
    [workgroups.div_ceil(down).max(1) as u32, down as u32]
}

/// The plan's steps as dispatches.
fn lower(plan: &Plan, weights: &Weights, target: Target, batch: usize) -> Vec<Dispatch> {
    let mut dispatches = Vec::with_capacity(plan.steps.len() * 2);
    for (step_index, step) in plan.steps.iter().enumerate() {
        lower_step(plan, weights, target, batch, step_index, step, &mut dispatches);
    }
    dispatches
}

fn lower_step(
    plan: &Plan,
    weights: &Weights,
    target: Target,
    batch: usize,
    step_index: usize,
    step: &Step,
    to: &mut Vec<Dispatch>,
) {
    let slot = |view: View| Memory::Slot(plan.slot(view));
    let shapes = Shapes::new(step.x, step.y, batch);
    let (x, y) = (slot(step.x), slot(step.y));
    let simple = |kernel, add: Option<View>| Dispatch {
        kernel,
        shapes: shapes.with_add(add, SCALE_CHANNEL),
        x,
        add: add.map_or(Memory::Nothing, slot),
        y,
        step_index,
    };
    match &step.op {
        Op::Mean => to.push(simple(Kernel::Mean, None)),
        Op::MaxPool => to.push(simple(Kernel::MaxPool, None)),
        Op::Scale { by } => {
            let shapes = Shapes { add_kind: SCALE_CHANNEL, ..shapes.with_add(Some(*by), SCALE_CHANNEL) };
            to.push(Dispatch { shapes, ..simple(Kernel::Elementwise, Some(*by)) });
        }
        Op::Add { by } => {
            let shapes = Shapes { add_kind: ADD_VALUE, ..shapes.with_add(Some(*by), ADD_CHANNEL) };
            to.push(Dispatch { shapes, ..simple(Kernel::Elementwise, Some(*by)) });
        }
        Op::Copy => to.push(simple(Kernel::Elementwise, None)),
        Op::Conv(conv) => {
            let groups = conv.groups as u32;
            let shapes = Shapes {
                x_channels: shapes.x_channels / groups,
                y_channels: shapes.y_channels / groups,
                activation: activation(conv.activation),
                groups,
                kernel: conv.kernel as u32,
                stride: conv.stride as u32,
                ..shapes
            }
            .with_add(conv.add, ADD_CHANNEL);
            let add = conv.add.map_or(Memory::Nothing, slot);
            match weights.of(conv).packing {
                Packing::Winograd => to.extend(winograd(target, shapes, x, add, y, step_index)),
                Packing::Patches(float) => {
                    let patches = Shapes { y_first: 0, ..shapes };
                    // What was unfolded is the input of a 1 x 1 convolution.
                    let products = Shapes {
                        x_first: 0,
                        x_pitch: shapes.y_pitch,
                        x_channels: shapes.x_channels * shapes.kernel * shapes.kernel,
                        x_height: shapes.y_height,
                        x_width: shapes.y_width,
                        kernel: 1,
                        stride: 1,
                        ..shapes
                    };
                    let (nothing, unfolded) = (Memory::Nothing, Memory::Scratch(0));
                    let kernel = Kernel::Patches;
                    to.push(Dispatch { kernel, shapes: patches, x, add: nothing, y: unfolded, step_index });
                    let kernel = direct(target, float, &products);
                    to.push(Dispatch { kernel, shapes: products, x: unfolded, add, y, step_index });
                }
                Packing::Blocks(float) => {
                    let kernel = direct(target, float, &shapes);
                    to.push(Dispatch { kernel, shapes, x, add, y, step_index });
                }
            }
        }
    }
}

/// The kernel of a convolution that is computed as it is written.
fn direct(target: Target, weights: Float, shapes: &Shapes) -> Kernel {
    let pointwise = shapes.kernel == 1 && shapes.stride == 1;
    let one_pixel = shapes.y_height * shapes.y_width == 1;
    if pointwise && one_pixel && shapes.groups == 1 {
        return Kernel::Dense(weights);
    }
    if shapes.x_channels == 1 && shapes.groups > 1 {
        return Kernel::Depthwise(weights);
    }
    let rows = shared_rows(shapes);
    match (target, pointwise) {
        (Target::Software, true) => Kernel::PointwiseRegisters(weights),
        (Target::Software, false) => Kernel::SpatialRegisters(weights),
        (Target::Hardware, true) => Kernel::PointwiseShared(weights, rows),
        (Target::Hardware, false) => Kernel::SpatialShared(weights, rows),
    }
}

/// As many rows of invocations as the outputs of a group fill.
fn shared_rows(shapes: &Shapes) -> u32 {
    match shapes.y_channels {
        0..=16 => 2,
        17..=32 => 4,
        outputs if outputs % 64 != 0 && outputs % 64 <= 32 && outputs < 128 => 4,
        _ => 8,
    }
}

/// Input transform, products and output transform of a 3 x 3 convolution of stride 1.
fn winograd(
    target: Target,
    shapes: Shapes,
    x: Memory,
    add: Memory,
    y: Memory,
    step_index: usize,
) -> [Dispatch; 3] {
    let (tiles_x, tiles_y) = (shapes.y_width.div_ceil(4), shapes.y_height.div_ceil(4));
    let tile_pitch = (shapes.batch * tiles_x * tiles_y).next_multiple_of(4);
    let shapes = Shapes { tiles_x, tiles_y, ..shapes };
    let inputs = Shapes { y_first: 0, y_pitch: tile_pitch, ..shapes };
    // Tiles are the pixels of the products, and every frequency of a group is a group.
    let products = Shapes {
        x_first: 0,
        x_pitch: tile_pitch,
        x_height: tiles_y,
        x_width: tiles_x,
        y_first: 0,
        y_pitch: tile_pitch,
        y_height: tiles_y,
        y_width: tiles_x,
        groups: 36 * shapes.groups,
        kernel: 1,
        ..shapes
    };
    let outputs = Shapes { x_first: 0, x_pitch: tile_pitch, ..shapes };
    let (first, second, nothing) = (Memory::Scratch(0), Memory::Scratch(1), Memory::Nothing);
    let multiply = match target {
        Target::Software => Kernel::ProductsRegisters,
        Target::Hardware => Kernel::ProductsShared(shared_rows(&shapes)),
    };
    [
        Dispatch { kernel: Kernel::WinogradInput, shapes: inputs, x, add: nothing, y: first, step_index },
        Dispatch { kernel: multiply, shapes: products, x: first, add: nothing, y: second, step_index },
        Dispatch { kernel: Kernel::WinogradOutput, shapes: outputs, x: second, add, y, step_index },
    ]
}
