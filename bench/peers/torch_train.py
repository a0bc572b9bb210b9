#!/usr/bin/env python3
"""torch_train.py MODEL [--dtype float32|bfloat16] [--steps N] [--accumulation N] [--checkpointing]: LoRA steps with torch, transformers and peft.

What a careful script does: frozen base in the dtype, rank 8 on all seven modules without dropout, micro-batch 1, AdamW, clipping. Prints one JSON
line: seconds of each step, tokens per second over the steps after the first, peak RSS, seconds from exec to the beginning of the first step."""
import argparse
import json
import os
import resource
import time

parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("--dtype", default="bfloat16")
parser.add_argument("--steps", type=int, default=3)
parser.add_argument("--accumulation", type=int, default=4)
parser.add_argument("--tokens", type=int, default=512)
parser.add_argument("--checkpointing", action="store_true")
options = parser.parse_args()

import torch  # noqa: E402
from peft import LoraConfig, get_peft_model  # noqa: E402
from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: E402


def since_exec():
    with open("/proc/self/stat", encoding="ascii") as stat, open("/proc/uptime", encoding="ascii") as uptime:
        return float(uptime.read().split()[0]) - int(stat.read().rsplit(")", 1)[1].split()[19]) / os.sysconf("SC_CLK_TCK")


model = AutoModelForCausalLM.from_pretrained(options.model, torch_dtype=getattr(torch, options.dtype), attn_implementation="sdpa")
tokenizer = AutoTokenizer.from_pretrained(options.model)
model.config.use_cache = False
model = get_peft_model(model, LoraConfig(r=8, lora_alpha=16, lora_dropout=0.0, task_type="CAUSAL_LM", target_modules=[
    "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]))
if options.checkpointing:
    model.enable_input_require_grads()
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
model.train()
trained = [p for p in model.parameters() if p.requires_grad]
optimizer = torch.optim.AdamW(trained, lr=2e-4, weight_decay=0.001)
with open(os.path.join(options.model, "train.jsonl"), encoding="utf-8") as file:
    samples = [tokenizer(json.loads(line)["text"], return_tensors="pt")["input_ids"][:, :options.tokens] for line in file]
first_step_at, seconds, cpu, losses, tokens, at = since_exec(), [], [], [], 0, 0
for step in range(options.steps):
    begin, begin_cpu, total = time.perf_counter(), time.process_time(), 0.0
    batch = [samples[(at + i) % len(samples)] for i in range(options.accumulation)]
    at += options.accumulation
    labels = sum(ids.shape[1] - 1 for ids in batch)
    for ids in batch:
        logits = model(input_ids=ids).logits[0, :-1].float()
        loss = torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="sum") / labels
        loss.backward()
        total += float(loss)
        tokens += ids.shape[1] if step > 0 else 0
    torch.nn.utils.clip_grad_norm_(trained, 0.3)
    optimizer.step()
    optimizer.zero_grad()
    seconds.append(round(time.perf_counter() - begin, 3))
    cpu.append(round(time.process_time() - begin_cpu, 3))
    losses.append(round(total, 4))
print(json.dumps({"peer": "torch", "dtype": options.dtype, "checkpointing": options.checkpointing, "seconds": seconds, "cpu_seconds": cpu, "losses": losses,
                  "tokens_per_second": round(tokens / sum(seconds[1:]), 2) if len(seconds) > 1 else None,
                  "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
                  "first_step_s": round(first_step_at, 2), "versions": [torch.__version__]}))
