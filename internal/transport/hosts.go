package transport

import (
	"context"
	"fmt"
	"io"
	"sync"
)

// hostLimit is how many requests go to one host and port at a time. A hundred
// loads of one slow server must not become what keeps it slow.
const hostLimit = 16

// hosts counts the requests under way to each host and port.
type hosts struct {
	mu    sync.Mutex
	lanes map[string]*lane
}

// A lane leads to one host. It is there only while somebody wants to go.
type lane struct {
	places chan struct{}
	users  int // guarded by hosts.mu
}

// enter waits for a place on the way to a host. leave gives it back, once.
func (h *hosts) enter(ctx context.Context, host string) (leave func(), err error) {
	l := h.lane(host)
	select {
	case l.places <- struct{}{}:
		return sync.OnceFunc(func() {
			<-l.places
			h.drop(host)
		}), nil
	case <-ctx.Done():
		h.drop(host)
		return nil, fmt.Errorf("%d requests to %s were under way, and none ended in time", hostLimit, host)
	}
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
