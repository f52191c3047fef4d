package gguf

import (
	"bytes"
	"fmt"
	"strings"
)

// guess says what a file is that begins with head and is no GGUF, and what to
// do about it.
func guess(head []byte) string {
	text := strings.ToLower(strings.TrimSpace(string(head)))
	switch {
	case strings.HasPrefix(text, "version https://git-lfs"):
		return "it is a Git LFS pointer; run: git lfs pull"
	case strings.HasPrefix(text, "<!doctype"), strings.HasPrefix(text, "<html"), strings.HasPrefix(text, "<?xml"):
		return "it is a web page; the download was answered with one, download it again"
	case bytes.HasPrefix(head, []byte("lmgg")), bytes.HasPrefix(head, []byte("fmgg")), bytes.HasPrefix(head, []byte("tjgg")):
		return "it is a GGML file from before 2023-08; convert the model again"
	case bytes.HasPrefix(head, []byte("FUGG")):
		return "it is a GGUF file with its bytes in reverse order; convert the model again"
	case len(head) > 9 && head[8] == '{' && head[7] == 0:
		return "it looks like safetensors; convert it with llama.cpp's convert_hf_to_gguf.py"
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return "it is a zip archive, perhaps PyTorch weights; convert the model to GGUF"
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return "it is compressed with gzip; unpack it first"
	case len(bytes.Trim(head, "\x00")) == 0:
		return "it begins with zeros; the download is not complete, download it again"
	default:
		return fmt.Sprintf("it begins with %q, not with %q", head[:min(4, len(head))], magic)
	}
}
