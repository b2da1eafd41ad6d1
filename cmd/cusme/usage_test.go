package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// installed is the environment that cusme is installed with.
func installed(b *testing.B) []string {
	b.Helper()
	manifest, err := os.ReadFile("../../config/deployment.yaml")
	if err != nil {
		b.Fatal(err)
	}
	limit := regexp.MustCompile(`GOMEMLIMIT, value: (\w+)`).FindSubmatch(manifest)
	if limit == nil {
		b.Fatal("config/deployment.yaml sets no GOMEMLIMIT")
	}
	return []string{"GOMEMLIMIT=" + string(limit[1])}
}

// scrape reads the metrics now and then, as Prometheus does.
func scrape(ctx context.Context, url string, every time.Duration) {
	for ctx.Err() == nil {
		if answer, err := http.Get(url); err == nil { // before the start there is none
			_, _ = io.Copy(io.Discard, answer.Body)
			_ = answer.Body.Close()
		}
		time.Sleep(every)
	}
}

// processor is the time that cusme has spent on processors.
func (c *crowd) processor(b *testing.B) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.cusme.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(after) // from the state on, which is field 3 in proc(5)
	var ticks int64
	for _, f := range fields[14-3 : 16-3] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / 100 // Linux counts in hundredths on every architecture that Go knows
}

// memory reads a size of cusme's from its status, in MiB.
func (c *crowd) memory(b *testing.B, name string) int {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cusme.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), name+":")
	kib, err := strconv.Atoi(strings.Fields(after)[0])
	if err != nil {
		b.Fatal(err)
	}
	return kib >> 10
}
