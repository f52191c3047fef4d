package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"bendi/config"
	"bendi/models"
	"bendi/models/fit"
	"bendi/models/load"
)

func (p *program) doctorCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: p.say("Check the installation, and say what to do about what is wrong", "检查安装，并说明如何修复问题"),
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.doctor(cmd.Context(), output)
		},
	}
	outputFlag(cmd, p, &output)
	return cmd
}

// A finding is one line of the doctor's report.
type finding struct {
	Check  string `json:"check"`
	Status string `json:"status"` // ok, warn or fail
	Detail string `json:"detail"` // what was found and, if it is wrong, what to do
}

// checked returns what a check has found, or what is wrong.
func checked(check string, err error, detail string) finding {
	if err != nil {
		return finding{check, "fail", err.Error()}
	}
	return finding{check, "ok", detail}
}

func (p *program) doctor(ctx context.Context, output string) error {
	findings := p.examine(ctx)
	failed := 0
	for _, f := range findings {
		if f.Status == "fail" {
			failed++
		}
	}
	if output == "json" {
		if err := json.NewEncoder(p.stdout).Encode(findings); err != nil {
			return err
		}
	} else {
		for _, f := range findings {
			detail := strings.ReplaceAll(strings.TrimSpace(f.Detail), "\n", "\n                 ")
			fmt.Fprintf(p.stdout, "%-5s %-10s %s\n", f.Status, f.Check, detail)
		}
		if failed == 0 {
			fmt.Fprintln(p.stdout, p.say("nothing is wrong", "一切正常"))
		}
	}
	if failed > 0 {
		return exitError{code: exitProblems}
	}
	return nil
}

// examine makes every check that can be made. One that fails does not keep
// the others from being made.
func (p *program) examine(ctx context.Context) []finding {
	var findings []finding
	note := func(check string, err error, format string, args ...any) {
		findings = append(findings, checked(check, err, fmt.Sprintf(format, args...)))
	}

	cfg, origins, home, err := p.load(nil)
	err = unwrapped(err)
	source := p.say("built in", "内置")
	if err == nil && origins.File != "" {
		source = origins.File
	}
	note("config", err, "%s", source)
	if err != nil {
		cfg = config.Default()
		cfg.Models = nil // its paths have not been resolved
	}
	if runs, alone := relayRuns(origins); runs {
		findings = append(findings, p.checkRelay(ctx, cfg.Relay)...)
		if alone {
			return findings
		}
	}

	worker := string(cfg.Engine.Worker)
	if worker == "" {
		worker, err = home.Worker()
		note("worker", err, "%s", worker)
	}
	seen, err := look(ctx, cfg, home)
	if cfg.Engine.Library == "" {
		note("library", err, "%s", seen.library)
	}
	works := worker != "" && err == nil
	devices := ""
	if works {
		devices, err = p.checkEngine(ctx, worker, seen.library, load.Defaults())
		note("engine", err, "%s", devices)
		works = err == nil
	}
	if status, detail := p.checkGPU(seen, works, devices); detail != "" {
		findings = append(findings, finding{"gpu", status, detail})
	}
	for _, id := range slices.Sorted(maps.Keys(cfg.Models)) {
		m := cfg.Models[id]
		files := map[string]string{id: string(m.Path)}
		for name, path := range m.Adapters {
			files[id+":"+name] = string(path)
		}
		for _, id := range slices.Sorted(maps.Keys(files)) {
			info, err := models.Inspect(files[id])
			note("model", missing(id, err), "%s: %s, %s", id, info, bytesText(info.Size))
		}
		if filepath.Base(string(m.Path)) == models.DemoModel {
			sums, err := models.VerifySums(filepath.Dir(string(m.Path)))
			note("checksums", errors.Join(append(errorsOf(sums), err)...), "%s", p.say("the demo model is as it was published", "演示模型与发布时一致"))
		}
	}
	for _, id := range used(cfg) {
		if m := cfg.Models[id]; works && m.NamesGPU() {
			_, err := p.checkEngine(ctx, worker, seen.library, m.Options)
			note("gpu", err, "%s: %s", id, p.say("what it asks for is there", "所要求的 GPU 可用"))
		}
	}
	findings = append(findings, p.checkBackends(ctx, cfg)...)
	if status, detail := p.checkFilter(cfg); detail != "" {
		findings = append(findings, finding{"filter", status, detail})
	}
	if cfg.Sessions.Store != config.Off {
		detail, err := p.checkSessions(ctx, cfg)
		note("sessions", err, "%s", detail)
	}
	findings = append(findings, p.checkAccess(ctx, cfg)...)
	findings = append(findings, p.checkTLS(ctx, cfg)...)
	detail, inUse, err := p.checkListen(ctx, cfg)
	note("listen", err, "%s", detail)
	if works && !strings.Contains(devices, cudaDevice) {
		seen.cuda = false // the models will be on the CPU
	}
	if list, err := seen.measure(cfg); err == nil && len(list) > 0 {
		findings = append(findings, p.checkMemory(list, seen.machine, seen.short(cfg, list), inUse, cfg.Engine.Memory == "warn"))
	}
	return findings
}

// cudaDevice begins the line of a CUDA device in what checkEngine returns.
const cudaDevice = "\nCUDA"

// checkGPU says which GPUs there are and whether llama.cpp can use them. It
// says nothing where there are none.
func (p *program) checkGPU(seen survey, works bool, devices string) (status, detail string) {
	m := seen.machine
	var lines []string
	for i, g := range m.GPUs {
		lines = append(lines, p.sayf("%d: %s, %s free of %s (driver %s)", "%d：%s，空闲 %s，共 %s（驱动 %s）",
			i, g.Name, bytesText(g.Free), bytesText(g.Total), m.Driver))
	}
	if m.CUDA && len(m.GPUs) == 0 {
		lines = append(lines, p.say("there is a CUDA device", "存在 CUDA 设备"))
	}
	status = "ok"
	warn := func(text string) {
		status = "warn"
		lines = append(lines, text)
	}
	if m.Err != nil {
		warn(p.sayf("how much of its memory is free is not known: %v", "无法得知空闲显存：%v", m.Err))
	}
	switch idle := seen.idleGPU(p); {
	case idle != "":
		warn(idle)
	case m.CUDA && works && !strings.Contains(devices, cudaDevice):
		warn(p.sayf("llama.cpp did not load %s: it needs libcudart and libcublas of its release of CUDA and a driver for it; `ldd` names what is missing",
			"llama.cpp 未能加载 %s：它需要对应版本的 libcudart、libcublas 和驱动；用 `ldd` 查看缺少的库", filepath.Join(seen.library, models.CUDABackend)))
	}
	return status, strings.Join(lines, "\n")
}

// checkMemory says what the models will take, and whether it is free. What a
// running server has taken already is not.
func (p *program) checkMemory(list []fit.Model, m fit.Machine, short error, inUse, warnOnly bool) finding {
	f := finding{Check: "memory", Status: "ok"}
	var lines []string
	for _, model := range list {
		lines = append(lines, model.ID+": "+model.Estimate.String())
		if model.GPULayers > 0 {
			lines = append(lines, p.sayf("%d of %d layers on the GPU", "%d/%d 层在 GPU 上", model.GPULayers, model.Layers))
		}
	}
	if m.Free > 0 {
		lines = append(lines, p.sayf("%s is free", "空闲 %s", bytesText(m.Free)))
	}
	if short != nil {
		lines = append(lines, short.Error())
		f.Status = "fail"
		if inUse || warnOnly {
			f.Status = "warn"
		}
		if inUse {
			lines = append(lines, p.say("the server that runs may have these models loaded already", "正在运行的服务可能已加载了这些模型"))
		}
	}
	f.Detail = strings.Join(lines, "\n")
	return f
}

func errorsOf(sums []models.Sum) (errs []error) {
	for _, s := range sums {
		errs = append(errs, s.Err)
	}
	return errs
}

// checkEngine lets the worker load the libraries, in a process of its own. It
// returns their version and the devices they have found, or why a model could
// not be loaded there as o says.
func (p *program) checkEngine(ctx context.Context, worker, library string, o load.Options) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, worker, append([]string{"--library", library, "--check"}, o.Args()...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s --check: %w: %s", worker, err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSpace(string(out)), nil
}

// checkListen says whether the address is free, or whether a server answers
// there.
func (p *program) checkListen(ctx context.Context, cfg *config.Config) (detail string, inUse bool, err error) {
	addr := cfg.Listen
	listener, err := net.Listen("tcp", addr)
	if err == nil {
		listener.Close()
		return p.sayf("%s is free", "%s 空闲", addr), false, nil
	}
	if !errors.Is(err, syscall.EADDRINUSE) {
		return "", false, err
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	resp, err := askReady(ctx, cfg)
	if err != nil {
		return "", false, fmt.Errorf(p.say("%s is in use by another program, which does not speak HTTP: stop it or choose another address", "%s 被另一个不使用 HTTP 的程序占用：请停掉它或换一个地址"), addr)
	}
	resp.Body.Close()
	return p.sayf("a server answers at %s, /readyz says %s", "%s 有服务在运行，/readyz 返回 %s", addr, resp.Status), true, nil
}
