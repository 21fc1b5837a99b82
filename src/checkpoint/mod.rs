//! Checkpoint files: bytes, an index of the tensors in them, and their numbers.
//!
//! A [`Checkpoint`] keeps the file's bytes and an index of its tensors; nothing is converted before
//! every name, shape and dtype has been held against the network (see [`crate::fold`]). Safetensors files are
//! indexed here, and all others by [`crate::read`].

mod index;
#[cfg(feature = "read")]
mod origin;
mod safetensors;

use crate::config::Config;
use crate::error::{Error, Result};
#[cfg(feature = "read")]
use crate::read::{self, Beside};
#[cfg(any(feature = "read", feature = "edit", feature = "teach"))]
use half::f16;
use std::collections::BTreeMap;
use std::ops::Range;

#[cfg(feature = "read")]
pub(crate) use index::MAX_KEY;
use index::{DECODED_AT_ONCE, all_finite, check_places, decode, strided_indices};
pub use index::{Dtype, Tensor, contiguous_strides};
#[cfg(feature = "read")]
pub use origin::{LeftOut, Origin};
#[cfg(feature = "read")]
pub(crate) use safetensors::end_of_header;
pub(crate) use safetensors::index;
#[cfg(any(feature = "read", feature = "edit", feature = "teach"))]
pub use safetensors::safetensors_layout;
pub use safetensors::{NewTensor, write_safetensors};

/// How the names of tensors begin that no layer reads: the pictures that a network was taught with.
pub const EXAMPLES: &str = "examples.";

/// A checkpoint file: its bytes and what lies where.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    bytes: Vec<u8>,
    /// Where in the file the bytes begin: those before lie elsewhere.
    begin: usize,
    tensors: BTreeMap<String, Tensor>,
    /// What the file says of itself; empty for files without a config.
    pub config: Config,
    /// Where in its file the weights lay, and what of it no layer reads.
    #[cfg(feature = "read")]
    pub origin: Origin,
    #[cfg(feature = "read")]
    pub(crate) beside: Beside,
}

impl Checkpoint {
    /// Reads the index of a safetensors file or of a PyTorch checkpoint (zip or legacy), told apart
    /// by their first bytes; without the feature `read`, that of a safetensors file.
    ///
    /// # Errors
    /// [`Error::BadModel`] for bytes that are neither, are truncated, or hold what is refused.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Checkpoint> {
        #[cfg(feature = "read")]
        return Checkpoint::from_bytes_of(bytes, None);
        #[cfg(not(feature = "read"))]
        Ok(Checkpoint { begin: 0, ..index(&bytes, bytes.len())? }.with(bytes))
    }

    /// As [`Checkpoint::from_bytes`]; of a file with several state dicts the one that is called `weights`, or with
    /// `ema` that of a moving average before the plain one.
    ///
    /// # Errors
    /// As [`Checkpoint::from_bytes`].
    #[cfg(feature = "read")]
    pub fn from_bytes_of(bytes: Vec<u8>, weights: Option<&str>) -> Result<Checkpoint> {
        Ok(read::index(&bytes, weights)?.with(bytes))
    }

    /// A checkpoint from an index made by a format's reader.
    ///
    /// # Errors
    /// [`Error::BadModel`] for a tensor that does not lie within the bytes, and for one whose name or
    /// shape no network has.
    pub fn new(bytes: Vec<u8>, tensors: BTreeMap<String, Tensor>, config: Config) -> Result<Checkpoint> {
        Ok(Checkpoint::elsewhere(bytes.len(), tensors, config)?.with(bytes))
    }

    /// As [`Checkpoint::new`], of a file of `length` bytes that are not here: until they are, no number can be read.
    pub(crate) fn elsewhere(
        length: usize,
        tensors: BTreeMap<String, Tensor>,
        config: Config,
    ) -> Result<Checkpoint> {
        check_places(&tensors, length)?;
        Ok(Checkpoint {
            bytes: Vec::new(),
            begin: length,
            tensors,
            config,
            #[cfg(feature = "read")]
            origin: Origin::default(),
            #[cfg(feature = "read")]
            beside: Beside::default(),
        })
    }

    /// The same with its file's bytes.
    fn with(self, bytes: Vec<u8>) -> Checkpoint {
        Checkpoint { bytes, begin: 0, ..self }
    }

    /// Brings a tensor whose bytes lie elsewhere: its elements, row-major.
    #[cfg(feature = "read")]
    pub(crate) fn bring(&mut self, name: &str, elements: &[u8]) {
        let offset = self.size_bytes();
        if let Some(tensor) = self.tensors.get_mut(name) {
            tensor.strides = contiguous_strides(&tensor.shape);
            tensor.offset = offset;
            self.bytes.extend_from_slice(elements);
        }
    }

    /// Adds the tensors of another file of the same model.
    ///
    /// # Errors
    /// [`Error::BadModel`] for a tensor that both have.
    pub fn append(&mut self, other: Checkpoint) -> Result<()> {
        if let Some(name) = other.tensors.keys().find(|name| self.tensors.contains_key(*name)) {
            return Err(Error::BadModel(format!("two files of the model have `{name}`")));
        }
        let before = self.size_bytes();
        self.bytes.extend(other.bytes);
        let moved = |(name, tensor): (String, Tensor)| {
            let offset = tensor.offset + before;
            (name, Tensor { offset, ..tensor })
        };
        self.tensors.extend(other.tensors.into_iter().map(moved));
        Ok(())
    }

    /// The index, by key.
    #[must_use]
    pub fn tensors(&self) -> &BTreeMap<String, Tensor> {
        &self.tensors
    }

    /// Replaces or adds a tensor, row-major, stored as f32 or f16; the bytes it had are kept.
    #[cfg(any(feature = "read", feature = "edit", feature = "teach"))]
    pub(crate) fn put(&mut self, name: String, shape: Vec<usize>, half: bool, values: &[f32]) {
        match half {
            true => {
                let bytes: Vec<u8> = values.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes()).collect();
                self.put_bytes(name, shape, Dtype::F16, &bytes);
            }
            false => {
                let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
                self.put_bytes(name, shape, Dtype::F32, &bytes);
            }
        }
    }

    /// As [`Checkpoint::put`], of bytes.
    #[cfg(any(feature = "read", feature = "edit", feature = "teach"))]
    pub(crate) fn put_bytes(&mut self, name: String, shape: Vec<usize>, dtype: Dtype, bytes: &[u8]) {
        let offset = self.size_bytes();
        // A file's bytes are many: room for no more than these.
        self.bytes.reserve_exact(bytes.len());
        self.bytes.extend_from_slice(bytes);
        let strides = contiguous_strides(&shape);
        self.tensors.insert(name, Tensor { dtype, shape, strides, offset });
    }

    /// The bytes of a place in the file.
    ///
    /// # Panics
    /// For a place that is not here.
    #[cfg(any(feature = "read", feature = "edit", feature = "teach"))]
    #[must_use]
    pub fn bytes(&self, place: Range<usize>) -> &[u8] {
        &self.bytes[place.start - self.begin..place.end - self.begin]
    }

    /// Drops the bytes and the index, once an engine has its own copy of the weights.
    pub fn forget(&mut self) {
        self.bytes = Vec::new();
        self.tensors = BTreeMap::new();
    }

    /// Where a tensor begins in the file.
    #[must_use]
    pub fn offset(&self, name: &str) -> Option<usize> {
        self.tensors.get(name).map(|tensor| tensor.offset)
    }

    /// Drops what comes after `end`: no tensor that is still read may end there.
    #[cfg(feature = "cpu")]
    pub(crate) fn truncate(&mut self, end: usize) {
        self.bytes.truncate(end);
        self.bytes.shrink_to_fit();
    }

    /// Size of the file.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.begin + self.bytes.len()
    }

    /// Gives a contiguous tensor another shape of as many elements.
    #[cfg(feature = "read")]
    pub(crate) fn reshape(&mut self, name: &str, shape: Vec<usize>) {
        if let Some(tensor) = self.tensors.get_mut(name).filter(|tensor| tensor.is_contiguous()) {
            tensor.strides = contiguous_strides(&shape);
            tensor.shape = shape;
        }
    }

    /// Renames keys; a key mapped to `None` is dropped.
    pub fn rename(&mut self, name_of: &dyn Fn(&str) -> Option<String>) {
        #[cfg(feature = "read")]
        self.beside.rename(name_of);
        for (key, tensor) in std::mem::take(&mut self.tensors) {
            if let Some(name) = name_of(&key) {
                self.tensors.insert(name, tensor);
            }
        }
    }

    /// Turns the order of the input channels of a convolution's weight, in the file's bytes.
    #[cfg(feature = "read")]
    pub fn reverse_channels(&mut self, name: &str) {
        let Some(tensor) = self.tensors.get(name) else { return };
        let (&[filters, channels, ..], size) = (tensor.shape.as_slice(), tensor.dtype.size()) else { return };
        let plane: usize = tensor.shape[2..].iter().product();
        for filter in 0..filters {
            for (first, last) in (0..channels / 2).map(|channel| (channel, channels - 1 - channel)) {
                let [first, last] = [first, last].map(|channel| {
                    let first = (filter * channels + channel) * plane;
                    strided_indices(&tensor.shape, &tensor.strides, first..first + plane)
                });
                for (a, b) in first.zip(last) {
                    for byte in (tensor.offset..tensor.offset + size).map(|byte| byte - self.begin) {
                        self.bytes.swap(byte + a * size, byte + b * size);
                    }
                }
            }
        }
    }

    /// Shape of a tensor that exists.
    #[must_use]
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|tensor| tensor.shape.as_slice())
    }

    /// A tensor in row-major f32.
    ///
    /// # Errors
    /// [`Error::NotFinite`] for NaN or infinity, [`Error::WrongKeys`] where there is no such tensor.
    pub fn read(&self, name: &str) -> Result<Vec<f32>> {
        let tensor = self.tensor(name)?;
        self.read_part(name, tensor, 0..tensor.len())
    }

    pub(crate) fn tensor(&self, name: &str) -> Result<&Tensor> {
        self.tensors.get(name).ok_or_else(|| Error::WrongKeys {
            network: "this network".into(),
            missing: vec![name.into()],
            unknown: vec![],
        })
    }

    /// Some of a tensor's elements, in row-major order.
    pub(crate) fn read_part(&self, name: &str, tensor: &Tensor, range: Range<usize>) -> Result<Vec<f32>> {
        let (size, bytes) = (tensor.dtype.size(), &self.bytes[tensor.offset - self.begin..]);
        let mut values = Vec::with_capacity(range.len());
        if tensor.is_contiguous() {
            for part in bytes[range.start * size..range.end * size].chunks(DECODED_AT_ONCE * size) {
                decode(tensor.dtype, part, &mut values);
            }
        } else {
            for index in strided_indices(&tensor.shape, &tensor.strides, range.clone()) {
                decode(tensor.dtype, &bytes[index * size..][..size], &mut values);
            }
        }
        if values.chunks(DECODED_AT_ONCE).all(all_finite) {
            return Ok(values);
        }
        let index = values.iter().position(|value| !value.is_finite()).expect("not all are finite");
        let value = values[index].to_string();
        Err(Error::NotFinite { name: name.into(), index: range.start + index, value })
    }

    /// Type of a tensor that exists.
    #[must_use]
    pub fn dtype(&self, name: &str) -> Option<Dtype> {
        self.tensors.get(name).map(|tensor| tensor.dtype)
    }
}
