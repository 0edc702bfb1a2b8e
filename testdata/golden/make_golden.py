#!/usr/bin/env python3
"""Golden numbers for the models and texts of this folder, from plain PyTorch.

    python3 -B make_golden.py TESTDATA            (writes TESTDATA/golden/*.json)

Nothing of smelt is used here: a golden value made by the code under test proves nothing. For the
same reason the forward passes are written out instead of taken from a library that smelt might
also lean on.

bf16 weights are widened to f32 (exact), networks and gradients run in f32 on one CPU thread (more
threads change the order of sums), and everything summed over tokens or examples is summed in f64.
Needs Python 3.9+, NumPy and PyTorch; made with PyTorch 1.13.
"""

import json
import math
import os
import struct
import sys
import unicodedata

import numpy as np
import torch
import torch.nn.functional as F

EVAL_WINDOW = 256  # the models' context length
EVAL_WINDOWS = 40
FISHER_WINDOW = 128
FISHER_WINDOWS = 16
FISHER_ROWS = 32
BERT_MAX_TOKENS = 64  # the size of bert-base's position table
KEEP = 0.5
DAMPING = 1e-6  # of the mean column weight, so that R stays invertible where the Fisher is 0
SAMPLES = 16


# ---------------------------------------------------------------- checkpoints


def load_tensors(path, dtype=torch.float32):
    """All tensors of a safetensors file, floats widened to dtype."""
    with open(path, "rb") as f:
        (header_bytes,) = struct.unpack("<Q", f.read(8))
        header = json.loads(f.read(header_bytes))
        data = f.read()
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        raw = data[begin:end]
        if entry["dtype"] == "BF16":
            # bf16 is the upper half of an f32.
            values = (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)
        elif entry["dtype"] == "F32":
            values = np.frombuffer(raw, "<f4").copy()
        elif entry["dtype"] == "I8":
            values = np.frombuffer(raw, "i1").copy()
            tensors[name] = torch.from_numpy(values.reshape(entry["shape"]))
            continue
        else:
            raise ValueError(f"{path}: {name} has dtype {entry['dtype']}, expected BF16, F32 or I8")
        tensors[name] = torch.from_numpy(values.reshape(entry["shape"])).to(dtype)
    return tensors


def load_model(folder, dtype=torch.float32):
    with open(os.path.join(folder, "config.json")) as f:
        config = json.load(f)
    return config, load_tensors(os.path.join(folder, "model.safetensors"), dtype)


def layer_norm(x, w, name, eps):
    return F.layer_norm(x, x.shape[-1:], w[name + ".weight"], w[name + ".bias"], eps)


def attention(q, k, v, heads, causal):
    """Softmax attention of one sequence; q, k, v are [tokens, width]."""
    tokens, width = q.shape
    q, k, v = (t.view(tokens, heads, width // heads).transpose(0, 1) for t in (q, k, v))
    scores = q @ k.transpose(1, 2) / math.sqrt(width // heads)
    if causal:
        future = torch.ones(tokens, tokens, dtype=torch.bool).triu(1)
        scores = scores.masked_fill(future, -math.inf)
    return (scores.softmax(-1) @ v).transpose(0, 1).reshape(tokens, width)


# ---------------------------------------------------------------- GPT-2


def gpt2_logits(config, w, tokens):
    """Logits [tokens, vocabulary] of one sequence.

    GPT-2's Conv1D stores its weight as [in, out], so it is x @ W and not x @ W^T. The output head
    is the token embedding itself: autograd adds the gradients of both uses, and the Fisher squares
    that one sum.
    """
    eps = config["layer_norm_epsilon"]
    heads = config["n_head"]
    x = w["transformer.wte.weight"][tokens] + w["transformer.wpe.weight"][: len(tokens)]

    def conv1d(x, name):
        return x @ w[name + ".weight"] + w[name + ".bias"]

    for i in range(config["n_layer"]):
        p = f"transformer.h.{i}."
        q, k, v = conv1d(layer_norm(x, w, p + "ln_1", eps), p + "attn.c_attn").chunk(3, -1)
        x = x + conv1d(attention(q, k, v, heads, causal=True), p + "attn.c_proj")
        h = conv1d(layer_norm(x, w, p + "ln_2", eps), p + "mlp.c_fc")
        # "gelu_new": the tanh approximation, spelled out so that no version of a library decides.
        h = 0.5 * h * (1 + torch.tanh(math.sqrt(2 / math.pi) * (h + 0.044715 * h**3)))
        x = x + conv1d(h, p + "mlp.c_proj")
    return layer_norm(x, w, "transformer.ln_f", eps) @ w["transformer.wte.weight"].T


# ---------------------------------------------------------------- Llama


def rms_norm(x, weight, eps):
    return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + eps) * weight


def turned(x, theta):
    """Rotary positions of one head, [tokens, width].

    Features i and i + width/2 are the real and imaginary part of a number that is multiplied with
    e^(1j * position * theta^(-2i/width)). Angles in f64, as their definition has no rounding.
    """
    tokens, width = x.shape
    half = width // 2
    speed = theta ** (-2 * torch.arange(half, dtype=torch.float64) / width)
    angle = torch.arange(tokens, dtype=torch.float64)[:, None] * speed
    turn = torch.polar(torch.ones_like(angle), angle)
    turn = torch.complex(turn.real.to(x.dtype), turn.imag.to(x.dtype))
    y = torch.complex(x[:, :half].contiguous(), x[:, half:].contiguous()) * turn
    return torch.cat([y.real, y.imag], -1)


def llama_logits(config, w, tokens):
    """Logits [tokens, vocabulary] of one sequence, head by head.

    Query head h shares its keys and values with the others of its group: those of head
    h // (heads / shared). The output head is a matrix of its own.
    """
    eps = config["rms_norm_eps"]
    heads, shared = config["num_attention_heads"], config["num_key_value_heads"]
    size = config["hidden_size"] // heads
    future = torch.ones(len(tokens), len(tokens), dtype=torch.bool).triu(1)
    x = w["model.embed_tokens.weight"][tokens]

    def linear(x, name):
        return x @ w[name + ".weight"].T

    for i in range(config["num_hidden_layers"]):
        p = f"model.layers.{i}."
        h = rms_norm(x, w[p + "input_layernorm.weight"], eps)
        q, k, v = (linear(h, p + f"self_attn.{n}_proj").split(size, -1) for n in "qkv")
        mixed = []
        for head in range(heads):
            group = head // (heads // shared)
            query, key = (turned(t, config["rope_theta"]) for t in (q[head], k[group]))
            scores = (query @ key.T / math.sqrt(size)).masked_fill(future, -math.inf)
            mixed.append(scores.softmax(-1) @ v[group])
        x = x + linear(torch.cat(mixed, -1), p + "self_attn.o_proj")
        h = rms_norm(x, w[p + "post_attention_layernorm.weight"], eps)
        gate = linear(h, p + "mlp.gate_proj")
        h = gate * torch.sigmoid(gate) * linear(h, p + "mlp.up_proj")
        x = x + linear(h, p + "mlp.down_proj")
    return linear(rms_norm(x, w["model.norm.weight"], eps), "lm_head")


# ---------------------------------------------------------------- language models

LOGITS = {"gpt2": gpt2_logits, "llama": llama_logits}


def causal_logits(config, w, tokens):
    return LOGITS[config["model_type"]](config, w, tokens)


def windows(path, size, count):
    """(inputs, targets) of the first windows: window i reads t[i*size ..] and predicts one later.

    The tokenizer is byte level with id = byte, so the bytes of the file are the tokens.
    """
    with open(path, "rb") as f:
        tokens = torch.tensor(list(f.read()), dtype=torch.long)
    if len(tokens) < size * count + 1:
        raise ValueError(f"{path}: {len(tokens)} bytes, {size * count + 1} needed")
    return [
        (tokens[i * size : (i + 1) * size], tokens[i * size + 1 : (i + 1) * size + 1])
        for i in range(count)
    ]


def causal_eval(model, text):
    config, w = model
    loss, hits, count = 0.0, 0, 0
    with torch.no_grad():
        for inputs, targets in windows(text, EVAL_WINDOW, EVAL_WINDOWS):
            logits = causal_logits(config, w, inputs)
            loss += F.cross_entropy(logits, targets, reduction="none").double().sum().item()
            hits += (logits.argmax(-1) == targets).sum().item()
            count += len(targets)
    return result(loss / count, hits / count, EVAL_WINDOWS, count)


def result(loss, accuracy, examples, tokens):
    return {
        "loss": loss,
        "perplexity": math.exp(loss),
        "accuracy": accuracy,
        "examples": examples,
        "tokens": tokens,
    }


# ---------------------------------------------------------------- WordPiece


class WordPiece:
    """The tokenizer of the original BERT: BasicTokenizer with lower-casing, then WordPiece.

    With whole_words, a blank-separated word that is in the vocabulary is kept whole. bert-base was
    trained so: its texts come split at blanks, and its vocabulary has words like "n't" and "'s"
    that BasicTokenizer would cut at the apostrophe.
    """

    MAX_WORD = 100  # characters; a longer word is [UNK] as a whole

    def __init__(self, vocab_file, whole_words=False):
        self.whole_words = whole_words
        with open(vocab_file, encoding="utf-8") as f:
            self.ids = {line.rstrip("\n"): i for i, line in enumerate(f)}

    @staticmethod
    def basic(text):
        """Words and single punctuation marks, lower-cased and without accents."""
        spaced = []
        for c in text:
            if c in "\t\n\r" or unicodedata.category(c) == "Zs":
                spaced.append(" ")
            elif c in "\0\ufffd" or unicodedata.category(c) in ("Cc", "Cf"):
                continue
            elif is_cjk(ord(c)):
                spaced.append(f" {c} ")  # every ideograph is a word of its own
            else:
                spaced.append(c)
        words = []
        for word in "".join(spaced).split(" "):
            word = unicodedata.normalize("NFD", word.lower())
            part = ""
            for c in word:
                if unicodedata.category(c) == "Mn":
                    continue
                if is_punctuation(c):
                    words += [part, c]
                    part = ""
                else:
                    part += c
            words.append(part)
        return [word for word in words if word]

    def pieces(self, text):
        if not self.whole_words:
            return [piece for word in self.basic(text) for piece in self.split(word)]
        out = []
        for raw in text.lower().split():
            if raw in self.ids:
                out.append(raw)
            else:
                out += [piece for word in self.basic(raw) for piece in self.split(word)]
        return out

    def split(self, word):
        """Greedy longest match first; a word that can not be covered is one [UNK]."""
        if len(word) > self.MAX_WORD:
            return ["[UNK]"]
        out, start = [], 0
        while start < len(word):
            prefix = "##" if start else ""
            for end in range(len(word), start, -1):
                if prefix + word[start:end] in self.ids:
                    break
            else:
                return ["[UNK]"]
            out.append(prefix + word[start:end])
            start = end
        return out

    def encode(self, text):
        """[CLS] pieces [SEP], pieces cut so that all fit the model."""
        pieces = ["[CLS]"] + self.pieces(text)[: BERT_MAX_TOKENS - 2] + ["[SEP]"]
        return [self.ids[p] for p in pieces]


def is_cjk(code):
    return any(
        first <= code <= last
        for first, last in (
            (0x4E00, 0x9FFF),
            (0x3400, 0x4DBF),
            (0x20000, 0x2A6DF),
            (0x2A700, 0x2B73F),
            (0x2B740, 0x2B81F),
            (0x2B820, 0x2CEAF),
            (0xF900, 0xFAFF),
            (0x2F800, 0x2FA1F),
        )
    )


def is_punctuation(c):
    # All ASCII that is no letter, digit or space counts, also where Unicode says "symbol" ($ + ^).
    code = ord(c)
    ascii_mark = 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126
    return ascii_mark or unicodedata.category(c).startswith("P")


# ---------------------------------------------------------------- BERT


def bert_logits(config, w, tokens):
    """Class logits of one sequence without padding, token type 0 throughout."""
    eps = config["layer_norm_eps"]
    heads = config["num_attention_heads"]

    def linear(x, name):
        return F.linear(x, w[name + ".weight"], w[name + ".bias"])

    e = "bert.embeddings."
    x = w[e + "word_embeddings.weight"][tokens]
    x = x + w[e + "position_embeddings.weight"][: len(tokens)]
    x = x + w[e + "token_type_embeddings.weight"][0]
    x = layer_norm(x, w, e + "LayerNorm", eps)
    for i in range(config["num_hidden_layers"]):
        p = f"bert.encoder.layer.{i}."
        q, k, v = (linear(x, p + "attention.self." + n) for n in ("query", "key", "value"))
        h = linear(attention(q, k, v, heads, causal=False), p + "attention.output.dense")
        x = layer_norm(x + h, w, p + "attention.output.LayerNorm", eps)
        h = F.gelu(linear(x, p + "intermediate.dense"))  # "gelu": the exact one, with erf
        x = layer_norm(x + linear(h, p + "output.dense"), w, p + "output.LayerNorm", eps)
    pooled = torch.tanh(linear(x[0], "bert.pooler.dense"))
    return linear(pooled, "classifier")


def read_rows(path, tokenizer):
    """(token ids, label) of every `text TAB label` line."""
    rows = []
    with open(path, encoding="utf-8") as f:
        for line in f:
            text, label = line.rstrip("\n").split("\t")
            rows.append((torch.tensor(tokenizer.encode(text)), int(label)))
    return rows


def bert_eval(model, rows):
    config, w = model
    loss, hits, tokens = 0.0, 0, 0
    with torch.no_grad():
        for ids, label in rows:
            logits = bert_logits(config, w, ids)
            loss -= logits.log_softmax(-1)[label].double().item()
            hits += int(logits.argmax(-1)) == label
            tokens += len(ids)
    return result(loss / len(rows), hits / len(rows), len(rows), tokens)


# ---------------------------------------------------------------- Fisher


def fisher(w, count, terms):
    """F = 1/N sum over examples of sum over terms of p * g * g.

    `terms` yields, per example, the list of (p, log-likelihood) whose gradients g are squared: one
    term with p = 1 for empirical labels, one per class with p = p(class) for expected labels.
    """
    names = list(w)
    total = {name: torch.zeros(w[name].shape, dtype=torch.float64) for name in names}
    parameters = [w[name].requires_grad_(True) for name in names]
    for example in terms:
        for p, log_likelihood in example:
            # Rows of unused tables get no gradient; that is 0, not an error.
            gradients = torch.autograd.grad(
                log_likelihood, parameters, retain_graph=True, allow_unused=True
            )
            for name, g in zip(names, gradients):
                if g is not None:
                    total[name] += p * g.double() ** 2
    for parameter in parameters:
        parameter.requires_grad_(False)
    return {name: t / count for name, t in total.items()}


def causal_fisher(model, text):
    """Empirical; an example is a window, its log-likelihood the sum over its tokens."""
    config, w = model

    def terms():
        for inputs, targets in windows(text, FISHER_WINDOW, FISHER_WINDOWS):
            loss = F.cross_entropy(causal_logits(config, w, inputs), targets, reduction="sum")
            yield [(1.0, -loss)]

    return fisher(w, FISHER_WINDOWS, terms())


def bert_fisher(model, rows, labels):
    config, w = model

    def terms():
        for ids, label in rows:
            log_p = bert_logits(config, w, ids).log_softmax(-1)
            if labels == "empirical":
                yield [(1.0, log_p[label])]
            else:
                yield [(log_p[c].exp().item(), log_p[c]) for c in range(len(log_p))]

    return fisher(w, len(rows), terms())


def summary(tensor):
    """Norm, sum and a few values of a tensor, by flat index in its stored (row-major) order."""
    flat = tensor.flatten()
    n = len(flat)
    if n <= SAMPLES:
        indices = range(n)
    else:
        support = flat.nonzero().flatten()
        if len(support) == n:
            indices = spread(n, SAMPLES - 1)
        else:
            # Embedding rows that no example hits are 0: take half of the samples where it is not.
            indices = spread(n, SAMPLES // 2)
            indices += [support[i].item() for i in spread(len(support), SAMPLES // 2 - 1)]
        indices.append(flat.argmax().item())
        indices = sorted(set(indices))
    return {
        "shape": list(tensor.shape),
        "norm": flat.norm().item(),
        "sum": flat.sum().item(),
        "indices": list(indices),
        "values": [flat[i].item() for i in indices],
    }


def spread(n, count):
    """count indices in 0..n-1, the middles of equal parts."""
    return [(2 * i + 1) * n // (2 * count) for i in range(count)]


def fisher_entry(model, data, labels, examples, diag, **more):
    return {
        "model": model,
        "data": data,
        "labels": labels,
        "examples": examples,
        **more,
        "tensors": {name: summary(diag[name]) for name in sorted(diag)},
    }


# ---------------------------------------------------------------- low rank


def lowrank(config, w, diag):
    """Errors of the best rank-r approximations of each attention and MLP matrix, in f64.

    With T = W R and R diagonal and invertible, the best weighted error is the tail of T's singular
    values, sqrt(sum_{k>r} s_k^2) / ||T|| (Eckart-Young); R = I is the plain case. Here the factors
    are formed and subtracted all the same, so the number is what a written file would show.
    """
    out = {}
    for i in range(config["n_layer"]):
        for part in ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"):
            name = f"transformer.h.{i}.{part}.weight"
            matrix = w[name].double().T  # Conv1D's [in, out] as [out, in]
            d = diag[name].T.sum(0)
            d = d + DAMPING * d.mean()
            rows, columns = matrix.shape
            rank = math.floor(KEEP * rows * columns / (rows + columns))
            out[name] = {
                "rank": rank,
                "plain_relative_error": error_at(matrix, torch.ones_like(d), rank),
                "fisher_relative_error": error_at(matrix, d.sqrt(), rank),
            }
    return {"factorize": out}


def error_at(matrix, r, rank):
    """||(W - What) R|| / ||W R|| with R = diag(r) and What = best_rank(W R) R^-1."""
    u, s, vt = torch.linalg.svd(matrix * r, full_matrices=False)
    approximation = (u[:, :rank] * s[:rank]) @ vt[:rank] / r
    return (((matrix - approximation) * r).norm() / (matrix * r).norm()).item()


# ---------------------------------------------------------------- tokens

SENTENCES = [
    "a gorgeous , witty , seductive movie",
    "The Café's CRÈME BRÛLÉE wasn't naïve -- it was über-good!",
    "Who?  What?!\tWhere...\nand `why' not",
    "I paid $12.50 (plus 20% tip) & left @ 9:45pm; #regret",
    "我爱电影 and 映画が好き, said the critic",
    "zqxjkvw flibbertigibbet xylophonist",
    "great \U0001f600 movie\U0001f44d \U0001f468\u200d\U0001f469\u200d\U0001f467 fun",
    "so " + "good" * 25 + " and so " + "good" * 25 + "y it hurts",  # of 100, 101 characters
    "re\u00adcommend\u200bed\u00a0by\u3000me\ufffd, \u201creally\u201d \u2014 c\u0327a va \u2026",
    "\u0130stanbul STRASSE stra\u00dfe \u0391\u03a3 \ufb01lm e\u0301\u0301te\u0301 \u00f1 \u00f8",
    "",
    "it does n't hurt , and it 's the film we 'd all like",
    "it is a long , long film , and " + "the same dull thing happens again , " * 9 + "the end",
]


def token_entries(tokenizer, whole_words):
    return [
        {
            "text": s,
            "pieces": tokenizer.pieces(s),
            "ids": tokenizer.encode(s),
            "whole_words_ids": whole_words.encode(s),
        }
        for s in SENTENCES
    ]


# ---------------------------------------------------------------- main


def compute(root, dtype=torch.float32):
    """Name of the golden file -> its content."""

    def text(name):
        return os.path.join(root, "text", name)

    def model(name):
        return load_model(os.path.join(root, name), dtype)

    drama, scripture, bert = model("gpt2-drama"), model("gpt2-scripture"), model("bert-base")
    llama = model("llama-drama")
    vocab = os.path.join(root, "bert-base", "vocab.txt")
    tokenizer, whole_words = WordPiece(vocab), WordPiece(vocab, whole_words=True)
    rows = read_rows(text("reviews.dev.tsv"), tokenizer)
    whole_rows = read_rows(text("reviews.dev.tsv"), whole_words)
    texts = ("drama.val.txt", "scripture.val.txt")
    evaluation = {
        "gpt2-drama": {t: causal_eval(drama, text(t)) for t in texts},
        "gpt2-scripture": {t: causal_eval(scripture, text(t)) for t in texts},
        "llama-drama": {t: causal_eval(llama, text(t)) for t in texts},
        "bert-base": {"reviews.dev.tsv": bert_eval(bert, rows)},
        "bert-base.whole-words": {"reviews.dev.tsv": bert_eval(bert, whole_rows)},
    }
    statistics = {}
    diagonals = {}
    for name, network in (("gpt2-drama", drama), ("llama-drama", llama)):
        diagonals[name] = causal_fisher(network, text("drama.train.txt"))
        statistics[f"{name}.empirical"] = fisher_entry(
            name,
            "drama.train.txt",
            "empirical",
            FISHER_WINDOWS,
            diagonals[name],
            tokens=FISHER_WINDOWS * FISHER_WINDOW,
            window=FISHER_WINDOW,
        )
    first = rows[:FISHER_ROWS]
    # These rows have no contractions, so that the Fisher does not hang on how they are cut.
    if any(a.tolist() != b.tolist() for (a, _), (b, _) in zip(first, whole_rows)):
        raise ValueError("the two ways to cut words differ on the first rows of reviews.dev.tsv")
    for labels in ("expected", "empirical"):
        statistics[f"bert-base.{labels}"] = fisher_entry(
            "bert-base",
            "reviews.dev.tsv",
            labels,
            len(first),
            bert_fisher(bert, first, labels),
            tokens=sum(len(ids) for ids, _ in first),
        )
    return {
        "eval.json": evaluation,
        "fisher.json": statistics,
        "tokens.json": token_entries(tokenizer, whole_words),
        "lowrank.json": lowrank(*drama, diagonals["gpt2-drama"]),
    }


def main(root):
    torch.set_num_threads(1)
    for name, value in compute(root).items():
        with open(os.path.join(root, "golden", name), "w", encoding="ascii") as f:
            json.dump(value, f, indent=1)  # doubles are written with all their digits
            f.write("\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: make_golden.py TESTDATA")
    main(sys.argv[1])
