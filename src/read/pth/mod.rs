//! PyTorch checkpoints (`.pth`) as data: nothing in them is ever called or imported.
//!
//! Both formats of `torch.save` end in the same index: a pickle that names tensors, each a strided
//! window on a storage, and the storages' bytes. In the zip format (since PyTorch 1.6) the pickle is
//! the entry `data.pkl` and storage `k` the stored entry `data/k`; in the legacy format both lie in
//! one stream. Only the index is built: the numbers stay where they are in the file, most of which
//! need not even be in memory (see [`crate::read::Reader`]).

mod find;
mod pickle;
mod zip;

use crate::checkpoint::{Checkpoint, MAX_KEY, Tensor};
use crate::config::Config;
use crate::error::shortened;
use crate::read::partial::{PartialFile, Result, Stop};
use find::Found;
use pickle::{Loaded, Pickle, StorageType, Value};
use std::collections::BTreeMap;
use std::fmt::Arguments;
use std::ops::Range;

/// `torch.serialization.MAGIC_NUMBER` as a pickle of its own: how legacy files begin.
const LEGACY_MAGIC: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

const BIG_ENDIAN: &str = "the checkpoint was written on a big-endian machine, expected little-endian: save it again on another one";

/// Whether the bytes begin as one of PyTorch's formats do, or as another pickle, which gets an error
/// that says so.
pub(crate) fn is_pth(bytes: &[u8]) -> bool {
    // The length of a safetensors header, below 16 MB, may begin with 0x80 too, but has zeros then.
    let pickle = bytes.first() == Some(&0x80) && bytes.get(3..8).is_some_and(|rest| rest != [0; 5]);
    bytes.starts_with(zip::LOCAL_HEADER) || pickle
}

/// Largest pickle: that of the largest network here has 200 kB, and one is held in memory.
const MAX_PICKLE: usize = 16 << 20;

/// The index of a PyTorch checkpoint; `weights` as for [`crate::model::Options`].
pub(super) fn index(file: &PartialFile, weights: Option<&str>) -> Result<Checkpoint> {
    let length = zip::LOCAL_HEADER.len().min(file.len());
    match file.get(0..length)? {
        Some(zip::LOCAL_HEADER) => read_zip(file, weights),
        _ => read_legacy(file, weights),
    }
}

fn read_zip(file: &PartialFile, weights: Option<&str>) -> Result<Checkpoint> {
    let entries = zip::entries(file)?;
    if entries.names().any(|name| name.ends_with("/constants.pkl") || name.contains("/code/__torch__")) {
        return Err("the file is a TorchScript program, expected weights alone: save them with \
             torch.save(model.state_dict(), path)"
            .into());
    }
    let roots: Vec<&str> = (entries.names())
        .filter_map(|name| name.strip_suffix("/data.pkl").filter(|root| !root.contains('/')))
        .collect();
    let &[root] = roots.as_slice() else {
        let kind = match entries.names().find(|name| name.ends_with(".weights.h5") || name.ends_with(".npy"))
        {
            Some(name) if name.ends_with(".npy") => " (it is one of NumPy arrays)",
            Some(_) => " (it is a Keras model)",
            None => "",
        };
        return Err(Stop::from(format!(
            "the zip archive has {} entries `NAME/data.pkl`, expected one: is it a checkpoint written by torch.save?{kind}",
            roots.len()
        )));
    };
    let entry = |name: &str| entries.get(&format!("{root}/{name}"));
    let order = entry("byteorder")?.filter(|order| order.len() <= 16);
    if let Some(order) = order
        && file.get(order)? != Some(b"little")
    {
        return Err(BIG_ENDIAN.into());
    }
    let loaded = Pickle::new(file, entry("data.pkl")?.unwrap_or_default()).load()?;
    checkpoint_of(&loaded, weights, file.len(), &|key, expected| {
        let range = entry(&format!("data/{key}"))?.ok_or_else(|| {
            Stop::from(format!(
                "the checkpoint has no entry `data/{key}` for a storage that it names: is it complete?"
            ))
        })?;
        same_size(key, expected, range.len())?;
        Ok(range.start)
    })
}

fn read_legacy(file: &PartialFile, weights: Option<&str>) -> Result<Checkpoint> {
    if file.get(0..LEGACY_MAGIC.len())? != Some(LEGACY_MAGIC) {
        return Err("the file is a pickle, but not one of PyTorch's checkpoints: save the weights with \
             torch.save(model.state_dict(), path)"
            .into());
    }
    let mut at = LEGACY_MAGIC.len();
    let mut next = || -> Result<Loaded> {
        let loaded = Pickle::new(file, at..file.len()).load()?;
        at += loaded.length;
        Ok(loaded)
    };
    let (version, system) = (next()?, next()?);
    if !matches!(version.root(), Value::Int(1001)) {
        return Err(
            "the checkpoint's legacy format has another version than 1001, the only one there is".into()
        );
    }
    if matches!(system.get(system.root(), "little_endian"), Some(Value::Bool(false))) {
        return Err(BIG_ENDIAN.into());
    }
    let loaded = next()?;
    // What is no checkpoint has nothing after it: it is refused for what it is.
    find::state_dict(&loaded, weights)?;
    let keys = next()?;
    // After the pickles: for each key the number of elements (i64), then the elements.
    let mut starts = BTreeMap::new();
    let mut wanted = false;
    for key in keys.list(keys.root()) {
        let Value::Text(key) = *key else {
            return Err(damaged(format_args!("the list of storages holds no names")));
        };
        let Some(storage) = loaded.storages.get(key) else {
            return Err(damaged(format_args!("storage `{}` belongs to no tensor", shortened(key))));
        };
        let count = match file.get(at..at.saturating_add(8)) {
            Ok(count) => count,
            // The pickle alone says where the next one is: all are noted before the reading ends.
            Err(_) => {
                wanted = true;
                at = (at + 8).saturating_add(storage.bytes());
                continue;
            }
        };
        let found = count.and_then(<[u8]>::first_chunk).map(|count| i64::from_le_bytes(*count));
        if found.and_then(|found| usize::try_from(found).ok()) != Some(storage.elements) {
            return Err(damaged(format_args!(
                "storage `{key}` does not have the {} elements that its tensors say",
                storage.elements
            )));
        }
        let data = at + 8..(at + 8).saturating_add(storage.bytes());
        if data.end > file.len() {
            return Err(damaged(format_args!(
                "storage `{key}` has {} bytes, the file only {} more: was it downloaded whole?",
                data.len(),
                file.len() - data.start
            )));
        }
        at = data.end;
        if starts.insert(key, data.clone()).is_some() {
            return Err(damaged(format_args!("storage `{key}` is stored twice")));
        }
    }
    if wanted {
        return Err(Stop::Wanted);
    }
    checkpoint_of(&loaded, weights, file.len(), &|key, expected| {
        let range: &Range<usize> =
            starts.get(key).ok_or_else(|| damaged(format_args!("storage `{key}` is missing")))?;
        same_size(key, expected, range.len())?;
        Ok(range.start)
    })
}

/// The state dict's tensors with their place in the file; `start` gives the byte offset of a storage
/// that must have a number of bytes.
fn checkpoint_of(
    loaded: &Loaded,
    weights: Option<&str>,
    length: usize,
    start: &dyn Fn(&str, usize) -> Result<usize>,
) -> Result<Checkpoint> {
    let Found { items, path, mut beside } = find::state_dict(loaded, weights)?;
    let mut tensors = BTreeMap::new();
    for &(key, value) in items {
        let Value::Text(name) = *loaded.value(key) else { continue };
        // Of a key that is there twice the last value counts.
        tensors.remove(name);
        beside.unread.remove(name);
        let value = loaded.value(value);
        let tensor = match value {
            Value::Tensor(tensor) if name.len() <= MAX_KEY => tensor,
            Value::Tensor(_) => {
                beside.is_unread(name, format!("a tensor with a key of {} bytes", name.len()));
                continue;
            }
            _ => {
                beside.is_unread(name, value.kind());
                continue;
            }
        };
        let storage = &loaded.storages[tensor.storage];
        let StorageType::Read(dtype) = storage.kind else {
            beside.is_unread(name, format!("a tensor of type {}", storage.kind.name()));
            continue;
        };
        let offset = start(tensor.storage, storage.bytes())? + tensor.first * dtype.size();
        let (shape, strides) = (tensor.shape.clone(), tensor.strides.clone());
        tensors.insert(name.to_owned(), Tensor { dtype, shape, strides, offset });
    }
    if tensors.is_empty()
        && let Some((name, kind)) = beside.unread.first_key_value()
    {
        return Err(Stop::from(format!(
            "`{name}` in the checkpoint is {kind}, expected a tensor of type Float, Half, BFloat16, Double or Long"
        )));
    }
    let mut checkpoint = Checkpoint::elsewhere(length, tensors, Config::default())?;
    checkpoint.origin.weights = path;
    checkpoint.beside = beside;
    Ok(checkpoint)
}

fn same_size(key: &str, expected: usize, found: usize) -> Result<()> {
    if expected != found {
        return Err(damaged(format_args!("storage `{key}` has {found} bytes, its tensors say {expected}")));
    }
    Ok(())
}

#[cold]
#[inline(never)]
fn damaged(what: Arguments) -> Stop {
    Stop::from(format!("the checkpoint is damaged: {what}"))
}
