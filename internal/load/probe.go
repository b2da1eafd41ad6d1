package load

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/transport"
)

// CheckBusy understands a spec's busy field, without asking any pod. An error
// names the field at fault, such as busy.value, and says what was expected
// there; a bad expression keeps CEL's own message.
func CheckBusy(spec v1alpha1.Busy) error {
	_, err := openProbe(spec)
	return err
}

// A probe is a busy field, opened.
type probe struct {
	question
	value expression // absent: the metric tells
}

// A question is what one probe asks; equal questions have equal answers.
type question struct {
	port          int32
	path          string
	value, metric string // one of them
	above         float64
}

// openProbe understands a busy field. The API server has refused most of what
// is refused here; but a path without its slash would lead to another host.
func openProbe(spec v1alpha1.Busy) (probe, error) {
	q := question{port: spec.Port, path: "/", value: spec.Value}
	if spec.Path != "" {
		q.path = spec.Path
	}
	if spec.Metric != nil {
		q.metric = spec.Metric.Name
		if above := spec.Metric.Above; above != nil {
			q.above = Nearest(*above)
		}
	}
	if err := q.check(); err != nil || q.value == "" {
		return probe{question: q}, err
	}
	value, err := compile("", "busy.value", q.value, aVerdict)
	return probe{q, value}, err
}

func (q question) check() error {
	_, unreadable := url.Parse("http://pod" + q.path)
	switch {
	case q.port < 1 || q.port > 65535:
		return fmt.Errorf("busy.port: expected 1 to 65535, got %d", q.port)
	case !strings.HasPrefix(q.path, "/") || unreadable != nil:
		return fmt.Errorf("busy.path: expected a path that begins with /, such as /busy, got %q", q.path)
	case q.value == "" && q.metric == "":
		return errors.New("busy: expected exactly one of value and metric, got none: add value")
	case q.value != "" && q.metric != "":
		return errors.New("busy: expected exactly one of value and metric, got both: leave one out")
	}
	return nil
}

// podTransport keeps connections to pods for the next inquiry, as pods that may
// go are asked every few seconds. No proxy is asked on the way, and no more is
// kept than what a large inquiry needs: pods come and go.
func podTransport(door *transport.Door) *http.Transport {
	return &http.Transport{
		DialContext:            door.DialContext,
		MaxIdleConns:           100,
		MaxIdleConnsPerHost:    1,
		IdleConnTimeout:        time.Minute,
		MaxResponseHeaderBytes: headerLimit,
		DisableCompression:     true,
	}
}

// at is where a pod answers. Its address must be an IP: anything else could
// lead elsewhere.
func (q question) at(pod string) (httpAddress, error) {
	ip, err := podIP(pod)
	if err != nil {
		return httpAddress{}, err
	}
	a := httpAddress{url: "http://" + netip.AddrPortFrom(ip, uint16(q.port)).String() + q.path}
	if q.metric != "" {
		a.format = v1alpha1.Prometheus
	}
	return a, nil
}

func podIP(address string) (netip.Addr, error) {
	if address == "" {
		return netip.Addr{}, failed("the pod has no address yet")
	}
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return ip, failed("expected the pod's address to be an IP, got %q", printable(address, excerptLimit))
	}
	return ip, nil
}

// busy says whether an answer is that of a busy pod.
func (p probe) busy(a answer) (bool, error) {
	if p.metric != "" {
		values, err := samples(a.body, selector{metric: p.metric})
		return err == nil && combine("sum", values) > p.above, err
	}
	d := understand(a, nil)
	if d.err != nil {
		return false, d.err
	}
	return p.value.verdict(d)
}
