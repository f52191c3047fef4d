package redistest

import (
	"testing"

	"bendi/internal/deptest"
)

func TestImports(t *testing.T) { deptest.StandardLibraryOnly(t) }
