package process

import (
	"testing"

	"bendi/internal/deptest"
)

func TestImports(t *testing.T) {
	deptest.Check(t, map[string]string{
		"github.com/gin-gonic/gin": "serving HTTP belongs to openaicompat",
		"bendi/inference/remote":   "how the server is spoken with is up to whoever configures it",
		"bendi/router":             "a backend does not know who chose it",
	})
	deptest.StandardLibraryOnly(t, "bendi/chat", "bendi/internal/life", "bendi/internal/output")
}
