// Package load reads the load index: what an application says of how busy it is.
//
// A source is opened from a spec and asked by one goroutine per distinct
// endpoint, never inside a reconcile, so that a slow or hanging endpoint delays
// nobody else. What comes back is a reading: a value with its own time, or the
// sentence why there is none. Whether a reading is too old is not judged here.
package load

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
)

// Options are what every source has in common. The zero value will do.
type Options struct {
	// Version of cusme, told to the endpoints in User-Agent; "dev" when empty.
	Version string
}

// Open understands a load's spec, without asking the source anything yet. An
// error names the field at fault, such as loads[backend].http.value, and says
// what was expected there; a bad expression keeps CEL's own message.
func Open(spec v1alpha1.Load, o Options) (Source, error) {
	field := fmt.Sprintf("loads[%s]", spec.Name)
	switch {
	case spec.HTTP != nil:
		return openHTTP(spec.Name, field+".http", *spec.HTTP, o)
	default:
		return Source{}, fmt.Errorf("%s: expected exactly one source, got none: add http", field)
	}
}

// A Source is one load, opened: where its answers come from, and what to make
// of them.
type Source struct {
	load string
	from address
	measure
}

// Read asks the source once, by itself and at once, within its own timeout. A
// set of scalers shares its polls through Readings instead.
func (s Source) Read(ctx context.Context) scaling.Reading {
	e := s.from.connect()
	defer e.close()
	answer, err := e.ask(ctx)
	return after(scaling.Reading{}, s.reading(understand(answer, err)))
}

// reading says what the source makes of a document.
func (s Source) reading(d document) scaling.Reading {
	value, at, err := s.judge(d)
	if err == nil {
		return scaling.Reading{Load: s.load, Value: value, At: at}
	}
	r := scaling.Reading{Load: s.load, Problem: scaling.Failed, Message: err.Error()}
	if f := (fault{}); errors.As(err, &f) {
		r.Problem = f.state
	}
	return r
}

// after returns newest, beside whose problem the last good value is kept with
// its time.
func after(last, newest scaling.Reading) scaling.Reading {
	if newest.Problem != "" {
		newest.Value, newest.At = last.Value, last.At
	}
	return newest
}

// same reports whether two sources read the same number for the same load.
func (s Source) same(o Source) bool {
	return s.load == o.load && s.from == o.from && s.texts() == o.texts()
}

// An address says where answers come from. Its values are comparable: loads
// with equal addresses and intervals share one poll.
type address interface {
	// connect prepares to ask, without any I/O yet.
	connect() endpoint
}

// An endpoint answers. It is asked by one goroutine, never twice at a time.
type endpoint interface {
	// ask returns one whole answer, or a fault. It ends within the endpoint's
	// own timeout and, sooner, with ctx.
	ask(ctx context.Context) (answer, error)
	// close drops what connections are kept for the next ask.
	close()
}

// An answer is what an endpoint said, not yet understood. It is kept in bytes
// because parsed JSON can take thirty times their memory.
type answer struct {
	body   []byte
	header http.Header
	// received is when its last byte came, by cusme's clock.
	received time.Time
	// at is when it was true as far as the transport says, never after received.
	at time.Time
}

// A fault is an attempt that brought no value.
type fault struct {
	state scaling.State // Failed or Invalid
	err   error
}

func (f fault) Error() string { return f.err.Error() }
func (f fault) Unwrap() error { return f.err }

// failed is the fault of an attempt that brought no answer.
func failed(format string, args ...any) error {
	return fault{scaling.Failed, fmt.Errorf(format, args...)}
}

// invalid is the fault of an answer that holds no number a load can be.
func invalid(format string, args ...any) error {
	return fault{scaling.Invalid, fmt.Errorf(format, args...)}
}
