#!/usr/bin/env python3
"""dags/mlops-dag.yaml, whole, on the local executor, with the demo's reviews and model instead of Kaggle's and Gemma's.

  mlops.py --slipway build/bin/slipway --source ."""
import argparse
import csv
import http.client
import json
import os
import re
import shutil
import subprocess
import sys

import harness

TASKS = ["dataset_download_task", "data_pipeline_task", "fine_tuning_task", "model_serving"]
PROMPT = "Question: Review analysis for movie 'dangerous_men_2015'"


def expect(value, wanted, what):
    if value != wanted:
        raise RuntimeError(f"{what}: {value!r}, not {wanted!r}")


def as_the_guide_prepares(path, limit):
    """The lines of the guide's script: the limit counts rows before those with gaps are dropped. pandas reads these words as gaps, too."""
    gaps = {"", "nan", "NaN", "NA", "N/A", "n/a", "null", "NULL", "None", "#N/A", "<NA>", "-NaN", "-nan", "#NA", "1.#IND", "1.#QNAN", "-1.#IND", "-1.#QNAN", "#N/A N/A"}
    with open(path, newline="", encoding="utf-8") as file:
        for _, row in zip(range(limit), csv.DictReader(file)):
            fields = [row["id"], row["reviewText"], row["scoreSentiment"]]
            if not gaps & set(fields):
                text = "Question: Review analysis for movie '{}'\nContext: {}\nAnswer: {}".format(*fields)
                yield json.dumps({"text": text}) + "\n"


def set_secret(slipway, name):
    subprocess.run([slipway.binary, "secret", "set", name], env=slipway.env, input="stand-in", text=True, check=True, capture_output=True)


def ask(port, body):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/generate", json.dumps(body), {"Content-Type": "application/json"})
    reply = connection.getresponse()
    return reply.status, json.loads(reply.read())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--slipway", required=True)
    parser.add_argument("--source", required=True)
    options = parser.parse_args()
    dags = os.path.join(os.path.abspath(options.source), "dags")
    with harness.Slipway(options.slipway) as slipway:
        path = os.path.join(slipway.work, "mlops-dag.yaml")
        shutil.copy(os.path.join(dags, "mlops-dag.yaml"), path)
        harness.use_free_port(path)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        port = int(re.search(r"port: (\d+)", text).group(1))
        for name in ("inference.yaml", "inference-service.yaml"):
            shutil.copy(os.path.join(dags, name), slipway.dags)
        slipway.write_dag("mlops-dag.yaml", text)
        slipway.start()

        shown = next(dag for dag in slipway.json("dag", "list")["dags"] if dag["id"] == "mlops-dag")
        expect(shown["paused"], True, "a new DAG waits for somebody to unpause it")
        expect(slipway.json("run", "list", "mlops-dag")["runs"], [], "nothing is caught up meanwhile")

        for name in ("KAGGLE_USERNAME", "KAGGLE_KEY", "HF_TOKEN"):
            set_secret(slipway, name)
        data = os.path.join(slipway.work, "bucket")
        slipway.cli("run", "start", "mlops-dag", "--params-file", os.path.join(dags, "mlops-small.json"), "-p", f"data={data}",
                    "-p", f"demo={dags}/demo", "-p", f"source={dags}/demo/reviews", "--wait", timeout=400)
        body = slipway.json("run", "get", "@latest")
        expect({task["task"]: task["state"] for task in body["tasks"]}, dict.fromkeys(TASKS, "success"), "tasks")

        with open(os.path.join(data, "prepared_data.jsonl"), encoding="utf-8") as file:
            lines = file.readlines()
        expect(lines, list(as_the_guide_prepares(f"{dags}/demo/reviews/rotten_tomatoes_movie_reviews.csv", 1000)), "prepared data")
        rows = next(task["outputs"]["rows_written"] for task in body["tasks"] if task["task"] == "data_pipeline_task")
        expect(rows, len(lines), "rows written")
        for name in ("config.json", "tokenizer.json", "model.safetensors"):
            expect(os.path.isfile(os.path.join(data, "fine_tuned_model", name)), True, name)

        status, reply = ask(port, {"prompt": PROMPT, "temperature": 0.1, "top_p": 1.0, "max_tokens": 128})
        expect(status, 200, "status of the question")
        expect("Answer: POSITIVE" in reply["text"][0], True, reply["text"][0])
        print(f"mlops: {rows} rows, and the model answers {reply['text'][0][len(PROMPT):]!r}")
    return 0


sys.exit(main())
