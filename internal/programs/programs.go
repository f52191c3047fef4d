// Package programs has what tests and benchmarks need of the programs that they
// start: an address for one to listen at, where a gateway says that it does, and
// what a process has used.
package programs

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// FreeAddress returns an address of this machine that nobody listens at.
func FreeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

var apiLine = regexp.MustCompile(`(?m)^ API +(https?://[0-9.]+:\d+)/`)

// API returns the address in what `bendi serve` prints when it starts; ok is
// false as long as it is not there.
func API(printed string) (url string, ok bool) {
	found := apiLine.FindStringSubmatch(printed)
	if found == nil {
		return "", false
	}
	return found[1], true
}

// Processor returns the processor time that a process has used; 0 where there
// is none.
func Processor(pid int) time.Duration {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	text := string(data)
	fields := strings.Fields(text[strings.LastIndex(text, ")")+1:]) // the name may hold anything
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * (time.Second / 100) // the kernel's ticks
}

// Family returns the ids of a process and of its children.
func Family(pid int) []int {
	all := []int{pid}
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid)) // each has those that it has started
	for _, thread := range threads {
		children, _ := os.ReadFile(thread)
		for child := range strings.FieldsSeq(string(children)) {
			if pid, err := strconv.Atoi(child); err == nil {
				all = append(all, pid)
			}
		}
	}
	return all
}

// Memory returns a field of the memory of a process, such as VmRSS, in bytes.
func Memory(pid int, field string) (int64, error) {
	path := fmt.Sprintf("/proc/%d/status", pid)
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("%s has no %s", path, field)
}
