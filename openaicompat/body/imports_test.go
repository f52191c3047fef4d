package body_test

import (
	"testing"

	"bendi/internal/deptest"
)

func TestImports(t *testing.T) {
	deptest.StandardLibraryOnly(t, "bendi/chat")
	deptest.Check(t, map[string]string{
		"net/http": "bodies alone are read here; connections belong to whoever has one",
	})
}
