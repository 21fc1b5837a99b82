//! A pickle interpreter for data: the opcodes of PyTorch's weights-only unpickler, and of the globals
//! only those that state dicts need have a meaning, each of them an enum variant of its own here. Every other
//! class or function is [`Value::Opaque`], as is whatever it is asked to make or is given: nothing is ever
//! imported or called, and what a training script keeps beside the weights is in nobody's way.
//!
//! Values live in one list and refer to each other by index, so that a value that holds itself costs
//! nothing and no depth of nesting can exhaust the stack. Text is borrowed from the pickle. What one
//! pickle can make is bounded by [`MAX_PUSHES`].

use super::MAX_PICKLE;
use crate::checkpoint::Dtype;
use crate::read::partial::{PartialFile, Result, Stop};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Arguments;
use std::ops::Range;

/// Most values that are pushed: a tensor takes about 30, the largest networks here have a few thousand.
const MAX_PUSHES: usize = 1 << 18;
/// Most containers that are open at once.
const MAX_DEPTH: usize = 64;
/// Most dimensions of a tensor.
const MAX_DIMENSIONS: usize = 8;
/// Bytes of a pickle that are read before its length is known.
const FIRST_READ: usize = 64 << 10;
/// Longest line of a `module.name`, and longest key of a storage.
const MAX_NAME: usize = 256;

/// Index of a value.
pub type Id = u32;

/// What a pickle is made of.
#[derive(Debug)]
pub enum Value<'a> {
    /// `None`
    None,
    /// `True` or `False`
    Bool(bool),
    /// An integer of at most 64 bits.
    Int(i64),
    /// An integer of more bytes.
    Long(u32),
    /// A float; state dicts have none, the optimizers beside them do.
    Float,
    /// Text.
    Text(&'a str),
    /// A tuple or `torch.Size`.
    Tuple(Vec<Id>),
    /// A list.
    List(Vec<Id>),
    /// A set, which nothing here fills.
    Set,
    /// A dict, an ordered dict or a counter, in the order of insertion.
    Dict(Vec<(Id, Id)>),
    /// A class or function that has a meaning here.
    Global(Global),
    /// Any other class or function by its `module\nname`, or what came of one; of bytes that are no text, what
    /// they are.
    Opaque(&'a str),
    /// A storage or a window on one.
    Storage(StorageView<'a>),
    /// A tensor or parameter.
    Tensor(Box<TensorView<'a>>),
    /// A tensor of a type that no weight has, by the type's `module\nname`.
    OtherTensor(&'a str),
}

impl Value<'_> {
    /// The kind of value in words.
    pub fn kind(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Value::None => "None",
            Value::Bool(_) => "a boolean",
            Value::Int(_) => "an integer",
            Value::Long(bytes) => return Cow::Owned(format!("an integer of {bytes} bytes")),
            Value::Float => "a float",
            Value::Text(_) => "text",
            Value::Tuple(_) => "a tuple",
            Value::List(_) => "a list",
            Value::Set => "a set",
            Value::Dict(_) => "a dict",
            Value::Global(_) => "a class or function",
            Value::Opaque(name) => return Cow::Owned(quoted(name)),
            Value::Storage(_) => "a storage",
            Value::Tensor(_) => "a tensor",
            Value::OtherTensor(dtype) => return Cow::Owned(format!("a tensor of type {}", quoted(dtype))),
        })
    }
}

/// A `module\nname` as Python writes it; a description as it is.
fn quoted(name: &str) -> String {
    match name.split_once('\n') {
        Some((module, name)) => format!("`{module}.{name}`"),
        None => name.to_owned(),
    }
}

/// The classes and functions that are known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Global {
    /// `collections.OrderedDict`, `collections.Counter`
    Dict,
    /// `collections.defaultdict`, whose argument makes values that are missing.
    DefaultDict,
    /// `torch.Size`
    Size,
    /// `torch._utils._rebuild_tensor_v2`, and `_rebuild_tensor` of PyTorch before 0.4
    RebuildTensor,
    /// `torch._utils._rebuild_tensor_v3`, of the types that have no storage of their own.
    RebuildTyped,
    /// `torch._tensor._rebuild_from_type_v2`: a tensor with attributes, or of a class of its own.
    RebuildFromType,
    /// `torch._utils._rebuild_parameter`, `_rebuild_parameter_with_state`, and `torch.nn.parameter.Parameter` of PyTorch before 0.4
    Parameter,
    /// `torch.FloatStorage` and its like.
    Storage(StorageType),
}

/// Element type of a storage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum StorageType {
    /// One that tensors of a network may have.
    Read(Dtype),
    /// Another one, such as the bytes of a random generator's state, with the bytes of an element.
    Other(&'static str, usize),
}

impl StorageType {
    fn size(self) -> usize {
        match self {
            StorageType::Read(dtype) => dtype.size(),
            StorageType::Other(_, size) => size,
        }
    }

    /// The name of the type, for errors.
    pub fn name(self) -> &'static str {
        match self {
            StorageType::Read(_) => "float or long",
            StorageType::Other(name, _) => name,
        }
    }
}

/// A storage that a pickle names.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Storage {
    /// Element type.
    pub kind: StorageType,
    /// Number of elements.
    pub elements: usize,
}

impl Storage {
    /// Bytes of the storage; the number of elements was checked to allow it.
    pub fn bytes(&self) -> usize {
        self.elements.saturating_mul(self.kind.size())
    }
}

/// A range of a storage's elements.
#[derive(Clone, Copy, Debug)]
pub struct StorageView<'a> {
    key: &'a str,
    first: usize,
    elements: usize,
}

/// A strided window on a storage, which was checked to lie within it.
#[derive(Clone, Debug)]
pub struct TensorView<'a> {
    /// Key of the storage.
    pub storage: &'a str,
    /// First element in the storage.
    pub first: usize,
    /// Extents.
    pub shape: Vec<usize>,
    /// Elements between neighbours of each dimension.
    pub strides: Vec<usize>,
}

/// A pickle that was read.
pub struct Loaded<'a> {
    values: Vec<Value<'a>>,
    root: Id,
    /// Storages by key.
    pub storages: BTreeMap<&'a str, Storage>,
    /// Bytes of the pickle.
    pub length: usize,
}

impl<'a> Loaded<'a> {
    /// What the pickle holds.
    pub fn root(&self) -> &Value<'a> {
        self.value(self.root)
    }

    /// The index of what the pickle holds.
    pub fn root_id(&self) -> Id {
        self.root
    }

    /// The value of an index.
    pub fn value(&self, id: Id) -> &Value<'a> {
        &self.values[id as usize]
    }

    /// The value under a text key of a dict.
    pub fn get(&self, dict: &Value<'a>, key: &str) -> Option<&Value<'a>> {
        let Value::Dict(items) = dict else { return None };
        let of_key = |item: &&(Id, Id)| matches!(self.value(item.0), Value::Text(text) if *text == key);
        items.iter().rev().find(of_key).map(|&(_, value)| self.value(value))
    }

    /// The values of a list; none for anything else.
    pub fn list(&self, list: &Value<'a>) -> impl Iterator<Item = &Value<'a>> {
        let ids: &[Id] = if let Value::List(ids) = list { ids } else { &[] };
        ids.iter().map(|&id| self.value(id))
    }
}

/// A pickle being read.
pub struct Pickle<'a> {
    file: &'a PartialFile<'a>,
    /// Where in the file it lies; it may end before.
    range: Range<usize>,
    /// What is there of the range.
    bytes: &'a [u8],
    at: usize,
    values: Vec<Value<'a>>,
    stack: Vec<Id>,
    /// Heights of the stack where containers begin.
    marks: Vec<usize>,
    /// Values by number; pickles count them from 0.
    memo: Vec<Option<Id>>,
    pushes: usize,
    storages: BTreeMap<&'a str, Storage>,
}

impl<'a> Pickle<'a> {
    /// A pickle that begins with a range of a file; the range may go on after its end.
    pub fn new(file: &'a PartialFile, range: Range<usize>) -> Pickle<'a> {
        let there = file.from(range.start);
        Pickle {
            file,
            bytes: &there[..there.len().min(range.len()).min(MAX_PICKLE)],
            range,
            at: 0,
            values: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: Vec::new(),
            pushes: 0,
            storages: BTreeMap::new(),
        }
    }

    /// Reads to the pickle's end.
    ///
    /// # Errors
    /// A sentence with the name of what was refused.
    pub fn load(mut self) -> Result<Loaded<'a>> {
        loop {
            let opcode = self.byte()?;
            if opcode == b'.' {
                let root = self.pop()?;
                return Ok(Loaded { values: self.values, root, storages: self.storages, length: self.at });
            }
            self.run(opcode)?;
        }
    }

    /// The opcodes of PyTorch's weights-only unpickler, by the names of Python's `pickletools`.
    fn run(&mut self, opcode: u8) -> Result<()> {
        match opcode {
            // PROTO
            0x80 => match self.byte()? {
                2 => Ok(()),
                other => {
                    Err(refused(format_args!("pickle protocol {other}, expected 2 as torch.save writes it")))
                }
            },
            // GLOBAL
            b'c' => {
                let global = self.global()?;
                self.push(global)
            }
            // OBJ, as Python 2 makes classes of the old kind
            b'o' => {
                let parts = self.pop_mark()?;
                let Some(&class) = parts.first() else {
                    return Err(damaged(format_args!("an object has no class")));
                };
                let object = match *self.value(class) {
                    Value::Opaque(name) => Value::Opaque(name),
                    ref other => return Err(refused(format_args!("an object of {}", other.kind()))),
                };
                self.push(object)
            }
            // NEWOBJ, REDUCE
            0x81 | b'R' => {
                let (arguments, callee) = (self.pop()?, self.pop()?);
                let value = self.call(callee, arguments)?;
                self.push(value)
            }
            b'b' => self.build(),
            // APPEND, APPENDS
            b'a' => {
                let item = self.pop()?;
                self.extend_list(vec![item])
            }
            b'e' => {
                let items = self.pop_mark()?;
                self.extend_list(items)
            }
            // SETITEM, SETITEMS
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.extend_dict(&[key, value])
            }
            b'u' => {
                let items = self.pop_mark()?;
                self.extend_dict(&items)
            }
            // MARK
            b'(' => {
                if self.marks.len() == MAX_DEPTH {
                    return Err(refused(format_args!("containers nested deeper than {MAX_DEPTH}")));
                }
                self.marks.push(self.stack.len());
                Ok(())
            }
            // TUPLE, EMPTY_TUPLE, TUPLE1, TUPLE2, TUPLE3
            b't' => {
                let items = self.pop_mark()?;
                self.push(Value::Tuple(items))
            }
            b')' => self.push(Value::Tuple(vec![])),
            0x85..=0x87 => {
                let mut items = (0x85..=opcode).map(|_| self.pop()).collect::<Result<Vec<_>>>()?;
                items.reverse();
                self.push(Value::Tuple(items))
            }
            // EMPTY_LIST, EMPTY_DICT, EMPTY_SET
            b']' => self.push(Value::List(vec![])),
            b'}' => self.push(Value::Dict(vec![])),
            0x8f => self.push(Value::Set),
            // POP, POP_MARK, with which tuples end that hold themselves
            b'0' => self.pop().map(|_| ()),
            b'1' => self.pop_mark().map(|_| ()),
            // NONE, NEWTRUE, NEWFALSE
            b'N' => self.push(Value::None),
            0x88 => self.push(Value::Bool(true)),
            0x89 => self.push(Value::Bool(false)),
            // BININT, BININT1, BININT2, LONG1, LONG4, BINFLOAT
            b'J' => {
                let value = i32::from_le_bytes(self.array()?);
                self.push(Value::Int(value.into()))
            }
            b'K' => {
                let value = self.byte()?;
                self.push(Value::Int(value.into()))
            }
            b'M' => {
                let value = u16::from_le_bytes(self.array()?);
                self.push(Value::Int(value.into()))
            }
            0x8a => {
                let length = self.byte()?;
                self.long(length.into())
            }
            0x8b => {
                let length = self.u32()?;
                self.long(length)
            }
            b'G' => {
                self.take(8)?;
                self.push(Value::Float)
            }
            // BINUNICODE, SHORT_BINSTRING, BINSTRING
            b'X' | b'T' => {
                let length = self.u32()?;
                self.text(length as usize)
            }
            b'U' => {
                let length = self.byte()?;
                self.text(length.into())
            }
            // BINGET, LONG_BINGET, BINPUT, LONG_BINPUT
            b'h' => {
                let index = self.byte()?;
                self.recall(index.into())
            }
            b'j' => {
                let index = self.u32()?;
                self.recall(index)
            }
            b'q' => {
                let index = self.byte()?;
                self.remember(index.into())
            }
            b'r' => {
                let index = self.u32()?;
                self.remember(index)
            }
            // BINPERSID
            b'Q' => {
                let id = self.pop()?;
                let storage = self.storage(id)?;
                self.push(storage)
            }
            other => Err(refused(format_args!("opcode {}", opcode_name(other)))),
        }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let bytes = self.at.checked_add(length).and_then(|end| self.bytes.get(self.at..end));
        let Some(bytes) = bytes else {
            return Err(self.end(length));
        };
        self.at += length;
        Ok(bytes)
    }

    /// What a value of some bytes means that goes on after what is there: more of the file is wanted, or
    /// there is no more.
    #[cold]
    fn end(&self, length: usize) -> Stop {
        let Some(end) = self.at.checked_add(length).filter(|&end| end <= self.range.len()) else {
            return damaged(format_args!("it ends in the middle of a value: was it downloaded whole?"));
        };
        if end > MAX_PICKLE {
            return refused(format_args!("more than {MAX_PICKLE} bytes"));
        }
        // Its length is not known before its end: twice as much as is there, and it is read in few goes.
        let enough = (2 * self.bytes.len()).max(FIRST_READ).max(end).min(self.range.len()).min(MAX_PICKLE);
        match self.file.get(self.range.start..self.range.start + enough) {
            Err(stop) => stop,
            Ok(_) => unreachable!("what is there of a range was taken whole"),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        Ok(self.take(N)?.try_into().expect("as many bytes were taken"))
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// Two's complement, little-endian.
    fn long(&mut self, length: u32) -> Result<()> {
        let bytes = self.take(length as usize)?;
        if length > 8 {
            return self.push(Value::Long(length));
        }
        let sign = if bytes.last().is_some_and(|last| last & 0x80 != 0) { 0xff } else { 0 };
        let mut value = [sign; 8];
        value[..bytes.len()].copy_from_slice(bytes);
        self.push(Value::Int(i64::from_le_bytes(value)))
    }

    /// Text; the bytes of Python 2 and halves of characters are none.
    fn text(&mut self, length: usize) -> Result<()> {
        let text = std::str::from_utf8(self.take(length)?);
        self.push(text.map_or(Value::Opaque("text that is not UTF-8"), Value::Text))
    }

    /// A line of a global's two.
    fn line(&mut self) -> Result<&'a str> {
        let rest = &self.bytes[self.at..];
        let Some(length) = rest.iter().take(MAX_NAME).position(|&byte| byte == b'\n') else {
            if rest.len() < MAX_NAME && self.bytes.len() < self.range.len() {
                return Err(self.end(rest.len() + 1));
            }
            return Err(damaged(format_args!("the name of a class or function has no end")));
        };
        let line = self.take(length)?;
        let line = (std::str::from_utf8(line).ok().filter(|_| line.iter().all(u8::is_ascii_graphic)))
            .ok_or_else(|| refused(format_args!("a class or function whose name is not ASCII")))?;
        self.at += 1;
        Ok(line)
    }

    fn push(&mut self, value: Value<'a>) -> Result<()> {
        self.count_pushes(1)?;
        self.values.push(value);
        self.stack.push((self.values.len() - 1) as Id);
        Ok(())
    }

    fn count_pushes(&mut self, count: usize) -> Result<()> {
        self.pushes += count;
        if self.pushes > MAX_PUSHES {
            return Err(refused(format_args!("more than {MAX_PUSHES} values")));
        }
        Ok(())
    }

    /// The top of the stack, above the last mark.
    fn pop(&mut self) -> Result<Id> {
        if self.stack.len() <= self.marks.last().copied().unwrap_or(0) {
            return Err(damaged(format_args!("it takes a value where there is none")));
        }
        Ok(self.stack.pop().expect("the stack is not empty"))
    }

    fn top(&self) -> Result<Id> {
        match self.stack.last() {
            Some(&id) if self.stack.len() > self.marks.last().copied().unwrap_or(0) => Ok(id),
            _ => Err(damaged(format_args!("it takes a value where there is none"))),
        }
    }

    fn pop_mark(&mut self) -> Result<Vec<Id>> {
        let mark = self
            .marks
            .pop()
            .ok_or_else(|| damaged(format_args!("it ends a container that has no beginning")))?;
        Ok(self.stack.split_off(mark))
    }

    fn remember(&mut self, index: u32) -> Result<()> {
        let (id, index) = (self.top()?, index as usize);
        if index >= MAX_PUSHES {
            return Err(refused(format_args!("memo {index}, expected less than {MAX_PUSHES}")));
        }
        if index >= self.memo.len() {
            self.memo.resize(index + 1, None);
        }
        self.memo[index] = Some(id);
        Ok(())
    }

    fn recall(&mut self, index: u32) -> Result<()> {
        let id = (self.memo.get(index as usize).copied().flatten())
            .ok_or_else(|| damaged(format_args!("it refers to memo {index}, which was never set")))?;
        self.count_pushes(1)?;
        self.stack.push(id);
        Ok(())
    }

    fn value(&self, id: Id) -> &Value<'a> {
        &self.values[id as usize]
    }

    fn extend_list(&mut self, items: Vec<Id>) -> Result<()> {
        let id = self.top()? as usize;
        match &mut self.values[id] {
            Value::List(list) => list.extend(items),
            Value::Opaque(_) => {}
            other => return Err(refused(format_args!("appending to {}", other.kind()))),
        }
        Ok(())
    }

    fn extend_dict(&mut self, items: &[Id]) -> Result<()> {
        let id = self.top()? as usize;
        match &mut self.values[id] {
            Value::Dict(dict) if items.len().is_multiple_of(2) => {
                dict.extend(items.chunks_exact(2).map(|pair| (pair[0], pair[1])));
            }
            Value::Dict(_) => return Err(damaged(format_args!("a dict has a key without a value"))),
            Value::Opaque(_) => {}
            other => return Err(refused(format_args!("setting items of {}", other.kind()))),
        }
        Ok(())
    }

    fn global(&mut self) -> Result<Value<'a>> {
        let (bytes, start) = (self.bytes, self.at);
        let (module, name) = (self.line()?, self.line()?);
        let global = match (module, name) {
            ("collections", "OrderedDict" | "Counter") => Some(Global::Dict),
            ("collections", "defaultdict") => Some(Global::DefaultDict),
            ("torch", "Size") => Some(Global::Size),
            ("torch._utils", "_rebuild_tensor_v2" | "_rebuild_tensor") => Some(Global::RebuildTensor),
            ("torch._utils", "_rebuild_tensor_v3") => Some(Global::RebuildTyped),
            ("torch._tensor", "_rebuild_from_type_v2") => Some(Global::RebuildFromType),
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state")
            | ("torch.nn.parameter", "Parameter") => Some(Global::Parameter),
            ("torch" | "torch.cuda" | "torch.storage", _) => storage_type(name).map(Global::Storage),
            _ => None,
        };
        // Both lines are ASCII and follow each other.
        let both = std::str::from_utf8(&bytes[start..self.at - 1]).unwrap_or(module);
        Ok(global.map_or(Value::Opaque(both), Value::Global))
    }

    fn tuple(&self, id: Id, what: &str) -> Result<&[Id]> {
        match self.value(id) {
            Value::Tuple(items) => Ok(items),
            other => Err(damaged(format_args!("{what} is {}, expected a tuple", other.kind()))),
        }
    }

    /// A tuple whose copy costs nothing: of a size, or of a storage's description.
    fn short_tuple(&self, id: Id, what: &str) -> Result<&[Id]> {
        let items = self.tuple(id, what)?;
        if items.len() > MAX_DIMENSIONS {
            return Err(refused(format_args!(
                "{what} of {} parts, expected at most {MAX_DIMENSIONS}",
                items.len()
            )));
        }
        Ok(items)
    }

    /// What a class or function makes of its arguments.
    fn call(&mut self, callee: Id, arguments: Id) -> Result<Value<'a>> {
        let global = match *self.value(callee) {
            Value::Global(global) => global,
            Value::Opaque(name) => return Ok(Value::Opaque(name)),
            ref other => return Err(refused(format_args!("a call of {}", other.kind()))),
        };
        let arguments = self.tuple(arguments, "the arguments of a call")?;
        match (global, arguments) {
            (Global::Dict, []) | (Global::DefaultDict, [] | [_]) => Ok(Value::Dict(vec![])),
            (Global::Dict, &[items]) | (Global::DefaultDict, &[_, items]) => self.dict_of(items),
            (Global::Size, &[extents]) => {
                Ok(Value::Tuple(self.short_tuple(extents, "a torch.Size")?.to_vec()))
            }
            // The tensor, whether it is trained, hooks and attributes, of which nothing is read.
            (Global::Parameter, &[tensor, ..]) if arguments.len() <= 4 => match self.value(tensor) {
                Value::Tensor(tensor) => Ok(Value::Tensor(tensor.clone())),
                Value::OtherTensor(dtype) => Ok(Value::OtherTensor(dtype)),
                Value::Opaque(name) => Ok(Value::Opaque(name)),
                other => Err(damaged(format_args!("a parameter of {}, expected a tensor", other.kind()))),
            },
            (Global::RebuildTensor, &[storage, first, shape, strides, ..]) if arguments.len() <= 7 => {
                self.tensor(storage, first, shape, strides)
            }
            (Global::RebuildTyped, &[_, _, _, _, _, _, dtype, ..]) if arguments.len() <= 8 => {
                match *self.value(dtype) {
                    Value::Opaque(dtype) => Ok(Value::OtherTensor(dtype)),
                    ref other => Err(damaged(format_args!("a tensor's type is {}", other.kind()))),
                }
            }
            // Another of these would be a tensor of a tensor: nothing nests.
            (Global::RebuildFromType, &[function, _class, arguments, _state])
                if !matches!(self.value(function), Value::Global(Global::RebuildFromType)) =>
            {
                self.call(function, arguments)
            }
            _ => {
                Err(damaged(format_args!("a call with {} arguments, which are not its own", arguments.len())))
            }
        }
    }

    /// A dict from a dict or, as Python 2 wrote ordered dicts, from a list of pairs.
    fn dict_of(&mut self, items: Id) -> Result<Value<'a>> {
        // A copy costs as much as pushing its items once more.
        let copied = match self.value(items) {
            Value::Dict(items) => items.len(),
            Value::List(pairs) => pairs.len(),
            _ => 0,
        };
        self.count_pushes(copied)?;
        match self.value(items) {
            Value::Dict(items) => Ok(Value::Dict(items.clone())),
            Value::List(pairs) => {
                let pair = |&id: &Id| match self.value(id) {
                    Value::List(pair) | Value::Tuple(pair) if pair.len() == 2 => Ok((pair[0], pair[1])),
                    other => Err(damaged(format_args!("a dict of {}, expected pairs", other.kind()))),
                };
                Ok(Value::Dict(pairs.iter().map(pair).collect::<Result<_>>()?))
            }
            other => Err(damaged(format_args!("a dict of {}", other.kind()))),
        }
    }

    /// State that an object is given after it was made: attributes of dicts (`_metadata`), whether a
    /// parameter is trained, and all that opaque values are made of, none of which is read.
    fn build(&mut self) -> Result<()> {
        let state = self.pop()?;
        match (self.value(self.top()?), self.value(state)) {
            (Value::Dict(_) | Value::Opaque(_), _) => Ok(()),
            (Value::Tensor(_), Value::Tuple(state)) if state.len() == 3 => Ok(()),
            (object, state) => {
                Err(refused(format_args!("giving {} {} as its state", object.kind(), state.kind())))
            }
        }
    }

    fn size(&self, id: Id, what: &str) -> Result<usize> {
        match *self.value(id) {
            Value::Int(value) => usize::try_from(value)
                .map_err(|_| damaged(format_args!("{what} is {value}, expected a size of this machine"))),
            ref other => Err(damaged(format_args!("{what} is {}, expected an integer", other.kind()))),
        }
    }

    /// `("storage", type, key, location, elements)`, in the legacy format with a sixth part: `None` or
    /// `(key, first, elements)` of a view.
    fn storage(&mut self, id: Id) -> Result<Value<'a>> {
        let parts = self.short_tuple(id, "a persistent id")?.to_vec();
        // A class with its source, as the legacy format has them.
        if let [tag, class, ..] = *parts
            && matches!(self.value(tag), Value::Text("module"))
            && let Value::Opaque(name) = *self.value(class)
        {
            return Ok(Value::Opaque(name));
        }
        let (&[tag, kind, key, _location, elements], rest) = parts
            .split_first_chunk()
            .ok_or_else(|| refused(format_args!("a persistent id with less than five parts")))?;
        let (kind, key) = match (self.value(tag), self.value(kind), self.value(key)) {
            (Value::Text("storage"), &Value::Global(Global::Storage(kind)), &Value::Text(key)) => (kind, key),
            (_, &Value::Opaque(kind), _) => return Ok(Value::Opaque(kind)),
            _ => return Err(refused(format_args!("a persistent id that is no storage"))),
        };
        if key.len() > MAX_NAME {
            return Err(refused(format_args!("a storage whose key has {} bytes", key.len())));
        }
        let elements = self.size(elements, "the number of a storage's elements")?;
        if elements.checked_mul(kind.size()).is_none() {
            return Err(refused(format_args!("storage `{key}` with {elements} elements")));
        }
        let storage = Storage { kind, elements };
        if *self.storages.entry(key).or_insert(storage) != storage {
            return Err(damaged(format_args!("storage `{key}` is named with two types or sizes")));
        }
        let whole = StorageView { key, first: 0, elements };
        match *rest {
            [] => Ok(Value::Storage(whole)),
            [view] if matches!(self.value(view), Value::None) => Ok(Value::Storage(whole)),
            [view] => {
                let &[_, first, elements] = self.tuple(view, "a storage's view")? else {
                    return Err(damaged(format_args!("a storage's view has not three parts")));
                };
                let first = self.size(first, "the beginning of a storage's view")?;
                let elements = self.size(elements, "the length of a storage's view")?;
                if first.checked_add(elements).is_none_or(|end| end > whole.elements) {
                    return Err(damaged(format_args!("a view reaches beyond the end of storage `{key}`")));
                }
                Ok(Value::Storage(StorageView { key, first, elements }))
            }
            _ => Err(refused(format_args!("a persistent id with more than six parts"))),
        }
    }

    fn tensor(&self, storage: Id, first: Id, shape: Id, strides: Id) -> Result<Value<'a>> {
        let storage = match *self.value(storage) {
            Value::Storage(storage) => storage,
            Value::Opaque(kind) => return Ok(Value::OtherTensor(kind)),
            ref other => {
                return Err(damaged(format_args!("a tensor of {}, expected a storage", other.kind())));
            }
        };
        let sizes = |id: Id, what: &str| {
            let items = self.short_tuple(id, what)?;
            items.iter().map(|&item| self.size(item, what)).collect::<Result<Vec<_>>>()
        };
        let (shape, strides) = (sizes(shape, "a tensor's shape")?, sizes(strides, "a tensor's strides")?);
        let first = self.size(first, "a tensor's offset")?;
        // One past the last element, where the tensor has any.
        let end = shape.iter().zip(&strides).try_fold(first, |end, (&extent, &stride)| {
            extent.saturating_sub(1).checked_mul(stride)?.checked_add(end)
        });
        let end = if shape.contains(&0) { Some(first) } else { end.and_then(|last| last.checked_add(1)) };
        if shape.len() != strides.len() || end.is_none_or(|end| end > storage.elements) {
            return Err(damaged(format_args!(
                "a tensor of shape {shape:?} with strides {strides:?} from element {first} reaches beyond storage `{}` \
                 of {} elements",
                storage.key, storage.elements
            )));
        }
        let first = storage.first + first;
        Ok(Value::Tensor(Box::new(TensorView { storage: storage.key, first, shape, strides })))
    }
}

fn storage_type(name: &str) -> Option<StorageType> {
    Some(match name {
        "FloatStorage" => StorageType::Read(Dtype::F32),
        "HalfStorage" => StorageType::Read(Dtype::F16),
        "BFloat16Storage" => StorageType::Read(Dtype::Bf16),
        "DoubleStorage" => StorageType::Read(Dtype::F64),
        "LongStorage" => StorageType::Read(Dtype::I64),
        "IntStorage" => StorageType::Other("Int", 4),
        "ShortStorage" => StorageType::Other("Short", 2),
        "CharStorage" => StorageType::Other("Char", 1),
        "ByteStorage" => StorageType::Other("Byte", 1),
        "BoolStorage" => StorageType::Other("Bool", 1),
        "ComplexFloatStorage" => StorageType::Other("ComplexFloat", 8),
        "ComplexDoubleStorage" => StorageType::Other("ComplexDouble", 16),
        "QInt8Storage" => StorageType::Other("`torch.QInt8Storage`", 1),
        "QUInt8Storage" => StorageType::Other("`torch.QUInt8Storage`", 1),
        "QUInt4x2Storage" => StorageType::Other("`torch.QUInt4x2Storage`", 1),
        "QUInt2x4Storage" => StorageType::Other("`torch.QUInt2x4Storage`", 1),
        "QInt32Storage" => StorageType::Other("`torch.QInt32Storage`", 4),
        "UntypedStorage" => StorageType::Other("Untyped", 1),
        _ => return None,
    })
}

/// Name of an opcode that is refused, as in Python's `pickletools`.
fn opcode_name(opcode: u8) -> String {
    let name = match opcode {
        b'2' => "DUP",
        b'B' => "BINBYTES",
        b'C' => "SHORT_BINBYTES",
        b'F' => "FLOAT",
        b'I' => "INT",
        b'L' => "LONG",
        b'P' => "PERSID",
        b'S' => "STRING",
        b'V' => "UNICODE",
        b'd' => "DICT",
        b'g' => "GET",
        b'i' => "INST",
        b'l' => "LIST",
        b'p' => "PUT",
        0x82..=0x84 => "EXT",
        0x8c => "SHORT_BINUNICODE",
        0x8d => "BINUNICODE8",
        0x8e => "BINBYTES8",
        0x90 => "ADDITEMS",
        0x91 => "FROZENSET",
        0x92 => "NEWOBJ_EX",
        0x93 => "STACK_GLOBAL",
        0x94 => "MEMOIZE",
        0x95 => "FRAME",
        0x96 => "BYTEARRAY8",
        0x97 => "NEXT_BUFFER",
        0x98 => "READONLY_BUFFER",
        _ => "unknown to pickle",
    };
    format!("{name} (0x{opcode:02x})")
}

#[cold]
#[inline(never)]
fn refused(what: Arguments) -> Stop {
    Stop::from(format!(
        "the checkpoint's pickle was refused: {what}; only the tensors of state dicts are read: save them with \
         torch.save(model.state_dict(), path)"
    ))
}

#[cold]
#[inline(never)]
fn damaged(what: Arguments) -> Stop {
    Stop::from(format!("the checkpoint's pickle is damaged: {what}"))
}
