//! Checkpoint bytes -> checked weights, folded with their batch norms, one convolution at a time.
//!
//! A [`Checkpoint`] keeps the file's bytes and an index of its tensors; nothing is converted before
//! every name, shape and dtype has been held against the network. Executors ask for one convolution
//! after the other, so that the f32 form of the weights exists once, in the executor's own layout.

use crate::arch::{Conv, Network, Op, Step};
use crate::config::{Config, METADATA_KEY};
use crate::error::{Error, Result, shortened};
#[cfg(feature = "pth")]
use crate::pth;
use half::{bf16, f16};
#[cfg(any(feature = "pth", feature = "edit"))]
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Range;

/// Added to a batch norm's variance, as in PyTorch.
const EPSILON: f32 = 1e-5;

/// How many times a file's bytes its tensors may have together; more than once where they share some.
const MAX_EXPANSION: usize = 4;

/// Longest key and most dimensions of a tensor: far above those of networks, and short enough to be named.
pub(crate) const MAX_KEY: usize = 256;
const MAX_DIMENSIONS: usize = 8;

/// Element type of a stored tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    /// 16-bit IEEE float.
    F16,
    /// 16-bit brain float.
    Bf16,
    /// 32-bit float.
    F32,
    /// 64-bit float.
    F64,
    /// 64-bit integer: only batch norm's counters, which are not used.
    I64,
    /// 8-bit integer: a weight with a scale for each output channel.
    I8,
}

impl Dtype {
    /// Bytes of an element.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            Dtype::I8 => 1,
            Dtype::F16 | Dtype::Bf16 => 2,
            Dtype::F32 => 4,
            Dtype::F64 | Dtype::I64 => 8,
        }
    }

    /// Its name in safetensors files.
    const fn stored(self) -> safetensors::Dtype {
        match self {
            Dtype::F16 => safetensors::Dtype::F16,
            Dtype::Bf16 => safetensors::Dtype::BF16,
            Dtype::F32 => safetensors::Dtype::F32,
            Dtype::F64 => safetensors::Dtype::F64,
            Dtype::I64 => safetensors::Dtype::I64,
            Dtype::I8 => safetensors::Dtype::I8,
        }
    }

    fn from_stored(stored: safetensors::Dtype) -> Option<Dtype> {
        [Dtype::F16, Dtype::Bf16, Dtype::F32, Dtype::F64, Dtype::I64, Dtype::I8]
            .into_iter()
            .find(|dtype| dtype.stored() == stored)
    }
}

/// Where a tensor lies in the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Element type.
    pub dtype: Dtype,
    /// Extents, outermost first.
    pub shape: Vec<usize>,
    /// Elements between neighbours of each dimension; row-major in safetensors files.
    pub strides: Vec<usize>,
    /// Byte offset of the first element.
    pub offset: usize,
}

impl Tensor {
    /// Elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it has no element.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether its elements lie one after the other, row-major.
    #[must_use]
    pub fn is_contiguous(&self) -> bool {
        self.strides == contiguous_strides(&self.shape)
    }

    /// The bytes of the file from its first to its last element; `None` beyond the numbers of this machine.
    #[must_use]
    pub fn place(&self) -> Option<Range<usize>> {
        let elements = match self.shape.contains(&0) {
            true => 0,
            false => (self.shape.iter().zip(&self.strides))
                .try_fold(0usize, |last, (&extent, &stride)| {
                    (extent - 1).checked_mul(stride)?.checked_add(last)
                })?
                .checked_add(1)?,
        };
        Some(self.offset..elements.checked_mul(self.dtype.size())?.checked_add(self.offset)?)
    }

    /// Its elements' bytes, row-major, from those of its place.
    #[must_use]
    pub fn row_major(&self, place: &[u8]) -> Vec<u8> {
        let size = self.dtype.size();
        let element = |index: usize| &place[index * size..][..size];
        strided_indices(&self.shape, &self.strides, 0..self.len()).flat_map(element).copied().collect()
    }
}

/// Row-major strides of a shape.
#[must_use]
pub fn contiguous_strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1usize; shape.len()];
    for i in (1..shape.len()).rev() {
        strides[i - 1] = strides[i].saturating_mul(shape[i]);
    }
    strides
}

/// A checkpoint file: its bytes and what lies where.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    bytes: Vec<u8>,
    tensors: BTreeMap<String, Tensor>,
    /// What the file says of itself; empty for files without a config.
    pub config: Config,
}

/// A convolution's weight with the batch norm beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Scaled {
    /// `[channels_out, channels_in / groups, kernel, kernel]`
    pub weight: Vec<f32>,
    /// `[channels_out]`
    pub scale: Vec<f32>,
    /// `[channels_out]`
    pub shift: Vec<f32>,
    /// Whether the file has the weight in f16.
    pub half: bool,
}

impl Scaled {
    /// All of it as one array, for the border between two modules: weight, scale, shift, and 1 or 0 for `half`.
    #[must_use]
    pub fn into_numbers(self) -> Vec<f32> {
        [self.weight, self.scale, self.shift, vec![f32::from(u8::from(self.half))]].concat()
    }

    /// What [`Scaled::into_numbers`] made; `None` where they are too few.
    #[must_use]
    pub fn from_numbers(mut numbers: Vec<f32>, channels_out: usize) -> Option<Scaled> {
        let half = numbers.pop()? != 0.0;
        let shift = numbers.split_off(numbers.len().checked_sub(channels_out)?);
        let scale = numbers.split_off(numbers.len().checked_sub(channels_out)?);
        Some(Scaled { weight: numbers, scale, shift, half })
    }
}

#[cfg(feature = "int8")]
/// A convolution's weights of eight bits, and how its input becomes seven:
/// `x -> x / step + zero`, rounded and held to 0..=127.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantized {
    /// `[channels_out, channels_in / groups, kernel, kernel]`
    pub weight: Vec<i8>,
    /// `[channels_out]`: what a weight is multiplied by.
    pub scale: Vec<f32>,
    /// `[channels_out]`
    pub bias: Vec<f32>,
    /// Distance of neighbouring inputs.
    pub step: f32,
    /// What an input of zero becomes, a whole number.
    pub zero: f32,
}

/// What a batch norm does to a channel, the convolution's bias included.
type ScaleAndShift = (f64, f64);

/// `G` of Winograd's F(4x4, 3x3), points 0, 1, -1, 2, -2, infinity: both engines transform filters by it.
#[cfg(any(feature = "cpu", feature = "gpu"))]
pub(crate) const WINOGRAD_G: [[f64; 3]; 6] = [
    [1.0 / 4.0, 0.0, 0.0],
    [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
    [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
    [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
    [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
    [0.0, 0.0, 1.0],
];

/// A convolution's weight and bias with the batch norm folded in.
#[derive(Clone, Debug, PartialEq)]
pub struct Folded {
    /// `[channels_out, channels_in / groups, kernel, kernel]`
    pub weight: Vec<f32>,
    /// `[channels_out]`
    pub bias: Vec<f32>,
}

/// A convolution with its batch norm folded in, whose weight is read some filters at a time.
pub struct Folding<'a> {
    checkpoint: &'a Checkpoint,
    tensor: &'a Tensor,
    /// Of the weight.
    name: String,
    norm: Vec<ScaleAndShift>,
}

impl Folding<'_> {
    /// `[channels_out]`
    #[must_use]
    pub fn bias(&self) -> Vec<f32> {
        self.norm.iter().map(|&(_, shift)| shift as f32).collect()
    }

    /// Numbers of a filter, `channels_in / groups * kernel * kernel`.
    #[must_use]
    pub fn filter_len(&self) -> usize {
        self.tensor.len() / self.norm.len()
    }

    /// The filters of some output channels, one after the other.
    ///
    /// # Errors
    /// As [`Checkpoint::read`].
    pub fn filters(&self, channels: Range<usize>) -> Result<Vec<f32>> {
        let len = self.filter_len();
        let range = channels.start * len..channels.end * len;
        let mut filters = self.checkpoint.read_part(&self.name, self.tensor, range)?;
        for (filter, &(scale, _)) in filters.chunks_exact_mut(len).zip(&self.norm[channels]) {
            for w in filter {
                *w = (f64::from(*w) * scale) as f32;
            }
        }
        Ok(filters)
    }
}

impl Checkpoint {
    /// Reads the index of a safetensors file or of a PyTorch checkpoint (zip or legacy), told apart
    /// by their first bytes.
    ///
    /// # Errors
    /// [`Error::BadModel`] for bytes that are neither, are truncated, or hold what is refused.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Checkpoint> {
        if bytes.starts_with(b"<") {
            return Err(Error::BadModel(
                "the model is a web page or XML, not a checkpoint: the server probably answered with an error page"
                    .into(),
            ));
        }
        #[cfg(feature = "pth")]
        if pth::is_pth(&bytes) {
            return pth::read(bytes);
        }
        Checkpoint::from_safetensors(bytes)
    }

    fn from_safetensors(bytes: Vec<u8>) -> Result<Checkpoint> {
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
        let (header, metadata) = safetensors::SafeTensors::read_metadata(&bytes).map_err(|error| {
            let error = error.to_string();
            Error::BadModel(format!("not a valid safetensors file: {}", shortened(&error)))
        })?;
        let data = header + 8;
        let mut tensors = BTreeMap::new();
        for (name, info) in metadata.tensors() {
            let dtype = Dtype::from_stored(info.dtype).ok_or_else(|| {
                Error::BadModel(format!(
                    "tensor `{name}` has dtype {:?}, expected F16, BF16, F32 or F64",
                    info.dtype
                ))
            })?;
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
        let config = match metadata.metadata().as_ref().and_then(|metadata| metadata.get(METADATA_KEY)) {
            Some(json) => Config::from_json(json)?,
            None => Config::default(),
        };
        Checkpoint::new(bytes, tensors, config)
    }

    /// A checkpoint from an index made by a format's reader.
    ///
    /// # Errors
    /// [`Error::BadModel`] for a tensor that does not lie within the bytes, and for one whose name or
    /// shape no network has.
    pub fn new(bytes: Vec<u8>, tensors: BTreeMap<String, Tensor>, config: Config) -> Result<Checkpoint> {
        check_places(&tensors, bytes.len())?;
        Ok(Checkpoint { bytes, tensors, config })
    }

    /// The index, by key.
    #[must_use]
    pub fn tensors(&self) -> &BTreeMap<String, Tensor> {
        &self.tensors
    }

    /// Replaces or adds a tensor, row-major, stored as f32 or f16; the bytes it had are kept.
    #[cfg(feature = "edit")]
    pub(crate) fn put(&mut self, name: String, shape: Vec<usize>, half: bool, values: &[f32]) {
        let (dtype, offset) = (if half { Dtype::F16 } else { Dtype::F32 }, self.bytes.len());
        match dtype {
            Dtype::F16 => self.bytes.extend(values.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes())),
            _ => self.bytes.extend(values.iter().flat_map(|v| v.to_le_bytes())),
        }
        let strides = contiguous_strides(&shape);
        self.tensors.insert(name, Tensor { dtype, shape, strides, offset });
    }

    /// The bytes of a place in the file.
    #[cfg(feature = "edit")]
    #[must_use]
    pub fn bytes(&self, place: Range<usize>) -> &[u8] {
        &self.bytes[place]
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

    /// Where the last of a step's tensors ends in the file.
    #[cfg(feature = "cpu")]
    pub(crate) fn end_of(&self, step: &Step) -> usize {
        let tensors = self.expected_of(step).into_iter().filter_map(|(name, _)| self.tensors.get(&name));
        tensors.filter_map(Tensor::place).map(|place| place.end).max().unwrap_or(0)
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
        self.bytes.len()
    }

    /// Renames keys; a key mapped to `None` is dropped.
    pub fn rename(&mut self, name_of: &dyn Fn(&str) -> Option<String>) {
        for (key, tensor) in std::mem::take(&mut self.tensors) {
            if let Some(name) = name_of(&key) {
                self.tensors.insert(name, tensor);
            }
        }
    }

    /// Shape of a tensor that exists.
    #[must_use]
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|tensor| tensor.shape.as_slice())
    }

    /// Holds every key, shape and dtype against the network; nothing is converted.
    ///
    /// # Errors
    /// [`Error::WrongKeys`] with all missing and unknown keys, [`Error::WrongTensorShape`],
    /// [`Error::BadModel`] for a dtype that is no float.
    pub fn check(&self, network: &Network) -> Result<()> {
        let expected: Vec<_> = network.steps.iter().flat_map(|step| self.expected_of(step)).collect();
        let missing: Vec<_> = expected
            .iter()
            .map(|(name, _)| name)
            .filter(|name| !self.tensors.contains_key(*name))
            .cloned()
            .collect();
        let unknown: Vec<_> = (self.tensors.keys())
            .filter(|name| {
                !expected.iter().any(|known| known.0 == **name) && !name.ends_with(".num_batches_tracked")
            })
            .cloned()
            .collect();
        if !missing.is_empty() || !unknown.is_empty() {
            return Err(Error::WrongKeys { network: network.name.clone(), missing, unknown });
        }
        for (name, shape) in expected {
            let tensor = &self.tensors[&name];
            if tensor.shape != shape {
                return Err(Error::WrongTensorShape { name, expected: shape, found: tensor.shape.clone() });
            }
            let is_quantized = name.strip_suffix(".weight").is_some_and(|key| self.is_quantized(key));
            if tensor.dtype == Dtype::I64 || (tensor.dtype == Dtype::I8 && !is_quantized) {
                return Err(Error::BadModel(format!(
                    "tensor `{name}` holds integers, expected F16, BF16, F32 or F64"
                )));
            }
        }
        Ok(())
    }

    /// A tensor in row-major f32.
    ///
    /// # Errors
    /// [`Error::NotFinite`] for NaN or infinity, [`Error::WrongKeys`] where there is no such tensor.
    pub fn read(&self, name: &str) -> Result<Vec<f32>> {
        let tensor = self.tensor(name)?;
        self.read_part(name, tensor, 0..tensor.len())
    }

    fn tensor(&self, name: &str) -> Result<&Tensor> {
        self.tensors.get(name).ok_or_else(|| Error::WrongKeys {
            network: "this network".into(),
            missing: vec![name.into()],
            unknown: vec![],
        })
    }

    /// Some of a tensor's elements, in row-major order.
    fn read_part(&self, name: &str, tensor: &Tensor, range: Range<usize>) -> Result<Vec<f32>> {
        let (size, bytes) = (tensor.dtype.size(), &self.bytes[tensor.offset..]);
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

    /// A convolution's weight as it is, with its batch norm (or bias) as a scale and a shift of each
    /// output channel: `scale = gamma / sqrt(variance + 1e-5)`, `shift = (b - mean) * scale + beta`.
    ///
    /// # Errors
    /// As [`Checkpoint::read`].
    pub fn scaled(&self, conv: &Conv, channels_out: usize) -> Result<Scaled> {
        let norm = self.scales_and_shifts(conv, channels_out)?;
        let weight = self.read(&format!("{}.weight", conv.weights.conv))?;
        let (scale, shift) = norm.iter().map(|&(scale, shift)| (scale as f32, shift as f32)).unzip();
        let half = self.dtype(&format!("{}.weight", conv.weights.conv)) == Some(Dtype::F16);
        Ok(Scaled { weight, scale, shift, half })
    }

    /// A convolution's weight and bias with its batch norm folded in: `w' = w * scale`, `b' = shift`
    /// with the scale and shift of [`Checkpoint::scaled`].
    ///
    /// # Errors
    /// As [`Checkpoint::read`].
    pub fn folded(&self, conv: &Conv, channels_out: usize) -> Result<Folded> {
        let folding = self.folding(conv, channels_out)?;
        Ok(Folded { weight: folding.filters(0..channels_out)?, bias: folding.bias() })
    }

    /// As [`Checkpoint::folded`], but the weight is read some filters at a time, so that it is never whole.
    ///
    /// # Errors
    /// As [`Checkpoint::read`].
    pub fn folding(&self, conv: &Conv, channels_out: usize) -> Result<Folding<'_>> {
        let norm = self.scales_and_shifts(conv, channels_out)?;
        let name = format!("{}.weight", conv.weights.conv);
        Ok(Folding { checkpoint: self, tensor: self.tensor(&name)?, name, norm })
    }

    /// Whether a convolution's weights have eight bits.
    #[must_use]
    pub fn is_quantized(&self, key: &str) -> bool {
        self.dtype(&format!("{key}.weight")) == Some(Dtype::I8)
    }

    #[cfg(feature = "int8")]
    /// Weights that are computed with in integers; none where they are floats or no input's range is known.
    ///
    /// # Errors
    /// As [`Checkpoint::read`]; [`Error::BadModel`] for an impossible range.
    pub fn quantized(&self, conv: &Conv) -> Result<Option<Quantized>> {
        let key = &conv.weights.conv;
        let input = format!("{key}.input");
        if !self.is_quantized(key) || !self.tensors.contains_key(&input) {
            return Ok(None);
        }
        let [step, zero] = self.read(&input)?[..] else { unreachable!("its shape was checked") };
        if !(f32::MIN_POSITIVE..f32::MAX).contains(&step)
            || !(0.0..=127.0).contains(&zero)
            || zero.fract() != 0.0
        {
            return Err(Error::BadModel(format!(
                "tensor `{input}` is [{step}, {zero}], expected a positive step and a whole number from 0 to 127"
            )));
        }
        let weight = self.read(&format!("{key}.weight"))?.into_iter().map(|w| (w as i8).max(-127)).collect();
        let (scale, bias) = (self.read(&format!("{key}.scale"))?, self.read(&format!("{key}.bias"))?);
        Ok(Some(Quantized { weight, scale, bias, step, zero }))
    }

    /// Whether some of the network is computed in integers.
    #[cfg(feature = "int8")]
    #[must_use]
    pub fn has_integers(&self) -> bool {
        self.tensors.keys().any(|name| name.strip_suffix(".input").is_some_and(|key| self.is_quantized(key)))
    }

    /// Forgets the inputs' ranges: weights of eight bits are computed with in floats.
    #[cfg(feature = "int8")]
    pub fn compute_in_floats(&mut self) {
        let (tensors, mut kept) = (std::mem::take(&mut self.tensors), BTreeMap::new());
        kept.extend(tensors.into_iter().filter(|(name, _)| !name.ends_with(".input")));
        self.tensors = kept;
    }

    /// Names and shapes of the tensors of a convolution: where its weights have eight bits, the batch norm is
    /// in their scale and bias.
    pub(crate) fn expected_of(&self, step: &Step) -> Vec<(String, Vec<usize>)> {
        let mut expected = expected_of_step(step);
        let Op::Conv(Conv { weights, .. }) = &step.op else { return expected };
        let key = &weights.conv;
        if self.is_quantized(key) {
            expected.truncate(1);
            expected.extend(["scale", "bias"].map(|part| (format!("{key}.{part}"), vec![step.y.channels])));
            let input = format!("{key}.input");
            if self.tensors.contains_key(&input) {
                expected.push((input, vec![2]));
            }
        }
        expected
    }

    /// Scale and shift of each output channel, in f64: the rounding of numbers that are made once would be in
    /// every number after.
    fn scales_and_shifts(&self, conv: &Conv, channels_out: usize) -> Result<Vec<ScaleAndShift>> {
        let key = &conv.weights.conv;
        if self.is_quantized(key) {
            let (scale, bias) = (self.read(&format!("{key}.scale"))?, self.read(&format!("{key}.bias"))?);
            let widen = |(&scale, &bias): (&f32, &f32)| (f64::from(scale), f64::from(bias));
            return Ok(scale.iter().zip(&bias).map(widen).collect());
        }
        let bias = match conv.weights.bias {
            true => self.read(&format!("{key}.bias"))?,
            false => vec![0.0; channels_out],
        };
        let Some(norm) = &conv.weights.norm else {
            return Ok(bias.iter().map(|&bias| (1.0, f64::from(bias))).collect());
        };
        let part = |name: &str| self.read(&format!("{norm}.{name}"));
        let (gamma, beta) = (part("weight")?, part("bias")?);
        let (mean, variance) = (part("running_mean")?, part("running_var")?);
        (0..channels_out)
            .map(|o| {
                let scale = f64::from(gamma[o]) / (f64::from(variance[o]) + f64::from(EPSILON)).sqrt();
                if !scale.is_finite() {
                    let (name, value) = (format!("{norm}.running_var"), variance[o].to_string());
                    return Err(Error::NotFinite { name, index: o, value });
                }
                Ok((scale, (f64::from(bias[o]) - f64::from(mean[o])) * scale + f64::from(beta[o])))
            })
            .collect()
    }
}

/// Elements that are decoded by one call: the browser's optimising compiler takes over from call to call.
const DECODED_AT_ONCE: usize = 1024;

/// Appends numbers as f32.
#[inline(never)]
fn decode(dtype: Dtype, bytes: &[u8], to: &mut Vec<f32>) {
    #[inline(always)]
    fn each<const N: usize>(bytes: &[u8], to: &mut Vec<f32>, number: impl Fn([u8; N]) -> f32) {
        to.extend(bytes.as_chunks().0.iter().map(|&bytes| number(bytes)));
    }
    match dtype {
        Dtype::F16 => each(bytes, to, |bytes| f32_of_f16(u16::from_le_bytes(bytes))),
        Dtype::Bf16 => each(bytes, to, |bytes| bf16::from_le_bytes(bytes).to_f32()),
        Dtype::F32 => each(bytes, to, f32::from_le_bytes),
        Dtype::F64 => each(bytes, to, |bytes| f64::from_le_bytes(bytes) as f32),
        Dtype::I64 => each(bytes, to, |bytes| i64::from_le_bytes(bytes) as f32),
        Dtype::I8 => each(bytes, to, |bytes| f32::from(i8::from_le_bytes(bytes))),
    }
}

#[inline(never)]
fn all_finite(values: &[f32]) -> bool {
    values.iter().fold(true, |all, value| all & value.is_finite())
}

/// The number of an f16's bits: a normal one's exponent is only counted from another zero, and takes no
/// arithmetic of floats.
#[inline(always)]
fn f32_of_f16(bits: u16) -> f32 {
    const NORMAL: Range<u32> = 0x0400..0x7c00;
    let (sign, magnitude) = (u32::from(bits & 0x8000) << 16, u32::from(bits & 0x7fff));
    if NORMAL.contains(&magnitude) {
        return f32::from_bits(sign | ((magnitude << 13) + ((127 - 15) << 23)));
    }
    f16::from_bits(bits).to_f32()
}

/// Holds an index against the length of its file.
///
/// # Errors
/// [`Error::BadModel`] for a tensor that does not lie within the file, and for tensors that share its
/// bytes so much that they would not fit the memory.
pub(crate) fn check_places(tensors: &BTreeMap<String, Tensor>, length: usize) -> Result<()> {
    for (name, tensor) in tensors {
        if name.len() > MAX_KEY || tensor.shape.len() > MAX_DIMENSIONS {
            return Err(Error::BadModel(format!(
                "tensor `{}` has a name of {} bytes and {} dimensions, expected at most {MAX_KEY} and {MAX_DIMENSIONS}",
                shortened(name),
                name.len(),
                tensor.shape.len()
            )));
        }
        let end = tensor.place().map(|place| place.end);
        if end.is_none_or(|end| end > length) || tensor.shape.len() != tensor.strides.len() {
            return Err(Error::BadModel(format!(
                "tensor `{name}` lies outside the file: the checkpoint is damaged"
            )));
        }
    }
    // A stride of 0 makes a few bytes look like any number of elements, and executors copy them all.
    let total = (tensors.values())
        .try_fold(0usize, |total, tensor| {
            let len = tensor.shape.iter().try_fold(1usize, |len, &extent| len.checked_mul(extent))?;
            total.checked_add(len.checked_mul(tensor.dtype.size())?)
        })
        .unwrap_or(usize::MAX);
    if total > length.saturating_mul(MAX_EXPANSION) {
        return Err(Error::BadModel(format!(
            "the checkpoint's tensors have {total} bytes if each is stored for itself, expected at most \
             {MAX_EXPANSION} times the file's {length}"
        )));
    }
    Ok(())
}

/// The beginning of a safetensors file with a config, if there is one, and the tensors of an index; and the
/// tensors in the order in which their row-major elements follow it.
///
/// # Panics
/// For an index that [`check_places`] refuses.
#[cfg(any(feature = "pth", feature = "edit"))]
#[must_use]
pub fn safetensors_layout<'a>(
    tensors: &'a BTreeMap<String, Tensor>,
    config: &Config,
) -> (Vec<u8>, Vec<&'a Tensor>) {
    // Wide elements first: then all are aligned.
    let mut order: Vec<_> = tensors.iter().collect();
    order.sort_by_key(|(_, tensor)| Reverse(tensor.dtype.size()));
    let mut end = 0;
    let infos = order.iter().map(|(name, tensor)| {
        let begin = end;
        end += tensor.len() * tensor.dtype.size();
        let info = safetensors::tensor::TensorInfo {
            dtype: tensor.dtype.stored(),
            shape: tensor.shape.clone(),
            data_offsets: (begin, end),
        };
        ((*name).clone(), info)
    });
    let metadata = (*config != Config::default())
        .then(|| [(METADATA_KEY.to_owned(), config.to_json())].into_iter().collect());
    let metadata = safetensors::tensor::Metadata::new(metadata, infos.collect())
        .expect("the tensors follow each other and have the sizes of their shapes");
    let mut json = serde_json::to_vec(&metadata).expect("names and numbers are JSON");
    json.resize(json.len().next_multiple_of(8), b' ');
    let header = [&(json.len() as u64).to_le_bytes(), json.as_slice()].concat();
    (header, order.into_iter().map(|(_, tensor)| tensor).collect())
}

/// Every tensor a network needs, with its shape, in the order of the steps.
#[must_use]
pub fn expected_tensors(network: &Network) -> Vec<(String, Vec<usize>)> {
    network.steps.iter().flat_map(expected_of_step).collect()
}

/// Those of one step.
pub(crate) fn expected_of_step(step: &Step) -> Vec<(String, Vec<usize>)> {
    let Op::Conv(conv) = &step.op else { return Vec::new() };
    let (channels_out, channels_in) = (step.y.channels, step.x.channels / conv.groups);
    let shape = match conv.weights.matrix {
        true => vec![channels_out, channels_in],
        false => vec![channels_out, channels_in, conv.kernel, conv.kernel],
    };
    let mut tensors = vec![(format!("{}.weight", conv.weights.conv), shape)];
    if conv.weights.bias {
        tensors.push((format!("{}.bias", conv.weights.conv), vec![channels_out]));
    }
    if let Some(norm) = &conv.weights.norm {
        for part in ["weight", "bias", "running_mean", "running_var"] {
            tensors.push((format!("{norm}.{part}"), vec![channels_out]));
        }
    }
    tensors
}

/// Element offsets of a strided tensor in row-major order.
fn strided_indices(shape: &[usize], strides: &[usize], range: Range<usize>) -> impl Iterator<Item = usize> {
    range.map(move |mut flat: usize| {
        let mut offset = 0;
        for (&extent, &stride) in shape.iter().zip(strides).rev() {
            offset += flat % extent * stride;
            flat /= extent;
        }
        offset
    })
}
