package pii_test

import (
	"testing"

	"bendi/internal/deptest"
)

func TestImports(t *testing.T) {
	deptest.StandardLibraryOnly(t, "bendi/filter/find")
	deptest.Check(t, map[string]string{"net": "a detector calls nobody", "regexp": "it cannot read a stream", "net/http": "a detector calls nobody"})
}
