#!/usr/bin/env python3
"""cross.py SLIPWAY [NAME...]: random models of many shapes, computed by torch, transformers and peft and by slipway: logits, gradients of an adapter,
20 training steps, the merged model and its greedy text. One line a model; exit 1 if one differs.

Needs torch, transformers, peft and accelerate (made with 2.5.1, 4.47.0, 0.13.2); Qwen3 and Gemma 3 need transformers 4.51 and are left out, loudly,
without it. Tokenizers and texts are those of tests/ml/fixtures."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import warnings

import peft
import torch
import transformers
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tests/ml/fixtures/models")
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
LENGTH, STEPS, RATE = 96, 20, 5e-3
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64}


def shape(kind, hidden, ffn, layers, heads, kv, **more):
    return {"model_type": kind, "hidden_size": hidden, "intermediate_size": ffn, "num_hidden_layers": layers, "num_attention_heads": heads,
            "num_key_value_heads": kv, "max_position_embeddings": 512, **more}


def llama(*sizes, **more):
    return "tiny-llama", shape("llama", *sizes, vocab_size=508, **more)


def qwen(kind, *sizes, **more):
    return "tiny-qwen2", shape(kind, *sizes, vocab_size=544, rope_theta=1e6, **more)


def gemma(kind, *sizes, **more):
    return "tiny-gemma2", shape(kind, *sizes, vocab_size=518, hidden_activation="gelu_pytorch_tanh", **more)


# Name: (tokenizer, configuration), dtype on disk, largest shard.
F32, F16, B16 = torch.float32, torch.float16, torch.bfloat16
CASES = {
    "llama-mqa": (llama(56, 72, 3, 7, 1, rms_norm_eps=1e-5, tie_word_embeddings=True), F32, "5GB"),
    "llama-3": (llama(64, 100, 2, 4, 4, rope_theta=5e5, rope_scaling=LLAMA3, attention_bias=True, mlp_bias=True), F32, "60KB"),
    "llama-linear": (llama(48, 80, 2, 3, 3, head_dim=24, rope_scaling={"type": "linear", "factor": 4.0}), F16, "5GB"),
    "llama-yarn": (llama(48, 80, 2, 6, 2, head_dim=32, rope_scaling={"rope_type": "yarn", "factor": 4.0}), F32, "5GB"),
    "llama-dynamic": (llama(48, 80, 2, 6, 3, rope_scaling={"rope_type": "dynamic", "factor": 2.0}), B16, "5GB"),
    "qwen2-untied": (qwen("qwen2", 96, 130, 3, 8, 2, tie_word_embeddings=False), B16, "100KB"),
    "qwen2-yarn": (qwen("qwen2", 96, 130, 2, 4, 1, rope_scaling={"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 512},
                        tie_word_embeddings=True), F32, "5GB"),
    "qwen2-window": (qwen("qwen2", 64, 130, 3, 4, 2, use_sliding_window=True, sliding_window=20, max_window_layers=0, tie_word_embeddings=True),
                     F32, "5GB"),
    "gemma2-caps": (gemma("gemma2", 72, 100, 4, 6, 3, head_dim=20, query_pre_attn_scalar=256, sliding_window=9, attn_logit_softcapping=5.0,
                          final_logit_softcapping=7.0), B16, "5GB"),
    "gemma2-untied": (gemma("gemma2", 64, 90, 2, 8, 1, head_dim=16, query_pre_attn_scalar=16, sliding_window=4096, attn_logit_softcapping=None,
                            final_logit_softcapping=None, tie_word_embeddings=False), F32, "5GB"),
    "qwen3-tied": (qwen("qwen3", 48, 112, 3, 4, 2, head_dim=20, tie_word_embeddings=True), F32, "5GB"),
    "qwen3-bias": (qwen("qwen3", 60, 64, 2, 6, 1, head_dim=16, tie_word_embeddings=False, attention_bias=True), B16, "5GB"),
    "gemma3-linear": (gemma("gemma3_text", 56, 80, 4, 4, 2, head_dim=16, query_pre_attn_scalar=24, sliding_window=9, sliding_window_pattern=3,
                            rope_theta=1e6, rope_local_base_freq=1e4, rope_scaling={"rope_type": "linear", "factor": 8.0}), F32, "5GB"),
    "gemma3": (gemma("gemma3_text", 64, 96, 7, 4, 1, head_dim=32, query_pre_attn_scalar=32, sliding_window=17, rope_theta=1e6,
                     rope_local_base_freq=1e4), B16, "5GB"),
}


def read_lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def write_lines(path, rows):
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def relative(a, b):
    return float((a - b).norm() / b.norm().clamp_min(1e-30))


class Case:
    def __init__(self, slipway, name, work):
        self.slipway, self.name, self.work = slipway, name, work
        (self.tokenizer_name, self.config), self.dtype, self.shard = CASES[name]
        self.folder, self.notes, self.good = os.path.join(work, name), [], True

    def at(self, name):
        return os.path.join(self.work, name)

    def run(self, *arguments):
        done = subprocess.run([self.slipway, *map(str, arguments)], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{arguments[:2]} exit {done.returncode}: {done.stderr[-400:]}")

    def judge(self, what, value, limit):
        self.notes.append(f"{what} {value:.1e}")
        self.good &= value <= limit

    def load(self, folder, dtype):
        return AutoModelForCausalLM.from_pretrained(folder, torch_dtype=dtype, attn_implementation="eager").eval()

    def make(self):
        torch.manual_seed(sum(map(ord, self.name)))
        config = dict(self.config)
        made = AutoConfig.for_model(config.pop("model_type"), **config, eos_token_id=1, bos_token_id=2, pad_token_id=0)
        model = AutoModelForCausalLM.from_config(made, attn_implementation="eager").float()
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1:
                parameter.data.normal_(0, 0.5 if "embed" in name else 1.4 / parameter.shape[1] ** 0.5)
            elif "norm" in name:
                parameter.data.add_(torch.randn_like(parameter) * 0.2)
            else:
                parameter.data.normal_(0, 0.3)
        model.to(self.dtype).tie_weights()
        model.config.torch_dtype = self.dtype
        model.save_pretrained(self.folder, max_shard_size=self.shard)
        for file in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
            shutil.copy(f"{FIXTURES}/{self.tokenizer_name}-fp32/{file}", self.folder)
        self.tokenizer = AutoTokenizer.from_pretrained(self.folder)
        self.texts = [row["prompt"] for row in read_lines(f"{FIXTURES}/{self.tokenizer_name}.train.jsonl")[:STEPS]]
        self.ids = [self.tokenizer(text, add_special_tokens=False)["input_ids"][:LENGTH] for text in self.texts]
        self.model = self.load(self.folder, torch.float32)

    def logits(self):
        write_lines(self.at("in.jsonl"), [{"prompt_ids": ids} for ids in self.ids[:3]])
        self.run("debug", "logits", "--model", self.folder, "--compute-dtype", "fp32", "--input", self.at("in.jsonl"), "--output", self.at("logits"))
        got = load_file(self.at("logits"))
        with torch.no_grad():
            wanted = [self.model(torch.tensor([ids])).logits[0] for ids in self.ids[:3]]
        self.judge("logits", max(float((got[f"logits_{i}"] - z).abs().max() / z.pow(2).mean().sqrt()) for i, z in enumerate(wanted)), 1e-4)

    def adapt(self):
        config = peft.LoraConfig(r=5, lora_alpha=9, lora_dropout=0.0, target_modules=TARGETS, task_type="CAUSAL_LM")
        self.model = peft.get_peft_model(self.model, config)
        for name, parameter in self.model.named_parameters():
            if "lora_" in name:
                parameter.data.normal_(0, 0.15)
        self.adapter = self.folder + "-adapter"
        self.model.save_pretrained(self.adapter)

    def loss(self, ids):
        tokens = torch.tensor([ids])
        labels = torch.where(tokens == self.tokenizer.eos_token_id, -100, tokens)[0, 1:]
        logits = self.model(tokens).logits[0, :-1]
        return torch.nn.functional.cross_entropy(logits, labels, ignore_index=-100, reduction="sum"), int((labels != -100).sum())

    def gradients(self):
        self.model.zero_grad()
        sums = [self.loss(ids) for ids in self.ids[:4]]
        (sum(loss for loss, _ in sums) / sum(count for _, count in sums)).backward()
        write_lines(self.at("data.jsonl"), [{"text": text} for text in self.texts[:4]])
        self.run("debug", "grads", "--compute-dtype", "fp32", "--model", self.folder, "--adapter", self.adapter, "--data", self.at("data.jsonl"),
                 "--max-seq-length", LENGTH, "--compat", "hf", "--output", self.at("gradients"))
        got = load_file(self.at("gradients"))
        wanted = {name.replace(".default", ""): p.grad for name, p in self.model.named_parameters() if "lora_" in name}
        assert set(got) == set(wanted), "names of the gradients differ"
        self.judge("gradients", max(relative(got[name], wanted[name]) for name in wanted), 5e-4)

    def training(self):
        trained = [p for p in self.model.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=RATE, weight_decay=0.001)
        schedule = transformers.get_cosine_schedule_with_warmup(optimizer, 2, STEPS)
        wanted = []
        for ids in self.ids:
            optimizer.zero_grad()
            loss, count = self.loss(ids)
            (loss / count).backward()
            wanted.append((float(loss / count), float(torch.nn.utils.clip_grad_norm_(trained, 0.3))))
            optimizer.step()
            schedule.step()
        write_lines(self.at("data.jsonl"), [{"text": text} for text in self.texts])
        shutil.rmtree(self.at("out"), ignore_errors=True)
        self.run("train", "--model", self.folder, "--data", self.at("data.jsonl"), "--init-adapter", self.adapter, "--output", self.at("out"),
                 "--lora-dropout", 0, "--max-seq-length", LENGTH, "--max-steps", STEPS, "--learning-rate", RATE, "--warmup-steps", 2,
                 "--logging-steps", 1, "--no-shuffle", "--compat", "hf")
        got = read_lines(self.at("out/metrics.jsonl"))
        assert len(got) == STEPS, f"{len(got)} steps"
        self.judge("losses", max(abs(a["loss"] - b[0]) / max(1, b[0]) for a, b in zip(got, wanted)), 5e-5)
        self.judge("norms", max(abs(a["grad_norm"] - b[1]) / b[1] for a, b in zip(got, wanted)), 2e-4)

    # peft merges what slipway trained, and transformers loads what slipway merged.
    def merging(self):
        peer = peft.PeftModel.from_pretrained(self.load(self.folder, self.dtype), self.at("out/adapter")).merge_and_unload().state_dict()
        merged = self.load(self.at("out/final_model"), self.dtype)
        mine = merged.state_dict()
        assert set(mine) == set(peer), "names of the merged tensors differ"
        worst = max(float(((mine[k].float() - peer[k].float()).abs() / peer[k].float().abs().clamp_min(1e-3)).max()) for k in peer)
        self.judge("merged", worst, 1e-4 if self.dtype == torch.float32 else 1e-2)
        merged, prompt, count = merged.float(), self.ids[0][:20], 30
        with torch.no_grad():
            wanted = merged.generate(torch.tensor([prompt]), max_new_tokens=count, do_sample=False, eos_token_id=None, pad_token_id=0)[0, 20:].tolist()
        write_lines(self.at("in.jsonl"), [{"prompt_ids": prompt}])
        self.run("generate", "--compute-dtype", "fp32", "--model", self.at("out/final_model"), "--input", self.at("in.jsonl"), "--max-new-tokens", count,
                 "--temperature", 0, "--ignore-eos", "--output", self.at("text.jsonl"))
        got = read_lines(self.at("text.jsonl"))[0]["ids"]
        same = next((i for i, (a, b) in enumerate(zip(got, wanted)) if a != b), count)
        self.notes.append(f"greedy {same}/{count}")
        self.good &= same >= 20


def main():
    newer = tuple(map(int, transformers.__version__.split(".")[:2])) >= (4, 51)
    names, failures = sys.argv[2:] or list(CASES), 0
    with tempfile.TemporaryDirectory(prefix="cross-") as work:
        for name in names:
            if name.startswith(("qwen3", "gemma3")) and not newer:
                print(f"SKIPPED {name}: transformers {transformers.__version__} does not know it", flush=True)
                continue
            case = Case(os.path.abspath(sys.argv[1]), name, work)
            try:
                for step in (case.make, case.logits, case.adapt, case.gradients, case.training, case.merging):
                    step()
            except Exception as problem:
                case.good = False
                case.notes.append(f"{type(problem).__name__}: {problem}")
            failures += not case.good
            print("agrees " if case.good else "DIFFERS", name, "; ".join(case.notes), flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
