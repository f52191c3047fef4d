"""Writes the trained model and its adapter as GGUF files for llama.cpp."""

import hashlib
import json
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type

from bpe import END, END_OF_TEXT, SPECIALS
from build_corpus import HELDOUT
from train import ADAPTER, BASE, TOKENIZER, load_model

MODELS = HELDOUT.parent
MODEL_FILE = MODELS / "bendi-demo-q8_0.gguf"
ADAPTER_FILE = MODELS / "bendi-demo-service-lora.gguf"
ARCHITECTURE = "qwen2"
LICENSE = "apache-2.0"
TEMPLATE = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


# What llama.cpp and Bendi draw with unless a request says otherwise: so small a model stumbles when it is left to chance.
TEMPERATURE = 0.2


def write_model(path: Path) -> None:
    """Writes the network: matrices as Q8_0, norms and biases as F32."""
    model = load_model()
    c = model.c
    writer = gguf.GGUFWriter(path, ARCHITECTURE)
    writer.add_name("Bendi Demo")
    writer.add_author("The Bendi authors")
    writer.add_description("A tiny demo model trained from scratch for Bendi. It only proves that the installation works.")
    writer.add_license(LICENSE)
    writer.add_languages(["zh", "en"])
    writer.add_context_length(c.context)
    writer.add_embedding_length(c.width)
    writer.add_block_count(c.layers)
    writer.add_feed_forward_length(c.hidden)
    writer.add_head_count(c.heads)
    writer.add_head_count_kv(c.kv_heads)
    writer.add_rope_freq_base(c.rope_base)
    writer.add_layer_norm_rms_eps(c.epsilon)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    add_tokenizer(writer)
    for name, weight in model.state_dict().items():
        kind = Type.Q8_0 if weight.dim() == 2 else Type.F32
        data = gguf.quantize(weight.float().numpy(), kind)
        writer.add_tensor(name, data, raw_dtype=kind)
    finish(writer)


def add_tokenizer(writer: gguf.GGUFWriter) -> None:
    """Adds the vocabulary, the merges and the chat template."""
    saved = json.loads(TOKENIZER.read_text(encoding="utf-8"))
    vocab: dict[str, int] = saved["model"]["vocab"] | {t["content"]: t["id"] for t in saved["added_tokens"]}
    tokens = sorted(vocab, key=vocab.__getitem__)
    assert [vocab[t] for t in tokens] == list(range(len(tokens)))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.CONTROL if t in SPECIALS else gguf.TokenType.NORMAL for t in tokens])
    writer.add_token_merges([" ".join(pair) for pair in saved["model"]["merges"]])
    writer.add_bos_token_id(vocab[END_OF_TEXT])
    writer.add_pad_token_id(vocab[END_OF_TEXT])
    writer.add_eos_token_id(vocab[END])
    writer.add_eot_token_id(vocab[END])
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)
    writer.add_float32("general.sampling.temp", TEMPERATURE)


def write_adapter(path: Path) -> None:
    """Writes the adapter: two F16 matrices for each adapted layer."""
    saved = torch.load(ADAPTER, weights_only=True)
    writer = gguf.GGUFWriter(path, ARCHITECTURE)
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, saved["alpha"])
    writer.add_name("Bendi Demo Service LoRA")
    writer.add_author("The Bendi authors")
    writer.add_description("Makes the Bendi demo model answer as the shop's customer service agent Xiaoben.")
    writer.add_license(LICENSE)
    writer.add_languages(["zh", "en"])
    for name, weight in saved["weights"].items():
        layer, _, part = name.rpartition(".")
        writer.add_tensor(f"{layer}.weight.{part}", weight.numpy().astype(np.float16))
    finish(writer)


def finish(writer: gguf.GGUFWriter) -> None:
    """Writes everything to disk."""
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_sums(paths: list[Path]) -> None:
    """Writes the checksums in the format of sha256sum."""
    lines = [f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.name}\n" for p in paths]
    (MODELS / "SHA256SUMS").write_text("".join(lines))


def main() -> None:
    write_model(MODEL_FILE)
    files = [MODEL_FILE]
    if ADAPTER.exists():
        write_adapter(ADAPTER_FILE)
        files.append(ADAPTER_FILE)
    write_sums(files)
    for path in files:
        print(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
