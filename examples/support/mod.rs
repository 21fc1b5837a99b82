//! What several examples use.

use g_ghostnet::model::{Model, Options};
use std::path::Path;

/// Labels of ImageNet-1k in class order.
const IMAGENET: &str = include_str!("../../models/imagenet-1k.json");

/// Labels of ImageNet-1k for a classifier of 1,000 classes that has none of its own.
#[must_use]
pub fn default_labels(model: &Model) -> Option<Vec<String>> {
    (model.labels.len() == 1000 && model.labels[0] == "class 0")
        .then(|| serde_json::from_str(IMAGENET).expect("the list is part of the project"))
}

/// Reads a model file.
///
/// # Errors
/// A sentence with the file's name.
pub fn read_model(path: impl AsRef<Path>, options: &Options) -> Result<Model, String> {
    let path = path.as_ref();
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut model =
        Model::from_bytes(bytes, options).map_err(|error| format!("{}: {error}", path.display()))?;
    if options.labels.is_none()
        && let Some(labels) = default_labels(&model)
    {
        model.labels = labels;
    }
    Ok(model)
}
