package benchtable

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// A Machine is where and when the figures were measured.
type Machine struct {
	Time       time.Time  `json:"time"`
	CPU        string     `json:"cpu"`
	Cores      int        `json:"cores"`
	Load       [3]float64 `json:"load_average"` // at the start, of 1, 5 and 15 minutes
	MemoryMiB  int        `json:"memory_mib"`
	System     string     `json:"system"`
	GoVersion  string     `json:"go"`
	OtherBusy  float64    `json:"busy_cores_at_start"` // cores that others kept busy in half a second
	StealShare float64    `json:"steal_share_at_start"`
}

// Look describes this machine. What /proc does not say stays zero.
func Look() Machine {
	m := Machine{Time: time.Now().Round(time.Second), Cores: runtime.NumCPU(), System: runtime.GOOS + "/" + runtime.GOARCH, GoVersion: runtime.Version()}
	if data, err := os.ReadFile("/proc/loadavg"); err == nil {
		fmt.Sscan(string(data), &m.Load[0], &m.Load[1], &m.Load[2])
	}
	m.CPU = field("/proc/cpuinfo", "model name")
	var kib int
	fmt.Sscan(field("/proc/meminfo", "MemTotal"), &kib)
	m.MemoryMiB = kib >> 10
	before := ticks()
	time.Sleep(500 * time.Millisecond)
	after := ticks()
	var total, idle, steal float64
	for i := range min(len(before), len(after), 8) {
		d := after[i] - before[i]
		total += d
		switch i {
		case 3, 4: // idle and waiting for disks
			idle += d
		case 7:
			steal += d
		}
	}
	if total > 0 {
		m.OtherBusy = (total - idle) / total * float64(m.Cores)
		m.StealShare = steal / total
	}
	return m
}

// field returns the value of the first line of a file that begins with a name.
func field(path, name string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), name); ok {
			return strings.TrimLeft(rest, ": \t")
		}
	}
	return ""
}

// ticks returns what the processors have done since the start of the system:
// user, nice, system, idle, iowait, irq, softirq, steal.
func ticks() []float64 {
	var out []float64
	for s := range strings.FieldsSeq(field("/proc/stat", "cpu ")) {
		var x float64
		fmt.Sscan(s, &x)
		out = append(out, x)
	}
	return out
}

func (m Machine) String() string {
	return fmt.Sprintf("%s, %d cores, %d MiB; load average %.2f, others keep %.1f cores busy; %s, %s",
		m.CPU, m.Cores, m.MemoryMiB, m.Load[0], m.OtherBusy, m.System, m.GoVersion)
}
