//! The WebGPU engine on this machine's adapter, with the kernels for hardware and for software. Without an
//! adapter these tests fail: passing would say nothing.

use crate::network::{files, light_files, small_files};
use crate::support::case::{Add, Arithmetic, Case, hold_step};
use crate::support::reference::{LIMIT, Outputs, Reference, recipe_checkpoint, unit};
use g_ghostnet::Error;
use g_ghostnet::arch::{Activation, Conv, Network, Op, Tap, TapSource, Value, View};
use g_ghostnet::checkpoint::{Checkpoint, Dtype, Tensor, contiguous_strides};
use g_ghostnet::config::Config;
use g_ghostnet::fold::expected_tensors;
use g_ghostnet::gpu::draw::{Painter, Picture};
use g_ghostnet::gpu::kernels::{Float, Target, Winograd};
use g_ghostnet::gpu::weights::{Packing, Weights};
use g_ghostnet::gpu::{Gpu, Program, Read};
use g_ghostnet::plan::Plan;
use g_ghostnet::session::{CpuSession, GpuSession};
use pollster::block_on;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const TARGETS: [Target; 2] = [Target::Software, Target::Hardware];

fn gpu(target: Target) -> Gpu {
    block_on(Gpu::request()).expect("a WebGPU adapter: install mesa-vulkan-drivers").with_target(target)
}

/// Every kind of kernel: for software and for hardware, with Winograd's method and without, in f32 and in f16.
fn settings() -> Vec<Gpu> {
    let mut settings = Vec::new();
    for target in TARGETS {
        for winograd in [Winograd::Never, Winograd::Always] {
            for values in [Float::F32, Float::F16] {
                let gpu = gpu(target).with_winograd(winograd);
                settings.push(gpu.with_values(values).expect("Mesa's adapter has f16"));
            }
        }
    }
    settings
}

/// Every file once, with the kernels that this machine's adapter is fastest with.
#[test]
fn agrees_with_pytorch_tap_by_tap() {
    hold_against_pytorch(&gpu(Target::Software), files());
}

#[test]
fn agrees_with_pytorch_by_kernels_for_hardware() {
    hold_against_pytorch(&gpu(Target::Hardware), light_files());
}

#[test]
fn agrees_with_pytorch_by_winograd_for_hardware() {
    hold_against_pytorch(&gpu(Target::Hardware).with_winograd(Winograd::Always), small_files());
}

#[test]
fn agrees_with_pytorch_in_f16() {
    let gpu = gpu(Target::Hardware).with_values(Float::F16).expect("Mesa's adapter has f16");
    hold_against_pytorch(&gpu, small_files());
}

fn hold_against_pytorch(gpu: &Gpu, files: Vec<PathBuf>) {
    for file in files {
        let reference = Reference::from_file(&file).unwrap();
        let model = reference.model().unwrap();
        let mut session = block_on(GpuSession::new(&model, gpu, |_| ())).unwrap();
        let taps = reference.tap_names().unwrap();
        let outputs = block_on(session.run(&reference.image(), reference.input, &taps)).unwrap();
        let taps = outputs.taps.into_iter().map(|tap| tap.data).collect();
        let worst = reference.compare(&Outputs { logits: outputs.logits, taps }).unwrap();
        let limit = match gpu.values() {
            Float::F32 => LIMIT,
            // Weights and outputs of each step are off by half a unit in the last place, 2^-11, in either
            // direction: they add up as a random walk does.
            Float::F16 => {
                let steps = model.network(224, 224).unwrap().steps.len();
                (2.0 * steps as f64).sqrt() * f64::exp2(-11.0)
            }
        };
        assert!(worst.error <= limit, "{}: {worst:?}", file.display());
    }
}

#[test]
fn f16_is_refused_by_a_device_that_was_made_without() {
    let gpu = gpu(Target::Hardware);
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapter = block_on(instance.request_adapter(&wgpu::RequestAdapterOptions::default())).unwrap();
    let (device, queue) = block_on(adapter.request_device(&wgpu::DeviceDescriptor::default())).unwrap();
    let without = Gpu::new(device, queue, adapter.get_info());
    let refused = without.with_values(Float::F16).err().map(|error| error.code());
    assert_eq!(refused, Some("unsupported"));
    assert!(gpu.with_values(Float::F16).is_ok());
}

/// Around every edge: tiles of 8 outputs x 8 pixels, of 16, 32 and 64 outputs x 256, 128 and 64 pixels,
/// blocks of 4 inputs, loads of 8 and 16 inputs, and Winograd's tiles of 4 x 4.
fn cases() -> Vec<(Case, usize)> {
    let case = |channels, groups, kernel, stride, size| Case {
        channels,
        groups,
        kernel,
        stride,
        size,
        add: Add::None,
        activation: Activation::Relu,
    };
    let mut cases = Vec::new();
    for side in [1, 2, 3, 5, 8, 9, 16, 17] {
        cases.push(case([5, 7], 1, 1, 1, [side, side]));
    }
    for outputs in [1, 3, 4, 5, 8, 9, 16, 17, 31, 32, 33, 63, 64, 65, 130] {
        cases.push(case([6, outputs], 1, 1, 1, [3, 5]));
        cases.push(case([6, outputs], 1, 3, 2, [5, 4]));
        cases.push(case([8, outputs], 1, 3, 1, [5, 4]));
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
    let mut cases: Vec<_> = cases.into_iter().map(|case| (case, 1)).collect();
    for (add, activation) in [(Add::Residual, Activation::HardSigmoid), (Add::Channel, Activation::None)] {
        for batch in [1, 2, 3, 5] {
            for (kernel, size) in [(1, [3, 3]), (3, [5, 6]), (1, [1, 1]), (5, [3, 2])] {
                cases.push((Case { add, activation, ..case([16, 19], 1, kernel, 1, size) }, batch));
            }
        }
    }
    cases
}

#[test]
fn convolutions_agree_with_the_formula_around_every_tile_edge() {
    for gpu in settings() {
        for (case, batch) in cases() {
            let network = case.network();
            let full = recipe_checkpoint(&network, "kernels", str::to_owned, Config::default()).unwrap();
            let half = in_f16(&network, &full);
            let images = unit("image", batch * network.image().len());
            for checkpoint in [full, half] {
                hold_steps(&gpu, &network, &checkpoint, &images, batch);
            }
        }
    }
}

#[test]
fn every_step_of_every_family_agrees_with_the_formula() {
    for file in [
        "form_released_40x56_b2.json",
        "form_paper_40x56_b2.json",
        "ghostnet_050_47x65_b2.json",
        "resnet18_64x96_b1.json",
    ] {
        let reference = Reference::from_file(Path::new("tests/golden/reference").join(file)).unwrap();
        let model = reference.model().unwrap();
        let network = model.network(33, 47).unwrap();
        let images = unit("image", 2 * network.image().len());
        for gpu in settings() {
            hold_steps(&gpu, &network, &model.checkpoint, &images, 2);
        }
    }
}

/// The same numbers in f16.
fn in_f16(network: &Network, checkpoint: &Checkpoint) -> Checkpoint {
    let (mut bytes, mut index) = (Vec::new(), BTreeMap::new());
    for (name, shape) in expected_tensors(network) {
        let offset = bytes.len();
        bytes.extend(Float::F16.encode(&checkpoint.read(&name).unwrap()));
        let strides = contiguous_strides(&shape);
        index.insert(name, Tensor { dtype: Dtype::F16, shape, strides, offset });
    }
    Checkpoint::new(bytes, index, Config::default()).unwrap()
}

/// Runs a batch, `[batch, channels, height, width]`, with every value kept, and holds each step against the formula
/// on the inputs that it had.
fn hold_steps(gpu: &Gpu, network: &Network, checkpoint: &Checkpoint, images: &[f32], batch: usize) {
    let mut network = network.clone();
    let whole = |(value, of): (usize, &Value)| View {
        value,
        first: 0,
        channels: of.channels,
        height: of.height,
        width: of.width,
    };
    let all: Vec<View> = network.values.iter().enumerate().map(whole).collect();
    let made: BTreeSet<usize> = network.steps.iter().map(|step| step.y.value).collect();
    network.taps = made
        .iter()
        .map(|&value| Tap { name: value.to_string(), source: TapSource::View(all[value]) })
        .collect();
    let names: Vec<_> = made.iter().map(ToString::to_string).collect();
    let weights = Weights::new(gpu, &network, |_, conv, channels| checkpoint.scaled(conv, channels)).unwrap();
    let plan = Plan::new(&network, &names).unwrap();
    let program = block_on(gpu.guarded(|| Program::new(gpu, plan, &weights, batch))).unwrap();
    block_on(gpu.guarded(|| {
        program.submit(gpu, images, Read::All);
        Ok(())
    }))
    .unwrap();
    let outputs = block_on(program.outputs(gpu, batch, Read::All)).unwrap();
    let half = gpu.values() == Float::F16;
    // The input is rounded when it is uploaded.
    let images = if half { Float::F16.decode(&Float::F16.encode(images)) } else { images.to_vec() };
    let mut values: BTreeMap<usize, &[f32]> =
        made.into_iter().zip(outputs[1..].iter().map(Vec::as_slice)).collect();
    values.insert(network.image().value, &images);
    for image in 0..batch {
        let read = |view: View| {
            let pixels = view.pixels();
            let first = (image * all[view.value].channels + view.first) * pixels;
            &values[&view.value][first..first + view.channels * pixels]
        };
        for step in &network.steps {
            let second = step.reads().nth(1).map_or(&[][..], read);
            let winograd =
                matches!(&step.op, Op::Conv(conv) if weights.of(conv).packing == Packing::Winograd);
            hold_step(
                step,
                read(step.y),
                read(step.x),
                second,
                checkpoint,
                Arithmetic { winograd, half, zero: 0.0 },
            );
        }
    }
}

fn small() -> (Reference, g_ghostnet::model::Model) {
    let reference = Reference::from_file("tests/golden/reference/form_released_40x56_b2.json").unwrap();
    let model = reference.model().unwrap();
    (reference, model)
}

#[test]
fn weights_of_another_network_are_refused() {
    let (_, model) = small();
    let read = |_, conv: &Conv, channels| {
        let mut scaled = model.checkpoint.scaled(conv, channels)?;
        scaled.weight.pop();
        Ok(scaled)
    };
    let result = block_on(GpuSession::of(model.outline(), &gpu(Target::Software), read, |_| ()));
    let error = result.err().unwrap();
    assert_eq!(error.code(), "bad-model");
    assert!(error.to_string().contains("`conv1` has"), "{error}");
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
            let outputs = block_on(session.run(&images, dims, &["layer1.0"])).unwrap();
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
        let a = block_on(session.run(&image, dims, taps)).unwrap();
        let b = cpu.run(&image, dims, taps).unwrap();
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
    let error = block_on(session.run(&reference.image(), reference.input, none)).unwrap_err();
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
    let error = block_on(session.run(&vec![0.0; 3 * side * side], [1, 3, side, side], none)).unwrap_err();
    assert_eq!(error.code(), "out-of-memory");
    let error = block_on(session.run(&reference.image(), reference.input, &["nothing"])).unwrap_err();
    assert_eq!(error.code(), "unknown-tap");
    let image = reference.image();
    assert!(block_on(session.run(&image, reference.input, none)).is_ok());
}

#[test]
fn a_tap_is_drawn_from_its_buffer() {
    let (reference, model) = small();
    let gpu = gpu(Target::Hardware);
    let mut session = block_on(GpuSession::new(&model, &gpu, |_| ())).unwrap();
    let outputs = block_on(session.run(&reference.image(), reference.input, &["layer2.base"])).unwrap();
    let tap = &outputs.taps[0];
    let [_, channels, height, width] = tap.dims;
    // Grey, with another number in green, so that a swap of bytes shows.
    let palette: Vec<u8> = (0..=255).flat_map(|i: u8| [i, 255 - i, 7, 255]).collect();
    let format = wgpu::TextureFormat::Rgba8Unorm;
    let painter = block_on(Painter::new(&gpu, format, &palette)).unwrap();
    let (cell, columns) = (12, 3);
    let side = 64; // more than the grid, a multiple of a row's 256 bytes
    for (one_scale, gap) in [(false, 0), (true, 0), (true, 3)] {
        let picture = Picture { image: 1, channels: vec![5, 0, 11, 2], columns, cell, gap, one_scale };
        let step = cell + gap;
        assert_eq!(picture.size(side).unwrap(), [3 * step, 2 * step]);
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
        block_on(gpu.guarded(|| painter.draw(&gpu, program, "layer2.base", &picture, &view))).unwrap();
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
                let index = (y / step * columns + x / step) as usize;
                let inside = x / step < columns && x % step < cell && y % step < cell;
                let got = pixels[(y * side + x) as usize];
                let Some(&channel) = picture.channels.get(index).filter(|_| inside) else {
                    assert_eq!(got, [0; 4], "{x}, {y} is outside of the grid");
                    continue;
                };
                let (row, column) = (y % step * height as u32 / cell, x % step * width as u32 / cell);
                let value = map(channel)[row as usize * width + column as usize];
                let (min, max) = if one_scale { range(&picture.channels) } else { range(&[channel]) };
                let want = if max > min { 255.0 * (value - min) / (max - min) } else { 0.0 };
                // Division is exact to 2.5 units in the last place, so the rounding may fall either way.
                assert!((f32::from(got[0]) - want).abs() <= 0.5001, "{x}, {y}: {got:?}, expected {want}");
                assert_eq!([got[1], got[2], got[3]], [255 - got[0], 7, 255]);
            }
        }
    }
    // Without reading back: the same numbers on the device, and none here.
    let image = &reference.image()[..3 * 40 * 56];
    let kept = block_on(session.keep(image, [40, 56], &["layer2.base"])).unwrap();
    let error = |(a, b): (&f32, &f32)| (a - b).abs();
    assert!(kept.logits.iter().zip(&outputs.logits).map(error).all(|error| error <= 1e-5));
    assert!(!kept.logits.is_empty() && kept.taps[0].data.is_empty());
    assert_eq!(kept.taps[0].dims[1..], [channels, height, width]);

    let picture = Picture { image: 2, channels: vec![0], columns: 1, cell: 1, gap: 0, one_scale: false };
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
    let error = painter.draw(&gpu, program, "layer2.base", &picture, &view).unwrap_err();
    assert_eq!(error.code(), "wrong-shape");
    let error = painter.draw(&gpu, program, "layer3.base", &picture, &view).unwrap_err();
    assert_eq!(error.code(), "unknown-tap");
    for picture in [
        Picture { channels: Vec::new(), ..picture.clone() },
        Picture { columns: 0, ..picture.clone() },
        Picture { cell: 0, ..picture.clone() },
        Picture { cell: u32::MAX, gap: u32::MAX, columns: u32::MAX, ..picture },
    ] {
        assert_eq!(picture.size(8192).unwrap_err().code(), "wrong-shape", "{picture:?}");
    }
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
