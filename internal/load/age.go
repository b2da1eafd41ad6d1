package load

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// oldestAge is the greatest Age header; RFC 9111 section 1.2.2 has 2³¹ stand
// for everything beyond.
const oldestAge = 1 << 31 * time.Second

// answeredAt returns when an answer was true by its Date and Age headers, as
// RFC 9111 section 4.2.3 corrects its age. The delay of the answer counts as
// age, because nobody knows when within it the server looked.
//
// Date has whole seconds and cuts the rest off, so an answer of this very
// second seems up to 1 s old. Its second is taken to its end instead: an
// answer may seem up to 1 s too fresh, which no staleAfter in seconds minds,
// and one just made has no age but its delay.
func answeredAt(h http.Header, asked, received time.Time) time.Time {
	age := received.Sub(asked) + ageHeader(h)
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		age = max(age, received.Sub(date.Add(time.Second)))
	}
	return received.Add(-max(age, 0))
}

// ageHeader returns the time an answer spent in caches; as RFC 9111 section
// 5.1 wants, of several the first, and an unreadable one counts as none.
func ageHeader(h http.Header) time.Duration {
	first, _, _ := strings.Cut(h.Get("Age"), ",")
	first = strings.TrimSpace(first)
	if first == "" || strings.Trim(first, "0123456789") != "" {
		return 0
	}
	seconds, err := strconv.ParseInt(first, 10, 64)
	if err != nil { // digits only: too many of them
		return oldestAge
	}
	return min(time.Duration(min(seconds, 1<<31))*time.Second, oldestAge)
}
