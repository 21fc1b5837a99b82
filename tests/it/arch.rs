//! Networks as data: their cost against published and counted figures, their names against the
//! checkpoints', and each recognised from its shapes alone.

use crate::support::reference::{architecture, library_of, recipe_checkpoint};
use g_ghostnet::Error;
use g_ghostnet::arch::ghostnet::GhostNet;
use g_ghostnet::arch::regnet::{Form, Ghost, RegNet, VARIANTS};
use g_ghostnet::arch::resnet::{Inner, ResNet, Stem};
use g_ghostnet::arch::{Architecture, Network, Op, Stage, StageKind, TapSource, Value, View};
use g_ghostnet::checkpoint::{Checkpoint, Dtype, Tensor};
use g_ghostnet::config::Config;
use g_ghostnet::fold::expected_tensors;
use g_ghostnet::model::{Model, Options};
use g_ghostnet::read::names::{LIBRARIES, MARK};
use g_ghostnet::read::recognise;
use std::collections::{BTreeMap, BTreeSet};

fn network(variant: &str) -> Network {
    Network::new(&architecture(variant), 1000, 224, 224).unwrap()
}

/// Whether a count, in units of `unit`, is what was printed with two decimals.
fn prints_as(count: u64, unit: f64, printed: f64) -> bool {
    ((count as f64 / unit) * 100.0).round() == (printed * 100.0).round()
}

#[test]
fn the_authors_four_networks_cost_what_they_published() {
    for (number, params, macs) in
        [("032", 10.51, 1.80), ("040", 15.73, 2.23), ("080", 24.59, 4.15), ("160", 32.38, 9.00)]
    {
        let network = network(&format!("g_ghost_regnetx_{number}"));
        assert!(prints_as(network.params(), 1e6, params), "{number}: {} parameters", network.params());
        assert!(prints_as(network.macs(), 1e9, macs), "{number}: {} MACs", network.macs());
    }
}

/// Millions of parameters, billions of MACs and millions of activations.
type Cost = (f64, f64, f64);
/// Number of a stage, its raw and cheap channels, the inner group width and the number of inner blocks.
type GhostStage = (usize, usize, usize, usize, usize);

/// Counted in the authors' code: number, plain twin, ghost, convolutions of the latter, ghost stages.
#[allow(clippy::approx_constant, reason = "3.14 million activations have nothing to do with a circle")]
const TABLE: [(&str, Cost, Cost, usize, &[GhostStage]); 12] = [
    ("002", (2.68, 0.20, 2.16), (1.83, 0.13, 1.96), 50, &[(3, 72, 80, 6, 2), (4, 180, 188, 6, 5)]),
    ("004", (5.16, 0.40, 3.14), (2.88, 0.22, 2.63), 77, &[(3, 72, 88, 12, 5), (4, 192, 192, 12, 10)]),
    (
        "006",
        (6.20, 0.60, 3.97),
        (4.03, 0.39, 3.48),
        62,
        &[(2, 36, 60, 18, 1), (3, 108, 132, 18, 3), (4, 252, 276, 18, 5)],
    ),
    (
        "008",
        (7.26, 0.80, 5.15),
        (5.25, 0.53, 4.52),
        62,
        &[(2, 60, 68, 12, 1), (3, 144, 144, 12, 5), (4, 336, 336, 12, 3)],
    ),
    ("016", (9.19, 1.60, 7.93), (7.11, 1.02, 6.61), 65, &[(2, 72, 96, 18, 2), (3, 198, 210, 18, 8)]),
    ("032", (15.30, 3.18, 11.37), (10.51, 1.80, 8.72), 86, &[(2, 72, 120, 36, 4), (3, 216, 216, 36, 13)]),
    ("040", (22.12, 3.96, 12.20), (15.73, 2.23, 9.46), 80, &[(2, 120, 120, 30, 3), (3, 270, 290, 30, 12)]),
    ("064", (26.21, 6.46, 16.37), (17.99, 4.06, 13.66), 62, &[(2, 168, 224, 42, 2), (3, 378, 406, 42, 8)]),
    ("080", (39.57, 8.00, 14.06), (24.59, 4.15, 10.44), 80, &[(2, 90, 150, 90, 3), (3, 360, 360, 90, 13)]),
    ("120", (46.11, 12.09, 21.37), (30.63, 7.38, 17.19), 68, &[(2, 168, 280, 84, 3), (3, 420, 476, 84, 9)]),
    ("160", (54.28, 15.94, 25.51), (32.38, 9.00, 19.55), 77, &[(2, 192, 320, 96, 4), (3, 384, 512, 96, 11)]),
    (
        "320",
        (107.81, 31.74, 36.30),
        (62.82, 17.16, 27.22),
        80,
        &[(2, 252, 420, 126, 5), (3, 630, 714, 126, 11)],
    ),
];

#[test]
fn every_size_and_its_plain_twin_cost_what_the_authors_code_does() {
    for (number, plain, ghost, convolutions, stages) in TABLE {
        for (variant, cost) in
            [(format!("regnetx_{number}"), plain), (format!("g_ghost_regnetx_{number}"), ghost)]
        {
            let network = network(&variant);
            assert_eq!(network.name, variant);
            assert!(prints_as(network.params(), 1e6, cost.0), "{variant}: {} parameters", network.params());
            assert!(prints_as(network.macs(), 1e9, cost.1), "{variant}: {} MACs", network.macs());
            let activations = network.activations();
            assert!(prints_as(activations, 1e6, cost.2), "{variant}: {activations} activations");
        }
        let network = network(&format!("g_ghost_regnetx_{number}"));
        // The classifier is the one layer of the table's count that is no convolution.
        let tensors = expected_tensors(&network);
        assert_eq!(tensors.iter().filter(|(_, shape)| shape.len() == 4).count(), convolutions, "{number}");
        let shape_of = |key: String| &tensors.iter().find(|tensor| tensor.0 == key).unwrap().1;
        let found: Vec<GhostStage> = (network.stages.iter())
            .filter(|stage| stage.kind == StageKind::Ghost)
            .map(|stage| {
                let inner = shape_of(format!("{}.layers.0.conv2.weight", stage.name))[1];
                let number = stage.name.strip_prefix("layer").unwrap().parse().unwrap();
                (number, stage.raw, stage.cheap, inner, stage.depth - 2)
            })
            .collect();
        assert_eq!(found, stages, "{number}");
    }
}

/// Parameters and MACs at 224 x 224 as PyTorch counts them in timm's networks (torchvision's own where
/// timm has taken them over).
const COUNTED: [(&str, u64, u64); 29] = [
    ("regnetx_002", 2_684_792, 199_039_872),
    ("regnetx_004", 5_157_512, 397_677_568),
    ("regnet_x_400mf", 5_495_976, 413_812_608),
    ("regnetx_006", 6_196_040, 600_890_112),
    ("regnetx_008", 7_259_656, 799_699_712),
    ("regnetx_016", 9_190_136, 1_602_849_792),
    ("regnetx_032", 15_296_552, 3_176_621_952),
    ("regnetx_040", 22_118_248, 3_964_498_816),
    ("regnetx_064", 26_209_256, 6_460_291_264),
    ("regnetx_080", 39_572_648, 7_995_132_416),
    ("regnetx_120", 46_106_056, 12_086_678_016),
    ("regnetx_160", 54_278_536, 15_940_755_456),
    ("regnetx_320", 107_811_560, 31_735_929_792),
    ("resnet18", 11_689_512, 1_814_073_344),
    ("resnet34", 21_797_672, 3_663_761_408),
    ("resnet26", 15_995_176, 2_342_256_640),
    ("resnet50", 25_557_032, 4_089_184_256),
    ("resnet101", 44_549_160, 7_801_405_440),
    ("resnet152", 60_192_808, 11_513_626_624),
    ("resnext50_32x4d", 25_028_904, 4_230_479_872),
    ("resnext101_32x4d", 44_177_704, 7_969_996_800),
    ("resnext101_32x8d", 88_791_336, 16_414_015_488),
    ("resnext101_32x16d", 194_026_792, 36_163_289_088),
    ("resnext101_64x4d", 83_455_272, 15_460_270_080),
    ("wide_resnet50_2", 68_883_240, 11_398_021_120),
    ("wide_resnet101_2", 126_886_696, 22_753_050_624),
    ("ghostnet_050", 2_587_292, 42_328_152),
    ("ghostnet_100", 5_182_508, 141_150_512),
    ("ghostnet_130", 7_358_820, 227_003_256),
];

#[test]
fn the_other_networks_cost_what_pytorch_counts() {
    for (variant, params, macs) in COUNTED {
        let network = network(variant);
        assert_eq!((network.name.as_str(), network.params(), network.macs()), (variant, params, macs));
    }
}

#[test]
fn the_names_of_the_libraries_are_known() {
    for (theirs, ours) in [
        ("regnet_x_400mf", "regnet_x_400mf"),
        ("regnetx_004_tv", "regnet_x_400mf"),
        ("regnet_x_800mf", "regnetx_008"),
        ("regnet_x_1_6gf", "regnetx_016"),
        ("regnet_x_3_2gf", "regnetx_032"),
        ("regnet_x_8gf", "regnetx_080"),
        ("regnet_x_16gf", "regnetx_160"),
        ("regnet_x_32gf", "regnetx_320"),
    ] {
        assert_eq!(network(theirs).name, ours);
    }
}

/// Keys and shapes of the authors', torchvision's and timm's checkpoints, with batch norm's counters, which
/// are not needed.
#[test]
fn keys_and_shapes_are_those_of_the_checkpoints() {
    let mut files = 0;
    for entry in std::fs::read_dir("tests/golden/keys").unwrap() {
        let path = entry.unwrap().path();
        let variant = path.file_stem().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let mut theirs: BTreeMap<String, Vec<usize>> =
            serde_json::from_str::<Vec<_>>(&text).unwrap().into_iter().collect();
        theirs.retain(|key, _| !key.ends_with(".num_batches_tracked"));
        let ours: Vec<_> = (expected_tensors(&network(variant)).into_iter())
            .map(|(key, shape)| (library_of(variant).map_or(key.clone(), |names| names.theirs(&key)), shape))
            .collect();
        assert_eq!(ours.len(), theirs.len(), "{variant}: a key is there twice");
        assert_eq!(ours.into_iter().collect::<BTreeMap<_, _>>(), theirs, "{variant}");
        files += 1;
    }
    assert!(files >= 3, "the key lists are part of the project");
}

fn resnet(depths: [usize; 4], width: usize, inner: Option<(usize, usize)>, stem: Stem) -> Architecture {
    let inner = inner.map(|(width, groups)| Inner { width, groups });
    Architecture::ResNet(ResNet { depths, width, inner, stem })
}

/// Architectures beyond the published ones, in every form of the ghost stage.
fn forms() -> Vec<Architecture> {
    let mut forms = vec![
        resnet([1, 2, 1, 3], 8, None, Stem::ImageNet),
        resnet([1, 2, 1, 3], 8, Some((12, 3)), Stem::ImageNet),
        Architecture::RegNet(RegNet {
            depths: [2, 1, 3, 4],
            widths: [8, 16, 24, 32],
            group_width: 8,
            ghost: None,
        }),
    ];
    for form in [Form::Released, Form::Paper] {
        for aggregation in [true, false] {
            for (cheap_kernel, cheap_ratio) in [
                (1, [0.5; 4]),
                (3, [0.5, 0.25, 0.75, 0.1]),
                (5, [0.0, 1.0, 0.9, 0.4]),
                (3, [0.0, 0.0, 0.3, 1.0]),
            ] {
                let ghost = Some(Ghost { form, aggregation, cheap_kernel, cheap_ratio, ..Ghost::default() });
                // A stage without raw channels has no inner blocks to count: its depth is taken for 3.
                let (depths, widths) = ([1, 3, 4, 3], [16, 48, 72, 88]);
                forms.push(Architecture::RegNet(RegNet { depths, widths, group_width: 8, ghost }));
            }
        }
    }
    forms
}

/// Networks of every family, but for the largest.
fn published() -> impl Iterator<Item = Architecture> {
    (VARIANTS.iter().map(|variant| format!("g_ghost_regnetx_{}", variant.0)))
        .chain(
            ["regnetx_002", "regnet_x_400mf", "resnet18", "ghostnet_050", "ghostnet_130"].map(String::from),
        )
        .filter(|variant| !variant.ends_with("320") && !variant.ends_with("160"))
        .map(|variant| architecture(&variant))
}

fn tapped(network: &Network, name: &str) -> (TapSource, View) {
    let tap = network.tap(name).unwrap();
    (tap.source, network.tap_view(tap))
}

/// What a block adds to its shortcut is an operand of the sum that makes the block's output.
fn assert_added(network: &Network, block: &str, added: &str) {
    let (_, output) = tapped(network, block);
    let made = network.steps.iter().rfind(|step| step.y == output).unwrap();
    match (tapped(network, added), &made.op) {
        ((TapSource::BeforeAdd { step }, _), Op::Conv(conv)) => {
            assert!(network.steps[step].y == output && conv.add.is_some(), "{block}: {added}");
        }
        ((TapSource::View(view), _), Op::Add { by }) => {
            assert!(made.x == view && *by != view, "{block}: {added}");
        }
        _ => panic!("{block} of {} is no sum of {added}", network.name),
    }
}

fn assert_ghost_path(network: &Network, stage: &Stage) {
    let path = stage.ghost_path.as_ref().unwrap();
    let index = network.steps.iter().position(|step| step.name == path.step).unwrap();
    let cheap = &network.steps[index];
    let Op::Conv(conv) = &cheap.op else { panic!("{} is no convolution", path.step) };
    let (_, base) = tapped(network, &stage.blocks[0]);
    assert_eq!(cheap.x, base.range(path.reads[0], path.reads[1]));
    assert_eq!(tapped(network, &path.cheap).0, TapSource::BeforeAdd { step: index });
    assert_eq!(tapped(network, &path.ghost).1, cheap.y);
    assert_eq!(path.merge.as_ref().map(|merge| tapped(network, merge).1), conv.add);
    let cat = network.view(cheap.y.value);
    assert_eq!((cheap.y.first, cheap.y.channels, cat.channels), (stage.raw, stage.cheap, stage.width));
    let intrinsic = path.intrinsic.as_ref().map(|intrinsic| tapped(network, intrinsic).1);
    assert_eq!(intrinsic, (stage.raw > 0).then(|| cat.range(0, stage.raw)));
}

#[test]
fn a_stage_names_its_taps_for_what_they_are() {
    for architecture in published().chain(forms()) {
        let network = Network::new(&architecture, 7, 64, 64).unwrap();
        for stage in &network.stages {
            assert_eq!(stage.blocks.len(), stage.added.len());
            for (block, added) in stage.blocks.iter().zip(&stage.added) {
                assert_added(&network, block, added);
            }
            assert_eq!(stage.ghost_path.is_some(), stage.kind == StageKind::Ghost);
            let mut comparable: Vec<_> = stage.blocks.iter().chain(&stage.added).collect();
            if let Some(path) = &stage.ghost_path {
                assert_ghost_path(&network, stage);
                comparable.extend([&path.cheap, &path.ghost]);
            }
            assert!(comparable.iter().all(|name| stage.taps.contains(name)), "{stage:?}");
            for name in &stage.taps {
                let (_, view) = tapped(&network, name);
                assert!([view.height, view.width] == stage.size && name.starts_with(&stage.name), "{name}");
            }
        }
    }
}

/// An architecture and what its shapes say of it make the same network, through the config too.
#[test]
fn every_network_is_recognised_from_its_shapes_and_described_by_its_config() {
    for architecture in published().chain(forms()) {
        let network = Network::new(&architecture, 7, 64, 64).unwrap();
        let checkpoint = recipe_checkpoint(&network, "", str::to_owned, Config::default()).unwrap();
        checkpoint.check(&network).unwrap();
        let recognised = recognise::architecture(&checkpoint, None).unwrap();
        let model = Model::from_checkpoint(checkpoint, &Options::default()).unwrap();
        assert_eq!(model.labels.len(), 7);
        assert!(
            Network::new(&recognised, 7, 64, 64).unwrap() == network,
            "{architecture:?} was taken for {recognised:?}"
        );

        let json = Config::of(&architecture).to_json();
        match Config::from_json(&json).unwrap().architecture().unwrap() {
            Some(described) => assert_eq!(described, architecture, "{json}"),
            // A network without a name or numbers in the config is left to the shapes.
            None => assert!(matches!(architecture, Architecture::ResNet(_)), "{json}"),
        }
    }
}

/// Other libraries' names of every tensor, there and back, and no two of them alike.
#[test]
fn names_of_other_libraries_go_there_and_back() {
    let networks = ["resnet18", "resnext101_32x8d", "regnetx_002"].map(network);
    for names in &LIBRARIES {
        let mut marks = LIBRARIES.iter().filter(|other| other.theirs(MARK) == names.theirs(MARK));
        assert!(marks.next().is_some() && marks.next().is_none(), "{}", names.library);
        assert_ne!(names.theirs(MARK), MARK, "{}", names.library);
        for network in &networks {
            let ours: Vec<_> = expected_tensors(network).into_iter().map(|(key, _)| key).collect();
            let theirs: Vec<_> = ours.iter().map(|key| names.theirs(key)).collect();
            assert_eq!(theirs.iter().map(|key| names.ours(key)).collect::<Vec<_>>(), ours);
            assert_eq!(theirs.iter().collect::<BTreeSet<_>>().len(), ours.len(), "{}", names.library);
        }
        // What no rule is for keeps its name: another spelling of a number, a layer that only others have.
        for other in ["layer9", "s01.b1.f.a.weight", "s1.b0.f.a.weight", "s1.b1.se.fc1.weight", ""] {
            assert_eq!((names.ours(other).as_str(), names.theirs(other).as_str()), (other, other));
        }
    }
}

/// Whether a max pool follows a stem of 3 x 3 is known by the names of a library, or by the variant, or not at all.
#[test]
fn a_stem_of_3_x_3_needs_a_name_where_its_weights_leave_a_choice() {
    let names = |library: &str| LIBRARIES.iter().find(|names| names.library == library).unwrap();
    let read = |stem, inner, key_of: &dyn Fn(&str) -> String, variant: Option<&str>| {
        let network = Network::new(&resnet([1, 1, 2, 1], 8, inner, stem), 7, 64, 64).unwrap();
        let checkpoint = recipe_checkpoint(&network, "", key_of, Config::default()).unwrap();
        let options = Options { variant: variant.map(str::to_owned), ..Options::default() };
        Model::from_checkpoint(checkpoint, &options).map(|model| (model.input.side, model.architecture))
    };
    let ours = |key: &str| key.to_owned();
    for inner in [None, Some((8, 2))] {
        for (stem, variant) in
            [(Stem::Cifar, "resnet_custom_cifar"), (Stem::CifarPool, "resnet_custom_cifar_pool")]
        {
            let expected = resnet([1, 1, 2, 1], 8, inner, stem);
            assert_eq!(read(stem, inner, &ours, Some(variant)).unwrap(), (32, expected.clone()));
            // What is written of it is read again.
            assert_eq!(Config::of(&expected).variant.as_deref(), Some(variant));
            let error = read(stem, inner, &ours, None).unwrap_err().to_string();
            assert!(
                error.contains("`resnet_custom_cifar` without or `resnet_custom_cifar_pool` with one"),
                "{error}"
            );
        }
        for library in ["kuangliu/pytorch-cifar", "pycls"] {
            let key_of = |key: &str| names(library).theirs(key);
            let (_, found) = read(Stem::Cifar, inner, &key_of, None).unwrap();
            assert_eq!(found, resnet([1, 1, 2, 1], 8, inner, Stem::Cifar), "{library}");
        }
        assert_eq!(read(Stem::ImageNet, inner, &ours, None).unwrap().0, 224);
    }
    let error = read(Stem::Cifar, None, &ours, Some("resnet_custom_pool")).unwrap_err().to_string();
    assert!(error.contains("unknown variant"), "{error}");
}

#[test]
fn incomplete_resnets_are_called_so() {
    let network = Network::new(&resnet([1; 4], 8, Some((8, 1)), Stem::ImageNet), 7, 64, 64).unwrap();
    for (missing, words) in
        [("layer4.", "no `layer4.0.conv1.weight`"), ("layer1.", "no `layer1.0.conv1.weight`")]
    {
        let mut checkpoint = recipe_checkpoint(&network, "", str::to_owned, Config::default()).unwrap();
        checkpoint.rename(&|key| (!key.starts_with(missing)).then(|| key.to_owned()));
        let error = recognise::architecture(&checkpoint, None).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

/// Blue, green and red become red, green and blue, however the numbers are stored, and twice is as before.
#[test]
fn channels_are_turned_in_every_dtype_and_order() {
    for (dtype, size) in [(Dtype::F16, 2), (Dtype::F32, 4), (Dtype::F64, 8)] {
        let bytes: Vec<u8> = (0..2 * 3 * 2 * 2 * size).map(|byte| (byte % 61) as u8).collect();
        for strides in [vec![12, 4, 2, 1], vec![1, 2, 6, 12]] {
            let tensor = Tensor { dtype, shape: vec![2, 3, 2, 2], strides, offset: 0 };
            let tensors = BTreeMap::from([("w".to_owned(), tensor)]);
            let mut checkpoint = Checkpoint::new(bytes.clone(), tensors, Config::default()).unwrap();
            let before = checkpoint.read("w").unwrap();
            checkpoint.reverse_channels("w");
            let after = checkpoint.read("w").unwrap();
            for (filter, turned) in before.chunks(12).zip(after.chunks(12)) {
                let planes: Vec<_> = filter.chunks(4).rev().flatten().copied().collect();
                assert_eq!(turned, planes);
            }
            assert_ne!(before, after);
            checkpoint.reverse_channels("w");
            assert_eq!(checkpoint.read("w").unwrap(), before);
        }
    }
}

#[test]
fn numbers_that_no_network_has_are_refused_before_anything_is_built() {
    let regnet = RegNet { depths: [1, 1, 4, 7], widths: [24, 56, 152, 368], group_width: 8, ghost: None };
    let ghost = |ghost: Ghost| RegNet { ghost: Some(ghost), ..regnet.clone() };
    for (regnet, words) in [
        (RegNet { depths: [1, 1, 0, 7], ..regnet.clone() }, "the depth of stage 3 is 0"),
        (RegNet { depths: [1, 1, 4, usize::MAX], ..regnet.clone() }, "the depth of stage 4"),
        (RegNet { widths: [24, 56, 152, 1 << 40], ..regnet.clone() }, "the width of stage 4"),
        (RegNet { widths: [24, 57, 152, 368], ..regnet.clone() }, "no multiple of the group width"),
        (RegNet { group_width: 0, ..regnet.clone() }, "the group width is 0"),
        (ghost(Ghost { cheap_kernel: 2, ..Ghost::default() }), "the cheap kernel is 2"),
        (ghost(Ghost { cheap_ratio: [0.5, 0.5, 1.5, 0.5], ..Ghost::default() }), "the ghost ratios"),
        (ghost(Ghost { cheap_ratio: [f64::NAN; 4], ..Ghost::default() }), "the ghost ratios"),
        (
            RegNet { group_width: 1, ghost: Some(Ghost::default()), ..regnet.clone() },
            "too small for a ghost stage",
        ),
    ] {
        let error = Network::new(&Architecture::RegNet(regnet), 10, 64, 64).unwrap_err();
        assert!(matches!(&error, Error::BadModel(text) if text.contains(words)), "{words}: {error}");
    }
    for (height, width) in [(31, 64), (64, 4097), (0, 64)] {
        let error = Network::new(&architecture("resnet18"), 10, height, width).unwrap_err();
        assert_eq!(error.code(), "wrong-shape");
    }
    assert!(Network::new(&architecture("resnet18"), 0, 64, 64).is_err());
    for width in [0.05, 8.1, f64::NAN] {
        let error = Network::new(&Architecture::GhostNet(GhostNet { width }), 10, 64, 64).unwrap_err();
        assert!(error.to_string().contains("the width multiplier"), "{error}");
    }
}

/// The largest of everything is a network; one more is none.
#[test]
fn limits_are_what_they_say() {
    let regnet = |depth: usize, width: usize| {
        let widths = [8, 8, 8, width];
        Architecture::RegNet(RegNet { depths: [1, 1, 1, depth], widths, group_width: 8, ghost: None })
    };
    let basic = |width: usize| resnet([1; 4], width, None, Stem::ImageNet);
    let bottleneck = |width: usize, inner: (usize, usize)| resnet([1; 4], width, Some(inner), Stem::ImageNet);
    let ghostnet = |width: f64| Architecture::GhostNet(GhostNet { width });
    for (architecture, classes, side) in [
        (regnet(64, 8), 1, 32),
        (regnet(1, 1 << 14), 1, 32),
        (basic(1 << 11), 1, 32),
        (bottleneck(1 << 9, (1 << 11, 1 << 11)), 1, 32),
        (ghostnet(0.1), 1, 32),
        (ghostnet(8.0), 1, 32),
        (regnet(1, 8), 1 << 20, 32),
        // The stem's maps have 64 x 2048 x 2048 numbers, 2^28.
        (basic(64), 1, 4096),
    ] {
        Network::new(&architecture, classes, side, side).unwrap();
    }
    for (architecture, classes, side, code) in [
        (regnet(65, 8), 1, 32, "bad-model"),
        (regnet(1, (1 << 14) + 8), 1, 32, "bad-model"),
        (basic((1 << 11) + 1), 1, 32, "bad-model"),
        (bottleneck((1 << 9) + 1, (8, 1)), 1, 32, "bad-model"),
        (bottleneck(8, ((1 << 11) + 1, 1)), 1, 32, "bad-model"),
        (bottleneck(8, (12, 8)), 1, 32, "bad-model"),
        (bottleneck(8, (12, 0)), 1, 32, "bad-model"),
        (regnet(1, 8), (1 << 20) + 1, 32, "bad-model"),
        (basic(65), 1, 4096, "out-of-memory"),
    ] {
        assert_eq!(
            Network::new(&architecture, classes, side, side).unwrap_err().code(),
            code,
            "{architecture:?}"
        );
    }
}

#[test]
fn a_stage_is_plain_where_nothing_can_be_taken_from_it() {
    let kinds = |cheap_ratio: [f64; 4]| {
        let ghost = Some(Ghost { cheap_ratio, ..Ghost::default() });
        let regnet = RegNet { depths: [3, 2, 3, 3], widths: [16, 24, 48, 56], group_width: 8, ghost };
        let network = Network::new(&Architecture::RegNet(regnet), 10, 64, 64).unwrap();
        network.stages.iter().map(|stage| (stage.kind, stage.raw, stage.cheap)).collect::<Vec<_>>()
    };
    let plain = |width: usize| (StageKind::Plain, width, 0);
    // Stage 1 never is a ghost stage, nor is one of two blocks.
    assert_eq!(
        kinds([0.5; 4]),
        [plain(16), plain(24), (StageKind::Ghost, 24, 24), (StageKind::Ghost, 24, 32)]
    );
    // A ratio below the precision of 1 takes no channel away; none does not even where the inner groups do not fit.
    assert_eq!(kinds([0.5, 0.5, 1e-17, 0.0]), [plain(16), plain(24), plain(48), plain(56)]);
}

#[test]
fn other_sizes_have_no_published_name() {
    let resnet = |depths, width, inner, stem| {
        Network::new(&resnet(depths, width, inner, stem), 7, 64, 64).unwrap().name
    };
    assert_eq!(resnet([2, 2, 2, 2], 64, None, Stem::ImageNet), "resnet18");
    assert_eq!(resnet([2, 2, 2, 2], 64, None, Stem::Cifar), "resnet18_cifar");
    assert_eq!(resnet([3, 4, 6, 3], 64, Some((64, 1)), Stem::CifarPool), "resnet50_cifar_pool");
    for other in [
        resnet([2, 2, 2, 2], 32, None, Stem::ImageNet),
        resnet([3, 4, 6, 3], 32, None, Stem::ImageNet),
        resnet([3, 4, 6, 3], 64, Some((96, 1)), Stem::ImageNet),
        resnet([3, 4, 6, 3], 64, Some((64, 2)), Stem::ImageNet),
    ] {
        assert_eq!(other, "resnet_custom");
    }
    assert_eq!(resnet([1, 1, 1, 1], 64, None, Stem::Cifar), "resnet_custom_cifar");
    let regnet = RegNet::variant("002").unwrap();
    for other in [
        RegNet { depths: [1, 1, 4, 6], ..regnet.clone() },
        RegNet { widths: [24, 56, 152, 376], ..regnet.clone() },
        RegNet { group_width: 4, ..regnet.clone() },
        RegNet { ghost: Some(Ghost { aggregation: false, ..Ghost::default() }), ..regnet.clone() },
    ] {
        assert_eq!(other.name(), "g_ghost_regnetx_custom");
    }
}

/// Never below nine tenths of what was asked for.
#[test]
fn channels_are_rounded_as_in_the_authors_code() {
    for (channels, rounded) in
        [(1.6, 4), (4.4, 4), (4.0 / 0.9, 4), (4.48, 8), (5.9, 8), (6.1, 8), (9.9, 12), (16.0, 16), (20.8, 20)]
    {
        assert_eq!(GhostNet { width: channels / 16.0 }.stem_channels(), rounded, "{channels}");
    }
}

#[test]
fn views_and_values_count_their_numbers() {
    let network = network("resnet18");
    let stem = network.view(1);
    assert_eq!((stem.pixels(), stem.len(), stem.is_empty()), (112 * 112, 64 * 112 * 112, false));
    assert_eq!((stem.range(3, 0).len(), stem.range(3, 0).is_empty()), (0, true));
    assert_eq!((network.values[1].len(), network.values[1].is_empty()), (64 * 112 * 112, false));
    assert!(Value { channels: 0, ..network.values[1].clone() }.is_empty());
    // The classifier is no convolution of maps.
    let few = Network::new(&architecture("resnet18"), 1, 224, 224).unwrap();
    assert_eq!(network.activations(), few.activations());
}

#[test]
fn an_unknown_tap_is_told_what_there_is() {
    let Err(Error::UnknownTap { name, known }) = network("resnet18").tap("layer9").cloned() else { panic!() };
    assert_eq!(name, "layer9");
    assert!(
        known.starts_with("conv1, maxpool, layer1.0.conv1, ") && known.ends_with("avgpool, fc, logits"),
        "{known}"
    );
}
