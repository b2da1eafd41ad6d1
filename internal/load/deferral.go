package load

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A deferral is a refusal that says when to ask again.
type deferral struct {
	error
	wait time.Duration // above 0
}

func (d deferral) Unwrap() error { return d.error }

// deferred returns the refusal with the wait that its answer asks for: that of a
// Retry-After beside 429 or 503, in seconds or as a date (RFC 9110 section
// 10.2.3). Without one, or with one that cannot be read, it is the refusal alone.
func deferred(refusal error, r *http.Response, now time.Time) error {
	if r.StatusCode != http.StatusTooManyRequests && r.StatusCode != http.StatusServiceUnavailable {
		return refusal
	}
	if wait := retryAfter(r.Header.Get("Retry-After"), now); wait > 0 {
		return deferral{refusal, wait}
	}
	return refusal
}

func retryAfter(text string, now time.Time) time.Duration {
	text = strings.TrimSpace(text)
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(text); err == nil {
		return date.Sub(now)
	}
	return 0
}
