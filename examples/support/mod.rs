//! What several examples use.

use g_ghostnet::checkpoint::Checkpoint;
use g_ghostnet::model::{Model, Options};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::path::Path;

/// Labels of ImageNet-1k in class order.
const IMAGENET: &str = include_str!("../../models/imagenet-1k.txt");

/// Labels of ImageNet-1k for a classifier of 1,000 classes that has none of its own.
#[must_use]
pub fn default_labels(model: &Model) -> Option<Vec<String>> {
    (model.labels.len() == 1000 && model.labels[0] == "class 0")
        .then(|| IMAGENET.lines().map(str::to_owned).collect())
}

/// Reads a model file, or Hugging Face's index of a model in several, which lie beside it.
///
/// # Errors
/// A sentence with the file's name.
pub fn read_model(path: impl AsRef<Path>, options: &Options) -> Result<Model, String> {
    let path = path.as_ref();
    let named = |error: &dyn Display| format!("{}: {error}", path.display());
    let bytes = std::fs::read(path).map_err(|error| named(&error))?;
    let checkpoint = match path.to_string_lossy().ends_with(".index.json") {
        true => read_shards(path, &bytes)?,
        false => {
            Checkpoint::from_bytes_of(bytes, options.weights.as_deref()).map_err(|error| named(&error))?
        }
    };
    let mut model = Model::from_checkpoint(checkpoint, options).map_err(|error| named(&error))?;
    if options.labels.is_none()
        && let Some(labels) = default_labels(&model)
    {
        model.labels = labels;
    }
    Ok(model)
}

/// Which file has a tensor.
#[derive(Deserialize)]
struct ShardIndex {
    weight_map: BTreeMap<String, String>,
}

fn read_shards(path: &Path, json: &[u8]) -> Result<Checkpoint, String> {
    let expected = "expected { \"weight_map\": { \"tensor\": \"file.safetensors\", ... } }";
    let index: ShardIndex = serde_json::from_slice(json)
        .map_err(|error| format!("{}: {expected}, found something else: {error}", path.display()))?;
    let mut whole: Option<Checkpoint> = None;
    for name in BTreeSet::from_iter(index.weight_map.values()) {
        if Path::new(name).file_name().is_none_or(|file| file != name.as_str()) {
            return Err(format!("{}: {expected}, the files beside the index", path.display()));
        }
        let shard = path.with_file_name(name);
        let named = |error: &dyn Display| format!("{}: {error}", shard.display());
        let bytes = std::fs::read(&shard).map_err(|error| named(&error))?;
        let part = Checkpoint::from_bytes(bytes).map_err(|error| named(&error))?;
        match &mut whole {
            Some(whole) => whole.append(part).map_err(|error| named(&error))?,
            None => whole = Some(part),
        }
    }
    let whole = whole.ok_or_else(|| format!("{}: {expected}, found no tensor", path.display()))?;
    match index.weight_map.iter().find(|(tensor, _)| whole.shape(tensor).is_none()) {
        Some((tensor, file)) => Err(format!("{}: {file} has no `{tensor}`", path.display())),
        None => Ok(whole),
    }
}
