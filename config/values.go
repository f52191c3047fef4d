package config

import (
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Path names a file or a folder. In a configuration file it may be relative
// to the folder of that file; Load makes it absolute.
type Path string

// A LogLevel is one of debug, info, warn and error.
type LogLevel string

// Level is l for log/slog; what is no level is Info.
func (l LogLevel) Level() slog.Level {
	var level slog.Level
	if err := level.UnmarshalText([]byte(l)); err != nil {
		return slog.LevelInfo
	}
	return level
}

// A LogFormat is text or json.
type LogFormat string

// A MemoryPolicy is refuse or warn.
type MemoryPolicy string

// A LoadTime is when a model is loaded: start or demand.
type LoadTime string

// LoadStart is before the first request, LoadDemand at the first one.
const (
	LoadStart  LoadTime = "start"
	LoadDemand LoadTime = "demand"
)

// Values lists every LoadTime.
func (LoadTime) Values() []string { return []string{string(LoadStart), string(LoadDemand)} }

// A Scalar is a truth value, a whole number or a text, as JSON.
type Scalar string

// MarshalYAML writes it as it was.
func (s Scalar) MarshalYAML() ([]byte, error) { return []byte(s), nil }

// A choice is a type that has few values.
type choice interface{ Values() []string }

// Values lists every LogLevel.
func (LogLevel) Values() []string { return []string{"debug", "info", "warn", "error"} }

// Values lists every LogFormat.
func (LogFormat) Values() []string { return []string{"text", "json"} }

// Values lists every MemoryPolicy.
func (MemoryPolicy) Values() []string { return []string{"refuse", "warn"} }

// choose returns an error unless c is one of its values.
func choose(c choice) error {
	if values := c.Values(); !slices.Contains(values, fmt.Sprint(c)) {
		return fmt.Errorf("want one of %s, have %q", strings.Join(values, ", "), c)
	}
	return nil
}

// A Size is a number of bytes, written 8MiB, 512KiB or 1048576.
type Size int64

var sizeUnits = []struct {
	name  string
	bytes int64
}{
	{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1},
}

func (s *Size) UnmarshalText(text []byte) error {
	digits, unit := string(text), int64(1)
	for _, u := range sizeUnits {
		if rest, ok := strings.CutSuffix(digits, u.name); ok {
			digits, unit = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || int64(n) > (1<<63-1)/unit {
		return fmt.Errorf("want a size such as 8MiB, have %q", text)
	}
	*s = Size(int64(n) * unit)
	return nil
}

func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String writes s in the largest binary unit that needs no fraction.
func (s Size) String() string {
	for _, u := range sizeUnits[:3] {
		if s != 0 && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// A Duration is a length of time, written 15s, 1m30s or 250ms.
type Duration time.Duration

func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("want a duration such as 15s or 2m, have %q", text)
	}
	*d = Duration(v)
	return nil
}

func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String writes d without the zero units that time.Duration appends: 2m, not
// 2m0s.
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// A Secret is a text that is never shown: printed, logged and marshalled it is
// three asterisks. [Secret.Reveal] is the only way to the text.
type Secret struct{ text string }

// NewSecret returns the secret text.
func NewSecret(text string) Secret { return Secret{text} }

// Reveal returns the text itself.
func (s Secret) Reveal() string { return s.text }

// IsZero reports whether there is no secret at all.
func (s Secret) IsZero() bool { return s.text == "" }

func (s Secret) String() string {
	if s.text == "" {
		return ""
	}
	return "***"
}

func (s Secret) GoString() string             { return strconv.Quote(s.String()) }
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
func (s Secret) LogValue() slog.Value         { return slog.StringValue(s.String()) }
