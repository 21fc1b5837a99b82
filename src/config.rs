//! The JSON config that makes a model one self-describing file: the safetensors metadata key
//! [`METADATA_KEY`].

use crate::arch::Architecture;
use crate::arch::ghostnet::GhostNet;
use crate::arch::regnet::{Form, Ghost, RegNet, VARIANTS};
use crate::arch::resnet::{Inner, ResNet, SIZES, Stem};
use crate::confidence::Known;
use crate::error::{Error, Result, shortened};
pub use crate::image::{Interpolation, Preprocess, Resize};
use serde::{Deserialize, Serialize};

/// Where the config is kept in a safetensors file's `__metadata__`.
pub const METADATA_KEY: &str = "g-ghostnet";

/// What a model file says of itself; everything it leaves out is recognised from the shapes of its
/// tensors, or is what ImageNet checkpoints use.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// A published network: `g_ghost_regnetx_008`, `regnetx_008`, `resnet50`, `ghostnet_100`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Blocks of each stage, where no variant is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depths: Option<[usize; 4]>,
    /// Channels of each stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub widths: Option<[usize; 4]>,
    /// Channels of a group of the 3 x 3 convolutions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_width: Option<usize>,
    /// Of a ResNet, instead of `widths` and `groupWidth`: channels of the stem, and the inside of bottleneck blocks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<usize>,
    /// As `width`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inner: Option<Inner>,
    /// Ghost ratio before rounding: one for all stages, or one for each; 0 is plain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cheap_ratio: Option<CheapRatio>,
    /// Whether the cheap operation of each stage reads block 1 whole, in the released form too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cheap_reads_all: Option<[bool; 4]>,
    /// Form of the ghost stage: `released` or `paper`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<Form>,
    /// Whether ghost maps get a number a channel aggregated from the blocks' means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aggregation: Option<bool>,
    /// Filter side of the cheap operation: 1, 3 or 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cheap_kernel: Option<usize>,
    /// Labels in class order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<Vec<String>>,
    /// How a picture becomes the input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Preprocess>,
    /// Logits of the self-test's input as the training code computes them from these weights: what an engine is
    /// held against on the device where it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub golden: Option<Vec<f32>>,
    /// What the logits are divided by before they become probabilities, fitted on held-back pictures; 1 where it is
    /// left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// How to tell whether a picture shows one of the classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<Known>,
}

/// One ghost ratio for all stages or one for each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum CheapRatio {
    /// The same everywhere.
    All(f64),
    /// One for each stage.
    Each([f64; 4]),
}

impl Config {
    /// Parses the metadata's JSON.
    ///
    /// # Errors
    /// [`Error::BadModel`] with the parser's words; for a golden logit beyond 32 bits, which as an infinity could
    /// neither be compared with nor be written again; or for a temperature or a rule of `known` that makes no sense.
    pub fn from_json(json: &str) -> Result<Config> {
        let invalid = |words: &str| {
            let words = shortened(words);
            Error::BadModel(format!(
                "the model's config (metadata key `{METADATA_KEY}`) is not valid: {words}"
            ))
        };
        let config: Config = serde_json::from_str(json).map_err(|error| invalid(&error.to_string()))?;
        if config.golden.iter().flatten().any(|logit| !logit.is_finite()) {
            return Err(invalid("a golden logit is beyond the numbers of 32 bits"));
        }
        if config.temperature.is_some_and(|temperature| !(1e-3..=1e3).contains(&temperature)) {
            return Err(invalid("the temperature is no number from 0.001 to 1,000"));
        }
        if config.known.is_some_and(|known| !known.is_valid()) {
            return Err(invalid(
                "`known` needs a finite `location`, a positive `scale` and a `threshold` from 0 to 1",
            ));
        }
        Ok(config)
    }

    /// The config of an architecture: its name where it is published, else its numbers.
    #[must_use]
    pub fn of(architecture: &Architecture) -> Config {
        let regnet = match architecture {
            Architecture::RegNet(regnet) => regnet,
            Architecture::ResNet(resnet) => {
                let config = Config::of_name(resnet.name());
                if ResNet::named(&resnet.name()).is_some() {
                    return config;
                }
                let &ResNet { depths, width, inner, .. } = resnet;
                return Config { depths: Some(depths), width: Some(width), inner, ..config };
            }
            Architecture::GhostNet(ghostnet) => return Config::of_name(ghostnet.name()),
        };
        let config = Config::of_name(regnet.name());
        if config.architecture().is_ok_and(|named| named.as_ref() == Some(architecture)) {
            return config;
        }
        let ghost = regnet.ghost.clone();
        Config {
            depths: Some(regnet.depths),
            widths: Some(regnet.widths),
            group_width: Some(regnet.group_width),
            cheap_ratio: ghost.as_ref().map(|ghost| CheapRatio::Each(ghost.cheap_ratio)),
            cheap_reads_all: ghost.as_ref().map(|ghost| ghost.cheap_reads_all),
            form: ghost.as_ref().map(|ghost| ghost.form),
            aggregation: ghost.as_ref().map(|ghost| ghost.aggregation),
            cheap_kernel: ghost.as_ref().map(|ghost| ghost.cheap_kernel),
            ..config
        }
    }

    fn of_name(name: String) -> Config {
        Config { variant: Some(name), ..Config::default() }
    }

    /// The config as it is written into a file.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a config has only strings, numbers and lists")
    }

    /// The architecture the config describes; `None` where it leaves that to the shapes.
    ///
    /// # Errors
    /// [`Error::BadModel`] for a variant that does not exist or a description with a part missing.
    pub fn architecture(&self) -> Result<Option<Architecture>> {
        let mut architecture = match &self.variant {
            Some(name) => match architecture_of_variant(name) {
                Some(architecture) => architecture,
                // A name that only says "of no published size" leaves the rest to the other fields.
                None if Stem::split(name).0.ends_with("_custom") => match self.explicit()? {
                    Some(architecture) => architecture,
                    None => return Ok(None),
                },
                None => {
                    let numbers = VARIANTS.map(|variant| variant.0).join(", ");
                    let sizes = SIZES.map(|size| size.0).join(", ");
                    return Err(Error::BadModel(format!(
                        "unknown variant `{}`: expected `g_ghost_regnetx_N` or `regnetx_N` with N one of {numbers}; \
                         one of {sizes}, with `_cifar` or `_cifar_pool` behind it for a 3 x 3 stem; \
                         or `ghostnet_100`, `_050` or `_130`",
                        shortened(name)
                    )));
                }
            },
            None => match self.explicit()? {
                Some(architecture) => architecture,
                None => return Ok(None),
            },
        };
        if let Architecture::RegNet(RegNet { ghost: Some(ghost), .. }) = &mut architecture {
            self.apply_to(ghost);
        }
        Ok(Some(architecture))
    }

    /// What a ResNet's stem of 3 x 3 is, where the variant's name says so.
    #[cfg(feature = "read")]
    pub(crate) fn small_stem(&self) -> Option<Stem> {
        let stem = Stem::split(self.variant.as_deref()?).1;
        (stem != Stem::ImageNet).then_some(stem)
    }

    fn explicit(&self) -> Result<Option<Architecture>> {
        let plain = self.variant.as_deref().is_some_and(|name| name.starts_with("regnetx"));
        if let (Some(depths), Some(width), None, None) =
            (self.depths, self.width, self.widths, self.group_width)
        {
            let stem = Stem::split(self.variant.as_deref().unwrap_or_default()).1;
            return Ok(Some(Architecture::ResNet(ResNet { depths, width, inner: self.inner, stem })));
        }
        match (self.depths, self.widths, self.group_width) {
            (Some(depths), Some(widths), Some(group_width)) => {
                let ghost = (!plain).then(Ghost::default);
                Ok(Some(Architecture::RegNet(RegNet { depths, widths, group_width, ghost })))
            }
            (None, None, None) => Ok(None),
            _ => Err(Error::BadModel(
                "the model's config names some of `depths`, `widths` and `groupWidth`, expected all three, `depths` and \
                 `width` of a ResNet, or a `variant`"
                    .into(),
            )),
        }
    }

    fn apply_to(&self, ghost: &mut Ghost) {
        if let Some(form) = self.form {
            ghost.form = form;
        }
        if let Some(aggregation) = self.aggregation {
            ghost.aggregation = aggregation;
        }
        if let Some(kernel) = self.cheap_kernel {
            ghost.cheap_kernel = kernel;
        }
        if let Some(reads_all) = self.cheap_reads_all {
            ghost.cheap_reads_all = reads_all;
        }
        match self.cheap_ratio {
            Some(CheapRatio::All(ratio)) => ghost.cheap_ratio = [ratio; 4],
            Some(CheapRatio::Each(ratios)) => ghost.cheap_ratio = ratios,
            None => {}
        }
    }
}

/// The architecture of a published network by its name, in this library's, torchvision's or timm's
/// spelling.
#[must_use]
pub fn architecture_of_variant(name: &str) -> Option<Architecture> {
    if let Some(number) = name.strip_prefix("g_ghost_regnetx_") {
        return RegNet::variant(number).map(Architecture::RegNet);
    }
    if let Some(number) = name.strip_prefix("regnetx_") {
        return plain_regnet(number).map(Architecture::RegNet);
    }
    if let Some(size) = name.strip_prefix("regnet_x_") {
        let number = match size {
            "400mf" => "004_tv",
            "800mf" => "008",
            "1_6gf" => "016",
            "3_2gf" => "032",
            "8gf" => "080",
            "16gf" => "160",
            "32gf" => "320",
            _ => return None,
        };
        return plain_regnet(number).map(Architecture::RegNet);
    }
    if let Some(percent) = name.strip_prefix("ghostnet_") {
        let percent: u32 = percent.parse().ok()?;
        return Some(Architecture::GhostNet(GhostNet { width: f64::from(percent) / 100.0 }));
    }
    ResNet::named(name).map(Architecture::ResNet)
}

/// `004_tv` is timm's name for torchvision's.
fn plain_regnet(number: &str) -> Option<RegNet> {
    if number == "004_tv" {
        return Some(RegNet::torchvision_400mf());
    }
    RegNet::variant(number).map(|regnet| RegNet { ghost: None, ..regnet })
}

/// How a picture becomes the input where a model does not say it: as for ImageNet, or for CIFAR where the network is
/// made for it.
#[must_use]
pub fn usual_input(architecture: &Architecture) -> Preprocess {
    match architecture {
        Architecture::ResNet(ResNet { stem: Stem::Cifar | Stem::CifarPool, .. }) => Preprocess::cifar(),
        _ => Preprocess::default(),
    }
}
