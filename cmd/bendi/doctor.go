package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"bendi/config"
	"bendi/models"
)

func (p *program) doctorCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: p.say("Check the installation, and say what to do about what is wrong", "检查安装,并说明如何修复问题"),
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
		f := finding{Check: check, Status: "ok", Detail: fmt.Sprintf(format, args...)}
		if err != nil {
			f.Status, f.Detail = "fail", err.Error()
		}
		findings = append(findings, f)
	}

	cfg, origins, home, err := p.load(nil)
	if exit, ok := errors.AsType[exitError](err); ok {
		err = exit.err
	}
	source := p.say("built in", "内置")
	if err == nil && origins.File != "" {
		source = origins.File
	}
	note("config", err, "%s", source)
	if err != nil {
		cfg = config.Default()
		cfg.Models = nil // its paths have not been resolved
	}

	worker, library := string(cfg.Engine.Worker), string(cfg.Engine.Library)
	if worker == "" {
		worker, err = home.Worker()
		note("worker", err, "%s", worker)
	}
	if library == "" {
		library, err = home.Library()
		note("library", err, "%s", library)
	}
	if worker != "" && library != "" {
		version, err := p.checkEngine(ctx, worker, library)
		note("engine", err, "%s", version)
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
	detail, err := p.checkListen(ctx, cfg.Listen)
	note("listen", err, "%s", detail)
	return findings
}

func errorsOf(sums []models.Sum) (errs []error) {
	for _, s := range sums {
		errs = append(errs, s.Err)
	}
	return errs
}

// checkEngine lets the worker load the libraries, in a process of its own.
func (p *program) checkEngine(ctx context.Context, worker, library string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, worker, "--library", library, "--check")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s --check: %w: %s", worker, err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSpace(string(out)), nil
}

// checkListen says whether the address is free, or who answers there.
func (p *program) checkListen(ctx context.Context, addr string) (string, error) {
	listener, err := net.Listen("tcp", addr)
	if err == nil {
		listener.Close()
		return p.sayf("%s is free", "%s 空闲", addr), nil
	}
	if !errors.Is(err, syscall.EADDRINUSE) {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/readyz", nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", fmt.Errorf(p.say("%s is in use by another program, which does not speak HTTP: stop it or choose another address", "%s 被另一个不使用 HTTP 的程序占用:请停掉它或换一个地址"), addr)
	}
	resp.Body.Close()
	return p.sayf("a server answers at %s, /readyz says %s", "%s 有服务在运行,/readyz 返回 %s", addr, resp.Status), nil
}
