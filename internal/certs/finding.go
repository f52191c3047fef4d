package certs

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// How bad a [Finding] is.
const (
	OK   = "ok"
	Warn = "warn"
	Fail = "fail"
)

// A Finding is one thing that was looked at.
type Finding struct {
	Check  string `json:"check"`
	Status string `json:"status"` // OK, Warn or Fail
	Detail string `json:"detail"`
	Fix    string `json:"fix,omitempty"` // what to do, where it is not OK
}

func (f Finding) String() string {
	if f.Fix == "" {
		return f.Check + ": " + f.Detail
	}
	return f.Check + ": " + f.Detail + "; " + f.Fix
}

// A Language chooses between an English and a Chinese text.
type Language func(english, chinese string) string

// English is the language of logs and errors.
func English(english, _ string) string { return english }

// Findings are what was looked at, in order.
type Findings []Finding

// Failed reports whether something is wrong.
func (fs Findings) Failed() bool {
	return slices.ContainsFunc(fs, func(f Finding) bool { return f.Status == Fail })
}

// Err returns all that is wrong as an error, or nil.
func (fs Findings) Err() error {
	var lines []string
	for _, f := range fs {
		if f.Status == Fail {
			lines = append(lines, f.String())
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return errors.New(strings.Join(lines, "\n"))
}

// Warnings returns what is not wrong yet, or not badly.
func (fs Findings) Warnings() []string {
	var lines []string
	for _, f := range fs {
		if f.Status == Warn {
			lines = append(lines, f.String())
		}
	}
	return lines
}

// A report collects findings in a language.
type report struct {
	say   Language
	found Findings
}

func (r *report) add(status, check, detail, fix string) {
	r.found = append(r.found, Finding{check, status, detail, fix})
}

func (r *report) ok(check, english, chinese string, args ...any) {
	r.add(OK, check, r.text(english, chinese, args...), "")
}

// text is say with formatting.
func (r *report) text(english, chinese string, args ...any) string {
	return fmt.Sprintf(r.say(english, chinese), args...)
}
