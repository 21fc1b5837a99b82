//! What is fuzzed: a function for each kind of input that a stranger may choose, which says what must hold.
//!
//! `fuzz_targets/` calls them with what libFuzzer makes, `tests/it/hostile.rs` with the corpus.

pub mod parts;

use arbitrary::{Result, Unstructured};
use g_ghostnet::arch::ghostnet::GhostNet;
use g_ghostnet::arch::regnet::{Form, Ghost, RegNet};
use g_ghostnet::arch::resnet::{Inner, ResNet, Stem};
use g_ghostnet::arch::{Architecture, Network, View};
use g_ghostnet::checkpoint::{Checkpoint, Dtype, Tensor, contiguous_strides};
use g_ghostnet::config::Config;
use g_ghostnet::fold::expected_tensors;
use g_ghostnet::image::{Interpolation, Preprocess, Resize, preprocess};
use g_ghostnet::model::{Model, Options};
use g_ghostnet::plan::Plan;
use g_ghostnet::quantize::Calibration;
use g_ghostnet::session::{CpuSession, Outputs};
use parts::{file_of, read_by_parts};
use std::collections::BTreeMap;

/// What is done with the bytes of an input.
pub type Target = fn(&[u8]);

/// Every target by its name, which is that of its folder in the corpus.
pub const TARGETS: [(&str, Target); 8] = [
    ("safetensors", safetensors),
    ("header", header),
    ("pth", pth),
    ("pickle", pickle),
    ("config", config),
    ("plan", plan),
    ("image", image),
    ("calibrate", calibrate),
];

/// Most memory that one input may take beside itself: what `SECURITY.md` promises of reading a file, and
/// far above what the networks and pictures here need.
const MEMORY: u64 = 64 << 20;
/// Longest error: it is a sentence for people, whatever the file holds.
const SENTENCE: usize = 4096;
/// Networks that are computed too cost at most this, so that an input takes milliseconds.
const MACS: u64 = 1 << 20;
const ELEMENTS: usize = 1 << 18;
/// Smallest picture: one pixel in the last stage.
const SIDE: usize = 32;

/// A safetensors file, or anything else that is told from one by its first bytes.
pub fn safetensors(data: &[u8]) {
    model(data);
    read_in_parts(data, None);
}

/// A safetensors file from its JSON header: two bytes say how much data follows.
pub fn header(data: &[u8]) {
    let Some((length, json)) = data.split_first_chunk() else { return };
    let length = usize::from(u16::from_le_bytes(*length));
    // Numbers near 1 in half precision and small ones in single, so that a network of them can be run.
    let numbers = std::iter::repeat_n([0x00, 0x3c], length.div_ceil(2)).flatten().take(length);
    let file: Vec<u8> =
        (json.len() as u64).to_le_bytes().into_iter().chain(json.iter().copied()).chain(numbers).collect();
    model(&file);
    read_in_parts(&file, None);
    read_in_parts(&file, Some("ema"));
}

/// A PyTorch checkpoint, zip or legacy.
pub fn pth(data: &[u8]) {
    model(data);
    read_in_parts(data, None);
    read_in_parts(data, Some("ema"));
}

/// A PyTorch checkpoint of the legacy format from its state dict's pickle and what follows.
pub fn pickle(data: &[u8]) {
    let file = [LEGACY, data].concat();
    model(&file);
    read_in_parts(&file, None);
    read_in_parts(&file, Some("ema"));
}

/// A checkpoint that is read piece by piece, and by way of the file that is made of it, is that of the whole file.
fn read_in_parts(file: &[u8], weights: Option<&str>) {
    let options = Options { weights: weights.map(str::to_owned), ..Options::default() };
    let made = read_by_parts(file, &options, |reader| {
        let mut step = None;
        within_memory(|| step = Some(reader.read()));
        let step = step.expect("it was read");
        accepted(step.as_ref().map_err(Clone::clone));
        step
    });
    let made = made.and_then(|(checkpoint, _)| {
        let written = Checkpoint::from_bytes(file_of(&checkpoint, file)).expect("a safetensors file");
        Ok((Model::from_own_layout(written, None)?.checkpoint, checkpoint.origin))
    });
    let whole = Model::from_bytes(file.to_vec(), &options).map(|model| model.checkpoint);
    match (whole, made) {
        (Ok(whole), Ok((made, origin))) => {
            assert_eq!(whole.origin, origin);
            let same = |name: &String| whole.read(name) == made.read(name);
            assert!(whole.tensors().keys().eq(made.tensors().keys()) && whole.tensors().keys().all(same));
        }
        (Err(whole), Err(made)) => assert_eq!(whole, made),
        (whole, made) => panic!("whole {:?}, in parts {:?}", whole.err(), made.err()),
    }
}

/// `torch.serialization.MAGIC_NUMBER`, the format's version 1001 and an empty dict for the system's sizes.
pub const LEGACY: &[u8] =
    b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}.";

/// A model file's bytes: read or refused, and what was read can be computed.
fn model(bytes: &[u8]) {
    let mut read = None;
    within_memory(|| read = accepted(Model::from_bytes(bytes.to_vec(), &Options::default())));
    let Some(model) = read else { return };
    let network = model.network(SIDE, SIDE).expect("the smallest side is every network's");
    model.checkpoint.check(&network).expect("a model was checked");
    described_by_its_config(&model.architecture, &network);
    if is_small(&network) {
        within_memory(|| {
            let Some(mut session) = accepted(CpuSession::new(&model, 1)) else { return };
            let picture = vec![0.5; 3 * SIDE * SIDE];
            let outputs = session.run::<&str>(&picture, [1, 3, SIDE, SIDE], &[]);
            assert_eq!(outputs.expect("a picture of the right size").logits.len(), model.labels.len());
        });
    }
}

/// The JSON config of a model file.
pub fn config(data: &[u8]) {
    let Ok(json) = std::str::from_utf8(data) else { return };
    let Some(config) = accepted(Config::from_json(json)) else { return };
    accepted(Config::from_json(&config.to_json())).expect("it reads what it writes");
    if let Some(Some(architecture)) = accepted(config.architecture()) {
        network(&architecture, 3, [SIDE, SIDE], &mut Unstructured::new(data)).ok();
    }
}

/// A network of arbitrary numbers, for a picture of arbitrary size, with arbitrary taps.
pub fn plan(data: &[u8]) {
    // The data ends where it ends: there is nothing to be held of half a network.
    plan_of(&mut Unstructured::new(data)).ok();
}

/// As [`plan`], from a source of choices.
///
/// # Errors
/// Where the choices end.
pub fn plan_of(choices: &mut Unstructured) -> Result<()> {
    let architecture = arbitrary_architecture(choices)?;
    let classes = arbitrary_number(choices, 12)?;
    let size = [arbitrary_side(choices)?, arbitrary_side(choices)?];
    network(&architecture, classes, size, choices)
}

fn network(
    architecture: &Architecture,
    classes: usize,
    [height, width]: [usize; 2],
    choices: &mut Unstructured,
) -> Result<()> {
    let mut built = None;
    within_memory(|| built = accepted(Network::new(architecture, classes, height, width)));
    let Some(network) = built else { return Ok(()) };
    described_by_its_config(architecture, &network);
    let mut taps = Vec::new();
    for _ in 0..choices.int_in_range(0..=8)? {
        taps.push(choices.choose(&network.taps)?.name.clone());
    }
    within_memory(|| holds_what_is_read(&network, &taps));
    if is_small(&network) {
        within_memory(|| taps_batches_and_threads_change_nothing(architecture, &network, &taps));
    }
    Ok(())
}

/// What a config says of a network is that network. (Its ratios may be off by their last bit: the JSON reader is
/// small because it does not round numbers of 17 digits exactly.)
fn described_by_its_config(architecture: &Architecture, network: &Network) {
    // A GhostNet's name has its width in hundredths.
    if !matches!(architecture, Architecture::GhostNet(_)) {
        let json = Config::of(architecture).to_json();
        let described = Config::from_json(&json).and_then(|config| config.architecture());
        let described = described.expect("a config of our own").expect("it has numbers");
        let View { height, width, .. } = network.image();
        let again = Network::new(&described, network.classes, height, width).expect("the same network");
        assert!(again.steps == network.steps && again.values == network.values, "{json}");
    }
}

/// Runs the plan with the name of each value in place of its numbers: what a step reads must be there,
/// in the channels that were written, and never in the slot that it writes.
pub fn holds_what_is_read(network: &Network, taps: &[String]) {
    let plan = Plan::new(network, taps).expect("the taps are the network's own");
    // Per slot: the value that lies there and which of its channels were written.
    let mut slots: Vec<Option<(usize, Vec<bool>)>> = vec![None; plan.slots.len()];
    slots[plan.slot(plan.image)] = Some((plan.image.value, vec![true; plan.image.channels]));
    let holds = |slots: &[Option<(usize, Vec<bool>)>], view: View, step: &str| {
        let (value, written) = slots[plan.slot(view)].as_ref().expect("something was written");
        assert_eq!(*value, view.value, "{}: {step} reads an overwritten value", network.name);
        let range = view.first..view.first + view.channels;
        assert!(
            written[range].iter().all(|&written| written),
            "{}: {step} reads what is not written",
            network.name
        );
    };
    for step in &plan.steps {
        for view in step.reads() {
            holds(&slots, view, &step.name);
            let (name, step_name) = (&network.name, &step.name);
            assert_ne!(plan.slot(view), plan.slot(step.y), "{name}: {step_name} reads its own slot");
        }
        let value = &plan.values[step.y.value];
        assert!(value.len() <= plan.slots[plan.slot(step.y)], "{}: {} is too large", network.name, step.name);
        let slot = &mut slots[plan.slot(step.y)];
        if slot.as_ref().is_none_or(|(value, _)| *value != step.y.value) {
            *slot = Some((step.y.value, vec![false; value.channels]));
        }
        if let Some((_, written)) = slot {
            written[step.y.first..step.y.first + step.y.channels].fill(true);
        }
    }
    holds(&slots, plan.logits, "the output");
    assert_eq!(plan.taps.len(), taps.len());
    for ((name, view), asked) in plan.taps.iter().zip(taps) {
        assert_eq!(name, asked);
        holds(&slots, *view, name);
    }
}

/// Two pictures at once with taps on three threads, and each alone on one: the same numbers to the last bit.
fn taps_batches_and_threads_change_nothing(architecture: &Architecture, network: &Network, taps: &[String]) {
    let checkpoint = invented_checkpoint(network);
    let labels = (0..network.classes).map(|class| class.to_string()).collect();
    let input = Preprocess::default();
    let model = Model { architecture: architecture.clone(), labels, input, checkpoint };
    let session = |threads| CpuSession::new(&model, threads).expect("invented weights are finite");
    let View { height, width, .. } = network.image();
    let pictures: Vec<f32> = invented(7).take(2 * 3 * height * width).collect();
    let run = |session: &mut CpuSession, pictures: &[f32], taps: &[String]| -> Outputs {
        let batch = pictures.len() / (3 * height * width);
        session.run(pictures, [batch, 3, height, width], taps).expect("a picture of the right size")
    };
    let both = run(&mut session(3), &pictures, taps);
    let mut one_thread = session(1);
    let mut run = |picture: &[f32], taps: &[String]| run(&mut one_thread, picture, taps);
    let halves = pictures.split_at(pictures.len() / 2);
    for (index, picture) in [halves.0, halves.1].into_iter().enumerate() {
        let alone = run(picture, &[]);
        assert!(alone.logits.iter().all(|logit| logit.is_finite()), "{}: {:?}", network.name, alone.logits);
        assert_eq!(alone.logits, both.logits[index * network.classes..][..network.classes]);
        // Taps asked for alone, of one picture: what they are among others.
        for (tap, name) in both.taps.iter().zip(taps).skip(index).step_by(4) {
            let one = run(picture, std::slice::from_ref(name));
            let length = one.taps[0].data.len();
            assert_eq!(one.taps[0].data, tap.data[index * length..][..length], "{}: {name}", network.name);
        }
    }
}

/// A picture of arbitrary size and pixels under an arbitrary rule.
pub fn image(data: &[u8]) {
    image_of(&mut Unstructured::new(data)).ok();
}

/// As [`image`], from a source of choices.
///
/// # Errors
/// Where the choices end.
pub fn image_of(choices: &mut Unstructured) -> Result<()> {
    let (width, height) = (arbitrary_number(choices, 300)?, arbitrary_number(choices, 300)?);
    let side = arbitrary_number(choices, 256)?;
    let resize = match choices.arbitrary()? {
        true => Resize::Squash,
        false => Resize::Crop { resize_side: side.saturating_add(choices.int_in_range(0..=64)?) },
    };
    let interpolation = *choices.choose(&[Interpolation::Bilinear, Interpolation::Bicubic])?;
    let (mean, std) = match choices.arbitrary()? {
        true => ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        false => (choices.arbitrary()?, choices.arbitrary()?),
    };
    let rule = Preprocess { side, resize, interpolation, mean, std };
    let length = width.saturating_mul(height).saturating_mul(4);
    let wrong = choices.ratio(1, 16)?;
    let pixels = choices.bytes(choices.len())?;
    // What is left of the data, again and again; too large a picture has too few of them.
    let mut rgba: Vec<u8> = pixels.iter().copied().cycle().take(length.min(1 << 20)).collect();
    if wrong {
        rgba.pop();
    }
    if side > 512 && rule.check().is_ok() {
        return Ok(()); // A right answer of a size that takes too long here.
    }
    within_memory(|| {
        let Some(values) = accepted(preprocess(&rgba, width, height, &rule)) else { return };
        assert_eq!((values.len(), rgba.len()), (3 * side * side, length));
        assert!(values.iter().all(|value| value.is_finite()), "{rule:?} makes a number that is none");
    });
    Ok(())
}

/// A small network of arbitrary magnitudes, made a model of eight bits by pictures of arbitrary magnitudes.
pub fn calibrate(data: &[u8]) {
    calibrate_of(&mut Unstructured::new(data)).ok();
}

fn calibrate_of(choices: &mut Unstructured) -> Result<()> {
    let architecture = arbitrary_architecture(choices)?;
    let Some(network) = accepted(Network::new(&architecture, 2, SIDE, SIDE)) else { return Ok(()) };
    if !is_small(&network) {
        return Ok(());
    }
    let checkpoint = checkpoint_of_size(&network, arbitrary_size(choices)?);
    let input = Preprocess { side: SIDE, ..Preprocess::default() };
    let model = Model { architecture, labels: vec!["a".into(), "b".into()], input, checkpoint };
    let mut pictures = Vec::new();
    for seed in 0..choices.int_in_range(0..=3)? {
        let size = arbitrary_size(choices)?;
        pictures.push(invented(seed).take(3 * SIDE * SIDE).map(|number| number * size).collect::<Vec<_>>());
    }
    within_memory(|| {
        let Some(mut calibration) = accepted(Calibration::new(&model, 1)) else { return };
        if pictures.iter().any(|picture| accepted(calibration.add(picture)).is_none()) {
            return;
        }
        let Some(bytes) = accepted(calibration.finish()) else { return };
        let again = Model::from_bytes(bytes, &Options::default()).expect("it reads what it writes");
        let Some(mut session) = accepted(CpuSession::new(&again, 1)) else { return };
        let picture: Vec<f32> = invented(9).take(3 * SIDE * SIDE).collect();
        let outputs = session.run::<&str>(&picture, [1, 3, SIDE, SIDE], &[]);
        assert_eq!(outputs.expect("a picture of the right size").logits.len(), 2);
    });
    Ok(())
}

/// Mostly what a trained network has, sometimes what no sane one does.
fn arbitrary_size(choices: &mut Unstructured) -> Result<f32> {
    Ok(match choices.ratio(1, 2)? {
        true => 1.0,
        false => *choices.choose(&[
            0.0,
            1e-45,
            1e-30,
            1e-3,
            100.0,
            1e9,
            1e20,
            f32::MAX,
            f32::INFINITY,
            f32::NAN,
        ])?,
    })
}

/// The result, or nothing after an error that is a sentence with a code.
fn accepted<T>(result: g_ghostnet::Result<T>) -> Option<T> {
    result
        .inspect_err(|error| {
            let sentence = error.to_string();
            assert!(!error.code().is_empty() && !sentence.is_empty());
            assert!(sentence.len() <= SENTENCE, "an error of {} bytes: {:.200}", sentence.len(), sentence);
        })
        .ok()
}

fn within_memory(what: impl FnOnce()) {
    let used = allocation_counter::measure(what);
    assert!(used.bytes_max <= MEMORY, "{} bytes at once, at most {MEMORY} are allowed", used.bytes_max);
}

fn is_small(network: &Network) -> bool {
    let elements: usize = network.values.iter().map(g_ghostnet::arch::Value::len).sum();
    network.macs() <= MACS && network.params() <= ELEMENTS as u64 && elements <= ELEMENTS
}

/// Mostly a small number, sometimes one that nothing has.
fn arbitrary_number(choices: &mut Unstructured, usual: usize) -> Result<usize> {
    match choices.ratio(15, 16)? {
        true => choices.int_in_range(1..=usual),
        false => {
            Ok(*choices.choose(&[0, 2048, 4096, 4097, 16384, 16385, 65535, 65536, 1 << 31, usize::MAX])?)
        }
    }
}

fn arbitrary_side(choices: &mut Unstructured) -> Result<usize> {
    match choices.ratio(15, 16)? {
        true => choices.int_in_range(SIDE..=SIDE + 16),
        false => arbitrary_number(choices, SIDE),
    }
}

fn arbitrary_architecture(choices: &mut Unstructured) -> Result<Architecture> {
    Ok(match choices.int_in_range(0..=7)? {
        0 => Architecture::ResNet(ResNet {
            depths: arbitrary_numbers(choices, 3)?,
            width: arbitrary_number(choices, 8)?,
            inner: match choices.arbitrary()? {
                true => {
                    let (width, groups) = (arbitrary_number(choices, 8)?, arbitrary_number(choices, 4)?);
                    Some(Inner { width: width.saturating_mul(groups), groups })
                }
                false => None,
            },
            stem: *choices.choose(&[Stem::ImageNet, Stem::Cifar, Stem::CifarPool])?,
        }),
        1 => {
            let usual = f64::from(choices.int_in_range(10..=40)?) / 100.0;
            let width = if choices.ratio(7, 8)? { usual } else { choices.arbitrary()? };
            Architecture::GhostNet(GhostNet { width })
        }
        _ => {
            let group_width = arbitrary_number(choices, 16)?;
            let mut widths = arbitrary_numbers(choices, 6)?;
            if choices.ratio(15, 16)? {
                widths = widths.map(|width| width.saturating_mul(group_width));
            }
            let depths = arbitrary_numbers(choices, 6)?;
            let ghost = if choices.ratio(3, 4)? { Some(arbitrary_ghost(choices)?) } else { None };
            Architecture::RegNet(RegNet { depths, widths, group_width, ghost })
        }
    })
}

fn arbitrary_ghost(choices: &mut Unstructured) -> Result<Ghost> {
    let form = *choices.choose(&[Form::Released, Form::Paper])?;
    let aggregation = choices.arbitrary()?;
    let cheap_kernel = *choices.choose(&[1, 3, 5, 0, 7])?;
    let mut cheap_ratio = [0.5; 4];
    for ratio in &mut cheap_ratio {
        *ratio = match choices.ratio(15, 16)? {
            true => f64::from(choices.int_in_range(0..=20)?) / 20.0,
            false => choices.arbitrary()?,
        };
    }
    let cheap_reads_all = choices.arbitrary()?;
    Ok(Ghost { form, aggregation, cheap_kernel, cheap_ratio, cheap_reads_all })
}

fn arbitrary_numbers(choices: &mut Unstructured, usual: usize) -> Result<[usize; 4]> {
    let mut numbers = [0; 4];
    for number in &mut numbers {
        *number = arbitrary_number(choices, usual)?;
    }
    Ok(numbers)
}

/// Numbers in -1..1 that follow from their seed alone.
fn invented(seed: u64) -> impl Iterator<Item = f32> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        // splitmix64
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) as i64 as f32 / i64::MAX as f32
    })
}

/// Weights of every tensor that a network needs; scales and variances are near 1.
pub fn invented_checkpoint(network: &Network) -> Checkpoint {
    checkpoint_of_size(network, 1.0)
}

/// As [`invented_checkpoint`], with filters of another size.
fn checkpoint_of_size(network: &Network, size: f32) -> Checkpoint {
    let (mut bytes, mut tensors) = (Vec::new(), BTreeMap::new());
    for (index, (name, shape)) in expected_tensors(network).into_iter().enumerate() {
        let positive = shape.len() == 1 && !name.ends_with("bias") && !name.ends_with("mean");
        let (offset, strides) = (bytes.len(), contiguous_strides(&shape));
        let fan_in: usize = shape.iter().skip(1).product();
        let (first, scale) = if positive { (1.0, 0.5) } else { (0.0, size / (fan_in as f32).sqrt()) };
        let numbers = invented(index as u64).take(shape.iter().product());
        bytes.extend(numbers.flat_map(|number| (first + scale * number).to_le_bytes()));
        tensors.insert(name, Tensor { dtype: Dtype::F32, shape, strides, offset });
    }
    Checkpoint::new(bytes, tensors, Config::default()).expect("every tensor lies in the bytes")
}
