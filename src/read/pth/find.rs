//! Where in a checkpoint the weights are, and what their classes are called.

use super::damaged;
use super::pickle::{Id, Loaded, Value};
use crate::error::shortened;
use crate::read::beside::{Beside, NAMES, rank};
use crate::read::partial::{Result, Stop};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Most containers between a file's top and its weights.
const MAX_PATH: usize = 4;
/// Of several dicts of tensors, one with less than this part of the largest one's is a stray.
const STRAY: usize = 10;

/// A dict of tensors, by the names that lead to it.
struct Candidate<'l, 'a> {
    path: Vec<Cow<'a, str>>,
    items: &'l [(Id, Id)],
    /// Its tensors.
    tensors: usize,
}

/// A state dict, where it was, and what lay beside it.
pub struct Found<'l> {
    pub items: &'l [(Id, Id)],
    pub path: String,
    pub beside: Beside,
}

/// The state dict: the only dict of tensors, or the one whose name says so, or the one that is
/// asked for (see [`rank`]).
pub fn state_dict<'l>(loaded: &'l Loaded, asked: Option<&str>) -> Result<Found<'l>> {
    let root = loaded.root();
    let mut found = candidates(loaded);
    let rank = |candidate: &Candidate| {
        let path: Vec<&str> = candidate.path.iter().map(AsRef::as_ref).collect();
        let (missed, average, usual) = rank(&path, asked);
        // Something is at the top of every file: it comes after what has a usual name.
        (missed, average, usual, candidate.path.len())
    };
    let most = found.iter().map(|candidate| candidate.tensors).max().unwrap_or(0);
    found.retain(|candidate| candidate.tensors * STRAY >= most);
    found.sort_by_key(|candidate| rank(candidate));
    let chosen = match found.as_slice() {
        [] => return nothing(loaded),
        [only] => only,
        [first, second, ..] => {
            let (a, b) = (rank(first), rank(second));
            if a == b || (a.2 == NAMES.len() && (a.0, a.1, a.2) == (b.0, b.1, b.2)) {
                let names: Vec<_> =
                    found.iter().take(4).map(|one| format!("`{}`", shortened(&one.path.join(".")))).collect();
                return Err(Stop::from(format!(
                    "the checkpoint has several dicts of tensors: {}; name the one to read by the option `weights`",
                    names.join(", ")
                )));
            }
            first
        }
    };
    let mut beside = Beside::default();
    if let (false, Value::Dict(items)) = (chosen.path.is_empty(), root) {
        for &(key, value) in items {
            if let Value::Text(name) = *loaded.value(key)
                && chosen.path.first().is_some_and(|first| first != name)
            {
                beside.lies_beside(name, loaded.value(value).kind());
            }
        }
    }
    if let Some(classes) = classes(loaded) {
        beside.has_classes(classes);
    }
    Ok(Found { items: chosen.items, path: chosen.path.join("."), beside })
}

/// Every dict that has a tensor under a text, and is reached by texts and places in lists.
fn candidates<'l, 'a>(loaded: &'l Loaded<'a>) -> Vec<Candidate<'l, 'a>> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    let mut level: Vec<(Vec<Cow<'a, str>>, Id)> = vec![(Vec::new(), loaded.root_id())];
    while let Some((path, id)) = level.pop() {
        if path.len() > MAX_PATH || !seen.insert(id) {
            continue;
        }
        let below = |name: Cow<'a, str>| [path.as_slice(), &[name]].concat();
        match loaded.value(id) {
            Value::Dict(items) => {
                let mut tensors = 0;
                for &(key, value) in items {
                    let Value::Text(name) = *loaded.value(key) else { continue };
                    match loaded.value(value) {
                        Value::Tensor(_) | Value::OtherTensor(_) => tensors += 1,
                        // An optimizer has tensors of the weights' shapes.
                        Value::Dict(_) | Value::List(_) | Value::Tuple(_) if !name.contains("optim") => {
                            level.push((below(name.into()), value));
                        }
                        _ => {}
                    }
                }
                if tensors > 0 {
                    found.push(Candidate { path, items, tensors });
                }
            }
            Value::List(items) | Value::Tuple(items) => {
                for (index, &item) in items.iter().enumerate().take(16) {
                    level.push((below(format!("[{index}]").into()), item));
                }
            }
            _ => {}
        }
    }
    found
}

/// There is no dict of tensors: why, by what stands in its place.
fn nothing<'l>(loaded: &'l Loaded) -> Result<Found<'l>> {
    let root = loaded.root();
    let Value::Dict(items) = root else {
        return Err(Stop::from(format!(
            "the checkpoint holds {}, expected a state dict: save it with torch.save(model.state_dict(), path)",
            root.kind()
        )));
    };
    let text = |&(key, value): &(Id, Id)| match *loaded.value(key) {
        Value::Text(name) => Some((name, loaded.value(value))),
        _ => None,
    };
    let named: Vec<_> = items.iter().filter_map(text).collect();
    // What has the name of weights is likelier to be in their place than a number of epochs.
    let usual = named.iter().find(|(name, _)| NAMES.contains(name)).or(named.first());
    match usual {
        None if items.is_empty() => Ok(Found { items, path: String::new(), beside: Beside::default() }),
        None => Err(damaged(format_args!("the state dict has a key that is no text"))),
        Some((name, value)) => {
            let known = NAMES[..8].iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
            Err(Stop::from(format!(
                "`{}` in the checkpoint is {}, expected a tensor or a state dict: weights are looked for at the top or \
                 under {known} or any other name; save them with torch.save(model.state_dict(), path)",
                shortened(name),
                value.kind()
            )))
        }
    }
}

/// Names that files keep the names of their classes under, and the dicts that such names may lie in.
const CLASSES: [&str; 11] = [
    "classes",
    "CLASSES",
    "class_names",
    "classnames",
    "labels",
    "label_names",
    "class_to_idx",
    "idx_to_class",
    "id2label",
    "names",
    "categories",
];
const AROUND: [&str; 6] = ["meta", "dataset_meta", "config", "hyper_parameters", "hparams", "args"];

/// Names of the classes in class order, where the file has them.
fn classes(loaded: &Loaded) -> Option<Vec<String>> {
    let mut dicts = vec![loaded.root()];
    for around in AROUND {
        for dict in dicts.clone() {
            dicts.extend(loaded.get(dict, around));
        }
    }
    dicts.into_iter().find_map(|dict| CLASSES.iter().find_map(|name| labels(loaded, loaded.get(dict, name)?)))
}

/// `[name, ...]`, `{ name: index }` or `{ index: name }`.
fn labels(loaded: &Loaded, value: &Value) -> Option<Vec<String>> {
    let text = |id: Id| match *loaded.value(id) {
        Value::Text(text) => Some(text.to_owned()),
        _ => None,
    };
    let number = |id: Id| match *loaded.value(id) {
        Value::Int(index) => usize::try_from(index).ok(),
        Value::Text(index) => index.parse().ok(),
        _ => None,
    };
    match value {
        Value::List(items) | Value::Tuple(items) => items.iter().map(|&item| text(item)).collect(),
        Value::Dict(items) => {
            let by_name = |&(key, value): &(Id, Id)| Some((number(value)?, text(key)?));
            let by_index = |&(key, value): &(Id, Id)| Some((number(key)?, text(value)?));
            let pairs: Option<Vec<_>> = items.iter().map(by_index).collect();
            let mut pairs = pairs.or_else(|| items.iter().map(by_name).collect())?;
            pairs.sort();
            let complete = pairs.iter().enumerate().all(|(place, (index, _))| place == *index);
            complete.then(|| pairs.into_iter().map(|(_, name)| name).collect())
        }
        _ => None,
    }
}
