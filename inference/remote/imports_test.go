package remote_test

import (
	"testing"

	"bendi/internal/deptest"
)

func TestImports(t *testing.T) {
	deptest.Check(t, map[string]string{
		"github.com/gin-gonic/gin":    "serving HTTP belongs to openaicompat",
		"github.com/hybridgroup/yzma": "only the worker loads llama.cpp",
		"github.com/jupiterrider/ffi": "only the worker loads llama.cpp",
		"github.com/tmaxmax/go-sse":   "it is the oracle of the tests alone; see events",
		"bendi/router":                "a backend does not know who chose it",
		"bendi/inference/llamacpp":    "a worker is asked through this package, not the other way round",
	})
	deptest.StandardLibraryOnly(t, "bendi/chat", "bendi/internal/upstream", "bendi/openaicompat/wire", "bendi/openaicompat/body")
}
