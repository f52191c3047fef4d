package conversation_test

import (
	"testing"

	"bendi/internal/deptest"
)

func TestImports(t *testing.T) {
	deptest.Check(t, map[string]string{
		"github.com/gin-gonic/gin": "HTTP belongs to openaicompat",
		"net/http":                 "HTTP belongs to openaicompat",
		"bendi/inference":          "a model is a chat.Model, whatever it is",
		"bendi/router":             "a route is a chat.Model",
		"bendi/filter":             "what stands between memory and client is a chat.Model",
		"bendi/config":             "policies arrive as Go values",
		"github.com/redis":         "stores arrive through Store",
		"modernc.org/sqlite":       "stores arrive through Store",
		"database/sql":             "stores arrive through Store",
	})
}
