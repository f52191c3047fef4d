#!/bin/sh
# Builds the demo model end to end: corpus, tokenizer, network, adapter, GGUF files.
# Everything in between goes to build/; the result goes to models/demo/.
set -eu
cd "$(dirname "$0")"
[ -x .venv/bin/python ] || python3 -m venv .venv
.venv/bin/pip install --quiet --requirement requirements.txt
export OMP_WAIT_POLICY=PASSIVE
.venv/bin/python build_corpus.py
for stage in tokenizer base adapter evaluate; do
	.venv/bin/python train.py "$stage"
done
.venv/bin/python export_gguf.py
