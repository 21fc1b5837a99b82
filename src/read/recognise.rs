//! Which network a checkpoint is of: told from its keys and shapes alone.
//!
//! Key names of other libraries are brought to this library's first, which are those of the released
//! G-Ghost code (for RegNet) and of torchvision and timm (for ResNet and GhostNet).

use super::names::Names;
use crate::arch::Architecture;
use crate::arch::ghostnet::GhostNet;
use crate::arch::regnet::{Form, Ghost, RegNet};
use crate::arch::resnet::{Inner, ResNet, Stem};
use crate::checkpoint::Checkpoint;
use crate::error::{Error, Result};

/// Brings the keys of other libraries to this library's names; returns the table they were found in.
pub fn rename_keys(checkpoint: &mut Checkpoint) -> Option<&'static Names> {
    let names = Names::of(|key| checkpoint.shape(key).is_some());
    if let Some(names) = names {
        checkpoint.rename(&|key| Some(names.ours(key)));
    }
    names
}

/// The network a checkpoint is of, by shapes; `small_stem` is what a ResNet's stem of 3 x 3 is, where that is known.
///
/// # Errors
/// [`Error::BadModel`] where it is of no network this library knows.
pub fn architecture(checkpoint: &Checkpoint, small_stem: Option<Stem>) -> Result<Architecture> {
    let has = |key: &str| checkpoint.shape(key).is_some();
    if has("conv1.weight") && (has("layer2.0.conv1.weight") || has("layer2.base.conv1.weight")) {
        return match is_resnet(checkpoint) {
            true => resnet(checkpoint, small_stem).map(Architecture::ResNet),
            false => regnet(checkpoint).map(Architecture::RegNet),
        };
    }
    if let (Some(_), Some(&[expanded, ..])) =
        (checkpoint.shape("conv_stem.weight"), checkpoint.shape("blocks.9.0.conv.weight"))
    {
        let width = (expanded as f64 / 960.0 * 20.0).round() / 20.0;
        return Ok(Architecture::GhostNet(GhostNet { width }));
    }
    let some: Vec<_> = checkpoint.tensors().keys().take(4).map(|key| format!("`{key}`")).collect();
    Err(Error::BadModel(format!(
        "the checkpoint is of no network this library knows: expected the keys of G-Ghost-RegNetX, RegNetX, ResNet \
         or GhostNet, found {} tensors, among them {}",
        checkpoint.tensors().len(),
        some.join(", ")
    )))
}

/// Blocks `path.0`, `path.1`, ... that the checkpoint has.
fn count(checkpoint: &Checkpoint, path: &str) -> usize {
    (0..).take_while(|i| checkpoint.shape(&format!("{path}.{i}.conv1.weight")).is_some()).count()
}

/// A RegNetX begins with a 3 x 3 convolution, and its blocks have three convolutions, all of one width. A ResNet's
/// blocks have two, or three of which the last is wider; in the widest ResNeXts it is as wide, but they begin with 7 x 7.
fn is_resnet(checkpoint: &Checkpoint) -> bool {
    let shape = |key: &str| checkpoint.shape(key);
    let of_three = ["layer1.0.conv3.weight", "layer2.0.conv3.weight", "layer2.base.conv3.weight"];
    let width = |key: &str| shape(key).and_then(|shape| shape.first());
    of_three.iter().all(|key| shape(key).is_none())
        || width("layer1.0.conv2.weight") != width("layer1.0.conv3.weight")
        || shape("conv1.weight").is_some_and(|shape| shape.ends_with(&[7, 7]))
}

fn resnet(checkpoint: &Checkpoint, small_stem: Option<Stem>) -> Result<ResNet> {
    let depths: [usize; 4] = std::array::from_fn(|stage| count(checkpoint, &format!("layer{}", stage + 1)));
    // A stem of 7 x 7 is of four stages, some of which may lie in another file.
    let of_cifar = checkpoint.shape("conv1.weight").is_some_and(|shape| shape.ends_with(&[3, 3]));
    if of_cifar && depths[2] > 0 && depths[3] == 0 {
        return Err(Error::BadModel(
            "the checkpoint is a ResNet of three stages, as ResNet-20 to ResNet-110 for CIFAR; ResNets of four are read"
                .into(),
        ));
    }
    if let Some(stage) = depths.iter().position(|&depth| depth == 0) {
        return Err(Error::BadModel(format!(
            "the checkpoint looks like a ResNet but has no `layer{}.0.conv1.weight`: is it complete, or one of several files that must be loaded together?",
            stage + 1
        )));
    }
    let inner = match (checkpoint.shape("layer1.0.conv2.weight"), checkpoint.shape("layer1.0.conv3.weight")) {
        (Some(&[width, group_width, ..]), Some(_)) if group_width > 0 => {
            Some(Inner { width, groups: width / group_width })
        }
        _ => None,
    };
    let of_stem =
        |stem| ResNet { depths, width: checkpoint.shape("conv1.weight").map_or(0, |s| s[0]), inner, stem };
    match (checkpoint.shape("conv1.weight"), small_stem) {
        (Some([_, _, 3, 3]), Some(stem)) => Ok(of_stem(stem)),
        (Some([_, _, 3, 3]), None) => Err(Error::BadModel(format!(
            "the checkpoint is a ResNet whose first convolution is 3 x 3, and its weights do not say whether a max pool \
             follows: name the variant, `{}` without or `{}` with one",
            of_stem(Stem::Cifar).name(),
            of_stem(Stem::CifarPool).name()
        ))),
        _ => Ok(of_stem(Stem::ImageNet)),
    }
}

fn regnet(checkpoint: &Checkpoint) -> Result<RegNet> {
    let extent = |key: &str, axis: usize| {
        checkpoint.shape(key).and_then(|shape| shape.get(axis).copied()).ok_or_else(|| {
            Error::BadModel(format!(
                "the checkpoint looks like a RegNetX but has no `{key}`: is it complete?"
            ))
        })
    };
    let (mut depths, mut widths, mut group_width) = ([0; 4], [0; 4], 0);
    let mut ghost: Option<Ghost> = None;
    let (mut ratios, mut reads_all) = ([0.0; 4], [false; 4]);
    for stage in 0..4 {
        let path = format!("layer{}", stage + 1);
        let is_ghost = checkpoint.shape(&format!("{path}.base.conv1.weight")).is_some();
        let first = if is_ghost { format!("{path}.base") } else { format!("{path}.0") };
        widths[stage] = extent(&format!("{first}.conv3.weight"), 0)?;
        group_width = group_width.max(extent(&format!("{first}.conv2.weight"), 1)?);
        if !is_ghost {
            depths[stage] = count(checkpoint, &path);
            continue;
        }
        let released = checkpoint.shape(&format!("{path}.end.conv1.weight")).is_some();
        let inner = count(checkpoint, &format!("{path}.layers"));
        // Without raw channels there are no inner blocks, and the depth is any that makes a ghost stage.
        depths[stage] = (inner + if released { 2 } else { 1 }).max(3);
        let cheap = extent(&format!("{path}.cheap.0.weight"), 0)?;
        ratios[stage] = cheap as f64 / widths[stage] as f64;
        reads_all[stage] = released && extent(&format!("{path}.cheap.0.weight"), 1)? > cheap;
        ghost = Some(Ghost {
            form: if released { Form::Released } else { Form::Paper },
            // A stage without raw channels may have nothing to aggregate, whatever the others do.
            aggregation: ghost.is_some_and(|ghost| ghost.aggregation)
                || checkpoint.shape(&format!("{path}.merge.1.weight")).is_some(),
            cheap_kernel: extent(&format!("{path}.cheap.0.weight"), 2)?,
            cheap_ratio: ratios,
            cheap_reads_all: reads_all,
        });
    }
    let mut regnet = RegNet { depths, widths, group_width, ghost };
    if let Some(ghost) = regnet.ghost.clone() {
        // The usual ratio where it leads to the same widths; else one that rounds to what was found.
        let usual =
            RegNet { ghost: Some(Ghost { cheap_ratio: [0.5; 4], ..ghost.clone() }), ..regnet.clone() };
        let fits = |stage: usize| {
            let cheap = usual.raw(stage).map_or(0, |raw| widths[stage] - raw);
            cheap as f64 / widths[stage] as f64 == ratios[stage]
        };
        let cheap_ratio = std::array::from_fn(|stage| match fits(stage) {
            true => 0.5,
            false => (ratios[stage] - 0.5 / widths[stage] as f64).max(0.0),
        });
        regnet.ghost = Some(Ghost { cheap_ratio, ..ghost });
    }
    Ok(regnet)
}
