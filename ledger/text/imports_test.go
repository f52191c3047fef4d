package text_test

import (
	"testing"

	"bendi/internal/deptest"
)

func TestImports(t *testing.T) {
	deptest.Check(t, map[string]string{
		"github.com/gin-gonic/gin": "HTTP belongs to openaicompat",
		"net/http":                 "HTTP belongs to openaicompat",
		"bendi/inference":          "words are heard at a chat.Model",
		"bendi/router":             "likewise",
		"bendi/ledger/audit":       "records never have a word",
	})
}
