//! Writes networks as ONNX files, for the peers of a benchmark: the graph that PyTorch's exporter makes of them, with
//! the batch norms folded into the convolutions.

use g_ghostnet::arch::{Activation, Network, Op, View};
use g_ghostnet::checkpoint::Checkpoint;
use g_ghostnet::{Error, Result};
use half::f16;
use std::collections::HashMap;

const FLOAT: u64 = 1;
const INT64: u64 = 7;
const FLOAT16: u64 = 10;

/// A message of the protocol buffers that ONNX is written in.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn number(mut self, field: u64, value: u64) -> Message {
        self.varint(field << 3);
        self.varint(value);
        self
    }

    fn float(mut self, field: u64, value: f32) -> Message {
        self.varint(field << 3 | 5);
        self.0.extend(value.to_le_bytes());
        self
    }

    fn bytes(mut self, field: u64, bytes: &[u8]) -> Message {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    fn text(self, field: u64, text: &str) -> Message {
        self.bytes(field, text.as_bytes())
    }

    fn message(self, field: u64, message: &Message) -> Message {
        self.bytes(field, &message.0)
    }
}

enum Attribute<'a> {
    Int(&'a str, u64),
    Ints(&'a str, &'a [usize]),
    Float(&'a str, f32),
}

/// The graph as it grows.
struct Graph {
    message: Message,
    half: bool,
    names: usize,
}

impl Graph {
    fn name(&mut self, of: &str) -> String {
        self.names += 1;
        format!("{of}_{}", self.names)
    }

    fn node(&mut self, kind: &str, inputs: &[&str], attributes: &[Attribute]) -> String {
        let output = self.name(kind);
        let mut node = Message::default();
        for input in inputs {
            node = node.text(1, input);
        }
        node = node.text(2, &output).text(3, &output).text(4, kind);
        for attribute in attributes {
            let message = Message::default();
            node = node.message(
                5,
                &match attribute {
                    Attribute::Int(name, value) => message.text(1, name).number(3, *value).number(20, 2),
                    Attribute::Float(name, value) => message.text(1, name).float(2, *value).number(20, 1),
                    Attribute::Ints(name, values) => values
                        .iter()
                        .fold(message.text(1, name), |message, &value| message.number(8, value as u64))
                        .number(20, 7),
                },
            );
        }
        self.add(1, &node);
        output
    }

    fn add(&mut self, field: u64, message: &Message) {
        self.message = std::mem::take(&mut self.message).message(field, message);
    }

    fn tensor(&mut self, of: &str, dims: &[usize], kind: u64, bytes: &[u8]) -> String {
        let name = self.name(of);
        let tensor = dims.iter().fold(Message::default(), |tensor, &dim| tensor.number(1, dim as u64));
        self.add(5, &tensor.number(2, kind).text(8, &name).bytes(9, bytes));
        name
    }

    fn numbers(&mut self, of: &str, dims: &[usize], numbers: &[f32]) -> String {
        if self.half {
            let bytes: Vec<u8> = numbers.iter().flat_map(|&n| f16::from_f32(n).to_le_bytes()).collect();
            return self.tensor(of, dims, FLOAT16, &bytes);
        }
        self.tensor(of, dims, FLOAT, bytemuck::cast_slice(numbers))
    }

    fn integers(&mut self, of: &str, numbers: &[i64]) -> String {
        self.tensor(of, &[numbers.len()], INT64, bytemuck::cast_slice(numbers))
    }
}

/// What has been written of a value: first channel, channels, tensor.
type Parts = HashMap<usize, Vec<(usize, usize, String)>>;

/// The tensor of a view: what was written, a slice of it, or several behind each other.
fn read(graph: &mut Graph, parts: &Parts, view: View) -> Result<String> {
    let end = view.first + view.channels;
    let mut found: Vec<_> = parts.get(&value_of(view)).into_iter().flatten().cloned().collect();
    found.retain(|(first, channels, _)| *first < end && first + channels > view.first);
    found.sort();
    let mut tensors = Vec::with_capacity(found.len());
    let mut channels_found = 0;
    for (first, channels, tensor) in found {
        let (from, to) = (view.first.max(first) - first, end.min(first + channels) - first);
        channels_found += to - from;
        if (from, to) == (0, channels) {
            tensors.push(tensor);
            continue;
        }
        let bounds = [from as i64, to as i64, 1, 1];
        let names: Vec<_> = bounds.iter().map(|&bound| graph.integers("bound", &[bound])).collect();
        tensors.push(graph.node("Slice", &[&tensor, &names[0], &names[1], &names[2], &names[3]], &[]));
    }
    if channels_found != view.channels {
        return Err(Error::Unsupported("a view of the network is written in overlapping parts".into()));
    }
    match tensors.as_slice() {
        [tensor] => Ok(tensor.clone()),
        several => {
            let names: Vec<_> = several.iter().map(String::as_str).collect();
            Ok(graph.node("Concat", &names, &[Attribute::Int("axis", 1)]))
        }
    }
}

fn value_of(view: View) -> usize {
    view.value
}

fn shaped(name: &str, dims: &[usize]) -> Message {
    let batch = Message::default().message(1, &Message::default().text(2, "batch"));
    let shape =
        dims.iter().fold(batch, |shape, &dim| shape.message(1, &Message::default().number(1, dim as u64)));
    let tensor = Message::default().number(1, FLOAT).message(2, &shape);
    Message::default().text(1, name).message(2, &Message::default().message(1, &tensor))
}

/// The file of a network: `input`, `[batch, 3, height, width]`, to `logits`, `[batch, classes]`, both f32; in between
/// f16 where `half` says so.
///
/// # Errors
/// Those of the checkpoint; [`Error::Unsupported`] for an operation that none of the benchmarked networks has.
pub fn onnx(network: &Network, checkpoint: &Checkpoint, half: bool) -> Result<Vec<u8>> {
    let mut graph = Graph { message: Message::default(), half, names: 0 };
    let image = network.image();
    let input =
        if half { graph.node("Cast", &["input"], &[Attribute::Int("to", FLOAT16)]) } else { "input".into() };
    let mut parts = Parts::from([(value_of(image), vec![(0, image.channels, input)])]);
    let mut last = String::new();
    for step in &network.steps {
        let x = read(&mut graph, &parts, step.x)?;
        let made = match &step.op {
            Op::Conv(conv) => {
                let folded = checkpoint.folded(conv, step.y.channels)?;
                let inputs = step.x.channels / conv.groups;
                let bias = graph.numbers("bias", &[step.y.channels], &folded.bias);
                let mut made = if conv.weights.matrix {
                    let weight = graph.numbers("weight", &[step.y.channels, inputs], &folded.weight);
                    let flat = graph.node("Flatten", &[&x], &[Attribute::Int("axis", 1)]);
                    graph.node("Gemm", &[&flat, &weight, &bias], &[Attribute::Int("transB", 1)])
                } else {
                    let dims = [step.y.channels, inputs, conv.kernel, conv.kernel];
                    let weight = graph.numbers("weight", &dims, &folded.weight);
                    graph.node(
                        "Conv",
                        &[&x, &weight, &bias],
                        &[
                            Attribute::Int("group", conv.groups as u64),
                            Attribute::Ints("kernel_shape", &[conv.kernel; 2]),
                            Attribute::Ints("pads", &[conv.kernel / 2; 4]),
                            Attribute::Ints("strides", &[conv.stride; 2]),
                        ],
                    )
                };
                if let Some(add) = conv.add {
                    let add = read(&mut graph, &parts, add)?;
                    made = graph.node("Add", &[&made, &add], &[]);
                }
                match conv.activation {
                    Activation::None => made,
                    Activation::Relu => graph.node("Relu", &[&made], &[]),
                    Activation::HardSigmoid => {
                        graph.node("HardSigmoid", &[&made], &[Attribute::Float("alpha", 1.0 / 6.0)])
                    }
                }
            }
            Op::Mean => {
                let axes = graph.integers("axes", &[2, 3]);
                graph.node("ReduceMean", &[&x, &axes], &[Attribute::Int("keepdims", 1)])
            }
            Op::Add { by } => {
                let by = read(&mut graph, &parts, *by)?;
                graph.node("Add", &[&x, &by], &[])
            }
            Op::Scale { by } => {
                let by = read(&mut graph, &parts, *by)?;
                graph.node("Mul", &[&x, &by], &[])
            }
            Op::Copy => x,
            Op::MaxPool => {
                return Err(Error::Unsupported("a pool is no part of the benchmarked networks".into()));
            }
        };
        last.clone_from(&made);
        parts.entry(value_of(step.y)).or_default().push((step.y.first, step.y.channels, made));
    }
    let output = Message::default().text(1, &last).text(2, "logits");
    let output = if half {
        output.text(4, "Cast").message(5, &Message::default().text(1, "to").number(3, FLOAT).number(20, 2))
    } else {
        output.text(4, "Identity")
    };
    graph.add(1, &output);
    let message = graph
        .message
        .text(2, &network.name)
        .message(11, &shaped("input", &[image.channels, image.height, image.width]))
        .message(12, &shaped("logits", &[network.classes]));
    let opset = Message::default().text(1, "").number(2, 18);
    let model = Message::default().number(1, 9).text(2, "g-ghostnet").message(7, &message).message(8, &opset);
    Ok(model.0)
}
