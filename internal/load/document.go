package load

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"cusme.dev/cusme/api/v1alpha1"
)

// A document is an answer as expressions see it, or the fault instead of one.
type document struct {
	body         any
	headers      map[string]string
	number       *float64 // in place of a body
	partial      string
	muted        func(string) string // nil: nothing is hidden
	received, at time.Time
	err          error
}

// understand parses an attempt's answer, once for all the loads that share it.
func understand(a answer, err error) document {
	if err != nil {
		return document{err: err}
	}
	d := document{number: a.number, partial: a.partial, muted: a.muted, received: a.received, at: a.at}
	if a.number != nil {
		return d
	}
	d.body, d.err = parse(a.body, a.format)
	d.headers = flat(a.header)
	return d
}

// parse reads a whole body. The Content-Type does not count: servers are wrong
// about it more often than users are about the format.
func parse(text []byte, format v1alpha1.Format) (any, error) {
	text = bytes.TrimPrefix(text, []byte("\uFEFF")) // a byte order mark
	if format == v1alpha1.Text {
		return strings.TrimSpace(strings.ToValidUTF8(string(text), "\uFFFD")), nil
	}
	if isPage(text) {
		return nil, invalid("the answer is an HTML page, such as that of a login or a proxy; expected %s: check the URL and its path", formatName(format))
	}
	switch format {
	case "", v1alpha1.JSON:
		return parseJSON(text)
	case v1alpha1.XML:
		return parseXML(text)
	case v1alpha1.YAML:
		return parseYAML(text)
	case v1alpha1.Prometheus:
		return parseExposition(text)
	}
	return nil, invalid("answers in %s are not understood", format)
}

func formatName(f v1alpha1.Format) string {
	switch f {
	case "":
		return "JSON"
	case v1alpha1.Prometheus:
		return "Prometheus text"
	}
	return string(f)
}

// isPage reports whether a text begins as pages do.
func isPage(text []byte) bool {
	begin := bytes.ToLower(bytes.TrimSpace(text[:min(len(text), 1<<10)]))
	return bytes.HasPrefix(begin, []byte("<!doctype html")) || bytes.HasPrefix(begin, []byte("<html"))
}

func parseJSON(text []byte) (any, error) {
	var body any
	if err := decodeJSON(text, &body); err != nil {
		return nil, err
	}
	return doubles(body), nil
}

// decodeJSON reads exactly one JSON value. Nothing of the text is repeated in an
// error but the character that does not belong: it is somebody else's data.
func decodeJSON(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	switch err := d.Decode(into); {
	case errors.Is(err, io.EOF):
		return invalid("the answer is empty; expected JSON")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return invalid("the answer breaks off after %d bytes; expected whole JSON", len(text))
	case err != nil:
		return invalid("the answer is not JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return invalid("the answer goes on after its JSON ends; expected one JSON value")
	}
	return nil
}

// doubles turns every number into a double, as CEL maps JSON. An application
// that writes 1 for 1.0 must not change what an expression means: 3/4 would
// be 0 with integers. Beyond a double's range is infinity, so that only an
// expression that uses such a number finds it invalid.
func doubles(v any) any {
	switch v := v.(type) {
	case json.Number:
		f, _ := v.Float64() // the only error left is a range, and comes with ±Inf
		return f
	case map[string]any:
		for k := range v {
			v[k] = doubles(v[k])
		}
	case []any:
		for i := range v {
			v[i] = doubles(v[i])
		}
	}
	return v
}

// flat gives each header one value under its name in lower case, as HTTP/2
// writes names, for headers["x-load"].
func flat(h http.Header) map[string]string {
	out := make(map[string]string, len(h))
	for name, values := range h {
		out[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	return out
}
