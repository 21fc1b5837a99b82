//! Safetensors files: their index, and the one writer of them.

use super::Checkpoint;
use super::index::{Dtype, Tensor, contiguous_strides};
use crate::config::{Config, METADATA_KEY};
use crate::error::{Error, Result, shortened};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Formatter;

/// Largest header that is read: those of the networks here have a tenth of it.
const MAX_HEADER: u64 = 1 << 20;

/// Where the header ends in a file that begins so.
///
/// # Errors
/// [`Error::BadModel`] for a file of less than its length, and for a header that is too long.
pub(crate) fn end_of_header(beginning: &[u8]) -> Result<usize> {
    let Some(length) = beginning.first_chunk::<8>().map(|length| u64::from_le_bytes(*length)) else {
        return Err(Error::BadModel(format!(
            "the model has {} bytes, too few for a safetensors file or a PyTorch checkpoint: was it downloaded whole?",
            beginning.len()
        )));
    };
    if length > MAX_HEADER {
        return Err(Error::BadModel(format!(
            "not a model: a safetensors header of {length} bytes was found, expected at most {MAX_HEADER}; \
             models are .safetensors files or PyTorch .pth checkpoints"
        )));
    }
    Ok(8 + length as usize)
}

/// What the header says of a tensor.
#[derive(Deserialize, Serialize)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    /// From the end of the header.
    data_offsets: [usize; 2],
}

/// A header: the file's metadata, and its tensors in the order in which they are named.
#[derive(Default)]
struct Header {
    metadata: BTreeMap<String, String>,
    tensors: Vec<(String, Entry)>,
}

/// The key that is no tensor's.
const METADATA: &str = "__metadata__";

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Header, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Header;

            fn expecting(&self, formatter: &mut Formatter) -> std::fmt::Result {
                formatter.write_str("tensors by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Header, A::Error> {
                let mut header = Header::default();
                while let Some(name) = map.next_key::<String>()? {
                    match name.as_str() {
                        METADATA => header.metadata = map.next_value()?,
                        _ => header.tensors.push((name, map.next_value()?)),
                    }
                }
                Ok(header)
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// Reads index and config of a file of `length` bytes, from its beginning to the end of the header at least.
///
/// # Errors
/// [`Error::BadModel`] for a header that is damaged, too long, or says another length than the file has.
pub(crate) fn index(beginning: &[u8], length: usize) -> Result<Checkpoint> {
    let data = end_of_header(beginning)?;
    let invalid =
        |words: &str| Error::BadModel(format!("not a valid safetensors file: {}", shortened(words)));
    let json = beginning.get(8..data).ok_or_else(|| invalid("its header reaches beyond its end"))?;
    let json = std::str::from_utf8(json).map_err(|error| invalid(&error.to_string()))?;
    let Header { metadata, tensors: mut entries } =
        serde_json::from_str(json).map_err(|error| invalid(&error.to_string()))?;
    entries.sort_by_key(|(_, entry)| entry.data_offsets);
    let mut end = 0;
    #[cfg(feature = "read")]
    let mut beside = crate::read::Beside::default();
    let mut tensors = BTreeMap::new();
    for (name, Entry { dtype, shape, data_offsets: [first, last] }) in entries {
        let known = DTYPES.iter().find(|known| known.1 == dtype).map(|known| known.0);
        let sized = |dtype: Dtype| bytes_of(&shape, dtype) == last.checked_sub(first);
        if first != end || last < first || !known.is_none_or(sized) {
            return Err(invalid(&format!("`{}` does not lie where it must", shortened(&name))));
        }
        end = last;
        let twice = || invalid(&format!("`{}` is there twice", shortened(&name)));
        #[cfg(feature = "read")]
        if tensors.contains_key(&name) || beside.unread.contains_key(&name) {
            return Err(twice());
        }
        let Some(dtype) = known else {
            let kind = format!("a tensor of dtype {}", shortened(&dtype));
            #[cfg(feature = "read")]
            {
                beside.is_unread(&name, kind);
                continue;
            }
            #[cfg(not(feature = "read"))]
            return Err(invalid(&format!("`{}` is {kind}", shortened(&name))));
        };
        let (offset, strides) = (data + first, contiguous_strides(&shape));
        let tensor = Tensor { dtype, shape, strides, offset };
        #[cfg(feature = "read")]
        tensors.insert(name, tensor);
        #[cfg(not(feature = "read"))]
        if tensors.insert(name.clone(), tensor).is_some() {
            return Err(twice());
        }
    }
    if Some(length) != end.checked_add(data) {
        return Err(Error::BadModel(format!(
            "the model has {length} bytes, its header says {}: was it downloaded whole?",
            end.saturating_add(data)
        )));
    }
    let config = metadata.get(METADATA_KEY).map(|json| Config::from_json(json)).transpose()?;
    let checkpoint = Checkpoint::elsewhere(length, tensors, config.unwrap_or_default())?;
    #[cfg(feature = "read")]
    let checkpoint = Checkpoint { beside, ..checkpoint };
    Ok(checkpoint)
}

/// The names of those that are read.
const DTYPES: [(Dtype, &str); 6] = [
    (Dtype::F16, "F16"),
    (Dtype::Bf16, "BF16"),
    (Dtype::F32, "F32"),
    (Dtype::F64, "F64"),
    (Dtype::I64, "I64"),
    (Dtype::I8, "I8"),
];

/// Bytes of a tensor; `None` beyond the numbers of this machine.
fn bytes_of(shape: &[usize], dtype: Dtype) -> Option<usize> {
    shape.iter().try_fold(dtype.size(), |bytes, &extent| bytes.checked_mul(extent))
}

/// A tensor that is to be written.
#[derive(Clone)]
pub struct NewTensor<'a> {
    /// Key.
    pub name: String,
    /// Element type.
    pub dtype: Dtype,
    /// Extents, outermost first.
    pub shape: Vec<usize>,
    /// Its elements, row-major, little-endian.
    pub bytes: Cow<'a, [u8]>,
}

impl NewTensor<'_> {
    /// A tensor of f32.
    #[must_use]
    pub fn floats(name: String, shape: Vec<usize>, values: &[f32]) -> NewTensor<'static> {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        NewTensor { name, dtype: Dtype::F32, shape, bytes }
    }
}

/// A safetensors file.
///
/// # Panics
/// For a tensor whose bytes are not as many as its shape and dtype say.
#[must_use]
pub fn write_safetensors(mut tensors: Vec<NewTensor>, config: &Config) -> Vec<u8> {
    tensors.sort_by(|a, b| order(&a.name, a.dtype).cmp(&order(&b.name, b.dtype)));
    let mut file =
        header(tensors.iter().map(|tensor| (tensor.name.as_str(), tensor.dtype, &*tensor.shape)), config);
    file.reserve_exact(tensors.iter().map(|tensor| tensor.bytes.len()).sum());
    for tensor in &tensors {
        let expected = bytes_of(&tensor.shape, tensor.dtype);
        assert_eq!(Some(tensor.bytes.len()), expected, "the bytes of `{}`", tensor.name);
        file.extend_from_slice(&tensor.bytes);
    }
    file
}

/// The beginning of a safetensors file with a config, if there is something to say, and the tensors of an index; and
/// the tensors in the order in which their row-major elements follow it.
///
/// # Panics
/// For an index of tensors that do not lie within a file.
#[cfg(any(feature = "read", feature = "edit", feature = "teach"))]
#[must_use]
pub fn safetensors_layout<'a>(
    tensors: &'a BTreeMap<String, Tensor>,
    config: &Config,
) -> (Vec<u8>, Vec<&'a Tensor>) {
    let mut ordered: Vec<_> = tensors.iter().collect();
    ordered.sort_by(|a, b| order(a.0, a.1.dtype).cmp(&order(b.0, b.1.dtype)));
    let infos = ordered.iter().map(|(name, tensor)| (name.as_str(), tensor.dtype, &*tensor.shape));
    (header(infos, config), ordered.iter().map(|&(_, tensor)| tensor).collect())
}

/// Wide elements first: then all are aligned.
fn order(name: &str, dtype: Dtype) -> (Reverse<usize>, &str) {
    (Reverse(dtype.size()), name)
}

/// The length of the header and the header, for tensors that follow each other.
fn header<'a>(tensors: impl Iterator<Item = (&'a str, Dtype, &'a [usize])>, config: &Config) -> Vec<u8> {
    fn entry(name: &str, value: &impl Serialize) -> String {
        let json = |text: serde_json::Result<String>| text.expect("names and numbers are JSON");
        json(serde_json::to_string(name)) + ":" + &json(serde_json::to_string(value))
    }
    let mut entries = Vec::new();
    if *config != Config::default() {
        entries.push(entry(METADATA, &BTreeMap::from([(METADATA_KEY, config.to_json())])));
    }
    let mut end = 0;
    for (name, dtype, shape) in tensors {
        let begin = end;
        end += bytes_of(shape, dtype).expect("a tensor that is somewhere");
        let known = DTYPES.iter().find(|known| known.0 == dtype).expect("all are named");
        let (dtype, shape) = (known.1.to_owned(), shape.to_vec());
        entries.push(entry(name, &Entry { dtype, shape, data_offsets: [begin, end] }));
    }
    let mut json = format!("{{{}}}", entries.join(",")).into_bytes();
    json.resize(json.len().next_multiple_of(8), b' ');
    [&(json.len() as u64).to_le_bytes(), json.as_slice()].concat()
}
