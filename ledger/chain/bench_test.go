package chain

import (
	"fmt"
	"syscall"
	"testing"
	"time"
)

// Lines come at 5,000 a second, as from requests that end one by one.
func BenchmarkRate(b *testing.B) {
	const rate = 5000
	dir := b.TempDir()
	l := open(b, Options{Dir: dir, Interval: time.Second, Block: true})
	data := fmt.Appendf(nil, `{"id":"req_abcdefghijklmnop","text":"%0400d"}`, 0)
	before, begun, n := spent(), time.Now(), 0
	for b.Loop() {
		if err := l.Reserve(); err != nil {
			b.Fatal(err)
		}
		l.Keep("request", append([]byte(nil), data...))
		if n++; n%5 == 0 {
			time.Sleep(time.Until(begun.Add(time.Duration(n) * time.Second / rate)))
		}
	}
	took := time.Since(begun)
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(spent()-before)/float64(n)/1e3, "cpu-us/record")
	b.ReportMetric(float64(n)/took.Seconds(), "records/s")
	if got := requests(b, dir); got != n {
		b.Errorf("%d lines of %d", got, n)
	}
	if r := verified(b, dir, VerifyOptions{}); len(r.Problems) > 0 {
		b.Error(r.Problems)
	}
}

// spent returns the CPU time of this program.
func spent() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkVerify(b *testing.B) {
	dir := b.TempDir()
	written(b, Options{Dir: dir, Interval: time.Second}, 5000)
	for b.Loop() {
		if _, err := Verify(dir, VerifyOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(5000*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}
