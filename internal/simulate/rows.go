package simulate

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A row is so many requests, alike, that arrive within its width; at once where that is 0.
type row struct {
	at, width, service time.Duration
	arrivals           int64
}

// The columns of the two shapes of traces.
var (
	requestColumns = []string{"t_s", "service_s"}
	binColumns     = []string{"t_s", "arrivals", "service_s_mean"}
)

const (
	// longestTrace catches times of the wall clock, which are seconds since 1970.
	longestTrace = 10 * 365 * 24 * time.Hour
	// mostArrivals is what a bin may hold: a million requests a second for 10 s.
	mostArrivals = 1e7
	// longestLine bounds what is kept in memory of a file.
	longestLine = 64 << 10
)

// rowsOf yields the rows of a trace file, each of a width, and each time from its beginning. An error ends them.
func rowsOf(path string, width time.Duration) iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		t, err := openTable(path)
		if err != nil {
			yield(row{}, err)
			return
		}
		defer t.file.Close()
		for {
			r, err := t.next()
			r.width = width
			if errors.Is(err, io.EOF) {
				return
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// A table is a trace file in reading.
type table struct {
	path    string
	file    *os.File
	lines   *bufio.Reader
	line    int // that was read last, from 1
	columns []string
	binned  bool
	fields  [][]byte // of the last line, by columns
	last    time.Duration
}

// openTable opens a trace and reads its header. It is read uncompressed by what it holds, whatever its name.
func openTable(path string) (*table, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	t := &table{path: path, file: file, lines: bufio.NewReaderSize(file, longestLine), last: -1}
	if err = t.inflate(); err == nil {
		err = t.header()
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return t, nil
}

// inflate has a gzip file read uncompressed.
func (t *table) inflate() error {
	if magic, err := t.lines.Peek(2); err != nil || magic[0] != 0x1f || magic[1] != 0x8b {
		return nil // what is wrong with so short a file, its header tells
	}
	z, err := gzip.NewReader(t.lines)
	if err != nil {
		return fmt.Errorf("trace %s: it begins as a gzip file and is none: %w", t.path, err)
	}
	t.lines = bufio.NewReaderSize(z, longestLine)
	return nil
}

// header finds out the shape of the trace.
func (t *table) header() error {
	text, err := t.read()
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("trace %s: expected a header and rows, it is empty", t.path)
	}
	if err != nil {
		return err
	}
	for name := range strings.SplitSeq(strings.TrimPrefix(string(text), "\ufeff"), ",") {
		t.columns = append(t.columns, strings.TrimSpace(name))
	}
	t.fields = make([][]byte, len(t.columns))
	for _, shape := range [][]string{requestColumns, binColumns} {
		if slices.Equal(t.columns, shape) {
			t.binned = len(shape) == len(binColumns)
			return nil
		}
	}
	return t.wrong("expected the header %s or %s, got %.40q", strings.Join(requestColumns, ","), strings.Join(binColumns, ","), text)
}

// next returns the next row; io.EOF after the last.
func (t *table) next() (row, error) {
	text, err := t.read()
	if err != nil {
		return row{}, err
	}
	if err := t.split(text); err != nil {
		return row{}, err
	}
	r := row{arrivals: 1}
	if r.at, err = t.seconds(0); err != nil {
		return row{}, err
	}
	if t.binned {
		r.arrivals, err = t.count(1)
	}
	if err != nil {
		return row{}, err
	}
	if r.service, err = t.seconds(len(t.fields) - 1); err != nil {
		return row{}, err
	}
	return r, t.follows(r.at)
}

// read returns the next line that is not empty, without its end.
func (t *table) read() ([]byte, error) {
	for {
		text, err := t.lines.ReadSlice('\n')
		t.line++
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			return nil, t.wrong("expected numbers and commas, got a line of more than %d bytes", longestLine)
		case errors.Is(err, io.ErrUnexpectedEOF):
			return nil, t.wrong("the gzip file breaks off here: copy it again, whole")
		case err != nil && !errors.Is(err, io.EOF):
			return nil, fmt.Errorf("trace %s, line %d: %w", t.path, t.line, err)
		}
		if text = bytes.TrimSpace(text); len(text) > 0 {
			return text, nil
		}
		if err != nil {
			return nil, io.EOF
		}
	}
}

// split cuts a line into its fields.
func (t *table) split(text []byte) error {
	rest, more := text, false
	for i := range t.fields {
		t.fields[i], rest, more = bytes.Cut(rest, comma)
		if more != (i < len(t.fields)-1) {
			return t.wrong("expected %d columns as in the header, %s, got %.40q", len(t.columns), strings.Join(t.columns, ","), text)
		}
	}
	return nil
}

var comma = []byte{','}

// seconds reads a time in a column.
func (t *table) seconds(column int) (time.Duration, error) {
	s, err := strconv.ParseFloat(string(t.fields[column]), 64)
	switch {
	case err != nil:
		return 0, t.faulty(column, "seconds such as 12.5")
	case !(s >= 0):
		return 0, t.faulty(column, "seconds from 0 on")
	case s > longestTrace.Seconds():
		return 0, t.faulty(column, "at most ten years in seconds, counted from the beginning of the trace and not from 1970")
	}
	return time.Duration(math.Round(s * float64(time.Second))), nil
}

// count reads a number of requests in a column.
func (t *table) count(column int) (int64, error) {
	n, err := strconv.ParseInt(string(t.fields[column]), 10, 64)
	if err != nil || n < 0 || n > mostArrivals {
		return 0, t.faulty(column, "a whole number from 0 to ten million; more belong in several shorter bins")
	}
	return n, nil
}

// follows checks that rows are in order, and that no bin comes twice.
func (t *table) follows(at time.Duration) error {
	if at < t.last {
		return t.faulty(0, fmt.Sprintf("rows in order of time, this one not before %v", t.last.Seconds()))
	}
	if t.binned && at == t.last {
		return t.faulty(0, "one row for each bin, this one after the one above")
	}
	t.last = at
	return nil
}

// faulty says what is wrong with a field.
func (t *table) faulty(column int, expected string) error {
	return t.wrong("%s: expected %s, got %.40q", t.columns[column], expected, t.fields[column])
}

// wrong says what is wrong with a line.
func (t *table) wrong(format string, args ...any) error {
	return fmt.Errorf("trace %s, line %d: "+format, append([]any{t.path, t.line}, args...)...)
}
