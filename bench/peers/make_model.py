#!/usr/bin/env python3
"""make_model.py FOLDER [--shape qwen2.5-0.5b|small]: a model folder with the shape of Qwen2.5-0.5B and random bf16 weights, and train.jsonl beside it.

Needs nothing but Python. The tokenizer knows bytes only, so that a text of N ASCII letters is N tokens; what the weights are does not change how
long a step takes. The same folder is read by slipway and by every peer."""
import argparse
import json
import os
import random
import struct

SHAPES = {
    "qwen2.5-0.5b": dict(hidden=896, layers=24, heads=14, kv=2, ffn=4864, vocab=151936),
    "small": dict(hidden=64, layers=2, heads=4, kv=2, ffn=128, vocab=512),
}


def byte_letters():
    """Byte-level BPE's letter for each byte."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in plain]
    return {byte: chr(byte) for byte in plain} | {byte: chr(256 + i) for i, byte in enumerate(rest)}


def tensors(s):
    """Name, shape and spread of every tensor; a spread of None is all ones."""
    h, d = s["hidden"], s["hidden"] // s["heads"]
    yield "model.embed_tokens.weight", [s["vocab"], h], 0.02
    for layer in range(s["layers"]):
        at = f"model.layers.{layer}."
        for name, out, into in (("self_attn.q_proj", h, h), ("self_attn.k_proj", s["kv"] * d, h), ("self_attn.v_proj", s["kv"] * d, h),
                                ("self_attn.o_proj", h, h), ("mlp.gate_proj", s["ffn"], h), ("mlp.up_proj", s["ffn"], h),
                                ("mlp.down_proj", h, s["ffn"])):
            yield f"{at}{name}.weight", [out, into], 0.02
            if name[-6] in "qkv" and "attn" in name:
                yield f"{at}{name}.bias", [out], 0.02
        for name in ("input_layernorm", "post_attention_layernorm"):
            yield f"{at}{name}.weight", [h], None
    yield "model.norm.weight", [h], None


def noise(spread, rng):
    """A megabyte of bf16 of about normal distribution, cut from and repeated for every tensor."""
    values = [rng.gauss(0, spread) for _ in range(1 << 19)]
    return b"".join(struct.pack("<f", value)[2:] for value in values)


def write_weights(path, s, rng):
    header, offset, listed = {"__metadata__": {"format": "pt"}}, 0, list(tensors(s))
    for name, shape, _ in listed:
        size = 2
        for n in shape:
            size *= n
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    block = noise(0.02, rng)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, _, spread in listed:
            begin, end = header[name]["data_offsets"]
            left = end - begin
            while left > 0:
                start = 0 if left >= len(block) else 2 * rng.randrange((len(block) - left) // 2 + 1)
                piece = block[start:start + left] if spread is not None else b"\x80\x3f" * (left // 2)
                file.write(piece)
                left -= len(piece)


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, indent=1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--shape", choices=SHAPES, default="qwen2.5-0.5b")
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--samples", type=int, default=64)
    options = parser.parse_args()
    s, rng = SHAPES[options.shape], random.Random(7)
    os.makedirs(options.folder, exist_ok=True)
    at = lambda name: os.path.join(options.folder, name)
    write_json(at("config.json"), {
        "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_size": s["hidden"], "intermediate_size": s["ffn"],
        "num_hidden_layers": s["layers"], "num_attention_heads": s["heads"], "num_key_value_heads": s["kv"], "vocab_size": s["vocab"],
        "hidden_act": "silu", "max_position_embeddings": 32768, "rms_norm_eps": 1e-6, "rope_theta": 1e6, "tie_word_embeddings": True,
        "use_sliding_window": False, "torch_dtype": "bfloat16", "bos_token_id": 256, "eos_token_id": 256})
    letters = byte_letters()
    vocab = {letters[byte]: byte for byte in range(256)}
    added = [{"id": 256, "content": "<|end|>", "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}]
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    write_json(at("tokenizer.json"), {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None, "pre_tokenizer": level,
        "post_processor": None, "decoder": level,
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "", "end_of_word_suffix": "",
                  "fuse_unk": False, "byte_fallback": False, "ignore_merges": False, "vocab": vocab, "merges": []}})
    write_json(at("tokenizer_config.json"), {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|end|>", "pad_token": "<|end|>"})
    write_json(at("special_tokens_map.json"), {"eos_token": "<|end|>", "pad_token": "<|end|>"})
    with open(at("train.jsonl"), "w", encoding="utf-8") as file:
        for _ in range(options.samples):
            file.write(json.dumps({"text": "".join(rng.choice("abcdefghijklmnopqrstuvwxyz ") for _ in range(options.tokens))}) + "\n")
    if not os.path.exists(at("model.safetensors")):
        write_weights(at("model.safetensors"), s, rng)


main()
