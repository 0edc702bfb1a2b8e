"""A model whose weight matrices are stored as factors, W = A B, for Hugging Face transformers.

Written by smelt beside the weights. Load the folder with

    AutoModel….from_pretrained(folder, trust_remote_code=True)

config.json says under "low_rank_modules" which modules of the original class are replaced. Tensors
keep the names that they have in the file: <module>.BLinear.weight [r, in] and
<module>.ALinear.weight [out, r]; a matrix stored in parts, rows of it or columns, has them per part.
Where modules or parts share a factor, it is a parameter of the model, smelt.basis.<k>, and none has
it to itself. Where factors are a change of a matrix, W = W0 + A B, W0 is <module>.weight as in the
original class.

A factor or basis that config.json lists under "low_rank_int8" is stored as integers of 8 bits with a
scale for each row, <factor>_scale [rows, 1]. Both are buffers; products are made when they are used.
"""

import re

import torch
from torch import nn
from torch.nn import functional
from transformers import BaseModel

SCHEMA = ("ABLinear", 1)


class Bases(nn.Module):
    """Factors that modules share: parameters named by their numbers, or buffers if integers.

    It also knows the names of all tensors that are integers.
    """

    def __init__(self, scaled=()):
        super().__init__()
        self.scaled = frozenset(scaled)

    def factor(self, name, number, rows, columns, bias):
        """The basis as one factor of a module."""
        if number not in self._parameters and number not in self._buffers:
            if f"smelt.basis.{number}" in self.scaled:
                _register_ints(self, number, rows, columns)
            else:
                self.register_parameter(number, nn.Parameter(torch.empty(rows, columns)))
        found = tuple(getattr(self, number).shape)
        _require(found == (rows, columns), name, f"basis {number} is {found}, not {rows, columns}")
        return SharedFactor(self, number, rows if bias else None)


class Factor(nn.Module):
    """One of a module's two factors, where it is no layer of PyTorch's: y = W x + b, or rows of W."""

    def __init__(self, bias):
        super().__init__()
        self.register_parameter("bias", None if bias is None else nn.Parameter(torch.empty(bias)))
        # What rows that are looked up have; there is no input to tell.
        self.dtype = torch.get_default_dtype()

    def stored(self):
        """The tensor, and the scales of its rows or None."""
        raise NotImplementedError

    def matrix(self, x):
        """W where x is, and in its type."""
        values, scales = self.stored()
        return values.to(x.device) if scales is None else (values * scales).to(x)

    def forward(self, x):
        if x.is_floating_point():
            return functional.linear(x, self.matrix(x), self.bias)
        values, scales = self.stored()
        rows = functional.embedding(x, values.to(x.device))
        if scales is None:
            return rows
        return (rows * functional.embedding(x, scales.to(x.device))).to(self.dtype)

    def _apply(self, fn, *args, **kwargs):
        super()._apply(fn, *args, **kwargs)
        self.dtype = fn(torch.empty(0, dtype=self.dtype)).dtype
        return self


class SharedFactor(Factor):
    """A factor that is a basis. Of its own it has a bias at most."""

    def __init__(self, bases, number, bias):
        super().__init__(bias)
        # In a tuple, so that the basis is a parameter of the model only.
        self.bases = (bases,)
        self.number = number

    def stored(self):
        bases = self.bases[0]
        return getattr(bases, self.number), getattr(bases, self.number + "_scale", None)


class ScaledFactor(Factor):
    """A factor of integers."""

    def __init__(self, rows, columns, bias):
        super().__init__(rows if bias else None)
        _register_ints(self, "weight", rows, columns)

    def stored(self):
        return self.weight, self.weight_scale


def _register_ints(module, name, rows, columns):
    module.register_buffer(name, torch.empty(rows, columns, dtype=torch.int8))
    module.register_buffer(name + "_scale", torch.empty(rows, 1, dtype=torch.float32))


def _matrix(factor, x):
    return factor.matrix(x) if isinstance(factor, Factor) else factor.weight.to(x.device)


class FactoredLinear(nn.Module):
    """y = A (B x) + b. Stands for nn.Linear and for GPT-2's Conv1D alike."""

    def __init__(self, in_features, out_features, rank, bias, a=None, b=None):
        super().__init__()
        self.BLinear = nn.Linear(in_features, rank, bias=False) if b is None else b
        self.ALinear = nn.Linear(rank, out_features, bias=bias) if a is None else a

    def forward(self, x):
        return self.ALinear(self.BLinear(x))


class ChangedLinear(FactoredLinear):
    """y = W0 x + A (B x) + b, with matrix and bias of the nn.Linear or Conv1D it stands for."""

    def __init__(self, old, transposed, in_features, out_features, rank, a=None, b=None):
        super().__init__(in_features, out_features, rank, False, a, b)
        self.transposed = transposed
        self.weight = old.weight
        self.register_parameter("bias", getattr(old, "bias", None))

    def forward(self, x):
        weight = self.weight.t() if self.transposed else self.weight
        return functional.linear(x, weight, self.bias) + super().forward(x)


class SplitLinear(nn.Module):
    """Maps whose matrices are parts of one, as modules by their names; each has some of its rows.

    The outputs of all, each put in its place, are those of the one matrix.
    """

    def __init__(self, parts, bias):
        super().__init__()
        rows = []
        self.parts = []
        for name, of_part, part in parts:
            self.add_module(name, part)
            self.parts.append(name)
            rows += of_part
        self.register_parameter("bias", nn.Parameter(torch.empty(len(rows))) if bias else None)
        # Where each row stands when those of the parts follow each other. No buffer: one that is
        # not in the file would be lost when the model is made on the meta device.
        self.order = sorted(range(len(rows)), key=rows.__getitem__)
        self.in_order = rows == self.order

    def forward(self, x):
        y = torch.cat([getattr(self, name)(x) for name in self.parts], dim=-1)
        if not self.in_order:
            y = y.index_select(-1, torch.tensor(self.order, device=y.device))
        return y if self.bias is None else y + self.bias


class PanelLinear(nn.Module):
    """Likewise, but each has some of the columns: outputs of all, each for its inputs, add up."""

    def __init__(self, parts, bias):
        super().__init__()
        self.inputs = []
        for name, of_part, part in parts:
            self.add_module(name, part)
            first, count = of_part[0], len(of_part)
            run = of_part == list(range(first, first + count))
            self.inputs.append((name, (first, count) if run else None, of_part))
        self.register_parameter("bias", None if bias is None else nn.Parameter(torch.empty(bias)))

    def forward(self, x):
        y = None
        for name, run, columns in self.inputs:
            if run:
                of_part = x.narrow(-1, *run)
            else:
                of_part = x.index_select(-1, torch.tensor(columns, device=x.device))
            of_part = getattr(self, name)(of_part)
            y = of_part if y is None else y + of_part
        return y if self.bias is None else y + self.bias


class FactoredEmbedding(nn.Module):
    """Row i of the table A B is row i of A, times B."""

    def __init__(self, rows, width, rank, padding_idx, a=None, b=None):
        super().__init__()
        self.ALinear = nn.Embedding(rows, rank, padding_idx=padding_idx) if a is None else a
        self.BLinear = nn.Linear(width, rank, bias=False) if b is None else b

    def forward(self, ids):
        x = self.ALinear(ids)
        return x @ _matrix(self.BLinear, x)

    def output(self, x):
        x = self.BLinear(x)
        return functional.linear(x, _matrix(self.ALinear, x))


class ChangedEmbedding(FactoredEmbedding):
    """Row i of the table W0 + A B is row i of W0, and row i of A times B."""

    def __init__(self, old, rows, width, rank, a=None, b=None):
        super().__init__(rows, width, rank, old.padding_idx, a, b)
        self.weight = old.weight

    def forward(self, ids):
        return functional.embedding(ids, self.weight) + super().forward(ids)

    def output(self, x):
        return functional.linear(x, self.weight.to(x.device)) + super().output(x)


class TiedHead(nn.Module):
    """The output layer whose matrix is a factored embedding. It has no weights of its own."""

    def __init__(self, embedding, bias):
        super().__init__()
        # In a tuple, so that the factors are parameters of the embedding only.
        self.embedding = (embedding,)
        self.register_parameter("bias", bias)

    def forward(self, x):
        y = self.embedding[0].output(x)
        return y if self.bias is None else y + self.bias


def _require(holds, name, what):
    if not holds:
        raise ValueError(f"low_rank_modules of config.json, {name}: {what}")


def _rank(entry, name):
    rank = entry["rank"]
    _require(isinstance(rank, int) and rank >= 1, name, f"no rank: {rank!r}")
    return rank


def _flag(entry, key, name):
    flag = entry.get(key, False)
    _require(isinstance(flag, bool), name, f"{key} is {flag!r}")
    return flag


def _indices(part, name):
    """Which rows of the matrix a part has, or which columns, and whether they are rows."""
    _require(("rows" in part) != ("columns" in part), name, "expected either rows or columns")
    first, count, stride, groups = part.get("rows", part.get("columns"))
    return [g * stride + first + i for g in range(groups) for i in range(count)], "rows" in part


def _split(entry, name, in_features, out_features, bias, bases):
    """The module for a matrix in parts."""
    rows = _indices(entry["parts"][0], name)[1]
    size = out_features if rows else in_features
    parts, taken = [], []
    for part in entry["parts"]:
        module = f"{name}.{part['name']}"
        unknown = set(part) - {"name", "rows", "columns", "rank", "A", "B"}
        _require(not unknown, module, f"not understood: {sorted(unknown)}")
        indices, are_rows = _indices(part, module)
        _require(are_rows == rows, module, "some parts are rows, others columns")
        height, width = (len(indices), in_features) if rows else (out_features, len(indices))
        special = _special(part, module, width, height, False, bases)
        if "rank" in part:
            made = FactoredLinear(width, height, _rank(part, module), bias=False, **special)
        else:
            made = nn.Linear(width, height, bias=False)
        parts.append((part["name"], indices, made))
        taken += indices
    whole = sorted(taken) == list(range(size))
    _require(whole, name, f"the parts do not have each of {size} exactly once")
    return SplitLinear(parts, bias) if rows else PanelLinear(parts, out_features if bias else None)


def _special(entry, name, in_features, out_features, bias, bases):
    """Factors by their names that are a basis or integers; none where both are the module's floats."""
    special = {}
    for key in {"A", "B"} & set(entry):
        match = re.fullmatch(r"smelt\.basis\.(0|[1-9][0-9]*)", str(entry[key]))
        _require(match, name, f"no name of a basis: {entry[key]!r}")
        _require("rank" in entry, name, "a factor is shared, and there is no rank")
        _require(not special, name, "at most one factor of two is shared")
        rank = _rank(entry, name)
        if key == "A":
            special["a"] = bases.factor(name, match[1], out_features, rank, bias)
        else:
            special["b"] = bases.factor(name, match[1], rank, in_features, False)
    if "a" not in special and f"{name}.ALinear.weight" in bases.scaled:
        special["a"] = ScaledFactor(out_features, _rank(entry, name), bias)
    if "b" not in special and f"{name}.BLinear.weight" in bases.scaled:
        special["b"] = ScaledFactor(_rank(entry, name), in_features, False)
    return special


def _replacement(old, entry, name, bases):
    """The module that takes the place of old, with parameters of the right shapes.

    Their values are loaded afterwards. A matrix that factors change is old's own parameter.
    """
    unknown = set(entry) - {"rank", "parts", "transposed", "A", "B", "delta"}
    _require(not unknown, name, f"not understood: {sorted(unknown)}")
    _require(("rank" in entry) != ("parts" in entry), name, "expected either a rank or parts")
    delta = _flag(entry, "delta", name)
    _require("rank" in entry or "delta" not in entry, name, "parts are no change of a matrix")
    weight = getattr(old, "weight", None)
    matrix = weight is not None and weight.dim() == 2
    _require(matrix, name, f"{type(old).__name__} has no matrix that could be factors")
    if isinstance(old, nn.Embedding):
        _require("rank" in entry and not entry.get("transposed"), name, "no entry of an embedding")
        rows, width = weight.shape
        special = _special(entry, name, width, rows, False, bases)
        rank = _rank(entry, name)
        if delta:
            return ChangedEmbedding(old, rows, width, rank, **special)
        return FactoredEmbedding(rows, width, rank, old.padding_idx, **special)
    transposed = _flag(entry, "transposed", name)
    conv1d = type(old).__name__ == "Conv1D"
    linear = isinstance(old, nn.Linear) or conv1d
    _require(linear, name, f"cannot replace a {type(old).__name__}")
    _require(transposed == conv1d, name, f"transposed is {transposed} of a {type(old).__name__}")
    in_features, out_features = weight.shape if transposed else reversed(weight.shape)
    bias = getattr(old, "bias", None) is not None
    special = _special(entry, name, in_features, out_features, bias and not delta, bases)
    if "parts" in entry:
        return _split(entry, name, in_features, out_features, bias, bases)
    rank = _rank(entry, name)
    if delta:
        return ChangedLinear(old, transposed, in_features, out_features, rank, **special)
    return FactoredLinear(in_features, out_features, rank, bias, **special)


def _find(model, name):
    """The path of a module; files may leave out the prefix of the model without its head."""
    for path in (name, f"{model.base_model_prefix}.{name}"):
        try:
            model.get_submodule(path)
            return path
        except AttributeError:
            pass
    raise ValueError(f"low_rank_modules of config.json names {name}, the model has no such module")


def _put(model, path, module):
    parent, _, child = path.rpartition(".")
    setattr(model.get_submodule(parent), child, module)


def factorize_modules(model, config):
    """Replaces the modules that config.json lists; their tensors are loaded afterwards.

    Returns whether the output layer has no matrix of its own that could be tied to the embedding.
    """
    schema = getattr(config, "low_rank_schema", None)
    version = getattr(config, "low_rank_format_version", None)
    if (schema, version) != SCHEMA:
        raise ValueError(f"low-rank schema: expected {SCHEMA}, found {(schema, version)}")
    head = model.get_output_embeddings()
    bases = Bases(getattr(config, "low_rank_int8", None) or ())
    owner = model
    for name, entry in config.low_rank_modules.items():
        path = _find(model, name)
        if path != name:
            # Every name in such a file lacks the prefix, those of bases as well.
            owner = model.get_submodule(model.base_model_prefix)
        _put(model, path, _replacement(model.get_submodule(path), entry, name, bases))
    if bases._parameters or bases._buffers:
        owner.smelt = nn.Module()
        owner.smelt.basis = bases
    if head is None or not getattr(config, "tie_word_embeddings", True):
        return False
    embedding = model.get_input_embeddings()
    path = next((path for path, module in model.named_modules() if module is head), None)
    factored = isinstance(embedding, FactoredEmbedding)
    if path is None:
        _require(factored, "output layer", "factors, tied to an embedding without")
    elif factored:
        _put(model, path, TiedHead(embedding, getattr(head, "bias", None)))
    return factored


class SmeltBaseModel(BaseModel):
    """BaseModel with factors in place of the modules that config.json lists."""

    tied_to_factors = False

    # Scales are not rounded to the type of the model.
    _keep_in_fp32_modules_strict = [
        *(getattr(BaseModel, "_keep_in_fp32_modules_strict", None) or []),
        "weight_scale",
        "[0-9]+_scale",
    ]

    def __init__(self, config, *args, **kwargs):
        super().__init__(config, *args, **kwargs)
        self.tied_to_factors = factorize_modules(self, config)
        if not self.tied_to_factors:
            return
        # Only a bias may still be tied. Lists up to transformers 4, dicts from 5 on.
        keys = self._tied_weights_keys or []
        kept = [key for key in keys if not key.endswith("weight")]
        self._tied_weights_keys = {k: keys[k] for k in kept} if isinstance(keys, dict) else kept
        if hasattr(self, "all_tied_weights_keys"):
            self.all_tied_weights_keys = dict(self._tied_weights_keys)

    def get_output_embeddings(self):
        return None if self.tied_to_factors else super().get_output_embeddings()
