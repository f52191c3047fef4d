package ledger_test

import (
	"testing"

	"bendi/internal/deptest"
)

func TestImports(t *testing.T) {
	deptest.Check(t, map[string]string{
		"github.com/gin-gonic/gin": "HTTP belongs to openaicompat",
		"net/http":                 "HTTP belongs to openaicompat",
		"bendi/inference":          "a ledger sees models as chat.Model alone",
		"bendi/router":             "what a route does reaches the ledger on events",
	})
}
