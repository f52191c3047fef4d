package llamacpp

import (
	"testing"

	"bendi/internal/deptest"
)

func TestImports(t *testing.T) {
	deptest.Check(t, map[string]string{
		"github.com/gin-gonic/gin":    "serving HTTP belongs to openaicompat",
		"github.com/hybridgroup/yzma": "llama.cpp aborts its process, which must not be the gateway's",
		"github.com/jupiterrider/ffi": "it panics at start where libffi is missing",
		"bendi/inference/engine":      "the engine runs in the worker's process alone",
		"bendi/router":                "a backend does not know who chose it",
	})
	deptest.StandardLibraryOnly(t, "bendi/chat", "bendi/internal/life", "bendi/internal/output", "bendi/internal/upstream", "bendi/openaicompat/body", "bendi/openaicompat/wire", "bendi/inference/remote", "bendi/models/load")
}
