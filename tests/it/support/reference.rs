//! Reference files: what PyTorch returns for weights and inputs that follow from names alone, as
//! described in `tests/reference/README.md`.

use g_ghostnet::arch::{Architecture, Network, StageKind};
use g_ghostnet::checkpoint::{Checkpoint, Dtype, Tensor, contiguous_strides};
use g_ghostnet::config::{Config, architecture_of_variant};
use g_ghostnet::fold::expected_tensors;
use g_ghostnet::model::{Model, Options};
use g_ghostnet::read::names::{LIBRARIES, Names};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Limit of an error relative to the tap's largest value.
pub const LIMIT: f64 = 1e-4;

#[derive(Default, Deserialize)]
pub struct Reference {
    pub variant: String,
    /// Batch, channels, height, width.
    pub input: [usize; 4],
    pub num_classes: usize,
    #[serde(default)]
    pub salt: String,
    pub params: Option<u64>,
    /// A network of no published size.
    pub config: Option<serde_json::Value>,
    #[serde(default)]
    pub taps: BTreeMap<String, TapReference>,
    pub logits: Vec<f32>,
    /// Whose names the weights have, where the variant's name does not say it.
    pub library: Option<String>,
    /// What stands before the names of all tensors but the classifier's, and before those.
    #[serde(default)]
    pub body: String,
    #[serde(default)]
    pub head: String,
}

#[derive(Deserialize)]
pub struct TapReference {
    pub shape: Vec<usize>,
    pub mean: f64,
    pub l2: f64,
    pub absmax: f64,
    pub index: Vec<usize>,
    pub value: Vec<f32>,
}

/// What an engine returned.
pub struct Outputs {
    /// `[batch, classes]`
    pub logits: Vec<f32>,
    /// `[batch, channels, height, width]` each.
    pub taps: Vec<Vec<f32>>,
}

/// The worst disagreement.
#[derive(Debug)]
pub struct Worst {
    pub tap: String,
    /// Relative to the tap's largest value.
    pub error: f64,
}

impl Reference {
    pub fn from_file(path: impl AsRef<std::path::Path>) -> Result<Reference, String> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        serde_json::from_str(&text)
            .map_err(|error| format!("{} is no reference file: {error}", path.display()))
    }

    fn config(&self) -> g_ghostnet::Result<Config> {
        self.config.as_ref().map_or(Ok(Config::default()), |config| Config::from_json(&config.to_string()))
    }

    fn network(&self) -> g_ghostnet::Result<Network> {
        let architecture = match self.config()?.architecture()? {
            Some(architecture) => architecture,
            None => architecture_of_variant(&self.variant).ok_or_else(|| {
                g_ghostnet::Error::BadModel(format!("unknown variant `{}` in a reference file", self.variant))
            })?,
        };
        Network::new(&architecture, self.num_classes, 224, 224)
    }

    /// The model with the recipe's weights, read through the loader under the library's own keys.
    pub fn model(&self) -> g_ghostnet::Result<Model> {
        let key_of = |key: &str| self.key(key);
        let checkpoint = recipe_checkpoint(&self.network()?, &self.salt, key_of, self.config()?)?;
        // Published names are told to the loader no other way than by shapes, so that this is tested too.
        let model = Model::from_checkpoint(checkpoint, &Options::default())?;
        Ok(model)
    }

    /// The name in the file's library of a tensor of ours.
    fn key(&self, ours: &str) -> String {
        let names = match &self.library {
            Some(library) => Some(named(library)),
            None if self.body.is_empty() => library_of(&self.variant),
            None => None,
        };
        let prefix = if ours.starts_with("fc.") { &self.head } else { &self.body };
        format!("{prefix}{}", names.map_or(ours.to_owned(), |names| names.theirs(ours)))
    }

    /// Normalised input, `[batch, 3, height, width]`.
    pub fn image(&self) -> Vec<f32> {
        let [batch, channels, height, width] = self.input;
        let (coarse_height, coarse_width) = (height.div_ceil(16), width.div_ceil(16));
        let fine = unit(&format!("{}input.fine", self.salt), batch * channels * height * width);
        let coarse =
            unit(&format!("{}input.coarse", self.salt), batch * channels * coarse_height * coarse_width);
        (0..fine.len())
            .map(|i| {
                let (plane, row, column) = (i / (height * width), i / width % height, i % width);
                1.5 * coarse[(plane * coarse_height + row / 16) * coarse_width + column / 16] + 0.5 * fine[i]
            })
            .collect()
    }

    /// Taps of the file under this library's names, without the logits.
    pub fn tap_names(&self) -> g_ghostnet::Result<Vec<String>> {
        let network = self.network()?;
        Ok(self.taps.keys().filter(|name| *name != "logits").map(|name| tap_name(&network, name)).collect())
    }

    /// Holds outputs against the file: logits, shapes, sampled values, and each tap's mean and norm.
    pub fn compare(&self, outputs: &Outputs) -> Result<Worst, String> {
        let mut worst = Worst { tap: "none".into(), error: 0.0 };
        let mut check = |tap: &str, error: f64| {
            // A NaN must count as the worst of errors.
            if error.is_nan() || error > worst.error {
                worst = Worst { tap: tap.into(), error: if error.is_nan() { f64::INFINITY } else { error } };
            }
        };
        let absmax = self.logits.iter().fold(0f64, |max, &logit| max.max(f64::from(logit).abs()));
        if outputs.logits.len() != self.input[0] * self.num_classes {
            return Err(format!(
                "{} logits, expected {}",
                outputs.logits.len(),
                self.input[0] * self.num_classes
            ));
        }
        // A file has the first 200 logits.
        if self.logits.len() != outputs.logits.len().min(200) {
            return Err(format!("the file has {} logits", self.logits.len()));
        }
        for (got, want) in outputs.logits.iter().zip(&self.logits) {
            check("logits", f64::from((got - want).abs()) / absmax.max(f64::MIN_POSITIVE));
        }
        let names: Vec<_> = self.taps.keys().filter(|name| *name != "logits").collect();
        if outputs.taps.len() != names.len() {
            return Err(format!("{} taps, expected {}", outputs.taps.len(), names.len()));
        }
        for (name, got) in names.into_iter().zip(&outputs.taps) {
            let want = &self.taps[name];
            if got.len() != want.shape.iter().product::<usize>() {
                return Err(format!(
                    "tap {name} has {} elements, expected shape {:?}",
                    got.len(),
                    want.shape
                ));
            }
            // A tap may be 0 everywhere: then any other number is too much.
            let absmax = want.absmax.max(f64::MIN_POSITIVE);
            if want.index.is_empty() || want.index.len() != want.value.len() {
                return Err(format!("tap {name} of the file has {} values", want.value.len()));
            }
            for (&index, &value) in want.index.iter().zip(&want.value) {
                check(name, f64::from((got[index] - value).abs()) / absmax);
            }
            let mean = got.iter().map(|&v| f64::from(v)).sum::<f64>() / got.len() as f64;
            let l2 = got.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt();
            check(name, (mean - want.mean).abs() / absmax);
            check(name, (l2 - want.l2).abs() / want.l2.max(f64::MIN_POSITIVE));
        }
        Ok(worst)
    }
}

/// A file's tap under this library's name. A block of a RegNet may have the name of its module in
/// torchvision or timm, block 1 of a ghost stage is `block1`, and a stage's name is that of its output.
fn tap_name(network: &Network, name: &str) -> String {
    let numbers = |text: &str, separator: &str| {
        let (stage, block) = text.split_once(separator)?;
        Some((stage.parse::<usize>().ok()?, block.parse::<usize>().ok()?))
    };
    // `trunk_output.block2.block2-0`, `s2.b1`
    let torchvision = || numbers(name.strip_prefix("trunk_output.")?.split_once(".block")?.1, "-");
    let timm = || numbers(name.strip_prefix('s')?, ".b").and_then(|(s, b)| Some((s, b.checked_sub(1)?)));
    if let Some((stage, block)) = torchvision().or_else(timm) {
        return format!("layer{stage}.{block}");
    }
    let stage = name.strip_prefix("trunk_output.block").or_else(|| name.strip_prefix('s'));
    let stage = stage.filter(|number| number.parse::<usize>().is_ok()).map(|number| format!("layer{number}"));
    let name = stage.unwrap_or_else(|| name.replace(".block1", ".base"));
    match network.stages.iter().find(|stage| stage.name == name) {
        None => name,
        // The paper's form ends with the concatenation.
        Some(stage) if stage.kind == StageKind::Ghost && !stage.blocks.contains(&format!("{name}.end")) => {
            format!("{name}.cat")
        }
        Some(stage) => stage.blocks.last().cloned().unwrap_or(name),
    }
}

/// The library a variant's name belongs to, where it is not ours; `None` has our names.
pub fn library_of(variant: &str) -> Option<&'static Names> {
    let library = match variant {
        name if name.starts_with("regnet_x_") => "torchvision",
        name if name.starts_with("regnetx_") => "timm",
        _ => return None,
    };
    Some(named(library))
}

fn named(library: &str) -> &'static Names {
    LIBRARIES.iter().find(|names| names.library == library).expect("tests name libraries that are known")
}

/// A checkpoint of f32 tensors from names.
pub fn recipe_checkpoint(
    network: &Network,
    salt: &str,
    key_of: impl Fn(&str) -> String,
    config: Config,
) -> g_ghostnet::Result<Checkpoint> {
    let expected = expected_tensors(network);
    let size = |(_, shape): &(String, Vec<usize>)| 4 * shape.iter().product::<usize>();
    let (mut bytes, mut tensors) = (Vec::with_capacity(expected.iter().map(size).sum()), BTreeMap::new());
    for (name, shape) in expected {
        let key = key_of(&name);
        let u = unit(&format!("{salt}{key}"), shape.iter().product());
        let offset = bytes.len();
        let scaled = |f: &dyn Fn(f32) -> f32| u.iter().flat_map(|&u| f(u).to_le_bytes()).collect::<Vec<u8>>();
        let fan = |from: usize| (3.0 / shape[from..].iter().product::<usize>() as f64).sqrt() as f32;
        bytes.extend(match (key.rsplit('.').next().unwrap_or(""), shape.len()) {
            ("running_mean", _) => scaled(&|u| 0.1 * u),
            ("running_var", _) => scaled(&|u| 1.0 + 0.5 * u),
            ("weight", 4) => scaled(&|u| (f64::from(u) * f64::from(fan(1)) * 1.2) as f32),
            ("weight", 2) => scaled(&|u| u * fan(1)),
            ("weight", _) => scaled(&|u| 0.75 + 0.25 * u),
            _ => scaled(&|u| 0.1 * u),
        });
        let strides = contiguous_strides(&shape);
        tensors.insert(key, Tensor { dtype: Dtype::F32, shape, strides, offset });
    }
    Checkpoint::new(bytes, tensors, config)
}

/// `n` numbers in [-1, 1) from a name: splitmix64 seeded by FNV-1a.
pub fn unit(name: &str, n: usize) -> Vec<f32> {
    let seed = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    (1..=n as u64)
        .map(|i| {
            let mut z = seed.wrapping_add(i.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            z ^= z >> 31;
            ((z >> 40) as f64 / f64::from(1 << 23) - 1.0) as f32
        })
        .collect()
}

#[allow(dead_code, reason = "used by the tests, not by the example that shares this file")]
pub fn architecture(variant: &str) -> Architecture {
    architecture_of_variant(variant).expect("tests name networks that exist")
}
