package load

import (
	"maps"
	"net/http"
	"time"
)

// An edition is an answer that its endpoint gave a name, so that it can say
// later in few bytes that it would answer the same. The zero edition is none.
type edition struct {
	etag   string
	body   []byte // at most bodyLimit
	header http.Header
}

// still reports whether an answer says that the edition is the answer. Only who
// asked with its name can be told so.
func (o edition) still(r *http.Response) bool {
	return o.etag != "" && r.StatusCode == http.StatusNotModified
}

// renewed is the edition with the headers that came now, as RFC 9111 section
// 3.2 wants.
func (o edition) renewed(h http.Header) edition {
	o.header = o.header.Clone()
	maps.Copy(o.header, h)
	return o
}

// whole returns the whole answer, out of the last one where the endpoint says
// that it is still the same.
func (e *httpEndpoint) whole(r *http.Response, within time.Duration) (edition, error) {
	if e.last.still(r) {
		e.last = e.last.renewed(r.Header)
		return e.last, nil
	}
	body, err := e.read(r, within)
	if err != nil {
		return edition{}, err
	}
	now := edition{body: body, header: r.Header}
	if e.method == http.MethodGet {
		now.etag = r.Header.Get("ETag")
	}
	e.last = edition{}
	if now.etag != "" {
		e.last = now
	}
	return now, nil
}
