package fit

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A Machine is what memory there is.
type Machine struct {
	Free  int64  // bytes of main memory that a process can have; 0: not known
	Limit string // what keeps it from having more: "memory" or "control group"

	CUDA   bool   // there is a CUDA device, whether or not it can be used
	GPUs   []GPU  // as nvidia-smi lists them
	Driver string // version of NVIDIA's driver
	Err    error  // why a CUDA device that is there could not be asked
}

// A GPU is one of NVIDIA's.
type GPU struct {
	Name        string
	Free, Total int64 // bytes
}

// FreeGPU returns how much memory of all GPUs is free.
func (m Machine) FreeGPU() int64 {
	var free int64
	for _, g := range m.GPUs {
		free += g.Free
	}
	return free
}

// Look reads what is free on this machine.
func Look(ctx context.Context) Machine { return look(ctx, "/", "nvidia-smi") }

// look does so below another root and with another program, for the tests.
func look(ctx context.Context, root, smi string) Machine {
	var m Machine
	m.Free, m.Limit = freeMemory(root)
	m.GPUs, m.Driver, m.Err = nvidia(ctx, smi)
	m.GPUs = visible(m.GPUs, os.LookupEnv)
	_, err := os.Stat(filepath.Join(root, "dev/nvidia0"))
	m.CUDA = err == nil || len(m.GPUs) > 0
	if errors.Is(m.Err, exec.ErrNotFound) && !m.CUDA {
		m.Err = nil // nothing is wrong where there is nothing
	}
	return m
}

// freeMemory returns how much memory the kernel has left for a new process,
// or this process's control group, whichever is less.
func freeMemory(root string) (free int64, limit string) {
	meminfo, _ := os.ReadFile(filepath.Join(root, "proc/meminfo"))
	for line := range strings.Lines(string(meminfo)) {
		var kib int64
		if _, err := fmt.Sscanf(line, "MemAvailable: %d kB", &kib); err == nil {
			free, limit = kib<<10, "memory"
		}
	}
	groups, _ := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	for line := range strings.Lines(string(groups)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3) // number, controllers, path
		if len(fields) != 3 {
			continue
		}
		mount, max, usage, inactive := "sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"
		if fields[1] == "memory" { // version 1
			mount, max, usage, inactive = "sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
		} else if fields[1] != "" {
			continue
		}
		// Every group above has a limit too; in a container the path may lead
		// out of what is mounted, whose root is then the own group.
		for dir := filepath.Join("/", fields[2]); ; dir = filepath.Dir(dir) {
			group := filepath.Join(root, mount, dir)
			if bytes, ok := readNumber(filepath.Join(group, max)); ok {
				used, _ := readNumber(filepath.Join(group, usage))
				left := bytes - used + statOf(filepath.Join(group, "memory.stat"), inactive)
				if limit == "" || left < free {
					free, limit = left, "control group"
				}
			}
			if dir == "/" {
				break
			}
		}
	}
	if limit != "" {
		free = max(free, 1) // 0 is for what is not known
	}
	return free, limit
}

// readNumber reads a file that holds a number; "max" is none, and neither is
// version 1's way to say the same.
func readNumber(path string) (int64, bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n, err == nil && n < 1<<60
}

// statOf returns the number that a file of "key number" lines has for key.
func statOf(path, key string) int64 {
	text, _ := os.ReadFile(path)
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, key+" "); ok {
			n, _ := strconv.ParseInt(strings.TrimSpace(rest), 10, 64)
			return n
		}
	}
	return 0
}

// visible returns those of the GPUs that CUDA_VISIBLE_DEVICES leaves, which
// nvidia-smi does not heed. What names them in another way than by numbers
// leaves all.
func visible(gpus []GPU, lookup func(string) (string, bool)) []GPU {
	text, set := lookup("CUDA_VISIBLE_DEVICES")
	if !set {
		return gpus
	}
	var left []GPU
	for part := range strings.SplitSeq(text, ",") {
		i, err := strconv.Atoi(strings.TrimSpace(part))
		switch {
		case err != nil && strings.TrimSpace(text) != "":
			return gpus
		case err != nil || i < 0 || i >= len(gpus):
			return left // CUDA stops at the first that is none
		}
		left = append(left, gpus[i])
	}
	return left
}

// nvidia asks nvidia-smi for the GPUs.
func nvidia(ctx context.Context, smi string) (gpus []GPU, driver string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, smi, "--query-gpu=name,memory.free,memory.total,driver_version", "--format=csv,noheader,nounits")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		if text := strings.TrimSpace(string(out) + stderr.String()); text != "" {
			return nil, "", fmt.Errorf("%s: %w: %s", smi, err, text)
		}
		return nil, "", fmt.Errorf("%s: %w", smi, err)
	}
	r := csv.NewReader(bytes.NewReader(out))
	r.TrimLeadingSpace = true
	r.FieldsPerRecord = 4
	rows, err := r.ReadAll()
	if err != nil {
		return nil, "", fmt.Errorf("%s printed what is no table of GPUs: %w", smi, err)
	}
	for _, row := range rows {
		free, err1 := strconv.ParseInt(row[1], 10, 40)
		total, err2 := strconv.ParseInt(row[2], 10, 40)
		if err := errors.Join(err1, err2); err != nil {
			return nil, "", fmt.Errorf("%s: the memory of %s: %w", smi, row[0], err)
		}
		gpus, driver = append(gpus, GPU{Name: row[0], Free: free << 20, Total: total << 20}), row[3]
	}
	return gpus, driver, nil
}
