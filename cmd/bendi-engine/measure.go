package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime/pprof"
	"strings"

	"bendi/inference/engine"
)

// measureCeiling loads the model and measures decoding alone, as what says:
// STREAMS,IN,OUT. It writes one line of JSON, and then one for each line of
// stdin, which says it anew or is empty for the same again, so that the rounds
// of two processes can take turns. The end of stdin ends it.
func measureCeiling(cfg engine.Config, what string, stdin io.Reader, stdout io.Writer) error {
	c, err := engine.OpenCeiling(cfg)
	if err != nil {
		return err
	}
	defer c.Close()
	out := json.NewEncoder(stdout)
	for lines := bufio.NewScanner(stdin); ; {
		var streams, in, n int
		if _, err := fmt.Sscanf(what, "%d,%d,%d", &streams, &in, &n); err != nil {
			return fmt.Errorf("--ceiling wants STREAMS,IN,OUT, such as 4,64,64; it has %q", what)
		}
		round, err := c.Measure(streams, in, n)
		if err != nil {
			return err
		}
		if err := out.Encode(round); err != nil {
			return err
		}
		if !lines.Scan() {
			return lines.Err()
		}
		if line := strings.TrimSpace(lines.Text()); line != "" {
			what = line
		}
	}
}

// startProfile writes a CPU profile to path until stop; without a path it does
// nothing.
func startProfile(path string) (stop func(), err error) {
	if path == "" {
		return func() {}, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		f.Close()
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		f.Close()
	}, nil
}
