package token_test

import (
	"testing"

	"bendi/internal/deptest"
)

func TestImports(t *testing.T) {
	deptest.Check(t, map[string]string{
		"bendi/openaicompat":        "it knows tokens, and no HTTP of ours",
		"bendi/config":              "issuers arrive as Go values",
		"github.com/gin-gonic/gin":  "HTTP belongs to openaicompat",
		"github.com/redis/go-redis": "a token is taken whether Redis is there or not",
	})
}
