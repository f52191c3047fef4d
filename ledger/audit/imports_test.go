package audit_test

import (
	"testing"

	"bendi/internal/deptest"
)

func TestImports(t *testing.T) {
	deptest.Check(t, map[string]string{
		"github.com/gin-gonic/gin": "HTTP belongs to openaicompat",
		"net/http":                 "HTTP belongs to openaicompat",
		"bendi/inference":          "a record is of what an entry tells",
		"bendi/router":             "likewise",
	})
}
