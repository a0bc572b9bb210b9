#!/usr/bin/env python3
"""Trains the base model of the demo: a Gemma 2 of 1.3 million parameters that has read film reviews.

  make_base_model.py OUTPUT_FOLDER [--steps N]

It learns to continue generated reviews, of all words and patterns of make_reviews.py, some of them in the form of the
question. It never sees an answer. About two minutes on one core. Needs torch (Debian: python3-torch, libopenblas0);
seeded, but torch does not promise the same bits on another CPU.
"""
import argparse
import collections
import json
import math
import os
import random
import struct

import torch
import torch.nn.functional as F

import make_reviews

SEED = 7
SPECIALS = ["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>"]
PAD, EOS, BOS = 0, 1, 2
VOCABULARY = 900
CONFIG = dict(
    architectures=["Gemma2ForCausalLM"], model_type="gemma2", hidden_size=160, num_hidden_layers=4, num_attention_heads=4,
    num_key_value_heads=2, head_dim=40, intermediate_size=448, vocab_size=VOCABULARY, max_position_embeddings=2048,
    query_pre_attn_scalar=40, attn_logit_softcapping=50.0, final_logit_softcapping=30.0, sliding_window=4096,
    rms_norm_eps=1e-06, rope_theta=10000.0, hidden_act="gelu_pytorch_tanh", hidden_activation="gelu_pytorch_tanh",
    attention_bias=False, attention_dropout=0.0, tie_word_embeddings=True, initializer_range=0.02, use_cache=True,
    cache_implementation="hybrid", bos_token_id=BOS, eos_token_id=EOS, pad_token_id=PAD, torch_dtype="bfloat16",
    transformers_version="4.46.1")


def question(title, review):
    """The text that `slipway prepare` makes of a row, up to the answer."""
    return f"Question: Review analysis for movie '{title}'\nContext: {review}"


def documents(count, seed):
    """Unlabelled reviews, longer than those to answer for; two in five in the form of the question, without its answer."""
    reviews = make_reviews.Reviews(seed, None)
    lot = random.Random(seed + 1)
    for _ in range(count):
        text = reviews.review(reviews.label(), (2, 4, 6))
        yield question(reviews.title(), text) if lot.random() < 0.4 else text


class Tokens:
    """Byte-pair encoding in the form of Gemma's: blanks are U+2581, no pre-tokeniser, bytes for what is unknown."""

    def __init__(self, texts, size):
        words = collections.Counter(word for text in texts for word in self.words(text))
        self.vocabulary = SPECIALS + ["\n"] + [f"<0x{byte:02X}>" for byte in range(256)]
        printable = [chr(c) for c in range(33, 127)] + ["\u2581"]
        self.vocabulary += printable
        self.merges = []
        pieces = {word: list(word) for word in words}
        while len(self.vocabulary) < size:
            pairs = collections.Counter()
            for word, parts in pieces.items():
                for pair in zip(parts, parts[1:]):
                    pairs[pair] += words[word]
            (left, right), _ = max(pairs.items(), key=lambda item: (item[1], item[0]))
            self.merges.append((left, right))
            self.vocabulary.append(left + right)
            for word, parts in pieces.items():
                pieces[word] = self.merge(parts, left, right)
        self.ids = {token: i for i, token in enumerate(self.vocabulary)}
        self.cache = {}

    @staticmethod
    def words(text):
        """A merge never crosses a line break (an added token) or the beginning of a word, so words are enough."""
        for line in text.replace(" ", " \u2581").split("\n"):
            yield from (word for word in line.split(" ") if word)

    @staticmethod
    def merge(parts, left, right):
        out = []
        for part in parts:
            if out and out[-1] == left and part == right:
                out[-1] = left + right
            else:
                out.append(part)
        return out

    def encode_word(self, word):
        if word not in self.cache:
            parts = list(word)
            for left, right in self.merges:
                if left in parts:
                    parts = self.merge(parts, left, right)
            self.cache[word] = [self.ids[part] for part in parts]
        return self.cache[word]

    def encode(self, text):
        ids = [BOS]
        for number, line in enumerate(text.split("\n")):
            if number:
                ids.append(self.ids["\n"])
            for word in self.words(line):
                ids += self.encode_word(word)
        return ids

    def decode(self, ids):
        return "".join(self.vocabulary[i] for i in ids).replace("\u2581", " ")

    def to_json(self):
        special = [dict(id=i, content=token, single_word=False, lstrip=False, rstrip=False, normalized=False,
                        special=i < len(SPECIALS)) for i, token in enumerate(SPECIALS + ["\n"])]
        bos = {"SpecialToken": {"id": "<bos>", "type_id": 0}}
        return dict(
            version="1.0", truncation=None, padding=None, added_tokens=special,
            normalizer=dict(type="Replace", pattern=dict(String=" "), content="\u2581"),
            pre_tokenizer=dict(type="Split", pattern=dict(String=" "), behavior="MergedWithPrevious", invert=False),
            post_processor=dict(
                type="TemplateProcessing", single=[bos, {"Sequence": {"id": "A", "type_id": 0}}],
                pair=[bos, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "<bos>", "type_id": 1}},
                      {"Sequence": {"id": "B", "type_id": 1}}],
                special_tokens={"<bos>": dict(id="<bos>", ids=[BOS], tokens=["<bos>"])}),
            decoder=dict(type="Sequence", decoders=[
                dict(type="Replace", pattern=dict(String="\u2581"), content=" "), dict(type="ByteFallback"),
                dict(type="Fuse")]),
            model=dict(type="BPE", dropout=None, unk_token="<unk>", continuing_subword_prefix=None, end_of_word_suffix=None,
                       fuse_unk=True, byte_fallback=True, ignore_merges=False, vocab=self.ids,
                       merges=[list(pair) for pair in self.merges]))


class Gemma2(torch.nn.Module):
    """Formulas: transformers v4.46.1 modeling_gemma2.py. Weights are named as there, without the dots."""

    def __init__(self, config):
        super().__init__()
        self.c = config
        h, d, f = config["hidden_size"], config["head_dim"], config["intermediate_size"]
        q, kv = config["num_attention_heads"] * d, config["num_key_value_heads"] * d
        shapes = {"self_attn.q_proj": (q, h), "self_attn.k_proj": (kv, h), "self_attn.v_proj": (kv, h),
                  "self_attn.o_proj": (h, q), "mlp.gate_proj": (f, h), "mlp.up_proj": (f, h), "mlp.down_proj": (h, f)}
        self.linears = list(shapes)
        self.names = {"model.embed_tokens.weight": torch.randn(config["vocab_size"], h) * 0.05, "model.norm.weight": torch.zeros(h)}
        for layer in range(config["num_hidden_layers"]):
            for name, (rows, cols) in shapes.items():
                self.names[f"model.layers.{layer}.{name}.weight"] = torch.randn(rows, cols) * cols ** -0.5
            for norm in ("input", "post_attention", "pre_feedforward", "post_feedforward"):
                self.names[f"model.layers.{layer}.{norm}_layernorm.weight"] = torch.zeros(h)
        for name, value in self.names.items():
            self.register_parameter(name.replace(".", "_"), torch.nn.Parameter(value))
        self.lora = None  # {path: (A, B)}, scale

    def w(self, name):
        return getattr(self, name.replace(".", "_"))

    def norm(self, x, name):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.c["rms_norm_eps"]) * (1 + self.w(name + ".weight"))

    def linear(self, x, path):
        y = F.linear(x, self.w(path + ".weight"))
        if self.lora is not None:
            pairs, scale, dropout = self.lora
            a, b = pairs[path]
            y = y + scale * F.linear(F.linear(F.dropout(x, dropout, self.training), a), b)
        return y

    def rotate(self, x):
        d = self.c["head_dim"]
        inverse = self.c["rope_theta"] ** (-torch.arange(0, d, 2, dtype=torch.float32) / d)
        angle = torch.arange(x.shape[2], dtype=torch.float32)[:, None] * torch.cat([inverse, inverse])
        half = torch.cat([-x[..., d // 2:], x[..., :d // 2]], -1)
        return x * angle.cos() + half * angle.sin()

    def attention(self, x, path):
        batch, length, _ = x.shape
        heads, kv_heads, d = self.c["num_attention_heads"], self.c["num_key_value_heads"], self.c["head_dim"]
        split = lambda y, n: y.view(batch, length, n, d).transpose(1, 2)
        q = self.rotate(split(self.linear(x, path + ".q_proj"), heads))
        k = self.rotate(split(self.linear(x, path + ".k_proj"), kv_heads)).repeat_interleave(heads // kv_heads, 1)
        v = split(self.linear(x, path + ".v_proj"), kv_heads).repeat_interleave(heads // kv_heads, 1)
        scores = q @ k.transpose(2, 3) * self.c["query_pre_attn_scalar"] ** -0.5
        cap = self.c["attn_logit_softcapping"]
        scores = cap * torch.tanh(scores / cap)
        scores = scores + torch.full((length, length), float("-inf")).triu(1)  # shorter than the sliding window
        out = (torch.softmax(scores, -1) @ v).transpose(1, 2).reshape(batch, length, heads * d)
        return self.linear(out, path + ".o_proj")

    def mlp(self, x, path):
        gate = F.gelu(self.linear(x, path + ".gate_proj"), approximate="tanh")
        return self.linear(gate * self.linear(x, path + ".up_proj"), path + ".down_proj")

    def forward(self, ids):
        embedding = self.w("model.embed_tokens.weight")
        x = F.embedding(ids, embedding) * math.sqrt(self.c["hidden_size"])
        for layer in range(self.c["num_hidden_layers"]):
            at = f"model.layers.{layer}"
            y = self.attention(self.norm(x, at + ".input_layernorm"), at + ".self_attn")
            x = x + self.norm(y, at + ".post_attention_layernorm")
            y = self.mlp(self.norm(x, at + ".pre_feedforward_layernorm"), at + ".mlp")
            x = x + self.norm(y, at + ".post_feedforward_layernorm")
        cap = self.c["final_logit_softcapping"]
        return cap * torch.tanh(F.linear(self.norm(x, "model.norm"), embedding) / cap)


def padded(rows):
    length = max(map(len, rows))
    return torch.tensor([row + [PAD] * (length - len(row)) for row in rows])


def loss_of(model, ids, labels):
    return F.cross_entropy(model(ids)[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=PAD)


def batches(rows, size):
    """Batches of rows of like length, in random order: less padding."""
    order = random.Random(SEED)
    out = []
    for start in range(0, len(rows), 16 * size):
        chunk = sorted(rows[start:start + 16 * size], key=len)
        groups = [padded(chunk[at:at + size]) for at in range(0, len(chunk), size)]
        order.shuffle(groups)
        out += groups
    return out


def train(model, rows, steps, batch):
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.95), weight_decay=0.01)
    for step, ids in enumerate(batches(rows, batch)):
        factor = min(1, (step + 1) / 50) * 0.5 * (1 + math.cos(math.pi * step / steps))
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * factor
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(model, ids, ids)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 50 == 0 or step + 1 == steps:
            print(f"step {step + 1}/{steps} loss {loss.item():.4f}", flush=True)


def save_safetensors(path, tensors):
    """bf16, rounded to nearest even."""
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, tensor in sorted(tensors.items()):
        raw = tensor.detach().to(torch.bfloat16).contiguous().view(torch.int16).numpy().tobytes()
        header[name] = dict(dtype="BF16", shape=list(tensor.shape), data_offsets=[len(data), len(data) + len(raw)])
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def save(folder, model, tokens):
    os.makedirs(folder, exist_ok=True)
    names = dict(bos_token="<bos>", eos_token="<eos>", unk_token="<unk>", pad_token="<pad>")
    files = {
        "config.json": CONFIG,
        "generation_config.json": dict(_from_model_config=True, bos_token_id=BOS, eos_token_id=EOS, pad_token_id=PAD,
                                       transformers_version="4.46.1"),
        "tokenizer.json": tokens.to_json(),
        "tokenizer_config.json": dict(
            names, add_bos_token=True, add_eos_token=False, clean_up_tokenization_spaces=False, model_max_length=2048,
            tokenizer_class="PreTrainedTokenizerFast"),
        "special_tokens_map.json": names}
    for name, content in files.items():
        with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
            json.dump(content, file, ensure_ascii=False, indent=None if name == "tokenizer.json" else 2)
            file.write("\n")
    save_safetensors(f"{folder}/model.safetensors", {name: model.w(name) for name in model.names})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--steps", type=int, default=900)
    parser.add_argument("--batch", type=int, default=32)
    options = parser.parse_args()
    torch.manual_seed(SEED)
    texts = list(documents(options.steps * options.batch, SEED))
    tokens = Tokens(texts[:4000] + ["Answer: POSITIVE", "Answer: NEGATIVE"] * 200, VOCABULARY)
    rows = [tokens.encode(text) + [EOS] for text in texts]
    print(f"{len(rows)} texts, {sum(map(len, rows)) / len(rows):.1f} tokens each")
    model = Gemma2(CONFIG)
    train(model, rows, options.steps, options.batch)
    save(options.folder, model, tokens)


if __name__ == "__main__":
    main()
