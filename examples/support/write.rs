//! How the examples write model files.

use g_ghostnet::model::{Model, Options};
use std::path::Path;

/// Writes a model file that describes the network, the labels and the input of `model`, and reads it back. It has a
/// name of its own until then: what fails leaves no broken model behind.
///
/// # Errors
/// A sentence with the file's name.
pub fn write_model(path: impl AsRef<Path>, bytes: Vec<u8>, model: &Model) -> Result<Model, String> {
    let path = path.as_ref();
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = Path::new(&part);
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", part.display());
    std::fs::write(part, &bytes).map_err(|error| failed(&error))?;
    let mut written = Model::from_bytes(bytes, &Options::default()).map_err(|error| failed(&error))?;
    // Numbered labels are no labels, and those of ImageNet need not be in the file: it says nothing of them.
    if written.checkpoint.config.classes.is_none() {
        written.labels.clone_from(&model.labels);
    }
    if (&written.architecture, &written.labels, written.input)
        != (&model.architecture, &model.labels, model.input)
    {
        return Err(failed(&"the file does not describe the network that was read; please report this"));
    }
    std::fs::rename(part, path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(written)
}
