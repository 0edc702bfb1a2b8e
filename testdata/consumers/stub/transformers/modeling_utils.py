"""How transformers makes and loads models: on the meta device, without values, names checked."""

import contextlib

import torch
from torch import nn


class Config:
    """config.json as attributes. What transformers fills in for every model is filled in here."""

    def __init__(self, values):
        self.tie_word_embeddings = True
        self.__dict__.update(values)
        self.num_labels = len(values.get("id2label", {})) or 2


class Conv1D(nn.Module):
    """y = x W + b with W [in, out]."""

    def __init__(self, out_features, in_features):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(in_features, out_features))
        self.bias = nn.Parameter(torch.empty(out_features))

    def forward(self, x):
        return x @ self.weight + self.bias


@contextlib.contextmanager
def parameters_without_values():
    """Parameters and buffers made inside are on the meta device, whatever their module does."""
    register = nn.Module.register_parameter
    register_buffer = nn.Module.register_buffer

    def register_empty(module, name, parameter):
        register(module, name, parameter)
        if parameter is not None:
            module._parameters[name] = nn.Parameter(parameter.to("meta"), parameter.requires_grad)

    def register_empty_buffer(module, name, tensor, persistent=True):
        register_buffer(module, name, tensor.to("meta"), persistent)

    nn.Module.register_parameter = register_empty
    nn.Module.register_buffer = register_empty_buffer
    try:
        yield
    finally:
        nn.Module.register_parameter = register
        nn.Module.register_buffer = register_buffer


class PreTrainedModel(nn.Module):
    base_model_prefix = ""
    _tied_weights_keys = []

    def __init__(self, config):
        super().__init__()
        self.config = config

    def post_init(self):
        self.tie_weights()

    def get_input_embeddings(self):
        raise NotImplementedError

    def get_output_embeddings(self):
        return None

    def tie_weights(self):
        head = self.get_output_embeddings()
        if self.config.tie_word_embeddings and head is not None:
            head.weight = self.get_input_embeddings().weight
        for module in self.modules():
            if hasattr(module, "_tie_weights"):
                module._tie_weights()

    @classmethod
    def load(cls, config, tensors):
        """The model with these tensors in it; raises where names or shapes do not fit."""
        with parameters_without_values():
            model = cls(config)
        expected = model.state_dict()
        # Files may lack the prefix of the model without its head.
        prefix = model.base_model_prefix + "."
        tensors = {name if name in expected else prefix + name: t for name, t in tensors.items()}
        missing = set(expected) - set(tensors) - set(model._tied_weights_keys)
        unexpected = set(tensors) - set(expected)
        if missing or unexpected:
            raise ValueError(f"missing: {sorted(missing)}, unexpected: {sorted(unexpected)}")
        for name, tensor in tensors.items():
            if tensor.shape != expected[name].shape:
                raise ValueError(f"{name}: {tuple(tensor.shape)}, not {tuple(expected[name].shape)}")
            path, _, child = name.rpartition(".")
            module = model.get_submodule(path)
            buffer = child in module._buffers
            if buffer and tensor.dtype != expected[name].dtype:
                raise ValueError(f"{name}: {tensor.dtype}, not {expected[name].dtype}")
            setattr(module, child, tensor if buffer else nn.Parameter(tensor, False))
        model.tie_weights()
        empty = [name for name, value in model.state_dict().items() if value.is_meta]
        if empty:
            raise ValueError(f"without values: {empty}")
        return model.eval()


def attention(q, k, v, heads, causal):
    """softmax(Q Kᵀ / √width) V in heads; several heads may share one of keys and values."""
    length = q.shape[0]
    width = q.shape[1] // heads
    q = q.view(length, heads, width).transpose(0, 1)
    k = k.view(length, -1, width).transpose(0, 1)
    v = v.view(length, -1, width).transpose(0, 1)
    k = k.repeat_interleave(heads // k.shape[0], 0)
    v = v.repeat_interleave(heads // v.shape[0], 0)
    scores = q @ k.transpose(1, 2) / width**0.5
    if causal:
        future = torch.ones(length, length, dtype=torch.bool).triu(1)
        scores = scores.masked_fill(future, float("-inf"))
    return (scores.softmax(-1) @ v).transpose(0, 1).reshape(length, heads * width)
