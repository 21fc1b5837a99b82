//! Other libraries' names of tensors beside ours, as tables.
//!
//! Ours are those of the released G-Ghost code (for RegNet) and of torchvision and timm (for ResNet and GhostNet).
//! A pattern is text with fields: stage `{s}` from 1, block `{b}` from 0, convolution `{n}` from 1, as our names count;
//! where others count differently, `{b+1}` is a block from 1 and `{s-1}` a stage from 0. What follows is `{*}`.

use crate::arch::resnet::Stem;

/// How one library names the tensors of its networks.
#[derive(Debug)]
pub struct Names {
    /// Whose names they are.
    pub library: &'static str,
    /// Theirs and ours.
    rules: &'static [(&'static str, &'static str)],
    /// What a stem of 3 x 3 is in this library, where that is certain.
    pub small_stem: Option<Stem>,
    /// Whether its networks take blue, green and red in this order.
    pub is_bgr: bool,
}

/// The tables; all libraries' names of [`MARK`] differ.
pub static LIBRARIES: [Names; 5] = [
    Names {
        library: "torchvision",
        rules: &[
            ("stem.0.{*}", "conv1.{*}"),
            ("stem.1.{*}", "bn1.{*}"),
            ("trunk_output.block{s}.block{s}-{b}.proj.{*}", "layer{s}.{b}.downsample.{*}"),
            ("trunk_output.block{s}.block{s}-{b}.f.a.0.{*}", "layer{s}.{b}.conv1.{*}"),
            ("trunk_output.block{s}.block{s}-{b}.f.a.1.{*}", "layer{s}.{b}.bn1.{*}"),
            ("trunk_output.block{s}.block{s}-{b}.f.b.0.{*}", "layer{s}.{b}.conv2.{*}"),
            ("trunk_output.block{s}.block{s}-{b}.f.b.1.{*}", "layer{s}.{b}.bn2.{*}"),
            ("trunk_output.block{s}.block{s}-{b}.f.c.0.{*}", "layer{s}.{b}.conv3.{*}"),
            ("trunk_output.block{s}.block{s}-{b}.f.c.1.{*}", "layer{s}.{b}.bn3.{*}"),
        ],
        small_stem: None,
        is_bgr: false,
    },
    Names {
        library: "timm",
        rules: &[
            ("stem.conv.{*}", "conv1.{*}"),
            ("stem.bn.{*}", "bn1.{*}"),
            ("s{s}.b{b+1}.downsample.conv.{*}", "layer{s}.{b}.downsample.0.{*}"),
            ("s{s}.b{b+1}.downsample.bn.{*}", "layer{s}.{b}.downsample.1.{*}"),
            ("s{s}.b{b+1}.conv{n}.conv.{*}", "layer{s}.{b}.conv{n}.{*}"),
            ("s{s}.b{b+1}.conv{n}.bn.{*}", "layer{s}.{b}.bn{n}.{*}"),
            ("head.fc.{*}", "fc.{*}"),
        ],
        small_stem: None,
        is_bgr: false,
    },
    // ResNet and RegNet, below `resnet.` and `regnet.`.
    Names {
        library: "Hugging Face",
        rules: &[
            ("embedder.embedder.convolution.{*}", "conv1.{*}"),
            ("embedder.embedder.normalization.{*}", "bn1.{*}"),
            ("encoder.stages.{s-1}.layers.{b}.shortcut.convolution.{*}", "layer{s}.{b}.downsample.0.{*}"),
            ("encoder.stages.{s-1}.layers.{b}.shortcut.normalization.{*}", "layer{s}.{b}.downsample.1.{*}"),
            ("encoder.stages.{s-1}.layers.{b}.layer.{n-1}.convolution.{*}", "layer{s}.{b}.conv{n}.{*}"),
            ("encoder.stages.{s-1}.layers.{b}.layer.{n-1}.normalization.{*}", "layer{s}.{b}.bn{n}.{*}"),
            ("classifier.1.{*}", "fc.{*}"),
        ],
        small_stem: None,
        is_bgr: false,
    },
    // Networks are trained on pictures as OpenCV reads them.
    Names {
        library: "pycls",
        rules: &[
            ("stem.conv.{*}", "conv1.{*}"),
            ("stem.bn.{*}", "bn1.{*}"),
            ("s{s}.b{b+1}.proj.{*}", "layer{s}.{b}.downsample.0.{*}"),
            ("s{s}.b{b+1}.bn.{*}", "layer{s}.{b}.downsample.1.{*}"),
            ("s{s}.b{b+1}.f.a.{*}", "layer{s}.{b}.conv1.{*}"),
            ("s{s}.b{b+1}.f.a_bn.{*}", "layer{s}.{b}.bn1.{*}"),
            ("s{s}.b{b+1}.f.b.{*}", "layer{s}.{b}.conv2.{*}"),
            ("s{s}.b{b+1}.f.b_bn.{*}", "layer{s}.{b}.bn2.{*}"),
            ("s{s}.b{b+1}.f.c.{*}", "layer{s}.{b}.conv3.{*}"),
            ("s{s}.b{b+1}.f.c_bn.{*}", "layer{s}.{b}.bn3.{*}"),
            ("head.fc.{*}", "fc.{*}"),
        ],
        small_stem: Some(Stem::Cifar),
        is_bgr: true,
    },
    Names {
        library: "kuangliu/pytorch-cifar",
        rules: &[("layer{s}.{b}.shortcut.{*}", "layer{s}.{b}.downsample.{*}"), ("linear.{*}", "fc.{*}")],
        small_stem: Some(Stem::Cifar),
        is_bgr: false,
    },
];

/// A tensor that every ResNet and RegNetX has: its name tells the library.
pub const MARK: &str = "layer2.0.downsample.0.weight";

impl Names {
    /// The table that fits the names of a checkpoint, if there is one.
    pub fn of(has: impl Fn(&str) -> bool) -> Option<&'static Names> {
        LIBRARIES.iter().find(|names| has(&names.theirs(MARK)))
    }

    /// Our name for theirs; theirs where no rule is for it.
    #[must_use]
    pub fn ours(&self, key: &str) -> String {
        self.rules.iter().find_map(|(theirs, ours)| renamed(key, theirs, ours)).unwrap_or_else(|| key.into())
    }

    /// Their name for ours; ours where no rule is for it.
    #[must_use]
    pub fn theirs(&self, key: &str) -> String {
        self.rules.iter().find_map(|(theirs, ours)| renamed(key, ours, theirs)).unwrap_or_else(|| key.into())
    }
}

/// The key in the form of `to`, if it has that of `from`.
fn renamed(key: &str, from: &str, to: &str) -> Option<String> {
    let (mut rest, mut part) = (key, "");
    let mut numbers: Vec<(&str, usize)> = Vec::new();
    for piece in pieces(from) {
        match piece {
            Piece::Text(text) => rest = rest.strip_prefix(text)?,
            Piece::Part => part = std::mem::take(&mut rest),
            Piece::Number { field, more, less } => {
                let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
                let (digits, after) = rest.split_at(end);
                // One spelling each, so that no two keys get one name.
                if digits.len() > 1 && digits.starts_with('0') {
                    return None;
                }
                let number = digits.parse::<usize>().ok()?.checked_add(less)?.checked_sub(more)?;
                rest = after;
                if numbers.iter().any(|&(known, value)| known == field && value != number) {
                    return None;
                }
                numbers.push((field, number));
            }
        }
    }
    if !rest.is_empty() {
        return None;
    }
    let mut name = String::new();
    for piece in pieces(to) {
        match piece {
            Piece::Text(text) => name += text,
            Piece::Part => name += part,
            Piece::Number { field, more, less } => {
                let (_, number) = numbers.iter().find(|(known, _)| *known == field)?;
                name += &number.checked_add(more)?.checked_sub(less)?.to_string();
            }
        }
    }
    Some(name)
}

/// A part of a pattern.
enum Piece<'a> {
    Text(&'a str),
    Part,
    /// The written number is that of the field, `more` or `less`.
    Number {
        field: &'a str,
        more: usize,
        less: usize,
    },
}

fn pieces(pattern: &str) -> impl Iterator<Item = Piece<'_>> {
    pattern.split(['{', '}']).enumerate().map(|(index, piece)| match piece {
        text if index % 2 == 0 => Piece::Text(text),
        "*" => Piece::Part,
        field => match (field.strip_suffix("+1"), field.strip_suffix("-1")) {
            (Some(field), _) => Piece::Number { field, more: 1, less: 0 },
            (_, Some(field)) => Piece::Number { field, more: 0, less: 1 },
            _ => Piece::Number { field, more: 0, less: 0 },
        },
    })
}
