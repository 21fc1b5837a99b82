//! What training and wrappers leave around a network's tensors: prefixes, heads under other names, tensors that
//! no layer reads.
//!
//! What changes the answer is never left out: a mean and a deviation of the input, masks, layers that the network
//! does not have.

use super::beside::rank;
use crate::arch::{Architecture, Network};
use crate::checkpoint::{Checkpoint, Dtype, LeftOut, Tensor};
use crate::error::{Error, Result, shortened};
use std::collections::BTreeSet;

/// What wrappers for parallel training, compilation and checkpointing put into keys, anywhere.
const WRAPPERS: [&str; 4] = ["module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"];

/// Of each naming the stem's key and how the keys of its first blocks begin: both behind the same prefix.
const STEMS: [(&str, &str); 6] = [
    ("conv1.weight", "layer1."),
    // Of networks that are refused by name.
    ("conv1.0.weight", "layer1."),
    ("conv_stem.weight", "blocks."),
    ("stem.0.weight", "trunk_output."),
    ("stem.conv.weight", "s1."),
    ("embedder.embedder.convolution.weight", "encoder."),
];

/// Before the keys that do not have the network's prefix, until it is known what they are.
const OUTSIDE: &str = "^";

/// Parts of the names that classifiers have.
const HEADS: [&str; 11] = [
    "fc",
    "head",
    "heads",
    "classifier",
    "last_linear",
    "linear",
    "cls",
    "cls_head",
    "logits",
    "output",
    "out",
];

/// Modules of a training that its network does not use.
const OF_TRAINING: [&str; 7] = ["criterion", "loss", "loss_fn", "losses", "metric", "metrics", "queue"];

/// Numbers that profilers and trainers keep among the weights.
const COUNTERS: [&str; 6] = ["total_ops", "total_params", "n_averaged", "num_updates", "step", "epoch"];

/// Buffers that change the input or the logits wherever they are; so do a mean and a deviation.
const CHANGES: [&str; 2] = ["temperature", "logit_scale"];

/// Parameters that weights of the same module are made of.
const PARTS_OF_WEIGHTS: [&str; 10] = [
    "weight_mask",
    "weight_orig",
    "weight_u",
    "weight_v",
    "weight_g",
    "original",
    "original0",
    "original1",
    "lora_A",
    "lora_B",
];

/// Takes the wrappers' names from the keys, and the prefix that leads to the network's stem; of several networks
/// in one file, `asked` says which (see [`rank`]).
///
/// # Errors
/// [`Error::BadModel`] for several networks of which none is likelier, and where none is called as `asked` says.
pub fn strip(checkpoint: &mut Checkpoint, asked: Option<&str>) -> Result<()> {
    let bare =
        |key: &str| key.split('.').filter(|part| !WRAPPERS.contains(part)).collect::<Vec<_>>().join(".");
    let keys: BTreeSet<String> = checkpoint.tensors().keys().map(|key| bare(key)).collect();
    if keys.len() == checkpoint.tensors().len() {
        checkpoint.rename(&|key| Some(bare(key)));
    }
    let prefixes = prefixes(checkpoint);
    let name = |prefix: &str| prefix.strip_suffix('.').unwrap_or(prefix).to_owned();
    let mut ranked: Vec<_> = prefixes.iter().map(|prefix| (rank(&[&name(prefix)], asked), prefix)).collect();
    ranked.sort();
    if let [first, second, ..] = ranked.as_slice()
        && first.0 == second.0
    {
        let names: Vec<_> = ranked.iter().take(4).map(|(_, prefix)| format!("`{}`", name(prefix))).collect();
        return Err(Error::BadModel(format!(
            "the checkpoint holds several networks: {}; name the one to read by the option `weights`",
            names.join(", ")
        )));
    }
    let prefix = ranked.first().map(|(_, prefix)| prefix.as_str()).unwrap_or_default();
    let path = [checkpoint.origin.weights.as_str(), &name(prefix)]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(".");
    if let Some(asked) = asked
        && asked != "ema"
        && rank(&[&path], Some(asked)).0
    {
        let found =
            if path.is_empty() { "those at its top".into() } else { format!("`{}`", shortened(&path)) };
        return Err(Error::BadModel(format!(
            "the checkpoint has no weights called `{}`, found {found}",
            shortened(asked)
        )));
    }
    checkpoint.origin.weights = path;
    if !prefix.is_empty() {
        checkpoint.rename(&|key| {
            Some(key.strip_prefix(prefix).map_or_else(|| format!("{OUTSIDE}{key}"), str::to_owned))
        });
    }
    Ok(())
}

/// All that lead to a stem and to blocks.
fn prefixes(checkpoint: &Checkpoint) -> BTreeSet<String> {
    let tensors = checkpoint.tensors();
    let has =
        |begin: &str| tensors.range(begin.to_owned()..).next().is_some_and(|(key, _)| key.starts_with(begin));
    let of_stem = |(stem, blocks): (&str, &str)| {
        let prefix = |(key, tensor): (&String, &Tensor)| {
            let prefix =
                key.strip_suffix(stem).filter(|prefix| prefix.is_empty() || prefix.ends_with('.'))?;
            (tensor.shape.len() == 4 && has(&format!("{prefix}{blocks}"))).then(|| prefix.to_owned())
        };
        tensors.iter().filter_map(prefix).collect::<Vec<_>>()
    };
    STEMS.into_iter().flat_map(of_stem).collect()
}

/// Why a checkpoint cannot be read that looks like one of a network here, by what only others have.
///
/// # Errors
/// [`Error::BadModel`]
pub fn refuse_relatives(checkpoint: &Checkpoint) -> Result<()> {
    let tensors = checkpoint.tensors();
    // What is outside of the network may be as it likes.
    let inside = || tensors.keys().filter(|key| !key.starts_with(OUTSIDE));
    let with_part = |part: &str| inside().find(|key| key.split('.').any(|one| one == part));
    let has = |key: &str| tensors.contains_key(key);
    let blocks = tensors.keys().any(|key| key.starts_with("layer1."));
    let sentence = if let Some(key) = quantized(checkpoint) {
        format!(
            "the checkpoint's weights are quantized (`{key}`), as by PyTorch's quantize_dynamic: save the state dict \
             before that"
        )
    } else if let Some(key) = with_part("weight_mask") {
        format!(
            "the checkpoint is of a pruned network: `{key}` is a mask beside `weight_orig`; make the pruning final with \
             torch.nn.utils.prune.remove(module, 'weight') and save the state dict again"
        )
    } else if let Some(key) =
        with_part("weight_g").or(with_part("parametrizations")).or(with_part("weight_orig"))
    {
        format!(
            "the checkpoint's weights are parametrized (`{key}`): remove the weight norm, spectral norm or other \
             parametrization and save the state dict again"
        )
    } else if blocks && let Some(key) = with_part("se").or(with_part("attention")) {
        format!(
            "the checkpoint has squeeze-and-excitation (`{key}`): it is of a RegNetY or an SE-ResNet, which are not \
             supported; RegNetX and ResNet are"
        )
    } else if has("conv_stem.weight") && inside().any(|key| key.contains("_rpr_")) {
        "the checkpoint is of a GhostNetV3, which is not supported: the first GhostNet is".into()
    } else if has("conv_stem.weight") && with_part("short_conv").is_some() {
        "the checkpoint is of a GhostNetV2, which is not supported: the first GhostNet is".into()
    } else if blocks && has("conv1.0.weight") {
        "the checkpoint is of a ResNet with a stem of several convolutions (`conv1.0.weight`: ResNet-D, -T or -S), \
         which is not supported: those with one convolution are"
            .into()
    } else {
        return Ok(());
    };
    Err(Error::BadModel(sentence))
}

/// The key of what PyTorch's own quantization keeps in place of weights.
fn quantized(checkpoint: &Checkpoint) -> Option<&str> {
    let is_packed = |(key, kind): &(&String, &String)| {
        !key.starts_with(OUTSIDE) && (key.contains("_packed_params") || kind.contains("_rebuild_qtensor"))
    };
    checkpoint.beside.unread.iter().find(is_packed).map(|(key, _)| key.as_str())
}

/// What is said of a checkpoint of which no network can be made: of a weight that is no tensor, if there is one.
#[must_use]
pub fn unfit(checkpoint: &Checkpoint, error: Error) -> Error {
    let is_weight =
        |name: &str| ["weight", "bias", "running_mean", "running_var"].iter().any(|end| name.ends_with(end));
    match checkpoint.beside.unread.iter().find(|(name, _)| is_weight(name)) {
        Some((name, kind)) => {
            let name = name.trim_start_matches(OUTSIDE);
            Error::BadModel(format!(
                "`{name}` in the checkpoint is {kind}, expected a tensor of F16, BF16, F32 or F64"
            ))
        }
        None => error,
    }
}

/// Brings the classifier to its key, and leaves out what no layer reads, as the origin then says; returns the number
/// of classes.
///
/// # Errors
/// [`Error::BadModel`] without a classifier of one matrix.
pub fn fit(checkpoint: &mut Checkpoint, architecture: &Architecture, side: usize) -> Result<usize> {
    let network = Network::new(architecture, 1, side, side).map_err(|error| unfit(checkpoint, error))?;
    let (head, conv) = network.classifier();
    let key = conv.weights.conv.as_str();
    let body: BTreeSet<String> =
        network.steps.iter().flat_map(|step| checkpoint.expected_of(step)).map(|(name, _)| name).collect();
    let module = head_module(checkpoint, key, head.x.channels, &body)?;
    let (from, to) = (format!("{module}."), format!("{key}."));
    checkpoint.rename(&|name| {
        Some(name.strip_prefix(&from).map_or_else(|| name.into(), |part| format!("{to}{part}")))
    });
    let matrix = format!("{key}.weight");
    let classes = match checkpoint.shape(&matrix) {
        Some(&[classes, _]) => classes,
        // A convolution of 1 x 1 on the mean is a matrix.
        Some(&[classes, channels, 1, 1]) => {
            checkpoint.reshape(&matrix, vec![classes, channels]);
            classes
        }
        _ => return Err(no_classifier(checkpoint, key)),
    };
    leave_out(checkpoint, &body, key, &module);
    Ok(classes)
}

#[cold]
fn no_classifier(checkpoint: &Checkpoint, key: &str) -> Error {
    let matrix = format!("{key}.weight");
    Error::BadModel(match checkpoint.beside.unread.get(&matrix) {
        Some(kind) => format!("`{matrix}` in the checkpoint is {kind}, expected a matrix of F16, BF16, F32 or F64"),
        None => "the checkpoint has no classifier: expected a matrix `fc.weight` or `classifier.weight`, found none that \
                 fits the network: is it a backbone alone?"
            .into(),
    })
}

/// The module whose weight is the classifier's matrix.
fn head_module(checkpoint: &Checkpoint, key: &str, width: usize, body: &BTreeSet<String>) -> Result<String> {
    if checkpoint.shape(&format!("{key}.weight")).is_some_and(|shape| shape.len() > 1) {
        return Ok(key.into());
    }
    let is_matrix = |shape: &[usize]| matches!(shape, [_, _] | [_, _, 1, 1]);
    let matrices: Vec<(&str, &[usize])> = (checkpoint.tensors().iter())
        .filter(|(name, tensor)| is_matrix(&tensor.shape) && !body.contains(*name) && !is_of_training(name))
        .filter_map(|(name, tensor)| Some((name.strip_suffix(".weight")?, tensor.shape.as_slice())))
        .collect();
    let named =
        |module: &str| module.trim_start_matches(OUTSIDE).split('.').any(|part| HEADS.contains(&part));
    let mut heads: Vec<_> = matrices.iter().copied().filter(|(module, _)| named(module)).collect();
    if heads.is_empty() {
        heads = matrices;
    }
    let shown = |module: &str| format!("`{}`", module.trim_start_matches(OUTSIDE));
    let fits: Vec<_> = heads.iter().filter(|(_, shape)| shape[1] == width).collect();
    match fits.as_slice() {
        [] if heads.is_empty() => Err(no_classifier(checkpoint, key)),
        [] => Err(Error::BadModel(format!(
            "the classifier {} has shape {:?}, expected a matrix of {width} columns: is this the checkpoint of another \
             network?",
            shown(heads[0].0),
            heads[0].1
        ))),
        // A second matrix that takes what the first makes is a second layer.
        [(module, shape)] if !heads.iter().any(|(other, next)| other != module && next[1] == shape[0]) => {
            Ok((*module).to_owned())
        }
        _ => {
            let names: Vec<_> = heads.iter().take(4).map(|(module, _)| shown(module)).collect();
            Err(Error::BadModel(format!(
                "the classifier has {} matrices, {}: expected one layer, from {width} channels to the classes",
                heads.len(),
                names.join(", ")
            )))
        }
    }
}

fn is_of_training(name: &str) -> bool {
    let first = name.trim_start_matches(OUTSIDE).split('.').next().unwrap_or_default();
    OF_TRAINING.contains(&first) || first.ends_with("_loss") || first.ends_with("_criterion")
}

/// Takes from the index what no layer reads and what changes no answer.
fn leave_out(checkpoint: &mut Checkpoint, body: &BTreeSet<String>, key: &str, module: &str) {
    let mut left_out = Vec::new();
    let head = format!("{}.", module.trim_start_matches(OUTSIDE).split('.').next().unwrap_or_default());
    let place = match checkpoint.origin.weights.as_str() {
        "" => "the weights".into(),
        weights => format!("`{weights}`"),
    };
    for (name, tensor) in checkpoint.tensors() {
        let is_head = name
            .strip_prefix(key)
            .is_some_and(|part| [".weight", ".bias", ".scale", ".input"].contains(&part));
        if body.contains(name) || is_head || name.ends_with(".num_batches_tracked") {
            continue;
        }
        let shown = name.trim_start_matches(OUTSIDE);
        let last = shown.rsplit('.').next().unwrap_or_default();
        let integers = matches!(tensor.dtype, Dtype::I64 | Dtype::I8);
        let reason = if COUNTERS.contains(&last) && tensor.len() <= 1 {
            "a counter".into()
        } else if changes_the_answer(last, name.starts_with(OUTSIDE)) {
            continue;
        } else if integers {
            "integers that no layer reads".into()
        } else if is_of_training(name) {
            "of the training, not of the network".into()
        } else if name.starts_with(OUTSIDE) && !shown.starts_with(&head) {
            format!("outside of {place}")
        } else {
            continue;
        };
        left_out.push(LeftOut { name: shown.to_owned(), reason });
    }
    let names: BTreeSet<&str> = left_out.iter().map(|left| left.name.as_str()).collect();
    checkpoint.rename(&|name| {
        let shown = name.trim_start_matches(OUTSIDE);
        (!names.contains(shown) || body.contains(name)).then(|| shown.to_owned())
    });
    let beside = &checkpoint.beside;
    left_out.extend(beside.unread.iter().map(|(name, kind)| LeftOut {
        name: name.trim_start_matches(OUTSIDE).to_owned(),
        reason: format!("{kind}, which no layer reads"),
    }));
    left_out.extend(
        beside.values.iter().map(|(name, kind)| LeftOut {
            name: name.clone(),
            reason: format!("{kind}, beside the weights"),
        }),
    );
    checkpoint.origin.left_out.extend(left_out);
}

/// Whether a tensor whose name ends so changes the answer, in the network or outside of it.
fn changes_the_answer(last: &str, outside: bool) -> bool {
    let of_input =
        !last.starts_with("running_") && last.split('_').any(|word| word == "mean" || word == "std");
    of_input || CHANGES.contains(&last) || (!outside && PARTS_OF_WEIGHTS.contains(&last))
}

/// A classifier of one logit `z` as one of two, `0` and `z`: their softmax is `1 - sigmoid(z)` and `sigmoid(z)`.
///
/// # Errors
/// As [`Checkpoint::read`].
pub fn two_of_one(checkpoint: &mut Checkpoint, network: &Network) -> Result<()> {
    let (_, conv) = network.classifier();
    let folded = checkpoint.folded(conv, 1)?;
    let (key, channels) = (conv.weights.conv.as_str(), folded.weight.len());
    let parts = [format!("{key}.scale"), format!("{key}.input")];
    checkpoint.rename(&|name| (!parts.iter().any(|part| part == name)).then(|| name.to_owned()));
    let weight = [vec![0.0; channels], folded.weight].concat();
    checkpoint.put(format!("{key}.weight"), vec![2, channels], false, &weight);
    checkpoint.put(format!("{key}.bias"), vec![2], false, &[0.0, folded.bias[0]]);
    Ok(())
}
