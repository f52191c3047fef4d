package match

import (
	"testing"

	"bendi/internal/deptest"
)

func TestImports(t *testing.T) {
	deptest.StandardLibraryOnly(t, "bendi/filter/find", "bendi/filter/fold")
}
