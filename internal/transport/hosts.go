package transport

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	// hostLimit is how many requests go to one host and port at a time. A hundred
	// loads of one server that wake together must not become what keeps it slow.
	hostLimit = 16
	// hostPatience is how long a request waits for others to the same host and
	// port, or half of its time where that is less; then it goes without a place.
	// Behind one gateway there can be many applications, and whose places are
	// held by endpoints that hang must delay nobody else.
	hostPatience = time.Second
)

// hosts has the places at each host and port.
type hosts struct {
	mu    sync.Mutex
	lanes map[string]*lane
}

// A lane leads to one host. It is there only while somebody wants to go.
type lane struct {
	places chan struct{}
	users  int // guarded by hosts.mu
}

// enter waits for a place on the way to a host, no longer than its patience.
// leave gives it back, once. The error is that ctx has ended.
func (h *hosts) enter(ctx context.Context, host string) (leave func(), err error) {
	l := h.lane(host)
	patience := time.NewTimer(patienceOf(ctx))
	defer patience.Stop()
	select {
	case l.places <- struct{}{}:
		return sync.OnceFunc(func() {
			<-l.places
			h.drop(host)
		}), nil
	case <-patience.C:
		h.drop(host)
		return func() {}, nil
	case <-ctx.Done():
		h.drop(host)
		return nil, fmt.Errorf("waiting for other requests to %s: %w", host, ctx.Err())
	}
}

// patienceOf is how long a request may wait.
func patienceOf(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return min(hostPatience, time.Until(deadline)/2)
	}
	return hostPatience
}

func (h *hosts) lane(host string) *lane {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lanes == nil {
		h.lanes = map[string]*lane{}
	}
	l := h.lanes[host]
	if l == nil {
		l = &lane{places: make(chan struct{}, hostLimit)}
		h.lanes[host] = l
	}
	l.users++
	return l
}

func (h *hosts) drop(host string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.lanes[host]
	if l.users--; l.users == 0 {
		delete(h.lanes, host)
	}
}

// A body gives its request's place back when it is closed.
type body struct {
	io.ReadCloser
	leave func()
}

func (b body) Close() error {
	defer b.leave()
	return b.ReadCloser.Close()
}
