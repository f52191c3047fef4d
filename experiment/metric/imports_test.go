package metric_test

import (
	"testing"

	"bendi/internal/deptest"
)

func TestImports(t *testing.T) { deptest.StandardLibraryOnly(t, "bendi/experiment/stats") }
