package fit

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// root makes a tree of files and returns where it is.
func root(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFreeMemory(t *testing.T) {
	const meminfo = "MemTotal:       8388608 kB\nMemFree:  10 kB\nMemAvailable:    4194304 kB\n" // 4 GiB
	tests := []struct {
		name  string
		files map[string]string
		free  int64
		limit string
	}{
		{"nothing known", nil, 0, ""},
		{"no group", map[string]string{"proc/meminfo": meminfo}, 4 << 30, "memory"},
		{"no limit", map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a/b\n",
			"sys/fs/cgroup/a/b/memory.max": "max\n",
		}, 4 << 30, "memory"},
		{"a limit", map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a/b\n",
			"sys/fs/cgroup/a/b/memory.max": "2147483648\n", "sys/fs/cgroup/a/b/memory.current": "1073741824\n",
			"sys/fs/cgroup/a/b/memory.stat": "anon 1\ninactive_file 1048576\n",
		}, 1<<30 + 1<<20, "control group"},
		{"a limit above", map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a/b\n",
			"sys/fs/cgroup/a/b/memory.max": "3221225472\n", "sys/fs/cgroup/a/b/memory.current": "0\n",
			"sys/fs/cgroup/a/memory.max": "1073741824\n", "sys/fs/cgroup/a/memory.current": "0\n",
		}, 1 << 30, "control group"},
		{"more than the machine has", map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/\n",
			"sys/fs/cgroup/memory.max": "68719476736\n", "sys/fs/cgroup/memory.current": "0\n",
		}, 4 << 30, "memory"},
		{"used up", map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/\n",
			"sys/fs/cgroup/memory.max": "1000\n", "sys/fs/cgroup/memory.current": "2000\n",
		}, 1, "control group"},
		{"version 1", map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "5:cpu:/x\n4:memory:/docker/1\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "1073741824\n", "sys/fs/cgroup/memory/memory.usage_in_bytes": "1048576\n",
		}, 1<<30 - 1<<20, "control group"},
		{"version 1 without a limit", map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "4:memory:/\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n", "sys/fs/cgroup/memory/memory.usage_in_bytes": "1\n",
		}, 4 << 30, "memory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if free, limit := freeMemory(root(t, tt.files)); free != tt.free || limit != tt.limit {
				t.Errorf("%d bytes by %q, want %d by %q", free, limit, tt.free, tt.limit)
			}
		})
	}
}

// program writes a shell script that stands for nvidia-smi.
func program(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "nvidia-smi")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o777); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLookForGPUs(t *testing.T) {
	t.Setenv("CUDA_VISIBLE_DEVICES", "x") // names none by number
	device := map[string]string{"dev/nvidia0": ""}
	tests := []struct {
		name  string
		smi   string
		files map[string]string
		cuda  bool
		gpus  []GPU
		words string // of the error
	}{
		{"none", "nvidia-smi-that-is-not-there", nil, false, nil, ""},
		{"a device and no program", "nvidia-smi-that-is-not-there", device, true, nil, "not found"},
		{"two", program(t, `[ "$2" = --format=csv,noheader,nounits ] && printf 'NVIDIA H100 PCIe, 80000, 81559, 570.86.10\nNVIDIA L4, 20000, 23034, 570.86.10\n'`), device, true,
			[]GPU{{"NVIDIA H100 PCIe", 80000 << 20, 81559 << 20}, {"NVIDIA L4", 20000 << 20, 23034 << 20}}, ""},
		{"a driver that is not loaded", program(t, "echo NVIDIA-SMI has failed; exit 9"), nil, false, nil, "NVIDIA-SMI has failed"},
		{"no numbers", program(t, "echo NVIDIA GB10, [N/A], [N/A], 580.1"), device, true, nil, "the memory of NVIDIA GB10"},
		{"no table", program(t, "echo hello"), device, true, nil, "no table of GPUs"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := look(t.Context(), root(t, tt.files), tt.smi)
			if m.CUDA != tt.cuda || !slices.Equal(m.GPUs, tt.gpus) || len(m.GPUs) > 0 && m.Driver != "570.86.10" {
				t.Errorf("got %+v", m)
			}
			if (m.Err == nil) != (tt.words == "") || m.Err != nil && !strings.Contains(m.Err.Error(), tt.words) {
				t.Errorf("got %v, want %q", m.Err, tt.words)
			}
		})
	}
	if m := Look(t.Context()); m.Free < 1<<20 {
		t.Errorf("this machine has %d bytes free", m.Free)
	}
}

func TestVisible(t *testing.T) {
	all := []GPU{{Name: "a"}, {Name: "b"}, {Name: "c"}}
	for text, want := range map[string]string{"0,1,2": "abc", "2": "c", "1,0": "ba", "": "", "-1": "", "0,7,1": "a", "GPU-8932f937": "abc", " 1 , 2 ": "bc"} {
		var got string
		for _, g := range visible(all, func(string) (string, bool) { return text, true }) {
			got += g.Name
		}
		if got != want {
			t.Errorf("CUDA_VISIBLE_DEVICES=%q leaves %q, want %q", text, got, want)
		}
	}
	if got := visible(all, func(string) (string, bool) { return "", false }); len(got) != 3 {
		t.Errorf("unset, it leaves %d", len(got))
	}
}
