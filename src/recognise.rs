//! Which network a checkpoint is of: told from its keys and shapes alone.
//!
//! Key names of other libraries are brought to this library's first, which are those of the released
//! G-Ghost code (for RegNet) and of torchvision and timm (for ResNet and GhostNet).

use crate::arch::Architecture;
use crate::arch::ghostnet::GhostNet;
use crate::arch::regnet::{Form, Ghost, RegNet};
use crate::arch::resnet::ResNet;
use crate::checkpoint::Checkpoint;
use crate::error::{Error, Result};

/// Brings the keys of torchvision's and timm's RegNets to this library's names.
pub fn rename_keys(checkpoint: &mut Checkpoint) {
    if checkpoint.shape("trunk_output.block1.block1-0.f.a.0.weight").is_some() {
        checkpoint.rename(&|key| Some(torchvision_regnet_key(key).unwrap_or_else(|| key.into())));
    } else if checkpoint.shape("s1.b1.conv1.conv.weight").is_some() {
        checkpoint.rename(&|key| Some(timm_regnet_key(key).unwrap_or_else(|| key.into())));
    }
}

/// `trunk_output.block2.block2-0.f.b.1.bias` -> `layer2.0.bn2.bias`
fn torchvision_regnet_key(key: &str) -> Option<String> {
    if let Some(rest) = key.strip_prefix("stem.") {
        let (index, part) = rest.split_once('.')?;
        return Some(format!("{}.{part}", if index == "0" { "conv1" } else { "bn1" }));
    }
    let (stage, rest) = key.strip_prefix("trunk_output.block")?.split_once('.')?;
    let (block, rest) = rest.split_once('-')?.1.split_once('.')?;
    if let Some(rest) = rest.strip_prefix("proj.") {
        return Some(format!("layer{stage}.{block}.downsample.{rest}"));
    }
    let mut parts = rest.strip_prefix("f.")?.splitn(3, '.');
    let number = match parts.next()? {
        "a" => 1,
        "b" => 2,
        "c" => 3,
        _ => return None,
    };
    let kind = if parts.next()? == "0" { "conv" } else { "bn" };
    Some(format!("layer{stage}.{block}.{kind}{number}.{}", parts.next()?))
}

/// `s2.b1.conv2.bn.bias` -> `layer2.0.bn2.bias`
fn timm_regnet_key(key: &str) -> Option<String> {
    if let Some(rest) = key.strip_prefix("stem.") {
        let (kind, part) = rest.split_once('.')?;
        return Some(format!("{kind}1.{part}"));
    }
    if let Some(part) = key.strip_prefix("head.fc.") {
        return Some(format!("fc.{part}"));
    }
    let (stage, rest) = key.strip_prefix('s')?.split_once('.')?;
    let (block, rest) = rest.strip_prefix('b')?.split_once('.')?;
    let block = block.parse::<usize>().ok()?.checked_sub(1)?;
    let mut parts = rest.splitn(3, '.');
    let (module, kind, part) = (parts.next()?, parts.next()?, parts.next()?);
    Some(match module.strip_prefix("conv") {
        Some(number) => format!("layer{stage}.{block}.{kind}{number}.{part}"),
        None => format!("layer{stage}.{block}.{module}.{}.{part}", if kind == "conv" { "0" } else { "1" }),
    })
}

/// The network a checkpoint is of, by shapes.
///
/// # Errors
/// [`Error::BadModel`] where it is of no network this library knows.
pub fn architecture(checkpoint: &Checkpoint) -> Result<Architecture> {
    let stem = checkpoint.shape("conv1.weight");
    if let Some(&[width, _, 7, 7]) = stem
        && checkpoint.shape("layer1.0.conv3.weight").is_none()
    {
        let depths: [usize; 4] =
            std::array::from_fn(|stage| count(checkpoint, &format!("layer{}", stage + 1)));
        if let Some(stage) = depths.iter().position(|&depth| depth == 0) {
            return Err(Error::BadModel(format!(
                "the checkpoint looks like a ResNet but has no `layer{}.0.conv1.weight`: is it complete?",
                stage + 1
            )));
        }
        return Ok(Architecture::ResNet(ResNet { depths, width }));
    }
    if stem.is_some()
        && checkpoint
            .shape("layer2.0.conv1.weight")
            .or(checkpoint.shape("layer2.base.conv1.weight"))
            .is_some()
    {
        return regnet(checkpoint).map(Architecture::RegNet);
    }
    if let (Some(_), Some(&[expanded, ..])) =
        (checkpoint.shape("conv_stem.weight"), checkpoint.shape("blocks.9.0.conv.weight"))
    {
        let width = (expanded as f64 / 960.0 * 20.0).round() / 20.0;
        return Ok(Architecture::GhostNet(GhostNet { width }));
    }
    let some: Vec<_> = checkpoint.tensors().keys().take(4).map(|key| format!("`{key}`")).collect();
    Err(Error::BadModel(format!(
        "the checkpoint is of no network this library knows: expected the keys of G-Ghost-RegNetX, RegNetX, ResNet-18/34 \
         or GhostNet, found {} tensors, among them {}",
        checkpoint.tensors().len(),
        some.join(", ")
    )))
}

/// Blocks `path.0`, `path.1`, ... that the checkpoint has.
fn count(checkpoint: &Checkpoint, path: &str) -> usize {
    (0..).take_while(|i| checkpoint.shape(&format!("{path}.{i}.conv1.weight")).is_some()).count()
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
