package simulate

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// defaultBin is how long the bin of a trace with a single row is.
const defaultBin = 10 * time.Second

// ReadTraces returns the trace in a CSV file, or those of a directory: its files
// *.csv and *.csv.gz, by name. Any one that cannot be read is an error.
func ReadTraces(path string) ([]Trace, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	if !info.IsDir() {
		t, err := ReadTrace(path)
		return []Trace{t}, err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	var all []Trace
	var problems []error
	for _, e := range entries {
		if e.IsDir() || !strings.HasSuffix(strings.TrimSuffix(e.Name(), ".gz"), ".csv") {
			continue
		}
		t, err := ReadTrace(filepath.Join(path, e.Name()))
		all, problems = append(all, t), append(problems, err)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("traces: expected files *.csv or *.csv.gz in %s, found none", path)
	}
	return all, errors.Join(problems...)
}

// ReadTrace returns the trace in a CSV file, compressed by gzip or not. It has a
// header and one of two shapes, both in seconds and by time:
//
//	t_s,service_s                 one row for each request
//	t_s,arrivals,service_s_mean   one row for each bin that has requests
//
// A bin is as long as the smallest step between rows, 10 s where there is but
// one. Its requests arrive at random moments within it, and all take its mean.
// The file is checked whole, and read anew for each replay: its length costs no memory.
func ReadTrace(path string) (Trace, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Trace{}, fmt.Errorf("trace: %w", err)
	}
	if !info.Mode().IsRegular() {
		return Trace{}, fmt.Errorf("trace %s: expected a file, which can be read once for each policy: write it into one first", path)
	}
	t, err := openTable(path)
	if err != nil {
		return Trace{}, err
	}
	t.file.Close()
	s, err := survey(path)
	if err != nil {
		return Trace{}, err
	}
	width := s.step
	if !t.binned {
		width = 0
	}
	return Trace{
		Name:     traceName(filepath.Base(path)),
		Span:     s.last + width,
		Requests: func(seed uint64) iter.Seq2[Request, error] { return requestsOf(rowsOf(path, width), seed) },
	}, nil
}

// traceName is a file's name without what says that it is a trace.
func traceName(file string) string {
	return strings.TrimSuffix(strings.TrimSuffix(file, ".gz"), ".csv")
}

// A summary is what a trace file turned out to hold.
type summary struct {
	requests   int64
	last, step time.Duration
}

// survey reads a trace file to its end.
func survey(path string) (summary, error) {
	s := summary{step: math.MaxInt64}
	rows := 0
	for r, err := range rowsOf(path, 0) {
		if err != nil {
			return s, err
		}
		if rows > 0 {
			s.step = min(s.step, r.at-s.last)
		}
		s.last = r.at
		s.requests += r.arrivals
		rows++
	}
	if s.requests == 0 {
		return s, fmt.Errorf("trace %s: expected rows with requests below the header, found none", path)
	}
	if rows == 1 {
		s.step = defaultBin
	}
	return s, nil
}

// requestsOf yields the requests of rows.
func requestsOf(rows iter.Seq2[row, error], seed uint64) iter.Seq2[Request, error] {
	return func(yield func(Request, error) bool) {
		random := rand.New(rand.NewPCG(seed, 0x7472616365))
		for r, err := range rows {
			if err != nil {
				yield(Request{}, err)
				return
			}
			if !r.spread(random, yield) {
				return
			}
		}
	}
}

// spread yields a row's requests at moments that are uniform within its width,
// in order: the first of n moments comes after 1-u^(1/n) of the time that is
// left, and -ln u is exponential. So nothing is kept and nothing sorted.
func (r row) spread(random *rand.Rand, yield func(Request, error) bool) bool {
	left := 1.0
	for n := r.arrivals; n > 0; n-- {
		if r.width > 0 {
			left *= math.Exp(-random.ExpFloat64() / float64(n))
		}
		if !yield(Request{At: r.at + time.Duration((1-left)*float64(r.width)), Service: r.service}, nil) {
			return false
		}
	}
	return true
}
