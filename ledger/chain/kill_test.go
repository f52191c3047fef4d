package chain

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

const childDir = "BENDI_TEST_CHAIN" // the folder that a child of this test writes to

// A program that is killed 200 times while it writes loses no line that it was
// told is written, and the chain is whole.
func TestKilled(t *testing.T) {
	if dir := os.Getenv(childDir); dir != "" {
		child(dir)
		return
	}
	times := 200
	if testing.Short() {
		times = 20
	}
	dir := t.TempDir()
	last, torn := uint64(0), 0
	for i := range times {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
		cmd.Env = append(os.Environ(), childDir+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		lines.Scan()
		timer := time.AfterFunc(time.Duration(rand.IntN(20))*time.Millisecond, func() { cmd.Process.Kill() })
		for ok := true; ok; ok = lines.Scan() {
			fmt.Sscanf(strings.TrimPrefix(lines.Text(), "written "), "%d", &last)
		}
		timer.Stop()
		cmd.Wait()
		if i%20 != 19 && i != times-1 {
			continue
		}
		r := whole(t, dir, VerifyOptions{})
		if r.Last < last {
			t.Fatalf("after %d ends, %d lines of %d are there", i+1, r.Last, last)
		}
		torn = r.Torn
	}
	t.Logf("%d ends, %d lines, of which %d were torn", times, last, torn)
}

// child writes for as long as it lives, and says how far it has come.
func child(dir string) {
	l, err := Open(Options{Dir: dir, Interval: 10 * time.Millisecond, MaxFile: 200 << 10})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for n := 0; ; n++ {
		l.Add("request", fmt.Appendf(nil, `{"n":%d,"text":"%0300d"}`, n, 0))
		if n%50 == 0 {
			for l.Stats().Waiting > 0 {
				time.Sleep(10 * time.Microsecond)
			}
			fmt.Println("written", l.Head().Seq)
		}
	}
}
