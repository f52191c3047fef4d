package link

import (
	"testing"

	"bendi/internal/deptest"
)

func TestImports(t *testing.T) {
	deptest.Check(t, map[string]string{
		"github.com/gin-gonic/gin": "HTTP for clients belongs to openaicompat",
		"bendi/router":             "the link carries requests and knows nothing of models",
		"bendi/inference":          "the link carries requests and knows nothing of models",
		"bendi/openaicompat":       "the link carries requests and knows nothing of models",
	})
}
