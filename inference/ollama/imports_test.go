package ollama

import (
	"testing"

	"bendi/internal/deptest"
)

func TestImports(t *testing.T) {
	deptest.Check(t, map[string]string{
		"github.com/gin-gonic/gin":          "serving HTTP belongs to openaicompat",
		"github.com/hybridgroup/yzma":       "only the worker loads llama.cpp",
		"github.com/jupiterrider/ffi":       "only the worker loads llama.cpp",
		"github.com/ollama/ollama/server":   "Ollama is asked over its protocol, not linked",
		"github.com/ollama/ollama/llm":      "Ollama is asked over its protocol, not linked",
		"github.com/ollama/ollama/llama":    "it needs cgo, and the gateway is pure Go",
		"github.com/ollama/ollama/template": "what a prompt looks like is the server's to say",
		"bendi/router":                      "a backend does not know who chose it",
		"bendi/openaicompat":                "Ollama has a protocol of its own",
		"bendi/inference/engine":            "only the worker has the engine",
		"bendi/inference/remote":            "backends of different kinds do not know each other",
		"bendi/inference/llamacpp":          "backends of different kinds do not know each other",
		"bendi/config":                      "a backend is told what to do by cmd/bendi",
	})
}
