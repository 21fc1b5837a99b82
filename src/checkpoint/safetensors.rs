//! Safetensors files: their index, and the one writer of them.

use super::index::{Dtype, Tensor, contiguous_strides};
use super::origin::{ORIGIN_KEY, Origin};
use crate::config::{Config, METADATA_KEY};
use crate::error::{Error, Result, shortened};
use safetensors::SafeTensors;
use safetensors::tensor::{Metadata, TensorInfo};
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

/// Reads the index and the config.
///
/// # Errors
/// [`Error::BadModel`] for a header that is damaged, too long, or says another length than the file has.
pub fn read(bytes: &[u8]) -> Result<(BTreeMap<String, Tensor>, Config, Origin)> {
    // The crate allows headers of 100 MB; the largest real one here has a few hundred tensors.
    const MAX_HEADER: u64 = 1 << 20;
    let Some(length) = bytes.first_chunk::<8>().map(|length| u64::from_le_bytes(*length)) else {
        return Err(Error::BadModel(format!(
            "the model has {} bytes, too few for a safetensors file or a PyTorch checkpoint: was it downloaded whole?",
            bytes.len()
        )));
    };
    if length > MAX_HEADER {
        return Err(Error::BadModel(format!(
            "not a model: a safetensors header of {length} bytes was found, expected at most {MAX_HEADER}; \
             models are .safetensors files or PyTorch .pth checkpoints"
        )));
    }
    let (header, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| {
        let error = error.to_string();
        Error::BadModel(format!("not a valid safetensors file: {}", shortened(&error)))
    })?;
    let data = header + 8;
    let metadata_of = |key: &str| metadata.metadata().as_ref().and_then(|metadata| metadata.get(key));
    // Made by this library of another file: what is damaged of it is not worth a refusal.
    let origin = metadata_of(ORIGIN_KEY).and_then(|json| serde_json::from_str(json).ok());
    let mut origin: Origin = origin.unwrap_or_default();
    let mut tensors = BTreeMap::new();
    for (name, info) in metadata.tensors() {
        let Some(dtype) = from_stored(info.dtype) else {
            origin.is_unread(&name, format!("a tensor of dtype {:?}", info.dtype));
            continue;
        };
        let offset = data + info.data_offsets.0;
        let strides = contiguous_strides(&info.shape);
        tensors.insert(name, Tensor { dtype, shape: info.shape.clone(), strides, offset });
    }
    if metadata.data_len() + data != bytes.len() {
        return Err(Error::BadModel(format!(
            "the model has {} bytes, its header says {}: was it downloaded whole?",
            bytes.len(),
            metadata.data_len() + data
        )));
    }
    let config =
        metadata_of(METADATA_KEY).map(|json| Config::from_json(json)).transpose()?.unwrap_or_default();
    Ok((tensors, config, origin))
}

/// Its name in safetensors files.
const fn stored(dtype: Dtype) -> safetensors::Dtype {
    match dtype {
        Dtype::F16 => safetensors::Dtype::F16,
        Dtype::Bf16 => safetensors::Dtype::BF16,
        Dtype::F32 => safetensors::Dtype::F32,
        Dtype::F64 => safetensors::Dtype::F64,
        Dtype::I64 => safetensors::Dtype::I64,
        Dtype::I8 => safetensors::Dtype::I8,
    }
}

fn from_stored(found: safetensors::Dtype) -> Option<Dtype> {
    [Dtype::F16, Dtype::Bf16, Dtype::F32, Dtype::F64, Dtype::I64, Dtype::I8]
        .into_iter()
        .find(|&dtype| stored(dtype) == found)
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
    let mut file = header(
        tensors.iter().map(|tensor| (tensor.name.as_str(), tensor.dtype, &*tensor.shape)),
        config,
        &Origin::default(),
    );
    let whole = tensors.iter().map(|tensor| tensor.bytes.len()).sum();
    file.reserve_exact(whole);
    for tensor in &tensors {
        let expected = tensor.shape.iter().product::<usize>() * tensor.dtype.size();
        assert_eq!(tensor.bytes.len(), expected, "the bytes of `{}`", tensor.name);
        file.extend_from_slice(&tensor.bytes);
    }
    file
}

/// The beginning of a safetensors file with a config and an origin, if there is something to say, and the tensors of an index; and the
/// tensors in the order in which their row-major elements follow it.
///
/// # Panics
/// For an index of tensors that do not lie within a file.
#[cfg(any(feature = "pth", feature = "edit"))]
#[must_use]
pub fn safetensors_layout<'a>(
    tensors: &'a BTreeMap<String, Tensor>,
    config: &Config,
    origin: &Origin,
) -> (Vec<u8>, Vec<&'a Tensor>) {
    let mut ordered: Vec<_> = tensors.iter().collect();
    ordered.sort_by(|a, b| order(a.0, a.1.dtype).cmp(&order(b.0, b.1.dtype)));
    let infos = ordered.iter().map(|(name, tensor)| (name.as_str(), tensor.dtype, &*tensor.shape));
    (header(infos, config, origin), ordered.iter().map(|&(_, tensor)| tensor).collect())
}

/// Wide elements first: then all are aligned.
fn order(name: &str, dtype: Dtype) -> (Reverse<usize>, &str) {
    (Reverse(dtype.size()), name)
}

/// The length of the header and the header, for tensors that follow each other.
fn header<'a>(
    tensors: impl Iterator<Item = (&'a str, Dtype, &'a [usize])>,
    config: &Config,
    origin: &Origin,
) -> Vec<u8> {
    let mut end = 0;
    let infos = tensors.map(|(name, dtype, shape)| {
        let begin = end;
        end += shape.iter().product::<usize>() * dtype.size();
        let info = TensorInfo { dtype: stored(dtype), shape: shape.to_vec(), data_offsets: (begin, end) };
        (name.to_owned(), info)
    });
    let mut said = HashMap::new();
    if *config != Config::default() {
        said.insert(METADATA_KEY.to_owned(), config.to_json());
    }
    if *origin != Origin::default() {
        said.insert(ORIGIN_KEY.to_owned(), serde_json::to_string(origin).expect("names are JSON"));
    }
    let metadata = Metadata::new((!said.is_empty()).then_some(said), infos.collect())
        .expect("the tensors follow each other and have the sizes of their shapes");
    let mut json = serde_json::to_vec(&metadata).expect("names and numbers are JSON");
    json.resize(json.len().next_multiple_of(8), b' ');
    [&(json.len() as u64).to_le_bytes(), json.as_slice()].concat()
}
