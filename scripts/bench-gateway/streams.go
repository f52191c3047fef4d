package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	table "bendi/internal/benchtable"
	"bendi/internal/programs"
)

// memory holds many streams open, each after its first piece, and tells what
// the gateway's memory is then.
func (b *bench) memory(ctx context.Context, all []contestant) error {
	for _, c := range all[3:] {
		before, err := resident(c.Cmd.Process.Pid)
		if err != nil {
			return err
		}
		during, err := b.hold(ctx, c)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		row := table.Row{Suite: "memory", What: fmt.Sprintf("%d open streams, %s", b.streams, c.name), Unit: "MB", Must: table.AtMost(200)}
		row = row.Alone(during)
		row.Note = fmt.Sprintf("resident set, before them %.0f MB, after the load of the suites before", before)
		b.report.Rows = append(b.report.Rows, row)
	}
	return nil
}

// hold opens the streams, and returns the memory while they are open.
func (b *bench) hold(ctx context.Context, c contestant) (float64, error) {
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	body := strings.Replace(question(true), "公园里", holding+"。公园里", 1)
	begun := make(chan error, b.streams)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer leave()
	turns := make(chan struct{}, 64) // that begin at the same time
	for range b.streams {
		wg.Go(func() {
			turns <- struct{}{}
			res, err := first(ctx, client, c.url, body)
			<-turns
			begun <- err
			if err == nil {
				io.Copy(io.Discard, res.Body) // until we leave
				res.Body.Close()
			}
		})
	}
	var errs []error
	for range b.streams {
		if err := <-begun; err != nil && len(errs) < 3 {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return 0, errors.Join(errs...)
	}
	time.Sleep(2 * time.Second)
	return resident(c.Cmd.Process.Pid)
}

// first asks for a stream, and returns it when its first piece has come.
func first(ctx context.Context, client *http.Client, url, body string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		if res.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("status %d: %s", res.StatusCode, lines.Text())
		}
		if strings.Contains(lines.Text(), string(prose[0])) { // a filter may keep the next
			return res, nil
		}
	}
	res.Body.Close()
	return nil, fmt.Errorf("a stream ended before its first piece: %w", errors.Join(lines.Err(), io.ErrUnexpectedEOF))
}

// resident returns the memory of a process, in MB.
func resident(pid int) (float64, error) {
	size, err := programs.Memory(pid, "VmRSS")
	return float64(size) / 1e6, err
}
