package load

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"strings"
	"time"

	"cusme.dev/cusme/internal/scaling"
)

// A trial is what can happen to a reading, whatever the kind of its source.
type trial struct {
	name string // group/name
	// number is what the source says, and age how long ago that was true.
	number string
	age    time.Duration
	// wire makes a bad server of one that says the number.
	wire func(good http.Handler) http.Handler
	// tls is the server's certificate and what the load knows of it; nil is no TLS.
	tls *certified
	// secret wants a token of every request, which changes after the first.
	secret bool
	// timeout of the load, for servers that never end; default 10s.
	timeout time.Duration
	// frugal trials may take little of the server's answer, and little memory.
	frugal bool
	want   outcome
}

func (tr trial) group() string {
	group, _, _ := strings.Cut(tr.name, "/")
	return group
}

// An outcome is a number, or one of some problems.
type outcome struct {
	number   bool
	value    float64
	problems []scaling.State
}

func (o outcome) String() string {
	if o.number {
		return fmt.Sprint(o.value)
	}
	return fmt.Sprint(o.problems)
}

func number(f float64) outcome { return outcome{number: true, value: f} }

var (
	isFailed  = outcome{problems: []scaling.State{scaling.Failed}}
	isInvalid = outcome{problems: []scaling.State{scaling.Invalid}}
	// noNumber leaves to the kind whether it was an answer.
	noNumber = outcome{problems: []scaling.State{scaling.Failed, scaling.Invalid}}
)

// brief is how long a load waits for a server that never ends.
const brief = 200 * time.Millisecond

// trials are all that every kind goes through. A wire trial's number is what the
// server would say, were it better.
var trials = []trial{
	{name: "number/a fraction", number: "0.83", want: number(0.83)},
	{name: "number/a whole one", number: "1", want: number(1)},
	{name: "number/zero is a value", number: "0", want: number(0)},
	{name: "number/a huge one", number: "123456789012345678901234567890", want: number(1.2345678901234568e29)},
	{name: "number/too small for a double", number: "1e-400", want: number(0)},
	{name: "number/beyond a double", number: "1e400", want: isInvalid},
	{name: "number/negative beyond a double", number: "-1e400", want: isInvalid},
	{name: "number/negative", number: "-0.1", want: isInvalid},
	{name: "number/NaN", number: "NaN", want: isInvalid},
	{name: "number/+Inf", number: "+Inf", want: isInvalid},
	{name: "number/-Inf", number: "-Inf", want: isInvalid},
	{name: "number/none", number: "", want: noNumber},

	{name: "time/an hour old", number: "0.83", age: time.Hour, want: number(0.83)},
	{name: "time/a little ahead", number: "0.83", age: -10 * time.Second, want: number(0.83)},
	{name: "time/an hour ahead", number: "0.83", age: -time.Hour, want: isInvalid},

	{name: "answer/garbage", wire: page("<html>It works!</html>"), want: noNumber},
	{name: "answer/empty", wire: page(""), want: noNumber},
	{name: "answer/cut in half", wire: half, want: noNumber},
	{name: "answer/fewer bytes than promised", wire: shortOf, want: isFailed},
	{name: "answer/another content type", number: "0.83", wire: mislabelled, want: number(0.83)},
	{name: "answer/endless", wire: endless(200, "1"), frugal: true, want: noNumber},
	{name: "answer/an endless error page", wire: endless(503, "no "), frugal: true, want: isFailed},
	{name: "answer/a gzip bomb", wire: bomb, frugal: true, want: noNumber},

	{name: "status/500", wire: code(500), want: isFailed},
	{name: "status/404", wire: code(404), want: isFailed},
	{name: "status/204", wire: code(204), want: noNumber},
	{name: "status/429 with Retry-After", wire: code(429), want: isFailed},

	{name: "connection/closed without a word", wire: gone, want: isFailed},
	{name: "connection/reset", wire: reset, want: isFailed},
	{name: "connection/hanging", wire: hanging, timeout: brief, want: isFailed},
	{name: "connection/hanging after its head", wire: headOnly, timeout: brief, want: isFailed},
	{name: "connection/dripping", wire: dripping, timeout: brief, want: isFailed},

	{name: "redirect/within the host", number: "0.83", wire: detour, want: number(0.83)},
	{name: "redirect/in a loop", wire: toward("/again"), want: isFailed},
	{name: "redirect/elsewhere", wire: toward("http://user:hush@elsewhere.test/load?token=hush"), want: isFailed},

	{name: "tls/known", number: "0.83", tls: &certified{known: true}, want: number(0.83)},
	{name: "tls/unknown authority", number: "0.83", tls: &certified{}, want: isFailed},
	{name: "tls/unknown, skipped", number: "0.83", tls: &certified{skip: true}, want: number(0.83)},
	{name: "tls/expired", number: "0.83", tls: &certified{known: true, expired: true}, want: isFailed},
	{name: "tls/another host", number: "0.83", tls: &certified{known: true, elsewhere: true}, want: isFailed},
	{name: "tls/an old version", number: "0.83", tls: &certified{known: true, newest: tls.VersionTLS11}, want: isFailed},

	{name: "credentials/changed while running", number: "0.83", secret: true, want: number(0.83)},
	{name: "credentials/repeated by an error page", wire: telltale, secret: true, want: isFailed},
}
