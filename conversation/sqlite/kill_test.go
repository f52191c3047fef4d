package sqlite_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"bendi/conversation"
	"bendi/conversation/sqlite"
)

// A program that is killed while it writes loses nothing that it was told is
// stored, and the file is whole.
func TestKilledWhileWriting(t *testing.T) {
	if path := os.Getenv("BENDI_TEST_WRITER"); path != "" {
		writeOn(t, path)
		return
	}
	rounds := 12
	if text := os.Getenv("BENDI_TEST_KILLS"); text != "" {
		rounds, _ = strconv.Atoi(text)
	}
	path := filepath.Join(t.TempDir(), "s.db")
	acknowledged := make(map[string]uint64)
	for round := range rounds {
		for key, version := range written(t, path) {
			acknowledged[key] = version
		}
		s := open(t, path, sqlite.Normal)
		if err := s.Verify(t.Context()); err != nil {
			t.Fatalf("after kill %d: %v", round+1, err)
		}
		for id, version := range acknowledged {
			v, err := s.Load(t.Context(), conversation.Key{Owner: "o", ID: id}, 0)
			if err != nil || v.Version < version {
				t.Fatalf("after kill %d: session %s has version %d, %v; %d was acknowledged", round+1, id, v.Version, err, version)
			}
		}
		s.Close()
	}
	t.Logf("%d kills, %d sessions", rounds, len(acknowledged))
}

// written lets another program write for a moment, kills it, and returns what
// it was told is stored: the last version of each session.
func written(t *testing.T, path string) map[string]uint64 {
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledWhileWriting$")
	cmd.Env = append(os.Environ(), "BENDI_TEST_WRITER="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := make(map[string]uint64)
	lines := bufio.NewScanner(out)
	var killer *time.Timer
	for lines.Scan() {
		id, version, ok := strings.Cut(lines.Text(), " ")
		n, err := strconv.ParseUint(version, 10, 64)
		if !ok || err != nil {
			continue
		}
		if killer == nil {
			killer = time.AfterFunc(time.Duration(rand.IntN(60))*time.Millisecond, func() { cmd.Process.Kill() })
		}
		said[id] = n
	}
	cmd.Wait()
	if killer == nil {
		t.Fatal("the writer wrote nothing")
	}
	return said
}

// writeOn writes until it is killed, and prints what is acknowledged.
func writeOn(t *testing.T, path string) {
	s, err := sqlite.Open(path, sqlite.Normal)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		go func() {
			id := fmt.Sprint("s", i)
			key := conversation.Key{Owner: "o", ID: id}
			v, _ := s.Load(t.Context(), key, 0)
			for version := v.Version; ; version++ {
				data := []byte(strings.Repeat("x", rand.IntN(20_000)))
				if err := s.Save(t.Context(), key, version, conversation.Value{Version: version + 1, Data: data}, time.Hour); err != nil {
					panic(err)
				}
				os.Stdout.WriteString(fmt.Sprintln(id, version+1))
			}
		}()
	}
	time.Sleep(time.Minute)
}
