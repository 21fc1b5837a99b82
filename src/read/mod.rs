//! Checkpoints of other libraries and other formats, brought to the layout that engines read: a safetensors file whose
//! config names the network, with the network's own keys.
//!
//! [`index`] tells the formats apart and makes an index of a file's tensors. [`adopt`] takes off what training and
//! wrappers leave around them ([`unwrap`]), brings other libraries' keys to ours ([`names`]) and tells the network from
//! shapes ([`recognise`]). All of it needs the index alone, so that most of a file goes to the engine without being
//! read ([`Reader`]).

mod beside;
mod kind;
pub mod names;
mod partial;
mod pth;
pub mod recognise;
mod unwrap;

use crate::arch::Network;
use crate::checkpoint::{Checkpoint, end_of_header, index as safetensors_index};
use crate::config::Config;
use crate::error::Result;
use crate::model::{Options, input_of};
pub(crate) use beside::Beside;
use partial::{PartialFile, Stop};
use std::ops::Range;

/// Bytes of a file that tell what it is.
const TELLING: usize = 4096;

/// The index of a file of any format; `weights` as for [`Options`].
///
/// # Errors
/// As [`Checkpoint::from_bytes`].
pub(crate) fn index(bytes: &[u8], weights: Option<&str>) -> Result<Checkpoint> {
    match index_of(&PartialFile::whole(bytes), weights) {
        Ok(checkpoint) => Ok(checkpoint),
        Err(Stop::Refused(error)) => Err(error),
        Err(Stop::Wanted) => unreachable!("the whole file is there"),
    }
}

fn index_of(file: &PartialFile, weights: Option<&str>) -> partial::Result<Checkpoint> {
    let length = file.len();
    let beginning = file.get(0..TELLING.min(length))?.unwrap_or_default();
    if pth::is_pth(beginning) {
        return pth::index(file, weights);
    }
    if let Some(sentence) = kind::of_no_model(beginning) {
        return Err(sentence.into());
    }
    let end = end_of_header(beginning)?.min(length);
    let header = file.get(0..end)?.unwrap_or_default();
    Ok(safetensors_index(header, length)?)
}

/// Brings a checkpoint to the layout that engines read, but for the changes of numbers that it returns.
///
/// # Errors
/// [`crate::Error::BadModel`] and others for what is of no network here, of several, or of one with parts that change
/// the answer; those of [`Checkpoint::check`].
pub(crate) fn adopt(checkpoint: &mut Checkpoint, options: &Options) -> Result<Changes> {
    unwrap::strip(checkpoint, options.weights.as_deref())?;
    let names = recognise::rename_keys(checkpoint);
    unwrap::refuse_relatives(checkpoint)?;
    let asked = options.variant.clone().map(|variant| Config { variant: Some(variant), ..Config::default() });
    let described = asked.as_ref().unwrap_or(&checkpoint.config);
    let architecture = match described.architecture()? {
        Some(architecture) => architecture,
        None => {
            let small_stem = described.small_stem().or(names.and_then(|names| names.small_stem));
            recognise::architecture(checkpoint, small_stem)
                .map_err(|error| unwrap::unfit(checkpoint, error))?
        }
    };
    let input = input_of(checkpoint, &architecture)?;
    let classes = unwrap::fit(checkpoint, &architecture, input.side)?;
    let network = Network::new(&architecture, classes, input.side, input.side)?;
    checkpoint.check(&network)?;
    let is_binary = classes == 1;
    let found = std::mem::take(&mut checkpoint.beside).classes.filter(|found| found.len() == classes.max(2));
    let Config { classes, golden, temperature, known, .. } = std::mem::take(&mut checkpoint.config);
    let golden =
        golden.map(|golden| if is_binary && golden.len() == 1 { vec![0.0, golden[0]] } else { golden });
    let (classes, input) = (classes.or(found), Some(input));
    checkpoint.config = Config { classes, input, golden, temperature, known, ..Config::of(&architecture) };
    Ok(Changes { is_bgr: names.is_some_and(|names| names.is_bgr), binary: is_binary.then_some(network) })
}

/// Numbers of a checkpoint that are to be changed.
pub(crate) struct Changes {
    /// Whether its stem takes blue, green and red in this order.
    is_bgr: bool,
    /// The network, where its classifier has one logit and is to have two.
    binary: Option<Network>,
}

impl Changes {
    /// Keys of the tensors that are changed.
    fn tensors(&self, checkpoint: &Checkpoint) -> Vec<String> {
        let stem = self.is_bgr.then(|| STEM.to_owned());
        let head = self.binary.iter().flat_map(|network| checkpoint.expected_of(network.classifier().0));
        stem.into_iter().chain(head.map(|(name, _)| name)).collect()
    }

    /// Changes them.
    ///
    /// # Errors
    /// As [`Checkpoint::read`].
    pub fn make(self, checkpoint: &mut Checkpoint) -> Result<()> {
        if self.is_bgr {
            checkpoint.reverse_channels(STEM);
        }
        match self.binary {
            Some(network) => unwrap::two_of_one(checkpoint, &network),
            None => Ok(()),
        }
    }
}

const STEM: &str = "conv1.weight";

/// Reads a checkpoint of any format from those parts of its file that it takes to know what lies where: some hundred
/// kilobytes, however large the file is.
pub struct Reader {
    file: PartialFile<'static>,
    options: Options,
}

/// What [`Reader::read`] finds.
#[derive(Debug)]
pub enum Progress {
    /// Ranges of the file, in order and apart from each other, to be added first.
    Wanted(Vec<Range<usize>>),
    /// The checkpoint in the layout that engines read; tensors before the file's length lie in the file.
    Read(Box<Checkpoint>),
}

impl Reader {
    /// A reader of a file with a number of bytes.
    #[must_use]
    pub fn new(length: usize, options: Options) -> Reader {
        Reader { file: PartialFile::new(length), options }
    }

    /// Adds the bytes of a range.
    pub fn add(&mut self, begin: usize, bytes: Vec<u8>) {
        self.file.add(begin, bytes);
    }

    /// Reads as far as the file is there.
    ///
    /// # Errors
    /// As [`crate::model::Model::from_bytes`].
    pub fn read(&self) -> Result<Progress> {
        match self.checkpoint() {
            Ok(checkpoint) => Ok(Progress::Read(Box::new(checkpoint))),
            Err(Stop::Wanted) => Ok(Progress::Wanted(self.file.take_wanted())),
            Err(Stop::Refused(error)) => Err(error),
        }
    }

    fn checkpoint(&self) -> partial::Result<Checkpoint> {
        let mut checkpoint = index_of(&self.file, self.options.weights.as_deref())?;
        let changes = adopt(&mut checkpoint, &self.options)?;
        let mut wanted = false;
        for name in changes.tensors(&checkpoint) {
            let tensor = checkpoint.tensor(&name)?;
            match self.file.get(tensor.place().unwrap_or_default()) {
                Ok(place) => {
                    let elements = tensor.row_major(place.unwrap_or_default());
                    checkpoint.bring(&name, &elements);
                }
                // All are noted before the reading ends.
                Err(_) => wanted = true,
            }
        }
        if wanted {
            return Err(Stop::Wanted);
        }
        changes.make(&mut checkpoint)?;
        Ok(checkpoint)
    }
}
