//! The WebGPU engine on this machine's adapter, with the kernels for hardware and for software. Without an
//! adapter these tests fail: passing would say nothing.

use crate::network::files;
use crate::support::reference::{LIMIT, Outputs, Reference, unit};
use g_ghostnet::arch::{Activation, Conv, ConvWeights, Network, Op, Step, Value, View};
use g_ghostnet::config::Config;
use g_ghostnet::gpu::draw::{Painter, Picture};
use g_ghostnet::gpu::kernels::Target;
use g_ghostnet::gpu::weights::Weights;
use g_ghostnet::gpu::{Gpu, Program};
use g_ghostnet::plan::Plan;
use g_ghostnet::session::{CpuSession, GpuSession};
use g_ghostnet::weights::{Checkpoint, Dtype, Tensor, contiguous_strides};
use g_ghostnet::{Error, Result};
use half::f16;
use pollster::block_on;
use std::collections::BTreeMap;

const TARGETS: [Target; 2] = [Target::Software, Target::Hardware];

fn gpu(target: Target) -> Gpu {
    block_on(Gpu::request()).expect("a WebGPU adapter: install mesa-vulkan-drivers").with_target(target)
}

#[test]
fn agrees_with_pytorch_tap_by_tap() {
    for target in TARGETS {
        let gpu = gpu(target);
        for file in files() {
            let reference = Reference::from_file(&file).unwrap();
            let model = reference.model().unwrap();
            let mut session = block_on(GpuSession::new(&model, &gpu, |_| ())).unwrap();
            let taps = reference.tap_names().unwrap();
            let outputs = block_on(session.run(&model, &reference.image(), reference.input, &taps)).unwrap();
            let taps = outputs.taps.into_iter().map(|tap| tap.data).collect();
            let worst = reference.compare(&Outputs { logits: outputs.logits, taps }).unwrap();
            assert!(worst.error <= LIMIT, "{target:?}, {}: {worst:?}", file.display());
        }
    }
}

/// A convolution and what is added to it.
#[derive(Clone, Copy, Debug)]
struct Case {
    channels: [usize; 2],
    groups: usize,
    kernel: usize,
    stride: usize,
    size: [usize; 2],
    batch: usize,
    add: Add,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Add {
    None,
    Value,
    Channel,
}

const fn case(channels: [usize; 2], groups: usize, kernel: usize, stride: usize, size: [usize; 2]) -> Case {
    Case { channels, groups, kernel, stride, size, batch: 1, add: Add::None }
}

/// Around every edge: tiles of 8 outputs x 8 pixels, of 16, 32 and 64 outputs x 256, 128 and 64 pixels,
/// blocks of 4 inputs, loads of 8 and 16 inputs, and Winograd's tiles of 4 x 4.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for side in [1, 2, 3, 5, 8, 9, 16, 17] {
        cases.push(case([5, 7], 1, 1, 1, [side, side]));
    }
    for outputs in [1, 3, 4, 5, 8, 9, 16, 17, 31, 32, 33, 63, 64, 65, 130] {
        cases.push(case([6, outputs], 1, 1, 1, [3, 5]));
        cases.push(case([6, outputs], 1, 3, 2, [5, 4]));
    }
    for inputs in [1, 3, 4, 5, 15, 16, 17, 33] {
        cases.push(case([inputs, 10], 1, 1, 1, [4, 4]));
        cases.push(case([inputs, 10], 1, 1, 2, [5, 4]));
        cases.push(case([inputs, 6], 1, 5, 1, [6, 3]));
    }
    for [width, groups] in [[1, 9], [6, 2], [8, 3], [12, 2], [18, 2], [30, 1], [36, 1], [90, 1]] {
        for size in [[1, 1], [4, 4], [5, 3], [9, 8], [13, 17]] {
            cases.push(case([width * groups, width * groups], groups, 3, 1, size));
            cases.push(case([width * groups, width * groups], groups, 3, 2, size));
        }
    }
    cases.push(case([3, 20], 1, 7, 2, [19, 22]));
    cases.push(case([24, 24], 24, 5, 1, [7, 6]));
    cases.push(case([12, 24], 12, 3, 1, [5, 5]));
    for add in [Add::Value, Add::Channel] {
        for batch in [1, 2, 3, 5] {
            for (kernel, size) in [(1, [3, 3]), (3, [5, 6]), (1, [1, 1]), (5, [3, 2])] {
                cases.push(Case { batch, add, ..case([16, 19], 1, kernel, 1, size) });
            }
        }
    }
    cases
}

#[test]
fn convolutions_agree_with_the_formula_around_every_tile_edge() {
    for target in TARGETS {
        let gpu = gpu(target);
        for dtype in [Dtype::F32, Dtype::F16] {
            for case in cases() {
                let error = run_case(&gpu, &case, dtype).unwrap();
                assert!(error <= 1.0, "{target:?}, {dtype:?}, {case:?}: {error} of the bound");
            }
        }
    }
}

/// Error of a case on the device, relative to the bound that f32 arithmetic has.
fn run_case(gpu: &Gpu, case: &Case, dtype: Dtype) -> Result<f64> {
    let Case {
        channels: [channels_in, channels_out],
        groups,
        kernel,
        stride,
        size: [height, width],
        batch,
        add,
    } = *case;
    let (out_height, out_width) = (height.div_ceil(stride), width.div_ceil(stride));
    let value = |channels, height, width| Value { name: String::new(), channels, height, width };
    let view = |value, channels, height, width| View { value, first: 0, channels, height, width };
    let conv = |name: &str, kernel, stride, groups, add, activation| {
        Op::Conv(Conv {
            weights: ConvWeights { conv: name.into(), norm: None, bias: true, matrix: false },
            kernel,
            stride,
            groups,
            add,
            activation,
        })
    };
    let image = view(0, channels_in, height, width);
    let side = view(1, channels_out, out_height, out_width);
    let mean = view(2, channels_out, 1, 1);
    let y = view(3, channels_out, out_height, out_width);
    let addend = match add {
        Add::None => None,
        Add::Value => Some(side),
        Add::Channel => Some(mean),
    };
    let step = |name: &str, op, x, y| Step { name: name.into(), op, x, y };
    let steps = vec![
        // What is added comes from a convolution of its own.
        step("side", conv("side", 1, stride, 1, None, Activation::None), image, side),
        step("mean", Op::Mean, side, mean),
        step("main", conv("main", kernel, stride, groups, addend, Activation::Relu), image, y),
    ];
    let values = vec![
        value(channels_in, height, width),
        value(channels_out, out_height, out_width),
        value(channels_out, 1, 1),
        value(channels_out, out_height, out_width),
    ];
    let network =
        Network { name: "case".into(), classes: 1, values, steps, stages: Vec::new(), taps: Vec::new() };

    let round = |value: f32| if dtype == Dtype::F16 { f16::from_f32(value).to_f32() } else { value };
    let numbers = |name: &str, count| unit(name, count).into_iter().map(round).collect::<Vec<f32>>();
    let in_group = channels_in / groups;
    let tensors = [
        ("side.weight", vec![channels_out, channels_in, 1, 1]),
        ("side.bias", vec![channels_out]),
        ("main.weight", vec![channels_out, in_group, kernel, kernel]),
        ("main.bias", vec![channels_out]),
    ];
    let (mut bytes, mut index) = (Vec::new(), BTreeMap::new());
    for (name, shape) in &tensors {
        let offset = bytes.len();
        for value in numbers(name, shape.iter().product()) {
            match dtype {
                Dtype::F16 => bytes.extend(f16::from_f32(value).to_le_bytes()),
                _ => bytes.extend(value.to_le_bytes()),
            }
        }
        let strides = contiguous_strides(shape);
        index.insert((*name).to_owned(), Tensor { dtype, shape: shape.clone(), strides, offset });
    }
    let checkpoint = Checkpoint::new(bytes, index, Config::default())?;
    let images = unit("image", batch * channels_in * height * width);

    let weights = Weights::new(gpu, &network, &checkpoint)?;
    let plan = Plan::new(&network, &[] as &[&str])?;
    let program = block_on(gpu.guarded(|| Program::new(gpu, plan, &weights, batch)))?;
    block_on(gpu.guarded(|| {
        program.submit(gpu, &images);
        Ok(())
    }))?;
    let got = block_on(program.outputs(gpu, batch))?.remove(0);

    let read = |name: &str| checkpoint.read(name);
    let (side_weight, side_bias) = (read("side.weight")?, read("side.bias")?);
    let (weight, bias) = (read("main.weight")?, read("main.bias")?);
    let mut worst = 0f64;
    for (n, image) in images.chunks_exact(channels_in * height * width).enumerate() {
        let source = [height, width];
        let side = naive(image, source, &side_weight, &side_bias, 1, stride, 1);
        let main = naive(image, source, &weight, &bias, kernel, stride, groups);
        let pixels = out_height * out_width;
        let magnitude = main.iter().chain(&side).fold(0f64, |max, sum| max.max(sum.1));
        // Each of n additions rounds by half a unit in the last place at most; Winograd's transforms
        // enlarge that by no more than 100.
        let winograd = target_of(gpu, case);
        let terms = (in_group * kernel * kernel + channels_in + pixels + 8) as f64;
        let bound = terms * f64::from(f32::EPSILON) / 2.0 * magnitude * if winograd { 100.0 } else { 1.0 };
        for (at, sum) in main.iter().enumerate() {
            let channel = at / pixels;
            let added = match add {
                Add::None => 0.0,
                Add::Value => side[at].0,
                Add::Channel => {
                    side[channel * pixels..(channel + 1) * pixels].iter().map(|sum| sum.0).sum::<f64>()
                        / pixels as f64
                }
            };
            let want = (sum.0 + added).max(0.0);
            let error = (f64::from(got[n * main.len() + at]) - want).abs();
            worst = worst.max(if error.is_nan() { f64::INFINITY } else { error / bound });
        }
    }
    Ok(worst)
}

fn target_of(gpu: &Gpu, case: &Case) -> bool {
    gpu.target() == Target::Software && case.kernel == 3 && case.stride == 1
}

/// The formula in f64: each output with the sum of its terms' magnitudes.
fn naive(
    image: &[f32],
    [height, width]: [usize; 2],
    weight: &[f32],
    bias: &[f32],
    kernel: usize,
    stride: usize,
    groups: usize,
) -> Vec<(f64, f64)> {
    let in_group = weight.len() / bias.len() / kernel / kernel;
    let mut sums = Vec::new();
    for (o, &bias) in bias.iter().enumerate() {
        let group = o / (bias_len(weight, in_group, kernel) / groups);
        for row in 0..height.div_ceil(stride) {
            for column in 0..width.div_ceil(stride) {
                let (mut sum, mut magnitude) = (f64::from(bias), f64::from(bias.abs()));
                for i in 0..in_group {
                    for a in 0..kernel {
                        for b in 0..kernel {
                            let r = (row * stride + a).wrapping_sub(kernel / 2);
                            let c = (column * stride + b).wrapping_sub(kernel / 2);
                            if r < height && c < width {
                                let x = image[((group * in_group + i) * height + r) * width + c];
                                let w = weight[((o * in_group + i) * kernel + a) * kernel + b];
                                let term = f64::from(x) * f64::from(w);
                                sum += term;
                                magnitude += term.abs();
                            }
                        }
                    }
                }
                sums.push((sum, magnitude));
            }
        }
    }
    sums
}

fn bias_len(weight: &[f32], in_group: usize, kernel: usize) -> usize {
    weight.len() / in_group / kernel / kernel
}

fn small() -> (Reference, g_ghostnet::model::Model) {
    let reference = Reference::from_file("tests/golden/reference/form_released_40x56_b2.json").unwrap();
    let model = reference.model().unwrap();
    (reference, model)
}

#[test]
fn a_batch_too_large_for_a_binding_is_split() {
    let (reference, mut model) = small();
    model.input.side = 32;
    let [_, channels, height, width] = reference.input;
    let images = unit("batch", 7 * channels * height * width);
    for target in TARGETS {
        let whole = gpu(target);
        // Room for the largest value of two images, not of seven.
        let plan = Plan::new(&model.network(height, width).unwrap(), &["layer1.0"]).unwrap();
        let limit = 4 * 2 * *plan.slots.iter().max().unwrap() as u64 + 4096;
        let split = block_on(Gpu::request_within(limit)).unwrap().with_target(target);
        let run = |gpu: &Gpu| {
            let mut session = block_on(GpuSession::new(&model, gpu, |_| ())).unwrap();
            let dims = [7, channels, height, width];
            let outputs = block_on(session.run(&model, &images, dims, &["layer1.0"])).unwrap();
            (outputs, session.program().unwrap().batch())
        };
        let ((a, batch), (b, part)) = (run(&whole), run(&split));
        assert_eq!((batch, part < 7), (7, true), "{target:?}");
        assert_eq!(a, b, "{target:?}: no number depends on the other images");
    }
}

#[test]
fn agrees_with_the_cpu_engine_after_every_change_of_size_and_taps() {
    let (_, model) = small();
    let gpu = gpu(Target::Software);
    let mut session = block_on(GpuSession::new(&model, &gpu, |_| ())).unwrap();
    let mut cpu = CpuSession::new(&model, 1).unwrap();
    for (size, taps) in
        [([32, 32], &["layer4.cheap"][..]), ([33, 47], &[]), ([32, 32], &["logits", "layer2.base"])]
    {
        let image = unit("image", 3 * size[0] * size[1]);
        let dims = [1, 3, size[0], size[1]];
        let a = block_on(session.run(&model, &image, dims, taps)).unwrap();
        let b = cpu.run(&model, &image, dims, taps).unwrap();
        let pairs = a.taps.iter().map(|tap| &tap.data).zip(b.taps.iter().map(|tap| &tap.data));
        for (a, b) in pairs.chain([(&a.logits, &b.logits)]) {
            let absmax = b.iter().fold(0f32, |max, value| max.max(value.abs()));
            let error = a.iter().zip(b).fold(0f32, |max, (a, b)| max.max((a - b).abs()));
            assert!(a.len() == b.len() && error <= 1e-5 * absmax, "{size:?}, {taps:?}: {error} of {absmax}");
        }
    }
}

#[test]
fn a_lost_device_is_an_error_and_never_zeros() {
    let (reference, model) = small();
    let gpu = gpu(Target::Software);
    let mut session = block_on(GpuSession::new(&model, &gpu, |_| ())).unwrap();
    gpu.device().destroy();
    let none: &[&str] = &[];
    let error = block_on(session.run(&model, &reference.image(), reference.input, none)).unwrap_err();
    assert!(matches!(error, Error::DeviceLost(_)), "{error:?}");
}

#[test]
fn what_does_not_fit_is_an_error_and_the_session_stays_usable() {
    let (reference, mut model) = small();
    model.input.side = 32;
    let gpu = block_on(Gpu::request_within(1 << 21)).unwrap();
    let mut session = block_on(GpuSession::new(&model, &gpu, |_| ())).unwrap();
    let none: &[&str] = &[];
    let side = 1024;
    let error =
        block_on(session.run(&model, &vec![0.0; 3 * side * side], [1, 3, side, side], none)).unwrap_err();
    assert_eq!(error.code(), "out-of-memory");
    let error = block_on(session.run(&model, &reference.image(), reference.input, &["nothing"])).unwrap_err();
    assert_eq!(error.code(), "unknown-tap");
    let image = reference.image();
    assert!(block_on(session.run(&model, &image, reference.input, none)).is_ok());
}

#[test]
fn a_tap_is_drawn_from_its_buffer() {
    let (reference, model) = small();
    let gpu = gpu(Target::Hardware);
    let mut session = block_on(GpuSession::new(&model, &gpu, |_| ())).unwrap();
    let outputs =
        block_on(session.run(&model, &reference.image(), reference.input, &["layer2.base"])).unwrap();
    let tap = &outputs.taps[0];
    let [_, channels, height, width] = tap.dims;
    // Grey, with another number in green, so that a swap of bytes shows.
    let palette: Vec<u8> = (0..=255).flat_map(|i: u8| [i, 255 - i, 7, 255]).collect();
    let format = wgpu::TextureFormat::Rgba8Unorm;
    let painter = block_on(Painter::new(&gpu, format, &palette)).unwrap();
    let (cell, columns) = (12, 3);
    let side = 64; // more than the grid, a multiple of a row's 256 bytes
    for one_scale in [false, true] {
        let picture = Picture { image: 1, channels: vec![5, 0, 11, 2], columns, cell, one_scale };
        let texture = gpu.device().create_texture(&wgpu::TextureDescriptor {
            label: None,
            size: wgpu::Extent3d { width: side, height: side, depth_or_array_layers: 1 },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
            view_formats: &[],
        });
        let view = texture.create_view(&wgpu::TextureViewDescriptor::default());
        let program = session.program().unwrap();
        block_on(painter.draw(&gpu, program, "layer2.base", &picture, &view)).unwrap();
        let pixels = read_texture(&gpu, &texture, side);

        let map =
            |channel: u32| &tap.data[(channels + channel as usize) * height * width..][..height * width];
        let range = |maps: &[u32]| {
            maps.iter()
                .flat_map(|&channel| map(channel))
                .fold((f32::MAX, f32::MIN), |(min, max), &value| (min.min(value), max.max(value)))
        };
        for y in 0..side {
            for x in 0..side {
                let index = (y / cell * columns + x / cell) as usize;
                let got = pixels[(y * side + x) as usize];
                let Some(&channel) = picture.channels.get(index).filter(|_| x / cell < columns) else {
                    assert_eq!(got, [0; 4], "{x}, {y} is outside of the grid");
                    continue;
                };
                let (row, column) = (y % cell * height as u32 / cell, x % cell * width as u32 / cell);
                let value = map(channel)[row as usize * width + column as usize];
                let (min, max) = if one_scale { range(&picture.channels) } else { range(&[channel]) };
                let want = if max > min { 255.0 * (value - min) / (max - min) } else { 0.0 };
                // Division is exact to 2.5 units in the last place, so the rounding may fall either way.
                assert!((f32::from(got[0]) - want).abs() <= 0.5001, "{x}, {y}: {got:?}, expected {want}");
                assert_eq!([got[1], got[2], got[3]], [255 - got[0], 7, 255]);
            }
        }
    }
    let picture = Picture { image: 2, channels: vec![0], columns: 1, cell: 1, one_scale: false };
    let texture = gpu.device().create_texture(&wgpu::TextureDescriptor {
        label: None,
        size: wgpu::Extent3d { width: 1, height: 1, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format,
        usage: wgpu::TextureUsages::RENDER_ATTACHMENT,
        view_formats: &[],
    });
    let view = texture.create_view(&wgpu::TextureViewDescriptor::default());
    let program = session.program().unwrap();
    let error = block_on(painter.draw(&gpu, program, "layer2.base", &picture, &view)).unwrap_err();
    assert_eq!(error.code(), "wrong-shape");
    let error = block_on(painter.draw(&gpu, program, "layer3.base", &picture, &view)).unwrap_err();
    assert_eq!(error.code(), "unknown-tap");
}

fn read_texture(gpu: &Gpu, texture: &wgpu::Texture, side: u32) -> Vec<[u8; 4]> {
    let buffer = gpu.device().create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: u64::from(4 * side * side),
        usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
        mapped_at_creation: false,
    });
    let mut encoder = gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    let layout =
        wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(4 * side), rows_per_image: None };
    let size = wgpu::Extent3d { width: side, height: side, depth_or_array_layers: 1 };
    encoder.copy_texture_to_buffer(
        texture.as_image_copy(),
        wgpu::TexelCopyBufferInfo { buffer: &buffer, layout },
        size,
    );
    gpu.queue().submit([encoder.finish()]);
    buffer.map_async(wgpu::MapMode::Read, .., |mapped| mapped.unwrap());
    gpu.device().poll(wgpu::PollType::wait_indefinitely()).unwrap();
    buffer.get_mapped_range(..).unwrap().as_chunks::<4>().0.to_vec()
}
