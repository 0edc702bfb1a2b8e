#!/usr/bin/env python3
"""Holds modeling_smelt.py, as smelt writes it beside factors, against what smelt says.

    check_modeling.py loss FOLDER DATA EVAL.json    FOLDER loads, and the loss is that of EVAL.json
    check_modeling.py layers FOLDER                 its layers against dense ones, and its refusals
    check_modeling.py same FOLDER DENSE             FOLDER loads, with the logits of its dense form
    check_modeling.py classifier SOURCE FOLDER      a GPT-2 with a head of random numbers on top
    check_modeling.py shared SOURCE FOLDER PREFIX   a GPT-2 of factors, some of them shared
    check_modeling.py panels SOURCE FOLDER          the same GPT-2 of factors in parts that share
    check_modeling.py masked SOURCE FOLDER          a BERT with a tied head of random numbers on top
    check_modeling.py rows SOURCE.tsv VOCAB OUT     sentences as rows of token ids

DATA is a text of bytes, cut into windows as EVAL.json has them, or .jsonl with input_ids and label.
Needs PyTorch; the classes of transformers come from stub/.
"""

import importlib.util
import json
import os
import shutil
import struct
import sys

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "stub"), os.path.join(HERE, "..", "golden")]

import transformers  # noqa: E402
from make_golden import WordPiece, load_tensors, read_rows  # noqa: E402
from transformers.modeling_utils import Config, Conv1D  # noqa: E402

TOLERANCE = 1e-5  # of a mean loss, in nats: f32 in two implementations


def require(holds, what):
    if not holds:
        sys.exit(f"check_modeling: {what}")


def read_config(folder):
    with open(os.path.join(folder, "config.json")) as f:
        return json.load(f)


def modeling(folder):
    """The module that auto_map names, loaded from the folder itself, and the name of its class."""
    entries = read_config(folder).get("auto_map", {})
    require(len(entries) == 1, f"{folder}: expected one entry in auto_map, found {entries}")
    (auto, reference), = entries.items()
    module, _, name = reference.partition(".")
    path = os.path.join(folder, module + ".py")
    spec = importlib.util.spec_from_file_location(module, path)
    code = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(code)
    return code, auto, name


def load(folder):
    code, auto, name = modeling(folder)
    config = read_config(folder)
    ending = name.removeprefix("Smelt" + config["architectures"][0])
    require(ending == "", f"{folder}: {name} does not stand for {config['architectures']}")
    kind = "SequenceClassification" if "id2label" in config else "LM"
    require(auto.startswith("AutoModelFor") and auto.endswith(kind), f"{folder}: {auto}")
    tensors = load_tensors(os.path.join(folder, "model.safetensors"))
    model = getattr(code, name).load(Config(config), tensors)
    factors = [m for m in model.modules() if type(m).__module__ == code.__name__]
    require(len(factors) > len(config["low_rank_modules"]), f"{folder}: nothing was replaced")
    return model


def examples(data, count, tokens):
    """Pairs of input ids and targets: all next tokens, or one label."""
    if data.endswith(".jsonl"):
        with open(data) as f:
            rows = [json.loads(line) for line in f]
        require(len(rows) >= count, f"{data} has {len(rows)} rows, {count} were evaluated")
        return [(torch.tensor(r["input_ids"]), torch.tensor([r["label"]])) for r in rows[:count]]
    with open(data, "rb") as f:
        ids = torch.tensor(list(f.read()))
    size = tokens // count
    windows = [ids[i * size : (i + 1) * size + 1] for i in range(count)]
    return [(window[:-1], window[1:]) for window in windows]


def check_loss(folder, data, evaluation):
    with open(evaluation) as f:
        expected = json.load(f)
    model = load(folder)
    loss = torch.tensor(0.0, dtype=torch.float64)
    predictions = 0
    with torch.no_grad():
        for ids, targets in examples(data, expected["examples"], expected["tokens"]):
            logs = model(ids).log_softmax(-1)
            loss -= logs.gather(1, targets[:, None]).double().sum()
            predictions += len(targets)
    found = loss.item() / predictions
    difference = abs(found - expected["loss"])
    require(
        difference <= TOLERANCE,
        f"{folder}: loss {found}, smelt eval says {expected['loss']}",
    )
    print(f"{folder}: loss {found:.6f}, as smelt eval says (difference {difference:.0e})")


def close(name, found, expected):
    worst = (found - expected).abs().max().item()
    require(worst < 1e-5, f"{name} differs from the dense layer by {worst}")


def refused(code, old, entry, what):
    try:
        code._replacement(old, entry, "some.module", code.Bases())
    except (ValueError, KeyError):
        return
    sys.exit(f"check_modeling: {what} was not refused")


def check_layers(folder):
    code, _, _ = modeling(folder)
    torch.manual_seed(1)
    x = torch.randn(5, 6)
    linear = code.FactoredLinear(6, 12, 3, bias=True)
    w = linear.ALinear.weight @ linear.BLinear.weight
    close("FactoredLinear", linear(x), x @ w.t() + linear.ALinear.bias)

    # q, k, v of two heads in turn, and in one row after the other; k is dense.
    for stride, groups in [(6, 2), (4, 1)]:
        size = 12 // 3 // groups
        entry = {"parts": [
            {"name": "q", "rows": [0, size, stride, groups], "rank": 2},
            {"name": "k", "rows": [size, size, stride, groups]},
            {"name": "v", "rows": [2 * size, size, stride, groups], "rank": 1},
        ]}
        split = code._replacement(torch.nn.Linear(6, 12), entry, "some.module", code.Bases())
        torch.nn.init.normal_(split.bias)
        w = torch.zeros(12, 6)
        for part in entry["parts"]:
            module = getattr(split, part["name"])
            of_part = (
                module.ALinear.weight @ module.BLinear.weight if "rank" in part else module.weight
            )
            first, count, step, times = part["rows"]
            for g in range(times):
                w[g * step + first : g * step + first + count] = of_part[g * count : (g + 1) * count]
        close("SplitLinear", split(x), x @ w.t() + split.bias)

    check_panels(code, x)

    table = code.FactoredEmbedding(9, 6, 2, padding_idx=None)
    w = table.ALinear.weight @ table.BLinear.weight
    ids = torch.tensor([3, 0, 8, 3])
    close("FactoredEmbedding", table(ids), w[ids])
    head = code.TiedHead(table, torch.nn.Parameter(torch.randn(9)))
    close("TiedHead", head(x), x @ w.t() + head.bias)
    require(list(head.state_dict()) == ["bias"], "a tied head has weights of its own")

    bases = code.Bases()
    one = code._replacement(torch.nn.Linear(6, 12), {"rank": 2, "A": "smelt.basis.3"}, "m", bases)
    other = code._replacement(
        Conv1D(12, 4), {"rank": 2, "transposed": True, "A": "smelt.basis.3"}, "n", bases
    )
    rows = code._replacement(torch.nn.Embedding(12, 5), {"rank": 2, "A": "smelt.basis.3"}, "e", bases)
    back = code._replacement(torch.nn.Linear(6, 7), {"rank": 2, "B": "smelt.basis.0"}, "b", bases)
    require(list(bases.state_dict()) == ["3", "0"], f"bases {list(bases.state_dict())}")
    for module, names in [
        (one, ["BLinear.weight", "ALinear.bias"]),
        (other, ["BLinear.weight", "ALinear.bias"]),
        (rows, ["BLinear.weight"]),
        (back, ["ALinear.weight", "ALinear.bias"]),
    ]:
        require(list(module.state_dict()) == names, f"own tensors {list(module.state_dict())}")
        for parameter in module.parameters():
            torch.nn.init.normal_(parameter)
    for basis in bases.parameters():
        torch.nn.init.normal_(basis)
    a, b = bases.get_parameter("3"), bases.get_parameter("0")
    close("shared A", one(x), x @ (a @ one.BLinear.weight).t() + one.ALinear.bias)
    close("shared A", other(x[:, :4]), x[:, :4] @ (a @ other.BLinear.weight).t() + other.ALinear.bias)
    close("shared table", rows(ids), (a @ rows.BLinear.weight)[ids])
    close("shared table", rows.output(x[:, :5]), x[:, :5] @ (a @ rows.BLinear.weight).t())
    close("shared B", back(x), x @ (back.ALinear.weight @ b).t() + back.ALinear.bias)
    try:
        code._replacement(torch.nn.Linear(6, 11), {"rank": 2, "A": "smelt.basis.3"}, "m", bases)
        sys.exit("check_modeling: a basis of two shapes was not refused")
    except ValueError:
        pass

    check_scaled(code, x, ids)

    dense = torch.nn.Linear(6, 12)
    whole = {"parts": [{"name": "q", "rows": [0, 12, 12, 1], "rank": 2}]}
    half = {"parts": [{"name": "q", "rows": [0, 6, 6, 1], "rank": 2}]}
    refused(code, dense, {"rank": 2, "basis": 3}, "an unknown key")
    refused(code, dense, {"rank": 2, "A": "smelt.basis.1", "B": "smelt.basis.2"}, "two bases")
    refused(code, dense, {"rank": 2, "A": "smelt.basis.01"}, "a basis 01")
    refused(code, dense, {"rank": 2, "B": "other.weight"}, "a tensor that is no basis")
    refused(code, dense, {**whole, "A": "smelt.basis.0"}, "a basis beside parts")
    refused(code, dense, {"rank": 0}, "rank 0")
    refused(code, dense, {"rank": True, "parts": []}, "rank beside parts")
    refused(code, dense, {}, "an empty entry")
    refused(code, dense, {"rank": 2, "transposed": True}, "a transposed Linear")
    refused(code, Conv1D(12, 6), {"rank": 2}, "a Conv1D that is not transposed")
    refused(code, torch.nn.LayerNorm(6), {"rank": 2}, "factors of a norm")
    refused(code, torch.nn.Embedding(9, 6), whole, "an embedding in parts")
    refused(code, dense, half, "half of a matrix")
    print(f"{folder}: layers agree with dense ones, unknown entries are refused")


def check_scaled(code, x, ids):
    """Factors and bases of integers, as layers, tables, heads and parts."""
    names = ["l.ALinear.weight", "l.BLinear.weight", "e.ALinear.weight", "e.BLinear.weight"]
    names += ["p.p0.BLinear.weight", "smelt.basis.1", "smelt.basis.2"]
    bases = code.Bases(names)
    parts = {"parts": [
        {"name": "p0", "rows": [0, 5, 5, 1], "rank": 2},
        {"name": "p1", "rows": [5, 7, 7, 1], "rank": 2, "B": "smelt.basis.2"},
    ]}
    shared_table = {"rank": 2, "A": "smelt.basis.1", "delta": True}
    layer = code._replacement(torch.nn.Linear(6, 12), {"rank": 2}, "l", bases)
    table = code._replacement(torch.nn.Embedding(9, 6), {"rank": 2}, "e", bases)
    split = code._replacement(torch.nn.Linear(6, 12), parts, "p", bases)
    changed = code._replacement(torch.nn.Embedding(9, 6), shared_table, "c", bases)
    require(not list(bases.parameters()), "bases of integers are parameters")
    modules = [layer, table, split, changed, bases]
    for module in modules:
        for parameter in module.parameters():
            torch.nn.init.normal_(parameter)
        for buffer in module.buffers():
            if buffer.dtype == torch.int8:
                buffer.copy_(torch.randint(-127, 128, buffer.shape))
            else:
                buffer.copy_(torch.rand(buffer.shape) / 100)

    def real(module, name):
        ints, scales = getattr(module, name), getattr(module, name + "_scale")
        require((ints.dtype, scales.dtype) == (torch.int8, torch.float32), "types of integers")
        return ints.float() * scales

    w = real(layer.ALinear, "weight") @ real(layer.BLinear, "weight")
    close("scaled layer", layer(x), x @ w.t() + layer.ALinear.bias)
    own = ["ALinear.bias", "ALinear.weight", "ALinear.weight_scale"]
    own += ["BLinear.weight", "BLinear.weight_scale"]
    require(sorted(layer.state_dict()) == own, f"own tensors {list(layer.state_dict())}")
    w = real(table.ALinear, "weight") @ real(table.BLinear, "weight")
    close("scaled table", table(ids), w[ids])
    close("scaled head", table.output(x), x @ w.t())
    low = split.p0.ALinear.weight @ real(split.p0.BLinear, "weight")
    w = torch.cat([low, split.p1.ALinear.weight @ real(bases, "2")])
    close("scaled parts", split(x), x @ w.t() + split.bias)
    w = changed.weight + real(bases, "1") @ changed.BLinear.weight
    close("scaled change", changed(ids), w[ids])
    close("scaled change", changed.output(x), x @ w.t())
    halved = table.to(torch.bfloat16)(ids)
    require(halved.dtype == torch.bfloat16, f"rows of a bf16 table are {halved.dtype}")


def check_panels(code, x):
    """Parts along either axis that share factors, in groups and in runs, one of them dense."""
    for key, factor, size in [("columns", "A", 6), ("rows", "B", 12)]:
        third = size // 3
        entry = {"parts": [
            {"name": "p0", key: [0, 1, 3, third], "rank": 2, factor: "smelt.basis.5"},
            {"name": "p1", key: [2, 1, 3, third], "rank": 2, factor: "smelt.basis.5"},
            {"name": "p2", key: [1, 1, 3, third]},
        ]}
        runs = {"parts": [
            {"name": "p1", key: [third, size - third, size, 1], "rank": 2, factor: "smelt.basis.5"},
            {"name": "p0", key: [0, third, third, 1], "rank": 1},
        ]}
        bases = code.Bases()
        for described, dense in [(entry, torch.nn.Linear(6, 12)), (runs, Conv1D(12, 6))]:
            described = {**described, "transposed": type(dense) is Conv1D}
            split = code._replacement(dense, described, "some.module", bases)
            names = {name.partition(".")[0] for name in split.state_dict()}
            require(names == {"bias"} | {p["name"] for p in described["parts"]}, f"tensors {names}")
            for parameter in [*split.parameters(), *bases.parameters()]:
                torch.nn.init.normal_(parameter)
            basis = bases.get_parameter("5")
            w = torch.zeros(12, 6)
            for part in described["parts"]:
                module = getattr(split, part["name"])
                if "rank" not in part:
                    of_part = module.weight
                elif factor not in part:
                    of_part = module.ALinear.weight @ module.BLinear.weight
                elif factor == "A":
                    of_part = basis @ module.BLinear.weight
                else:
                    of_part = module.ALinear.weight @ basis
                first, count, step, times = part[key]
                for g in range(times):
                    for i in range(count):
                        at = g * step + first + i
                        if key == "rows":
                            w[at] = of_part[g * count + i]
                        else:
                            w[:, at] = of_part[:, g * count + i]
            close("parts that share", split(x), x @ w.t() + split.bias)
        require(list(bases.state_dict()) == ["5"], f"bases {list(bases.state_dict())}")

    dense = torch.nn.Linear(6, 12)
    for key, what in [
        ({"columns": [2, 4, 4, 1], "rank": 1, "C": 1}, "an unknown key of a part"),
        ({"columns": [2, 4, 4, 1], "A": "smelt.basis.1"}, "a shared factor without a rank"),
        ({"columns": [2, 4, 4, 1], "rank": 1, "A": "smelt.basis.1", "B": "smelt.basis.2"}, "two"),
        ({"columns": [1, 4, 4, 1], "rank": 1}, "a column twice"),
        ({"columns": [2, 3, 3, 1], "rank": 1}, "a column left out"),
        ({"rows": [2, 10, 10, 1], "rank": 1}, "rows beside columns"),
        ({"rank": 1}, "a part of nothing"),
        ({"rows": [2, 4, 4, 1], "columns": [2, 4, 4, 1]}, "rows and columns"),
    ]:
        parts = [{"name": "p0", "columns": [0, 2, 2, 1], "rank": 2}, {"name": "p1", **key}]
        refused(code, dense, {"parts": parts}, what)


def write_model(folder, config, tensors):
    """A folder with config.json and f32 weights."""
    os.makedirs(folder)
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump(config, f, indent=2)
    header, data = {}, []
    offset = 0
    for name, tensor in sorted(tensors.items()):
        values = tensor.float().contiguous().numpy().tobytes()
        end = offset + len(values)
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [offset, end]}
        data.append(values)
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(os.path.join(folder, "model.safetensors"), "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(data))


def make_classifier(source, folder):
    torch.manual_seed(2)
    config = read_config(source)
    config["architectures"] = ["GPT2ForSequenceClassification"]
    config["id2label"] = {"0": "one", "1": "two", "2": "three"}
    tensors = load_tensors(os.path.join(source, "model.safetensors"))
    tensors["score.weight"] = torch.randn(3, config["n_embd"]) / config["n_embd"]
    write_model(folder, config, tensors)


def make_shared(source, folder, prefix):
    """All c_fc take the A of the first, all attention outputs its B; prefix is left out of names."""
    config = read_config(source)
    tensors = load_tensors(os.path.join(source, "model.safetensors"))
    modules = config["low_rank_modules"]
    for ending, key, number in [("mlp.c_fc", "A", 0), ("attn.c_proj", "B", 4)]:
        sharers = [name for name in sorted(modules) if name.endswith(ending)]
        require(len(sharers) > 1, f"{source}: no two modules *.{ending}")
        own = [tensors.pop(f"{name}.{key}Linear.weight") for name in sharers]
        tensors[f"smelt.basis.{number}"] = own[0]
        for name in sharers:
            modules[name][key] = f"smelt.basis.{number}"
    config["low_rank_modules"] = {n.removeprefix(prefix): entry for n, entry in modules.items()}
    write_model(folder, config, {n.removeprefix(prefix): t for n, t in tensors.items()})
    shutil.copy(os.path.join(source, "modeling_smelt.py"), folder)


def make_panels(source, folder):
    """Each c_fc in columns, each c_attn in rows, with the other factor of all parts as a basis."""
    config = read_config(source)
    tensors = load_tensors(os.path.join(source, "model.safetensors"))
    modules = config["low_rank_modules"]
    for number, name in enumerate(sorted(modules)):
        columns = name.endswith("mlp.c_fc")
        if not columns and not name.endswith("attn.c_attn"):
            continue
        basis = f"smelt.basis.{number}"
        a, b = tensors.pop(f"{name}.ALinear.weight"), tensors.pop(f"{name}.BLinear.weight")
        tensors[basis] = a if columns else b
        tensors[f"{name}.bias"] = tensors.pop(f"{name}.ALinear.bias")
        parts = []
        size = b.shape[1] if columns else a.shape[0]
        for first in range(0, size, 80):
            count = min(80, size - first)
            part = {"name": f"p{len(parts)}"}
            part["columns" if columns else "rows"] = [first, count, count, 1]
            module = f"{name}.{part['name']}"
            if first == 80:
                w = a.float() @ b.float()
                w = w[:, first : first + count] if columns else w[first : first + count]
                tensors[f"{module}.weight"] = w
            else:
                part["rank"] = modules[name]["rank"]
                part["A" if columns else "B"] = basis
                own = b[:, first : first + count] if columns else a[first : first + count]
                tensors[f"{module}.{'B' if columns else 'A'}Linear.weight"] = own
            parts.append(part)
        modules[name] = {"parts": parts, "transposed": True}
    write_model(folder, config, tensors)
    shutil.copy(os.path.join(source, "modeling_smelt.py"), folder)


def make_masked(source, folder):
    torch.manual_seed(3)
    config = read_config(source)
    config["architectures"] = ["BertForMaskedLM"]
    del config["id2label"], config["label2id"]
    tensors = load_tensors(os.path.join(source, "model.safetensors"))
    head = ("bert.pooler.", "classifier.")
    tensors = {name: t for name, t in tensors.items() if not name.startswith(head)}
    width, vocabulary = config["hidden_size"], config["vocab_size"]
    top = "cls.predictions."
    tensors[top + "transform.dense.weight"] = torch.randn(width, width) / width**0.5
    tensors[top + "transform.dense.bias"] = torch.randn(width)
    tensors[top + "transform.LayerNorm.weight"] = torch.rand(width)
    tensors[top + "transform.LayerNorm.bias"] = torch.randn(width)
    tensors[top + "bias"] = torch.randn(vocabulary)
    write_model(folder, config, tensors)


def check_same(folder, dense_folder):
    model = load(folder)
    config = read_config(dense_folder)
    tensors = load_tensors(os.path.join(dense_folder, "model.safetensors"))
    dense = getattr(transformers, config["architectures"][0]).load(Config(config), tensors)
    ids = torch.arange(3, 40)
    with torch.no_grad():
        found, expected = model(ids), dense(ids)
    worst = ((found - expected).abs().max() / expected.abs().max()).item()
    require(worst < TOLERANCE, f"{folder}: logits differ from the dense form's by {worst}")
    print(f"{folder}: logits of the dense form (difference {worst:.0e})")


def write_rows(source, vocabulary, target):
    with open(target, "w") as f:
        for ids, label in read_rows(source, WordPiece(vocabulary)):
            f.write(json.dumps({"input_ids": ids.tolist(), "label": label}) + "\n")


def main(arguments):
    torch.set_num_threads(1)
    commands = {
        "loss": (check_loss, 3),
        "layers": (check_layers, 1),
        "same": (check_same, 2),
        "masked": (make_masked, 2),
        "shared": (make_shared, 3),
        "panels": (make_panels, 2),
        "classifier": (make_classifier, 2),
        "rows": (write_rows, 3),
    }
    command, count = commands.get(arguments[0] if arguments else "", (None, 0))
    if command is None or len(arguments) != count + 1:
        sys.exit(__doc__)
    command(*arguments[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
