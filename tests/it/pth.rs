//! PyTorch checkpoints: real ones by `tests/reference/checkpoints.py`, and ones made to do harm.

use crate::support::reader::{model_of, read_by_parts};
use crate::support::reference::recipe_checkpoint;
use g_ghostnet::arch::{Architecture, Network, resnet::ResNet};
use g_ghostnet::checkpoint::{Checkpoint, Dtype, contiguous_strides};
use g_ghostnet::config::Config;
use g_ghostnet::fold::expected_tensors;
use g_ghostnet::model::{Model, Options};

pub fn golden(name: &str) -> Vec<u8> {
    std::fs::read(format!("tests/golden/pth/{name}.pth")).unwrap()
}

/// Every number of the file against the one that follows from its key, within the rounding of its type.
fn holds_the_recipe(name: &str, dtype: Dtype, precision: f32) {
    let model = Model::from_bytes(golden(name), &Options::default()).unwrap();
    let network = model.network(32, 32).unwrap();
    assert_eq!(model.labels.len(), 3);
    let expected = recipe_checkpoint(&network, "", str::to_owned, Config::default()).unwrap();
    let mut tensors = 0;
    for (key, _) in expected_tensors(&network) {
        assert_eq!(model.checkpoint.tensors()[&key].dtype, dtype, "{name}: {key}");
        let (got, want) = (model.checkpoint.read(&key).unwrap(), expected.read(&key).unwrap());
        assert_eq!(got.len(), want.len());
        for (index, (got, want)) in got.iter().zip(&want).enumerate() {
            assert!(
                (got - want).abs() <= precision * want.abs(),
                "{name}: {key}[{index}]: {got}, not {want}"
            );
        }
        tensors += 1;
    }
    assert_eq!(tensors, 62);
}

/// Half a unit in the last of 24 bits for the file and as much for the recipe.
const F32: f32 = f32::EPSILON;

#[test]
fn the_zip_format_loads() {
    holds_the_recipe("zip", Dtype::F32, F32);
}

#[test]
fn the_legacy_format_loads_from_beside_an_optimizer_and_without_the_prefix_of_parallel_training() {
    holds_the_recipe("legacy", Dtype::F32, F32);
}

#[test]
fn the_format_of_python_2_loads() {
    holds_the_recipe("python2", Dtype::F32, F32);
}

#[test]
fn parameters_on_one_storage_with_channels_innermost_load() {
    let checkpoint = Checkpoint::from_bytes(golden("shared")).unwrap();
    assert_eq!(checkpoint.tensors()["layer3.0.conv2.weight"].strides, [36, 1, 12, 4]);
    holds_the_recipe("shared", Dtype::F32, F32);
}

#[test]
fn every_type_of_number_loads() {
    holds_the_recipe("f16", Dtype::F16, 2f32.powi(-11));
    holds_the_recipe("bf16", Dtype::Bf16, 2f32.powi(-8));
    holds_the_recipe("f64", Dtype::F64, F32);
    let counters = Checkpoint::from_bytes(golden("zip")).unwrap();
    assert_eq!(counters.tensors()["bn1.num_batches_tracked"].dtype, Dtype::I64);
    assert_eq!(counters.read("bn1.num_batches_tracked").unwrap(), [1234.0]);
}

// --- Pickles and archives put together by hand ---

pub fn text(text: &str) -> Vec<u8> {
    [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat()
}

pub fn integer(value: i64) -> Vec<u8> {
    [b"\x8a\x08", &value.to_le_bytes()[..]].concat()
}

pub fn tuple(items: &[Vec<u8>]) -> Vec<u8> {
    [b"(", items.concat().as_slice(), b"t"].concat()
}

pub fn storage(kind: &str, key: &str, elements: i64) -> Vec<u8> {
    let kind = format!("ctorch\n{kind}\n").into_bytes();
    let id = tuple(&[text("storage"), kind, text(key), text("cpu"), integer(elements)]);
    [id.as_slice(), b"Q"].concat()
}

pub fn tensor(storage: &[u8], first: i64, shape: &[i64], strides: &[i64]) -> Vec<u8> {
    let sizes = |sizes: &[i64]| tuple(&sizes.iter().map(|&size| integer(size)).collect::<Vec<_>>());
    let hooks = b"ccollections\nOrderedDict\n)R".to_vec();
    let arguments =
        tuple(&[storage.to_vec(), integer(first), sizes(shape), sizes(strides), b"\x89".to_vec(), hooks]);
    [b"ctorch._utils\n_rebuild_tensor_v2\n", arguments.as_slice(), b"R"].concat()
}

pub fn dict(items: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let items: Vec<u8> = items.iter().flat_map(|(key, value)| [text(key), value.clone()].concat()).collect();
    [b"}(", items.as_slice(), b"u"].concat()
}

pub fn pickle(value: &[u8]) -> Vec<u8> {
    [b"\x80\x02", value, b"."].concat()
}

/// An entry of an archive: what its headers say may be told apart from what it holds.
#[derive(Clone)]
pub struct Entry {
    name: &'static str,
    data: Vec<u8>,
    method: u16,
    flags: u16,
    size: u32,
    packed: u32,
    /// Where the directory says it begins, if not where it does.
    offset: Option<u32>,
}

pub fn entry(name: &'static str, data: &[u8]) -> Entry {
    let size = data.len() as u32;
    Entry { name, data: data.to_vec(), method: 0, flags: 0, size, packed: size, offset: None }
}

pub fn zip(entries: &[Entry]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for entry in entries {
        let offset = entry.offset.unwrap_or(bytes.len() as u32);
        let name_length = (entry.name.len() as u16).to_le_bytes();
        let common = [
            &entry.flags.to_le_bytes()[..],
            &entry.method.to_le_bytes(),
            &[0; 8],
            &entry.packed.to_le_bytes(),
            &entry.size.to_le_bytes(),
            &name_length,
            &[0; 2],
        ]
        .concat();
        bytes.extend([b"PK\x03\x04\0\0", &common[..], entry.name.as_bytes(), &entry.data].concat());
        let offset = offset.to_le_bytes();
        directory
            .extend([b"PK\x01\x02\0\0\0\0", &common[..], &[0; 10], &offset, entry.name.as_bytes()].concat());
    }
    let (start, length) = (bytes.len() as u32, directory.len() as u32);
    bytes.extend(directory);
    bytes.extend([&b"PK\x05\x06\0\0\0\0"[..], &[0; 0]].concat());
    for _ in 0..2 {
        bytes.extend((entries.len() as u16).to_le_bytes());
    }
    bytes.extend(length.to_le_bytes());
    bytes.extend(start.to_le_bytes());
    bytes.extend([0; 2]);
    bytes
}

/// An archive with a pickle and one storage of four floats.
fn archive(value: &[u8]) -> Vec<u8> {
    zip(&[entry("a/data.pkl", &pickle(value)), entry("a/data/0", &[0; 16])])
}

fn legacy(value: &[u8]) -> Vec<u8> {
    let magic = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.".to_vec();
    [magic, pickle(b"M\xe9\x03"), pickle(b"}"), pickle(value)].concat()
}

fn four_floats() -> Vec<u8> {
    storage("FloatStorage", "0", 4)
}

#[test]
fn archives_put_together_by_hand_are_read() {
    let weight = tensor(&four_floats(), 1, &[3], &[1]);
    let checkpoint = Checkpoint::from_bytes(archive(&dict(&[("weight", weight.clone())]))).unwrap();
    assert_eq!(checkpoint.tensors()["weight"].shape, [3]);
    let data = [&4i64.to_le_bytes()[..], &[0; 16]].concat();
    let whole = [legacy(&dict(&[("weight", weight)])), pickle(b"]X\x01\0\0\x000a"), data].concat();
    let checkpoint = Checkpoint::from_bytes(whole.clone()).unwrap();
    assert_eq!(checkpoint.tensors()["weight"].offset, whole.len() - 12);
}

/// Checkpoints that must be refused, each with words its error must have.
fn hostile() -> Vec<(Vec<u8>, &'static str)> {
    let one = |value: Vec<u8>| archive(&dict(&[("weight", value)]));
    let floats = four_floats();
    let weight = tensor(&floats, 0, &[4], &[1]);
    let good = dict(&[("weight", weight.clone())]);
    let data = entry("a/data.pkl", &pickle(&good));
    let numbers = entry("a/data/0", &[0; 16]);
    let second = (30 + data.name.len() + data.data.len()) as u32;
    let call = |global: &[u8]| archive(&[b"c", global, &text("echo harm"), b"\x85R"].concat());
    let repeated = |begin: &[u8], part: &[u8], times: usize| archive(&[begin, &part.repeat(times)].concat());
    vec![
        // What would run code elsewhere.
        (call(b"posix\nsystem\n"), "`posix.system`"),
        (call(b"os\nsystem\n"), "`os.system`"),
        (call(b"builtins\neval\n"), "`builtins.eval`"),
        (call(b"torch\nload\n"), "`torch.load`"),
        (call(b"torch._utils\n_rebuild_wrapper_subclass\n"), "`torch._utils._rebuild_wrapper_subclass`"),
        (archive(b"ctorchvision.models.resnet\nResNet\n)\x81}b"), "`torchvision.models.resnet.ResNet`"),
        (legacy(b"cposix\nsystem\nX\x01\0\0\0x\x85R"), "`posix.system`"),
        (archive(b"X\x02\0\0\0osX\x06\0\0\0system\x93"), "STACK_GLOBAL"),
        (archive(b"(X\x01\0\0\0xios\nsystem\n"), "INST"),
        (archive(b"]\x82\x01"), "EXT"),
        (archive(&text("x").repeat(2)[..]), "text, expected a state dict"),
        (archive(&[&text("f"), &b"\x85R"[..]].concat()), "takes a value where there is none"),
        (archive(&[&text("f"), &b")R"[..]].concat()), "a call of text"),
        (archive(&[&weight[..], b"}b"].concat()), "giving a tensor a dict as its state"),
        (zip(&[entry("a/data.pkl", b"\x80\x04\x95.")]), "protocol 4"),
        // Storages and tensors that lie.
        (one(tensor(&storage("FloatStorage", "0", 1 << 40), 0, &[4], &[1])), "has 16 bytes"),
        (one(tensor(&storage("FloatStorage", "0", i64::MAX), 0, &[4], &[1])), "elements"),
        (one(tensor(&storage("FloatStorage", "0", -4), 0, &[4], &[1])), "is -4"),
        (one(tensor(&storage("FloatStorage", "9", 4), 0, &[4], &[1])), "no entry `data/9`"),
        (one(tensor(&storage("QUInt8Storage", "0", 4), 0, &[4], &[1])), "`torch.QUInt8Storage`"),
        (one(tensor(&storage("ByteStorage", "0", 16), 0, &[4], &[1])), "type Byte"),
        (one(tensor(&floats, 0, &[5], &[1])), "beyond storage `0`"),
        (one(tensor(&floats, 4, &[1], &[1])), "beyond storage `0`"),
        (one(tensor(&floats, i64::MAX, &[2], &[1])), "beyond storage `0`"),
        (one(tensor(&floats, 0, &[3], &[i64::MAX])), "beyond storage `0`"),
        (one(tensor(&floats, 0, &[2, 2], &[1])), "beyond storage `0`"),
        (one(tensor(&floats, 0, &[2], &[-1])), "is -1"),
        (one(tensor(&floats, 0, &[1; 9], &[1; 9])), "of 9 parts"),
        (one(tensor(&floats, 0, &[1 << 30], &[0])), "times the file's"),
        (one(tensor(&floats, 0, &[i64::MAX, i64::MAX], &[0, 0])), "times the file's"),
        (one(tensor(&weight, 0, &[4], &[1])), "a tensor of a tensor"),
        (
            archive(&dict(&[
                ("a", weight.clone()),
                ("b", tensor(&storage("HalfStorage", "0", 8), 0, &[8], &[1])),
            ])),
            "two types",
        ),
        // Values that refer to themselves, are missing, or are more than can be.
        (archive(b"}q\x00X\x0a\0\0\0state_dicth\x00s"), "`state_dict` in the checkpoint is a dict"),
        (archive(b"}q\x00X\x01\0\0\0xh\x00s"), "`x` in the checkpoint is a dict"),
        (archive(b"]q\x00h\x00a"), "a list, expected a state dict"),
        (archive(b"h\x07"), "memo 7"),
        (archive(b"j\xff\xff\xff\xff"), "memo 4294967295"),
        (archive(b"}r\xff\xff\xff\xff"), "memo 4294967295"),
        (archive(b"q\x00"), "takes a value where there is none"),
        (archive(&[&b"\x8a\xff"[..], &[1; 255]].concat()), "an integer of 255 bytes"),
        (archive(b"X\xff\xff\xff\xff"), "ends in the middle"),
        (archive(&[b"c", "a".repeat(1000).as_bytes()].concat()), "has no end"),
        (archive(b"X\x01\0\0\0\xff"), "not UTF-8"),
        (archive(b"t"), "no beginning"),
        (archive(b"}(K\x01u"), "a key without a value"),
        (archive(b"(]a"), "takes a value where there is none"),
        (archive(b"}]a"), "appending to a dict"),
        (archive(b"]K\x01K\x01s"), "setting items of a list"),
        (archive(b"}K\x01K\x01s"), "a key that is no text"),
        (repeated(b"", b"(", 100_000), "nested deeper than 64"),
        (repeated(b")", b"\x85", 300_000), "more than 262144 values"),
        (repeated(b"]q\x00", b"h\x00a", 300_000), "more than 262144 values"),
        // A dict of 100,000 items that is copied again and again.
        (
            repeated(
                &[b"}q\x00(", &b"K\x01K\x01".repeat(100_000)[..], b"u"].concat(),
                b"ccollections\nOrderedDict\nh\x00\x85R",
                1000,
            ),
            "more than 262144 values",
        ),
        // Archives that lie.
        (
            zip(&[data.clone(), Entry { method: 8, ..numbers.clone() }]),
            "`a/data/0` of the zip archive is compressed",
        ),
        (
            zip(&[Entry { method: 8, size: u32::MAX - 1, ..data.clone() }]),
            "`a/data.pkl` of the zip archive is compressed",
        ),
        (zip(&[data.clone(), Entry { size: 1 << 30, ..numbers.clone() }]), "is compressed"),
        (zip(&[data.clone(), Entry { size: 1 << 30, packed: 1 << 30, ..numbers.clone() }]), "beyond the end"),
        (zip(&[data.clone(), Entry { size: 40, packed: 40, ..numbers.clone() }]), "directory"),
        (zip(&[data.clone(), Entry { size: u32::MAX, packed: u32::MAX, ..numbers.clone() }]), "over 4 GB"),
        (zip(&[data.clone(), Entry { flags: 1, ..numbers.clone() }]), "encrypted"),
        (zip(&[data.clone(), numbers.clone(), numbers.clone()]), "there twice"),
        (
            zip(&[Entry { name: "b", ..data.clone() }, Entry { offset: Some(0), ..numbers.clone() }]),
            "inside the one",
        ),
        (zip(&[Entry { offset: Some(7), ..data.clone() }, numbers.clone()]), "no header"),
        (zip(&[Entry { offset: Some(second), ..data.clone() }, numbers.clone()]), "another name"),
        (zip(&[data.clone(), Entry { offset: Some(u32::MAX - 9), ..numbers.clone() }]), "no header"),
        (zip(std::slice::from_ref(&data)), "no entry `data/0`"),
        (zip(std::slice::from_ref(&numbers)), "0 entries `NAME/data.pkl`"),
        (zip(&[data.clone(), Entry { name: "b/data.pkl", ..data.clone() }]), "2 entries `NAME/data.pkl`"),
        (zip(&[data.clone(), numbers.clone(), entry("a/byteorder", b"big")]), "big-endian"),
        (zip(&[data.clone(), entry("a/constants.pkl", b")")]), "TorchScript"),
        (b"\x80\x02}q\x00X\x01\0\0\0a.".to_vec(), "not one of PyTorch's"),
    ]
}

#[test]
fn hostile_checkpoints_are_refused_by_name() {
    for (bytes, words) in hostile() {
        let error = Checkpoint::from_bytes(bytes).map(|_| words).unwrap_err();
        assert_eq!(error.code(), "bad-model");
        assert!(error.to_string().contains(words), "expected `{words}`, found: {error}");
    }
}

/// Two entries that share bytes: the second's header is the first one's data.
#[test]
fn overlapping_entries_are_refused() {
    let inner = zip(&[entry("a/data/0", &[0; 16])]);
    let outer = entry("a/data/1", &inner[..30 + 8 + 16]);
    let start = (30 + 8) as u32;
    let bytes = zip(&[outer, Entry { offset: Some(start), ..entry("a/data/0", &[0; 16]) }]);
    let error = Checkpoint::from_bytes(bytes).unwrap_err();
    assert!(error.to_string().contains("inside the one before it"), "{error}");
}

#[test]
fn a_zip64_end_that_disagrees_is_refused() {
    let bytes = golden("zip");
    let at = bytes.windows(4).rposition(|window| window == b"PK\x06\x06").unwrap();
    for field in [32, 40, 48] {
        let mut changed = bytes.clone();
        changed[at + field] ^= 1;
        let error = Checkpoint::from_bytes(changed).unwrap_err();
        assert!(error.to_string().contains("disagree"), "{error}");
    }
}

#[test]
fn checkpoints_that_end_early_are_refused() {
    for name in ["zip", "legacy", "python2", "shared"] {
        let bytes = golden(name);
        for length in (0..bytes.len()).step_by(7).chain(bytes.len() - 64..bytes.len()) {
            let error = Checkpoint::from_bytes(bytes[..length].to_vec()).unwrap_err();
            assert_eq!(error.code(), "bad-model", "{name} of {length} bytes");
        }
    }
}

/// Any byte may be any other: what is read may be wrong, but nothing may fail other than by an error.
#[test]
fn changed_bytes_never_panic() {
    for name in ["zip", "legacy", "python2", "shared"] {
        let bytes = golden(name);
        let mut refused = 0;
        for at in (0..bytes.len()).step_by(3) {
            let mut changed = bytes.clone();
            changed[at] = changed[at].wrapping_mul(5).wrapping_add(at as u8 | 1);
            refused += usize::from(Model::from_bytes(changed, &Options::default()).is_err());
        }
        assert!(refused > 100, "{name}: only {refused} changes were noticed");
    }
}

#[test]
fn a_file_read_by_parts_makes_the_same_model() {
    for name in ["zip", "legacy", "python2", "shared", "f16", "bf16", "f64"] {
        model_of(golden(name), &Options::default()).unwrap();
    }
}

#[test]
fn a_file_read_by_parts_is_refused_for_the_same_reason() {
    for (bytes, words) in hostile() {
        model_of(bytes, &Options::default()).map(|_| words).unwrap_err();
    }
    for name in ["zip", "legacy"] {
        let bytes = golden(name);
        for length in (0..bytes.len()).step_by(101) {
            model_of(bytes[..length].to_vec(), &Options::default()).map(|_| length).unwrap_err();
        }
    }
}

/// A checkpoint of one large storage, in which all tensors of a network lie.
fn large(elements: usize, is_zip: bool) -> Vec<u8> {
    let network = Network::new(&Architecture::ResNet(ResNet::named("resnet18").unwrap()), 3, 32, 32).unwrap();
    let storage = storage("FloatStorage", "0", elements as i64);
    let contiguous = |shape: &[usize]| {
        let numbers = |numbers: &[usize]| numbers.iter().map(|&number| number as i64).collect::<Vec<_>>();
        tensor(&storage, 0, &numbers(shape), &numbers(&contiguous_strides(shape)))
    };
    let tensors = expected_tensors(&network);
    let items: Vec<_> = tensors.iter().map(|(name, shape)| (name.as_str(), contiguous(shape))).collect();
    let value = dict(&items);
    let mut bytes = Vec::with_capacity(4 * elements + 4096);
    if is_zip {
        let size = 4 * elements as u32;
        let empty = Entry { size, packed: size, ..entry("a/data/0", &[]) };
        let whole = zip(&[entry("a/data.pkl", &pickle(&value)), empty]);
        let directory = whole.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
        bytes.extend_from_slice(&whole[..directory]);
        bytes.resize(directory + 4 * elements, 1);
        bytes.extend_from_slice(&whole[directory..]);
        let start = bytes.len() - 6;
        bytes[start..start + 4].copy_from_slice(&((directory + 4 * elements) as u32).to_le_bytes());
    } else {
        bytes.extend(legacy(&value));
        bytes.extend(pickle(b"]X\x01\0\0\x000a"));
        bytes.extend((elements as i64).to_le_bytes());
        bytes.resize(bytes.len() + 4 * elements, 1);
    }
    bytes
}

#[test]
fn a_large_file_is_read_from_little_of_it() {
    for is_zip in [true, false] {
        let bytes = large(1 << 23, is_zip);
        let (checkpoint, read) = read_by_parts(&bytes, &Options::default()).unwrap();
        assert_eq!(checkpoint.shape("layer4.1.conv2.weight"), Some(&[512, 512, 3, 3][..]));
        // The longest comment that an archive may have, or the first part of a pickle, and the index.
        assert!(read < 96 << 10, "{read} of {} bytes", bytes.len());
    }
}

/// Highest resident memory of this process so far, in bytes. The kernel counts pages by processor and adds up now and
/// then, so a later answer may be some pages below an earlier one.
#[cfg(target_os = "linux")]
fn peak_memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

/// In a process of its own, because the other tests use memory at the same time.
#[cfg(target_os = "linux")]
#[test]
fn reading_takes_no_more_memory_than_the_file() {
    const CHILD: &str = "G_GHOSTNET_MEMORY_TEST";
    if std::env::var_os(CHILD).is_none() {
        let name = "pth::reading_takes_no_more_memory_than_the_file";
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args([name, "--exact", "--nocapture", "--test-threads=1"])
            .env(CHILD, "1")
            .output()
            .unwrap();
        let output =
            String::from_utf8_lossy(&child.stdout).into_owned() + &String::from_utf8_lossy(&child.stderr);
        assert!(child.status.success() && output.contains("1 passed"), "{output}");
        return;
    }
    // A pickle makes at most 2^18 values of 32 bytes and about as many bytes of indices and memos, and
    // vectors that grow hold twice as much.
    const HOSTILE: usize = (1 << 18) * 64 * 2;
    for (bytes, _) in hostile() {
        let (length, before) = (bytes.len(), peak_memory());
        assert!(Checkpoint::from_bytes(bytes).is_err());
        let grown = peak_memory().saturating_sub(before);
        assert!(grown <= HOSTILE, "a file of {length} bytes took {grown}");
    }
    let elements = 1usize << 24;
    for is_zip in [true, false] {
        let bytes = large(elements, is_zip);
        let before = peak_memory();
        let checkpoint = Checkpoint::from_bytes(bytes).unwrap();
        let grown = peak_memory().saturating_sub(before);
        assert_eq!(checkpoint.shape("conv1.weight"), Some(&[64, 3, 7, 7][..]));
        assert!(
            grown * 10 <= checkpoint.size_bytes() * 3,
            "{grown} bytes beside {}",
            checkpoint.size_bytes()
        );
    }
}
