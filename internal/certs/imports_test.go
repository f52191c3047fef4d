package certs

import (
	"testing"

	"bendi/internal/deptest"
)

func TestImports(t *testing.T) {
	deptest.Check(t, map[string]string{
		"bendi/config":             "settings arrive as Go values",
		"bendi/openaicompat":       "who is served is none of its business",
		"github.com/gin-gonic/gin": "HTTP belongs to openaicompat",
	})
}
