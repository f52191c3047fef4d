package life

import (
	"testing"

	"bendi/internal/deptest"
)

func TestImports(t *testing.T) { deptest.StandardLibraryOnly(t, "bendi/chat") }
