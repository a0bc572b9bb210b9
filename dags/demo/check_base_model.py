#!/usr/bin/env python3
"""Proves with torch what the demo promises: a LoRA fine-tuning of the base model learns to classify held-out reviews.

  check_base_model.py BASE_MODEL_FOLDER [--lr 2e-3] [--epochs 1] [--batch 2] [--rows 800] [--answer-only]

Answers the held-out reviews by greedy generation before and after; exits 1 unless at most 60 % are right before and at
least 95 % after. Needs torch (Debian: python3-torch).
"""
import argparse
import csv
import json
import math
import os
import random
import struct
import sys
import time

import torch

import make_base_model as base

HERE = os.path.dirname(os.path.abspath(__file__))


def load_model(folder):
    with open(f"{folder}/config.json", encoding="utf-8") as file:
        model = base.Gemma2(json.load(file))
    with open(f"{folder}/model.safetensors", "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = bytearray(file.read())
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        raw = torch.frombuffer(data, dtype=torch.bfloat16, count=math.prod(entry["shape"]), offset=entry["data_offsets"][0])
        model.w(name).data = raw.view(entry["shape"]).float()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return model


def load_tokens(folder):
    with open(f"{folder}/tokenizer.json", encoding="utf-8") as file:
        content = json.load(file)["model"]
    tokens = base.Tokens.__new__(base.Tokens)
    tokens.ids, tokens.cache = content["vocab"], {}
    tokens.vocabulary = sorted(tokens.ids, key=tokens.ids.get)
    tokens.merges = [tuple(pair) for pair in content["merges"]]
    return tokens


def read_rows(name, limit=None):
    """(text up to the answer, answer); the limit counts rows before those with gaps are dropped."""
    with open(f"{HERE}/reviews/{name}", encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))[:limit]
    return [(base.question(row["id"], row["reviewText"]) + "\nAnswer:", row["scoreSentiment"]) for row in table
            if row["reviewText"] and row["scoreSentiment"]]


def add_lora(model, rank, alpha, dropout):
    pairs = {}
    for layer in range(model.c["num_hidden_layers"]):
        for linear in model.linears:
            rows, cols = model.w(f"model.layers.{layer}.{linear}.weight").shape
            a = torch.empty(rank, cols).uniform_(-cols ** -0.5, cols ** -0.5)
            pairs[f"model.layers.{layer}.{linear}"] = (a.requires_grad_(), torch.zeros(rows, rank).requires_grad_())
    model.lora = (pairs, alpha / rank, dropout)
    return [tensor for pair in pairs.values() for tensor in pair]


def fine_tune(model, tokens, rows, options):
    parameters = add_lora(model, options.rank, options.alpha, options.dropout)
    optimizer = torch.optim.AdamW(parameters, lr=options.lr, weight_decay=0.001)
    order = random.Random(42)
    samples = []
    for prompt, answer in rows:
        ids = tokens.encode(f"{prompt} {answer}") + [base.EOS]
        samples.append((ids, len(tokens.encode(prompt)) if options.answer_only else 1))
    steps = math.ceil(len(samples) / options.batch) * options.epochs
    warmup = math.ceil(0.03 * steps)
    model.train()
    for step in range(steps):
        at = step % (steps // options.epochs)
        if at == 0:
            order.shuffle(samples)
        batch = samples[at * options.batch:(at + 1) * options.batch]
        ids = base.padded([row for row, _ in batch])
        labels = base.padded([[base.PAD] * start + row[start:] for row, start in batch])
        factor = step / warmup if step < warmup else 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))
        for group in optimizer.param_groups:
            group["lr"] = options.lr * factor
        optimizer.zero_grad(set_to_none=True)
        loss = base.loss_of(model, ids, labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, options.clip)
        optimizer.step()
        if step % 20 == 0 or step + 1 == steps:
            print(f"  step {step + 1}/{steps} loss {loss.item():.4f}", flush=True)
    model.eval()


@torch.no_grad()
def generate(model, tokens, prompt, count, temperature=0.0):
    ids = tokens.encode(prompt)
    start = len(ids)
    for _ in range(count):
        logits = model(torch.tensor([ids]))[0, -1]
        step = logits.argmax() if temperature == 0 else torch.multinomial(torch.softmax(logits / temperature, -1), 1)
        if int(step) == base.EOS:
            break
        ids.append(int(step))
    return tokens.decode(ids[start:])


def accuracy(model, tokens, rows):
    answers = [generate(model, tokens, prompt, 6).split("\n")[0].strip() for prompt, _ in rows]
    right = sum(answer == want for answer, (_, want) in zip(answers, rows))
    kinds = {answer: answers.count(answer) for answer in sorted(set(answers), key=answers.count, reverse=True)[:3]}
    print(f"  {right} of {len(rows)} right; answers {kinds}")
    return right / len(rows)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    for name, kind, value in (("lr", float, 2e-3), ("epochs", int, 1), ("batch", int, 2), ("rows", int, 800),
                              ("rank", int, 8), ("alpha", float, 16), ("dropout", float, 0.1), ("clip", float, 0.3)):
        parser.add_argument(f"--{name}", type=kind, default=value)
    parser.add_argument("--answer-only", action="store_true", help="loss on the answer instead of on every token")
    options = parser.parse_args()
    torch.manual_seed(42)
    model, tokens = load_model(options.folder).eval(), load_tokens(options.folder)
    rows = read_rows("rotten_tomatoes_movie_reviews.csv", options.rows)
    held_out = read_rows("held_out_movie_reviews.csv")
    print("before fine-tuning")
    before = accuracy(model, tokens, held_out)
    begin = time.time()
    fine_tune(model, tokens, rows, options)
    print(f"after fine-tuning on {len(rows)} rows, {time.time() - begin:.0f} s")
    after = accuracy(model, tokens, held_out)
    smoke = "Question: Review analysis for movie 'dangerous_men_2015'"
    print("  " + repr(smoke + generate(model, tokens, smoke, 128, 0.1)))
    return 0 if before <= 0.6 and after >= 0.95 else 1


if __name__ == "__main__":
    sys.exit(main())
