package llamacpp

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestRecord(t *testing.T) {
	// script: d death when ready, l death while loading, R ready,
	// s wait a second, m wait a minute. want: for each death, in milliseconds
	// at most, the delay; F where it has failed.
	tests := []struct {
		name, script, want string
	}{
		{"the first restart is immediate, then delays double", "dddd", "0 250 500 1000"},
		{"the fifth within a minute is a failure", "ddddd", "0 250 500 1000 F"},
		{"waiting helps a little", "dsdsdsdsd", "0 250 500 1000 F"},
		{"a death a minute is none too many", "dmdmdmdmdmd", "0 0 0 0 0 0"},
		{"five slow ones in a row while loading are a failure", "lmlmlmlml", "0 250 500 1000 F"},
		{"getting ready ends the row", "lmlmlmlmRmlmd", "0 250 500 1000 0 0"},
		{"a failed one fails at once", "lllllmlml", "0 250 500 1000 F F F"},
		{"until it is ready", "lllllmRdd", "0 250 500 1000 F 0 250"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var r record
				var got []string
				for _, step := range tt.script {
					switch step {
					case 'R':
						r.ready()
					case 's':
						time.Sleep(time.Second)
					case 'm':
						time.Sleep(time.Minute)
					default:
						delay, failed := r.died(time.Now(), step == 'd')
						most := time.Duration(0)
						for most < delay {
							most = max(2*most, firstDelay)
						}
						if delay < most/2 {
							t.Errorf("a delay of %v is less than half of %v", delay, most)
						}
						if failed {
							got = append(got, "F")
						} else {
							got = append(got, fmt.Sprint(most.Milliseconds()))
						}
					}
				}
				if got := strings.Join(got, " "); got != tt.want {
					t.Errorf("got %s, want %s", got, tt.want)
				}
			})
		})
	}
}

func TestNotices(t *testing.T) {
	var b strings.Builder
	want := Info{Name: "tiny", Model: "llama", Slots: 2, SizeBytes: 1 << 40, LoadTime: 1500 * time.Millisecond, Adapters: []string{"a"}}
	if err := TellReady(&b, want); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), `"load_ms":1500`) || strings.Count(b.String(), "\n") != 1 {
		t.Errorf("wrote %s", b.String())
	}
	n, ok := parseNotice(b.String())
	if got, _ := json.Marshal(n.Info); !ok || n.Event != "ready" || string(got)+"\n" != strings.TrimSuffix(strings.TrimPrefix(b.String(), `{"event":"ready","info":`), "}\n")+"\n" {
		t.Errorf("read back %s", got)
	}
	for _, line := range []string{"", "ready", "{}", `{"event":"ready"}`, `{"event":"other","info":{}}`, "[1]"} {
		if n, ok := parseNotice(line); ok {
			t.Errorf("%q is taken for %+v", line, n)
		}
	}
}
