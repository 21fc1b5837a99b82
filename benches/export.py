"""Writes a network for the benchmarks in every runtime's format, with the recipe's weights.

usage: python benches/export.py OUT VARIANT... [--side 224]
For each variant (002 ... 320, or a name of torchvision or timm such as ghostnet_100): OUT/VARIANT.onnx (for the peers),
OUT/VARIANT.safetensors (for this library), OUT/VARIANT.in.f32 (normalised input) and OUT/VARIANT.out.f32 (PyTorch's
logits), all little-endian float32; of RegNets OUT/VARIANT.graph.json and OUT/VARIANT.graph.bin too (for TensorFlow.js).
Needs torch, torchvision, timm, onnx, onnxscript, numpy and safetensors.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "reference"))
from gghost import VARIANTS, g_ghost_regnetx  # noqa: E402
from networks import library_network  # noqa: E402
from recipe import fill, picture  # noqa: E402


def write_graph(path):
    """The ONNX file's graph as JSON in TensorFlow's terms: channels last, filters [height, width, in, out].

    The weights are beside it, and named by place and shape. A ReLU whose input nobody else reads is an activation of
    the convolution, as TensorFlow.js can fuse it.
    """
    graph = onnx.load(path).graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    constants |= {node.output[0]: numpy_helper.to_array(node.attribute[0].t) for node in graph.node if node.op_type == "Constant"}
    readers = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    weights, operations, renamed = [], [], {}

    def stored(array):
        first = sum(map(len, weights))
        weights.append(np.ascontiguousarray(array, np.float32).ravel())
        return {"first": first, "shape": list(array.shape)}

    for node in graph.node:
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        inputs = [renamed.get(name, name) for name in node.input if name not in constants]
        given = [constants[name] for name in node.input if name in constants]
        operation = {"kind": node.op_type, "inputs": inputs, "output": node.output[0]}
        match node.op_type:
            case "Constant":
                continue
            case "Conv":
                height, width = attributes["strides"]
                top, left, bottom, right = attributes["pads"]
                assert height == width and top == left == bottom == right
                operation |= {
                    "filter": stored(given[0].transpose(2, 3, 1, 0)),
                    "bias": stored(given[1]),
                    "stride": height,
                    "pad": top,
                    "groups": attributes["group"],
                }
                following = readers[node.output[0]]
                operation["relu"] = len(following) == 1 and following[0].op_type == "Relu"
                if operation["relu"]:
                    renamed[following[0].output[0]] = node.output[0]
            case "Relu" if node.output[0] in renamed:
                continue
            case "Relu" | "Add":
                pass
            case "ReduceMean":
                assert given[0].tolist() in ([2, 3], [-2, -1], [-1, -2])
                operation["keep"] = bool(attributes["keepdims"])
            case "Slice":
                starts, ends, axes, steps = given
                assert axes.tolist() == [1] and steps.tolist() == [1]
                operation |= {"start": int(starts[0]), "end": int(min(ends[0], 1 << 30))}
            case "Concat":
                assert attributes["axis"] == 1
            case "Gemm":
                assert attributes.get("transB") and len(given) == 2
                operation |= {"filter": stored(given[0].T), "bias": stored(given[1])}
            case other:
                raise SystemExit(f"{path}: no such operation was expected: {other}")
        operations.append(operation)
    np.concatenate(weights).astype("<f4").tofile(path.with_suffix(".graph.bin"))
    path.with_suffix(".graph.json").write_text(json.dumps({"input": graph.input[0].name, "operations": operations}))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("variants", nargs="+")
    parser.add_argument("--side", type=int, default=224)
    a = parser.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    for variant in a.variants:
        network = g_ghost_regnetx if variant in VARIANTS else library_network
        net = fill(network(variant, 1000))
        state = {k: v.contiguous() for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
        # An engine reads what says which network it is of; keys are the library's own in all that are benchmarked.
        config = {"variant": f"g_ghost_regnetx_{variant}" if variant in VARIANTS else variant}
        save_file(state, a.out / f"{variant}.safetensors", {"g-ghostnet": json.dumps(config)})
        x = picture((1, 3, a.side, a.side))
        with torch.no_grad():
            y = net(x)
        x.numpy().astype("<f4").tofile(a.out / f"{variant}.in.f32")
        y.numpy().astype("<f4").tofile(a.out / f"{variant}.out.f32")
        torch.onnx.export(
            net, (x,), a.out / f"{variant}.onnx", input_names=["input"], output_names=["logits"],
            opset_version=18, dynamo=True, external_data=False,
        )
        if "ghostnet" not in variant:
            write_graph(a.out / f"{variant}.onnx")
        print(variant, "written", flush=True)


if __name__ == "__main__":
    main()
