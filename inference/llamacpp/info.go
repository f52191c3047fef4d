package llamacpp

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// Info is what a worker says of itself once it is ready.
type Info struct {
	Name        string        `json:"name"`         // model id, such as "bendi-demo"
	Model       string        `json:"model"`        // what it is, such as "llama 7.3M Q8_0"
	Device      string        `json:"device"`       // where it runs, such as "CPU, 2 threads"
	Library     string        `json:"library"`      // such as "llama.cpp 0.5.0"
	Context     int           `json:"context"`      // tokens of a sequence
	Slots       int           `json:"slots"`        // sequences at once
	Layers      int           `json:"layers"`       // of the model, its output one of them
	GPULayers   int           `json:"gpu_layers"`   // how many of them lie on GPUs
	SizeBytes   int64         `json:"size_bytes"`   // of the weights
	MemoryBytes int64         `json:"memory_bytes"` // resident memory after loading
	LoadTime    time.Duration `json:"-"`            // on the wire "load_ms", whole milliseconds
	Adapters    []string      `json:"adapters,omitempty"`
}

type plainInfo Info // without the methods

type wireInfo struct {
	plainInfo
	LoadMS int64 `json:"load_ms"`
}

// MarshalJSON writes LoadTime in milliseconds.
func (i Info) MarshalJSON() ([]byte, error) {
	return json.Marshal(wireInfo{plainInfo(i), i.LoadTime.Milliseconds()})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (i *Info) UnmarshalJSON(data []byte) error {
	var w wireInfo
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	*i = Info(w.plainInfo)
	i.LoadTime = time.Duration(w.LoadMS) * time.Millisecond
	return nil
}

// A notice is a line on a worker's standard output, where it tells nothing but
// these to its supervisor.
type notice struct {
	Event string `json:"event"`             // "ready", "failed" or "alive"
	Info  *Info  `json:"info,omitempty"`    // when ready
	Error string `json:"error,omitempty"`   // when failed: what happened and what to do
	Step  int64  `json:"step_ms,omitempty"` // when alive: how long its present step has taken, in milliseconds
}

const (
	eventReady  = "ready"
	eventFailed = "failed"
	eventAlive  = "alive"
)

// parseNotice returns the notice that a line holds, if it is one.
func parseNotice(line string) (n notice, ok bool) {
	if err := json.Unmarshal([]byte(line), &n); err != nil {
		return notice{}, false
	}
	return n, n.Event == eventReady && n.Info != nil || n.Event == eventFailed || n.Event == eventAlive
}

// TellReady is for the worker: it writes the line that says its socket
// answers from now on.
func TellReady(stdout io.Writer, info Info) error {
	return tell(stdout, notice{Event: eventReady, Info: &info})
}

// TellFailed is for the worker: it writes the line that says why it cannot
// get ready, in words for the operator. The worker exits after it.
func TellFailed(stdout io.Writer, reason error) error {
	return tell(stdout, notice{Event: eventFailed, Error: reason.Error()})
}

// AliveEvery is how often a worker that is ready says that it lives.
const AliveEvery = time.Second

// TellAlive is for the worker: it writes the line that says that it lives, and
// how long the step has taken so far that it is at.
func TellAlive(stdout io.Writer, step time.Duration) error {
	return tell(stdout, notice{Event: eventAlive, Step: step.Milliseconds()})
}

func tell(stdout io.Writer, n notice) error {
	line, err := json.Marshal(n)
	if err != nil {
		return err
	}
	if _, err := stdout.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("telling the supervisor: %w", err)
	}
	return nil
}
