package fold

import (
	"runtime"
	"testing"
)

// What the first use of each table costs; the package's documentation tells it.
func BenchmarkLoad(b *testing.B) {
	for _, table := range []struct {
		name string
		read func() any
	}{
		{"runes", func() any { return readRunes() }},
		{"readings", func() any { return readReadings() }},
		{"parts", func() any { return readParts() }},
		{"alikes", func() any { return readAlikes() }},
	} {
		b.Run(table.name, func(b *testing.B) {
			held := heap()
			facts := table.read()
			held = heap() - held
			runtime.KeepAlive(facts)
			for b.Loop() {
				table.read()
			}
			b.ReportMetric(float64(held>>10), "KB-held")
		})
	}
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
