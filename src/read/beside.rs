//! What lies beside the weights in a checkpoint, and which of several weights are the likelier ones.

use crate::error::shortened;
use std::collections::BTreeMap;

/// Most values that are named beside the weights, and most bytes of labels: a header has a megabyte.
const MAX_BESIDE: usize = 200;
const MAX_LABELS: usize = 400 << 10;

/// What weights are asked for by the word, where a file has those of a moving average too.
const EMA: &str = "ema";
/// Names of moving averages, and parts of their names.
const EMA_WORDS: [&str; 6] = ["ema", "averaged", "average", "swa", "shadow", "momentum"];
/// Names that training scripts keep weights under, the likelier ones first.
pub const NAMES: [&str; 15] = [
    "state_dict",
    "model_state_dict",
    "model",
    "model_state",
    "net",
    "network",
    "weights",
    "params",
    "teacher",
    "student",
    "module",
    "backbone",
    "encoder",
    "encoder_q",
    "classifier",
];

/// What a checkpoint's file says beside the tensors that are read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Beside {
    /// What lies beside the weights, by name, in words.
    pub values: BTreeMap<String, String>,
    /// What stands among the weights and is no tensor of a type that is read, by key, in words.
    pub unread: BTreeMap<String, String>,
    /// Names of the classes, where the file has them.
    pub classes: Option<Vec<String>>,
}

impl Beside {
    pub fn lies_beside(&mut self, name: &str, kind: impl Into<String>) {
        if self.values.len() < MAX_BESIDE {
            self.values.insert(shortened(name).into_owned(), kind.into());
        }
    }

    pub fn is_unread(&mut self, name: &str, kind: impl Into<String>) {
        if self.unread.len() < MAX_BESIDE {
            self.unread.insert(shortened(name).into_owned(), kind.into());
        }
    }

    /// As [`crate::checkpoint::Checkpoint::rename`].
    pub fn rename(&mut self, name_of: &dyn Fn(&str) -> Option<String>) {
        let unread = std::mem::take(&mut self.unread).into_iter();
        self.unread = unread.filter_map(|(key, kind)| Some((name_of(&key)?, kind))).collect();
    }

    pub fn has_classes(&mut self, classes: Vec<String>) {
        if !classes.is_empty() && classes.iter().map(|class| class.len() + 8).sum::<usize>() <= MAX_LABELS {
            self.classes = Some(classes);
        }
    }
}

/// How well a place in a file fits the weights that are asked for, the best first; `asked` is `ema`, or a name.
///
/// Plain weights come before those of a moving average; the usual names before others.
pub fn rank(path: &[&str], asked: Option<&str>) -> (bool, bool, usize) {
    let parts = || path.iter().flat_map(|name| name.split('.'));
    let average =
        parts().any(|name| name.split('_').any(|word| EMA_WORDS.contains(&word)) || name == "encoder_k");
    let missed = match asked {
        None => false,
        Some(EMA) => !average,
        Some(asked) => path.join(".") != asked && !parts().any(|name| name == asked),
    };
    // What is at the top needs no name.
    let usual = match path.concat().is_empty() {
        true => Some(0),
        false => parts().filter_map(|name| NAMES.iter().position(|usual| *usual == name)).next_back(),
    };
    (missed, average && asked != Some(EMA), usual.unwrap_or(NAMES.len()))
}
