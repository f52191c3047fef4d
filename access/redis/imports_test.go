package redis_test

import (
	"testing"

	"bendi/internal/deptest"
)

func TestImports(t *testing.T) {
	deptest.Check(t, map[string]string{
		"bendi/openaicompat":       "it counts, and knows no HTTP",
		"bendi/config":             "where Redis is arrives as a client",
		"bendi/conversation":       "sessions are kept elsewhere",
		"github.com/gin-gonic/gin": "HTTP belongs to openaicompat",
	})
}
