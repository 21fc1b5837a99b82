//! The one error type: what was expected, what was found and what to do, with a stable code.

use std::borrow::Cow;
use thiserror::Error;

/// Everything that can go wrong, each with a stable [`Error::code`].
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are not a model this library can read.
    #[error("{0}")]
    BadModel(String),
    /// A tensor of the model has another shape than the network needs.
    #[error(
        "tensor `{name}` has shape {found:?}, expected {expected:?}: is this the checkpoint of another network?"
    )]
    WrongTensorShape {
        /// Checkpoint key.
        name: String,
        /// Shape the network needs.
        expected: Vec<usize>,
        /// Shape in the file.
        found: Vec<usize>,
    },
    /// The keys of the checkpoint are not those of the network.
    #[error("the checkpoint does not fit {network}: {}", list_keys(.missing, .unknown))]
    WrongKeys {
        /// Name of the network that was asked for.
        network: String,
        /// Keys the network needs and the file lacks.
        missing: Vec<String>,
        /// Keys of the file that the network has no place for.
        unknown: Vec<String>,
    },
    /// A weight is NaN or infinite.
    #[error(
        "tensor `{name}` holds {value} at index {index}: the checkpoint is damaged or its training diverged"
    )]
    NotFinite {
        /// Checkpoint key.
        name: String,
        /// Row-major index of the first such value.
        index: usize,
        /// The value, printed.
        value: String,
    },
    /// A picture that cannot be used.
    #[error("{0}")]
    BadImage(String),
    /// Input data whose length or dimensions do not fit.
    #[error("{0}")]
    WrongShape(String),
    /// A tap that the network does not have.
    #[error("unknown tap `{name}`: this network has {known}")]
    UnknownTap {
        /// The name that was asked for.
        name: String,
        /// The known names, abridged.
        known: String,
    },
    /// Something this build, engine or device cannot do.
    #[error("{0}")]
    Unsupported(String),
    /// The GPU device is gone.
    #[error("the GPU device was lost ({0}): load the model again or use the WASM engine")]
    DeviceLost(String),
    /// The GPU has not enough memory, or a size is over the documented cap.
    #[error("{0}")]
    OutOfMemory(String),
    /// The GPU refused a shader, a pipeline or a command.
    #[error("the GPU refused a command ({0}): use the WASM engine and please report this")]
    Gpu(String),
}

impl Error {
    /// The stable code of this error, the same in Rust and in JavaScript.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Error::BadModel(_)
            | Error::WrongTensorShape { .. }
            | Error::WrongKeys { .. }
            | Error::NotFinite { .. } => "bad-model",
            Error::BadImage(_) => "bad-image",
            Error::WrongShape(_) => "wrong-shape",
            Error::UnknownTap { .. } => "unknown-tap",
            Error::Unsupported(_) => "unsupported",
            Error::DeviceLost(_) => "device-lost",
            Error::OutOfMemory(_) => "out-of-memory",
            Error::Gpu(_) => "gpu",
        }
    }
}

/// Result with this crate's [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// The beginning of a text of unknown length that comes from a file: an error is a sentence.
pub(crate) fn shortened(text: &str) -> Cow<'_, str> {
    const SHOWN: usize = 200;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => Cow::Owned(format!("{} ...", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// A sentence listing at most a few keys of each kind: whole lists of hundreds help nobody.
fn list_keys(missing: &[String], unknown: &[String]) -> String {
    const SHOWN: usize = 8;
    let list = |keys: &[String]| {
        let mut text = keys.iter().take(SHOWN).map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ");
        if keys.len() > SHOWN {
            text += &format!(" and {} more", keys.len() - SHOWN);
        }
        text
    };
    match (missing.is_empty(), unknown.is_empty()) {
        (false, true) => format!("{} keys are missing: {}", missing.len(), list(missing)),
        (true, false) => format!("{} keys are unknown: {}", unknown.len(), list(unknown)),
        _ => format!(
            "{} keys are missing: {}; {} keys are unknown: {}",
            missing.len(),
            list(missing),
            unknown.len(),
            list(unknown)
        ),
    }
}
