package simulate

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestReadTrace(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []Request
		span time.Duration
	}{
		"one row per request": {
			"t_s,service_s\n0.25,1.5\n3,0\n3,2\n", []Request{
				{250 * time.Millisecond, 1500 * time.Millisecond}, {3 * time.Second, 0}, {3 * time.Second, 2 * time.Second},
			}, 3 * time.Second,
		},
		"as Windows writes it, without a last end": {
			"\ufefft_s,service_s\r\n\r\n1,2\r\n\r\n1e1,0.002", []Request{
				{time.Second, 2 * time.Second}, {10 * time.Second, 2 * time.Millisecond},
			}, 10 * time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, text := range []string{c.text, compressed(t, c.text)} {
				trace, err := ReadTrace(written(t, "morning.csv.gz", text))
				if err != nil {
					t.Fatal(err)
				}
				if trace.Name != "morning" || trace.Span != c.span {
					t.Errorf("got the trace %q of %s, want morning of %s", trace.Name, trace.Span, c.span)
				}
				if got := all(t, trace, 1); !slices.Equal(got, c.want) || !slices.Equal(all(t, trace, 2), c.want) {
					t.Errorf("got %v, want %v", got, c.want)
				}
			}
		})
	}
}

// TestBins wants the moments within a bin to be uniform, in order, and the same for the same seed.
func TestBins(t *testing.T) {
	const n = 20_000
	trace, err := ReadTrace(written(t, "bins.csv", fmt.Sprintf("t_s,arrivals,service_s_mean\n0,%d,2\n30,1,3\n60,0,4\n80,2,5\n", n)))
	if err != nil {
		t.Fatal(err)
	}
	got := all(t, trace, 7)
	if len(got) != n+3 || trace.Span != 100*time.Second {
		t.Fatalf("got %d requests within %s, want %d within 100s: the smallest step is 20s", len(got), trace.Span, n+3)
	}
	if !slices.IsSortedFunc(got, func(a, b Request) int { return int(a.At - b.At) }) {
		t.Error("requests are not in order")
	}
	if last := got[n-1]; got[0].At < 0 || last.At >= 20*time.Second || last.Service != 2*time.Second {
		t.Errorf("the first bin goes from %v to %v, want it within 20s, and 2s each", got[0], last)
	}
	if alone := got[n]; alone.At < 30*time.Second || alone.At >= 50*time.Second || alone.Service != 3*time.Second {
		t.Errorf("the second bin holds %v", alone)
	}
	// Kolmogorov and Smirnov's distance of uniform moments is beyond 1.95/√n once in a thousand seeds; this seed is fixed.
	for i, r := range got[:n] {
		if d := math.Abs(r.At.Seconds()/20 - float64(i)/n); d > 1.95/math.Sqrt(n) {
			t.Fatalf("request %d of %d arrives at %v of 20s", i, n, r.At)
		}
	}
	if !slices.Equal(got, all(t, trace, 7)) {
		t.Error("the same seed gives other requests")
	}
	if slices.Equal(got, all(t, trace, 8)) {
		t.Error("another seed gives the same requests")
	}
}

func TestASingleBin(t *testing.T) {
	trace, err := ReadTrace(written(t, "bin.csv", "t_s,arrivals,service_s_mean\n600,3,1\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := all(t, trace, 1); len(got) != 3 || got[0].At < 600*time.Second || got[2].At >= 610*time.Second || trace.Span != 610*time.Second {
		t.Errorf("got %v within %s, want three within 10s of 600s", got, trace.Span)
	}
}

func TestTracesThatCannotBeMeant(t *testing.T) {
	cut := compressed(t, "t_s,service_s\n"+strings.Repeat("1,2\n", 1000))
	for text, want := range map[string]string{
		"":                                              "expected a header and rows, it is empty",
		"\n \n":                                         "expected a header and rows, it is empty",
		"t_s,service_s\n":                               "expected rows with requests below the header, found none",
		"t_s,arrivals,service_s_mean\n1,0,2\n":          "expected rows with requests below the header, found none",
		"1,2\n3,4\n":                                    `line 1: expected the header t_s,service_s or t_s,arrivals,service_s_mean, got "1,2"`,
		"time,load\n3,4\n":                              `line 1: expected the header`,
		"t_s,service_s\n1,2\nx,4\n":                     `line 3: t_s: expected seconds such as 12.5, got "x"`,
		"t_s,service_s\n1,\n":                           `line 2: service_s: expected seconds such as 12.5, got ""`,
		"t_s,service_s\n1,-2\n":                         `line 2: service_s: expected seconds from 0 on, got "-2"`,
		"t_s,service_s\n1,NaN\n":                        `line 2: service_s: expected seconds from 0 on, got "NaN"`,
		"t_s,service_s\n-1,2\n":                         `line 2: t_s: expected seconds from 0 on, got "-1"`,
		"t_s,service_s\n1,Inf\n":                        `line 2: service_s: expected at most ten years`,
		"t_s,service_s\n1e999,1\n":                      `line 2: t_s: expected seconds such as 12.5, got "1e999"`,
		"t_s,service_s\n1772366390,1":                   `line 2: t_s: expected at most ten years in seconds, counted from the beginning of the trace and not from 1970, got "1772366390"`,
		"t_s,service_s\n\n5,1\n4,1\n":                   `line 4: t_s: expected rows in order of time, this one not before 5, got "4"`,
		"t_s,service_s\n1\n":                            `line 2: expected 2 columns as in the header, t_s,service_s, got "1"`,
		"t_s,service_s\n1,2,3\n":                        `line 2: expected 2 columns as in the header, t_s,service_s, got "1,2,3"`,
		"t_s,arrivals,service_s_mean\n1,2.5,3\n":        `line 2: arrivals: expected a whole number from 0 to ten million; more belong in several shorter bins, got "2.5"`,
		"t_s,arrivals,service_s_mean\n1,-2,3\n":         `line 2: arrivals: expected a whole number from 0 to ten million; more belong in several shorter bins, got "-2"`,
		"t_s,arrivals,service_s_mean\n1,1e9,3\n":        `line 2: arrivals: expected a whole number from 0 to ten million; more belong in several shorter bins, got "1e9"`,
		"t_s,arrivals,service_s_mean\n1,2,3\n1,2,3\n":   `line 3: t_s: expected one row for each bin, this one after the one above, got "1"`,
		"t_s,service_s\n" + strings.Repeat("1", 70_000): `line 2: expected numbers and commas, got a line of more than 65536 bytes`,
		"\x1f\x8bno":                                    "it begins as a gzip file and is none",
		cut[:len(cut)/2]:                                "the gzip file breaks off here",
		cut[:len(cut)-1]:                                "the gzip file breaks off here",
		cut[:len(cut)-5] + "\x01\x02\x03\x04\x05":       "gzip: invalid checksum",
	} {
		path := written(t, "trace.csv", text)
		_, err := ReadTrace(path)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "trace "+path) {
			t.Errorf("%.60q: got the error %v, want %q", text, err, want)
		}
	}
}

func TestWhatIsNoTrace(t *testing.T) {
	if _, err := ReadTrace(filepath.Join(t.TempDir(), "none.csv")); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("of a file that is not there: %v", err)
	}
	if _, err := ReadTrace(os.DevNull); err == nil || !strings.Contains(err.Error(), "expected a file, which can be read once for each policy") {
		t.Errorf("of a device: %v", err)
	}
}

// TestAFileThatChanges wants a replay to end by an error, and not short.
func TestAFileThatChanges(t *testing.T) {
	path := written(t, "trace.csv", "t_s,service_s\n1,2\n")
	trace, err := ReadTrace(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("t_s,service_s\n1,2\n0,2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var seen []error
	for _, err := range trace.Requests(1) {
		seen = append(seen, err)
	}
	if len(seen) != 2 || seen[0] != nil || seen[1] == nil || !strings.Contains(seen[1].Error(), "line 3") {
		t.Errorf("got %v, want one request and then the error", seen)
	}
}

func TestReadTraces(t *testing.T) {
	dir := t.TempDir()
	good := "t_s,service_s\n1,2\n"
	for name, text := range map[string]string{"b.csv": good, "a.csv.gz": compressed(t, good), "README.md": "no trace", "c.csv.txt": "", "notes.gz": "no trace"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "deeper.csv"), 0o700); err != nil {
		t.Fatal(err)
	}
	traces, err := ReadTraces(dir)
	if err != nil || len(traces) != 2 || traces[0].Name != "a" || traces[1].Name != "b" {
		t.Fatalf("got %+v, %v, want a and b", traces, err)
	}
	if one, err := ReadTraces(filepath.Join(dir, "b.csv")); err != nil || len(one) != 1 || one[0].Name != "b" {
		t.Errorf("got %+v, %v, want b", one, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "d.csv"), []byte("t_s\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadTraces(dir); err == nil || !strings.Contains(err.Error(), "d.csv, line 1") {
		t.Errorf("of a directory with a bad trace: %v", err)
	}
	if _, err := ReadTraces(t.TempDir()); err == nil || !strings.Contains(err.Error(), "expected files *.csv or *.csv.gz in") {
		t.Errorf("of an empty directory: %v", err)
	}
	if _, err := ReadTraces(filepath.Join(dir, "none")); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("of nothing: %v", err)
	}
}

// FuzzTrace reads every file there can be: what is taken for a trace gives
// requests in order that can be worked on, whenever it is read.
func FuzzTrace(f *testing.F) {
	for _, seed := range []string{
		"t_s,service_s\n0.5,1\n7,2\n", "t_s,arrivals,service_s_mean\n0,3,1.5\n10,2,1\n", "\ufefft_s,service_s\r\n1,2", "t_s,service_s\n1,nan\n",
		"t_s,service_s\n0x1p2,1_0\n", "t_s,arrivals,service_s_mean\n1,9,0\n1.000000001,9,315360000\n", compressed(f, "t_s,service_s\n1,2\n"), "\x1f\x8b\x08\x00", "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "trace.csv")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		trace, err := ReadTrace(path)
		if err != nil {
			if text := err.Error(); !strings.HasPrefix(text, "trace "+path) || len(text) > len(path)+400 {
				t.Errorf("error %q", text)
			}
			return
		}
		last, count := time.Duration(0), 0
		for r, err := range trace.Requests(1) {
			if err != nil || r.At < last || r.At > trace.Span || r.Service < 0 || r.Service > longestTrace {
				t.Fatalf("after %s of %s: %+v, %v", last, trace.Span, r, err)
			}
			if last, count = r.At, count+1; count == 10_000 {
				break
			}
		}
		if count == 0 {
			t.Error("a trace without a request")
		}
	})
}

// BenchmarkReadTrace reads a million rows of one request, a million requests of bins, and rows that are compressed.
func BenchmarkReadTrace(b *testing.B) {
	const n = 1_000_000
	var requests, bins strings.Builder
	requests.WriteString("t_s,service_s\n")
	bins.WriteString("t_s,arrivals,service_s_mean\n")
	for i := range n {
		fmt.Fprintf(&requests, "%d.%03d,12.345\n", i, i%1000)
		if i%60 == 0 {
			fmt.Fprintf(&bins, "%d,60,12.345\n", i/6)
		}
	}
	for name, text := range map[string]string{"requests": requests.String(), "compressed": compressed(b, requests.String()), "bins": bins.String()} {
		b.Run(name, func(b *testing.B) {
			trace, err := ReadTrace(written(b, "trace.csv", text))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				for _, err := range trace.Requests(1) {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/request")
		})
	}
}

// all are a trace's requests.
func all(t *testing.T, trace Trace, seed uint64) []Request {
	t.Helper()
	var requests []Request
	for r, err := range trace.Requests(seed) {
		if err != nil {
			t.Fatal(err)
		}
		requests = append(requests, r)
	}
	return requests
}

// written is the path of a file with a content.
func written(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func compressed(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
