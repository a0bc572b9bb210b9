#!/usr/bin/env python3
"""trainer.py SLIPWAY PYTHON [--pairs 7] [--steps 3] [--accumulation 4]: LoRA steps of slipway and of torch + transformers + peft, one after the other.

PYTHON has torch, transformers and peft. Both read the folder that make_model.py makes (shape of Qwen2.5-0.5B, random bf16 weights), rank 8 on all
seven modules, micro-batch 1, 512 tokens, every row labelled. The first step of each process warms up and does not count. One JSON line a run, then
one with the medians: tokens per second, tokens per second of CPU (what a loaded machine leaves comparable), peak RSS, seconds to the first step."""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))


def finished(process):
    """The process's own CPU seconds and peak RSS in MB."""
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise RuntimeError(f"{process.args[0]} ended with status {status}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss // 1024


def run_slipway(binary, model, options, dtype):
    """Tokens per second by its own reports; CPU of all steps by the difference to a run of one step."""
    tokens = options.accumulation * options.tokens
    cpu, rss, rates, start = {}, 0, [], 0.0
    for steps in (1, options.steps):
        with tempfile.TemporaryDirectory() as output:
            begin = time.time()
            process = subprocess.Popen(
                [binary, "train", "--model", model, "--data", f"{model}/train.jsonl", "--output", f"{output}/out", "--no-merge", "--max-steps",
                 str(steps), "--gradient-accumulation-steps", str(options.accumulation), "--lora-dropout", "0", "--logging-steps", "1", "--no-shuffle",
                 "--save-strategy", "no", "--compute-dtype", dtype], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            cpu[steps], rss = finished(process)
            with open(f"{output}/out/metrics.jsonl", encoding="utf-8") as file:
                lines = [json.loads(line) for line in file]
            with open(f"{output}/out/config.json", encoding="utf-8") as file:
                kernel = json.load(file)["kernel"]
            with open(f"{output}/out/process.log", encoding="utf-8") as file:
                began = [line for line in file if " memory: " in line][0].split()[0]
            start = time.mktime(time.strptime(began[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone + float("0" + began[19:26]) - begin
            rates = [line["tokens_per_second"] for line in lines[1:]]
    cpu_rate = tokens * (options.steps - 1) / (cpu[options.steps] - cpu[1])
    return {"peer": "slipway", "kernel": kernel, "tokens_per_second": round(statistics.mean(rates), 1), "tokens_per_cpu_second": round(cpu_rate, 1),
            "peak_rss_mb": rss, "first_step_s": round(start, 2), "losses": [round(line["loss"], 4) for line in lines]}


def run_torch(python, model, options, dtype):
    done = subprocess.run([python, f"{HERE}/torch_train.py", model, "--dtype", dtype, "--steps", str(options.steps), "--accumulation",
                           str(options.accumulation), "--tokens", str(options.tokens)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr[-300:])
    line = json.loads(done.stdout.strip().splitlines()[-1])
    tokens = options.accumulation * options.tokens * (options.steps - 1)
    line["tokens_per_cpu_second"] = round(tokens / sum(line["cpu_seconds"][1:]), 1)
    return line


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("slipway")
    parser.add_argument("python")
    parser.add_argument("--model", default="/tmp/slipway-bench-qwen")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--accumulation", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--torch-dtype", default="bfloat16")
    parser.add_argument("--compute-dtype", default="auto")
    options = parser.parse_args()
    subprocess.run([sys.executable, f"{HERE}/make_model.py", options.model, "--tokens", str(options.tokens)], check=True)
    results = {"slipway": [], "torch": []}
    for _ in range(options.pairs):
        for name, run in (("slipway", lambda: run_slipway(options.slipway, options.model, options, options.compute_dtype)),
                          ("torch", lambda: run_torch(options.python, options.model, options, options.torch_dtype))):
            line = run()
            line["load1"] = round(os.getloadavg()[0], 1)
            results[name].append(line)
            print(json.dumps(line), flush=True)
    median = lambda name, key: statistics.median(line[key] for line in results[name])
    keys = ("tokens_per_second", "tokens_per_cpu_second", "peak_rss_mb", "first_step_s")
    print(json.dumps({"bench": "trainer-peers", "pairs": options.pairs, "cores": os.cpu_count(),
                      **{f"{name}_{key}": median(name, key) for name in results for key in keys},
                      "times_tokens_per_second": round(median("slipway", keys[0]) / median("torch", keys[0]), 2),
                      "times_tokens_per_cpu_second": round(median("slipway", keys[1]) / median("torch", keys[1]), 2)}))


main()
